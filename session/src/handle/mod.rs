//! The handle of one torrent in a session.

mod files;
mod limits;
mod metadata;
mod trackers;
mod upkeep;
mod web_seeds;

pub use files::FileStatus;
pub use metadata::MetadataFetch;
pub use upkeep::Recheck;

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Info, InfoHash, Metainfo};
use tokio::sync::{oneshot, watch};

use crate::driver::handle::{RunningTorrent, TorrentHandle};
use crate::driver::message::{Request, TorrentMessage};
use crate::error::TorrentError;
use crate::reader::Reader;
use crate::reader::options::{ReadError, ReaderOptions};
use crate::status::{Phase, Status};
use crate::torrent::{BufferMap, PeerSource, PeerStats, Stats};

/// A handle to a torrent in a session. Clones are handles to the same torrent.
///
/// A handle that outlives its torrent is harmless: every request fails with [`TorrentError::Closed`]. Requests to a
/// torrent that could not start fail with the reason, as in [`Phase::Failed`].
#[derive(Clone)]
pub struct Torrent {
    pub(crate) shared: Arc<TorrentHandle>,
    pub(crate) status: watch::Receiver<Status>,
}

impl From<RunningTorrent> for Torrent {
    fn from(RunningTorrent { shared, status }: RunningTorrent) -> Self {
        Self { shared, status }
    }
}

impl fmt::Debug for Torrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Torrent")
            .field("info_hash", &self.shared.info_hash)
            .field("name", &self.info().name())
            .field("phase", &self.status.borrow().phase)
            .finish_non_exhaustive()
    }
}

impl Torrent {
    /// Its name on the wire.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.shared.info_hash
    }

    /// Its info dictionary.
    #[must_use]
    pub fn info(&self) -> &Info {
        self.shared.metainfo.info()
    }

    /// The metainfo that it was added with, info dictionary included. Trackers may have been changed since; see
    /// [`Torrent::trackers`].
    #[must_use]
    pub fn metainfo(&self) -> &Metainfo {
        &self.shared.metainfo
    }

    /// Its phase and its numbers; at most 200 ms old.
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
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
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
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn peers(&self) -> Result<Vec<PeerStats>, TorrentError> {
        self.ask(Request::Peers).await
    }

    /// The pieces that it holds.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
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
        let bounds = self.bounds(file)?;
        Reader::new(Arc::clone(&self.shared.readers), file, bounds, options)
    }

    /// Says that a file will be read soon: a torrent that is read on demand and kept in memory fetches its beginning and its
    /// end, where players look first, and then what follows the beginning, as far as memory is unused. A reader that is
    /// opened comes first.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the file may or may not be fetched.
    ///
    /// # Errors
    ///
    /// [`ReadError::NoSuchFile`], [`ReadError::PadFile`]; [`ReadError::Torrent`] when it failed or is closed.
    pub async fn prefetch(&self, file: usize) -> Result<(), ReadError> {
        let bounds = self.bounds(file)?;
        let request = TorrentMessage::Request(Request::Prefetch(bounds));
        Ok(self.send(request).await?)
    }

    /// The bytes of a file in the torrent.
    fn bounds(&self, file: usize) -> Result<Range<u64>, ReadError> {
        let files = self.info().files();
        let entry = files.get(file).ok_or(ReadError::NoSuchFile {
            index: file,
            count: files.len(),
        })?;
        match entry.is_pad() {
            true => Err(ReadError::PadFile { index: file }),
            false => Ok(entry.offset()..entry.offset() + entry.length()),
        }
    }

    /// Keeps at least this many whole pieces behind the position of each reader, whatever its window covers. Where
    /// nothing is ever evicted it changes nothing.
    pub fn set_lookbehind(&self, pieces: u32) {
        self.shared.readers.storage().set_lookbehind(pieces);
    }

    /// The state of its buffer: pieces, readers, budget. It has an entry for every piece: for a display.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn buffer(&self) -> Result<BufferMap, TorrentError> {
        self.ask(Request::Buffer).await
    }

    /// Tries to connect to this address, for as long as the torrent runs.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the address may or may not have been taken.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn add_peer(&self, addr: SocketAddr) -> Result<(), TorrentError> {
        self.add_peers(vec![addr]).await
    }

    /// Tries to connect to these addresses, for as long as the torrent runs.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, all addresses have been taken or none.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn add_peers(&self, addrs: Vec<SocketAddr>) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Candidates(PeerSource::User, addrs))
            .await
    }

    /// Ends the connections with addresses that the session's filter has now: [`Session::set_ip_filter`](crate::Session::set_ip_filter)
    /// leaves those alone that stand.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, they may or may not end.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn disconnect_filtered(&self) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Filter)).await
    }

    /// Stops requesting and connecting; connections stay, and uploads go on.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the torrent may or may not be paused.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn pause(&self) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Pause)).await
    }

    /// Goes on after a pause, or tries again after its storage failed.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the torrent may go on or not.
    ///
    /// # Errors
    ///
    /// When it is closed or the storage refuses still.
    pub async fn resume(&self) -> Result<(), TorrentError> {
        self.ask(Request::Resume).await?
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
        self.shared
            .messages
            .send(message)
            .await
            .map_err(|_| self.refusal())
    }

    /// Why requests are not answered. A torrent that could not start has said so before it refused anything.
    fn refusal(&self) -> TorrentError {
        match &self.status.borrow().phase {
            Phase::Failed(error) => error.clone(),
            _ => TorrentError::Closed,
        }
    }
}
