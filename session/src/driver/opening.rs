//! Opening a torrent's storage: what is there already, and whether the rest may be written.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Geometry};
use tokio::sync::watch;

use super::saver::Saver;
use crate::error::TorrentError;
use crate::options::DiskChoices;
use crate::status::{Phase, Status};
use crate::storage::Store;
use tailwater_storage::StorageError;
use tailwater_storage_disk::{DiskTorrent, ResumeData, Rooms};

/// Finds out what is there already.
pub(super) struct Opening<'a> {
    pub(super) store: &'a Store,
    pub(super) saver: &'a Saver<'a>,
    pub(super) geometry: Geometry,
    pub(super) choices: DiskChoices,
    /// Paths that may be overwritten.
    pub(super) replaced: Vec<PathBuf>,
    /// Where room on the disk is claimed; `None` if only a part of the torrent may ever be fetched.
    pub(super) rooms: Option<Arc<Rooms>>,
    pub(super) status: &'a watch::Sender<Status>,
}

/// What resume data is worth.
#[derive(Debug, PartialEq, Eq)]
enum Remembered {
    /// There is none: the files may be another program's.
    Nothing,
    /// The files were the torrent's, but have to be checked: another program may have replaced them.
    OurFiles(Box<ResumeData>),
    /// The files are as we left them.
    All,
}

impl Opening<'_> {
    pub(super) async fn open(&self) -> Result<Bitfield, TorrentError> {
        let Store::Disk(disk) = self.store else {
            return Ok(Bitfield::none(&self.geometry));
        };
        let disk = &disk.torrent;
        // Looking comes first: making files would disturb what resume data says of them.
        let remembered = self.adopt(disk).await?;
        if remembered != Remembered::All {
            self.check(disk).await?;
        }
        if !self.choices.seed_only {
            disk.name_complete_files().await?;
        }
        if disk.verified().is_all() && !self.choices.seed_only {
            // What belongs to no piece may be another program's still: a file that should be empty is cut.
            self.refuse_foreign(disk, &remembered).await?;
            // Complete means that nothing is behind the end of a file either.
            disk.look_again().await?;
        }
        // A check takes its time, and another program may have written meanwhile.
        disk.recheck_touched().await?;
        let have = disk.verified();
        match (have.is_all(), self.choices.seed_only) {
            (true, _) => disk.share_when_complete(),
            (false, true) if self.choices.seed_partial && !have.is_none() => {}
            (false, true) => return Err(TorrentError::Incomplete { have }),
            // Seeding needs no right to write.
            (false, false) => self.prepare(disk, &remembered).await?,
        }
        Ok(have)
    }

    /// Gets ready to write, where that destroys nothing.
    async fn prepare(
        &self,
        disk: &DiskTorrent,
        remembered: &Remembered,
    ) -> Result<(), StorageError> {
        disk.check_lock()?;
        self.refuse_foreign(disk, remembered).await?;
        if let Some(rooms) = self.rooms.clone() {
            disk.claim_room(rooms).await?;
        }
        disk.prepare().await?;
        if self.choices.preallocate {
            disk.preallocate().await?;
        }
        // From here on there may be files without a right piece, and they are ours even if this process is killed.
        self.saver.begin().await;
        Ok(())
    }

    /// Refuses to write over files of others, unless the user allows it.
    async fn refuse_foreign(
        &self,
        disk: &DiskTorrent,
        remembered: &Remembered,
    ) -> Result<(), StorageError> {
        let remembered = match remembered {
            Remembered::All => return Ok(()),
            _ if self.choices.overwrite => return Ok(()),
            Remembered::Nothing => None,
            Remembered::OurFiles(data) => Some(ResumeData::clone(data)),
        };
        let replaced = self.replaced.clone();
        disk.refuse_foreign(self.choices.part_names, replaced, remembered)
            .await
    }

    /// Takes over what an earlier run left, if the files are as it left them.
    async fn adopt(&self, disk: &DiskTorrent) -> Result<Remembered, StorageError> {
        let Some(resume) = self.saver.resume else {
            return Ok(Remembered::Nothing);
        };
        match resume.load(disk.key()).await {
            Ok(Some(data)) if !self.choices.recheck => match disk.adopt(&data).await? {
                true => Ok(Remembered::All),
                false => Ok(Remembered::OurFiles(Box::new(data))),
            },
            Ok(Some(data)) => Ok(Remembered::OurFiles(Box::new(data))),
            Ok(None) => Ok(Remembered::Nothing),
            Err(error) => {
                tracing::warn!("resume data is of no use, checking the files instead: {error}");
                // It does not say which files are ours, so none of another program may be lost.
                Ok(Remembered::Nothing)
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
