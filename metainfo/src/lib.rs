#![doc = include_str!("../README.md")]

mod bitfield;
mod geometry;
mod hash;

pub use bitfield::{Bitfield, BitfieldError};
pub use geometry::{
    BLOCK_LEN, BlockRef, Geometry, GeometryError, MAX_PIECE_LENGTH, MAX_PIECES, PieceIndex,
};
pub use hash::{InfoHash, InfoHashV2, ParseHexError, PeerId, PieceHash};
