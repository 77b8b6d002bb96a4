//! Other names for files and folders of a torrent, as its user wants them. What peers agree on stays as it is.

use crate::safe_path::mend;
use crate::{Info, Metainfo, SafePath};

/// Why a file or folder does not get another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// There is no such file or folder.
    #[error("the torrent has no file or folder of this path")]
    Missing,
    /// It cannot be the name of a file.
    #[error("this cannot be the name of a file or folder")]
    Name,
    /// Another file or folder of the torrent has this name, or one that differs only in case.
    #[error("another file or folder of the torrent has this name")]
    Taken,
    /// Symbolic links in it would lead elsewhere.
    #[error("a torrent with symbolic links keeps its names")]
    Links,
}

impl Metainfo {
    /// The same torrent with other names for files and folders, one after the other. Each is named by its path as in
    /// [`FileEntry::path`](crate::FileEntry::path), or the beginning of such a path, after those that came before it.
    ///
    /// # Errors
    ///
    /// When there is no such file or folder, or it cannot have the name.
    pub fn renamed<'a>(
        mut self,
        names: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RenameError> {
        self.outer_mut().info = self.info().renamed(names)?;
        Ok(self)
    }
}

impl Info {
    fn renamed<'a>(
        &self,
        names: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RenameError> {
        let mut inner = self.to_inner();
        if inner.files.iter().any(|file| file.symlink.is_some()) {
            return Err(RenameError::Links);
        }
        for (path, name) in names {
            if mend(name.as_bytes()).as_deref() != Some(name) {
                return Err(RenameError::Name);
            }
            let new = match path.rsplit_once('/') {
                Some((folder, _)) => format!("{folder}/{name}"),
                None => name.to_owned(),
            };
            let (mut found, mut taken) = (false, false);
            let folded = new.to_lowercase();
            for file in &mut inner.files {
                let old = file.path.as_str();
                match below(old, path) {
                    Some(rest) => {
                        found = true;
                        let renamed = format!("{new}{rest}");
                        if file.original_path.is_none() {
                            file.original_path = within(old).map(Into::into);
                        }
                        // It is not to be found under the name that it had.
                        file.raw_path = None;
                        file.path = SafePath::from_mended(renamed);
                    }
                    None => taken |= below(&old.to_lowercase(), &folded).is_some(),
                }
            }
            match (found, taken) {
                (false, _) => return Err(RenameError::Missing),
                (true, true) => return Err(RenameError::Taken),
                (true, false) => {}
            }
            if path == inner.name.as_str() {
                let old = std::mem::replace(&mut inner.name, SafePath::from_mended(new));
                if inner.original_name.is_none() {
                    inner.original_name = Some(old.as_str().into());
                }
            }
        }
        Ok(Self::new(inner))
    }
}

/// What stands behind a file's or folder's path, if the path is that or below it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A path without the torrent's name.
fn within(path: &str) -> Option<&str> {
    path.split_once('/').map(|(_, below)| below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A torrent of three files in two folders, and one of a single file.
    fn torrents() -> (Metainfo, Metainfo) {
        let hashes = "x".repeat(20);
        let several = "d4:infod5:filesld6:lengthi1e4:pathl1:a1:xeed6:lengthi1e4:pathl1:a1:yeed6:lengthi1e4:pathl1:beee\
            4:name4:Show12:piece lengthi16384e6:pieces20:";
        let one = "d4:infod6:lengthi1e4:name4:film12:piece lengthi16384e6:pieces20:";
        let read =
            |text: &str| Metainfo::from_bytes(format!("{text}{hashes}ee").as_bytes()).unwrap();
        (read(several), read(one))
    }

    fn paths(torrent: &Metainfo) -> Vec<&str> {
        let files = torrent.info().files().iter();
        files.map(|file| file.path().as_str()).collect()
    }

    #[test]
    fn files_and_folders_get_other_names_and_the_torrent_stays_the_same() {
        let (show, film) = torrents();
        let names = [
            ("Show/a/x", "z"),
            ("Show/a", "c"),
            ("Show", "New"),
            ("New/c/z", "x"),
        ];
        let renamed = show.clone().renamed(names).unwrap();
        assert_eq!(paths(&renamed), ["New/c/x", "New/c/y", "New/b"]);
        assert_eq!(renamed.info().name(), "New");
        assert_eq!(renamed.info().original_name(), Some("Show"));
        let file = &renamed.info().files()[0];
        // Servers have it under its own name.
        assert_eq!(
            (file.original_path(), file.path_in_torrent()),
            (Some("a/x"), None)
        );
        assert_eq!(renamed.info().info_hashes(), show.info().info_hashes());
        assert_eq!(renamed.to_bytes(), show.to_bytes());
        let renamed = film.renamed([("film", "other.mkv")]).unwrap();
        assert_eq!(
            (paths(&renamed), renamed.info().name()),
            (vec!["other.mkv"], "other.mkv")
        );
        // A name may differ in case alone.
        assert_eq!(
            paths(&show.renamed([("Show/a", "A")]).unwrap())[0],
            "Show/A/x"
        );
    }

    #[test]
    fn names_that_lead_elsewhere_or_are_taken_are_refused() {
        let (show, _) = torrents();
        let refused = |path, name| show.clone().renamed([(path, name)]).unwrap_err();
        for name in ["", ".", "..", "a/b", "a\\b", "a\0", "\u{202e}x", "con"] {
            assert_eq!(refused("Show/b", name), RenameError::Name, "{name:?}");
        }
        for path in ["", "Show/", "/Show", "Show/aa", "Show/c", "how", "../Show"] {
            assert_eq!(refused(path, "z"), RenameError::Missing, "{path:?}");
        }
        for (path, name) in [
            ("Show/b", "a"),
            ("Show/b", "A"),
            ("Show/a", "b"),
            ("Show/a/x", "y"),
        ] {
            assert_eq!(refused(path, name), RenameError::Taken, "{path} {name}");
        }
    }
}
