//! The temporary folder of a command: removed at its end, and, if the process was killed, by the next such command.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::CliError;
use crate::interrupt::Interrupt;

/// A file that is locked as long as its command runs. The system unlocks it when the process ends, however that happens.
const LOCK: &str = "lock";
/// How often to try again: between creation and locking, another command may take the folder for one of a killed process.
const ATTEMPTS: usize = 8;

/// A locked folder for temporary files.
pub(crate) struct Folder {
    dir: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one in `root` whose name begins with `prefix`, and removes those of killed commands with that prefix.
    pub(crate) fn new(interrupt: &Interrupt, root: &Path, prefix: &str) -> Result<Self, CliError> {
        remove_stale(root, prefix);
        let failed = || CliError::io("make a folder in", root);
        for _ in 0..ATTEMPTS {
            let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(root);
            let dir = dir.map_err(failed())?;
            // Before there is anything in it.
            interrupt.remove_at_end(dir.path());
            if let Some(lock) = lock(dir.path()).map_err(failed())? {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(failed()(io::ErrorKind::ResourceBusy.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Locks a new folder, unless another command is removing it.
fn lock(dir: &Path) -> io::Result<Option<File>> {
    let path = dir.join(LOCK);
    let file = match File::create_new(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.try_lock() {
        Ok(()) => Ok(path.exists().then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: other commands find none there either, and remove nothing.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Removes what killed commands of the same user have left. What cannot be removed is left to the system.
fn remove_stale(root: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(prefix)) {
            remove_if_stale(&entry.path());
        }
    }
}

fn remove_if_stale(dir: &Path) {
    let Some(lock) = lock_of(dir) else { return };
    let Ok(file) = File::options().write(true).open(lock) else {
        return;
    };
    // Held until the folder is gone, so that no other command does the same.
    if file.try_lock().is_ok() {
        drop(fs::remove_dir_all(dir));
    }
}

/// The lock of such a folder: nothing that only looks like one, and nothing of another user's.
fn lock_of(dir: &Path) -> Option<PathBuf> {
    let lock = dir.join(LOCK);
    let (folder, file) = (
        fs::symlink_metadata(dir).ok()?,
        fs::symlink_metadata(&lock).ok()?,
    );
    (folder.is_dir() && file.is_file() && is_ours(&folder)).then_some(lock)
}

#[cfg(unix)]
fn is_ours(folder: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    folder.uid() == rustix::process::geteuid().as_raw()
}

/// Each user has a folder for temporary files of their own.
#[cfg(not(unix))]
const fn is_ours(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_command_left_goes_and_a_running_ones_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = |name: &str, has_lock: bool| {
            let dir = root.path().join(name);
            fs::create_dir_all(dir.join("tailwater-demo/extras")).expect("folders");
            if has_lock {
                fs::write(dir.join(LOCK), b"").expect("a file");
            }
            dir
        };
        let dead = folder("tailwater-demo-dead", true);
        let kept = [
            folder("tailwater-demo-foreign", false),
            folder("another", true),
            folder("tailwater-demo-alive", false),
        ];
        let alive = lock(&kept[2]).expect("a file").expect("a lock");
        remove_stale(root.path(), "tailwater-demo-");
        assert!(!dead.exists());
        assert!(kept.iter().all(|dir| dir.exists()));
        drop(alive);
        remove_stale(root.path(), "tailwater-demo-");
        assert!(!kept[2].exists() && kept[1].exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_folder_of_ours() {
        let root = tempfile::tempdir().expect("a folder");
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        fs::write(elsewhere.join(LOCK), b"").expect("a file");
        let link = root.path().join("tailwater-demo-link");
        std::os::unix::fs::symlink(&elsewhere, link).expect("a link");
        remove_stale(root.path(), "tailwater-demo-");
        assert!(elsewhere.join(LOCK).exists());
    }
}
