//! A draft: one attempt at a whole info dictionary.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use tailwater_wire::limits::METADATA_BLOCK_LEN;

use super::event::LinkKey;

/// The peers whose blocks a draft is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Team {
    /// All peers that claim its size.
    Everybody,
    /// One peer, because a peer that claims that size lied.
    Only(LinkKey),
}

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) size: u32,
    pub(super) team: Team,
    /// After this time the draft makes room for others that wait.
    pub(super) turn_ends: Instant,
    /// Empty until a first block comes: a claim alone costs nothing.
    bytes: Vec<u8>,
    /// The sender of each block.
    from: Vec<Option<LinkKey>>,
    missing: usize,
}

impl Draft {
    pub(super) fn new(size: u32, team: Team, turn_ends: Instant) -> Self {
        let blocks = size.div_ceil(METADATA_BLOCK_LEN) as usize;
        Self {
            size,
            team,
            turn_ends,
            bytes: Vec::new(),
            from: vec![None; blocks],
            missing: blocks,
        }
    }

    /// Whether a peer that claims `size` takes part.
    pub(super) fn includes(&self, key: LinkKey, size: u32) -> bool {
        let wanted = match self.team {
            Team::Everybody => true,
            Team::Only(only) => only == key,
        };
        wanted && self.size == size
    }

    pub(super) const fn blocks(&self) -> usize {
        self.from.len()
    }

    pub(super) const fn have(&self) -> usize {
        self.from.len() - self.missing
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// The blocks that have not come.
    pub(super) fn missing(&self) -> impl Iterator<Item = u32> {
        (0..)
            .zip(&self.from)
            .filter_map(|(block, from)| from.is_none().then_some(block))
    }

    fn range(&self, block: u32) -> Option<Range<usize>> {
        let start = block.checked_mul(METADATA_BLOCK_LEN)?;
        let end = start.saturating_add(METADATA_BLOCK_LEN).min(self.size);
        (start < end).then_some(start as usize..end as usize)
    }

    /// Takes a block, unless it is there already; false if it cannot be one of a dictionary of this size.
    pub(super) fn put(&mut self, block: u32, data: &[u8], from: LinkKey) -> bool {
        let Some(range) = self.range(block).filter(|range| range.len() == data.len()) else {
            return false;
        };
        let Some(slot @ None) = self.from.get_mut(block as usize) else {
            return true;
        };
        *slot = Some(from);
        self.missing -= 1;
        if self.bytes.is_empty() {
            self.bytes = vec![0; self.size as usize];
        }
        self.bytes[range].copy_from_slice(data);
        true
    }

    pub(super) fn contributors(&self) -> BTreeSet<LinkKey> {
        self.from.iter().copied().flatten().collect()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn check_invariants(&self) {
        let missing = self.from.iter().filter(|from| from.is_none()).count();
        assert_eq!(missing, self.missing);
        assert!(self.bytes.is_empty() || self.bytes.len() == self.size as usize);
        assert_eq!(self.bytes.is_empty(), self.have() == 0);
    }
}
