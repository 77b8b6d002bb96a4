//! One connection of a fetch: as much of the peer protocol as metadata needs.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_wire::{
    Decoder, ExtensionHandshake, ExtensionId, ExtensionIds, Limits, Message, MetadataMessage,
    WireError,
};

/// How long a peer may take for its extension handshake.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long a peer is kept that does not say that it has the metadata: it may be about to get it.
const OFFER_WITHIN: Duration = Duration::from_secs(30);
/// A connection is kept alive by a message at least this often (BEP 3: two minutes).
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(100);
/// Unsent bytes beyond which a peer's own requests are no longer answered.
const MAX_BACKLOG: usize = 16 * 1024;

/// Why a connection is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Useless {
    #[error("the peer broke a rule: {0}")]
    Wire(#[from] WireError),
    #[error("no extension handshake within {} s", HELLO_WITHIN.as_secs())]
    NoHello,
    #[error("it had no metadata within {} s", OFFER_WITHIN.as_secs())]
    NoOffer,
}

/// What a connection tells its fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The extension handshake came, perhaps with the port on which the peer listens.
    Hello { listen_port: Option<u16> },
    /// It has the metadata: so many bytes.
    Size(u32),
    /// A block of it.
    Data {
        block: u32,
        total_size: Option<u32>,
        data: Bytes,
    },
    /// It will not send a block.
    Reject { block: u32 },
}

/// What both sides said in the handshake of BEP 3, and what we say in that of BEP 10.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkConfig {
    /// The fast extension is on (BEP 6).
    pub(crate) fast: bool,
    /// Where we listen.
    pub(crate) listen_port: Option<u16>,
}

/// The protocol state of one connection.
#[derive(Debug)]
pub(crate) struct Link {
    decoder: Decoder,
    out: BytesMut,
    facts: Vec<Fact>,
    their_ids: ExtensionIds,
    opened: Instant,
    sent: Instant,
    has_greeted: bool,
    has_offered: bool,
}

impl Link {
    pub(crate) fn new(now: Instant, config: LinkConfig) -> Self {
        let mut link = Self {
            decoder: Decoder::new(Limits::default()),
            out: BytesMut::new(),
            facts: Vec::new(),
            their_ids: ExtensionIds::NONE,
            opened: now,
            sent: now,
            has_greeted: false,
            has_offered: false,
        };
        // BEP 6 wants to hear it first.
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

    /// Takes what the peer sent off the front of `received`.
    pub(crate) fn handle_bytes(&mut self, received: &mut BytesMut) -> Result<(), Useless> {
        while let Some(message) = self.decoder.decode(received)? {
            // Whatever it says of pieces means nothing without the metadata.
            if let Message::Extended { id, payload } = message {
                self.handle_extended(id, &payload);
            }
        }
        Ok(())
    }

    /// Bytes that are worth making room for.
    pub(crate) const fn missing(&self) -> usize {
        self.decoder.missing()
    }

    pub(crate) fn request(&mut self, block: u32) {
        self.send_metadata(&MetadataMessage::Request { piece: block });
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Useless> {
        if !self.has_greeted && now >= self.opened + HELLO_WITHIN {
            return Err(Useless::NoHello);
        }
        if !self.has_offered && now >= self.opened + OFFER_WITHIN {
            return Err(Useless::NoOffer);
        }
        if now >= self.sent + KEEP_ALIVE_EVERY {
            self.send(&Message::KeepAlive);
        }
        Ok(())
    }

    pub(crate) fn poll_timeout(&self) -> Instant {
        let alive = self.sent + KEEP_ALIVE_EVERY;
        match (self.has_greeted, self.has_offered) {
            (_, true) => alive,
            (true, false) => alive.min(self.opened + OFFER_WITHIN),
            (false, false) => alive.min(self.opened + HELLO_WITHIN),
        }
    }

    pub(crate) fn take_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// What is to be sent now.
    pub(crate) fn take_out(&mut self, now: Instant) -> BytesMut {
        if !self.out.is_empty() {
            self.sent = now;
        }
        std::mem::take(&mut self.out)
    }

    /// What cannot be read of an extension tells us nothing.
    fn handle_extended(&mut self, id: u8, payload: &Bytes) {
        if id == ExtensionHandshake::ID {
            if let Ok(hello) = ExtensionHandshake::decode(payload) {
                self.handle_hello(&hello);
            }
        } else if id == ExtensionId::UtMetadata.as_u8()
            && let Ok(message) = MetadataMessage::decode(payload)
        {
            self.handle_metadata(message);
        }
    }

    fn handle_hello(&mut self, hello: &ExtensionHandshake) {
        self.their_ids.update(&hello.extensions);
        if !std::mem::replace(&mut self.has_greeted, true) {
            let listen_port = hello.listen_port;
            self.facts.push(Fact::Hello { listen_port });
        }
        let takes_requests = self.their_ids.get(ExtensionId::UtMetadata).is_some();
        if let Some(size) = hello.metadata_size.filter(|_| takes_requests) {
            self.has_offered = true;
            self.facts.push(Fact::Size(size));
        }
    }

    fn handle_metadata(&mut self, message: MetadataMessage) {
        match message {
            MetadataMessage::Data {
                piece: block,
                total_size,
                data,
            } => self.facts.push(Fact::Data {
                block,
                total_size,
                data,
            }),
            MetadataMessage::Reject { piece: block } => self.facts.push(Fact::Reject { block }),
            // We have none yet ourselves.
            MetadataMessage::Request { piece } if self.out.len() < MAX_BACKLOG => {
                self.send_metadata(&MetadataMessage::Reject { piece });
            }
            _ => {}
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
mod tests {
    use super::*;
    use crate::testing::epoch;

    const SECOND: Duration = Duration::from_secs(1);

    fn link(now: Instant) -> Link {
        let config = LinkConfig {
            fast: true,
            listen_port: Some(6881),
        };
        Link::new(now, config)
    }

    /// What the link sends, as messages.
    fn sent(link: &mut Link, now: Instant) -> Vec<Message> {
        let mut out = link.take_out(now);
        let mut decoder = Decoder::new(Limits::default());
        let messages = std::iter::from_fn(|| decoder.decode(&mut out).unwrap());
        messages.collect()
    }

    fn receive(link: &mut Link, id: u8, payload: Vec<u8>) {
        let mut bytes = BytesMut::new();
        let payload = payload.into();
        Message::Extended { id, payload }.encode(&mut bytes);
        link.handle_bytes(&mut bytes).unwrap();
    }

    /// Their handshake: metadata messages go to them under number 9.
    fn hello(link: &mut Link, metadata_size: Option<u32>) {
        let mut extensions = ExtensionIds::NONE;
        extensions.set(ExtensionId::UtMetadata, 9);
        let hello = ExtensionHandshake {
            extensions,
            metadata_size,
            listen_port: Some(7000),
            ..ExtensionHandshake::default()
        };
        receive(link, ExtensionHandshake::ID, hello.encode());
    }

    #[test]
    fn it_says_first_that_it_has_nothing_and_asks_under_the_peers_number() {
        let now = epoch();
        let mut link = link(now);
        let first = sent(&mut link, now);
        assert_eq!(first[0], Message::HaveNone);
        assert!(matches!(first[1], Message::Extended { id: 0, .. }));
        link.request(0);
        assert!(
            sent(&mut link, now).is_empty(),
            "it does not know the number"
        );
        hello(&mut link, Some(20_000));
        let listen_port = Some(7000);
        let facts = [Fact::Hello { listen_port }, Fact::Size(20_000)];
        assert_eq!(link.take_facts(), facts);
        link.request(1);
        let request = MetadataMessage::Request { piece: 1 }.encode();
        let payload = request.into();
        assert_eq!(sent(&mut link, now), [Message::Extended { id: 9, payload }]);
    }

    #[test]
    fn a_peer_that_has_nothing_to_offer_is_not_kept() {
        let start = epoch();
        let mut mute = link(start);
        assert_eq!(mute.poll_timeout(), start + 10 * SECOND);
        assert_eq!(mute.handle_timeout(start + 9 * SECOND), Ok(()));
        let outcome = mute.handle_timeout(start + 10 * SECOND);
        assert_eq!(outcome, Err(Useless::NoHello));

        let mut poor = link(start);
        hello(&mut poor, None);
        assert_eq!(poor.poll_timeout(), start + 30 * SECOND);
        assert_eq!(poor.handle_timeout(start + 29 * SECOND), Ok(()));
        // It may get the metadata itself.
        let mut lucky = link(start);
        hello(&mut lucky, None);
        hello(&mut lucky, Some(5));
        assert_eq!(lucky.handle_timeout(start + 31 * SECOND), Ok(()));
        let outcome = poor.handle_timeout(start + 30 * SECOND);
        assert_eq!(outcome, Err(Useless::NoOffer));
    }

    #[test]
    fn a_quiet_connection_is_kept_alive() {
        let start = epoch();
        let mut link = link(start);
        hello(&mut link, Some(5));
        sent(&mut link, start);
        let quiet = start + 100 * SECOND;
        assert_eq!(link.poll_timeout(), quiet);
        link.handle_timeout(quiet).unwrap();
        assert_eq!(sent(&mut link, quiet), [Message::KeepAlive]);
        assert!(link.poll_timeout() > quiet);
    }

    #[test]
    fn requests_are_rejected_as_long_as_the_peer_takes_the_answers() {
        let now = epoch();
        let mut link = link(now);
        hello(&mut link, None);
        sent(&mut link, now);
        let ask = MetadataMessage::Request { piece: 3 };
        for _ in 0..10_000 {
            receive(&mut link, ExtensionId::UtMetadata.as_u8(), ask.encode());
        }
        assert!(link.out.len() < MAX_BACKLOG + 100, "{}", link.out.len());
        let payload = MetadataMessage::Reject { piece: 3 }.encode().into();
        assert_eq!(
            sent(&mut link, now)[0],
            Message::Extended { id: 9, payload }
        );
    }
}
