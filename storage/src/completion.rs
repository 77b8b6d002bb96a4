//! Completions: the outcomes that a storage reports to its torrent.

use std::sync::Arc;

use tailwater_types::{BlockDigest, BlockRef, PieceIndex, Verdict};

use crate::error::StorageError;
use crate::key::SupplierKey;

/// The outcome of work that a storage did on its own time, in the order in which it was done. A torrent has to handle each
/// of them, so a new one is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// A piece was hashed.
    Verified {
        /// The piece.
        piece: PieceIndex,
        /// Whether it has the right hash. If so, it can be read from now on.
        verdict: Verdict,
    },
    /// Blocks of pieces that are not whole were judged by their own hashes (BEP 52).
    Judged {
        /// These are right: readers can have them.
        right: Vec<BlockRef>,
        /// These are not what their hashes promise, and whose they were. They are not stored any more, and have to be
        /// downloaded again.
        wrong: Vec<(BlockRef, SupplierKey)>,
    },
    /// A piece could not be hashed: reading failed, or an earlier write did. Nothing is known about its data.
    VerifyFailed {
        /// The piece.
        piece: PieceIndex,
        /// The cause.
        error: StorageError,
    },
    /// The digests that [`Storage::digest`](crate::Storage::digest) asked for, one for each block, in order.
    Digests {
        /// The piece.
        piece: PieceIndex,
        /// Its digests, or why there are none.
        digests: Result<Vec<BlockDigest>, StorageError>,
    },
    /// Blocks were lost. Nothing more is written until [`Storage::resume`](crate::Storage::resume); more of these may
    /// come for what was queued already.
    WriteFailed {
        /// The cause: the first failure, also for the blocks behind it.
        error: StorageError,
        /// The blocks that are not stored and have to be downloaded again.
        lost: Vec<BlockRef>,
    },
    /// The answer to [`Storage::finish`](crate::Storage::finish).
    Finished(Result<(), StorageError>),
    /// Bytes that were verified cannot be read any more. It comes once until
    /// [`Storage::resume`](crate::Storage::resume).
    ReadFailed {
        /// The cause.
        error: StorageError,
    },
    /// A verified piece is not held any more: another torrent needed its room, or another program changed it.
    Evicted {
        /// The piece.
        piece: PieceIndex,
    },
}

/// Takes completions, on any thread of the storage. It must not block.
pub type CompletionSink = Arc<dyn Fn(Completion) + Send + Sync>;
