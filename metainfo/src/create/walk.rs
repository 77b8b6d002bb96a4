//! Finds the files of a folder, for a new torrent.

use super::links::target;
use super::{CreateError, Symlinks, io_error};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A file to put into a torrent.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// Its path inside the folder.
    pub(super) components: Vec<String>,
    pub(super) length: u64,
    /// Its owner may execute it.
    pub(super) is_executable: bool,
    /// What it points to inside the folder, if it is a symlink that is kept as one.
    pub(super) link: Option<Vec<String>>,
}

impl FoundFile {
    /// Its attributes (BEP 47), if it has any.
    pub(super) const fn attributes(&self) -> Option<&'static str> {
        match (self.is_executable, self.link.is_some()) {
            // As libtorrent has it: the system says of every link that it may be executed.
            (true, true) => Some("xl"),
            (true, false) => Some("x"),
            (false, true) => Some("l"),
            (false, false) => None,
        }
    }
}

/// The result of [`Creator::find`](crate::Creator::find): the files for a new torrent, in their order, and the entries
/// that cannot be shared.
#[derive(Debug)]
pub struct Found {
    pub(super) root: PathBuf,
    pub(super) files: Vec<FoundFile>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) empty_folders: Vec<PathBuf>,
    pub(super) is_folder: bool,
}

impl Found {
    /// The files: their paths inside the folder, with slashes, and their lengths in bytes. The path of a single file is
    /// empty: it has the torrent's name.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (String, u64)> + '_ {
        let file = |file: &FoundFile| (file.components.join("/"), file.length);
        self.files.iter().map(file)
    }

    /// Whether it is a folder, however many files it holds.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// What cannot be shared, in the order in which it was met.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Empty folders, which a torrent cannot represent.
    #[must_use]
    pub fn empty_folders(&self) -> &[PathBuf] {
        &self.empty_folders
    }
}

/// Something that cannot be shared.
#[derive(Debug)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// Why it cannot be shared.
    pub reason: LeftOutReason,
}

/// Why something cannot be shared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeftOutReason {
    /// Its name is not UTF-8, which BEP 3 demands.
    #[error("its name is not UTF-8")]
    NotUtf8,
    /// A symlink that was to be kept leads out of the folder, or to the folder itself.
    #[error("it is a link that leads out of the folder")]
    LeadsOut,
    /// A symlink to something that is not there.
    #[error("it is a link to nothing")]
    DanglingLink,
    /// A symlink leads back to a folder that it is in.
    #[error("it is a link to a folder that it is in")]
    Loop,
    /// A socket, a pipe, a device.
    #[error("it is neither a file nor a folder")]
    NotAFile,
    /// The system refuses to read it.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
}

/// The decision about an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Visit {
    /// It becomes a part of the torrent; a folder, with what is in it.
    Take,
    /// It does not, and neither does what is in it.
    Skip,
    /// The search stops: [`CreateError::Cancelled`].
    Stop,
}

/// A folder whose entries are being visited.
struct Open {
    /// Without symlinks, to notice one that leads back.
    real: PathBuf,
    entries: VecDeque<(OsString, PathBuf)>,
    /// Whether there is nothing in it, rather than nothing that is taken.
    is_empty: bool,
}

/// The files under `path`, sorted by the bytes of their names, folder by folder.
///
/// `visit` is asked about each entry by its path below `path`, and whether it is a folder.
pub(super) fn walk(
    path: &Path,
    symlinks: Symlinks,
    visit: &mut dyn FnMut(&Path, bool) -> Visit,
) -> Result<Found, CreateError> {
    let metadata = fs::metadata(path).map_err(io_error("open", path))?;
    let mut found = Found {
        root: path.to_owned(),
        files: Vec::new(),
        left_out: Vec::new(),
        empty_folders: Vec::new(),
        is_folder: metadata.is_dir(),
    };
    if !metadata.is_dir() {
        // The only one: there is nothing without it.
        found.add(path, &[], &metadata);
        return Ok(found);
    }
    let mut names: Vec<String> = Vec::new();
    let mut open = vec![list(path)?];
    while let Some(folder) = open.last_mut() {
        let Some((name, path)) = folder.entries.pop_front() else {
            open.pop();
            names.pop();
            continue;
        };
        let metadata = match symlinks {
            Symlinks::Follow => fs::metadata(&path),
            Symlinks::Keep => fs::symlink_metadata(&path),
        };
        let is_dir = metadata.as_ref().is_ok_and(Metadata::is_dir);
        let relative = path.strip_prefix(&found.root).unwrap_or(&path);
        match visit(relative, is_dir) {
            Visit::Take => {}
            Visit::Skip => continue,
            Visit::Stop => return Err(CreateError::Cancelled),
        }
        let Ok(name) = name.into_string() else {
            found.leave_out(path, LeftOutReason::NotUtf8);
            continue;
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                let reason = unreadable(&path, error);
                found.leave_out(path, reason);
                continue;
            }
        };
        names.push(name);
        if metadata.is_symlink() {
            found.add_link(&path, &names, &metadata);
            names.pop();
            continue;
        }
        if !is_dir {
            found.add(&path, &names, &metadata);
            names.pop();
            continue;
        }
        match enter(&path, &open) {
            Ok(inner) => {
                if inner.is_empty {
                    found.empty_folders.push(path);
                }
                open.push(inner);
            }
            Err(reason) => {
                found.leave_out(path, reason);
                names.pop();
            }
        }
    }
    Ok(found)
}

impl Found {
    /// Takes a file that can be read.
    fn add(&mut self, path: &Path, components: &[String], metadata: &Metadata) {
        if !metadata.is_file() {
            return self.leave_out(path.to_owned(), LeftOutReason::NotAFile);
        }
        // Reported now, together with the other problems, rather than after an hour of hashing.
        if let Err(error) = File::open(path) {
            return self.leave_out(path.to_owned(), LeftOutReason::Unreadable(error));
        }
        self.files.push(FoundFile {
            path: path.to_owned(),
            components: components.to_vec(),
            length: metadata.len(),
            is_executable: is_executable(metadata),
            link: None,
        });
    }

    /// Takes a symlink that points to something inside the folder, whether that is there or not.
    fn add_link(&mut self, path: &Path, components: &[String], metadata: &Metadata) {
        match target(&self.root, path, components) {
            Ok(link) => self.files.push(FoundFile {
                path: path.to_owned(),
                components: components.to_vec(),
                length: 0,
                is_executable: is_executable(metadata),
                link: Some(link),
            }),
            Err(reason) => self.leave_out(path.to_owned(), reason),
        }
    }

    fn leave_out(&mut self, path: PathBuf, reason: LeftOutReason) {
        self.left_out.push(LeftOut { path, reason });
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
const fn is_executable(_: &Metadata) -> bool {
    false
}

/// Lists a folder, unless it is one of its own parents (a loop of symlinks).
fn enter(path: &Path, open: &[Open]) -> Result<Open, LeftOutReason> {
    let inner = list(path).map_err(|error| match error {
        CreateError::Io { error, .. } => LeftOutReason::Unreadable(error),
        other => LeftOutReason::Unreadable(io::Error::other(other.to_string())),
    })?;
    match open.iter().any(|outer| outer.real == inner.real) {
        true => Err(LeftOutReason::Loop),
        false => Ok(inner),
    }
}

/// Why the target of a path cannot be read.
fn unreadable(path: &Path, error: io::Error) -> LeftOutReason {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    match error.kind() {
        io::ErrorKind::NotFound if is_link => LeftOutReason::DanglingLink,
        _ => LeftOutReason::Unreadable(error),
    }
}

fn list(path: &Path) -> Result<Open, CreateError> {
    let real = path.canonicalize().map_err(io_error("open", path))?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error("list", path))? {
        let entry = entry.map_err(io_error("list", path))?;
        entries.push((entry.file_name(), entry.path()));
    }
    entries.sort();
    Ok(Open {
        real,
        is_empty: entries.is_empty(),
        entries: entries.into(),
    })
}
