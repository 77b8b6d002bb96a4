//! The database: SQLite, on a thread of its own.
//!
//! Each call is a transaction that is on the disk when it returns, so that a killed process loses nothing that was answered.
//! The runtime never waits for the disk: calls go through a bounded queue to the thread that owns the connection.

mod labels;
mod logins;
mod schema;
mod settings;
mod tokens;
mod torrents;

use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

pub(crate) use logins::LoginRow;
pub use tokens::TokenRow;
pub use torrents::{Figures, TorrentOptions, TorrentRow};

/// Calls that wait for the thread; further callers wait for room in the queue.
const QUEUE_LEN: usize = 64;
/// How long a call waits while another process, such as one that makes a token, writes.
const BUSY_FOR: Duration = Duration::from_secs(5);
/// The name of the database in the state folder.
const FILE_NAME: &str = "daemon.db";

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Why the database does not do what it should. The daemon goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. What was to be saved is not.
    #[error("the disk that has {} is full", path.display())]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The database was made by a later version of the program.
    #[error(
        "{} was made by a later version of tailwater (schema {found}, this one knows {known})",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that is known.
        known: i64,
    },
    /// Something else.
    #[error("{}: {reason}", path.display())]
    Failed {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The thread has ended.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Failed {
                path,
                reason: error.to_string(),
            },
        }
    }
}

/// The database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Store {
    /// Opens the database in a folder, which is made if need be, and brings its schema up to date. It blocks.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is no database of ours, or is one of a later version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let failed = |error: &io::Error| StoreError::Failed {
            path: path.clone(),
            reason: error.to_string(),
        };
        make_private(dir).map_err(|error| failed(&error))?;
        let mut connection = schema::open(&path)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_LEN);
        let thread = thread::Builder::new().name("database".to_owned());
        let spawned = thread.spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
            // The last connection that is closed folds the log into the database; what cannot be folded stays in the log.
            drop(connection);
        });
        spawned.map_err(|error| failed(&error))?;
        Ok(Self { jobs, path })
    }

    /// Runs something on the thread, and waits for it.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, it may or may not be done.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that has gone does not want the answer.
            let _ = answer.send(work(connection));
        });
        let sent = self.jobs.send(job).await;
        sent.map_err(|_| StoreError::Closed)?;
        let done = answered.await.map_err(|_| StoreError::Closed)?;
        done.map_err(|error| StoreError::of(&self.path, &error))
    }

    /// Waits until everything that was asked before is done, and folds the log into the database.
    ///
    /// # Errors
    ///
    /// When that fails; nothing is lost then.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.run(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })
        .await
    }
}

/// Makes a folder that others cannot look into, if it is not there: links and folders of torrents are the user's alone.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// A number as SQLite has it.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that SQLite had; what is negative was not written by us.
fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_session::TorrentRecord;

    fn row(name: &str) -> TorrentRow {
        let mut record = TorrentRecord::default();
        record.info_hash = name.to_owned();
        TorrentRow {
            number: 0,
            record,
            labels: Vec::new(),
            queue_position: 1,
            options: TorrentOptions::default(),
            added: 0,
            figures: Figures::default(),
            facts: None,
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_loses_nothing_that_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let small = store.add_torrent(row("a"), Some(vec![1; 100])).await;
        assert_eq!(small, Ok(Some(1)));
        // No page more than there are: SQLite says the same as on a full disk.
        let limit = |pages: u32| {
            store.run(move |connection| {
                connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            })
        };
        limit(1).await.unwrap();
        let large = store.add_torrent(row("b"), Some(vec![2; 1_000_000])).await;
        assert!(matches!(large, Err(StoreError::Full { .. })), "{large:?}");
        let (rows, _) = store.torrents().await.unwrap();
        assert_eq!(rows.len(), 1);
        // It goes on when there is room again.
        limit(100_000).await.unwrap();
        let large = store.add_torrent(row("b"), Some(vec![2; 1_000_000])).await;
        assert!(matches!(large, Ok(Some(_))), "{large:?}");
        let files = store.torrent_file(1).await.unwrap();
        assert_eq!(files, Some(vec![1; 100]));
    }

    #[tokio::test]
    async fn another_process_may_write_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let stores = [dir.path(), dir.path()].map(|dir| Store::open(dir).unwrap());
        let writing = stores.iter().enumerate().map(|(at, store)| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    let name = format!("{at}-{number}");
                    store.add_torrent(row(&name), None).await.unwrap().unwrap();
                }
            })
        });
        for writer in writing.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(stores[0].torrents().await.unwrap().0.len(), 40);
    }
}
