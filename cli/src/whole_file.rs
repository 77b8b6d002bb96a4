//! Writes files atomically: whole or not at all.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::CliError;

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced, and keeps its permissions.
    Replace,
    /// It stays, and nothing is written.
    Keep,
}

/// Writes a file under another name and renames it, so that it is whole at any time, also when the process is killed.
///
/// A link is followed, so that it stays one; a device or pipe, which nothing can take the place of, is written to.
pub(crate) fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), CliError> {
    let failed = || CliError::io("write", path);
    let found = fs::metadata(path).ok();
    if found.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(failed()(ErrorKind::IsADirectory.into()));
    }
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        return fs::write(path, bytes).map_err(failed());
    }
    let permissions = found.map(|found| found.permissions());
    let target = match permissions {
        Some(_) => path.canonicalize().map_err(failed())?,
        None => path.to_owned(),
    };
    let mut file = beside(&target, permissions).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    let persisted = match existing {
        Existing::Replace => file.persist(&target),
        Existing::Keep => file.persist_noclobber(&target),
    };
    match persisted {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
            Err(CliError::Exists(path.to_owned()))
        }
        Err(refused) => Err(failed()(refused.error)),
    }
}

/// Finds out, before there is something to write, whether it could be written: leaves nothing.
pub(crate) fn check(path: &Path) -> Result<(), CliError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            Err(CliError::io("write", path)(ErrorKind::IsADirectory.into()))
        }
        Ok(found) if !found.is_file() => Ok(()),
        Ok(_) => {
            let target = path.canonicalize().map_err(CliError::io("write", path))?;
            beside(&target, None)
                .map(drop)
                .map_err(CliError::io("write", path))
        }
        Err(_) => beside(path, None)
            .map(drop)
            .map_err(CliError::io("write", path)),
    }
}

/// A temporary file in the folder of another, with its permissions, or with those of a new file.
fn beside(path: &Path, permissions: Option<Permissions>) -> std::io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tailwater-");
    // Temporary files are for their owner only; these are to be passed on, as far as the umask allows.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a");
        write(&path, b"one", Existing::Keep).expect("a new file");
        let kept = write(&path, b"two", Existing::Keep);
        assert!(matches!(kept, Err(CliError::Exists(_))), "{kept:?}");
        assert_eq!(fs::read(&path).expect("a file"), b"one");
        check(&path).expect("a file that can be replaced");
        write(&path, b"two", Existing::Replace).expect("a file that was replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
        let entries = fs::read_dir(dir.path()).expect("a folder").count();
        assert_eq!(entries, 1, "nothing else is left");
        assert!(write(dir.path(), b"", Existing::Replace).is_err());
        assert!(check(&dir.path().join("no/a")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_permissions_too() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().expect("a folder");
        let (path, link) = (dir.path().join("a"), dir.path().join("link"));
        fs::write(&path, b"one").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("permissions");
        symlink("a", &link).expect("a link");
        write(&link, b"two", Existing::Replace).expect("a file");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // A device is not replaced by a file.
        write(Path::new("/dev/null"), b"gone", Existing::Replace).expect("a device");
        assert!(!fs::metadata("/dev/null").expect("a device").is_file());
    }
}
