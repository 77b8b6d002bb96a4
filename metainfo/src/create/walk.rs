//! Finding the files of a folder.

use super::{CreateError, io_error};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// A file to put into a torrent.
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// Its path inside the folder.
    pub(super) components: Vec<String>,
    pub(super) length: u64,
}

/// What a path holds.
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    pub(super) empty_folders: Vec<PathBuf>,
    pub(super) is_folder: bool,
}

/// A folder whose entries are being visited.
struct Open {
    /// Without symlinks, to notice one that leads back.
    real: PathBuf,
    entries: VecDeque<(String, PathBuf)>,
}

/// The files under `path`, sorted by the bytes of their names, folder by folder; symlinks are followed.
pub(super) fn walk(path: &Path) -> Result<Found, CreateError> {
    let metadata = fs::metadata(path).map_err(io_error("open", path))?;
    let mut found = Found {
        files: Vec::new(),
        empty_folders: Vec::new(),
        is_folder: metadata.is_dir(),
    };
    if !metadata.is_dir() {
        found.files.push(file(path, Vec::new(), &metadata)?);
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
        let metadata = fs::metadata(&path).map_err(io_error("open", &path))?;
        names.push(name);
        if !metadata.is_dir() {
            found.files.push(file(&path, names.clone(), &metadata)?);
            names.pop();
            continue;
        }
        let inner = list(&path)?;
        if open.iter().any(|outer| outer.real == inner.real) {
            return Err(CreateError::Loop(path));
        }
        if inner.entries.is_empty() {
            found.empty_folders.push(path);
        }
        open.push(inner);
    }
    Ok(found)
}

fn list(path: &Path) -> Result<Open, CreateError> {
    let real = path.canonicalize().map_err(io_error("open", path))?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error("list", path))? {
        let path = entry.map_err(io_error("list", path))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        entries.push((
            name.ok_or_else(|| CreateError::NotUtf8(path.clone()))?,
            path,
        ));
    }
    entries.sort();
    Ok(Open {
        real,
        entries: entries.into(),
    })
}

fn file(
    path: &Path,
    components: Vec<String>,
    metadata: &fs::Metadata,
) -> Result<FoundFile, CreateError> {
    if !metadata.is_file() {
        return Err(CreateError::NotAFile(path.to_owned()));
    }
    Ok(FoundFile {
        path: path.to_owned(),
        components,
        length: metadata.len(),
    })
}
