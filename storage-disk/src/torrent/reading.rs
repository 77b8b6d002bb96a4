//! Reads verified pieces.

use bytes::Bytes;
use tailwater_storage::StorageError;
use tailwater_types::BlockRef;
use tokio::sync::oneshot;

use crate::threads::buffers::LARGEST;
use crate::threads::pool::Permit;
use crate::torrent::DiskTorrent;

/// The longest range that [`DiskTorrent::read`] returns in one piece, in bytes.
pub(crate) const MAX_READ: u32 = 256 * 1024;

/// Bytes that one job of [`DiskTorrent::read`] reads, at most, before the next one waits for room.
const READ_BATCH: usize = 1024 * 1024;

impl DiskTorrent {
    /// Reads ranges of verified pieces; the results are in the order of the ranges. Ranges that follow each other are read
    /// at once and share memory. None may be longer than [`MAX_READ`].
    pub(crate) async fn read(&self, blocks: Vec<BlockRef>) -> Vec<Result<Bytes, StorageError>> {
        let mut results = Vec::with_capacity(blocks.len());
        while results.len() < blocks.len() {
            let rest = &blocks[results.len()..];
            let mut sum = 0_usize;
            let fit = rest.iter().take_while(|block| {
                sum = sum.saturating_add(usize::try_from(block.len()).unwrap_or(usize::MAX));
                sum <= READ_BATCH
            });
            let batch = rest[..fit.count().max(1)].to_vec();
            let count = batch.len();
            match self.read_batch(batch).await {
                Ok(read) if read.len() == count => results.extend(read),
                Ok(_) => results.extend((0..count).map(|_| Err(StorageError::Closed))),
                Err(error) => results.extend((0..count).map(|_| Err(error.clone()))),
            }
        }
        results
    }

    async fn read_batch(
        &self,
        batch: Vec<BlockRef>,
    ) -> Result<Vec<Result<Bytes, StorageError>>, StorageError> {
        let ticket = self.enter()?;
        let bytes = batch.iter().filter(|block| block.len() <= MAX_READ);
        let bytes = bytes
            .map(|block| usize::try_from(block.len()).unwrap_or(LARGEST))
            .sum();
        let permit: Permit = self.pool().read_room(bytes).await?;
        let (done, result) = oneshot::channel();
        self.pool().submit_read(Box::new(move |_| {
            let read = ticket.shared.read(&batch);
            drop((permit, ticket));
            // The caller may have dropped its future.
            let _ = done.send(read);
        }))?;
        result.await.map_err(|_| StorageError::Closed)
    }
}
