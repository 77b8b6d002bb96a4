#![doc = include_str!("../README.md")]

mod claims;
mod completion;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod factory;
mod key;
mod reply;
mod space;
mod storage;

pub use claims::Claims;
pub use completion::{Completion, CompletionSink};
pub use error::{FileChange, Operation, StorageError};
pub use factory::{Access, Blocking, OpenError, OpenRequest, Opened, StorageFactory};
pub use key::{ReaderKey, SupplierKey};
pub use reply::Reply;
pub use space::{ByteWindow, Full, Space};
pub use storage::{
    BlockParts, Figures, Finish, Held, LookbehindFigures, MovedBytes, Progress, Refused, Storage,
    Totals,
};

/// Types in the signatures of the traits.
pub use bytes::Bytes;
pub use tailwater_metainfo::PieceHashes;
pub use tailwater_types::{
    BLOCK_LEN, Bitfield, BlockDigest, BlockRef, Geometry, InfoHash, MerkleHash, PieceHash,
    PieceIndex, Verdict,
};
