//! Errors of commands: one line with the operation, its object and the cause, and, where the user can do something
//! about it, a second line with the remedy.

mod daemon;
mod dht;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tailwater_dht::MutableTorrentError;
use tailwater_http::InvalidCertificate;
use tailwater_metainfo::{CreateError, MagnetError, MetainfoError};
use tailwater_session::{
    AddError, FetchError, IpFilterError, Operation, StartError, StorageError, TorrentError,
};

pub(crate) use daemon::DaemonFailure;
pub(crate) use dht::{DhtFailure, asked};
pub(crate) use tailwater_types::system::message as plain;

use tailwater_serve::size::Size;

use crate::config::ConfigError;
use crate::tally::Tally;
use crate::words::duration;

/// The exit code of a command that was interrupted: 128 and the number of SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Config(ConfigError),
    #[error("cannot {operation} {}: {}", path.display(), plain(source))]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot write to standard output: {}", plain(.0))]
    Output(io::Error),
    #[error("cannot {operation}: {}", plain(source))]
    System {
        operation: &'static str,
        source: io::Error,
    },
    #[error("{origin}: {error}")]
    Malformed {
        origin: String,
        error: MetainfoError,
    },
    #[error("{origin} is longer than the {limit} bytes that a torrent file may have")]
    TooLong { origin: String, limit: usize },
    #[error("cannot fetch {url}: {reason}")]
    Fetch { url: String, reason: String },
    #[error("{list} is no list of addresses: {error}")]
    IpFilter { list: String, error: IpFilterError },
    #[error("cannot use {} (SSL_CERT_FILE): {error}", path.display())]
    Authorities {
        path: PathBuf,
        error: InvalidCertificate,
    },
    #[error("{source_name}: {error}")]
    Source {
        source_name: String,
        error: Box<Self>,
    },
    #[error("{0}")]
    Magnet(#[from] MagnetError),
    #[error("{0}")]
    Publication(#[from] MutableTorrentError),
    #[error("the link names a publication (xs=urn:btpk), which can be found in the DHT alone")]
    NeedsDht,
    #[error("{name}: {error}")]
    Metadata { name: String, error: FetchError },
    #[error("the magnet link selects (so=) no file that {0} has")]
    NothingSelected(String),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("cannot check {name}: {error}")]
    Check { name: String, error: AddError },
    #[error("cannot add {name}: {error}")]
    Add { name: String, error: AddError },
    #[error("{}", torrent_failed(name, error))]
    Torrent { name: String, error: TorrentError },
    #[error(
        "{name} ({}, {needed} bytes) {} not fit the memory budget of {} ({budget} bytes)",
        Size(*.needed), if *.several { "together do" } else { "does" }, Size(*.budget)
    )]
    TooLargeForMemory {
        name: String,
        several: bool,
        needed: u64,
        budget: u64,
    },
    #[error("{name} has no file {chosen:?}")]
    NoSuchFile {
        name: String,
        chosen: String,
        /// The file or folder that is most like it.
        meant: Option<String>,
    },
    #[error("{number} files of {name} are named {chosen:?}: {list}")]
    SeveralFiles {
        name: String,
        chosen: String,
        number: usize,
        list: String,
    },
    #[error("{0}: no file was chosen")]
    NothingChosen(String),
    #[error("{0}: what is excluded leaves no file of it")]
    NothingLeft(String),
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{} exists already", .0.display())]
    ChartExists(PathBuf),
    #[error("cannot seed {name}: {tally} ({missing} of {total}) in {}", dir.display())]
    Incomplete {
        name: String,
        tally: Tally,
        missing: Size,
        total: Size,
        dir: PathBuf,
    },
    #[error("cannot make a torrent: {0}")]
    Create(#[from] CreateError),
    #[error(
        "cannot make a torrent: {} cannot be shared:\n  {list}",
        match number { 1 => "1 file or folder".to_owned(), _ => format!("{number} files and folders") }
    )]
    Unshareable { number: usize, list: String },
    #[error("cannot make a torrent: {path} cannot be shared: {reason}")]
    UnshareableRoot { path: String, reason: String },
    #[error("cannot make a torrent: there is no data to share, as all files are empty or left out")]
    NothingToShare,
    #[error("{name} has no tracker {tracker}")]
    NoSuchTracker { name: String, tracker: String },
    #[error("{0} has no trackers")]
    NoTrackers(String),
    #[error("{}", plain(.0))]
    Tracker(io::Error),
    #[error("cannot serve HTTP at {addr}: {}", plain(source))]
    Http {
        addr: std::net::SocketAddr,
        source: io::Error,
    },
    #[error("cannot start {}: {}", program.display(), plain(source))]
    Player { program: PathBuf, source: io::Error },
    /// It ended with an exit code other than 0, or by a signal; what it printed has been shown.
    #[error("{ended} before it read anything")]
    PlayerFailed { ended: String, has_words: bool },
    #[error("cannot open {url} in a browser: {reason}")]
    Browser { url: String, reason: String },
    #[error("{0} has no files")]
    NoFiles(String),
    #[error("{name}: given up, because {lack} for {}", duration(*.waited))]
    GivenUp {
        name: String,
        lack: &'static str,
        waited: Duration,
    },
    #[error(transparent)]
    Dht(#[from] DhtFailure),
    #[error(transparent)]
    Daemon(#[from] DaemonFailure),
    #[error("the demo did not work: {0}")]
    Demo(String),
    #[cfg(feature = "bench")]
    #[error("{0}")]
    Bench(String),
    /// The error has been printed already.
    #[error("failed")]
    Reported,
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// Wraps an I/O error, for `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// A failure to print. A reader that closes the pipe is no failure.
    pub(crate) fn output(result: io::Result<()>) -> Result<(), Self> {
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Self::Output(error)),
            _ => Ok(()),
        }
    }

    /// 1 failed, 2 wrong usage, 130 interrupted.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Interrupted => INTERRUPTED,
            _ => 1,
        }
    }

    /// What the user can do.
    pub(crate) fn remedy(&self) -> Option<String> {
        match self {
            Self::TooLargeForMemory { needed, .. } => Some(format!(
                "give it enough memory with `--memory {}`, choose fewer files with `--files`, or use `--storage disk`",
                Size(*needed).as_argument()
            )),
            Self::Add { error: AddError::PieceTooLargeForMemory { piece, .. }, .. } => Some(format!(
                "give it room for several pieces: `--memory {}`",
                Size(piece.saturating_mul(16)).as_argument()
            )),
            Self::Source { error, .. } => error.remedy(),
            Self::GivenUp { .. } => Some(
                "name a peer with `--peer HOST:PORT`, or wait longer with another `--stop-timeout`"
                    .to_owned(),
            ),
            Self::Config(error) => error.remedy(),
            Self::NeedsDht => Some("leave `--no-dht` out".to_owned()),
            Self::Start(StartError::Dht { .. }) => {
                Some("choose another address with `--dht-listen ADDR:PORT`, or do without with `--no-dht`".to_owned())
            }
            Self::NothingSelected(_) => Some(
                "choose with `--files`; `tailwater inspect` shows the files with their numbers".to_owned(),
            ),
            Self::Start(StartError::Listen { addr: Some(_), source }) if source.kind() == io::ErrorKind::AddrNotAvailable => {
                Some("with `--interface`, `--listen` takes an address of that interface, or 0.0.0.0".to_owned())
            }
            Self::Start(StartError::Listen { .. }) => {
                Some("choose another address with `--listen ADDR:PORT`; port 0 takes a free one".to_owned())
            }
            Self::Tracker(_) => {
                Some("choose another address with `--http ADDR:PORT` or `--udp ADDR:PORT`; port 0 takes a free one".to_owned())
            }
            Self::Http { .. } => {
                Some("choose another address with `--http ADDR:PORT`; port 0 takes a free one".to_owned())
            }
            Self::Player { .. } => Some(
                "name a program that plays URLs, such as mpv or vlc, by its name or path, or use `--open page`"
                    .to_owned(),
            ),
            Self::PlayerFailed { has_words, .. } => Some(match has_words {
                true => "its own words stand above; `--keep-streaming` goes on without it".to_owned(),
                false => "it printed nothing; `--keep-streaming` goes on without it".to_owned(),
            }),
            Self::Browser { .. } => Some(
                "start without `--open page`, and open the address that is printed in a browser of your choice"
                    .to_owned(),
            ),
            Self::Add { error: AddError::PathInUse { .. }, .. } => Some(
                "give each torrent a folder of its own: dir=FOLDER below it in a list (`-i LIST`), or a command for each, with `--output DIR`".to_owned(),
            ),
            Self::Add { error: AddError::Storage(error), .. }
            | Self::Check { error: AddError::Storage(error), .. }
            | Self::Torrent { error: TorrentError::Storage(error), .. } => storage_remedy(error),
            Self::NotAFolder(_) => {
                Some("name the folder that holds the torrent's file or folder: what `--output` was".to_owned())
            }
            Self::Incomplete { .. } => Some(
                "check that the folder is what `--output` was; `tailwater download` with it fetches what is missing, and `--partial` shares what is right"
                    .to_owned(),
            ),
            Self::Dht(failure) => failure.remedy(),
            Self::Daemon(failure) => failure.remedy(),
            _ => self.remedy_of_file(),
        }
    }

    /// The same for files that are chosen, and for files and torrents that are made or changed.
    fn remedy_of_file(&self) -> Option<String> {
        match self {
            Self::NoSuchFile {
                meant: Some(meant), ..
            } => Some(format!(
                "did you mean {meant}? `tailwater inspect` shows the files with their numbers"
            )),
            Self::NoSuchFile { .. } | Self::NothingLeft(_) => {
                Some("`tailwater inspect` shows the files with their numbers".to_owned())
            }
            Self::SeveralFiles { .. } => {
                Some("choose one by its number, or with the folders before its name".to_owned())
            }
            Self::Io {
                operation: "write",
                path,
                source,
            } if source.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent()?.to_str()?;
                Some(format!(
                    "make the folder first: mkdir -p {}",
                    shell_words::quote(folder)
                ))
            }
            Self::Exists(_) => {
                Some("choose another name with `--output FILE`, or use `--force`".to_owned())
            }
            Self::ChartExists(_) => {
                Some("choose another name with `--chart FILE`, or use `--force`".to_owned())
            }
            Self::NoSuchTracker { name, .. } => Some(format!(
                "`tailwater inspect {name}` shows those that it has"
            )),
            Self::NoTrackers(_) => Some("name one with `--tracker URL`".to_owned()),
            Self::Create(
                CreateError::NotUtf8(_) | CreateError::NoName(_) | CreateError::UnusableName(_),
            ) => Some("name the torrent with `--name NAME`".to_owned()),
            Self::Unshareable { .. } => Some(
                "`--skip-unreadable` leaves them out; `--exclude GLOB` leaves out what you choose"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn torrent_failed(name: &str, error: &TorrentError) -> String {
    let why = tailwater_serve::words::failure(error);
    match error {
        TorrentError::Storage(StorageError::NoRoom { .. }) => {
            format!("{name} {}", why.strip_prefix("it ").unwrap_or(&why))
        }
        _ => format!("{name}: {why}"),
    }
}

fn storage_remedy(error: &StorageError) -> Option<String> {
    if error.is_full() {
        return Some(
            "free some space and run the same command again: it goes on where it stopped"
                .to_owned(),
        );
    }
    match error {
        StorageError::Io {
            kind: io::ErrorKind::PermissionDenied,
            operation: Operation::Open | Operation::Read | Operation::Inspect,
            ..
        } => Some("let this user read it, and for a download write to it".to_owned()),
        StorageError::Io {
            kind: io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem,
            ..
        } => Some("choose a folder that you may write to with `--output DIR`".to_owned()),
        StorageError::Io {
            kind: io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory,
            ..
        } => Some("something else is in the way there: move it, or choose another folder with `--output DIR`".to_owned()),
        StorageError::Symlink { .. } => Some(
            "put what the link points to in its place, or choose another folder with `--output DIR`; `tailwater seed`, which writes nothing, follows links"
                .to_owned(),
        ),
        StorageError::NoRoom { .. } => Some(
            "free some space, fetch fewer files with `--files`, or choose another disk with `--output DIR`".to_owned(),
        ),
        StorageError::Foreign { .. } => Some(
            "`--overwrite` replaces it; or choose another folder with `--output DIR`".to_owned(),
        ),
        StorageError::InUse { .. } => {
            Some("end the other one, or choose another folder with `--output DIR`".to_owned())
        }
        StorageError::FileChanged { .. } => Some(
            "run the same command again when nothing else changes the files: what is there is checked, and a download fetches the rest"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_room(needed: u64, free: u64, promised: u64) -> String {
        let error = TorrentError::Storage(StorageError::NoRoom {
            path: "there".into(),
            needed,
            free,
            promised,
        });
        torrent_failed("film", &error)
    }

    #[test]
    fn sizes_that_are_rounded_to_the_same_are_said_in_bytes() {
        assert_eq!(
            no_room(21_000_000, 20_999_000, 0),
            "film needs 21000000 bytes more, 20999000 bytes are free in there"
        );
        assert_eq!(
            no_room(3 << 20, 1 << 20, 1 << 20),
            "film needs 3.00 MiB more, 1.00 MiB are free in there, of which the others need 1.00 MiB"
        );
    }

    #[test]
    fn who_may_not_read_is_not_told_where_to_write() {
        let remedy = |operation, kind| {
            let error = StorageError::Io {
                operation,
                path: "film".into(),
                kind,
                message: "no".to_owned(),
                code: None,
            };
            let error = CliError::Check {
                name: "film".to_owned(),
                error: AddError::Storage(error),
            };
            error.remedy().unwrap()
        };
        for operation in [Operation::Open, Operation::Read, Operation::Inspect] {
            let said = remedy(operation, io::ErrorKind::PermissionDenied);
            assert!(said.contains("let this user read it"), "{said}");
            assert!(!said.contains("--output"), "{said}");
        }
        for operation in [Operation::Create, Operation::Write] {
            let said = remedy(operation, io::ErrorKind::PermissionDenied);
            assert!(said.contains("--output"), "{said}");
        }
    }
}
