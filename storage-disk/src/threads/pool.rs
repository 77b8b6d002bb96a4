//! The pool of I/O threads of a session.
//!
//! Blocking file operations and hashing never run on the runtime's threads. Each write thread has a queue of its own,
//! first in, first out; all read threads share one queue, so that a read does not wait behind a slow write. Semaphores
//! bound the bytes in the queues (back-pressure): a caller without room waits before it enqueues.

use crate::system::file_system::{FileSystem, SystemFiles};
use crate::system::open_files::FileCache;
use crate::threads::buffers::Buffers;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tailwater_storage::{Operation, StorageError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Bytes that an I/O thread reads at once when it hashes; its scratch memory. Divided among as many pieces as are hashed
/// side by side.
pub(crate) const SCRATCH_LEN: usize = 512 * 1024;

/// The file I/O settings of a session. Each number counts as at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IoConfig {
    /// Threads that write, hash and check. Default: one for each core, at most 4.
    pub threads: usize,
    /// Threads that read what peers ask for. Default: 2.
    pub read_threads: usize,
    /// Bytes received but not yet written, over all torrents; peers wait when they are used up. Default: 8 MiB.
    pub queue_bytes: usize,
    /// Bytes being read at the same time, over all torrents. Default: 8 MiB.
    pub read_bytes: usize,
    /// Files kept open, over all torrents. Default: 256.
    pub open_files: usize,
}

impl Default for IoConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            threads: cores.min(4),
            read_threads: 2,
            queue_bytes: 8 * 1024 * 1024,
            read_bytes: 8 * 1024 * 1024,
            open_files: 256,
        }
    }
}

/// A job for an I/O thread; it may use the thread's scratch memory of `SCRATCH_LEN` bytes.
pub type Job = Box<dyn FnOnce(&mut [u8]) + Send>;

/// The I/O threads of one session; clones are handles to the same threads.
///
/// Dropping the last handle lets the threads end when their queues are empty; [`IoPool::close`] waits for it.
#[derive(Clone)]
pub struct IoPool {
    inner: Arc<Inner>,
}

struct Inner {
    writers: Box<[Arc<Queue>]>,
    readers: Arc<Queue>,
    write_room: Room,
    read_room: Room,
    files: FileCache,
    buffers: Arc<Buffers>,
    file_system: Arc<dyn FileSystem>,
    next_torrent: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Gets one permit from each thread that ends.
    ended: Arc<Semaphore>,
    thread_count: u32,
}

impl IoPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// When the system refuses another thread.
    pub fn new(config: IoConfig) -> Result<Self, StorageError> {
        Self::with_file_system(config, Arc::new(SystemFiles))
    }

    /// As [`IoPool::new`], with another way to open files.
    ///
    /// # Errors
    ///
    /// When the system refuses another thread.
    pub(crate) fn with_file_system(
        config: IoConfig,
        file_system: Arc<dyn FileSystem>,
    ) -> Result<Self, StorageError> {
        let writer_count = config.threads.max(1);
        let reader_count = config.read_threads.max(1);
        let thread_count = u32::try_from(writer_count + reader_count).unwrap_or(u32::MAX);
        let inner = Arc::new(Inner {
            writers: (0..writer_count).map(|_| Arc::default()).collect(),
            readers: Arc::default(),
            write_room: Room::new(config.queue_bytes),
            read_room: Room::new(config.read_bytes),
            files: FileCache::new(config.open_files),
            buffers: Arc::default(),
            file_system,
            next_torrent: AtomicU64::new(0),
            threads: Mutex::default(),
            ended: Arc::new(Semaphore::new(0)),
            thread_count,
        });
        // If a thread cannot be started, dropping `inner` ends those that run.
        let pool = Self { inner };
        for (number, queue) in pool.inner.writers.iter().enumerate() {
            pool.start_thread(&format!("tailwater-disk-{number}"), Arc::clone(queue))?;
        }
        for number in 0..reader_count {
            let queue = Arc::clone(&pool.inner.readers);
            pool.start_thread(&format!("tailwater-read-{number}"), queue)?;
        }
        Ok(pool)
    }

    /// Ends the pool: work that is queued is done, no more is taken, all threads are joined. May be called again.
    ///
    /// Close the torrents first: what they still want to write is refused.
    pub async fn close(&self) {
        self.inner.shut();
        // Fails only when the semaphore is closed, which never happens. The permits are given back for the next call of
        // `close`.
        let _ended = self.inner.ended.acquire_many(self.inner.thread_count).await;
        let threads = std::mem::take(&mut *self.inner.threads.lock());
        for thread in threads {
            // Each has given its permit as its last act, so this does not block. A panic has been reported already.
            let _ = thread.join();
        }
    }

    /// Runs blocking work on a read thread and returns what it returns.
    ///
    /// # Errors
    ///
    /// [`StorageError::Closed`] when the pool is closed.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        let (done, result) = oneshot::channel();
        self.submit_read(Box::new(move |_| {
            // The caller may have dropped its future.
            let _ = done.send(work());
        }))?;
        result.await.map_err(|_| StorageError::Closed)
    }

    /// How many threads write.
    #[must_use]
    pub fn write_threads(&self) -> usize {
        self.inner.writers.len()
    }

    pub(crate) fn files(&self) -> &FileCache {
        &self.inner.files
    }

    pub(crate) fn file_system(&self) -> &dyn FileSystem {
        &*self.inner.file_system
    }

    pub(crate) fn buffers(&self) -> &Arc<Buffers> {
        &self.inner.buffers
    }

    /// A number that no other torrent of this pool has.
    pub(crate) fn number_torrent(&self) -> u64 {
        self.inner.next_torrent.fetch_add(1, Ordering::Relaxed)
    }

    /// Appends a job to the queue of a write thread. Numbers from [`IoPool::write_threads`] on begin again at the first.
    ///
    /// # Errors
    ///
    /// [`StorageError::Closed`] when the pool is closed.
    pub fn submit(&self, thread: usize, job: Job) -> Result<(), StorageError> {
        let queue = &self.inner.writers[thread % self.inner.writers.len()];
        queue.push(job)
    }

    /// Appends a job to the read threads' queue.
    ///
    /// # Errors
    ///
    /// [`StorageError::Closed`] when the pool is closed.
    pub fn submit_read(&self, job: Job) -> Result<(), StorageError> {
        self.inner.readers.push(job)
    }

    /// Waits for room for `bytes` in the write queues (back-pressure). The permit belongs into the job.
    pub(crate) async fn write_room(&self, bytes: usize) -> Result<Permit, StorageError> {
        self.inner.write_room.wait(bytes).await
    }

    /// Waits until `bytes` may be read (back-pressure). The permit belongs into the job.
    pub(crate) async fn read_room(&self, bytes: usize) -> Result<Permit, StorageError> {
        self.inner.read_room.wait(bytes).await
    }

    fn start_thread(&self, name: &str, queue: Arc<Queue>) -> Result<(), StorageError> {
        let ended = Ended(Arc::clone(&self.inner.ended));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _ended = ended;
                let mut scratch = vec![0; SCRATCH_LEN];
                while let Some(job) = queue.pop() {
                    // A panic has been reported by its hook. One torrent's must not stop the others' files; its own
                    // callers see that their job was dropped.
                    let _ = catch_unwind(AssertUnwindSafe(|| job(&mut scratch)));
                }
            })
            .map_err(|error| StorageError::io(Operation::StartThread, Path::new(name), &error))?;
        let mut threads = self.inner.threads.lock();
        threads.push(thread);
        Ok(())
    }
}

impl Inner {
    fn shut(&self) {
        self.write_room.semaphore.close();
        self.read_room.semaphore.close();
        self.writers.iter().for_each(|queue| queue.close());
        self.readers.close();
    }
}

impl Drop for Inner {
    /// The last handle may be dropped by a job on one of the threads, which cannot join itself: they end on their own.
    fn drop(&mut self) {
        self.shut();
    }
}

/// Reports that a thread has ended, also by a panic.
struct Ended(Arc<Semaphore>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// Bytes that a job takes up until it is dropped.
pub(crate) struct Permit {
    _permit: OwnedSemaphorePermit,
}

struct Room {
    semaphore: Arc<Semaphore>,
    capacity: u32,
}

impl Room {
    fn new(bytes: usize) -> Self {
        let capacity = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
        // A u32 may be more than a semaphore holds on a 32-bit machine.
        let permits = usize::try_from(capacity).map_or(Semaphore::MAX_PERMITS, |permits| {
            permits.min(Semaphore::MAX_PERMITS)
        });
        Self {
            semaphore: Arc::new(Semaphore::new(permits)),
            capacity: u32::try_from(permits).unwrap_or(capacity),
        }
    }

    /// Waits for room. More than all the room waits until all of it is free, rather than for ever.
    async fn wait(&self, bytes: usize) -> Result<Permit, StorageError> {
        let permits = u32::try_from(bytes).map_or(self.capacity, |bytes| bytes.min(self.capacity));
        let semaphore = Arc::clone(&self.semaphore);
        let permit = semaphore.acquire_many_owned(permits).await;
        permit
            .map(|permit| Permit { _permit: permit })
            .map_err(|_| StorageError::Closed)
    }
}

/// A first in, first out queue for threads. The semaphores bound what is in it; see [`IoPool`].
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Threads that sleep; when there are none, a push needs no system call.
    asleep: usize,
}

impl Queue {
    fn push(&self, job: Job) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(StorageError::Closed);
        }
        state.jobs.push_back(job);
        let wake = state.asleep > 0;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The next job; `None` when the queue is closed and empty.
    fn pop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.asleep += 1;
            self.wake.wait(&mut state);
            state.asleep -= 1;
        }
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }
}
