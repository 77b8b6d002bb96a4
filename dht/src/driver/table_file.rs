//! Saves a node's routing table to a file, and loads it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::Dht;
use crate::{MAX_SAVED_LEN, SavedTable};

/// How many names are tried for a temporary file. One that exists is another writer's, or was left by a killed process.
const MAX_ATTEMPTS: u32 = 1_000;

/// Reads what [`Dht::save_table`] wrote; `None` if there is no such file.
///
/// # Errors
///
/// When it cannot be read, or is something else ([`InvalidData`](io::ErrorKind::InvalidData)). Neither should keep a
/// node from starting: it does not need the table.
pub async fn load_table(path: &Path) -> io::Result<Option<SavedTable>> {
    let path = path.to_owned();
    spawn_blocking(move || load(&path)).await?
}

impl Dht {
    /// Saves the node's [table](Self::saved) to a file, and creates its folder if need be. The file is replaced
    /// atomically. A table without nodes is not saved, and does not replace one.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or the node has been closed.
    pub async fn save_table(&self, path: &Path) -> io::Result<()> {
        let table = self.saved().await.map_err(io::Error::other)?;
        if table.nodes.is_empty() {
            return Ok(());
        }
        let (path, bytes) = (path.to_owned(), table.to_bytes());
        spawn_blocking(move || save(path, &bytes)).await?
    }
}

fn load(path: &Path) -> io::Result<Option<SavedTable>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that a longer file is refused and not cut.
    file.take(u64::from(MAX_SAVED_LEN) + 1)
        .read_to_end(&mut bytes)?;
    let table = SavedTable::from_bytes(&bytes);
    let table = table.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some(table))
}

fn save(path: PathBuf, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let (file, temporary) = create_beside(folder)?;
    let outcome = write(file, bytes).and_then(|()| fs::rename(&temporary, path));
    if outcome.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

/// Creates a file with a name of its own: several nodes of one user, in one process or several, may end at the same time.
fn create_beside(folder: &Path) -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let process = std::process::id();
    let mut number = 0;
    loop {
        let path = folder.join(format!(".dht-table-{process}-{number}.tmp"));
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MAX_ATTEMPTS => {
                number += 1;
            }
            created => return created.map(|file| (file, path)),
        }
    }
}

fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    // No fsync: it may take seconds, and a node can do without its table.
    file.write_all(bytes)
}
