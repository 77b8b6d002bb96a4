//! Memory for packets that lie one behind the other.

use std::collections::VecDeque;

use super::spare::Spare;
use crate::limits::MAX_BATCH;
use crate::packet::HEADER_LEN;

/// The first slab of a connection that has nothing to send, in bytes: a few messages.
const FIRST_SLAB: usize = 2 * 1024;

/// Where a packet lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Slabs are counted from the first one that there was.
    pub(super) slab: u64,
    pub(super) begin: usize,
    /// Bytes, the room for the header included.
    pub(super) len: usize,
}

#[derive(Debug, Default)]
struct Slab {
    bytes: Vec<u8>,
    /// Packets in it that are still of use.
    packets: usize,
}

#[derive(Debug, Default)]
pub(super) struct Slabs {
    slabs: VecDeque<Slab>,
    /// The number of the first one.
    first: u64,
    spare: Spare,
}

impl Slabs {
    fn get_mut(&mut self, slab: u64) -> Option<&mut Slab> {
        let index = slab.checked_sub(self.first)?;
        self.slabs.get_mut(usize::try_from(index).ok()?)
    }

    /// Appends a packet. It may be extended to `packet_len` bytes of payload; `expected` bytes follow it soon.
    pub(super) fn push(&mut self, payload: &[u8], packet_len: usize, expected: usize) -> Span {
        let whole = HEADER_LEN + packet_len.max(payload.len());
        let has_room = self
            .slabs
            .back()
            .is_some_and(|slab| slab.bytes.capacity() - slab.bytes.len() >= whole);
        if !has_room {
            self.add(whole, expected);
        }
        let newest = u64::try_from(self.slabs.len()).unwrap_or(u64::MAX);
        let slab = (self.first + newest).saturating_sub(1);
        let Some(last) = self.slabs.back_mut() else {
            return Span {
                slab,
                begin: 0,
                len: 0,
            };
        };
        let begin = last.bytes.len();
        last.packets += 1;
        last.bytes.extend_from_slice(&[0; HEADER_LEN]);
        last.bytes.extend_from_slice(payload);
        let len = HEADER_LEN + payload.len();
        Span { slab, begin, len }
    }

    /// Adds a slab that has room for a packet of `whole` bytes: small ones first.
    fn add(&mut self, whole: usize, expected: usize) {
        let last = self.slabs.back().map_or(0, |slab| slab.bytes.capacity());
        let most = (MAX_BATCH / whole).max(1) * whole;
        let wanted = (last * 2).max(FIRST_SLAB).max(expected).max(whole);
        let capacity = wanted.min(most);
        let bytes = match self.spare.pop() {
            Some(spare) if spare.capacity() >= capacity => spare,
            _ => Vec::with_capacity(capacity),
        };
        self.slabs.push_back(Slab { bytes, packets: 0 });
        self.spare.on_used(self.slabs.len());
    }

    /// Appends to a packet, if it is the last one and there is room.
    pub(super) fn extend(&mut self, span: &mut Span, bytes: &[u8]) -> bool {
        let end = span.begin + span.len;
        let Some(slab) = self.get_mut(span.slab) else {
            return false;
        };
        let has_room = slab.bytes.capacity() - slab.bytes.len() >= bytes.len();
        if slab.bytes.len() != end || !has_room {
            return false;
        }
        slab.bytes.extend_from_slice(bytes);
        span.len += bytes.len();
        true
    }

    pub(super) fn bytes_mut(&mut self, slab: u64, begin: usize, len: usize) -> &mut [u8] {
        let slab = self.get_mut(slab);
        slab.and_then(|slab| slab.bytes.get_mut(begin..begin + len))
            .unwrap_or_default()
    }

    /// Frees memory that is kept for a steady stream.
    pub(super) fn trim(&mut self) {
        self.spare = Spare::default();
    }

    /// A packet is of no use any more.
    pub(super) fn release(&mut self, slab: u64) {
        if let Some(slab) = self.get_mut(slab) {
            slab.packets = slab.packets.saturating_sub(1);
        }
        while let Some(front) = self.slabs.front_mut()
            && front.packets == 0
        {
            // Cleared, the last one is used on.
            front.bytes.clear();
            let is_small = front.bytes.capacity() < MAX_BATCH / 2;
            if self.slabs.len() == 1 && is_small {
                break;
            }
            if let Some(slab) = self.slabs.pop_front() {
                self.first += 1;
                if !is_small {
                    self.spare.push(slab.bytes, self.slabs.len());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_lie_one_behind_the_other_until_a_slab_is_full() {
        let mut slabs = Slabs::default();
        let first = slabs.push(&[1; 80], 80, 80);
        let second = slabs.push(&[2; 30], 80, 30);
        assert_eq!((first.slab, first.begin, first.len), (0, 0, 100));
        assert_eq!((second.slab, second.begin, second.len), (0, 100, 50));
        let both = slabs.bytes_mut(0, 0, 150);
        assert_eq!((both[99], both[100], both[149]), (1, 0, 2));
        let mut last = second;
        for number in 0..100 {
            last = slabs.push(&[number; 80], 80, 80);
        }
        assert!(last.slab > 0);
        let begin = last.begin;
        assert_eq!(slabs.bytes_mut(last.slab, begin, 100)[20..], [99; 80]);
    }

    #[test]
    fn only_the_last_packet_grows() {
        let mut slabs = Slabs::default();
        let mut first = slabs.push(b"ab", 80, 2);
        assert!(slabs.extend(&mut first, b"cd"));
        assert_eq!(&slabs.bytes_mut(0, 0, first.len)[HEADER_LEN..], b"abcd");
        let mut second = slabs.push(b"x", 80, 1);
        assert!(!slabs.extend(&mut first, b"no"));
        assert!(slabs.extend(&mut second, b"y"));
    }

    #[test]
    fn slabs_are_freed_from_the_oldest() {
        let mut slabs = Slabs::default();
        let spans: Vec<Span> = (0..400)
            .map(|_| slabs.push(&[7; 1_400], 1_400, 1_400))
            .collect();
        assert!(slabs.slabs.len() > 5);
        for span in &spans[1..] {
            slabs.release(span.slab);
        }
        assert!(slabs.slabs.len() > 5);
        slabs.release(spans[0].slab);
        assert!(slabs.slabs.is_empty());
        // And the next packet finds room in the spare one.
        let next = slabs.push(b"next", 1_400, 4);
        assert_eq!(next.begin, 0);
        assert!(slabs.spare.pop().is_some());
    }
}
