//! The storage of one torrent.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::{BLOCK_LEN, Bitfield, BlockRef, MerkleHash, PieceIndex};

use crate::error::StorageError;
use crate::key::{ReaderKey, SupplierKey};
use crate::reply::Reply;

/// A block's bytes in order: in one part for each place where the storage has them.
pub type BlockParts = VecDeque<Bytes>;

/// The outcome of reading one block: `None` when its piece is not held.
pub type Held = Result<Option<BlockParts>, StorageError>;

/// The blocks of one [`Storage::write`] that were not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a driver that ignored a reason would wait for the block"
)]
pub struct Refused {
    /// Another copy was first, or their piece is not being fetched.
    pub unwanted: Vec<BlockRef>,
    /// They are not what their hashes promise: their sender is to blame (BEP 52).
    pub wrong: Vec<BlockRef>,
}

/// Blocks that are not wanted, of which none was judged.
impl From<Vec<BlockRef>> for Refused {
    fn from(unwanted: Vec<BlockRef>) -> Self {
        let wrong = Vec::new();
        Self { unwanted, wrong }
    }
}

/// Gets the number of pieces that have been looked at, and of all. Calls may overlap and come out of order.
pub type Progress = Arc<dyn Fn(u32, u32) + Send + Sync>;

/// Gets the number of bytes that have been moved, and of all.
pub type MovedBytes = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// The pieces of one torrent, shared by the torrent's task, its connections and its readers.
///
/// The life of a piece: [`Space::reserve`](crate::Space::reserve), then [`write`](Self::write) for each block, then
/// [`verify`](Self::verify), whose outcome is a [`Completion`](crate::Completion), then [`settle`](Self::settle); a
/// valid piece can be [`read`](Self::read). An invalid one is reserved again, or released.
///
/// Nothing here blocks: an operation that takes time returns a [`Reply`] or reports a completion. A method may be
/// called from any thread. The crate documentation has a small example that is complete.
pub trait Storage: Send + Sync {
    /// Finds out which pieces are there already and, unless the torrent was opened as
    /// [`Access::Seed`](crate::Access::Seed), gets ready to write the others. Called once, before everything else.
    ///
    /// Dropping the reply stops it.
    fn start(&self, progress: Progress) -> Reply<Result<Bitfield, StorageError>>;

    /// Takes blocks that a supplier sent; replies when there is room for more (back-pressure). Returns those that it did
    /// not take. Of the others [`Space::is_stored`](crate::Space::is_stored) says later whether they still count.
    ///
    /// The bytes need not be stored yet when the reply comes. If that fails, the torrent is told by
    /// [`Completion::WriteFailed`](crate::Completion::WriteFailed). Dropping the reply may lose a part of the blocks.
    ///
    /// Where the hash of a block is known ([`PieceHashes::judge`](crate::PieceHashes::judge)), the block is judged by it: a wrong one is not taken, and
    /// a right one can be read by [`read_one`](Self::read_one) as soon as
    /// [`Completion::Judged`](crate::Completion::Judged) names it. A storage that judges no blocks takes them all, and has
    /// readers wait for the whole piece.
    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused>;

    /// Reads blocks, each within one piece and of any length up to 128 KiB, in the order in which they were asked for.
    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>>;

    /// Reads a range that does not cross a multiple of [`read_grain`](Self::read_grain), for a reader. `None` when its
    /// piece is not held. A storage that can hand out one buffer without asking anything implements it so.
    ///
    /// Of a piece that is not whole, a storage that judges blocks gives as many bytes of the range's beginning as are
    /// in blocks that were found right; `None` if there are none.
    fn read_one(&self, range: BlockRef) -> Reply<Result<Option<Bytes>, StorageError>> {
        match self.read(vec![range]).try_ready() {
            Ok(read) => Reply::ready(join(read)),
            Err(later) => Reply::later(async move { join(later.await) }),
        }
    }

    /// How many bytes a reader is handed at a time: its reads never cross a multiple of this.
    fn read_grain(&self) -> u32 {
        BLOCK_LEN
    }

    /// Asks for pieces to be compared with their hashes, after all writes to them that were handed over before. The
    /// answer for each is [`Completion::Verified`](crate::Completion::Verified) or
    /// [`Completion::VerifyFailed`](crate::Completion::VerifyFailed).
    ///
    /// # Errors
    ///
    /// When the storage is closed, or has failed and not been resumed.
    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError>;

    /// The hashes of blocks of a piece have become known: asks for those blocks that are stored already to be judged. The
    /// answer is [`Completion::Judged`](crate::Completion::Judged), or none.
    fn judge(&self, piece: PieceIndex) {
        let _ = piece;
    }

    /// The hashes of the blocks of a verified piece, in their order, for peers that ask for them (BEP 52); `None` when the
    /// piece is not held. It costs as much as hashing the piece, and its caller bounds how often it is asked.
    fn leaves(&self, piece: PieceIndex) -> Reply<Option<Vec<MerkleHash>>> {
        let _ = piece;
        Reply::ready(None)
    }

    /// A piece of a hybrid torrent that was verified by its SHA-1 alone has been read and found right by its hash tree too,
    /// which became known later (BEP 52): what is saved of it may vouch for it from now on.
    fn confirm(&self, piece: PieceIndex) {
        let _ = piece;
    }

    /// Asks for a digest of each block of a verified piece, to compare with those of an earlier, invalid copy (smart
    /// ban). The answer is [`Completion::Digests`](crate::Completion::Digests), or none.
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError>;

    /// A piece's verdict is known: no more of its blocks are taken.
    fn settle(&self, piece: PieceIndex);

    /// Blocks that were lost, as [`Completion::WriteFailed`](crate::Completion::WriteFailed) said, may come again.
    fn disclaim(&self, blocks: &[BlockRef]) {
        let _ = blocks;
    }

    /// The set of wanted files has changed; `files` has an entry for each file, by index.
    fn set_wanted(&self, files: Vec<bool>) -> Reply<Result<(), StorageError>> {
        let _ = files;
        Reply::ready(Ok(()))
    }

    /// All that is wanted is verified: the storage may look at it once more.
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    fn finish(&self) -> Result<Finish, StorageError> {
        Ok(Finish::Done)
    }

    /// Resumes after a failure. When the reply comes, every loss from before has been reported.
    fn resume(&self) -> Reply<Result<(), StorageError>> {
        Reply::ready(Ok(()))
    }

    /// Replies when everything that was handed over before is stored or reported as lost, and each verification asked for
    /// before is answered.
    fn flush(&self) -> Reply<Result<(), StorageError>> {
        Reply::ready(Ok(()))
    }

    /// Saves which pieces are held, so that [`start`](Self::start) finds them in the next run without reading all of
    /// them. Where `patience` ends before everything is on the device, the saved data says that it has to be checked.
    fn save(&self, totals: Totals, patience: Reply<()>) -> Reply<Result<(), StorageError>> {
        let _ = (totals, patience);
        Reply::ready(Ok(()))
    }

    /// Replies when a reservation of `bytes` would find room.
    fn wait_for_space(&self, bytes: u64) -> Reply<()> {
        let _ = bytes;
        Reply::never()
    }

    /// The figures of the storage.
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// Keeps at least this many whole pieces behind the position of each reader, whatever its window covers.
    fn set_lookbehind(&self, pieces: u32) {
        let _ = pieces;
    }

    /// Whether a rewind by `bytes` finds everything held; `None` where nothing is ever evicted, and what is held is
    /// therefore all that was verified.
    fn is_lookbehind_available(&self, reader: ReaderKey, bytes: u64) -> Option<bool> {
        let _ = (reader, bytes);
        None
    }

    /// What is held behind a reader's position; `None` as for
    /// [`is_lookbehind_available`](Self::is_lookbehind_available), or when there is no such reader.
    fn lookbehind(&self, reader: ReaderKey) -> Option<LookbehindFigures> {
        let _ = reader;
        None
    }

    /// Gives up what lies behind a reader's position: it need not be kept for the reader any longer.
    fn clear_lookbehind(&self, reader: ReaderKey) {
        let _ = reader;
    }

    /// Whether what is held can have changed without this storage: then a torrent can be opened anew to have everything
    /// hashed. Nothing but a storage that others can write to says so.
    fn can_change_unseen(&self) -> bool {
        false
    }

    /// Moves everything to another folder. Nothing is asked for and nothing is written meanwhile. Afterwards this
    /// storage is closed, and the torrent is opened anew in that folder.
    ///
    /// At any moment one of the two folders has everything, so that nothing is lost if the process is killed.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unsupported`] where there are no folders; else why it failed, and then everything is where it was.
    fn relocate(&self, folder: PathBuf, moved: MovedBytes) -> Reply<Result<(), StorageError>> {
        let _ = (folder, moved);
        let operation = "be moved to a folder";
        Reply::ready(Err(StorageError::Unsupported { operation }))
    }

    /// Deletes the torrent's data, and what is saved of it; nothing that belongs to others. The storage is closed
    /// afterwards. A storage that keeps nothing after its close has nothing to do.
    ///
    /// # Errors
    ///
    /// The first failure; the rest has been deleted all the same. [`StorageError::Foreign`] with files that stay, as nothing
    /// says that they are the torrent's.
    fn delete(&self) -> Reply<Result<(), StorageError>> {
        Reply::ready(Ok(()))
    }

    /// Waits for the operations under way, then gives everything back. Bytes that were read stay valid. Called again,
    /// it does nothing.
    fn close(&self) -> Reply<()>;
}

/// Whether the last look at a complete torrent is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is; all is well.
    Done,
    /// The outcome comes as [`Completion::Finished`](crate::Completion::Finished).
    Pending,
}

/// The transfer totals of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of blocks sent.
    pub uploaded: u64,
    /// Bytes of blocks received.
    pub downloaded: u64,
}

/// The figures of a storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The most bytes that the pieces of all torrents may take; `None` without such a bound.
    pub budget: Option<u64>,
    /// The bytes of the budget that are taken.
    pub used: u64,
    /// Pieces evicted to make room, of all torrents.
    pub evictions: u64,
}

/// What is held behind a reader's position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookbehindFigures {
    /// Pieces that are not evicted because of this reader.
    pub protected: u32,
    /// How many of those are held.
    pub available: u32,
    /// How far a rewind finds everything held, in bytes; this may be further than what is protected.
    pub bytes: u64,
}

/// The bytes of one range that was read, in one buffer.
fn join(mut read: Vec<(BlockRef, Held)>) -> Result<Option<Bytes>, StorageError> {
    let Some((_, held)) = read.pop() else {
        return Ok(None);
    };
    Ok(
        held?.map(|mut parts| match (parts.pop_front(), parts.is_empty()) {
            (Some(only), true) => only,
            (None, _) => Bytes::new(),
            (Some(first), false) => {
                let mut joined = BytesMut::from(&first[..]);
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                joined.freeze()
            }
        }),
    )
}
