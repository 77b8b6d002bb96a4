//! What has arrived: bytes in order, to be read, and packets behind a gap.

use std::collections::VecDeque;

use super::spare::Spare;
use crate::limits::{MAX_REORDER, MAX_SELECTIVE_ACK_LEN};
use crate::seq::Seq;

/// The first piece of memory for bytes in order.
const FIRST_CHUNK: usize = 2 * 1024;

/// The largest one.
const MAX_CHUNK: usize = 64 * 1024;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// It was the next one: bytes can be read, or the end.
    InOrder,
    /// It was kept, as one before it is missing.
    Kept,
    /// It had arrived before.
    Duplicate,
    /// There is no room for it, or it is too far ahead, or behind the end.
    Refused,
}

#[derive(Debug)]
pub(super) struct ReceiveBuffer {
    /// Bytes in order; of the first, what lies before `read` has been read.
    chunks: VecDeque<Vec<u8>>,
    read: usize,
    readable: usize,
    /// All bytes that ever were in order.
    received: u64,
    spare: Spare,
    /// The packets from the next one on, which is missing, to the last one that is kept.
    reordered: VecDeque<Option<Box<[u8]>>>,
    reordered_bytes: usize,
    capacity: usize,
    /// The number of the next packet.
    next: Seq,
    /// The number of the last packet.
    end: Option<Seq>,
    is_ended: bool,
    is_discarding: bool,
}

impl ReceiveBuffer {
    pub(super) fn new(next: Seq, capacity: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            read: 0,
            readable: 0,
            received: 0,
            spare: Spare::default(),
            reordered: VecDeque::new(),
            reordered_bytes: 0,
            capacity,
            next,
            end: None,
            is_ended: false,
            is_discarding: false,
        }
    }

    /// The number of the last packet up to which all have arrived.
    pub(super) const fn ack_nr(&self) -> Seq {
        self.next.minus(1)
    }

    /// The peer's first number is known.
    pub(super) const fn set_next(&mut self, next: Seq) {
        self.next = next;
    }

    /// The room that is left, in bytes.
    pub(super) const fn window(&self) -> usize {
        let held = self.readable + self.reordered_bytes;
        self.capacity.saturating_sub(held)
    }

    /// Nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.readable == 0 && self.reordered.is_empty()
    }

    /// It may hold so many bytes: not less than it does.
    pub(super) const fn set_capacity(&mut self, bytes: usize) {
        self.capacity = bytes;
    }

    /// Bytes that can be read.
    pub(super) const fn readable(&self) -> usize {
        self.readable
    }

    /// All bytes that have arrived in order so far.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Whether the peer has ended its direction and everything before has arrived.
    pub(super) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// What arrives from now on is acknowledged and forgotten.
    pub(super) fn discard(&mut self) {
        self.is_discarding = true;
        self.chunks.clear();
        self.spare = Spare::default();
        self.read = 0;
        self.readable = 0;
    }

    pub(super) fn receive(&mut self, seq: Seq, is_fin: bool, payload: &[u8]) -> Received {
        let Ok(ahead) = u16::try_from(seq.since(self.next)) else {
            return Received::Duplicate;
        };
        if self.is_ended {
            return Received::Duplicate;
        }
        let is_behind_end = self.end.is_some_and(|end| seq.since(end) > 0);
        if ahead >= MAX_REORDER || is_behind_end || payload.len() > self.window() {
            return Received::Refused;
        }
        if is_fin && self.end.is_none() {
            self.end = Some(seq);
        }
        if ahead > 0 {
            return self.keep(usize::from(ahead) - 1, payload);
        }
        self.append(payload);
        self.advance();
        while let Some(Some(payload)) = self.reordered.front_mut().map(Option::take) {
            self.reordered_bytes -= payload.len();
            self.append(&payload);
            self.advance();
        }
        Received::InOrder
    }

    /// The next packet has arrived.
    fn advance(&mut self) {
        if self.end == Some(self.next) {
            self.is_ended = true;
            self.reordered.clear();
            self.reordered_bytes = 0;
        }
        self.next = self.next.plus(1);
        // The first one is that which was missing before the one that is missing now.
        self.reordered.pop_front();
    }

    fn keep(&mut self, index: usize, payload: &[u8]) -> Received {
        // Index 0 of the buffer stands for the packet that is next: it is never there.
        let index = index + 1;
        if index >= self.reordered.len() {
            self.reordered.resize_with(index + 1, || None);
        }
        match self.reordered.get_mut(index) {
            Some(slot @ None) => {
                *slot = Some(payload.into());
                self.reordered_bytes += payload.len();
                Received::Kept
            }
            _ => Received::Duplicate,
        }
    }

    fn append(&mut self, mut payload: &[u8]) {
        self.received += u64::try_from(payload.len()).unwrap_or_default();
        if self.is_discarding {
            return;
        }
        self.readable += payload.len();
        while !payload.is_empty() {
            let room = self
                .chunks
                .back()
                .map_or(0, |chunk| chunk.capacity() - chunk.len());
            if room == 0 {
                self.add_chunk(payload.len());
                continue;
            }
            let (now, later) = payload.split_at(payload.len().min(room));
            if let Some(chunk) = self.chunks.back_mut() {
                chunk.extend_from_slice(now);
            }
            payload = later;
        }
    }

    fn add_chunk(&mut self, least: usize) {
        let last = self.chunks.back().map_or(0, Vec::capacity);
        let capacity = (last * 2).max(least).clamp(FIRST_CHUNK, MAX_CHUNK);
        let spare = if capacity > MAX_CHUNK / 4 {
            self.spare.pop()
        } else {
            None
        };
        let chunk = spare.unwrap_or_else(|| Vec::with_capacity(capacity));
        self.chunks.push_back(chunk);
        self.spare.on_used(self.chunks.len());
    }

    /// The first bytes that can be read.
    pub(super) fn peek(&self) -> &[u8] {
        let chunk = self.chunks.front();
        chunk
            .and_then(|chunk| chunk.get(self.read..))
            .unwrap_or_default()
    }

    /// Bytes have been read.
    pub(super) fn consume(&mut self, mut bytes: usize) {
        self.readable = self.readable.saturating_sub(bytes);
        while let Some(chunk) = self.chunks.front_mut() {
            let left = chunk.len() - self.read;
            if bytes < left {
                self.read += bytes;
                return;
            }
            bytes -= left;
            self.read = 0;
            let Some(chunk) = self.chunks.pop_front() else {
                return;
            };
            if chunk.capacity() == MAX_CHUNK {
                self.spare.push(chunk, self.chunks.len());
            }
        }
    }

    /// Frees memory that is kept for a steady stream.
    pub(super) fn trim(&mut self) {
        self.spare = Spare::default();
    }

    /// Whether a packet is kept behind a gap.
    pub(super) fn has_gap(&self) -> bool {
        // The last one is never missing.
        !self.reordered.is_empty()
    }

    /// Appends the bitmask of a selective acknowledgement, in whole groups of four bytes.
    pub(super) fn write_selective_ack(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        // The packet that is next, index 0, has no bit.
        let packets = self.reordered.iter().skip(1);
        for (index, packet) in packets.enumerate().take(MAX_SELECTIVE_ACK_LEN * 8) {
            if index % 32 == 0 {
                out.extend([0; 4]);
            }
            if packet.is_some()
                && let Some(byte) = out.get_mut(begin + index / 8)
            {
                *byte |= 1 << (index % 8);
            }
        }
    }

    #[cfg(feature = "__fuzz")]
    pub(super) fn check_invariants(&self) {
        let in_chunks = self.chunks.iter().map(Vec::len).sum::<usize>();
        assert_eq!(in_chunks - self.read, self.readable);
        let kept = self.reordered.iter().flatten();
        assert_eq!(
            kept.map(|packet| packet.len()).sum::<usize>(),
            self.reordered_bytes
        );
        assert!(self.readable + self.reordered_bytes <= self.capacity);
        assert!(self.reordered.len() <= usize::from(MAX_REORDER));
        assert!(self.reordered.back().is_none_or(Option::is_some));
        assert!(self.reordered.front().is_none_or(Option::is_none));
    }
}
