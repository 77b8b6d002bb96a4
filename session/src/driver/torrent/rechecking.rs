//! Compares pieces of a hybrid torrent again that were verified by their SHA-1, when the hashes of their trees have come
//! (BEP 52).

use std::sync::Arc;

use tailwater_metainfo::{Geometry, PieceHasher, PieceHashes, PieceIndex, PieceMatch};
use tailwater_storage::{Completion, Storage, StorageError};

use super::Running;

/// How much is read and hashed before other tasks have their turn, in bytes: the most that one read may return.
const PART: u32 = 128 * 1024;

impl Running {
    /// Compares pieces in the background, one of the torrent at a time. Where the two hashes disagree the torrent fails.
    pub(super) fn recheck(&self, pieces: Vec<PieceIndex>) {
        let (storage, turn) = (Arc::clone(&self.task.storage), Arc::clone(&self.hashing));
        let (geometry, hashes) = (
            self.task.geometry.clone(),
            self.task.metainfo.piece_hashes(),
        );
        let completions = Arc::clone(&self.task.completions);
        let ending = self.ending.clone();
        let work = async move {
            for piece in pieces {
                // The semaphore is never closed.
                let _turn = turn.acquire().await;
                match compare(&*storage, &geometry, &hashes, piece).await {
                    Ok(()) => storage.confirm(piece),
                    Err(error) => {
                        let failed = Completion::VerifyFailed { piece, error };
                        // A torrent that takes no completions has ended.
                        let _ = completions.push(&mut vec![failed]);
                        return;
                    }
                }
            }
        };
        self.tasks.spawn(async move {
            // What was not compared by then is known to the storage.
            let _ = ending.run_until_cancelled(work).await;
        });
    }
}

/// Reads a piece and compares it with both hashes. One that is not held any more, or cannot be read, is right or wrong no
/// longer: the storage tells of the latter itself.
async fn compare(
    storage: &dyn Storage,
    geometry: &Geometry,
    hashes: &PieceHashes,
    piece: PieceIndex,
) -> Result<(), StorageError> {
    let Some(expected) = hashes.expected(piece) else {
        return Ok(());
    };
    let mut hasher = PieceHasher::new(expected);
    let len = geometry.piece_len(piece);
    for start in (0..len).step_by(PART as usize) {
        let Ok(range) = geometry.block(piece.get(), start, PART.min(len - start)) else {
            return Ok(());
        };
        for (_, held) in storage.read(vec![range]).await {
            match held {
                Ok(Some(parts)) => parts.iter().for_each(|part| hasher.update(part)),
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        tokio::task::yield_now().await;
    }
    match hasher.finish() {
        PieceMatch::Right => Ok(()),
        PieceMatch::Disagree => Err(StorageError::HashesDisagree(piece)),
        // Another program has changed it, of which a storage where that can happen tells.
        PieceMatch::Wrong => Err(StorageError::NotVerified(piece)),
    }
}
