//! The jobs of the I/O threads: writing, hashing and reading.

use crate::files::cursor::Cursor;
use crate::threads::buffers::LARGEST;
use crate::threads::pool::Permit;
use crate::torrent::Shared;
use crate::torrent::hasher::{Hashers, PieceHasher};
use crate::torrent::judging::{Found, Mark};
use crate::torrent::reading::MAX_READ;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use tailwater_metainfo::{PieceMatch, block_digest, hash_many_from};
use tailwater_storage::{Completion, StorageError};
use tailwater_types::{BLOCK_LEN, BlockDigest, BlockRef, Expected, PieceHash, PieceIndex, Verdict};

/// From this many pieces verified at a time, it is cheaper to read them back and hash them side by side than to hash
/// each while it is written.
const BULK: usize = 12;

/// Blocks that are written by one system call, 512 KiB: they are hashed after it and should still be in the cache.
const MAX_RUN: usize = 32;

impl Shared {
    /// Writes blocks of this torrent, on its I/O thread; hashes those that come in the order of their piece, as they are in the
    /// cache of the processor now, unless pieces come in bulk.
    pub(crate) fn write(
        &self,
        epoch: u64,
        blocks: &[(BlockRef, Bytes)],
        marks: &[Mark],
        permit: Permit,
    ) {
        let mut done = 0;
        let mut result = Ok(());
        let mut found = Found::default();
        // What a later attempt writes comes behind this, as a torrent has one thread.
        let is_wanted = |number: usize| match (blocks.get(number), marks.get(number)) {
            (Some((block, _)), Some(mark)) => self.claims.is_current(*block, mark.attempt),
            // Nothing was claimed.
            (block, _) => block.is_some(),
        };
        {
            let mut cursor = self.store.cursor();
            let mut hashers = self.hashers();
            while done < blocks.len() {
                let run = self.run_to_write(&blocks[done..], |number| is_wanted(done + number));
                result = self.health.check(epoch).and_then(|()| {
                    self.write_run(
                        &mut cursor,
                        &mut hashers,
                        run,
                        &marks[done.min(marks.len())..],
                    )
                });
                if result.is_err() {
                    break;
                }
                self.note_written(run, &marks[done.min(marks.len())..], &mut found);
                // What is not to be written is a run of none.
                done += run.len().max(1);
            }
        }
        drop(permit);
        self.tell_found(found);
        if let Err(error) = result {
            self.health.fail(epoch, &error);
            let lost = (done..blocks.len()).filter(|&number| is_wanted(number));
            let lost = lost.map(|number| blocks[number].0);
            // A piece that was verified meanwhile lacks nothing.
            let lost = lost.filter(|block| !self.verified.has(block.piece()));
            (self.on_completion)(Completion::WriteFailed {
                error,
                lost: lost.collect(),
            });
        }
    }

    /// The first blocks of `blocks` that follow each other in the torrent and are to be written: one system call writes
    /// them if they lie in one file. None if the first is not to be written.
    fn run_to_write<'a>(
        &self,
        blocks: &'a [(BlockRef, Bytes)],
        is_wanted: impl Fn(usize) -> bool,
    ) -> &'a [(BlockRef, Bytes)] {
        let mut end = None;
        let run = blocks
            .iter()
            .enumerate()
            .take_while(|(number, (block, _))| {
                let start = self.position(*block);
                // A late duplicate of a verified piece, whatever it holds, must not replace what readers were promised.
                let fits = end.is_none_or(|end| end == start)
                    && *number < MAX_RUN
                    && is_wanted(*number)
                    && !self.verified.has(block.piece());
                end = Some(start + u64::from(block.len()));
                fits
            });
        &blocks[..run.count()]
    }

    fn write_run(
        &self,
        cursor: &mut Cursor<'_>,
        hashers: &mut Hashers,
        run: &[(BlockRef, Bytes)],
        marks: &[Mark],
    ) -> Result<(), StorageError> {
        let Some(&(first, _)) = run.first() else {
            return Ok(());
        };
        self.note_overwritten(run);
        self.clear_leaves(run);
        for (block, _) in run {
            self.touched.set(block.piece());
        }
        let len = run.iter().map(|(_, data)| data.len()).sum();
        let segments = self.store.layout().segments(self.position(first), len);
        let in_one_file = segments.clone().next().filter(|segment| segment.len == len);
        if let Some(segment) = in_one_file.filter(|segment| segment.file.is_some()) {
            let mut parts: Vec<_> = run.iter().map(|(_, data)| IoSlice::new(data)).collect();
            cursor.write(&segment, &mut parts)?;
            for (number, (block, data)) in run.iter().enumerate() {
                match marks.get(number) {
                    // Its piece need not be hashed, if all are right.
                    Some(mark) if mark.is_right && !self.hashes.has_v1() => {}
                    _ => self.hash_written(hashers, *block, data),
                }
            }
            return Ok(());
        }
        for (block, data) in run {
            self.write_block(cursor, hashers, *block, data)?;
        }
        Ok(())
    }

    /// Writes a block that may lie in several files, and in padding.
    fn write_block(
        &self,
        cursor: &mut Cursor<'_>,
        hashers: &mut Hashers,
        block: BlockRef,
        data: &Bytes,
    ) -> Result<(), StorageError> {
        let mut rest = &data[..];
        let mut padded = false;
        for segment in self
            .store
            .layout()
            .segments(self.position(block), data.len())
        {
            let (part, after) = rest.split_at(segment.len);
            cursor.write(&segment, &mut [IoSlice::new(part)])?;
            padded |= segment.file.is_none();
            rest = after;
        }
        // Padding is zeros, whatever the peer sent for it (BEP 47): such a block is read back as it lies.
        match padded {
            false => self.hash_written(hashers, block, data),
            true => hashers.skip(block),
        }
        Ok(())
    }

    fn hash_written(&self, hashers: &mut Hashers, block: BlockRef, data: &Bytes) {
        if self.hash_leaf(block, data) {
            return;
        }
        if hashers.has(block.piece()) || !self.in_bulk.load(Ordering::Relaxed) {
            hashers.hash(block, data, &self.hashes);
        }
    }

    /// Verifies pieces, whose first blocks may be hashed already, and reports the verdicts.
    pub(crate) fn verify(&self, epoch: u64, pieces: &[PieceIndex], scratch: &mut [u8]) {
        self.in_bulk.store(pieces.len() >= BULK, Ordering::Relaxed);
        let unhashed = {
            let hashers = self.hashers();
            let unhashed = pieces.iter().filter(|piece| !hashers.has(**piece));
            unhashed.copied().collect::<Vec<_>>()
        };
        let together = self.hash_together(&unhashed, scratch);
        for &piece in pieces {
            self.verifying.clear(piece);
            // One that was begun before the piece's tree was known says nothing of that.
            let hasher = self.hashers().take(piece);
            let hasher = hasher.filter(|it| Some(it.expected()) == self.hashes.expected(piece));
            let by_sha1 = self.hashes.lacks_tree(piece);
            let outcome = self.health.check(epoch).and_then(|()| {
                if self.verified.has(piece) {
                    self.name_files_of(piece)?;
                    return Ok(Verdict::Valid);
                }
                let hash = together.get(&piece);
                let valid = match hash.and_then(|hash| self.judge(piece, hash)) {
                    Some(valid) => valid,
                    None => match self.is_right_by_leaves(piece, scratch)? {
                        Some(valid) => valid,
                        None => self.finish(piece, hasher, scratch)?,
                    },
                };
                if valid {
                    self.set_verified(piece, by_sha1);
                    self.judged.forget(piece);
                    self.name_files_of(piece)?;
                    return Ok(Verdict::Valid);
                }
                let block_digests = self.block_digests(piece, scratch)?;
                Ok(Verdict::Invalid { block_digests })
            });
            (self.on_completion)(match outcome {
                Ok(verdict) => Completion::Verified { piece, verdict },
                Err(error) => Completion::VerifyFailed { piece, error },
            });
        }
    }

    /// A hint that pieces will be hashed side by side: they are read a part of each in turn, which the system does not
    /// take for reading in order.
    pub(crate) fn will_hash_together(&self, pieces: &[PieceIndex]) {
        let geometry = self.store.layout().geometry();
        let mut cursor = self.store.cursor();
        for piece in pieces {
            let len = usize::try_from(geometry.piece_len(*piece)).unwrap_or(usize::MAX);
            cursor.will_read(geometry.piece_start(*piece), len);
        }
    }

    /// Reads whole pieces back and hashes them side by side. A piece that cannot be read has no hash here: it is tried
    /// again by itself.
    pub(crate) fn hash_together(
        &self,
        pieces: &[PieceIndex],
        scratch: &mut [u8],
    ) -> HashMap<PieceIndex, PieceHash> {
        let geometry = self.store.layout().geometry();
        // The last one, or the last of each file, may be shorter. Trees of v2 are hashed one by one.
        let is_alike = |piece: &PieceIndex| {
            geometry.piece_len(*piece) == geometry.piece_length()
                && matches!(self.hashes.expected(*piece), Some(Expected::V1(_)))
        };
        let pieces: Vec<_> = pieces.iter().copied().filter(is_alike).collect();
        if pieces.len() < 2 {
            return HashMap::new();
        }
        let len = usize::try_from(geometry.piece_length()).unwrap_or(usize::MAX);
        let mut cursor = self.store.cursor();
        let hashes = hash_many_from(pieces.len(), len, scratch, |number, at, part| {
            let start = geometry.piece_start(pieces[number]);
            cursor.read(start + u64::try_from(at).unwrap_or(u64::MAX), part)
        });
        let hashes = hashes.unwrap_or_default();
        pieces.into_iter().zip(hashes).collect()
    }

    /// Reports the digests of a verified piece.
    pub(crate) fn answer_digests(&self, piece: PieceIndex, scratch: &mut [u8]) {
        self.digesting.clear(piece);
        let digests = if self.verified.has(piece) {
            self.block_digests(piece, scratch)
        } else {
            Err(StorageError::NotVerified(piece))
        };
        (self.on_completion)(Completion::Digests { piece, digests });
    }

    /// Whether a piece is the right one: by its SHA-1, or else the whole piece is read back. It is not where the expected
    /// hash is not known.
    pub(crate) fn is_right(
        &self,
        piece: PieceIndex,
        hash: Option<&PieceHash>,
        scratch: &mut [u8],
    ) -> Result<bool, StorageError> {
        if let Some(is_right) = hash.and_then(|hash| self.judge(piece, hash)) {
            return Ok(is_right);
        }
        match self.finish(piece, None, scratch) {
            Err(StorageError::HashUnknown(_)) => Ok(false),
            finished => finished,
        }
    }

    /// Whether a piece is the right one by its SHA-1; `None` if that does not say it, as the v2 hash of a hybrid has become
    /// known meanwhile.
    fn judge(&self, piece: PieceIndex, hash: &PieceHash) -> Option<bool> {
        match self.hashes.expected(piece) {
            Some(Expected::V1(expected)) => Some(expected == *hash),
            _ => None,
        }
    }

    /// Reads what the hash of a piece still lacks, or the whole piece if nothing of it was hashed; says whether it is the right one.
    fn finish(
        &self,
        piece: PieceIndex,
        hasher: Option<PieceHasher>,
        scratch: &mut [u8],
    ) -> Result<bool, StorageError> {
        let mut hasher = match hasher {
            Some(hasher) => hasher,
            None => PieceHasher::new(self.expected(piece)?),
        };
        self.for_each_part(piece, hasher.hashed(), scratch, |part| hasher.update(part))?;
        match hasher.finish() {
            PieceMatch::Right => Ok(true),
            PieceMatch::Wrong => Ok(false),
            PieceMatch::Disagree => Err(StorageError::HashesDisagree(piece)),
        }
    }

    fn expected(&self, piece: PieceIndex) -> Result<Expected, StorageError> {
        let expected = self.hashes.expected(piece);
        expected.ok_or(StorageError::HashUnknown(piece))
    }

    fn block_digests(
        &self,
        piece: PieceIndex,
        scratch: &mut [u8],
    ) -> Result<Vec<BlockDigest>, StorageError> {
        let mut digests = Vec::new();
        // The scratch memory is a multiple of a block, so a block never lies in two parts.
        self.for_each_part(piece, 0, scratch, |part| {
            digests.extend(part.chunks(block_len()).map(block_digest));
        })?;
        Ok(digests)
    }

    /// Reads a piece from offset `from` to its end, in parts as large as `scratch`.
    pub(crate) fn for_each_part(
        &self,
        piece: PieceIndex,
        from: u32,
        scratch: &mut [u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), StorageError> {
        let geometry = self.store.layout().geometry();
        let start = geometry.piece_start(piece);
        let end = start + u64::from(geometry.piece_len(piece));
        let mut cursor = self.store.cursor();
        let mut at = start + u64::from(from);
        while at < end {
            let len =
                usize::try_from(end - at).map_or(scratch.len(), |left| left.min(scratch.len()));
            let part = &mut scratch[..len];
            cursor.read(at, part)?;
            each(part);
            at += u64::try_from(len).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Reads ranges; those that follow each other in one go.
    pub(crate) fn read(&self, blocks: &[BlockRef]) -> Vec<Result<Bytes, StorageError>> {
        let mut results = Vec::with_capacity(blocks.len());
        let mut cursor = self.store.cursor();
        while let Some(&first) = blocks.get(results.len()) {
            if let Err(error) = self.check_readable(first) {
                results.push(Err(error));
                continue;
            }
            let run = self.run_of(&blocks[results.len()..]);
            let len = run.iter().map(|&block| len_of(block)).sum();
            let mut buffer = self.buffers.take(len);
            let read = cursor.read(self.position(first), buffer.as_mut_slice());
            match read.and_then(|()| self.settle_doubts(run)) {
                Ok(()) => {
                    let bytes = buffer.into_bytes();
                    let mut at = 0;
                    results.extend(run.iter().map(|&block| {
                        let from = at;
                        at += len_of(block);
                        Ok(bytes.slice(from..at))
                    }));
                }
                Err(error) => {
                    let error = self.note_unreadable(error);
                    results.extend(run.iter().map(|_| Err(error.clone())));
                }
            }
        }
        results
    }

    /// Verified bytes cannot be read: reports it to the torrent once.
    fn note_unreadable(&self, error: StorageError) -> StorageError {
        let error = self.store.known.note(error.of_verified());
        if !error.is_closed() && !self.is_unreadable.swap(true, Ordering::Relaxed) {
            let error = error.clone();
            (self.on_completion)(Completion::ReadFailed { error });
        }
        error
    }

    /// The readable ranges at the beginning of `blocks` that follow each other, not longer than a buffer in all.
    fn run_of<'a>(&self, blocks: &'a [BlockRef]) -> &'a [BlockRef] {
        let mut len = 0;
        let mut end = None;
        let count = blocks.iter().take_while(|&&block| {
            let start = self.position(block);
            len += len_of(block);
            let fits = end.is_none_or(|end| {
                end == start && len <= LARGEST && self.check_readable(block).is_ok()
            });
            end = Some(start + u64::from(block.len()));
            fits
        });
        &blocks[..count.count().max(1)]
    }

    fn check_readable(&self, block: BlockRef) -> Result<(), StorageError> {
        if block.len() > MAX_READ {
            return Err(StorageError::ReadTooLong {
                len: block.len(),
                max: MAX_READ,
            });
        }
        if !self.verified.has(block.piece()) {
            return Err(StorageError::NotVerified(block.piece()));
        }
        Ok(())
    }

    /// Where a range begins, in bytes from the beginning of the torrent.
    fn position(&self, block: BlockRef) -> u64 {
        self.store.layout().geometry().piece_start(block.piece()) + u64::from(block.offset())
    }

    fn hashers(&self) -> MutexGuard<'_, Hashers> {
        self.hashers.lock()
    }
}

pub(crate) fn len_of(block: BlockRef) -> usize {
    usize::try_from(block.len()).unwrap_or(usize::MAX)
}

pub(crate) fn block_len() -> usize {
    usize::try_from(BLOCK_LEN).unwrap_or(usize::MAX)
}
