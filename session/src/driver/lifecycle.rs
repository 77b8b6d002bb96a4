//! A torrent from being added to being closed: opening its storage, running, saving what was reached.

use std::time::Duration;

use tailwater_metainfo::{Bitfield, InfoHash};
use tokio::sync::watch;

use super::announce::Announcer;
use super::discovery::search::Search;
use super::registry::Registration;
use super::torrent::TorrentTask;
use crate::disk::{DiskTorrent, ResumeData, ResumeStore, StorageError};
use crate::error::TorrentError;
use crate::events::Event;
use crate::status::{Phase, Status};
use crate::storage::Store;
use crate::torrent::{Priority, Stats};

/// Resume data is saved this often while something is being downloaded.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A disk that needs longer to write everything down does not hold up the shutdown.
const SYNC_LIMIT: Duration = Duration::from_secs(1);

/// Everything that belongs to one torrent's life.
pub(crate) struct Life {
    pub(crate) task: TorrentTask,
    pub(crate) announcer: Announcer,
    /// In the DHT; none if that is off or the torrent private.
    pub(crate) search: Option<Search>,
    pub(crate) priorities: Vec<(tailwater_metainfo::PieceIndex, Priority)>,
    pub(crate) resume: Option<ResumeStore>,
    /// Look at every byte, whatever the resume data says.
    pub(crate) recheck: bool,
    /// Write nothing; fail if anything is missing.
    pub(crate) seed_only: bool,
    /// Those that the user named.
    pub(crate) peers: Vec<std::net::SocketAddr>,
    /// The torrent's name in the session, held to the end.
    pub(crate) registration: Registration,
}

impl Life {
    /// Lives it, to the end.
    pub(crate) async fn live(self) {
        let Self {
            task,
            announcer,
            search,
            priorities,
            resume,
            recheck,
            seed_only,
            peers,
            registration,
        } = self;
        let info_hash = task.config.info_hash;
        let (status, events) = (task.status.clone(), task.shared.events.clone());
        let (store, closing) = (task.store.clone(), task.closing.clone());
        let opening = Opening {
            store: &store,
            resume: resume.as_ref(),
            recheck,
            seed_only,
            status: &status,
        };
        let opened = tokio::select! {
            () = closing.cancelled() => None,
            opened = opening.open(&task) => Some(opened),
        };
        match opened {
            None => {}
            Some(Err(error)) => {
                events.send(Event::Failed {
                    info_hash,
                    error: error.clone(),
                });
                status.send_modify(|status| status.phase = Phase::Failed(error));
                task.refuse_everything().await;
            }
            Some(Ok(have)) => {
                events.send(Event::Started {
                    info_hash,
                    have: have.count(),
                    total: have.piece_count(),
                });
                let running = task.start(have, priorities, &peers);
                registration.open();
                let saver = Saver {
                    store: &store,
                    resume: resume.as_ref(),
                    info_hash,
                    status: &status,
                };
                let announcing = tokio::spawn(announcer.run());
                let searching = search.map(|search| tokio::spawn(search.run()));
                let run = async {
                    let ended = running.run().await;
                    drop(ended);
                };
                tokio::join!(run, saver.save_now_and_then(&closing));
                // It has a deadline of its own.
                let _ = announcing.await;
                if let Some(searching) = searching {
                    let _ = searching.await;
                }
                saver.save().await;
            }
        }
        drop(registration);
        store.close().await;
        status.send_modify(|status| {
            status.phase = Phase::Closed;
        });
        events.send(Event::Closed { info_hash });
    }
}

/// Finds out what is there already.
struct Opening<'a> {
    store: &'a Store,
    resume: Option<&'a ResumeStore>,
    recheck: bool,
    seed_only: bool,
    status: &'a watch::Sender<Status>,
}

impl Opening<'_> {
    async fn open(&self, task: &TorrentTask) -> Result<Bitfield, TorrentError> {
        let Store::Disk(disk) = self.store else {
            return Ok(Bitfield::none(&task.geometry));
        };
        let disk = &disk.torrent;
        // Looking comes first: making files would disturb what resume data says of them.
        if self.recheck || !self.adopt(disk, task).await? {
            self.check(disk).await?;
        }
        let have = disk.verified();
        match (have.is_all(), self.seed_only) {
            (true, true) => {}
            // Complete means that nothing is behind the end of a file either.
            (true, false) => {
                disk.look_again().await?;
                disk.share_when_complete();
            }
            (false, true) => return Err(TorrentError::Incomplete { have }),
            // Whoever only seeds needs no right to write.
            (false, false) => disk.prepare().await?,
        }
        Ok(have)
    }

    /// Takes over what an earlier run left, if the files are as it left them.
    async fn adopt(&self, disk: &DiskTorrent, task: &TorrentTask) -> Result<bool, StorageError> {
        let Some(resume) = self.resume else {
            return Ok(false);
        };
        match resume.load(task.config.info_hash).await {
            Ok(Some(data)) => disk.adopt(&data).await,
            Ok(None) => Ok(false),
            Err(error) => {
                tracing::warn!("resume data is of no use, checking the files instead: {error}");
                Ok(false)
            }
        }
    }

    async fn check(&self, disk: &DiskTorrent) -> Result<(), StorageError> {
        let status = self.status.clone();
        let progress = move |done, total| {
            status.send_modify(|status| status.phase = Phase::Checking { done, total });
        };
        disk.check(progress).await?;
        Ok(())
    }
}

/// Saves resume data.
struct Saver<'a> {
    store: &'a Store,
    resume: Option<&'a ResumeStore>,
    info_hash: InfoHash,
    status: &'a watch::Sender<Status>,
}

impl Saver<'_> {
    async fn save_now_and_then(&self, closing: &tokio_util::sync::CancellationToken) {
        let mut saved = self.status.borrow().stats.pieces_have;
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(SAVE_EVERY) => {}
            }
            let have = self.status.borrow().stats.pieces_have;
            if have != saved {
                saved = have;
                self.save().await;
            }
        }
    }

    /// Failing to save costs a check at the next start, nothing else.
    async fn save(&self) {
        let (Store::Disk(disk), Some(resume)) = (self.store, self.resume) else {
            return;
        };
        let stats = self.status.borrow().stats;
        if let Err(error) = save(&disk.torrent, resume, self.info_hash, stats).await {
            tracing::warn!("saving resume data: {error}");
            if error.is_changed_file() {
                // What was saved before vouches for what is not there any more.
                let _ = resume.remove(self.info_hash).await;
            }
        }
    }
}

async fn save(
    disk: &DiskTorrent,
    resume: &ResumeStore,
    info_hash: InfoHash,
    stats: Stats,
) -> Result<(), StorageError> {
    // What the resume data vouches for has to survive a power failure.
    if tokio::time::timeout(SYNC_LIMIT, disk.sync()).await.is_err() {
        tracing::info!("the disk is busy: the files are checked at the next start");
        return resume.remove(info_hash).await;
    }
    let have = disk.verified();
    disk.check_unchanged().await?;
    let data = ResumeData {
        info_hash,
        have: have.as_bytes().to_vec(),
        files: disk.file_states().await?,
        uploaded: stats.uploaded,
        downloaded: stats.downloaded,
    };
    resume.save(data).await
}
