//! One peer's connection after the handshake, as a state machine without I/O.
//!
//! [`Connection`] turns received bytes into facts for the torrent, blocks for the storage and requests to serve, and
//! the torrent's commands into bytes to send. It enforces what the protocol asks of one connection; what is asked of
//! whom is the [torrent's](crate::torrent) business.

pub(crate) mod allowance;
mod downloads;
mod extensions;
#[cfg(test)]
mod tests;
mod uploads;
mod violation;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};
use tailwater_wire::{BlockRequest, Decoder, ExtensionIds, Holepunch, Limits, Message, PexMessage};

pub use violation::{Consequence, Violation};

use allowance::Allowance;
use downloads::{Answer, Downloads, Refused};
use extensions::{MetadataServer, PexLimiter};
use uploads::{Ruling, Uploads};

/// The longest block that a request may ask for, in bytes. Everybody asks for 16 KiB; older clients for 32 KiB.
pub const MAX_REQUEST_LEN: u32 = 128 * 1024;
/// The requests that we queue for a peer, as its extension handshake is told (`reqq`, BEP 10).
pub const REQUEST_QUEUE: usize = 2_000;
/// After this long without sending anything, a keep-alive goes out (BEP 3: peers may hang up after two minutes).
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(100);
/// A peer that sends nothing for this long is gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(150);
/// A message that has begun must end within this time.
const MESSAGE_LIMIT: Duration = Duration::from_secs(60);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Outgoing,
    /// The peer did.
    Incoming,
}

/// What the torrent tells a connection to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Say which pieces we have; the first command of all.
    Greet(Bitfield),
    /// Ask for a block.
    Request(BlockRef),
    /// Take a request back.
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
    /// We want nothing of anybody, or something again (BEP 21).
    UploadOnly(bool),
}

/// What a connection tells the torrent.
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
    /// A requested block will not come: a choke or the piece's loss voided the request, or somebody else was first.
    Returned(BlockRef),
    /// The peer refused to send a requested block (BEP 6).
    Rejected(BlockRef),
    /// So many bytes of payload came that nobody waits for any more.
    Redundant(u64),
    /// We may request this piece even while choked (BEP 6).
    AllowedFast(PieceIndex),
    /// So many bytes of payload were sent.
    Uploaded(u64),
    /// The peer's extension handshake (BEP 10).
    Hello(Hello),
    /// Peers that the peer knows (BEP 11). Hearsay.
    Pex(PexMessage),
    /// The peer asks for an introduction, gives one, or says why not (BEP 55). Hearsay.
    Holepunch(Holepunch),
    /// The peer wants nothing of anybody, or something again (BEP 21).
    UploadOnly(bool),
}

/// What a peer says of itself in its extension handshake (BEP 10). It may say more later, and need not repeat itself:
/// what is `None` is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// Its client and version.
    pub client: Option<String>,
    /// Where it listens.
    pub listen_port: Option<u16>,
    /// How many requests it queues.
    pub request_queue: Option<usize>,
    /// It downloads nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// It takes part in peer exchange (BEP 11).
    pub pex: bool,
    /// It takes part in hole punching (BEP 55).
    pub holepunch: bool,
    /// Our address, as it sees us. Hearsay.
    pub your_ip: Option<IpAddr>,
    /// Its address in the other family than that of the connection. Hearsay.
    pub other_ip: Option<IpAddr>,
}

/// What both sides agreed on in the handshake, and what we say of ourselves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The torrent's pieces.
    pub geometry: Geometry,
    /// Both sides speak the fast extension (BEP 6).
    pub fast: bool,
    /// Both sides speak the extension protocol (BEP 10).
    pub extensions: bool,
    /// Where we listen, if we do.
    pub listen_port: Option<u16>,
    /// The peer's address, which it is told as we see it (`yourip`, BEP 10).
    pub addr: Option<IpAddr>,
    /// Our own address in the other family, if there is one to tell (`ipv4`, `ipv6`, BEP 10).
    pub other_ip: Option<IpAddr>,
    /// We want nothing of anybody (BEP 21).
    pub upload_only: bool,
    /// The info dictionary, which peers may ask for (BEP 9); empty when it is not served.
    pub metadata: Bytes,
    /// Only the torrent's trackers may name peers (BEP 27): no peer exchange, no hole
    /// punching, no DHT.
    pub private: bool,
    /// Where our DHT node receives datagrams, if both sides have one (BEP 5).
    pub dht_port: Option<u16>,
}

/// One peer's connection. See the [module](self).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    decoder: Decoder,
    downloads: Downloads,
    uploads: Uploads,
    out: BytesMut,
    /// Something in `out` has to come behind the blocks that were taken to be sent.
    out_follows_blocks: bool,
    facts: Vec<Fact>,
    blocks: Vec<(BlockRef, Bytes)>,
    /// The numbers under which the peer takes extension messages (BEP 10).
    their_ids: ExtensionIds,
    metadata: MetadataServer,
    pex: PexLimiter,
    /// Hole punching messages that the peer may send.
    punches: Allowance,
    /// Where the peer says that its DHT node is, until somebody takes it.
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
            facts: Vec::new(),
            blocks: Vec::new(),
            their_ids: ExtensionIds::NONE,
            metadata: MetadataServer::new(config.metadata.clone()),
            pex: PexLimiter::default(),
            punches: extensions::holepunch_allowance(),
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

    /// Decodes what was received. Blocks leave `buffer` as slices of it, without a copy; an incomplete message stays.
    ///
    /// # Errors
    ///
    /// A [`Violation`] ends the connection. Facts and blocks from before it are still there to be taken.
    pub fn handle_bytes(&mut self, now: Instant, buffer: &mut BytesMut) -> Result<(), Violation> {
        self.last_received = now;
        let mut progressed = false;
        while let Some(message) = self.decoder.decode(buffer)? {
            progressed = true;
            self.handle_message(now, message)?;
        }
        self.message_began = match (buffer.is_empty(), progressed) {
            (true, _) => None,
            (false, true) => Some(now),
            (false, false) => self.message_began.or(Some(now)),
        };
        Ok(())
    }

    /// How many bytes the message that is being received still lacks, as far as is known.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.decoder.missing()
    }

    /// Carries out a command of the torrent.
    pub fn handle_command(&mut self, command: Command) {
        match command {
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
            Command::Have(piece) => self.send(&Message::Have(piece.get())),
            Command::DontHave(piece) => {
                self.out_follows_blocks = true;
                self.send_dont_have(piece);
            }
            Command::AllowFast(piece) => {
                if self.config.fast && self.uploads.allow_fast(piece) {
                    self.send(&Message::AllowedFast(piece.get()));
                }
            }
            Command::Pex(message) => self.send_pex(&message),
            Command::Holepunch(message) => self.send_holepunch(message),
            Command::UploadOnly(upload_only) => self.send_upload_only(upload_only),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let message = self.message_began.map(|began| began + MESSAGE_LIMIT);
        let silence = self.last_received + SILENCE_LIMIT;
        let quiet = silence.min(self.last_sent + KEEP_ALIVE_AFTER);
        message.map_or(quiet, |message| message.min(quiet))
    }

    /// Time has passed.
    ///
    /// # Errors
    ///
    /// A peer that is silent or sends too slowly is to be let go.
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
        std::mem::take(&mut self.facts)
    }

    /// Takes the requested blocks that came.
    #[must_use = "a block that is dropped is lost"]
    pub fn take_blocks(&mut self) -> Vec<(BlockRef, Bytes)> {
        std::mem::take(&mut self.blocks)
    }

    /// A block that came turned out to be held already: the torrent is told that it was in vain.
    pub fn handle_duplicate(&mut self, block: BlockRef) {
        self.facts.retain(|fact| *fact != Fact::Block(block));
        self.facts.push(Fact::Redundant(u64::from(block.len())));
        self.facts.push(Fact::Returned(block));
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
    /// given: to a choked peer, and for a piece that is gone, a block is one that nobody asked for. Other messages may
    /// overtake blocks.
    #[must_use]
    pub const fn out_follows_blocks(&self) -> bool {
        self.out_follows_blocks
    }

    /// Takes the port of the peer's DHT node, if it has just told one (BEP 5).
    pub const fn take_dht_port(&mut self) -> Option<u16> {
        self.their_dht_port.take()
    }

    /// Whether the peer is owed a block.
    #[must_use]
    pub fn has_uploads(&self) -> bool {
        self.uploads.has_queued()
    }

    /// The next block that the peer is owed. Answer with [`Self::handle_sent`] or [`Self::handle_unavailable`].
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

    fn handle_message(&mut self, now: Instant, message: Message) -> Result<(), Violation> {
        match message {
            Message::Piece { index, begin, data } => self.handle_piece(index, begin, data)?,
            Message::Request(wanted) => self.handle_request(wanted)?,
            Message::Have(index) => {
                let piece = self.piece("have", index)?;
                self.facts.push(Fact::Have(piece));
            }
            Message::Choke => {
                self.facts.push(Fact::Choked);
                if !self.config.fast {
                    let forgotten = self.downloads.handle_choke();
                    self.facts.extend(forgotten.into_iter().map(Fact::Returned));
                }
            }
            Message::Unchoke => self.facts.push(Fact::Unchoked),
            Message::Interested => self.facts.push(Fact::Interested),
            Message::NotInterested => self.facts.push(Fact::NotInterested),
            Message::Bitfield(bytes) => {
                let bits = Bitfield::from_bytes(&self.config.geometry, &bytes)?;
                self.facts.push(Fact::Bitfield(bits));
            }
            Message::Cancel(taken_back) => {
                let block = self.block("cancel", taken_back)?;
                // BEP 6: each request is answered by exactly one piece or reject.
                if self.uploads.handle_cancel(block) {
                    self.reject(block);
                }
            }
            Message::Extended { id, payload } => self.handle_extended(now, id, &payload)?,
            Message::Port(port) => {
                self.their_dht_port = self
                    .config
                    .dht_port
                    .and(Some(port))
                    .filter(|&port| port != 0);
            }
            Message::HashRequest(wanted) => self.send(&Message::HashReject(wanted)),
            message => self.handle_fast(&message)?,
        }
        Ok(())
    }

    /// The messages of BEP 6, and those that need no answer.
    fn handle_fast(&mut self, message: &Message) -> Result<(), Violation> {
        let name = match message {
            Message::HaveAll => "have all",
            Message::HaveNone => "have none",
            Message::SuggestPiece(_) => "suggest piece",
            Message::RejectRequest(_) => "reject request",
            Message::AllowedFast(_) => "allowed fast",
            _ => return Ok(()),
        };
        if !self.config.fast {
            return Err(Violation::FastNotAgreed(name));
        }
        match *message {
            Message::HaveAll => {
                let all = Bitfield::all(&self.config.geometry);
                self.facts.push(Fact::Bitfield(all));
            }
            Message::HaveNone => {
                let none = Bitfield::none(&self.config.geometry);
                self.facts.push(Fact::Bitfield(none));
            }
            Message::RejectRequest(rejected) => {
                let block = self.block(name, rejected)?;
                match self.downloads.handle_reject(block) {
                    Refused::Standing => self.facts.push(Fact::Rejected(block)),
                    Refused::AskAgain => self.send(&Message::Request(block.into())),
                    Refused::Nothing => {}
                }
            }
            Message::AllowedFast(index) => {
                // Some clients compute the set with a wrong piece count: what is out of range is of no use, not bad.
                if let Ok(piece) = self.config.geometry.piece(index) {
                    self.facts.push(Fact::AllowedFast(piece));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_piece(&mut self, index: u32, begin: u32, data: Bytes) -> Result<(), Violation> {
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let block = self
            .config
            .geometry
            .block(index, begin, len)
            .map_err(|error| Violation::OutOfRange {
                message: "piece",
                error,
            })?;
        match self.downloads.handle_block(block) {
            // What was taken back may be of use all the same: a reader that jumped there and back, or a piece that is kept
            // half done. If nobody wants it, the storage turns it away.
            Answer::Expected | Answer::Recalled => {
                self.facts.push(Fact::Block(block));
                self.blocks.push((block, data));
            }
            Answer::Unasked => return Err(Violation::UnrequestedBlock { piece: index }),
        }
        Ok(())
    }

    fn handle_request(&mut self, wanted: BlockRequest) -> Result<(), Violation> {
        if wanted.length > MAX_REQUEST_LEN {
            return Err(Violation::RequestTooLong(wanted.length));
        }
        let block = self.block("request", wanted)?;
        match self.uploads.handle_request(block) {
            Ruling::Queued => Ok(()),
            Ruling::Refused => {
                self.reject(block);
                Ok(())
            }
            Ruling::Flood if self.config.fast => {
                self.reject(block);
                Ok(())
            }
            Ruling::Flood => Err(Violation::RequestFlood(REQUEST_QUEUE)),
        }
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

    fn piece(&self, message: &'static str, index: u32) -> Result<PieceIndex, Violation> {
        self.config
            .geometry
            .piece(index)
            .map_err(|error| Violation::OutOfRange { message, error })
    }

    fn block(&self, message: &'static str, range: BlockRequest) -> Result<BlockRef, Violation> {
        self.config
            .geometry
            .block(range.index, range.begin, range.length)
            .map_err(|error| Violation::OutOfRange { message, error })
    }
}

fn limits(geometry: &Geometry) -> Limits {
    // A geometry never has a piece count that the limits refuse.
    Limits::default()
        .with_piece_count(geometry.piece_count())
        .unwrap_or_default()
}
