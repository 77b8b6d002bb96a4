//! A peer that serves metadata: the right one, or a wrong one, slowly.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_wire::limits::METADATA_BLOCK_LEN;
use tailwater_wire::{ExtensionHandshake, ExtensionId, ExtensionMessage, Message, MetadataMessage};

use super::{Behaviour, Out, extensions};
use crate::Content;

/// Requests that are remembered.
const MAX_QUEUE: usize = 1_024;

/// Serves an info dictionary (BEP 9).
#[derive(Clone, Debug)]
pub struct MetadataServer {
    metadata: Bytes,
    /// Between two blocks.
    pause: Duration,
    queue: VecDeque<u32>,
    next: Option<Instant>,
    /// The number under which the other side takes metadata messages.
    their_id: Option<u8>,
    is_begun: bool,
}

impl MetadataServer {
    /// Serves the torrent's own metadata, at once.
    #[must_use]
    pub fn honest(content: &Content) -> Self {
        Self::serving(content.info().clone())
    }

    /// Claims the right size and serves wrong blocks, one in each `pause`.
    #[must_use]
    pub fn lying_slowly(content: &Content, pause: Duration) -> Self {
        let lie: BytesMut = content.info().iter().map(|byte| byte ^ 0xff).collect();
        Self {
            pause,
            ..Self::serving(lie.freeze())
        }
    }

    /// Serves any bytes.
    #[must_use]
    pub const fn serving(metadata: Bytes) -> Self {
        Self {
            metadata,
            pause: Duration::ZERO,
            queue: VecDeque::new(),
            next: None,
            their_id: None,
            is_begun: false,
        }
    }

    fn total_size(&self) -> Option<u32> {
        u32::try_from(self.metadata.len()).ok()
    }

    fn block(&self, piece: u32) -> MetadataMessage {
        let start = piece as usize * METADATA_BLOCK_LEN as usize;
        if start >= self.metadata.len() {
            return MetadataMessage::Reject { piece };
        }
        let end = self.metadata.len().min(start + METADATA_BLOCK_LEN as usize);
        MetadataMessage::Data {
            piece,
            total_size: self.total_size(),
            data: self.metadata.slice(start..end),
        }
    }
}

impl Behaviour for MetadataServer {
    fn handle_message(&mut self, now: Instant, message: &Message, _out: &mut Out) {
        let Message::Extended { id, payload } = message else {
            return;
        };
        match ExtensionMessage::decode(*id, payload) {
            Ok(ExtensionMessage::Handshake(hello)) => {
                self.their_id = hello.extensions.get(ExtensionId::UtMetadata);
            }
            Ok(ExtensionMessage::Metadata(MetadataMessage::Request { piece }))
                if self.queue.len() < MAX_QUEUE =>
            {
                self.queue.push_back(piece);
                self.next.get_or_insert(now + self.pause);
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out) {
        if !std::mem::replace(&mut self.is_begun, true) {
            let hello = ExtensionHandshake {
                metadata_size: self.total_size(),
                ..extensions::hello(1)
            };
            let payload = hello.encode().into();
            out.say(&Message::Extended {
                id: ExtensionHandshake::ID,
                payload,
            });
        }
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let Some((piece, id)) = self.queue.pop_front().zip(self.their_id) else {
            self.next = None;
            return;
        };
        let payload = self.block(piece).encode().into();
        out.say(&Message::Extended { id, payload });
        self.next = Some(now + self.pause);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}
