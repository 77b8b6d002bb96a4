//! Files and folders of a torrent get other names, and its files are looked for in another folder.
//!
//! A torrent knows its files by the names in its metadata; the names that its user gave are kept beside, and put in their place
//! whenever it is added to the session. What is to be renamed is saved before it is, so that a process that is killed in the
//! middle finishes it when it is started anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tailwater_metainfo::Metainfo;
use tailwater_session::{Phase, RemoveOptions, StorageRecord, Torrent};
use tokio::time::timeout;

use super::change::ChangeKind;
use super::entry::{Entry, Run};
use super::error::ControlError;
use super::id::TorrentId;
use super::inspect::read;
use super::service::{Control, Inner};
use super::unload::connected;
use super::upkeep::update;

/// The most names that are kept for a torrent: each is looked for among all files when it is added to the session.
const MAX_NAMES: usize = 256;
/// How long a torrent may take to start, or be checked, before it is renamed: one that was just renamed has just started.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
/// What a file may have behind its name while it is not complete.
const PART: &str = ".part";

/// A file or folder that got another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewName {
    /// Its path before, from the name of the torrent on.
    pub path: String,
    /// The new last part of that.
    pub name: String,
}

impl NewName {
    fn new_path(&self) -> String {
        match self.path.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Control {
    /// Renames a file or a folder of a torrent, on the disk and in all that is said of it; peers know it as before. `path`: from
    /// the name of the torrent on, with `/` between its parts.
    ///
    /// # Errors
    ///
    /// When there is no such torrent or file, the name cannot be one or is taken, the torrent is busy, or the disk fails. Then
    /// nothing was renamed.
    pub async fn rename(
        &self,
        id: TorrentId,
        path: String,
        name: String,
    ) -> Result<(), ControlError> {
        let change = NewName { path, name };
        self.change(id, |inner, entry| async move {
            inner.rename(&entry, change).await
        })
        .await
    }

    /// Looks for a torrent's files in another folder, where they are already: they are checked, and none is moved.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, the folder may not be used, or the torrent is busy.
    pub async fn relocate(&self, id: TorrentId, folder: PathBuf) -> Result<(), ControlError> {
        let folder = self.inner.folder(folder).await?;
        self.change(id, |inner, entry| async move {
            inner.relocate(&entry, folder).await
        })
        .await
    }
}

impl Inner {
    async fn rename(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        change: NewName,
    ) -> Result<(), ControlError> {
        let before = entry.state().options.names.clone();
        let names = joined(&before, change.clone())?;
        let old = self.stored_metainfo(entry).await?;
        let pair = (change.path.as_str(), change.name.as_str());
        let new = old.clone().renamed([pair]);
        let new =
            new.map_err(|error| ControlError::Invalid(format!("{:?}: {error}", change.path)))?;
        let on_disk = entry.folder().filter(|_| !entry.state().is_untouched());
        if let Some(folder) = &on_disk {
            let (old, change, folder) = (old.clone(), change.clone(), folder.clone());
            blocking(move || check(&folder, &old, &change)).await?;
        }
        let was_running = self.step_aside(entry).await?;
        {
            let mut state = entry.state();
            state.options.names = names;
            state.options.renaming = on_disk.is_some().then(|| change.clone());
            new.info().name().clone_into(&mut state.record.name);
        }
        let mut outcome = self.save(entry, None).await.map_err(ControlError::from);
        if let (Ok(()), Some(folder)) = (&outcome, on_disk) {
            let change = change.clone();
            outcome = blocking(move || on_the_disk(&folder, &change)).await;
        }
        if outcome.is_err() {
            let mut state = entry.state();
            state.options.names = before;
            old.info().name().clone_into(&mut state.record.name);
        }
        entry.state().options.renaming = None;
        let saved = self.save(entry, None).await.map_err(ControlError::from);
        self.log.push(Some(entry.id), ChangeKind::Changed);
        let back = match was_running {
            true => self.come_back(entry).await,
            false => Ok(()),
        };
        outcome.and(saved).and(back)
    }

    async fn relocate(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        folder: PathBuf,
    ) -> Result<(), ControlError> {
        if entry.folder().is_none() {
            return Err(ControlError::Conflict(
                "a torrent in memory has no folder".to_owned(),
            ));
        }
        if entry.folder().as_ref() == Some(&folder) {
            return Ok(());
        }
        let is_untouched = entry.state().is_untouched();
        if is_untouched {
            return self.move_untouched(entry, folder).await;
        }
        self.step_aside(entry).await?;
        let shown = folder.to_string_lossy().into_owned();
        entry.state().record.storage = StorageRecord::Folder(folder);
        let saved = self.save(entry, None).await.map_err(ControlError::from);
        self.log
            .push(Some(entry.id), ChangeKind::Moved { folder: shown });
        // One that is paused too: what is there has to be looked at.
        let back = self.come_back(entry).await;
        saved.and(back)
    }

    /// Has a torrent leave the session for a moment; its lock is held by the caller. Whether it was in it.
    pub(super) async fn step_aside(&self, entry: &Entry) -> Result<bool, ControlError> {
        if entry.state().options.moving_to.is_some() {
            return Err(ControlError::Conflict(
                "its files are being moved".to_owned(),
            ));
        }
        if matches!(entry.state().run, Run::Dormant) {
            return Ok(false);
        }
        let torrent = entry.running()?;
        if timeout(SETTLED_WITHIN, settled(torrent.clone()))
            .await
            .is_err()
        {
            let busy = "the torrent is busy: its files are being checked or moved";
            return Err(ControlError::Conflict(busy.to_owned()));
        }
        let peers = connected(&torrent).await;
        // What is known of it is kept in the entry.
        entry.row();
        if let Some(facts) = &mut entry.state().facts {
            facts.keep_peers(&peers);
        }
        entry.set_run(Run::Dormant);
        // Its files stay, whatever it says.
        let _ = torrent.remove(RemoveOptions::default()).await;
        let mut state = entry.state();
        update(&mut state, &torrent);
        state.is_dirty = true;
        Ok(true)
    }

    /// Adds a torrent to the session again. One that cannot be added has failed.
    pub(super) async fn come_back(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
    ) -> Result<(), ControlError> {
        let outcome = match self.stored_file(entry).await {
            Ok(file) => self.activate(entry, Some(file), Vec::new()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            self.fail(entry, error);
        }
        self.queue_changed.notify_one();
        outcome
    }

    /// A process that was killed while it renamed something finishes it.
    pub(super) async fn finish_renaming(&self, entry: &Entry) {
        let (folder, change) = {
            let state = entry.state();
            let change = state.options.renaming.clone();
            (entry_folder(&state.record.storage), change)
        };
        let (Some(folder), Some(change)) = (folder, change) else {
            return;
        };
        match blocking(move || on_the_disk(&folder, &change)).await {
            Ok(()) => entry.state().options.renaming = None,
            // It is tried again at the next start.
            Err(error) => tracing::warn!("torrent {}: {error}", entry.id),
        }
    }
}

impl Entry {
    /// Whether its user has changed what its .torrent file says.
    pub(super) fn has_other_metainfo(&self) -> bool {
        let options = &self.state().options;
        !options.names.is_empty() || options.web_seeds.is_some()
    }

    /// What a .torrent file says, with the names and the web seeds that its user gave.
    pub(super) fn metainfo(&self, file: &[u8]) -> Result<Metainfo, ControlError> {
        let mut metainfo = read(file)?;
        let (names, web_seeds) = {
            let state = self.state();
            (state.options.names.clone(), state.options.web_seeds.clone())
        };
        if let Some(urls) = web_seeds {
            metainfo = metainfo.with_web_seeds(urls);
        }
        if names.is_empty() {
            return Ok(metainfo);
        }
        let pairs = names.iter().map(|it| (it.path.as_str(), it.name.as_str()));
        let renamed = metainfo.renamed(pairs);
        renamed.map_err(|error| ControlError::Invalid(format!("its new names: {error}")))
    }
}

fn entry_folder(storage: &StorageRecord) -> Option<PathBuf> {
    match storage {
        StorageRecord::Folder(folder) => Some(folder.clone()),
        _ => None,
    }
}

/// Waits until a torrent neither starts nor is checked or moved.
async fn settled(mut torrent: Torrent) {
    while matches!(
        torrent.status().phase,
        Phase::Starting | Phase::Checking { .. } | Phase::Moving { .. }
    ) {
        if torrent.changed().await.is_err() {
            return;
        }
    }
}

/// The names with one more. One that goes on from the last takes its place.
fn joined(names: &[NewName], change: NewName) -> Result<Vec<NewName>, ControlError> {
    let mut names = names.to_vec();
    match names.last_mut() {
        Some(last) if last.new_path() == change.path => {
            last.name = change.name;
            let is_back = last.new_path() == last.path;
            if is_back {
                names.pop();
            }
        }
        _ => names.push(change),
    }
    match names.len() > MAX_NAMES {
        true => Err(ControlError::Invalid(format!(
            "a torrent can have at most {MAX_NAMES} other names"
        ))),
        false => Ok(names),
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), ControlError> + Send + 'static,
) -> Result<(), ControlError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ControlError::Closed)?
}

/// Where something is and where it is to be, if it is there. With the name of a part, it may be too.
fn places(folder: &Path, change: &NewName) -> Vec<(PathBuf, PathBuf)> {
    let under = |path: &str| {
        let mut all = folder.to_path_buf();
        all.extend(path.split('/'));
        all
    };
    let (old, new) = (change.path.as_str(), change.new_path());
    [
        (under(old), under(&new)),
        (
            under(&format!("{old}{PART}")),
            under(&format!("{new}{PART}")),
        ),
    ]
    .into()
}

/// Whether something can be renamed.
fn check(folder: &Path, metainfo: &Metainfo, change: &NewName) -> Result<(), ControlError> {
    let refused =
        |path: &Path, why: &str| Err(ControlError::Conflict(format!("{}: {why}", path.display())));
    // Below a link it would be renamed elsewhere.
    let mut above = folder.to_path_buf();
    for part in change
        .path
        .split('/')
        .rev()
        .skip(1)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        above.push(part);
        let is_link = above.symlink_metadata().is_ok_and(|it| !it.is_dir());
        if is_link {
            return refused(&above, "is not a folder");
        }
    }
    for file in metainfo.info().files() {
        let by_another = file.path_in_torrent().map(|path| folder.join(path));
        if let Some(path) = by_another.filter(|path| path.symlink_metadata().is_ok()) {
            return refused(
                &path,
                "has a name that is not safe everywhere, and was made by another program",
            );
        }
    }
    for (old, new) in places(folder, change) {
        if is_there(&old) && is_there(&new) && !is_same(&old, &new) {
            return refused(&new, "is there already");
        }
        // It would be taken for the torrent's.
        if is_there(&new) && !is_same(&old, &new) {
            return refused(&new, "belongs to another program");
        }
    }
    Ok(())
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Where upper and lower case are one, both are names of the same.
fn is_same(old: &Path, new: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(old).is_some_and(|old| real(new) == Some(old))
}

/// Renames what is there. What was renamed already stays so.
fn on_the_disk(folder: &Path, change: &NewName) -> Result<(), ControlError> {
    for (old, new) in places(folder, change) {
        if !is_there(&old) || (is_there(&new) && !is_same(&old, &new)) {
            continue;
        }
        match std::fs::rename(&old, &new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let (old, new) = (old.display(), new.display());
                return Err(ControlError::Conflict(format!(
                    "cannot rename {old} to {new}: {error}"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::control::tests::{hello, start, until_state};
    use crate::control::{AddParams, AddSource, TorrentState};

    fn name(path: &str, name: &str) -> NewName {
        NewName {
            path: path.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_that_follow_each_other_are_one() {
        let one = joined(&[], name("a/b", "c")).unwrap();
        let two = joined(&one, name("a/c", "d")).unwrap();
        assert_eq!(two, [name("a/b", "d")]);
        assert_eq!(joined(&two, name("a/d", "b")).unwrap(), []);
        assert_eq!(joined(&two, name("a", "z")).unwrap().len(), 2);
        let many: Vec<NewName> = (0..MAX_NAMES)
            .map(|it| name(&it.to_string(), "x"))
            .collect();
        assert!(joined(&many, name("y", "z")).is_err());
    }

    async fn seeding(dir: &TempDir) -> (Control, TorrentId) {
        std::fs::create_dir_all(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("data/x"), "hello").unwrap();
        let control = start(dir.path()).await;
        let id = control
            .add(AddSource::TorrentFile(hello()), AddParams::default())
            .await
            .unwrap();
        until_state(&control, id, TorrentState::Seeding).await;
        (control, id)
    }

    #[tokio::test]
    async fn a_file_that_is_seeded_is_renamed_on_the_disk_and_stays_so() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        let data = |name: &str| dir.path().join("data").join(name);
        control
            .rename(id, "x".to_owned(), "y.txt".to_owned())
            .await
            .unwrap();
        assert_eq!(std::fs::read(data("y.txt")).unwrap(), b"hello");
        assert!(!data("x").exists());
        until_state(&control, id, TorrentState::Seeding).await;
        let shown = |control: &Control| control.torrent(id).unwrap().name;
        assert_eq!(shown(&control), "y.txt");
        assert_eq!(control.files(id).await.unwrap()[0].path, "y.txt");
        // What is in the way stays, and nothing changes.
        std::fs::write(data("z"), "mine").unwrap();
        let refused = control.rename(id, "y.txt".to_owned(), "z".to_owned()).await;
        assert!(
            matches!(refused, Err(ControlError::Conflict(_))),
            "{refused:?}"
        );
        let refused = control
            .rename(id, "y.txt".to_owned(), "../z".to_owned())
            .await;
        assert!(
            matches!(refused, Err(ControlError::Invalid(_))),
            "{refused:?}"
        );
        assert_eq!(
            (shown(&control), std::fs::read(data("z")).unwrap()),
            ("y.txt".to_owned(), b"mine".to_vec())
        );
        control.close().await;
        let control = start(dir.path()).await;
        until_state(&control, id, TorrentState::Seeding).await;
        assert_eq!(shown(&control), "y.txt");
        control.remove(id, true).await.unwrap();
        assert!(!data("y.txt").exists());
        control.close().await;
    }

    #[tokio::test]
    async fn a_process_that_was_killed_while_it_renamed_finishes_it() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        let entry = control.inner.entry(id).unwrap();
        {
            let mut state = entry.state();
            state.options.names = vec![name("x", "z")];
            // It is called y by now.
            state.options.renaming = Some(name("y", "z"));
        }
        let data = |name: &str| dir.path().join("data").join(name);
        std::fs::rename(data("x"), data("y")).unwrap();
        control.inner.save(&entry, None).await.unwrap();
        control.close().await;
        let control = start(dir.path()).await;
        until_state(&control, id, TorrentState::Seeding).await;
        assert_eq!(std::fs::read(data("z")).unwrap(), b"hello");
        control.close().await;
    }

    #[tokio::test]
    async fn files_that_are_elsewhere_are_found_there_and_checked() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        let other = dir.path().join("data/other");
        std::fs::create_dir(&other).unwrap();
        control.relocate(id, other.clone()).await.unwrap();
        until_state(&control, id, TorrentState::Downloading).await;
        assert!(dir.path().join("data/x").exists(), "nothing is moved");
        let outside = control.relocate(id, "/etc".into()).await;
        assert!(
            matches!(outside, Err(ControlError::Folder(_))),
            "{outside:?}"
        );
        control.relocate(id, dir.path().join("data")).await.unwrap();
        until_state(&control, id, TorrentState::Seeding).await;
        assert_eq!(control.torrent(id).unwrap().have, 5);
        control.close().await;
    }
}
