//! A watched folder: what is put into it is added.

use std::fs::{self, DirEntry};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tailwater_metainfo::Limits;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::error::ControlError;
use super::request::{AddParams, AddSource};
use super::service::{Control, Inner};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that was written to more recently may not be whole.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// The most files that are added after one look; the others have to wait.
const MAX_AT_ONCE: usize = 100;
/// What is put behind the name of a file that was added.
const ADDED: &str = "added";
/// What is put behind the name of a file that cannot be.
const REFUSED: &str = "refused";

/// A folder that is watched; see [`Control::watch`].
#[derive(Debug)]
pub struct WatchedFolder {
    stopping: CancellationToken,
}

impl Control {
    /// Adds each .torrent file, and each link in a .magnet file, that is put into a folder, from now to the end. The files are
    /// renamed: `film.torrent.added`, or `film.torrent.refused`, with the reason in the log.
    pub fn watch(&self, dir: PathBuf) -> WatchedFolder {
        let inner = Arc::clone(&self.inner);
        let watched = WatchedFolder {
            stopping: self.inner.closing.child_token(),
        };
        let stopping = watched.stopping.clone();
        let work = async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut failed = None;
            loop {
                ticks.tick().await;
                let told = inner
                    .look_into(&dir)
                    .await
                    .err()
                    .map(|error| error.to_string());
                if let Some(error) = told.as_ref().filter(|_| told != failed) {
                    tracing::warn!("cannot watch {}: {error}", dir.display());
                }
                failed = told;
            }
        };
        self.inner.spawn(async move {
            stopping.run_until_cancelled(work).await;
        });
        watched
    }
}

impl WatchedFolder {
    /// Looks into it no more. Without this it goes on until the daemon is closed.
    pub fn stop(self) {
        self.stopping.cancel();
    }
}

impl Inner {
    async fn look_into(self: &Arc<Self>, dir: &Path) -> io::Result<()> {
        let folder = dir.to_owned();
        let found = tokio::task::spawn_blocking(move || found(&folder)).await;
        for (path, source) in found.map_err(io::Error::other)?? {
            let name = path.display().to_string();
            let added = match source {
                Ok(source) => self.add(source, AddParams::default()).await,
                Err(error) => Err(ControlError::Invalid(error.to_string())),
            };
            let mark = match added {
                Ok(id) => {
                    tracing::info!("{name} was added as {id}");
                    ADDED
                }
                // It is there, which is what was wanted.
                Err(ControlError::Duplicate(_)) => ADDED,
                // It is tried again.
                Err(ControlError::Store(error)) => {
                    return Err(io::Error::other(error));
                }
                Err(error) => {
                    tracing::warn!("cannot add {name}: {error}");
                    REFUSED
                }
            };
            let mut marked = path.clone().into_os_string();
            marked.push(format!(".{mark}"));
            // One that cannot be renamed would be added again and again.
            let renaming = tokio::task::spawn_blocking(move || fs::rename(&path, &marked));
            renaming.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

type Found = Vec<(PathBuf, io::Result<AddSource>)>;

/// The files that are whole.
fn found(dir: &Path) -> io::Result<Found> {
    let mut found = Found::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_torrent = match extension {
            Some("torrent") => true,
            Some("magnet") => false,
            _ => continue,
        };
        if is_settled(&entry) {
            found.push((path.clone(), read(&path, is_torrent)));
        }
        if found.len() == MAX_AT_ONCE {
            break;
        }
    }
    Ok(found)
}

fn is_settled(entry: &DirEntry) -> bool {
    let Ok(facts) = entry.metadata() else {
        return false;
    };
    let written = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    // A time in the future is not waited for.
    let age = SystemTime::now().duration_since(written);
    facts.is_file() && age.map_or(true, |age| age >= SETTLED_AFTER)
}

fn read(path: &Path, is_torrent: bool) -> io::Result<AddSource> {
    // One byte more than there may be: it is refused then.
    let longest = u64::try_from(Limits::default().len).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(longest.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(match is_torrent {
        true => AddSource::TorrentFile(bytes),
        false => {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            AddSource::Link(text)
        }
    })
}
