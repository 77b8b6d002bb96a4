#![doc = include_str!("../README.md")]

mod bitfield;
mod create;
mod edit;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod geometry;
mod hash;
mod hash_many;
mod host_port;
mod info;
mod limits;
mod magnet;
pub mod merkle;
mod metainfo;
mod parse;
mod raw_path;
mod safe_path;

pub use bitfield::{Bitfield, BitfieldError};
pub use create::{
    CreateError, Created, Creator, Found, LeftOut, LeftOutReason, Progress, Visit,
    automatic_piece_length,
};
pub use edit::{Edited, Editor};
pub use error::{FieldProblem, MetainfoError, Warning};
pub use geometry::{
    BLOCK_LEN, BlockRef, Geometry, GeometryError, MAX_PIECE_LENGTH, MAX_PIECES, PieceIndex,
};
pub use hash::{InfoHash, InfoHashV2, MerkleHash, ParseHexError, PeerId, PieceHash};
pub use hash_many::{hash_many, hash_many_from, hashed_together};
pub use host_port::{HostPort, ParseHostPortError};
pub use info::{Attributes, FileEntry, Info, InfoHashes};
pub use limits::Limits;
pub use magnet::{MAX_MAGNET_LEN, Magnet, MagnetError};
pub use metainfo::Metainfo;
pub use safe_path::SafePath;
