//! One connection of a fetch: the part of the peer protocol that metadata needs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_wire::{
    Decoder, ExtensionHandshake, ExtensionId, ExtensionIds, Limits, Message, MetadataMessage,
    WireError,
};

use super::read_limit::ReadLimit;

/// The time limit for a peer's extension handshake.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// The time limit for a peer to offer the metadata: it may be about to get it.
const OFFER_WITHIN: Duration = Duration::from_secs(30);
/// A connection is kept alive by a message at least this often (BEP 3: two minutes).
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(100);
/// Unsent bytes beyond which a peer's own requests are not answered (back-pressure).
const MAX_BACKLOG: usize = 16 * 1024;
/// Facts that a connection reports at once; then it is the others' turn. An honest peer sends as many blocks at most as
/// may be outstanding at it.
const MAX_FACTS: usize = 16;

/// Why a connection is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Useless {
    /// Its bytes are not the peer protocol.
    #[error("the peer broke a rule: {0}")]
    Wire(#[from] WireError),
    /// It did not send its extension handshake in time.
    #[error("no extension handshake within {} s", HELLO_WITHIN.as_secs())]
    NoHello,
    /// It did not offer metadata in time.
    #[error("it had no metadata within {} s", OFFER_WITHIN.as_secs())]
    NoOffer,
}

/// A fact that a connection reports to its fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Fact {
    /// The peer sent its extension handshake.
    Hello {
        /// The port on which it listens (`p`, BEP 10).
        listen_port: Option<u16>,
    },
    /// The peer has the metadata, of this size in bytes.
    Size(u32),
    /// The peer sent a block.
    Data {
        /// Which one, from 0.
        block: u32,
        /// The length of the whole in bytes, if the message says so.
        total_size: Option<u32>,
        /// The bytes, at most 16 KiB.
        data: Bytes,
    },
    /// The peer will not send a block.
    Reject {
        /// Which one, from 0.
        block: u32,
    },
}

/// The outcome of the handshake (BEP 3), and what we say in ours (BEP 10).
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every driver has to say all of it"
)]
pub struct LinkConfig {
    /// The fast extension is on (BEP 6).
    pub fast: bool,
    /// Our listening port.
    pub listen_port: Option<u16>,
}

/// The protocol state of one connection.
#[derive(Debug)]
pub struct Link {
    decoder: Decoder,
    out: BytesMut,
    facts: Vec<Fact>,
    their_ids: ExtensionIds,
    opened: Instant,
    sent: Instant,
    has_greeted: bool,
    /// The size that the peer claims.
    offer: Option<u32>,
    /// Blocks requested and not answered.
    asked: BTreeSet<u32>,
    read_limit: ReadLimit,
    /// There may be whole messages left in the buffer.
    has_more: bool,
}

impl Link {
    /// A connection whose handshake has just been done.
    #[must_use]
    pub fn new(now: Instant, config: LinkConfig) -> Self {
        let mut link = Self {
            decoder: Decoder::new(Limits::default()),
            out: BytesMut::new(),
            facts: Vec::new(),
            their_ids: ExtensionIds::NONE,
            opened: now,
            sent: now,
            has_greeted: false,
            offer: None,
            asked: BTreeSet::new(),
            read_limit: ReadLimit::new(now),
            has_more: false,
        };
        // BEP 6 requires a bitfield or its like as the first message.
        if config.fast {
            link.send(&Message::HaveNone);
        }
        let hello = ExtensionHandshake {
            client: Some(concat!("tailwater ", env!("CARGO_PKG_VERSION")).to_owned()),
            listen_port: config.listen_port,
            extensions: ExtensionIds::ours([ExtensionId::UtMetadata]),
            ..ExtensionHandshake::default()
        };
        link.send_extended(ExtensionHandshake::ID, hello.encode());
        link
    }

    /// Decodes what the peer sent, from the front of `received`: a bounded number of messages. [`Self::has_more`] and
    /// [`Self::is_paused`] say what follows.
    ///
    /// # Errors
    ///
    /// When the peer breaks the protocol: the connection is to be closed.
    pub fn handle_bytes(&mut self, now: Instant, received: &mut BytesMut) -> Result<(), Useless> {
        self.read_limit.refill(now);
        self.has_more = false;
        loop {
            if self.read_limit.is_spent() || self.facts.len() >= MAX_FACTS {
                self.has_more = true;
                return Ok(());
            }
            let before = received.len();
            let message = self.decoder.decode(received)?;
            let cost = before - received.len();
            let is_asked_for = match message {
                // Messages about pieces mean nothing without the metadata.
                Some(Message::Extended { id, ref payload }) => self.handle_extended(id, payload),
                _ => false,
            };
            if cost > 0 && !is_asked_for {
                self.read_limit.spend(cost);
            }
            if message.is_none() {
                return Ok(());
            }
        }
    }

    /// Whether to call [`Self::handle_bytes`] again after the other connections' turns, as it may have left messages in
    /// the buffer.
    pub const fn has_more(&self) -> bool {
        self.has_more && !self.is_paused()
    }

    /// Whether the peer has exceeded its read limit: nothing is read from it until [`Self::poll_timeout`]
    /// (back-pressure).
    pub const fn is_paused(&self) -> bool {
        self.read_limit.is_spent()
    }

    /// How many more bytes the next message needs.
    pub const fn missing(&self) -> usize {
        self.decoder.missing()
    }

    /// Requests a block.
    pub fn request(&mut self, block: u32) {
        self.asked.insert(block);
        self.send_metadata(&MetadataMessage::Request { piece: block });
    }

    /// Time has passed.
    ///
    /// # Errors
    ///
    /// When the peer took too long: the connection is to be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Useless> {
        if !self.has_greeted && now >= self.opened + HELLO_WITHIN {
            return Err(Useless::NoHello);
        }
        if self.offer.is_none() && now >= self.opened + OFFER_WITHIN {
            return Err(Useless::NoOffer);
        }
        if now >= self.sent + KEEP_ALIVE_EVERY {
            self.send(&Message::KeepAlive);
        }
        Ok(())
    }

    /// When [`Self::handle_timeout`] wants to be called, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let alive = self.sent + KEEP_ALIVE_EVERY;
        let offer = match (self.has_greeted, self.offer) {
            (_, Some(_)) => alive,
            (true, None) => self.opened + OFFER_WITHIN,
            (false, None) => self.opened + HELLO_WITHIN,
        };
        let resumes = self.read_limit.resumes_at().unwrap_or(alive);
        Some(alive.min(offer).min(resumes))
    }

    /// Takes the facts for the fetch.
    #[must_use = "a fact that is dropped is never known"]
    pub fn take_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// Takes the bytes to send now.
    pub fn take_out(&mut self, now: Instant) -> BytesMut {
        if !self.out.is_empty() {
            self.sent = now;
        }
        std::mem::take(&mut self.out)
    }

    /// Handles a message of an extension; one that cannot be read is ignored. Says whether it answers a request.
    fn handle_extended(&mut self, id: u8, payload: &Bytes) -> bool {
        if id == ExtensionHandshake::ID {
            if let Ok(hello) = ExtensionHandshake::decode(payload) {
                self.handle_hello(&hello);
            }
        } else if id == ExtensionId::UtMetadata.as_u8()
            && let Ok(message) = MetadataMessage::decode(payload)
        {
            return self.handle_metadata(message);
        }
        false
    }

    fn handle_hello(&mut self, hello: &ExtensionHandshake) {
        self.their_ids.update(&hello.extensions);
        if !std::mem::replace(&mut self.has_greeted, true) {
            let listen_port = hello.listen_port;
            self.facts.push(Fact::Hello { listen_port });
        }
        let takes_requests = self.their_ids.get(ExtensionId::UtMetadata).is_some();
        if let Some(size) = hello.metadata_size.filter(|_| takes_requests)
            && self.offer.replace(size) != Some(size)
        {
            self.facts.push(Fact::Size(size));
        }
    }

    fn handle_metadata(&mut self, message: MetadataMessage) -> bool {
        match message {
            MetadataMessage::Data {
                piece: block,
                total_size,
                data,
            } => {
                self.facts.push(Fact::Data {
                    block,
                    total_size,
                    data,
                });
                self.asked.remove(&block)
            }
            MetadataMessage::Reject { piece: block } => {
                let is_asked_for = self.asked.remove(&block);
                if is_asked_for {
                    self.facts.push(Fact::Reject { block });
                }
                is_asked_for
            }
            // We have none yet ourselves.
            MetadataMessage::Request { piece } if self.out.len() < MAX_BACKLOG => {
                self.send_metadata(&MetadataMessage::Reject { piece });
                false
            }
            _ => false,
        }
    }

    fn send_metadata(&mut self, message: &MetadataMessage) {
        if let Some(id) = self.their_ids.get(ExtensionId::UtMetadata) {
            self.send_extended(id, message.encode());
        }
    }

    fn send_extended(&mut self, id: u8, payload: Vec<u8>) {
        let payload = payload.into();
        self.send(&Message::Extended { id, payload });
    }

    fn send(&mut self, message: &Message) {
        message.encode(&mut self.out);
    }
}

#[cfg(test)]
mod tests;
