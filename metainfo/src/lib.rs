#![doc = include_str!("../README.md")]

mod check;
mod create;
mod edit;
mod encode;
mod error;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod hash_many;
mod host_port;
mod info;
pub mod limits;
mod magnet;
pub mod merkle;
mod metainfo;
mod parse;
mod raw_path;
mod renaming;
mod safe_path;

pub use check::{PieceHasher, PieceHashes, PieceMatch, block_digest};
pub use create::{
    CreateError, Created, Creator, Found, LeftOut, LeftOutReason, Progress, Symlinks,
    TorrentVersion, Visit, automatic_piece_length,
};
pub use edit::{Edited, Editor};
pub use error::{FieldProblem, MetainfoError, Warning};
pub use hash_many::{hash_many, hash_many_from, hashed_together};
pub use host_port::{HostPort, ParseHostPortError};
pub use info::{Attributes, FileEntry, Info};
pub use limits::Limits;
pub use magnet::{Magnet, MagnetError};
pub use metainfo::Metainfo;
pub use renaming::RenameError;
pub use safe_path::SafePath;
// Those that stand in this crate's signatures, and what goes with them.
pub use tailwater_types::{
    BLOCK_LEN, Bitfield, BitfieldError, BlockDigest, BlockRef, Expected, FileIndex, Geometry,
    GeometryError, InfoHash, InfoHashV2, InfoHashes, MerkleHash, MerkleRoot, ParseHexError, PeerId,
    PieceHash, PieceIndex,
};
