//! Leases: the result of a read, which keeps the bytes in memory.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use tailwater_metainfo::{BLOCK_LEN, BlockRef};

use crate::budget::{Buffer, Tally, Token};
use crate::loom::Arc;

/// A lease of bytes of a verified piece, inside one block. The bytes stay in memory, unchanged, until the last lease of
/// the block is dropped, even if the piece, the torrent or the storage goes; until then they count against the budget.
#[derive(Clone)]
pub struct Lease {
    // Fields are dropped in this order: when the piece has no lease left, the buffer has been dropped too.
    buffer: Arc<Buffer>,
    _token: Token,
    start: u32,
    end: u32,
}

impl Lease {
    /// `start..end` must lie inside the buffer.
    pub(crate) fn new(buffer: Arc<Buffer>, token: Token, start: u32, end: u32) -> Self {
        debug_assert!(start <= end && end as usize <= buffer.bytes().len());
        Self {
            buffer,
            _token: token,
            start,
            end,
        }
    }

    /// The bytes of `range`, which is inside its piece, that lie in block `number`, which it touches.
    pub(crate) fn of_block(
        buffer: &Arc<Buffer>,
        tally: &Arc<Tally>,
        number: u32,
        range: BlockRef,
    ) -> Self {
        let last = range.offset() + (range.len() - 1);
        let begin = number * BLOCK_LEN;
        let from = range.offset().saturating_sub(begin);
        let to = (last - begin).min(BLOCK_LEN - 1) + 1;
        Self::new(Arc::clone(buffer), Token::new(tally), from, to)
    }

    /// The same bytes as a [`Bytes`], without copying them. Its last clone or slice ends the lease.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer
            .bytes()
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Lease> for Bytes {
    fn from(lease: Lease) -> Self {
        lease.into_bytes()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({} bytes)", self.len())
    }
}
