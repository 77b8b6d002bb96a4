//! Path claims: which files belong to which torrent of a session.
//!
//! Two torrents may name the same file. If both wrote to it, each would destroy what the other has verified, and ban
//! the honest peers that sent it. So a torrent claims the paths of its files before it looks at them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// The use that a torrent makes of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It may write to them: it has them for itself.
    Write,
    /// It only reads them, as others may.
    Read,
}

/// The paths that are claimed by the torrents of a session.
#[derive(Debug, Default)]
pub(crate) struct ClaimedPaths {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owners: HashMap<PathBuf, Owners>,
    last_claim: u64,
}

#[derive(Debug)]
struct Owners {
    usage: Use,
    /// The claims, with the names of their torrents.
    claims: Vec<(u64, Arc<str>)>,
}

/// The error of a path that another torrent uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathTaken {
    /// The path.
    pub path: PathBuf,
    /// The other torrent's name.
    pub by: String,
}

impl ClaimedPaths {
    /// Claims paths for a torrent: all of them, or none.
    ///
    /// # Errors
    ///
    /// With the first path that another torrent uses, unless both only read it.
    pub(crate) fn claim(
        self: &Arc<Self>,
        name: &str,
        usage: Use,
        paths: Vec<PathBuf>,
    ) -> Result<PathClaim, PathTaken> {
        let mut state = self.lock();
        let is_taken = |path: &&PathBuf| {
            let owners = state.owners.get(*path);
            owners.is_some_and(|owners| usage == Use::Write || owners.usage == Use::Write)
        };
        if let Some(path) = paths.iter().find(is_taken) {
            let by = state.owners.get(path).and_then(|it| it.claims.first());
            return Err(PathTaken {
                path: path.clone(),
                by: by.map_or_else(String::new, |(_, name)| name.to_string()),
            });
        }
        state.last_claim += 1;
        let (number, name) = (state.last_claim, Arc::from(name));
        for path in &paths {
            let owners = state.owners.entry(path.clone()).or_insert(Owners {
                usage,
                claims: Vec::new(),
            });
            owners.claims.push((number, Arc::clone(&name)));
        }
        Ok(PathClaim {
            paths,
            number,
            claimed: Arc::clone(self),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// A torrent's claim on its paths, which are free again when it is dropped.
#[derive(Debug)]
pub(crate) struct PathClaim {
    paths: Vec<PathBuf>,
    number: u64,
    claimed: Arc<ClaimedPaths>,
}

impl PathClaim {
    /// The torrent will not write any more: others may read too.
    pub(crate) fn share(&self) {
        let mut state = self.claimed.lock();
        for path in &self.paths {
            if let Some(owners) = state.owners.get_mut(path) {
                owners.usage = Use::Read;
            }
        }
    }
}

impl Drop for PathClaim {
    fn drop(&mut self) {
        let mut state = self.claimed.lock();
        for path in self.paths.drain(..) {
            if let Entry::Occupied(mut owners) = state.owners.entry(path) {
                let claims = &mut owners.get_mut().claims;
                claims.retain(|(number, _)| *number != self.number);
                if claims.is_empty() {
                    owners.remove();
                }
            }
        }
    }
}

/// The canonical path of a folder that may not exist yet: absolute, and without links as far as it exists.
pub(crate) fn canonical(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    for existing in folder.ancestors() {
        if let Ok(found) = existing.canonicalize() {
            return match folder.strip_prefix(existing) {
                Ok(rest) if !rest.as_os_str().is_empty() => found.join(rest),
                _ => found,
            };
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_writer_has_its_paths_for_itself_until_it_is_dropped() {
        let claimed = Arc::new(ClaimedPaths::default());
        let first = claimed
            .claim("one", Use::Write, paths(&["/a", "/b"]))
            .unwrap();
        for usage in [Use::Write, Use::Read] {
            let refused = claimed.claim("two", usage, paths(&["/c", "/b"]));
            assert_eq!(
                refused.unwrap_err(),
                PathTaken {
                    path: "/b".into(),
                    by: "one".to_owned(),
                }
            );
        }
        // What was refused has claimed nothing.
        let other = claimed.claim("three", Use::Write, paths(&["/c"])).unwrap();
        drop((first, other));
        assert!(claimed.lock().owners.is_empty());
    }

    #[test]
    fn readers_share_among_themselves() {
        let claimed = Arc::new(ClaimedPaths::default());
        let one = claimed.claim("one", Use::Read, paths(&["/a"])).unwrap();
        let two = claimed.claim("two", Use::Read, paths(&["/a"])).unwrap();
        let write = || claimed.claim("three", Use::Write, paths(&["/a"]));
        assert_eq!(write().unwrap_err().by, "one");
        drop(one);
        assert_eq!(write().unwrap_err().by, "two");
        drop(two);
        let writer = write().unwrap();
        writer.share();
        assert!(claimed.claim("four", Use::Read, paths(&["/a"])).is_ok());
        assert!(write().is_err());
    }

    #[test]
    fn a_folder_has_one_name_before_and_after_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("deep/er");
        let before = canonical(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(canonical(&folder), before);
        assert_eq!(canonical(&dir.path().join("deep/../deep/er")), before);
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(dir.path().join("deep"), &link).unwrap();
            assert_eq!(canonical(&link.join("er")), before);
        }
    }
}
