//! The peer task: moves bytes between a connection's stream, its state machine and the storage.

pub(crate) mod buffers;
mod outbox;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tailwater_metainfo::{BlockRef, MerkleHash};
use tailwater_wire::piece_header;
use tokio::io::Interest;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep_until;

use self::buffers::ReceiveBuffers;
use self::outbox::Outbox;
use crate::driver::discovery::dht::DhtHandle;
use crate::driver::message::{End, FactBatch, TorrentMessage};
use crate::driver::permits::ConnectionPermit;
use crate::driver::rate_limits::{RateChanges, RateLimits};
use crate::mailbox::Mailbox;

use crate::peer::{Command, Connection, Violation};
use crate::torrent::PeerKey;
use crate::transport::Stream;
use tailwater_storage::{Held, Reply, Storage};

/// The receive buffer of a peer that sends little, in bytes.
const SMALL_BUFFER: usize = 16 * 1024 + 512;
/// The receive buffer of a fast peer. It is the batch in which blocks are hashed and facts are told.
const LARGE_BUFFER: usize = 256 * 1024;
/// The most bytes of blocks that are read from the storage at once.
const READ_BATCH: usize = 512 * 1024;
/// Messages that may wait for the socket, in bytes, beside blocks (back-pressure): a peer for which more wait is not
/// read from, because what it sends makes more. An honest peer that asks for all it may at once causes a fifth of it.
const MAX_UNREAD: usize = 256 * 1024;
/// A peer for which more bytes of messages wait is disconnected: the largest bitfield, and what a peer that takes
/// nothing is told of our progress.
const MAX_UNSENT: usize = 1024 * 1024;
/// A peer whose socket accepts nothing for this long is disconnected.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// The most slices that are handed to one system call.
const MAX_SLICES: usize = 64;
/// The longest sleep of the task, so that timers are looked at now and then.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// Everything that a connection's task needs.
pub(crate) struct PeerTask {
    pub(crate) key: PeerKey,
    pub(crate) ip: IpAddr,
    pub(crate) stream: Stream,
    pub(crate) connection: Connection,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) mailbox: Arc<Mailbox<Command>>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    /// The batches of facts that may wait for the torrent.
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) buffers: Arc<ReceiveBuffers>,
    /// The right to have a piece's blocks hashed for a peer: one in a torrent has it at a time.
    pub(crate) hashing: Arc<Semaphore>,
    pub(crate) down_limit: RateLimits,
    pub(crate) up_limit: RateLimits,
    pub(crate) dht: Option<DhtHandle>,
    /// Given back after the socket.
    pub(crate) _permit: ConnectionPermit,
}

type PendingRead = Reply<Vec<(BlockRef, Held)>>;
type PendingLeaves = Reply<Option<Vec<MerkleHash>>>;

/// The state of a peer task beside its machine: buffers, and the times at which the rate limits let it go on.
struct Io {
    received: BytesMut,
    buffer_size: usize,
    outbox: Outbox,
    /// A read of the storage under way.
    pending_read: Option<PendingRead>,
    /// Hashes of blocks that the peer has asked for, on their way.
    pending_leaves: Option<PendingLeaves>,
    /// The storage needs room: a read under way is given back as soon as it is done.
    yields: bool,
    read_again_at: Option<Instant>,
    write_again_at: Option<Instant>,
    /// Changes of the limits of these two.
    down_changes: RateChanges,
    up_changes: RateChanges,
    /// Since when the socket has accepted nothing although something could be sent.
    blocked_since: Option<Instant>,
}

impl PeerTask {
    /// Runs until the connection ends, and tells the torrent why. `received` came behind the handshake, and `early` is
    /// what the machine made of it.
    pub(crate) async fn run(mut self, received: BytesMut, early: Result<(), Violation>) {
        let mut io = Io::new(received, &self.down_limit, &self.up_limit);
        let end = match early {
            Ok(()) => match self.work(&mut io).await {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Err(violation) => violation.into(),
        };
        // What came before the end still counts.
        let _ = self.hand_over().await;
        let _ = self
            .messages
            .send(TorrentMessage::Ended(self.key, end))
            .await;
    }

    async fn work(&mut self, io: &mut Io) -> Result<std::convert::Infallible, End> {
        let mut commands = Vec::new();
        loop {
            let goes_on = self.mailbox.take(&mut commands);
            for command in commands.drain(..) {
                match command {
                    Command::YieldBlocks => self.yield_blocks(io),
                    command => self.connection.handle_command(command),
                }
            }
            self.queue_messages(io);
            let wrote = self.write(io)?;
            if !goes_on {
                return Err(End::LetGo);
            }
            io.check_progress(Instant::now())?;
            let received = self.receive(io)?;
            self.hand_over().await?;
            self.start_reading(io);
            self.start_hashing(io);
            self.queue_messages(io);
            match wrote || received {
                true => tokio::task::consume_budget().await,
                false => self.wait(io).await?,
            }
        }
    }

    /// Moves the machine's messages behind what waits for the socket.
    fn queue_messages(&mut self, io: &mut Io) {
        let follow_blocks = self.connection.out_follows_blocks();
        let bytes = self.connection.take_out(Instant::now());
        if !bytes.is_empty() {
            io.outbox.push_messages(bytes, follow_blocks);
        }
    }

    /// Writes until the stream accepts no more, or the rate limit lets nothing pass; says whether it accepted anything.
    /// The rate limit counts what is accepted, and so does the outbox.
    fn write(&mut self, io: &mut Io) -> Result<bool, End> {
        let now = Instant::now();
        let mut wrote = false;
        if !self.flush(io, now)? {
            return Ok(false);
        }
        loop {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let payload = io.payload_allowed(now, &self.up_limit);
            let count = io.outbox.fill(&mut slices, payload);
            if count == 0 {
                match self.stream.unsent() {
                    0 => io.blocked_since = None,
                    _ => _ = io.blocked_since.get_or_insert(now),
                }
                break;
            }
            match self.stream.try_write_vectored(&slices[..count]) {
                Ok(0) => return Err(End::HungUp),
                Ok(accepted) => {
                    wrote = true;
                    io.blocked_since = None;
                    let sent = io.outbox.advance(now, accepted);
                    for block in sent.blocks {
                        self.connection.handle_sent(now, block);
                    }
                    if sent.payload > 0 {
                        io.write_again_at = self.up_limit.spend(now, sent.payload);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    io.blocked_since.get_or_insert(now);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(wrote)
    }

    /// Sends what the stream has accepted and not sent; says whether all of it went out.
    fn flush(&mut self, io: &mut Io, now: Instant) -> Result<bool, End> {
        let before = self.stream.unsent();
        let flushed = self.stream.try_flush();
        if self.stream.unsent() < before {
            io.blocked_since = None;
        }
        match flushed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                io.blocked_since.get_or_insert(now);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Decodes what was left of the last buffer, or reads another one and decodes it; says whether there was anything.
    fn receive(&mut self, io: &mut Io) -> Result<bool, End> {
        let now = Instant::now();
        if io
            .may_receive_at(now, self.connection.poll_backlog())
            .is_none_or(|at| at > now)
        {
            return Ok(false);
        }
        if self.connection.poll_backlog().is_some() {
            self.connection.handle_bytes(now, &mut io.received)?;
            return Ok(true);
        }
        io.make_room(self.connection.missing(), &self.buffers);
        let portion = self.down_limit.portion();
        let outcome = self.stream.try_read(&mut io.received, portion);
        match outcome {
            Ok(0) => Err(End::HungUp),
            Ok(count) => {
                io.read_again_at = self.down_limit.spend(now, count);
                self.connection.handle_bytes(now, &mut io.received)?;
                io.adapt_buffer(count);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands blocks to the storage, then facts to the torrent; both hold the task up when they are busy
    /// (back-pressure).
    async fn hand_over(&mut self) -> Result<(), End> {
        if let (Some(port), Some(dht)) = (self.connection.take_dht_port(), &self.dht) {
            dht.add_node(SocketAddr::new(self.ip, port)).await;
        }
        let blocks = self.connection.take_blocks();
        if !blocks.is_empty() {
            let refused = self.storage.write(self.key.into(), blocks).await;
            for duplicate in refused.unwanted {
                self.connection.handle_duplicate(duplicate);
            }
            for wrong in refused.wrong {
                self.connection.handle_wrong(wrong);
            }
        }
        let facts = self.connection.take_facts();
        if facts.is_empty() {
            return Ok(());
        }
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        let batch = FactBatch {
            key: self.key,
            from: self.ip.into(),
            facts,
            // The semaphore is never closed.
            _permit: permit.map_err(|_| End::LetGo)?,
        };
        let sent = self.messages.send(TorrentMessage::Facts(batch)).await;
        sent.map_err(|_| End::LetGo)
    }

    /// The storage needs the memory of blocks that wait for the socket: they are read again later.
    fn yield_blocks(&mut self, io: &mut Io) {
        let unsent = io.outbox.yield_blocks();
        self.connection.handle_unsent(&unsent);
        io.yields = io.pending_read.is_some();
    }

    /// Begins to read the next blocks that the peer has requested, unless enough wait for the socket.
    fn start_reading(&mut self, io: &mut Io) {
        if io.pending_read.is_some() {
            return;
        }
        let mut wanted = io.outbox.wanted().min(READ_BATCH);
        let mut blocks = Vec::new();
        while wanted > 0
            && let Some(block) = self.connection.next_upload()
        {
            wanted = wanted.saturating_sub(block.len() as usize);
            blocks.push(block);
        }
        if !blocks.is_empty() {
            io.pending_read = Some(self.storage.read(blocks));
        }
    }

    /// Begins to have the blocks of a piece hashed, if the peer has asked for their hashes.
    fn start_hashing(&mut self, io: &mut Io) {
        if io.pending_leaves.is_none()
            && let Some(piece) = self.connection.next_leaves()
        {
            let (storage, hashing) = (Arc::clone(&self.storage), Arc::clone(&self.hashing));
            io.pending_leaves = Some(Reply::later(async move {
                // The semaphore is never closed.
                let _permit = hashing.acquire().await;
                storage.leaves(piece).await
            }));
        }
    }

    fn queue_blocks(&mut self, io: &mut Io, blocks: Vec<(BlockRef, Held)>) {
        let mut headers = BytesMut::with_capacity(blocks.len() * 13);
        for (block, held) in blocks {
            let held = held.inspect_err(|error| tracing::debug!("reading for a peer: {error}"));
            let Ok(Some(data)) = held else {
                self.connection.handle_unavailable(block);
                continue;
            };
            headers.extend_from_slice(&piece_header(
                block.piece().get(),
                block.offset(),
                block.len(),
            ));
            let header = headers.split().freeze();
            io.outbox.push_block(header, data, block);
        }
    }

    /// Sleeps until something can go on.
    async fn wait(&mut self, io: &mut Io) -> Result<(), End> {
        let now = Instant::now();
        let mut until = now + LONGEST_SLEEP;
        let held = |at: Option<Instant>| at.filter(|&at| at > now);
        let may_receive_at = io.may_receive_at(now, self.connection.poll_backlog());
        let stalls_at = io.blocked_since.map(|since| since + STALL_LIMIT);
        let wakes = [
            self.connection.poll_timeout(),
            held(may_receive_at),
            held(io.write_again_at),
            stalls_at,
        ];
        for at in wakes.into_iter().flatten() {
            until = until.min(at);
        }
        let reads = may_receive_at.is_some_and(|at| at <= now);
        let sends = io.outbox.can_send(io.payload_allowed(now, &self.up_limit));
        let writes = sends || self.stream.unsent() > 0;
        let interest = match (reads, writes) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let socket = async {
            match interest {
                Some(interest) => self.stream.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        let read = async {
            match io.pending_read.as_mut() {
                Some(read) => read.await,
                None => std::future::pending().await,
            }
        };
        let leaves = async {
            match io.pending_leaves.as_mut() {
                Some(leaves) => leaves.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.mailbox.ready() => {}
            ready = socket => ready?,
            leaves = leaves => {
                io.pending_leaves = None;
                self.connection.handle_leaves(leaves.as_deref());
            }
            blocks = read => {
                io.pending_read = None;
                self.queue_blocks(io, blocks);
                if io.yields {
                    self.yield_blocks(io);
                }
            }
            // What passed under the old limit is not waited for under the new one.
            () = io.down_changes.next(), if held(io.read_again_at).is_some() => io.read_again_at = None,
            () = io.up_changes.next(), if held(io.write_again_at).is_some() => io.write_again_at = None,
            () = sleep_until(until.into()) => {
                let now = Instant::now();
                if self.connection.poll_timeout().is_some_and(|at| at <= now) {
                    self.connection.handle_timeout(now)?;
                }
            }
        }
        Ok(())
    }
}

impl Io {
    fn new(received: BytesMut, down: &RateLimits, up: &RateLimits) -> Self {
        Self {
            received,
            buffer_size: SMALL_BUFFER,
            outbox: Outbox::default(),
            pending_read: None,
            pending_leaves: None,
            yields: false,
            read_again_at: None,
            write_again_at: None,
            down_changes: down.changes(),
            up_changes: up.changes(),
            blocked_since: None,
        }
    }

    /// Ends the connection of a peer whose socket takes nothing, or too little.
    fn check_progress(&self, now: Instant) -> Result<(), End> {
        let stalled = |since| now.saturating_duration_since(since) >= STALL_LIMIT;
        if self.blocked_since.is_some_and(stalled) {
            return Err(End::Stalled(STALL_LIMIT));
        }
        match self.outbox.messages_len() > MAX_UNSENT {
            true => Err(End::TooFarBehind),
            false => Ok(()),
        }
    }

    /// When more of what the peer sends may be handled, `backlog` first; never while too much that it caused waits to be
    /// sent.
    fn may_receive_at(&self, now: Instant, backlog: Option<Instant>) -> Option<Instant> {
        match self.outbox.messages_len() > MAX_UNREAD {
            true => None,
            false => backlog.or(self.read_again_at).or(Some(now)),
        }
    }

    /// How many bytes of blocks may be written now. Messages always may.
    fn payload_allowed(&self, now: Instant, limit: &RateLimits) -> usize {
        match self.write_again_at {
            Some(at) if at > now => 0,
            _ => limit.portion(),
        }
    }

    /// Makes room in the receive buffer for what is missing of a message, or for a batch.
    fn make_room(&mut self, missing: usize, buffers: &ReceiveBuffers) {
        let spare = self.received.capacity() - self.received.len();
        let least = missing.max(self.buffer_size / 2);
        if spare >= least {
            return;
        }
        match self.buffer_size {
            LARGE_BUFFER => buffers.renew(&mut self.received, least, LARGE_BUFFER),
            size => self.received.reserve(missing.max(size)),
        }
    }

    /// A peer that fills its buffer gets a larger one, one that does not a smaller one.
    fn adapt_buffer(&mut self, count: usize) {
        if count >= self.buffer_size / 2 {
            self.buffer_size = (self.buffer_size * 2).min(LARGE_BUFFER);
        } else if count < self.buffer_size / 16 {
            self.buffer_size = (self.buffer_size / 2).max(SMALL_BUFFER);
            // An idle peer keeps no large buffer.
            let oversized = self.received.capacity() > 2 * SMALL_BUFFER;
            if self.buffer_size == SMALL_BUFFER && oversized && self.received.is_empty() {
                self.received = BytesMut::new();
            }
        }
    }
}
