//! The storage's read interface: leases, block digests, the state of pieces, statistics.

use tailwater_metainfo::{MerkleHash, block_digest, merkle};
use tailwater_types::{BLOCK_LEN, BlockDigest, BlockRef, PieceIndex};

use crate::budget::BLOCK;
use crate::error::Error;
use crate::handle::TorrentHandle;
use crate::lease::Lease;
use crate::loom::lock;
use crate::shard::{Key, Piece};
use crate::stats::{PieceState, Stats};
use crate::storage::MemoryStorage;

impl MemoryStorage {
    /// Leases bytes of a verified piece that lie inside one block of the grid. Copies nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::SpansBlocks`], [`Error::NoSuchBlock`], [`Error::StaleHandle`],
    /// [`Error::Closed`].
    pub fn read(&self, handle: TorrentHandle, block: BlockRef) -> Result<Lease, Error> {
        self.read_in_block(handle, block, false)
    }

    /// As [`read`](Self::read), also of a block that was found right by its own hash (BEP 52) while its piece is not verified.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_judged(&self, handle: TorrentHandle, block: BlockRef) -> Result<Lease, Error> {
        self.read_in_block(handle, block, true)
    }

    fn read_in_block(
        &self,
        handle: TorrentHandle,
        block: BlockRef,
        also_partial: bool,
    ) -> Result<Lease, Error> {
        let (offset, len) = (block.offset(), block.len());
        let piece = block.piece().get();
        if u64::from(offset % BLOCK_LEN) + u64::from(len) > u64::from(BLOCK_LEN) {
            return Err(Error::SpansBlocks { piece, offset, len });
        }
        let mut lease = None;
        self.lease(handle, block, also_partial, |part| lease = Some(part))?;
        lease.ok_or(Error::NotVerified { piece })
    }

    /// Leases any range of a verified piece: one lease for each block of the grid that it touches, in order. Copies
    /// nothing. The leases are of one moment: either all of the range is there or none.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::NoSuchBlock`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn read_vectored(
        &self,
        handle: TorrentHandle,
        range: BlockRef,
    ) -> Result<Vec<Lease>, Error> {
        let most = range.len().div_ceil(BLOCK_LEN) + 1;
        let mut leases = Vec::with_capacity(most as usize);
        self.lease(handle, range, false, |part| leases.push(part))?;
        Ok(leases)
    }

    /// The digest of each block of a verified piece, to find out which blocks of an earlier
    /// [`Verdict::Invalid`](crate::Verdict::Invalid) were wrong. Hashes the piece.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn block_digests(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<Vec<BlockDigest>, Error> {
        self.check(handle)?;
        let Some(running) = self.inner.shards.begin_verified(handle, piece)? else {
            return Err(self.absent(handle, Error::NotVerified { piece: piece.get() }));
        };
        let (blocks, _token) = &running.subject;
        let digests = blocks.iter().map(|block| block_digest(block.bytes()));
        Ok(digests.collect())
    }

    /// The hashes of the blocks of a verified piece, as far as its hash tree covers it (BEP 52). Hashes the piece.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::StaleHandle`], [`Error::Closed`].
    pub fn leaves(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<Vec<MerkleHash>, Error> {
        self.check(handle)?;
        let len = self.directory()?.torrent(handle)?.hashes.tree_len(piece);
        let len = len.ok_or(Error::HashUnknown { piece: piece.get() })?;
        let Some(running) = self.inner.shards.begin_verified(handle, piece)? else {
            return Err(self.absent(handle, Error::NotVerified { piece: piece.get() }));
        };
        let (blocks, _token) = &running.subject;
        let lens = (0..len)
            .step_by(BLOCK_LEN as usize)
            .map(|start| (len - start).min(BLOCK_LEN));
        let bytes = blocks.iter().zip(lens);
        let bytes = bytes.map(|(block, len)| block.bytes().get(..len as usize).unwrap_or_default());
        Ok(bytes.map(merkle::block_hash).collect())
    }

    /// The state of a piece.
    ///
    /// # Errors
    ///
    /// [`Error::StaleHandle`], [`Error::Closed`].
    pub fn piece_state(
        &self,
        handle: TorrentHandle,
        piece: PieceIndex,
    ) -> Result<PieceState, Error> {
        self.check(handle)?;
        if let Some(running) = self.inner.shards.begin_partial(handle, piece)? {
            return Ok(PieceState::Partial {
                missing: running.subject.missing(),
            });
        }
        let key = Key::new(handle, piece);
        if self
            .inner
            .shards
            .lock(key)
            .verified(handle, piece)
            .is_some()
        {
            return Ok(PieceState::Verified);
        }
        match self.absent(handle, Error::NotReserved { piece: piece.get() }) {
            Error::NotReserved { .. } => Ok(PieceState::Absent),
            error => Err(error),
        }
    }

    /// Counts the storage's bytes. Visits every block: for a display, not for every packet.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            budget: self.config().budget_bytes(),
            evictions: lock(&self.inner.directory.0).evictions,
            ..Stats::default()
        };
        self.inner.shards.for_each(|shard| {
            for piece in shard.pieces() {
                match piece {
                    Piece::Partial(partial) => {
                        stats.partial += u64::from(partial.blocks()) * BLOCK;
                        stats.partial_pieces += 1;
                    }
                    Piece::Verified(verified) => {
                        stats.verified += verified.blocks.len() as u64 * BLOCK;
                        stats.verified_pieces += 1;
                        stats.leased += verified.leased_bytes();
                    }
                }
            }
        });
        let taken = self.inner.budget.taken();
        let mapped = self.inner.budget.mapped();
        stats.used = taken.max(mapped) * BLOCK;
        stats.free_list = mapped.saturating_sub(taken) * BLOCK;
        let accounted = stats.verified + stats.partial;
        stats.detached = (taken * BLOCK).saturating_sub(accounted);
        stats.leased += stats.detached;
        stats
    }

    fn lease(
        &self,
        handle: TorrentHandle,
        range: BlockRef,
        also_partial: bool,
        take: impl FnMut(Lease),
    ) -> Result<(), Error> {
        self.check(handle)?;
        if self.inner.shards.read(handle, range, also_partial, take)? {
            return Ok(());
        }
        let piece = range.piece().get();
        Err(self.absent(handle, Error::NotVerified { piece }))
    }
}
