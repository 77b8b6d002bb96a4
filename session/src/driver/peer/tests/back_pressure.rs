//! The peer task over a stream that accepts a byte at a time, with cancels, chokes and yields in between: each request is
//! answered once, and every byte of every block is the right one. In half of the runs the stream enciphers: what its cipher
//! has accepted cannot be taken back, and messages still overtake blocks.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tailwater_metainfo::{Bitfield, Geometry, PieceIndex};
use tailwater_storage::{
    BlockParts, Held, Progress, Refused, Reply, Storage, StorageError, SupplierKey,
};
use tailwater_wire::mse::Rc4;
use tailwater_wire::{BlockRequest, Decoder, Limits, Message};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::super::*;
use crate::driver::permits::{ConnectionPermits, DialLimit};
use crate::memory_network::{MemoryConfig, MemoryNetwork, MemoryStream};
use crate::peer;
use crate::testing::epoch;
use crate::torrent::Transport;
use crate::transport::{Cipher, Dialer, Network};

const PIECE_LEN: u32 = 16 * 1024;
const PIECES: u32 = 3;
/// Requests that the peer has outstanding at most.
const MAX_OUTSTANDING: usize = 30;
/// Random steps before the peer asks for all that it still lacks.
const STEPS: usize = 4_000;

fn geometry() -> Geometry {
    Geometry::new(u64::from(PIECE_LEN * PIECES) - 99, PIECE_LEN).unwrap()
}

/// A storage that holds everything. Every other read takes its time.
struct Complete {
    payload: Arc<Vec<u8>>,
    reads: AtomicUsize,
}

impl Storage for Complete {
    fn start(&self, _: Progress) -> Reply<Result<Bitfield, StorageError>> {
        Reply::ready(Ok(Bitfield::all(&geometry())))
    }

    fn write(&self, _: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        let unwanted: Vec<_> = blocks.into_iter().map(|(block, _)| block).collect();
        Reply::ready(unwanted.into())
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let read = |block: BlockRef| {
            let begin = Bench::at(block.piece().get(), block.offset());
            let bytes = &self.payload[begin..begin + block.len() as usize];
            // In two parts, as where a range lies in two blocks of the storage.
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let parts = [first, second].map(Bytes::copy_from_slice);
            (block, Ok(Some(BlockParts::from(parts))))
        };
        let held = blocks.into_iter().map(read).collect();
        match self.reads.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Reply::ready(held),
            _ => Reply::later(async move {
                tokio::task::yield_now().await;
                held
            }),
        }
    }

    fn verify(&self, _: Vec<PieceIndex>) -> Result<(), StorageError> {
        Ok(())
    }

    fn digest(&self, _: PieceIndex) -> Result<(), StorageError> {
        Ok(())
    }

    fn settle(&self, _: PieceIndex) {}

    fn close(&self) -> Reply<()> {
        Reply::ready(())
    }
}

/// The far end of a peer task, and the torrent's end of it.
struct Bench {
    task: JoinHandle<()>,
    mailbox: Arc<Mailbox<Command>>,
    messages: mpsc::Receiver<TorrentMessage>,
    stream: MemoryStream,
    decoder: Decoder,
    received: BytesMut,
    /// The far ends of the ciphers, if the stream has one: what is sent, and what is received.
    ciphers: Option<(Rc4, Rc4)>,
    /// What has not been accepted by the stream yet.
    unsent: BytesMut,
    outstanding: Vec<BlockRequest>,
    is_choked: bool,
    payload: Vec<u8>,
    /// Bytes that have come.
    covered: Vec<bool>,
    rejected: usize,
    rng: fastrand::Rng,
}

impl Bench {
    async fn new(
        seed: u64,
        chunk: RangeInclusive<usize>,
        capacity: usize,
        encrypted: bool,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut payload = vec![0; usize::try_from(geometry().total()).unwrap()];
        rng.fill(&mut payload);
        let config = MemoryConfig::default().seed(seed);
        let network = MemoryNetwork::new(config.chunk(chunk).capacity(capacity));
        let mut listener = network.host([10, 0, 0, 2]).listen(None).unwrap();
        let dialer = Dialer::new(Network::Memory(network.host([10, 0, 0, 1])), None);
        let mut ours = dialer
            .connect(listener.local_addr(), Transport::Tcp)
            .await
            .unwrap();
        let ciphers = encrypted.then(|| {
            let [there, back] = [b'a', b'b'].map(|byte| [byte; 20]);
            ours.encipher(Cipher::new(Rc4::new(&there), Rc4::new(&back)));
            (Rc4::new(&back), Rc4::new(&there))
        });
        let stream = listener.accept().await.unwrap();
        let ip = stream.local_addr().ip();
        let connection = Connection::new(
            epoch(),
            peer::Config {
                geometry: geometry(),
                fast: true,
                extensions: false,
                listen_port: None,
                addr: Some(ip),
                other_ip: None,
                upload_only: true,
                metadata: Bytes::new(),
                private: false,
                dht_port: None,
                hashes: None,
            },
        );
        let storage = Complete {
            payload: Arc::new(payload.clone()),
            reads: AtomicUsize::new(0),
        };
        let (messages_in, messages) = mpsc::channel(100);
        let mailbox = Arc::new(Mailbox::new(10_000));
        let permits = ConnectionPermits::new(10, DialLimit::default());
        let task = PeerTask {
            key: PeerKey::new(1, 0),
            ip,
            stream: ours,
            connection,
            storage: Arc::new(storage),
            mailbox: Arc::clone(&mailbox),
            messages: messages_in,
            in_flight: Arc::new(Semaphore::new(10)),
            buffers: Arc::default(),
            hashing: Arc::new(Semaphore::new(1)),
            down_limit: RateLimits::default(),
            up_limit: RateLimits::default(),
            dht: None,
            _permit: permits.try_acquire_incoming(ip).unwrap(),
        };
        let mut bench = Self {
            task: tokio::spawn(task.run(BytesMut::new(), Ok(()))),
            mailbox,
            messages,
            stream,
            decoder: Decoder::new(Limits::default()),
            received: BytesMut::new(),
            ciphers,
            unsent: BytesMut::new(),
            outstanding: Vec::new(),
            is_choked: true,
            covered: vec![false; payload.len()],
            payload,
            rejected: 0,
            rng,
        };
        bench.command(Command::Greet(Bitfield::all(&geometry())));
        bench.command(Command::Unchoke);
        bench.queue(&Message::HaveNone);
        bench.queue(&Message::Interested);
        bench
    }

    fn command(&self, command: Command) {
        self.mailbox.push(&mut vec![command]).unwrap();
    }

    fn queue(&mut self, message: &Message) {
        let before = self.unsent.len();
        message.encode(&mut self.unsent);
        if let Some((send, _)) = &mut self.ciphers {
            send.apply(&mut self.unsent[before..]);
        }
    }

    /// The byte at which a request begins.
    fn at(index: u32, begin: u32) -> usize {
        (index * PIECE_LEN + begin) as usize
    }

    fn request(&mut self, request: BlockRequest) {
        if !self.outstanding.contains(&request) {
            self.outstanding.push(request);
            self.queue(&Message::Request(request));
        }
    }

    /// A range of any length, as odd clients ask for.
    fn random_request(&mut self) -> BlockRequest {
        let index = self.rng.u32(0..PIECES);
        let piece = geometry().piece_len(geometry().piece(index).unwrap());
        let begin = self.rng.u32(0..piece);
        let length = self.rng.u32(1..=(piece - begin).min(3_000));
        BlockRequest {
            index,
            begin,
            length,
        }
    }

    /// Does one thing: as a peer, or as the torrent.
    fn act(&mut self) {
        match self.rng.u8(0..100) {
            0..30 if !self.is_choked && self.outstanding.len() < MAX_OUTSTANDING => {
                let request = self.random_request();
                self.request(request);
            }
            30..40 if !self.outstanding.is_empty() => {
                let number = self.rng.usize(0..self.outstanding.len());
                self.queue(&Message::Cancel(self.outstanding[number]));
            }
            40..43 => self.command(Command::Choke),
            43..50 => self.command(Command::Unchoke),
            50..53 => self.command(Command::YieldBlocks),
            53..56 => self.command(Command::Have(geometry().piece(0).unwrap())),
            _ => {}
        }
    }

    /// Moves bytes both ways; at times the peer does not read.
    fn exchange(&mut self, reads: bool) {
        if !self.unsent.is_empty()
            && let Ok(accepted) = self
                .stream
                .try_write_vectored(&[IoSlice::new(&self.unsent)])
        {
            let _ = self.unsent.split_to(accepted);
        }
        // The torrent takes facts at once: otherwise the peer task would wait for it.
        while let Ok(message) = self.messages.try_recv() {
            assert!(matches!(message, TorrentMessage::Facts(_)), "it has ended");
        }
        if !reads {
            return;
        }
        // As many attempts as a burst has bytes, so that steps do not go by for each of them.
        for _ in 0..200 {
            let before = self.received.len();
            match self.stream.try_read_buf(&mut self.received) {
                Ok(0) => panic!("the peer was let go"),
                Ok(_) => {
                    if let Some((_, receive)) = &mut self.ciphers {
                        receive.apply(&mut self.received[before..]);
                    }
                }
                Err(_) => break,
            }
        }
        while let Some(message) = self.decoder.decode(&mut self.received).unwrap() {
            self.handle(message);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Choke => self.is_choked = true,
            Message::Unchoke => self.is_choked = false,
            Message::Piece { index, begin, data } => {
                let length = u32::try_from(data.len()).unwrap();
                self.answered(BlockRequest {
                    index,
                    begin,
                    length,
                });
                let begin = Self::at(index, begin);
                let range = begin..begin + data.len();
                assert!(self.payload[range.clone()] == data, "{range:?} differs");
                self.covered[range].fill(true);
            }
            Message::RejectRequest(request) => {
                self.answered(request);
                self.rejected += 1;
            }
            Message::HaveAll | Message::Bitfield(_) | Message::Have(_) | Message::KeepAlive => {}
            message => panic!("{message:?}"),
        }
    }

    /// An answer is to a request that is outstanding, and there is one.
    fn answered(&mut self, request: BlockRequest) {
        let position = self.outstanding.iter().position(|one| *one == request);
        let position = position.unwrap_or_else(|| panic!("{request:?} was not asked for"));
        self.outstanding.swap_remove(position);
    }

    /// Until everything that was asked for has been answered.
    async fn settle(&mut self) {
        while !self.outstanding.is_empty() || !self.unsent.is_empty() {
            self.exchange(true);
            tokio::task::yield_now().await;
        }
    }

    /// What is still lacking, in blocks.
    async fn fetch_the_rest(&mut self) {
        self.command(Command::Unchoke);
        while self.is_choked {
            self.exchange(true);
            tokio::task::yield_now().await;
        }
        while let Some(gap) = self.covered.iter().position(|is_covered| !is_covered) {
            let gap = u32::try_from(gap).unwrap();
            let (index, begin) = (gap / PIECE_LEN, gap % PIECE_LEN);
            let piece = geometry().piece_len(geometry().piece(index).unwrap());
            let length = (piece - begin).min(4_096);
            self.request(BlockRequest {
                index,
                begin,
                length,
            });
            self.settle().await;
        }
    }

    async fn run(mut self) -> usize {
        for step in 0..STEPS {
            self.act();
            // Long stretches without a read: the stream fills, and with it the outbox.
            self.exchange(step / 100 % 3 != 0);
            tokio::task::yield_now().await;
        }
        self.settle().await;
        self.fetch_the_rest().await;
        // The torrent is told of nothing worse than interest.
        drop(self.stream);
        self.task.await.unwrap();
        let mut end = None;
        while let Some(message) = self.messages.recv().await {
            if let TorrentMessage::Ended(_, reason) = message {
                end = Some(reason);
            }
        }
        assert!(matches!(end, Some(End::HungUp | End::Io(_))), "{end:?}");
        self.rejected
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    let watchdog = tokio::time::timeout(Duration::from_secs(60), work);
    watchdog.await.expect("the watchdog bit")
}

#[tokio::test]
async fn a_stream_that_accepts_one_byte_at_a_time_carries_every_block() {
    let mut rejected = 0;
    for seed in 0..4 {
        let bench = Bench::new(seed, 1..=1, 300, seed % 2 == 1).await;
        rejected += within(bench.run()).await;
    }
    assert!(rejected > 0, "cancels and chokes came too late to matter");
}

#[tokio::test]
async fn whatever_the_stream_accepts_at_a_time_every_byte_is_right() {
    for seed in 0..24 {
        let bench = Bench::new(100 + seed, 1..=2_500, 5_000, seed % 2 == 1).await;
        within(bench.run()).await;
    }
}
