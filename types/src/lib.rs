#![doc = include_str!("../README.md")]

pub mod address;
mod bitfield;
mod block;
mod bounded;
mod geometry;
mod hash;
mod index;
#[cfg(feature = "interface")]
pub mod interface;
pub mod limits;
pub mod pacing;
pub mod ports;
pub mod system;
mod verdict;

pub use bitfield::{Bitfield, BitfieldError};
pub use block::{BLOCK_LEN, BlockRef};
pub use bounded::BoundedMap;
pub use geometry::{Geometry, GeometryError};
pub use hash::{InfoHash, InfoHashV2, InfoHashes, MerkleHash, ParseHexError, PeerId, PieceHash};
pub use index::{FileIndex, PieceIndex};
pub use verdict::{BlockDigest, Expected, MerkleRoot, Verdict};
