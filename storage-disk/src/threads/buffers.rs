//! A pool of read buffers.
//!
//! A new buffer has to be zeroed and often paged in, which costs a seeder as much as reading itself. A reused one costs
//! nothing.

use bytes::Bytes;
use std::sync::Arc;

use parking_lot::Mutex;

/// The smallest size of buffer, in bytes; each further one is twice as large.
const SMALLEST: usize = 16 * 1024;

/// The number of sizes: 16, 32, 64, 128 and 256 KiB.
const KINDS: usize = 5;

/// The largest size of buffer, in bytes.
pub(crate) const LARGEST: usize = SMALLEST << (KINDS - 1);

/// Bytes of idle buffers that are kept of each size.
const IDLE_BYTES: usize = 1024 * 1024;

/// Idle buffers, by size.
#[derive(Default)]
pub(crate) struct Buffers {
    idle: [Mutex<Vec<Vec<u8>>>; KINDS],
}

impl Buffers {
    /// A buffer of `len` bytes, whose contents are arbitrary. A length over [`LARGEST`] is allocated and not kept.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let kind = (0..KINDS).find(|kind| len <= SMALLEST << kind);
        let bytes = kind
            .and_then(|kind| {
                let mut idle = self.idle[kind].lock();
                idle.pop()
            })
            .unwrap_or_else(|| vec![0; kind.map_or(len, |kind| SMALLEST << kind)]);
        Buffer {
            bytes,
            len,
            home: kind.map(|kind| (Arc::clone(self), kind)),
        }
    }
}

/// Owned memory that goes back to [`Buffers`] when it is dropped.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    home: Option<(Arc<Buffers>, usize)>,
}

impl Buffer {
    /// The memory, to be filled.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// The filled memory; the buffer goes back when the last slice of it is dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some((home, kind)) = self.home.take() else {
            return;
        };
        let mut idle = home.idle[kind].lock();
        if idle.len() < IDLE_BYTES / (SMALLEST << kind) {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_dropped() {
        let buffers = Arc::new(Buffers::default());
        let bytes = buffers.take(20_000).into_bytes();
        assert_eq!(bytes.len(), 20_000);
        let slice = bytes.slice(5..10);
        drop(bytes);
        let idle = || buffers.idle[1].lock().len();
        assert_eq!(idle(), 0);
        drop(slice);
        assert_eq!(idle(), 1);
        assert_eq!(buffers.take(32 * 1024).into_bytes().len(), 32 * 1024);
    }

    #[test]
    fn idle_memory_is_bounded() {
        let buffers = Arc::new(Buffers::default());
        let taken: Vec<_> = (0..100).map(|_| buffers.take(LARGEST)).collect();
        drop(taken);
        assert_eq!(buffers.idle[KINDS - 1].lock().len(), IDLE_BYTES / LARGEST);
    }
}
