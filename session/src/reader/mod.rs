//! Readers: a [`Reader`] reads one file of a torrent while it downloads; [`Readers`] is what those of a torrent share.

pub(crate) mod board;
pub(crate) mod options;

use std::fmt;
use std::future::Future;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

use crate::error::TorrentError;
use crate::torrent::{ReaderConfig, ReaderKey, ReaderUpdate};
use tailwater_storage::{LookbehindFigures, Reply, Storage, StorageError};

use board::ReaderBoard;
use options::{ReadError, ReaderOptions, WhenFull};

/// A read of the storage under way.
type PendingRead = Reply<Result<Option<Bytes>, StorageError>>;

/// Reads one file of a torrent, while it downloads.
///
/// It implements [`AsyncRead`] and [`AsyncSeek`]; [`Reader::next_bytes`] hands out the same bytes without a copy. A
/// reader has a window around its position: what it covers is fetched, most urgent first, and kept. A clone has a
/// position and a window of its own. When a reader is dropped, what only it wanted is not fetched any more; what is held
/// stays until room is needed.
pub struct Reader {
    shared: Arc<Readers>,
    key: ReaderKey,
    file: usize,
    bounds: Range<u64>,
    options: ReaderOptions,
    position: u64,
    /// Whether the torrent knows of it: not before it reads, so that a program that opens and seeks fetches nothing in
    /// vain.
    is_open: bool,
    /// It waits for the piece at its position, and the torrent knows.
    waiting: bool,
    seeked: bool,
    /// The rest of a lease of which [`AsyncRead`] took a part.
    rest: Bytes,
    pending_read: Option<PendingRead>,
}

/// The state that all readers of a torrent share.
pub(crate) struct Readers {
    geometry: Geometry,
    /// The torrent's storage: another one when its files have been moved or checked.
    storage: Mutex<Arc<dyn Storage>>,
    pub(crate) board: Arc<ReaderBoard>,
}

impl Readers {
    pub(crate) fn new(geometry: Geometry, storage: Arc<dyn Storage>) -> Self {
        Self {
            geometry,
            storage: Mutex::new(storage),
            board: Arc::default(),
        }
    }

    /// The storage that the torrent has now.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage.lock())
    }

    /// The torrent has been opened anew.
    pub(crate) fn set_storage(&self, storage: Arc<dyn Storage>) {
        let old = std::mem::replace(&mut *self.storage.lock(), storage);
        // Its end is work: not under the lock.
        drop(old);
        self.board.wake_all();
    }
}

impl Reader {
    pub(crate) fn new(
        shared: Arc<Readers>,
        file: usize,
        bounds: Range<u64>,
        options: ReaderOptions,
    ) -> Result<Self, ReadError> {
        shared.board.check()?;
        let key = shared.board.next_key();
        Ok(Self {
            shared,
            key,
            file,
            bounds,
            options,
            position: 0,
            is_open: false,
            waiting: false,
            seeked: false,
            rest: Bytes::new(),
            pending_read: None,
        })
    }

    /// Which reader it is among those of its torrent, as in [`ReaderView::key`](crate::ReaderView::key).
    #[must_use]
    pub const fn key(&self) -> ReaderKey {
        self.key
    }

    /// The file's length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.bounds.end - self.bounds.start
    }

    /// Whether the file has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the next byte comes from, in bytes of the file.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The file's index in the torrent.
    #[must_use]
    pub const fn file(&self) -> usize {
        self.file
    }

    /// What is held behind its position; `None` where nothing is ever evicted, and before it has read.
    #[must_use]
    pub fn lookbehind(&self) -> Option<LookbehindFigures> {
        self.shared.storage().lookbehind(self.key)
    }

    /// Whether a rewind by `bytes` finds everything held; `None` as for [`Self::lookbehind`].
    #[must_use]
    pub fn is_lookbehind_available(&self, bytes: u64) -> Option<bool> {
        let storage = self.shared.storage();
        storage.is_lookbehind_available(self.key, bytes)
    }

    /// Gives up what lies behind its position: it need not be kept for this reader any longer.
    pub fn clear_lookbehind(&self) {
        self.shared.storage().clear_lookbehind(self.key);
    }

    /// Seeks to another position, at once; past the end there is nothing to read. What only the old position wanted is
    /// not fetched any more.
    pub fn seek_to(&mut self, position: u64) {
        self.rest = Bytes::new();
        self.pending_read = None;
        if position == self.position {
            return;
        }
        self.position = position;
        self.waiting = false;
        if self.is_open {
            self.seeked = true;
            self.tell(0, true);
        }
    }

    /// The next bytes of the file, at most `max` and, in memory, at most a block; none at the end. Waits until they are
    /// there and verified: with their piece or, in a v2 torrent whose peers serve the hashes of blocks, by themselves. Nothing is copied: they are a lease, and count against the memory budget until they are
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`ReadError::Full`] if the options say so, [`ReadError::Torrent`]. Reading again tries again.
    pub async fn next_bytes(&mut self, max: usize) -> Result<Bytes, ReadError> {
        std::future::poll_fn(|context| self.poll_bytes(context, max)).await
    }

    /// Like [`Self::next_bytes`], as a poll function.
    ///
    /// # Errors
    ///
    /// As for [`Self::next_bytes`].
    pub fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Bytes, ReadError>> {
        if !self.rest.is_empty() {
            let bytes = self.rest.split_to(max.min(self.rest.len()));
            self.advance(&bytes);
            return Poll::Ready(Ok(bytes));
        }
        if max == 0 || self.position >= self.len() {
            return Poll::Ready(Ok(Bytes::new()));
        }
        self.open()?;
        if let Some(bytes) = ready!(self.poll_fetch(context))? {
            return Poll::Ready(Ok(self.take(bytes, max)));
        }
        let Some((_, range)) = self.block() else {
            return Poll::Ready(Ok(Bytes::new()));
        };
        let fails_when_full = self.options.when_full == WhenFull::Fail;
        let board = &self.shared.board;
        if let Err(error) = board.wait(self.key, range, context.waker(), fails_when_full) {
            self.waiting = false;
            self.tell(0, false);
            return Poll::Ready(Err(error));
        }
        // It may have come before we were listed as waiting for it.
        if let Some(bytes) = ready!(self.poll_fetch(context))? {
            self.shared.board.stop_waiting(self.key);
            return Poll::Ready(Ok(self.take(bytes, max)));
        }
        if !self.waiting {
            self.waiting = true;
            self.tell(0, true);
        }
        Poll::Pending
    }

    /// The bytes that [`Self::poll_bytes`] waits for are not wanted at present, because those before them have not been
    /// taken: it is not woken any more, and the wait is no stall. Polling again waits again.
    pub fn stop_waiting(&mut self) {
        if self.waiting {
            self.shared.board.stop_waiting(self.key);
            self.waiting = false;
            self.tell(0, true);
        }
    }

    /// Tells the torrent that there is a reader, the first time.
    fn open(&mut self) -> Result<(), ReadError> {
        if !self.is_open {
            let config = ReaderConfig {
                file: self.file,
                bounds: self.bounds.clone(),
                cursor: self.bounds.start + self.position,
                lookbehind: self.options.lookbehind,
                duration: self.options.duration,
            };
            self.shared.board.open(self.key, config)?;
            self.is_open = true;
        }
        Ok(())
    }

    /// The piece and the range of the read that would come next, inside one block of the grid in memory.
    fn block(&self) -> Option<(PieceIndex, BlockRef)> {
        let geometry = &self.shared.geometry;
        let at = self.bounds.start + self.position;
        let piece = geometry.piece_at(at)?;
        let begin = u32::try_from(at - geometry.piece_start(piece)).ok()?;
        let grain = self.shared.storage().read_grain();
        let to_grain_end = grain - begin % grain;
        let to_piece_end = geometry.piece_len(piece) - begin;
        let to_file_end = u32::try_from(self.bounds.end - at).unwrap_or(u32::MAX);
        let len = to_grain_end.min(to_piece_end).min(to_file_end);
        Some((piece, geometry.block(piece.get(), begin, len).ok()?))
    }

    /// The bytes at the position, if they are held.
    fn poll_fetch(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ReadError>> {
        let mut read = match self.pending_read.take() {
            Some(read) => read,
            None => match self.block() {
                Some((_, block)) => self.shared.storage().read_one(block),
                None => return Poll::Ready(Ok(None)),
            },
        };
        match Pin::new(&mut read).poll(context) {
            // The torrent is being opened anew, or is over; the board knows which.
            Poll::Ready(Err(error)) if error.is_closed() => Poll::Ready(Ok(None)),
            Poll::Ready(bytes) => {
                Poll::Ready(bytes.map_err(|error| TorrentError::from(error).into()))
            }
            Poll::Pending => {
                self.pending_read = Some(read);
                Poll::Pending
            }
        }
    }

    fn take(&mut self, mut bytes: Bytes, max: usize) -> Bytes {
        let taken = bytes.split_to(max.min(bytes.len()));
        self.rest = bytes;
        self.advance(&taken);
        taken
    }

    fn advance(&mut self, bytes: &Bytes) {
        let before = self.block().map(|(piece, _)| piece);
        self.position += bytes.len() as u64;
        let crossed = before != self.block().map(|(piece, _)| piece);
        let is_urgent = crossed || self.waiting;
        self.waiting = false;
        self.tell(bytes.len() as u64, is_urgent);
    }

    fn tell(&mut self, consumed: u64, is_urgent: bool) {
        let update = ReaderUpdate {
            cursor: self.bounds.start + self.position.min(self.len()),
            consumed,
            seeked: std::mem::take(&mut self.seeked),
            waiting: self.waiting,
        };
        self.shared.board.update(self.key, update, is_urgent);
    }
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self {
            key: shared.board.next_key(),
            shared,
            file: self.file,
            bounds: self.bounds.clone(),
            options: self.options.clone(),
            position: self.position,
            is_open: false,
            waiting: false,
            seeked: false,
            rest: Bytes::new(),
            pending_read: None,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.is_open {
            self.shared.board.close(self.key);
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.get_mut().poll_bytes(context, buffer.remaining()))?;
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Reader {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => this.len().checked_add_signed(by),
            SeekFrom::Current(by) => this.position.checked_add_signed(by),
        };
        let outside = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a seek before the start of the file",
            )
        };
        this.seek_to(position.ok_or_else(outside)?);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.file)
            .field("position", &self.position)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}
