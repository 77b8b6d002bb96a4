//! Receive buffers of a torrent's connections, reused when the blocks in them are on the disk.

use bytes::BytesMut;
use parking_lot::Mutex;

/// Buffers that may wait for their blocks to be written; the storage's queue is what bounds them in practice.
const MAX_RETIRED: usize = 64;

/// A pool of buffers whose blocks are still on their way to the disk. A new buffer would have to be paged in; a reused
/// one is warm.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffers {
    retired: Mutex<Vec<BytesMut>>,
}

impl ReceiveBuffers {
    /// Gives `current` room for `len` more bytes: in place if its blocks are gone, else by moving what is left in it to
    /// another buffer of `size` bytes.
    pub(crate) fn renew(&self, current: &mut BytesMut, len: usize, size: usize) {
        if current.try_reclaim(len) {
            return;
        }
        let size = size.max(current.len() + len);
        let mut retired = self.retired.lock();
        let back = retired
            .iter_mut()
            .position(|buffer| buffer.try_reclaim(size));
        let mut next = match back {
            Some(position) => retired.swap_remove(position),
            None => BytesMut::with_capacity(size),
        };
        next.extend_from_slice(current);
        current.clear();
        let full = std::mem::replace(current, next);
        if retired.len() < MAX_RETIRED {
            retired.push(full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_blocks_are_gone() {
        let buffers = ReceiveBuffers::default();
        let mut current = BytesMut::with_capacity(1_000);
        current.extend_from_slice(&[7; 990]);
        let first = current.as_ptr();
        let block = current.split_to(980).freeze();
        buffers.renew(&mut current, 500, 1_000);
        assert_eq!(&current[..], [7; 10]);
        assert_ne!(current.as_ptr(), first);
        // The second one is in use as well when the first is free again.
        current.extend_from_slice(&[8; 900]);
        let other = current.split().freeze();
        drop(block);
        buffers.renew(&mut current, 500, 1_000);
        assert_eq!(current.as_ptr(), first);
        assert_eq!(&other[10..], [8; 900]);
    }
}
