//! Scripted peers: honest and hostile ones.
//!
//! A [`Peer`] is a handshake and any number of [`Behaviour`]s. A behaviour defines how it reacts to messages, so an
//! attack is a few lines: its opening messages, and its additions to the behaviours here.

mod extensions;
mod flood;
mod hoard;
mod leech;
mod metadata;
mod supply;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_wire::limits::MAX_BLOCK_LEN;
use tailwater_wire::{Decoder, ExtensionHandshake, Handshake, Limits, Message, Reserved};

pub use flood::Flood;
pub use hoard::Hoard;
pub use leech::Leech;
pub use metadata::MetadataServer;
pub use supply::Supply;

use crate::{Content, Script};

/// How a peer reacts to messages, and what it sends on its own.
pub trait Behaviour: Send {
    /// The other side has sent a message.
    fn handle_message(&mut self, now: Instant, message: &Message, out: &mut Out) {
        let _ = (now, message, out);
    }

    /// Everything so far has been sent: the behaviour may send more. It is polled again only after that has been sent
    /// too, so a flood sends one portion each time.
    fn poll(&mut self, now: Instant, out: &mut Out) {
        let _ = (now, out);
    }

    /// When it will have something to send.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether it needs the received messages: if no behaviour does, nothing is decoded.
    fn is_listening(&self) -> bool {
        true
    }

    /// Whether the peer still reads, as far as this behaviour goes.
    fn is_reading(&self) -> bool {
        true
    }

    /// Whether it has finished, so that the peer hangs up.
    fn is_over(&self) -> bool {
        false
    }
}

/// The send queue of a peer.
#[derive(Debug, Default)]
pub struct Out(VecDeque<Bytes>);

impl Out {
    /// Sends a message.
    pub fn say(&mut self, message: &Message) {
        let mut bytes = BytesMut::with_capacity(message.encoded_len());
        message.encode(&mut bytes);
        self.0.push_back(bytes.freeze());
    }

    /// Sends bytes as they are.
    pub fn say_raw(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.0.push_back(bytes);
        }
    }
}

/// A peer of one torrent, as a [`Script`]. It offers the fast extension and the extension protocol, and begins with the
/// handshake without waiting for the other side's.
///
/// ```
/// use tailwater_hostile::{Content, Peer};
/// use tailwater_wire::Message;
///
/// let content = Content::new(1, "file", 100_000, 16_384);
/// // Says that it has everything, a thousand times, and takes nothing of what it is told.
/// let peer = (0..1_000)
///     .fold(Peer::new(&content, 1), |peer, _| peer.says(&Message::HaveAll))
///     .never_reads();
/// # let _ = peer;
/// ```
pub struct Peer {
    out: Out,
    behaviours: Vec<Box<dyn Behaviour>>,
    never_reads: bool,
    received: BytesMut,
    decoder: Decoder,
    /// The other side's handshake has come.
    is_welcome: bool,
    /// The received bytes cannot be decoded: they are read and thrown away.
    is_deaf: bool,
}

impl Peer {
    /// A peer of this torrent. Peers with different numbers have different peer ids.
    #[must_use]
    pub fn new(content: &Content, number: u64) -> Self {
        Self::of(
            content.info_hash(),
            number,
            Reserved::FAST | Reserved::EXTENSION_PROTOCOL,
        )
    }

    /// A peer of any torrent, with these abilities.
    #[must_use]
    pub fn of(info_hash: InfoHash, number: u64, reserved: Reserved) -> Self {
        let mut id = *b"-HK0001-............";
        id[12..].copy_from_slice(&number.to_be_bytes());
        let handshake = Handshake {
            reserved,
            info_hash,
            peer_id: PeerId::new(id),
        };
        let mut peer = Self::speaking(Bytes::copy_from_slice(&handshake.to_bytes()));
        peer.is_welcome = false;
        peer
    }

    /// A peer that begins with any bytes in place of the handshake.
    #[must_use]
    pub fn speaking(bytes: Bytes) -> Self {
        let mut out = Out::default();
        out.say_raw(bytes);
        Self {
            out,
            behaviours: Vec::new(),
            never_reads: false,
            received: BytesMut::new(),
            decoder: Decoder::new(limits()),
            is_welcome: false,
            is_deaf: false,
        }
    }

    /// A peer that has everything and serves it, as `supply` says.
    #[must_use]
    pub fn seeder(content: &Content, number: u64, supply: Supply) -> Self {
        Self::new(content, number)
            .says(&Message::HaveAll)
            .does(supply)
    }

    /// A peer that has nothing and fetches everything again and again.
    #[must_use]
    pub fn leech(content: &Content, number: u64, leech: Leech) -> Self {
        Self::new(content, number)
            .says(&Message::HaveNone)
            .does(leech)
    }

    /// A peer that floods the other side without end.
    #[must_use]
    pub fn flooding(content: &Content, number: u64, flood: Flood) -> Self {
        flood.peer(content, number)
    }

    /// Sends a message after the handshake and the messages added before.
    #[must_use]
    pub fn says(mut self, message: &Message) -> Self {
        self.out.say(message);
        self
    }

    /// Sends bytes after the handshake, which need not be a message.
    #[must_use]
    pub fn says_raw(mut self, bytes: impl Into<Bytes>) -> Self {
        self.out.say_raw(bytes.into());
        self
    }

    /// Sends an extension handshake (BEP 10).
    #[must_use]
    pub fn says_hello(self, hello: &ExtensionHandshake) -> Self {
        self.says(&Message::Extended {
            id: ExtensionHandshake::ID,
            payload: hello.encode().into(),
        })
    }

    /// Adds a behaviour.
    #[must_use]
    pub fn does(mut self, behaviour: impl Behaviour + 'static) -> Self {
        self.behaviours.push(Box::new(behaviour));
        self
    }

    /// Reads nothing that the other side sends, not even its handshake.
    #[must_use]
    pub const fn never_reads(mut self) -> Self {
        self.never_reads = true;
        self
    }

    fn handle_messages(&mut self, now: Instant) {
        if !self.is_welcome {
            match Handshake::decode(&mut self.received) {
                Ok(Some(_)) => self.is_welcome = true,
                Ok(None) => return,
                Err(_) => self.is_deaf = true,
            }
        }
        while !self.is_deaf {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(message)) => {
                    for behaviour in &mut self.behaviours {
                        behaviour.handle_message(now, &message, &mut self.out);
                    }
                }
                Ok(None) => return,
                Err(_) => self.is_deaf = true,
            }
        }
    }
}

impl Script for Peer {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let is_listening = self
            .behaviours
            .iter()
            .any(|behaviour| behaviour.is_listening());
        if self.is_deaf || !is_listening {
            return;
        }
        self.received.extend_from_slice(bytes);
        self.handle_messages(now);
        if self.is_deaf {
            self.received = BytesMut::new();
        }
    }

    fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        if self.out.0.is_empty() {
            for behaviour in &mut self.behaviours {
                behaviour.poll(now, &mut self.out);
            }
        }
        self.out.0.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.behaviours
            .iter()
            .filter_map(|behaviour| behaviour.poll_timeout())
            .min()
    }

    fn is_reading(&self) -> bool {
        !self.never_reads
            && self
                .behaviours
                .iter()
                .all(|behaviour| behaviour.is_reading())
    }

    fn is_over(&self) -> bool {
        self.out.0.is_empty() && self.behaviours.iter().any(|behaviour| behaviour.is_over())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("behaviours", &self.behaviours.len())
            .field("is_reading", &self.is_reading())
            .finish_non_exhaustive()
    }
}

/// Long blocks are allowed too: the kit requests them.
fn limits() -> Limits {
    Limits::default()
        .with_max_block_len(MAX_BLOCK_LEN)
        .unwrap_or_default()
}

/// Sends the same bytes again and again, as fast as they are taken or with pauses.
#[derive(Clone, Debug)]
pub struct Repeat {
    bytes: Bytes,
    pause: Duration,
    next: Option<Instant>,
    left: u64,
}

impl Repeat {
    /// Repeats these messages without end.
    #[must_use]
    pub fn messages(messages: &[Message]) -> Self {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode(&mut bytes);
        }
        Self::bytes(bytes.freeze())
    }

    /// Repeats these bytes without end.
    #[must_use]
    pub const fn bytes(bytes: Bytes) -> Self {
        Self {
            bytes,
            pause: Duration::ZERO,
            next: None,
            left: u64::MAX,
        }
    }

    /// Repeats this often at most.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.left = times;
        self
    }

    /// Pauses after each repetition.
    #[must_use]
    pub const fn every(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }
}

impl Behaviour for Repeat {
    fn poll(&mut self, now: Instant, out: &mut Out) {
        if self.left == 0 || self.next.is_some_and(|next| next > now) {
            return;
        }
        self.left -= 1;
        self.next = (!self.pause.is_zero()).then(|| now + self.pause);
        out.say_raw(self.bytes.clone());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| self.left > 0)
    }

    fn is_listening(&self) -> bool {
        false
    }
}

/// Answers each message by a function, which is enough for many attacks.
///
/// ```
/// use tailwater_hostile::peer::{Answer, Out, Peer};
/// use tailwater_hostile::Content;
/// use tailwater_wire::Message;
///
/// let content = Content::new(1, "file", 100_000, 16_384);
/// // Answers each request with two rejects.
/// let peer = Peer::new(&content, 1).does(Answer(|message: &Message, out: &mut Out| {
///     if let Message::Request(wanted) = message {
///         out.say(&Message::RejectRequest(*wanted));
///         out.say(&Message::RejectRequest(*wanted));
///     }
/// }));
/// # let _ = peer;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Answer<F>(pub F);

impl<F: FnMut(&Message, &mut Out) + Send> Behaviour for Answer<F> {
    fn handle_message(&mut self, _now: Instant, message: &Message, out: &mut Out) {
        (self.0)(message, out);
    }
}

/// An address in the range for documentation, which belongs to no machine: for messages that name peers.
const NO_MACHINE: [u8; 4] = [203, 0, 113, 0];

/// The `number`-th address that belongs to no machine.
fn no_machine(number: u16) -> SocketAddr {
    let [a, b, c, _] = NO_MACHINE;
    let last = u8::try_from(number % 254).unwrap_or(0) + 1;
    SocketAddr::from(([a, b, c, last], 1_024 + number))
}
