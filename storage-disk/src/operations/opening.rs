//! Opens a torrent's files: finds out what is there already, whether the rest may be written, and saves resume data for
//! the next run.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tailwater_metainfo::Metainfo;
use tailwater_storage::{Access, MovedBytes, Progress, Reply, StorageError, Totals};
use tailwater_types::{Bitfield, InfoHash};

use crate::claims::paths::{ClaimedPaths, Use};
use crate::operations::place::Place;
use crate::operations::space::Rooms;
use crate::resume::{ResumeData, ResumeStore};
use crate::system::metadata::is_same_folder;
use crate::torrent::DiskTorrent;

/// The options for a torrent's files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// Look at every byte, whatever the resume data says.
    pub(crate) recheck: bool,
    /// Replace files that hold nothing of the torrent.
    pub(crate) overwrite: bool,
    /// Begin files under the names of parts.
    pub(crate) part_names: bool,
    /// Have the file system keep room for files before they are written.
    pub(crate) preallocate: bool,
    /// Paths that may be overwritten.
    pub(crate) replaced: Vec<PathBuf>,
    /// Folders with files that may be the torrent's.
    pub(crate) reuse: Vec<PathBuf>,
}

/// The options for opening a torrent's files.
pub(crate) struct Opening {
    pub(crate) access: Access,
    pub(crate) choices: Choices,
    /// The store of resume data.
    pub(crate) resume: Option<ResumeStore>,
    /// The room that is claimed on the disk.
    pub(crate) rooms: Arc<Rooms>,
    /// What is needed to relocate the files.
    pub(crate) relocation: Option<Relocation>,
    /// It was found out that the wanted files are the torrent's: they may be written, or nothing is missing.
    pub(crate) owns_files: AtomicBool,
}

/// What is needed to relocate a torrent's files.
pub(crate) struct Relocation {
    /// The torrent's name on the wire.
    pub(crate) info_hash: InfoHash,
    pub(crate) metainfo: Arc<Metainfo>,
    /// Which torrent uses which file.
    pub(crate) paths: Arc<ClaimedPaths>,
}

/// How far resume data can be trusted.
#[derive(Debug, PartialEq, Eq)]
enum Remembered {
    /// There is none: the files may be another program's.
    Nothing,
    /// The files were the torrent's, but have to be checked: another program may have changed them.
    OurFiles(Box<ResumeData>),
    /// The files are as we left them.
    All,
}

impl Opening {
    /// Finds out which pieces are there already, and gets ready to write the rest.
    pub(crate) async fn start(
        &self,
        disk: &DiskTorrent,
        progress: Progress,
    ) -> Result<Bitfield, StorageError> {
        let is_written = self.access != Access::Seed;
        let reused = match is_written {
            true => self.reuse(disk).await?,
            false => 0,
        };
        // Looking comes first: making files would disturb what resume data says of them.
        let remembered = self.adopt(disk).await?;
        if remembered != Remembered::All {
            if let Some(relocation) = &self.relocation {
                disk.learn_layers(&relocation.metainfo).await?;
            }
            disk.check(move |done, total| progress(done, total)).await?;
        }
        if is_written {
            disk.name_complete_files().await?;
        }
        if disk.verified().is_all() && reused > 0 {
            // Nothing is to be written, but empty files and links are to be made.
            disk.prepare().await?;
        }
        if disk.verified().is_all() && is_written {
            // What belongs to no piece may be another program's still: a file that should be empty is cut.
            self.refuse_foreign(disk, &remembered).await?;
            // Complete means that nothing is behind the end of a file either.
            disk.look_again().await?;
        }
        // A check takes its time, and another program may have written meanwhile.
        disk.recheck_touched().await?;
        let have = disk.verified();
        if have.is_all() {
            disk.share_when_complete();
        } else if is_written {
            self.prepare(disk, &remembered).await?;
        }
        if is_written || have.is_all() {
            self.owns_files.store(true, Ordering::Release);
        }
        Ok(have)
    }

    /// Takes files that are elsewhere, instead of downloading them.
    async fn reuse(&self, disk: &DiskTorrent) -> Result<usize, StorageError> {
        let folders = &self.choices.reuse;
        let Some(relocation) = self.relocation.as_ref().filter(|_| !folders.is_empty()) else {
            return Ok(0);
        };
        let (info_hash, metainfo) = (relocation.info_hash, &relocation.metainfo);
        if metainfo.info().info_hashes().v2.is_none() {
            tracing::warn!("no file is reused: a v1 torrent has no hashes of files");
            return Ok(0);
        }
        let reused = disk.reuse(info_hash, metainfo, folders).await?;
        tracing::info!("{reused} files are reused");
        Ok(reused)
    }

    /// Gets ready to write, where that destroys nothing. Seeding needs no right to write.
    async fn prepare(
        &self,
        disk: &DiskTorrent,
        remembered: &Remembered,
    ) -> Result<(), StorageError> {
        disk.check_lock()?;
        self.refuse_foreign(disk, remembered).await?;
        // Only a part of a torrent that is read on demand may ever be fetched.
        if self.access == Access::Download {
            disk.claim_room(Arc::clone(&self.rooms)).await?;
        }
        disk.prepare().await?;
        if self.choices.preallocate {
            disk.preallocate().await?;
        }
        // From here on there may be files without a right piece, and they are ours even if this process is killed.
        self.begin(disk).await;
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
        let replaced = self.choices.replaced.clone();
        disk.refuse_foreign(self.choices.part_names, replaced, remembered)
            .await
    }

    /// Adopts the pieces of an earlier run, if the files are as it left them.
    async fn adopt(&self, disk: &DiskTorrent) -> Result<Remembered, StorageError> {
        let Some(resume) = &self.resume else {
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
                // It does not say which files are ours, so no file of another program may be overwritten.
                Ok(Remembered::Nothing)
            }
        }
    }

    /// A download begins: what is written from now on is the torrent's own. Failing to save it costs a question at the
    /// next start.
    async fn begin(&self, disk: &DiskTorrent) {
        let Some(resume) = &self.resume else {
            return;
        };
        let saved = async {
            let have = disk.verified();
            let mut data = vouch_for_nothing(disk, Totals::default());
            data.have = have.as_bytes().to_vec();
            data.files = disk.untouched_states().await?;
            resume.save(data).await
        };
        if let Err(error) = saved.await {
            // No warning: the first save, within half a minute or at the end, fails in the same way and is told of.
            tracing::info!("resume data is not saved: {error}");
        }
    }

    /// Brings the files to another folder, and what is remembered of them.
    pub(crate) async fn relocate(
        &self,
        disk: &DiskTorrent,
        folder: PathBuf,
        moved: MovedBytes,
    ) -> Result<(), StorageError> {
        let Some(relocation) = &self.relocation else {
            let operation = "be moved to a folder";
            return Err(StorageError::Unsupported { operation });
        };
        disk.flush().await?;
        disk.check_unchanged().await?;
        let info = relocation.metainfo.info();
        let pool = disk.pool();
        let part_names = self.choices.part_names;
        let place = Place::find_in(pool, info, relocation.info_hash, &folder, part_names).await?;
        let to = folder.clone();
        let is_here = disk.run(move |shared| is_same_folder(shared.store.layout().root(), &to));
        // The same folder, also by another way to it, such as a mount.
        if is_here.await? || place.key == *disk.key() {
            return Ok(());
        }
        let paths = &relocation.paths;
        let claim = paths.claim(info.name(), Use::Write, place.paths());
        // Held until this storage is closed and the torrent opened anew.
        let claim = claim.map_err(|taken| StorageError::InUse { path: taken.path })?;
        let (to, info_hash) = (folder.clone(), relocation.info_hash);
        let copy = disk.run(move |shared| {
            let verified = |piece| shared.verified.has(piece);
            shared.store.copy_to(&to, info_hash, verified, &*moved)
        });
        let files = copy.await??;
        if let Some(resume) = &self.resume {
            let data = ResumeData {
                key: place.key,
                have: disk.verified().as_bytes().to_vec(),
                files,
                ..vouch_for_nothing(disk, Totals::default())
            };
            resume.save(data).await?;
        }
        if let Err(error) = self.delete(disk).await {
            // All files are at the new place; what is left at the old one does no harm.
            tracing::warn!("what was moved is left at its old place too: {error}");
        }
        drop(claim);
        Ok(())
    }

    /// Deletes the torrent's files and what is remembered of them. Files that are not known to be the torrent's stay.
    ///
    /// # Errors
    ///
    /// The first failure; [`StorageError::Foreign`] with the files that stay.
    pub(crate) async fn delete(&self, disk: &DiskTorrent) -> Result<(), StorageError> {
        let has_begun = self.owns_files.load(Ordering::Acquire);
        let remembered = match &self.resume {
            // One that cannot be read does not say which files are ours.
            Some(resume) if !has_begun => resume.load(disk.key()).await.unwrap_or_default(),
            _ => None,
        };
        let delete = disk.run(move |shared| {
            let foreign = shared.not_owned(has_begun, remembered)?;
            let verified = |piece| shared.verified.has(piece);
            shared.store.delete(verified, &foreign)
        });
        let deleted = delete.await?;
        if let Some(resume) = &self.resume {
            resume.remove(disk.key()).await?;
        }
        deleted
    }

    /// Saves resume data. Where `patience` ends before the device holds all data, it says that the files have to be
    /// checked.
    pub(crate) async fn save(
        &self,
        disk: &DiskTorrent,
        totals: Totals,
        patience: Reply<()>,
    ) -> Result<(), StorageError> {
        let Some(resume) = &self.resume else {
            return Ok(());
        };
        let saved = save_in(resume, disk, totals, patience).await;
        if saved.as_ref().is_err_and(StorageError::is_changed_file) {
            // What was saved before vouches for what is not there any more.
            let _ = resume.remove(disk.key()).await;
        }
        saved
    }
}

async fn save_in(
    resume: &ResumeStore,
    disk: &DiskTorrent,
    totals: Totals,
    patience: Reply<()>,
) -> Result<(), StorageError> {
    if let Some(data) = saved_before(resume, disk).await? {
        // The device has held it since, and has nothing to be waited for.
        let (uploaded, downloaded) = (totals.uploaded, totals.downloaded);
        let data = ResumeData {
            uploaded,
            downloaded,
            ..data
        };
        return resume.save(data).await;
    }
    let mut data = vouch_for_nothing(disk, totals);
    // What the resume data vouches for has to survive a power failure.
    let synced = async {
        let verified = disk.verified();
        data.files = disk.untouched_states().await?;
        // If the device is too slow, these files are told apart from those of other programs all the same.
        data.unsynced = verified.as_bytes().to_vec();
        disk.sync().await
    };
    match within(patience, synced).await {
        None => tracing::info!("the disk is busy: the files are checked at the next start"),
        Some(synced) => {
            synced?;
            data.unsynced.clear();
            data.have = disk.verified().as_bytes().to_vec();
            data.by_sha1 = disk.by_sha1();
            disk.check_unchanged().await?;
            data.files = disk.untouched_states().await?;
        }
    }
    resume.save(data).await
}

/// What was saved, if the torrent is as it was then. At the end of a session with thousands of torrents, that is so for most:
/// if they waited for the device together, it would not answer all of them in time, and their files would be checked.
async fn saved_before(
    resume: &ResumeStore,
    disk: &DiskTorrent,
) -> Result<Option<ResumeData>, StorageError> {
    disk.check_unchanged().await?;
    let states = disk.untouched_states().await?;
    let (verified, by_sha1) = (disk.verified(), disk.by_sha1());
    // One that cannot be read is replaced.
    let saved = resume.load(disk.key()).await.unwrap_or_default();
    Ok(saved.filter(|saved| {
        let is_synced = saved.unsynced.is_empty();
        let is_same = saved.have == verified.as_bytes() && saved.by_sha1 == by_sha1;
        is_synced && is_same && saved.files == states
    }))
}

/// The outcome of `work`, unless `patience` ends before it.
async fn within<T>(patience: Reply<()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut patience, mut work) = (patience, pin!(work));
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => pin!(&mut patience).poll(context).map(|()| None),
    })
    .await
}

/// Makes resume data that says that the files are the torrent's and have to be checked.
fn vouch_for_nothing(disk: &DiskTorrent, totals: Totals) -> ResumeData {
    ResumeData {
        key: disk.key().clone(),
        top: disk.top(),
        have: Vec::new(),
        unsynced: Vec::new(),
        by_sha1: disk.by_sha1(),
        files: Vec::new(),
        uploaded: totals.uploaded,
        downloaded: totals.downloaded,
    }
}
