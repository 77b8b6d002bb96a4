//! A seeded random number generator whose output others cannot predict.

use sha1::{Digest, Sha1};

use crate::{NODE_ID_LEN, NodeId};

/// The length of a SHA-1 in bytes.
const BLOCK_LEN: usize = 20;

/// A stream of bytes: SHA-1 of a key and a counter. Nodes see our transaction ids, so the generator must not be one whose
/// state can be told from its output.
#[derive(Clone, Debug)]
pub(super) struct Random {
    key: [u8; BLOCK_LEN],
    counter: u64,
    block: [u8; BLOCK_LEN],
    used: usize,
}

impl Random {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self {
            key: derive(seed, b"random"),
            counter: 0,
            block: [0; BLOCK_LEN],
            used: BLOCK_LEN,
        }
    }

    pub(super) fn bytes<const LEN: usize>(&mut self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes.iter_mut().for_each(|byte| *byte = self.byte());
        bytes
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }

    pub(super) fn id(&mut self) -> NodeId {
        NodeId::new(self.bytes::<NODE_ID_LEN>())
    }

    /// A number below `end`, or 0. The bias is of no account for the small numbers it is used for.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.u16());
        number.checked_rem(end).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        if self.used == BLOCK_LEN {
            self.block = derive(&self.key, &self.counter.to_be_bytes());
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.block[self.used];
        self.used += 1;
        byte
    }
}

/// A secret that tells nothing of the one it is made from.
pub(super) fn derive(secret: &[u8], label: &[u8]) -> [u8; BLOCK_LEN] {
    let hash = Sha1::new().chain_update(secret).chain_update(label);
    hash.finalize().into()
}
