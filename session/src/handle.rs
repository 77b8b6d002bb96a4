//! The handle of one torrent in a session.

use std::net::SocketAddr;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Info, InfoHash, PieceIndex};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::driver::message::{Request, TorrentMessage};
use crate::error::TorrentError;
use crate::options::priorities;
use crate::reader::options::{ReadError, ReaderOptions};
use crate::reader::{self, Reader};
use crate::status::{Phase, Status};
use crate::torrent::{BufferMap, PeerStats, Priority, Source, Stats};

/// A torrent in a session; clones name the same one.
///
/// A handle that outlives its torrent is harmless: whatever it asks for is [`TorrentError::Closed`]. What is asked of a
/// torrent that could not start is refused with the reason, as in [`Phase::Failed`].
#[derive(Clone, Debug)]
pub struct Torrent {
    pub(crate) info_hash: InfoHash,
    pub(crate) info: Arc<Info>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) closing: CancellationToken,
    pub(crate) reading: Arc<reader::Shared>,
}

impl Torrent {
    /// Its name on the wire.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// Its info dictionary.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// What it is doing, and its numbers; at most 200 ms old.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Its numbers; at most 200 ms old.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.status.borrow().stats
    }

    /// Waits until its status changes and returns the new one.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`] when it will not change any more.
    pub async fn changed(&mut self) -> Result<Status, TorrentError> {
        self.status
            .changed()
            .await
            .map_err(|_| TorrentError::Closed)?;
        Ok(self.status.borrow_and_update().clone())
    }

    /// Waits until every wanted piece is held and verified.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// When the torrent cannot go on: its storage failed, or it was closed.
    pub async fn wait_complete(&self) -> Result<(), TorrentError> {
        let mut status = self.status.clone();
        let settled = |status: &Status| {
            matches!(
                status.phase,
                Phase::Complete | Phase::Failed(_) | Phase::Closed
            )
        };
        let settled = status
            .wait_for(settled)
            .await
            .map_err(|_| TorrentError::Closed)?;
        match &settled.phase {
            Phase::Failed(error) => Err(error.clone()),
            Phase::Closed => Err(TorrentError::Closed),
            _ => Ok(()),
        }
    }

    /// Its connected peers.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn peers(&self) -> Result<Vec<PeerStats>, TorrentError> {
        self.ask(Request::Peers).await
    }

    /// The pieces it holds.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn have(&self) -> Result<Bitfield, TorrentError> {
        self.ask(Request::Have).await
    }

    /// Reads a file, by its index in [`Info::files`], while it downloads. There may be several readers, of one file or
    /// of more; each has its share of the memory budget.
    ///
    /// # Errors
    ///
    /// [`ReadError::NoSuchFile`], [`ReadError::PadFile`]; [`ReadError::Torrent`] when it failed or is closed.
    pub fn reader(&self, file: usize, options: ReaderOptions) -> Result<Reader, ReadError> {
        let files = self.info.files();
        let entry = files.get(file).ok_or(ReadError::NoSuchFile {
            index: file,
            count: files.len(),
        })?;
        if entry.is_pad() {
            return Err(ReadError::PadFile { index: file });
        }
        let bounds = entry.offset()..entry.offset() + entry.length();
        Reader::new(Arc::clone(&self.reading), file, bounds, options)
    }

    /// The live picture of its buffer: pieces, readers, budget. It names every piece: for a display.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn buffer(&self) -> Result<BufferMap, TorrentError> {
        self.ask(Request::Buffer).await
    }

    /// Tries to connect to these addresses, for as long as the torrent runs.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn add_peers(&self, addrs: Vec<SocketAddr>) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Candidates(Source::User, addrs))
            .await
    }

    /// Stops requesting and connecting; connections stay, and uploads go on.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn pause(&self) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Pause)).await
    }

    /// Goes on after a pause, or tries again after its storage failed.
    ///
    /// # Errors
    ///
    /// When it is closed or the storage refuses still.
    pub async fn resume(&self) -> Result<(), TorrentError> {
        self.ask(Request::Resume).await?
    }

    /// Says how much each file is wanted, by its index in [`Info::files`]; those not named are wanted as usual.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_file_priorities(
        &self,
        files: &[(usize, Priority)],
    ) -> Result<(), TorrentError> {
        let of_file = |file| {
            let chosen = files.iter().rev().find(|(index, _)| *index == file);
            chosen.map_or(Priority::Normal, |(_, priority)| *priority)
        };
        let count = self.info.files().len();
        let wanted = (0..count)
            .map(|file| of_file(file) > Priority::Skip)
            .collect();
        let request = Request::Files(wanted, priorities(&self.info, of_file));
        self.send(TorrentMessage::Request(request)).await
    }

    /// Says how much some pieces are wanted.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_piece_priorities(
        &self,
        pieces: Vec<(PieceIndex, Priority)>,
    ) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Priorities(pieces)))
            .await
    }

    /// Fetches pieces in order, or rarest first.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_sequential(&self, sequential: bool) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Sequential(sequential)))
            .await
    }

    /// Takes it out of the session: its trackers hear of it, its connections end, its files stay. So does its resume data,
    /// so that adding it again needs no check; the session removes that when the files are gone or after 90 days. Returns when all
    /// that is done.
    pub async fn remove(&self) {
        self.closing.cancel();
        let mut status = self.status.clone();
        // An error means that its task has ended already.
        let _ = status
            .wait_for(|status| status.phase == Phase::Closed)
            .await;
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, TorrentError> {
        let (answer, answered) = oneshot::channel();
        self.send(TorrentMessage::Request(request(answer))).await?;
        answered.await.map_err(|_| self.refusal())
    }

    async fn send(&self, message: TorrentMessage) -> Result<(), TorrentError> {
        self.messages
            .send(message)
            .await
            .map_err(|_| self.refusal())
    }

    /// Why nothing is answered. A torrent that could not start has said so before it refused anything.
    fn refusal(&self) -> TorrentError {
        match &self.status.borrow().phase {
            Phase::Failed(error) => error.clone(),
            _ => TorrentError::Closed,
        }
    }
}
