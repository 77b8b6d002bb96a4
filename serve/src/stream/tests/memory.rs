//! A source whose bytes can be foretold, and which keeps count of its leases and readers.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tailwater_session::{PieceState, PieceView};
use tokio::sync::watch;

use crate::stream::program::Program;
use crate::stream::source::{Read, Source};
use crate::stream::stats::Snapshot;

/// The length of a lease in bytes, as the memory storage has it.
pub(in crate::stream) const LEASE: u64 = 16 * 1024;

/// What a part of a file holds.
pub(in crate::stream) fn content(file: usize, range: Range<u64>) -> Vec<u8> {
    let seed = u64::try_from(file).unwrap() + 1;
    let byte = |at: u64| {
        (at ^ (at >> 7) ^ (at >> 15))
            .wrapping_mul(seed)
            .to_le_bytes()[0]
    };
    range.map(byte).collect()
}

/// Clones are the same.
#[derive(Clone)]
pub(in crate::stream) struct Memory(Arc<Inner>);

struct Inner {
    lengths: Vec<u64>,
    /// No byte ever comes.
    is_dry: bool,
    /// A reader waits.
    is_awaited: AtomicBool,
    given: AtomicUsize,
    held: AtomicUsize,
    most_held: AtomicUsize,
    last: Mutex<Range<usize>>,
    snapshots: AtomicUsize,
    readers: watch::Sender<usize>,
}

impl Memory {
    /// Files of these lengths.
    pub(in crate::stream) fn of(lengths: &[u64]) -> Self {
        Self::new(lengths, false)
    }

    /// The same, but nothing of it ever arrives.
    pub(in crate::stream) fn dry(lengths: &[u64]) -> Self {
        Self::new(lengths, true)
    }

    fn new(lengths: &[u64], is_dry: bool) -> Self {
        Self(Arc::new(Inner {
            lengths: lengths.to_vec(),
            is_dry,
            is_awaited: AtomicBool::new(false),
            given: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            most_held: AtomicUsize::new(0),
            last: Mutex::new(0..0),
            snapshots: AtomicUsize::new(0),
            readers: watch::Sender::new(0),
        }))
    }

    pub(in crate::stream) fn leases_given(&self) -> usize {
        self.0.given.load(Ordering::SeqCst)
    }

    pub(in crate::stream) fn leases_held(&self) -> usize {
        self.0.held.load(Ordering::SeqCst)
    }

    pub(in crate::stream) fn most_leases_held(&self) -> usize {
        self.0.most_held.load(Ordering::SeqCst)
    }

    /// Whether some reader waits for bytes.
    pub(in crate::stream) fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::SeqCst)
    }

    pub(in crate::stream) fn snapshots_made(&self) -> usize {
        self.0.snapshots.load(Ordering::SeqCst)
    }

    /// Whether these bytes lie in the lease given last, rather than being like it.
    pub(in crate::stream) fn is_lease(&self, bytes: &Bytes) -> bool {
        let last = self.0.last.lock().unwrap();
        let start = bytes.as_ptr().addr();
        last.contains(&start) && start + bytes.len() <= last.end
    }

    /// Waits until there are `count` readers.
    pub(in crate::stream) async fn readers(&self, count: usize) {
        let mut readers = self.0.readers.subscribe();
        readers.wait_for(|now| *now == count).await.unwrap();
    }
}

impl Source for Memory {
    type Reader = MemoryReader;

    fn open(&self, file: usize, _: &Program) -> io::Result<MemoryReader> {
        let length = self.0.lengths.get(file).ok_or(io::ErrorKind::NotFound)?;
        self.0.readers.send_modify(|readers| *readers += 1);
        Ok(MemoryReader {
            memory: self.clone(),
            file,
            length: *length,
            position: 0,
        })
    }

    async fn snapshot(&self) -> io::Result<Snapshot> {
        self.0.snapshots.fetch_add(1, Ordering::SeqCst);
        let mut have = PieceView::default();
        have.state = PieceState::Have;
        Ok(Snapshot {
            pieces: [have, PieceView::default()].iter().collect(),
            ..Snapshot::default()
        })
    }
}

pub(in crate::stream) struct MemoryReader {
    memory: Memory,
    file: usize,
    length: u64,
    position: u64,
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        self.memory.0.readers.send_modify(|readers| *readers -= 1);
    }
}

impl Read for MemoryReader {
    fn seek_to(&mut self, position: u64) {
        self.position = position;
    }

    fn stop_waiting(&mut self) {
        self.memory.0.is_awaited.store(false, Ordering::SeqCst);
    }

    fn poll_bytes(&mut self, _: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        if self.memory.0.is_dry {
            self.memory.0.is_awaited.store(true, Ordering::SeqCst);
            return Poll::Pending;
        }
        let end = (self.position / LEASE + 1) * LEASE;
        let most = self.position.saturating_add(max.try_into().unwrap());
        let range = self.position..end.min(most).min(self.length);
        if range.is_empty() {
            return Poll::Ready(Ok(Bytes::new()));
        }
        self.position = range.end;
        let lease = Lease::new(&self.memory, content(self.file, range));
        Poll::Ready(Ok(Bytes::from_owner(lease)))
    }
}

struct Lease {
    bytes: Vec<u8>,
    memory: Memory,
}

impl Lease {
    fn new(memory: &Memory, bytes: Vec<u8>) -> Self {
        let inner = &memory.0;
        inner.given.fetch_add(1, Ordering::SeqCst);
        let held = inner.held.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most_held.fetch_max(held, Ordering::SeqCst);
        let start = bytes.as_ptr().addr();
        *inner.last.lock().unwrap() = start..start + bytes.len();
        Self {
            bytes,
            memory: memory.clone(),
        }
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.memory.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}
