//! Node ids and the XOR metric (BEP 5).

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use tailwater_types::{InfoHash, ParseHexError};

/// The length of a node id in bytes.
pub const NODE_ID_LEN: usize = 20;
/// The length of a node id in bits.
pub const NODE_ID_BITS: usize = NODE_ID_LEN * 8;

/// A 160-bit node id, or the target of a lookup: nodes and info-hashes share one id space (BEP 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; NODE_ID_LEN]);

/// How far two ids are from each other: their XOR, read as a big-endian number (BEP 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u8; NODE_ID_LEN]);

impl NodeId {
    /// Wraps the raw bytes.
    #[must_use]
    pub const fn new(bytes: [u8; NODE_ID_LEN]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; NODE_ID_LEN] {
        &self.0
    }

    /// The distance to `other`. Zero for equal ids only, and the same both ways.
    #[must_use]
    pub fn distance(&self, other: &Self) -> Distance {
        let mut xor = self.0;
        xor.iter_mut().zip(other.0).for_each(|(a, b)| *a ^= b);
        Distance(xor)
    }

    /// How many leading bits both ids have in common: 160 for equal ids.
    #[must_use]
    pub fn common_prefix_len(&self, other: &Self) -> usize {
        self.distance(other).leading_zeros()
    }

    /// One bit, counted from the most significant. From 160 on they are all unset.
    #[must_use]
    pub fn bit(&self, bit: usize) -> bool {
        let byte = self.0.get(bit / 8);
        byte.is_some_and(|byte| byte & 0x80 >> (bit % 8) != 0)
    }

    /// The first `bits` bits of `prefix`, then those of this id. Counts from 160 on give `prefix`.
    #[must_use]
    pub fn with_prefix(&self, prefix: &Self, bits: usize) -> Self {
        let mut mixed = self.0;
        for (index, (byte, theirs)) in mixed.iter_mut().zip(prefix.0).enumerate() {
            let mask = match bits.saturating_sub(index * 8) {
                0 => 0,
                taken @ 1..8 => !(u8::MAX >> taken),
                _ => u8::MAX,
            };
            *byte = theirs & mask | *byte & !mask;
        }
        Self(mixed)
    }

    /// The id with one bit turned over, counted from the most significant. From 160 on there is none to turn.
    #[must_use]
    pub fn with_flipped_bit(&self, bit: usize) -> Self {
        let mut flipped = self.0;
        if let Some(byte) = flipped.get_mut(bit / 8) {
            *byte ^= 0x80 >> (bit % 8);
        }
        Self(flipped)
    }
}

impl Distance {
    /// The XOR itself, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; NODE_ID_LEN] {
        &self.0
    }

    /// How many leading bits are zero: 160 for the distance of an id to itself.
    #[must_use]
    pub fn leading_zeros(&self) -> usize {
        let whole = self.0.iter().take_while(|byte| **byte == 0).count();
        let rest = self.0.get(whole).map_or(0, |byte| byte.leading_zeros());
        whole * 8 + rest as usize
    }
}

impl From<[u8; NODE_ID_LEN]> for NodeId {
    fn from(bytes: [u8; NODE_ID_LEN]) -> Self {
        Self(bytes)
    }
}

/// The place where a torrent's peers are stored.
impl From<InfoHash> for NodeId {
    fn from(info_hash: InfoHash) -> Self {
        Self(*info_hash.as_bytes())
    }
}

/// Hexadecimal in either case.
impl FromStr for NodeId {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        text.parse::<InfoHash>().map(Self::from)
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl fmt::Debug for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distance({})", NodeId(self.0))
    }
}
