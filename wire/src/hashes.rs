//! The hash messages of BEP 52.

use bytes::Bytes;

use crate::limits::HASH_LEN;

/// The same, for lengths on the wire.
pub(crate) const HASH_LEN_U32: u32 = 32;
/// Bytes of a hash request without its id: a root and four numbers.
pub(crate) const HASH_REQUEST_LEN: u32 = 48;

/// The fields that `hash request`, `hash reject` and `hashes` share (BEP 52), as they came.
///
/// Whether they make sense (`length` a power of two, `index` a multiple of it, a known root) is for the owner of the
/// tree to check.
// Not `#[non_exhaustive]`: the layout is fixed by BEP 52.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashRequest {
    /// Root of the file's tree.
    pub pieces_root: [u8; HASH_LEN],
    /// Layers between the leaves and the hashes asked for; 0 is the leaves.
    pub base_layer: u32,
    /// The first hash, counted in hashes of its layer.
    pub index: u32,
    /// How many hashes of that layer.
    pub length: u32,
    /// How many layers of ancestors, to prove the hashes with.
    pub proof_layers: u32,
}

/// The answer to a [`HashRequest`]: its fields, and the hashes.
// Not `#[non_exhaustive]`: the layout is fixed by BEP 52.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hashes {
    /// What was asked for.
    pub request: HashRequest,
    /// The hashes one after the other, 32 bytes each: the base layer first, then uncles from the lowest up.
    pub hashes: Bytes,
}

impl HashRequest {
    /// The payload of a message, without its id.
    pub(crate) fn to_bytes(self) -> [u8; HASH_REQUEST_LEN as usize] {
        let mut bytes = [0; HASH_REQUEST_LEN as usize];
        bytes[..HASH_LEN].copy_from_slice(&self.pieces_root);
        let numbers = [self.base_layer, self.index, self.length, self.proof_layers];
        for (field, number) in bytes[HASH_LEN..].chunks_exact_mut(4).zip(numbers) {
            field.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }
}

impl Hashes {
    /// The hashes one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = [u8; HASH_LEN]> + '_ {
        self.hashes.chunks_exact(HASH_LEN).map(|bytes| {
            let mut hash = [0; HASH_LEN];
            hash.copy_from_slice(bytes);
            hash
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_come_out_one_by_one() {
        let hashes = Hashes {
            request: HashRequest {
                pieces_root: [0; 32],
                base_layer: 0,
                index: 0,
                length: 2,
                proof_layers: 0,
            },
            hashes: [[7; HASH_LEN], [9; HASH_LEN]].concat().into(),
        };
        assert_eq!(hashes.iter().collect::<Vec<_>>(), [[7; 32], [9; 32]]);
    }
}
