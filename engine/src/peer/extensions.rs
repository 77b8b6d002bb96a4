//! The extension protocol of a connection (BEP 10): lost pieces, metadata for peers that lack it, peer exchange, hole
//! punching.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_metainfo::PieceIndex;
use tailwater_types::pacing::Rate;
use tailwater_wire::limits::METADATA_BLOCK_LEN;
use tailwater_wire::{
    DontHave, ExtensionHandshake, ExtensionId, ExtensionIds, Holepunch, Message, MetadataMessage,
    PexMessage, UploadOnly,
};

use super::{Connection, Fact, Hello, REQUEST_QUEUE, Violation};

/// How often one connection may request each block of the metadata (BEP 9); more requests are rejected.
const METADATA_COPIES: usize = 3;
/// Metadata is not queued behind more unsent bytes than this (back-pressure).
const METADATA_BACKLOG: usize = 256 * 1024;
/// Peer exchange messages that come faster are ignored (BEP 11: at most one a minute).
const PEX_INTERVAL: Duration = Duration::from_secs(45);
/// Hole punching messages that a peer may send: at once as many as peers that one exchange message may have named.
/// Further ones are ignored.
const HOLEPUNCH_RATE: Rate = Rate::every(Duration::from_secs(2), 50);
/// Extension handshakes that a peer may send: one at the beginning, and more when something changes (BEP 10). Further
/// ones are ignored.
const HELLO_RATE: Rate = Rate::every(Duration::from_secs(10), 8);

/// The metadata server: the info dictionary, and how often this peer may still request blocks of it.
#[derive(Debug)]
pub(super) struct MetadataServer {
    bytes: Bytes,
    /// Blocks that may still be sent.
    allowance: usize,
}

impl MetadataServer {
    pub(super) fn new(bytes: Bytes) -> Self {
        let blocks = bytes.len().div_ceil(METADATA_BLOCK_LEN as usize);
        Self {
            allowance: blocks * METADATA_COPIES,
            bytes,
        }
    }

    fn len(&self) -> Option<u32> {
        let len = u32::try_from(self.bytes.len()).ok();
        len.filter(|len| *len > 0)
    }

    /// The answer to a request.
    fn answer(&mut self, piece: u32) -> MetadataMessage {
        let start = u64::from(piece) * u64::from(METADATA_BLOCK_LEN);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        if start >= self.bytes.len() || self.allowance == 0 {
            return MetadataMessage::Reject { piece };
        }
        self.allowance -= 1;
        let end = self.bytes.len().min(start + METADATA_BLOCK_LEN as usize);
        MetadataMessage::Data {
            piece,
            total_size: self.len(),
            data: self.bytes.slice(start..end),
        }
    }
}

/// When the last peer exchange message was taken.
#[derive(Debug, Default)]
pub(super) struct PexLimiter(Option<Instant>);

impl PexLimiter {
    fn admits(&mut self, now: Instant) -> bool {
        let waited = self.0.map(|last| now.saturating_duration_since(last));
        let admitted = waited.is_none_or(|waited| waited >= PEX_INTERVAL);
        if admitted {
            self.0 = Some(now);
        }
        admitted
    }
}

impl Connection {
    /// Handles a message of an extension. One that cannot be read is ignored; the connection is as good as without it.
    pub(super) fn handle_extended(
        &mut self,
        now: Instant,
        id: u8,
        payload: &Bytes,
    ) -> Result<(), Violation> {
        if id == ExtensionHandshake::ID {
            if self.hellos.take(now, HELLO_RATE, 1)
                && let Ok(hello) = ExtensionHandshake::decode(payload)
            {
                self.handle_hello(hello);
            }
            return Ok(());
        }
        // A number that we gave to no extension.
        let Some(extension) = ExtensionId::from_u8(id) else {
            return Ok(());
        };
        match extension {
            ExtensionId::LtDontHave => {
                if let Ok(DontHave { index }) = DontHave::decode(payload) {
                    let piece = self.piece("lt_donthave", index)?;
                    let gone = self.downloads.forget_piece(piece);
                    self.facts.extend(gone.into_iter().map(Fact::Returned));
                    self.facts.push(Fact::DontHave(piece));
                }
            }
            ExtensionId::UtMetadata => {
                if let Ok(MetadataMessage::Request { piece }) = MetadataMessage::decode(payload) {
                    self.serve_metadata(piece);
                }
            }
            ExtensionId::UtPex => {
                if !self.config.private
                    && self.pex.admits(now)
                    && let Ok(message) = PexMessage::decode(payload)
                {
                    self.facts.push(Fact::Pex(message));
                }
            }
            ExtensionId::UtHolepunch => {
                if !self.config.private
                    && self.punches.take(now, HOLEPUNCH_RATE, 1)
                    && let Ok(message) = Holepunch::decode(payload)
                {
                    self.facts.push(Fact::Holepunch(message));
                }
            }
            ExtensionId::UploadOnly => {
                if let Ok(UploadOnly(upload_only)) = UploadOnly::decode(payload) {
                    self.flags.set_upload_only(upload_only);
                }
            }
        }
        Ok(())
    }

    fn handle_hello(&mut self, hello: ExtensionHandshake) {
        self.their_ids.update(&hello.extensions);
        if let Some(upload_only) = hello.upload_only {
            self.flags.tell_upload_only(upload_only);
        }
        self.facts.push(Fact::Hello(Hello {
            listen_port: hello.listen_port,
            request_queue: hello
                .request_queue
                .and_then(|reqq| usize::try_from(reqq).ok()),
            upload_only: hello.upload_only,
            pex: self.their_ids.get(ExtensionId::UtPex).is_some(),
            holepunch: self.their_ids.get(ExtensionId::UtHolepunch).is_some(),
            your_ip: hello.your_ip,
            other_ip: self.config.addr.and_then(|addr| match addr {
                IpAddr::V4(_) => hello.ipv6.map(IpAddr::V6),
                IpAddr::V6(_) => hello.ipv4.map(IpAddr::V4),
            }),
            client: hello.client,
        }));
    }

    fn serve_metadata(&mut self, piece: u32) {
        let answer = match self.out.len() > METADATA_BACKLOG {
            true => MetadataMessage::Reject { piece },
            false => self.metadata.answer(piece),
        };
        self.send_extended(ExtensionId::UtMetadata, answer.encode());
    }

    /// Sends the whole extension handshake, also when it is repeated: BEP 10 lets us name only what has changed, but
    /// there are clients that take an extension which is not named for one that is switched off.
    pub(super) fn send_hello(&mut self, upload_only: Option<bool>) {
        let mut extensions = vec![ExtensionId::LtDontHave, ExtensionId::UploadOnly];
        if self.metadata.len().is_some() {
            extensions.push(ExtensionId::UtMetadata);
        }
        if !self.config.private {
            extensions.extend([ExtensionId::UtPex, ExtensionId::UtHolepunch]);
        }
        let hello = ExtensionHandshake {
            client: Some(concat!("tailwater ", env!("CARGO_PKG_VERSION")).to_owned()),
            listen_port: self.config.listen_port,
            request_queue: u32::try_from(REQUEST_QUEUE).ok(),
            your_ip: self.config.addr,
            metadata_size: self.metadata.len(),
            extensions: ExtensionIds::ours(extensions),
            ipv4: self.config.other_ip.and_then(|ip| match ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }),
            ipv6: self.config.other_ip.and_then(|ip| match ip {
                IpAddr::V6(ip) => Some(ip),
                IpAddr::V4(_) => None,
            }),
            upload_only,
        };
        self.send(&Message::Extended {
            id: ExtensionHandshake::ID,
            payload: hello.encode().into(),
        });
    }

    /// Tells the peer that we lost a piece (BEP 54). A peer without that extension is not told; its requests for the
    /// piece are rejected.
    pub(super) fn send_dont_have(&mut self, piece: PieceIndex) {
        let payload = DontHave { index: piece.get() }.encode();
        self.send_extended(ExtensionId::LtDontHave, payload.to_vec());
    }

    pub(super) fn send_pex(&mut self, message: &PexMessage) {
        if !self.config.private {
            self.send_extended(ExtensionId::UtPex, message.encode());
        }
    }

    pub(super) fn send_holepunch(&mut self, message: Holepunch) {
        if !self.config.private {
            self.send_extended(ExtensionId::UtHolepunch, message.encode());
        }
    }

    /// Tells the peer whether we only upload. BEP 21 has this in the handshake alone, which may be repeated; some
    /// clients know a shorter message.
    pub(super) fn send_upload_only(&mut self, upload_only: bool) {
        if !self.config.extensions {
            return;
        }
        match self.their_ids.get(ExtensionId::UploadOnly) {
            Some(_) => {
                let payload = UploadOnly(upload_only).encode();
                self.send_extended(ExtensionId::UploadOnly, payload.to_vec());
            }
            None => self.send_hello(Some(upload_only)),
        }
    }

    /// Sends an extension's message under the number that the peer gave to it, if it knows it.
    fn send_extended(&mut self, extension: ExtensionId, payload: Vec<u8>) {
        if let Some(id) = self.their_ids.get(extension) {
            self.send(&Message::Extended {
                id,
                payload: payload.into(),
            });
        }
    }
}
