//! Which folders a caller may name: those below the configured ones.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::ControlError;

/// The longest path that is taken, in bytes: that of Linux.
const MAX_PATH_LEN: usize = 4_096;

/// The configured folders.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// Where torrents go if nothing else is said, and what relative paths are below.
    data: PathBuf,
    /// All that may be named, with `data`.
    allowed: Vec<PathBuf>,
}

impl Folders {
    /// Makes the data folder if need be.
    pub(super) fn new(data: &Path, more: &[PathBuf]) -> io::Result<Self> {
        std::fs::create_dir_all(data)?;
        let data = std::path::absolute(data)?;
        let mut allowed = vec![data.clone()];
        for folder in more {
            allowed.push(std::path::absolute(folder)?);
        }
        Ok(Self { data, allowed })
    }

    /// Where torrents go if nothing else is said.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The folder that a caller means. It need not exist. It touches the disk.
    ///
    /// # Errors
    ///
    /// When it is not below a configured one, also by a symbolic link.
    pub(super) fn resolve(&self, named: &Path) -> Result<PathBuf, ControlError> {
        let refused = |why: &str| {
            let folder = named.display();
            ControlError::Folder(format!("the folder {folder} cannot be used: {why}"))
        };
        let is_plain = |part: Component<'_>| {
            !matches!(part, Component::ParentDir)
                && !part.as_os_str().as_encoded_bytes().contains(&0)
        };
        if named.as_os_str().len() > MAX_PATH_LEN {
            return Err(ControlError::Folder(
                "the folder's path is too long".to_owned(),
            ));
        }
        if !named.components().all(is_plain) {
            return Err(refused("it has .. or a NUL in it"));
        }
        let folder = self.data.join(named);
        let real = real(&folder).map_err(|error| refused(&error.to_string()))?;
        let is_below = |allowed: &PathBuf| {
            // It need not exist either: it is made with what is put into it.
            let allowed = self::real(allowed);
            allowed.is_ok_and(|allowed| real.starts_with(allowed))
        };
        match self.allowed.iter().any(is_below) {
            true => Ok(folder),
            false => Err(refused(
                "it is not below a folder that the daemon was given",
            )),
        }
    }
}

/// A path without symbolic links, of which the last parts need not exist.
fn real(path: &Path) -> io::Result<PathBuf> {
    for ancestor in path.ancestors() {
        match std::fs::canonicalize(ancestor) {
            Ok(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                return Ok(real.join(rest));
            }
            // A link that leads nowhere is not followed to what may be made there later.
            Err(error) if std::fs::symlink_metadata(ancestor).is_ok() => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_configured_folders_can_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let (data, more) = (dir.path().join("data"), dir.path().join("more"));
        std::fs::create_dir(&more).unwrap();
        let later = dir.path().join("later");
        let folders = Folders::new(&data, &[more.clone(), later.clone()]).unwrap();
        let ok = |path: &str| folders.resolve(Path::new(path)).unwrap();
        assert_eq!(ok(""), data.join(""));
        assert_eq!(ok("films/new"), data.join("films/new"));
        assert_eq!(ok(more.join("x").to_str().unwrap()), more.join("x"));
        assert_eq!(ok(data.to_str().unwrap()), data);
        assert_eq!(ok(later.join("x").to_str().unwrap()), later.join("x"));
        let above = dir.path().to_str().unwrap().to_owned();
        let beside = format!("{above}/database");
        for path in ["..", "a/../../b", "/", "/etc", &above, &beside, "a\0b"] {
            let refused = folders.resolve(Path::new(path));
            assert!(
                matches!(refused, Err(ControlError::Folder(_))),
                "{path}: {refused:?}"
            );
        }
        let long = "a/".repeat(MAX_PATH_LEN);
        assert!(folders.resolve(Path::new(&long)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let folders = Folders::new(&data, &[]).unwrap();
        std::os::unix::fs::symlink(dir.path(), data.join("out")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("later"), data.join("dangling")).unwrap();
        std::fs::create_dir(data.join("real")).unwrap();
        std::os::unix::fs::symlink(data.join("real"), data.join("in")).unwrap();
        assert!(folders.resolve(Path::new("out")).is_err());
        assert!(folders.resolve(Path::new("out/x")).is_err());
        assert!(folders.resolve(Path::new("dangling")).is_err());
        assert!(folders.resolve(Path::new("in/x")).is_ok());
    }
}
