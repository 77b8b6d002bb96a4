//! The check: finds out which pieces are on the disk by hashing them.

use crate::files::cursor::HeldLengths;
use crate::torrent::{DiskTorrent, Shared, Ticket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tailwater_metainfo::{Bitfield, Geometry, PieceIndex, hashed_together};
use tailwater_storage::StorageError;
use tokio::sync::oneshot;

/// Bytes that one job hashes before other torrents have their turn on the thread; a group of pieces is hashed in one job.
const TURN: u32 = 4 * 1024 * 1024;
/// The most bytes of pieces that are hashed side by side; a longer piece is hashed by itself. A slow disk takes a third
/// of a second for them, for which other torrents wait.
const MAX_GROUP: u32 = 32 * 1024 * 1024;

/// A check under way, shared by the I/O threads.
struct Check {
    held: HeldLengths,
    /// How many pieces a thread takes at a time.
    group: u32,
    next: AtomicU32,
    done: AtomicU32,
    stop: AtomicBool,
    progress: Box<dyn Fn(u32, u32) + Send + Sync>,
}

/// One I/O thread's part in a check.
struct Worker {
    ticket: Ticket,
    check: Arc<Check>,
    thread: usize,
    result: oneshot::Sender<Result<(), StorageError>>,
}

/// Stops the check when the future that waits for it is dropped.
struct StopOnDrop(Arc<Check>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl DiskTorrent {
    /// Hashes all data that is on the disk, on all I/O threads, and records which pieces are verified. Pieces of
    /// missing or short files are not looked at. `progress` gets the number of pieces done and of all pieces, on the
    /// I/O threads; calls may overlap and come out of order.
    ///
    /// Check before anything is written. Dropping the future or closing the storage stops the check; what was found by
    /// then stays.
    ///
    /// # Errors
    ///
    /// When the storage is closed, or a file exists and cannot be read.
    pub(crate) async fn check(
        &self,
        progress: impl Fn(u32, u32) + Send + Sync + 'static,
    ) -> Result<Bitfield, StorageError> {
        let look = |shared: &Shared| {
            // Before anything is hashed: what another program writes from now on is noticed.
            shared.store.touched.begin(shared.store.states()?);
            shared.store.held_lengths()
        };
        let held = self.run(look).await??;
        let check = Arc::new(Check {
            held,
            group: group_len(self.shared.store.layout().geometry()),
            next: AtomicU32::new(0),
            done: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            progress: Box::new(progress),
        });
        let _stop = StopOnDrop(Arc::clone(&check));
        let mut results = Vec::new();
        for thread in 0..self.pool().write_threads() {
            let (result, received) = oneshot::channel();
            results.push(received);
            let ticket = self.enter()?;
            let check = Arc::clone(&check);
            submit(Worker {
                ticket,
                check,
                thread,
                result,
            })?;
        }
        for result in results {
            result.await.map_err(|_| StorageError::Closed)??;
        }
        Ok(self.verified())
    }
}

/// How many pieces are hashed side by side.
fn group_len(geometry: &Geometry) -> u32 {
    let together = u32::try_from(hashed_together()).unwrap_or(1);
    (MAX_GROUP / geometry.piece_length()).clamp(1, together)
}

/// Queues a turn at the end of the thread's queue, behind the work of other torrents.
fn submit(worker: Worker) -> Result<(), StorageError> {
    let pool = worker.ticket.shared.store.pool().clone();
    let thread = worker.thread;
    pool.submit(thread, Box::new(move |scratch| worker.turn(scratch)))
}

impl Worker {
    fn turn(self, scratch: &mut [u8]) {
        match self.check_some(scratch) {
            // A pool that refuses is closed: dropping the worker reports that.
            Ok(true) => drop(submit(self)),
            Ok(false) => self.finish(Ok(())),
            Err(error) => self.finish(Err(error)),
        }
    }

    fn finish(self, result: Result<(), StorageError>) {
        drop(self.ticket);
        // The future that waited may have been dropped.
        let _ = self.result.send(result);
    }

    /// Checks pieces until the turn is over; whether there may be more.
    fn check_some(&self, scratch: &mut [u8]) -> Result<bool, StorageError> {
        let shared = &*self.ticket.shared;
        let geometry = shared.store.layout().geometry();
        let mut hashed = 0_u32;
        while hashed < TURN {
            if self.check.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if shared.is_closing() {
                return Err(StorageError::Closed);
            }
            // Each thread passes the end once, so the counter stays far from overflowing.
            let group = self.check.group;
            let first = self.check.next.fetch_add(group, Ordering::Relaxed);
            let pieces = first..first.saturating_add(group).min(geometry.piece_count());
            if pieces.is_empty() {
                return Ok(false);
            }
            let pieces: Vec<_> = pieces
                .filter_map(|piece| geometry.piece(piece).ok())
                .collect();
            hashed = hashed.saturating_add(self.check_group(shared, &pieces, scratch)?);
        }
        Ok(true)
    }

    /// Returns how many bytes were hashed: pieces of missing files cost nothing.
    fn check_group(
        &self,
        shared: &Shared,
        pieces: &[PieceIndex],
        scratch: &mut [u8],
    ) -> Result<u32, StorageError> {
        let layout = shared.store.layout();
        let is_covered = |piece: &PieceIndex| self.check.held.cover(layout, *piece);
        let covered: Vec<_> = pieces.iter().copied().filter(is_covered).collect();
        if covered.len() > 1 {
            shared.will_hash_together(&covered);
        }
        let hashes = shared.hash_together(&covered, scratch);
        for &piece in pieces {
            let by_sha1 = shared.hashes.lacks_tree(piece);
            let is_right = match is_covered(&piece) {
                true => shared.is_right(piece, hashes.get(&piece), scratch),
                false => Ok(false),
            };
            match is_right {
                Ok(true) => shared.set_verified(piece, by_sha1),
                Ok(false) => {
                    shared.verified.clear(piece);
                }
                // Another program has cut or removed the file meanwhile.
                Err(error) if error.is_missing_data() => {
                    shared.verified.clear(piece);
                }
                Err(error) => {
                    self.check.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            let done = self.check.done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.check.progress)(done, layout.geometry().piece_count());
        }
        let lens = covered
            .iter()
            .map(|piece| layout.geometry().piece_len(*piece));
        Ok(lens.fold(0, u32::saturating_add))
    }
}
