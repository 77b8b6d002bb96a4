//! What rides on the extension protocol (BEP 10): lost pieces, metadata for those who lack it, peer exchange.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_metainfo::PieceIndex;
use tailwater_wire::{
    DontHave, ExtensionHandshake, ExtensionId, ExtensionIds, METADATA_BLOCK_LEN, Message,
    MetadataMessage, PexMessage,
};

use super::{Connection, Fact, Hello, REQUEST_QUEUE, Violation};

/// How often one connection may be sent each block of the metadata (BEP 9): whoever asks more often is refused.
const METADATA_COPIES: usize = 3;
/// Metadata is not put behind more unsent bytes than this.
const METADATA_BACKLOG: usize = 256 * 1024;
/// Peer exchange messages that come faster are ignored (BEP 11: at most one a minute).
const PEX_INTERVAL: Duration = Duration::from_secs(45);

/// The info dictionary as one peer may have it.
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
    /// What we cannot read of an extension tells us nothing; the connection is as good as without it.
    pub(super) fn handle_extended(
        &mut self,
        now: Instant,
        id: u8,
        payload: &Bytes,
    ) -> Result<(), Violation> {
        if id == ExtensionHandshake::ID {
            if let Ok(hello) = ExtensionHandshake::decode(payload) {
                self.handle_hello(hello);
            }
            return Ok(());
        }
        match ExtensionId::from_u8(id) {
            Some(ExtensionId::LtDontHave) => {
                if let Ok(DontHave { index }) = DontHave::decode(payload) {
                    let piece = self.piece("lt_donthave", index)?;
                    let gone = self.downloads.forget_piece(piece);
                    self.facts.extend(gone.into_iter().map(Fact::Returned));
                    self.facts.push(Fact::DontHave(piece));
                }
            }
            Some(ExtensionId::UtMetadata) => {
                if let Ok(MetadataMessage::Request { piece }) = MetadataMessage::decode(payload) {
                    self.serve_metadata(piece);
                }
            }
            Some(ExtensionId::UtPex) if !self.config.private && self.pex.admits(now) => {
                if let Ok(message) = PexMessage::decode(payload) {
                    self.facts.push(Fact::Pex(message));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_hello(&mut self, hello: ExtensionHandshake) {
        self.their_ids.update(&hello.extensions);
        self.facts.push(Fact::Hello(Hello {
            listen_port: hello.listen_port,
            request_queue: hello
                .request_queue
                .and_then(|reqq| usize::try_from(reqq).ok()),
            upload_only: hello.upload_only.unwrap_or(false),
            pex: self.their_ids.get(ExtensionId::UtPex).is_some(),
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

    pub(super) fn send_hello(&mut self) {
        let mut extensions = vec![ExtensionId::LtDontHave];
        if self.metadata.len().is_some() {
            extensions.push(ExtensionId::UtMetadata);
        }
        if !self.config.private {
            extensions.push(ExtensionId::UtPex);
        }
        let hello = ExtensionHandshake {
            client: Some(concat!("tailwater ", env!("CARGO_PKG_VERSION")).to_owned()),
            listen_port: self.config.listen_port,
            request_queue: u32::try_from(REQUEST_QUEUE).ok(),
            your_ip: self.config.addr,
            metadata_size: self.metadata.len(),
            extensions: ExtensionIds::ours(extensions),
            ..ExtensionHandshake::default()
        };
        self.send(&Message::Extended {
            id: ExtensionHandshake::ID,
            payload: hello.encode().into(),
        });
    }

    /// A peer that knows no BEP 54 is not told; its requests for the piece are rejected.
    pub(super) fn send_dont_have(&mut self, piece: PieceIndex) {
        let payload = DontHave { index: piece.get() }.encode();
        self.send_extended(ExtensionId::LtDontHave, payload.to_vec());
    }

    pub(super) fn send_pex(&mut self, message: &PexMessage) {
        self.send_extended(ExtensionId::UtPex, message.encode());
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
