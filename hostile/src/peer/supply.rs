//! Seeders: honest ones, corrupting ones, and ones that stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tailwater_wire::{BlockRequest, Message, piece_header};

use super::{Behaviour, Out};
use crate::{Content, Counts, Pacer};

/// Requests that are remembered; the honest side never asks for more at once.
const MAX_QUEUE: usize = 4_096;

/// Serves requested blocks.
#[derive(Clone, Debug)]
pub struct Supply {
    content: Content,
    pacer: Pacer,
    counts: Arc<Counts>,
    /// How many blocks it serves before it stops.
    left: u64,
    is_corrupt: bool,
    queue: VecDeque<BlockRequest>,
    again_at: Option<Instant>,
}

impl Supply {
    /// Serves everything, as fast as it is taken.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        Self {
            content: content.clone(),
            pacer: Pacer::unlimited(),
            counts: Arc::default(),
            left: u64::MAX,
            is_corrupt: false,
            queue: VecDeque::new(),
            again_at: None,
        }
    }

    /// Serves no faster than this, together with all that share the pacer.
    #[must_use]
    pub fn paced(mut self, pacer: &Pacer) -> Self {
        self.pacer = pacer.clone();
        self
    }

    /// Counts the payload that it has served.
    #[must_use]
    pub fn counting(mut self, counts: &Arc<Counts>) -> Self {
        self.counts = Arc::clone(counts);
        self
    }

    /// Accepts requests for ever and answers only the first `blocks`.
    #[must_use]
    pub const fn stalls_after(mut self, blocks: u64) -> Self {
        self.left = blocks;
        self
    }

    /// Every block that it serves has a wrong first byte.
    #[must_use]
    pub const fn corrupts(mut self) -> Self {
        self.is_corrupt = true;
        self
    }

    fn serve(&self, wanted: BlockRequest, out: &mut Out) {
        let Some(data) = self.content.block(wanted) else {
            out.say(&Message::RejectRequest(wanted));
            return;
        };
        self.counts.add_payload(data.len() as u64);
        let header = piece_header(wanted.index, wanted.begin, wanted.length);
        out.say_raw(Bytes::copy_from_slice(&header));
        match self.is_corrupt {
            false => out.say_raw(data),
            true => {
                let mut data = BytesMut::from(&data[..]);
                if let Some(first) = data.first_mut() {
                    *first ^= 0xff;
                }
                out.say_raw(data.freeze());
            }
        }
    }
}

impl Behaviour for Supply {
    fn handle_message(&mut self, _now: Instant, message: &Message, out: &mut Out) {
        match message {
            Message::Interested => out.say(&Message::Unchoke),
            Message::Request(wanted) if self.queue.len() < MAX_QUEUE => {
                self.queue.push_back(*wanted);
            }
            // Each request is answered once (BEP 6).
            Message::Request(wanted) => out.say(&Message::RejectRequest(*wanted)),
            Message::Cancel(wanted) if self.left > 0 => {
                let queued = self.queue.iter().position(|queued| queued == wanted);
                if let Some(position) = queued {
                    self.queue.remove(position);
                    out.say(&Message::RejectRequest(*wanted));
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out) {
        self.again_at = None;
        if self.left == 0 {
            return;
        }
        let Some(wanted) = self.queue.front().copied() else {
            return;
        };
        match self.pacer.take(now, u64::from(wanted.length)) {
            Ok(()) => {
                self.queue.pop_front();
                self.left -= 1;
                self.serve(wanted, out);
            }
            Err(at) => self.again_at = Some(at),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }
}
