//! A downloading peer.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tailwater_wire::{BlockRequest, Message};

use super::{Behaviour, Out};
use crate::{Content, Counts, Pacer};

/// The length of the request pipeline.
const PIPELINE: usize = 128;

/// Requests every block in order, then again from the beginning, and checks each.
///
/// It is honest, with one exception: with [`Leech::only_allowed_fast`] it downloads only the pieces that it may have
/// while choked.
#[derive(Clone, Debug)]
pub struct Leech {
    content: Content,
    pacer: Pacer,
    counts: Arc<Counts>,
    blocks: Vec<BlockRequest>,
    next: usize,
    outstanding: BTreeSet<(u32, u32)>,
    refused: VecDeque<BlockRequest>,
    is_unchoked: bool,
    is_begun: bool,
    only_allowed_fast: bool,
    left: u64,
    again_at: Option<Instant>,
}

impl Leech {
    /// Downloads without end, as fast as possible.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        Self {
            content: content.clone(),
            pacer: Pacer::unlimited(),
            counts: Arc::default(),
            blocks: content.blocks().collect(),
            next: 0,
            outstanding: BTreeSet::new(),
            refused: VecDeque::new(),
            is_unchoked: false,
            is_begun: false,
            only_allowed_fast: false,
            left: u64::MAX,
            again_at: None,
        }
    }

    /// Requests no more than this, together with all that share the pacer.
    #[must_use]
    pub fn paced(mut self, pacer: &Pacer) -> Self {
        self.pacer = pacer.clone();
        self
    }

    /// Counts the payload that came, and the blocks that were wrong.
    #[must_use]
    pub fn counting(mut self, counts: &Arc<Counts>) -> Self {
        self.counts = Arc::clone(counts);
        self
    }

    /// Hangs up when this many bytes have come.
    #[must_use]
    pub const fn stops_after(mut self, bytes: u64) -> Self {
        self.left = bytes;
        self
    }

    /// Is not interested, and asks for the blocks of allowed-fast pieces again and again (BEP 6).
    #[must_use]
    pub fn only_allowed_fast(mut self) -> Self {
        self.only_allowed_fast = true;
        self.blocks.clear();
        self
    }

    fn handle_piece(&mut self, index: u32, begin: u32, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let wanted = BlockRequest {
            index,
            begin,
            length,
        };
        self.outstanding.remove(&(index, begin));
        let len = data.len() as u64;
        self.counts.add_payload(len);
        self.left = self.left.saturating_sub(len);
        if self.content.block(wanted).as_deref() != Some(data) {
            self.counts.add_corrupt(1);
        }
    }

    fn allow(&mut self, piece: u32) {
        let geometry = self.content.geometry();
        if let (true, Ok(piece)) = (self.only_allowed_fast, geometry.piece(piece)) {
            self.blocks
                .extend(geometry.blocks(piece).map(BlockRequest::from));
        }
    }

    fn next_request(&mut self) -> Option<BlockRequest> {
        if let Some(refused) = self.refused.pop_front() {
            return Some(refused);
        }
        let wanted = *self.blocks.get(self.next % self.blocks.len().max(1))?;
        // In a short torrent the block may be on its way still.
        if self.outstanding.contains(&(wanted.index, wanted.begin)) {
            return None;
        }
        self.next += 1;
        Some(wanted)
    }
}

impl Behaviour for Leech {
    fn handle_message(&mut self, _now: Instant, message: &Message, _out: &mut Out) {
        match message {
            Message::Unchoke => self.is_unchoked = true,
            Message::Choke => self.is_unchoked = false,
            Message::Piece { index, begin, data } => self.handle_piece(*index, *begin, data),
            Message::RejectRequest(refused) => {
                self.outstanding.remove(&(refused.index, refused.begin));
                if !self.only_allowed_fast {
                    self.refused.push_back(*refused);
                }
            }
            Message::AllowedFast(piece) => self.allow(*piece),
            _ => {}
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out) {
        self.again_at = None;
        if !std::mem::replace(&mut self.is_begun, true) && !self.only_allowed_fast {
            out.say(&Message::Interested);
        }
        let may_ask = self.is_unchoked || self.only_allowed_fast;
        if !may_ask || self.outstanding.len() >= PIPELINE || self.blocks.is_empty() {
            return;
        }
        if let Err(at) = self.pacer.take(now, 16 * 1024) {
            self.again_at = Some(at);
            return;
        }
        if let Some(wanted) = self.next_request() {
            self.outstanding.insert((wanted.index, wanted.begin));
            out.say(&Message::Request(wanted));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }

    fn is_over(&self) -> bool {
        self.left == 0
    }
}
