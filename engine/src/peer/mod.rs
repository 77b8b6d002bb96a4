//! One peer's connection after the handshake, as a state machine without I/O.
//!
//! [`Connection`] turns received bytes into facts for the torrent, blocks for the storage and requests to serve, and
//! the torrent's commands into bytes to send. It enforces the rules of one connection; the [torrent](crate::torrent)
//! decides which block is requested from which peer.

mod budget;
mod downloads;
mod extensions;
mod flags;
mod hashes;
mod messages;
#[cfg(test)]
mod tests;
mod uploads;
mod violation;

use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::merkle::PieceLayers;
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};
use tailwater_types::pacing::TokenBucket;
use tailwater_wire::{Decoder, ExtensionIds, Holepunch, Limits, Message, PexMessage};

pub use hashes::{HashQuery, MAX_HASH_QUERIES, MAX_LEAF_QUERIES};
pub use violation::{Consequence, Violation};

use budget::MessageBudget;
use downloads::Downloads;
use extensions::{MetadataServer, PexLimiter};
use flags::Flags;
use hashes::HashExchange;
use messages::Charge;
use uploads::Uploads;

/// The longest block that a request may ask for, in bytes. Clients ask for 16 KiB, older ones for 32 KiB.
pub const MAX_REQUEST_LEN: u32 = 128 * 1024;
/// The requests that we queue for a peer, as our extension handshake says (`reqq`, BEP 10).
pub const REQUEST_QUEUE: usize = 2_000;
/// After this long without sending anything, a keep-alive goes out (BEP 3: peers may hang up after two minutes).
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(100);
/// A peer that sends nothing for this long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(150);
/// A message that has begun must end within this time.
const MESSAGE_LIMIT: Duration = Duration::from_secs(60);
/// The most facts of one turn: what the torrent handles at once. A receive buffer full of blocks makes sixteen.
const MAX_FACTS: usize = 256;
/// The most messages of one turn: other connections of the same thread wait meanwhile.
const MAX_MESSAGES: usize = 1_024;
/// The most bytes of answers to one turn's messages, and one answer more. The rest of the received messages waits until
/// these are with the socket (back-pressure).
const MAX_ANSWERS: usize = 64 * 1024;

/// The side that opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Outgoing,
    /// The peer did.
    Incoming,
}

/// A command of the torrent to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// From now on, serve only pieces that the peer is told of by a later [`Command::Have`] (BEP 16); or any again.
    ServeToldOnly(bool),
    /// Say which pieces we have; no message goes out before it.
    Greet(Bitfield),
    /// Ask for a block.
    Request(BlockRef),
    /// Cancel a request.
    Cancel(BlockRef),
    /// Serve no more requests.
    Choke,
    /// Serve requests.
    Unchoke,
    /// We want what the peer has.
    Interested,
    /// We want nothing of the peer.
    NotInterested,
    /// We have a piece.
    Have(PieceIndex),
    /// We have a piece no longer (BEP 54).
    DontHave(PieceIndex),
    /// The peer may request this piece even while choked (BEP 6).
    AllowFast(PieceIndex),
    /// Say which peers we have met and lost since the last time (BEP 11).
    Pex(PexMessage),
    /// Ask for an introduction, give one, or say why not (BEP 55).
    Holepunch(Holepunch),
    /// We want nothing of any peer, or something again (BEP 21).
    UploadOnly(bool),
    /// Ask for hashes of pieces (BEP 52).
    RequestHashes(HashQuery),
    /// The storage needs room: blocks that were read and wait for the socket are given back to it. For the connection's
    /// driver; the machine has none.
    YieldBlocks,
}

/// A fact that a connection reports to the torrent. Choke, interest and upload-only are reported when they have changed
/// since the last time, however often they did in between.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The peer has these pieces and no others. BEP 3 has it come first and once; aria2 sends it again later.
    Bitfield(Bitfield),
    /// The peer has one piece more.
    Have(PieceIndex),
    /// The peer has one piece less (BEP 54).
    DontHave(PieceIndex),
    /// The peer will not serve requests.
    Choked,
    /// The peer serves requests.
    Unchoked,
    /// The peer wants what we have.
    Interested,
    /// The peer wants nothing of us.
    NotInterested,
    /// A requested block came and has been handed to the storage.
    Block(BlockRef),
    /// A requested block will not come: a choke or the piece's loss voided the request, or another peer was first.
    Returned(BlockRef),
    /// The peer refused to send a requested block (BEP 6).
    Rejected(BlockRef),
    /// This many bytes of payload came for which no request is outstanding any more.
    Redundant(u64),
    /// We may request this piece even while choked (BEP 6).
    AllowedFast(PieceIndex),
    /// This many bytes of payload were sent.
    Uploaded(u64),
    /// The peer's extension handshake (BEP 10).
    Hello(Hello),
    /// Peers that the peer knows (BEP 11). Not verified.
    Pex(PexMessage),
    /// The peer asks for an introduction, gives one, or says why not (BEP 55). Not verified.
    Holepunch(Holepunch),
    /// The peer wants nothing of any peer, or something again (BEP 21).
    UploadOnly(bool),
    /// The hashes that were asked for came, and have been proved: these pieces have theirs now (BEP 52).
    Hashes(HashQuery, Vec<Range<u32>>),
    /// Leaves that were asked for came, and have been proved: blocks of these pieces can be judged one by one (BEP 52).
    Leaves(HashQuery, Vec<Range<u32>>),
    /// A requested block came that is not what its leaf promises (BEP 52); it has not been stored.
    Wrong(BlockRef),
    /// Hashes that were asked for will not come (BEP 52).
    HashesRefused(HashQuery),
}

impl Fact {
    /// The storage did not take a copy of a block: takes one [`Fact::Block`] of it back, the last. A block may come twice in one
    /// turn, when its piece was given up and wanted again while the first copy was on its way; then the other copy stands, as
    /// a torrent that is not told of it asks for the block for ever, and the storage refuses each answer.
    pub fn withdraw(facts: &mut Vec<Self>, block: BlockRef) {
        let told = facts.iter().rposition(|fact| *fact == Self::Block(block));
        if let Some(position) = told {
            facts.remove(position);
        }
    }
}

/// A peer's extension handshake (BEP 10). It may send more later, and need not repeat itself: what is `None` is
/// unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// Its client and version.
    pub client: Option<String>,
    /// The port on which it listens.
    pub listen_port: Option<u16>,
    /// How many requests it queues.
    pub request_queue: Option<usize>,
    /// It downloads nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// It takes part in peer exchange (BEP 11).
    pub pex: bool,
    /// It takes part in hole punching (BEP 55).
    pub holepunch: bool,
    /// Our address, as the peer sees it. Not verified.
    pub your_ip: Option<IpAddr>,
    /// Its address in the other family than that of the connection. Not verified.
    pub other_ip: Option<IpAddr>,
}

/// The outcome of the handshake, and what we say of ourselves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The torrent's pieces.
    pub geometry: Geometry,
    /// Both sides speak the fast extension (BEP 6).
    pub fast: bool,
    /// Both sides speak the extension protocol (BEP 10).
    pub extensions: bool,
    /// Our listening port, if we have one.
    pub listen_port: Option<u16>,
    /// The peer's address, which it is told as we see it (`yourip`, BEP 10).
    pub addr: Option<IpAddr>,
    /// Our own address in the other family, if there is one to tell (`ipv4`, `ipv6`, BEP 10).
    pub other_ip: Option<IpAddr>,
    /// We want nothing of any peer (BEP 21).
    pub upload_only: bool,
    /// The info dictionary, which peers may ask for (BEP 9); empty when it is not served.
    pub metadata: Bytes,
    /// Only the torrent's trackers may name peers (BEP 27): no peer exchange, no hole
    /// punching, no DHT.
    pub private: bool,
    /// The port of our DHT node, if both sides have one (BEP 5).
    pub dht_port: Option<u16>,
    /// The hashes of pieces, to be served and learned, if both sides speak v2 (BEP 52).
    pub hashes: Option<PieceLayers>,
}

/// The state machine of one peer's connection. See the [module](self).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    decoder: Decoder,
    downloads: Downloads,
    uploads: Uploads,
    out: BytesMut,
    /// Something in `out` has to come behind the blocks that were taken to be sent.
    out_follows_blocks: bool,
    flags: Flags,
    budget: MessageBudget,
    /// When to go on with received messages that have not been decoded.
    backlog: Option<Instant>,
    facts: Vec<Fact>,
    blocks: Vec<(BlockRef, Bytes)>,
    /// The numbers under which the peer takes extension messages (BEP 10).
    their_ids: ExtensionIds,
    metadata: MetadataServer,
    pex: PexLimiter,
    hashes: HashExchange,
    /// The token bucket for hole punching messages of the peer.
    punches: TokenBucket,
    /// The token bucket for extension handshakes of the peer.
    hellos: TokenBucket,
    /// The port of the peer's DHT node, until the driver takes it.
    their_dht_port: Option<u16>,
    last_received: Instant,
    last_sent: Instant,
    /// Since when the message that is being received has been incomplete.
    message_began: Option<Instant>,
}

impl Connection {
    /// A connection whose handshake has just been done.
    #[must_use]
    pub fn new(now: Instant, config: Config) -> Self {
        let upload_only = config.upload_only;
        let mut connection = Self {
            decoder: Decoder::new(limits(&config.geometry)),
            downloads: Downloads::default(),
            uploads: Uploads::new(REQUEST_QUEUE),
            out: BytesMut::new(),
            out_follows_blocks: false,
            flags: Flags::default(),
            budget: MessageBudget::default(),
            backlog: None,
            facts: Vec::new(),
            blocks: Vec::new(),
            their_ids: ExtensionIds::NONE,
            metadata: MetadataServer::new(config.metadata.clone()),
            pex: PexLimiter::default(),
            hashes: HashExchange::new(config.hashes.clone()),
            punches: TokenBucket::default(),
            hellos: TokenBucket::default(),
            their_dht_port: None,
            last_received: now,
            last_sent: now,
            message_began: None,
            config,
        };
        if connection.config.extensions {
            connection.send_hello(upload_only.then_some(true));
        }
        connection
    }

    /// Decodes what was received. Blocks leave `buffer` as slices of it, without a copy; an incomplete message stays, and so
    /// do whole ones if [`Self::poll_backlog`] says so afterwards: when the facts of one turn are complete, or the peer
    /// sends more messages than it may.
    ///
    /// # Errors
    ///
    /// A [`Violation`] ends the connection. Facts and blocks from before it are still there to be taken.
    pub fn handle_bytes(&mut self, now: Instant, buffer: &mut BytesMut) -> Result<(), Violation> {
        self.last_received = now;
        let mut handled = 0;
        self.backlog = loop {
            if let Some(go_on_at) = self.turn_ends(now, handled) {
                break Some(go_on_at);
            }
            let before = buffer.len();
            let Some(message) = self.decoder.decode(buffer)? else {
                // Parts of an unknown message are thrown away as they come.
                if buffer.len() < before {
                    self.budget.spend(now, before - buffer.len());
                }
                break None;
            };
            handled += 1;
            match self.handle_message(now, message)? {
                Charge::Nothing => {}
                Charge::Message => self.budget.spend(now, before - buffer.len()),
                Charge::Bytes(bytes) => self.budget.spend(now, bytes),
            }
        };
        let is_whole = buffer.is_empty() || self.backlog.is_some();
        self.message_began = match (is_whole, handled) {
            (true, _) => None,
            (false, 0) => self.message_began.or(Some(now)),
            (false, _) => Some(now),
        };
        Ok(())
    }

    /// When to call [`Self::handle_bytes`] with the same buffer again, whether or not more was received, because messages
    /// wait in it; `None` if none do. Until then there is no use in receiving more. Facts, blocks and messages to send are
    /// to be taken first.
    #[must_use]
    pub const fn poll_backlog(&self) -> Option<Instant> {
        self.backlog
    }

    /// When decoding goes on, if it has to pause now.
    fn turn_ends(&self, now: Instant, handled: usize) -> Option<Instant> {
        let exhausted = self.budget.exhausted_until(now);
        let is_full = self.facts.len() >= MAX_FACTS
            || self.out.len() >= MAX_ANSWERS
            || handled >= MAX_MESSAGES;
        exhausted.or_else(|| is_full.then_some(now))
    }

    /// How many bytes the message that is being received still lacks, as far as is known.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.decoder.missing()
    }

    /// Carries out a command of the torrent.
    pub fn handle_command(&mut self, command: Command) {
        match command {
            Command::ServeToldOnly(true) => {
                let none = Bitfield::none(&self.config.geometry);
                self.uploads.serve_only(Some(none));
            }
            Command::ServeToldOnly(false) => self.uploads.serve_only(None),
            Command::Greet(have) => self.greet(&have),
            Command::Request(block) => {
                if self.downloads.request(block, self.config.fast) {
                    self.send(&Message::Request(block.into()));
                }
            }
            Command::Cancel(block) => {
                if self.downloads.cancel(block) {
                    self.send(&Message::Cancel(block.into()));
                }
            }
            Command::Choke => {
                self.out_follows_blocks = true;
                self.send(&Message::Choke);
                for block in self.uploads.choke(self.config.fast) {
                    self.reject(block);
                }
            }
            Command::Unchoke => {
                self.uploads.unchoke();
                self.send(&Message::Unchoke);
            }
            Command::Interested => self.send(&Message::Interested),
            Command::NotInterested => self.send(&Message::NotInterested),
            Command::Have(piece) => {
                self.uploads.handle_told(piece);
                self.send(&Message::Have(piece.get()));
            }
            Command::DontHave(piece) => {
                self.out_follows_blocks = true;
                self.send_dont_have(piece);
            }
            Command::AllowFast(piece) => {
                let len = self.config.geometry.piece_len(piece);
                if self.config.fast && self.uploads.allow_fast(piece, len) {
                    self.send(&Message::AllowedFast(piece.get()));
                }
            }
            Command::Pex(message) => self.send_pex(&message),
            Command::Holepunch(message) => self.send_holepunch(message),
            Command::UploadOnly(upload_only) => self.send_upload_only(upload_only),
            Command::RequestHashes(query) => self.request_hashes(query),
            Command::YieldBlocks => {}
        }
    }

    /// When [`Self::handle_timeout`] wants to be called, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let message = self.message_began.map(|began| began + MESSAGE_LIMIT);
        let silence = self.last_received + SILENCE_LIMIT;
        let quiet = silence.min(self.last_sent + KEEP_ALIVE_AFTER);
        Some(message.map_or(quiet, |message| message.min(quiet)))
    }

    /// Time has passed.
    ///
    /// # Errors
    ///
    /// When the peer is silent or sends too slowly: the connection is to be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Violation> {
        if self.last_received + SILENCE_LIMIT <= now {
            return Err(Violation::Silent(SILENCE_LIMIT));
        }
        if self
            .message_began
            .is_some_and(|began| began + MESSAGE_LIMIT <= now)
        {
            return Err(Violation::SlowMessage(MESSAGE_LIMIT));
        }
        if self.last_sent + KEEP_ALIVE_AFTER <= now {
            self.last_sent = now;
            self.send(&Message::KeepAlive);
        }
        Ok(())
    }

    /// Takes what there is to tell the torrent. The blocks of [`Self::take_blocks`] go to the storage first.
    #[must_use = "a fact that is dropped is never known"]
    pub fn take_facts(&mut self) -> Vec<Fact> {
        let facts = std::mem::take(&mut self.facts);
        self.flags.add_news(facts)
    }

    /// Takes the requested blocks that came.
    #[must_use = "a block that is dropped is lost"]
    pub fn take_blocks(&mut self) -> Vec<(BlockRef, Bytes)> {
        std::mem::take(&mut self.blocks)
    }

    /// A received block turned out to be held already: the torrent is told that it was in vain.
    pub fn handle_duplicate(&mut self, block: BlockRef) {
        Fact::withdraw(&mut self.facts, block);
        self.facts.push(Fact::Redundant(u64::from(block.len())));
        self.facts.push(Fact::Returned(block));
    }

    /// A received block is not what its hash promises: the torrent is told.
    pub fn handle_wrong(&mut self, block: BlockRef) {
        Fact::withdraw(&mut self.facts, block);
        self.facts.push(Fact::Wrong(block));
    }

    /// Takes the messages to send, encoded; empty when there are none.
    #[must_use = "bytes that are dropped are never sent"]
    pub fn take_out(&mut self, now: Instant) -> Bytes {
        if !self.out.is_empty() {
            self.last_sent = now;
        }
        self.out_follows_blocks = false;
        self.out.split().freeze()
    }

    /// Whether what [`Self::take_out`] is about to give must not be sent ahead of blocks that [`Self::next_upload`] has
    /// given: to a choked peer, and for a piece that is gone, a block is one that it did not ask for. Other messages may
    /// overtake blocks.
    #[must_use]
    pub const fn out_follows_blocks(&self) -> bool {
        self.out_follows_blocks
    }

    /// Takes the port of the peer's DHT node, if it has just told one (BEP 5).
    pub const fn take_dht_port(&mut self) -> Option<u16> {
        self.their_dht_port.take()
    }

    /// Whether the peer has a request to be served.
    #[must_use]
    pub fn has_uploads(&self) -> bool {
        self.uploads.has_queued()
    }

    /// The next block that the peer has requested. Answer with [`Self::handle_sent`] or [`Self::handle_unavailable`].
    pub fn next_upload(&mut self) -> Option<BlockRef> {
        self.uploads.next()
    }

    /// A block has been sent.
    pub fn handle_sent(&mut self, now: Instant, block: BlockRef) {
        self.last_sent = now;
        self.uploads.handle_done();
        match self.facts.last_mut() {
            Some(Fact::Uploaded(bytes)) => *bytes += u64::from(block.len()),
            _ => self.facts.push(Fact::Uploaded(u64::from(block.len()))),
        }
    }

    /// Puts blocks that [`Self::next_upload`] gave, in that order, back into the queue, because they are not sent yet
    /// after all.
    pub fn handle_unsent(&mut self, blocks: &[BlockRef]) {
        self.uploads.put_back(blocks);
    }

    /// The storage does not have the block.
    pub fn handle_unavailable(&mut self, block: BlockRef) {
        self.uploads.handle_done();
        self.reject(block);
    }

    /// Whether blocks are expected: the connection should be read eagerly.
    #[must_use]
    pub fn is_downloading(&self) -> bool {
        !self.downloads.is_idle()
    }

    fn greet(&mut self, have: &Bitfield) {
        if self.config.fast && have.is_all() {
            self.send(&Message::HaveAll);
        } else if self.config.fast && have.is_none() {
            self.send(&Message::HaveNone);
        } else if !have.is_none() {
            self.send(&Message::Bitfield(Bytes::copy_from_slice(have.as_bytes())));
        }
        if let Some(port) = self.config.dht_port {
            self.send(&Message::Port(port));
        }
    }

    /// Without the fast extension a request that is not served is simply not answered (BEP 3).
    fn reject(&mut self, block: BlockRef) {
        if self.config.fast {
            self.send(&Message::RejectRequest(block.into()));
        }
    }

    fn send(&mut self, message: &Message) {
        message.encode(&mut self.out);
    }
}

fn limits(geometry: &Geometry) -> Limits {
    // A geometry never has a piece count that the limits refuse.
    Limits::default()
        .with_piece_count(geometry.piece_count())
        .unwrap_or_default()
}
