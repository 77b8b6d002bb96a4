//! Making v1 torrents out of files.
//!
//! This module reads files and hashes them on threads of its own: it is the driver part of a crate that otherwise does
//! neither.

mod hasher;
mod walk;

use crate::safe_path::mend;
use crate::{BLOCK_LEN, Geometry, GeometryError, Metainfo, MetainfoError};
use std::borrow::Cow;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tailwater_bencode::{Item, encode};
use walk::{Found, FoundFile, walk};

/// The longest piece that is made, in bytes: the longest power of two that is accepted.
const LONGEST_PIECE: u32 = 256 * 1024 * 1024;

/// About how many pieces an automatic piece length aims at, at most.
const PIECES_WANTED: u64 = 2048;

/// The longest piece length that is chosen automatically while the torrent file stays small enough.
const LONGEST_AUTOMATIC: u32 = 16 * 1024 * 1024;

/// So many piece hashes leave room for the file list in a torrent file of 10 MB.
const MOST_AUTOMATIC_PIECES: u64 = 250_000;

/// The piece length that is used for a payload of `total` bytes where none is asked for.
///
/// It is the smallest power of two, of 16 KiB at least and 16 MiB at most, that makes no more than 2048 pieces:
///
/// | payload up to | piece length |
/// |---|---|
/// | 32 MiB | 16 KiB |
/// | 128 MiB | 64 KiB |
/// | 512 MiB | 256 KiB |
/// | 2 GiB | 1 MiB |
/// | 8 GiB | 4 MiB |
/// | 32 GiB | 16 MiB |
///
/// and so between these. Beyond 32 GiB it stays at 16 MiB until there would be more than 250 000 pieces.
#[must_use]
pub fn automatic_piece_length(total: u64) -> u32 {
    let mut length = BLOCK_LEN;
    let pieces = |length: u32| total.div_ceil(u64::from(length));
    while (pieces(length) > PIECES_WANTED && length < LONGEST_AUTOMATIC)
        || (pieces(length) > MOST_AUTOMATIC_PIECES && length < LONGEST_PIECE)
    {
        length *= 2;
    }
    length
}

/// How far the hashing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes hashed.
    pub done: u64,
    /// Bytes to hash in all.
    pub total: u64,
}

/// A torrent that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The .torrent file.
    pub bytes: Vec<u8>,
    /// The same, read back. Its warnings tell of names that a download will not keep, such as `aux.c`, which Windows
    /// reserves.
    pub metainfo: Metainfo,
    /// Folders that hold nothing, which a torrent cannot say.
    pub empty_folders: Vec<PathBuf>,
}

/// Why no torrent was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// A file or folder cannot be read.
    #[error("cannot {operation} {}: {error}", path.display())]
    Io {
        /// What was tried: `read`, `list`, `open`.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// The path has no last component to be the torrent's name.
    #[error("{} has no name: give the torrent one", .0.display())]
    NoName(PathBuf),
    /// A name is not UTF-8, which BEP 3 demands.
    #[error("the name of {} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// Something is neither a file nor a folder, such as a socket.
    #[error("{} is neither a file nor a folder", .0.display())]
    NotAFile(PathBuf),
    /// A symlink leads back to a folder that it is in.
    #[error("{} is a symlink to a folder that it is in", .0.display())]
    Loop(PathBuf),
    /// Nothing is left of the name once it is safe.
    #[error("{0:?} cannot be the name of a torrent")]
    UnusableName(String),
    /// A file changed its length while it was read.
    #[error("{} changed while it was read", .0.display())]
    Changed(PathBuf),
    /// The piece length asked for is not a power of two from 16 KiB to 256 MiB.
    #[error("piece length {0} is not a power of two from {BLOCK_LEN} to {LONGEST_PIECE}")]
    PieceLength(u32),
    /// There is nothing to share, or too many pieces.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The torrent would not be accepted: it is too large.
    #[error("the torrent would be refused: {0}")]
    Refused(#[from] MetainfoError),
    /// The progress callback broke off.
    #[error("cancelled")]
    Cancelled,
}

/// Makes v1 torrents (BEP 3): set what you need, then [`Creator::create`].
#[derive(Clone, Debug, Default)]
pub struct Creator {
    name: Option<String>,
    piece_length: Option<u32>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    is_private: bool,
    comment: Option<String>,
    created_by: Option<String>,
    creation_date: Option<i64>,
    threads: Option<NonZeroUsize>,
}

impl Creator {
    /// No trackers, an automatic piece length, the name of the path, as many threads as there are cores.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another name than the path's.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The piece length in bytes, a power of two from 16 KiB to 256 MiB. Default: [`automatic_piece_length`].
    #[must_use]
    pub fn piece_length(mut self, bytes: u32) -> Self {
        self.piece_length = Some(bytes);
        self
    }

    /// Adds a tier of trackers (BEP 12); an empty one is ignored.
    #[must_use]
    pub fn tier(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tier: Vec<_> = urls.into_iter().map(Into::into).collect();
        self.trackers.extend((!tier.is_empty()).then_some(tier));
        self
    }

    /// Adds the URL of a web seed (BEP 19).
    #[must_use]
    pub fn web_seed(mut self, url: impl Into<String>) -> Self {
        self.web_seeds.push(url.into());
        self
    }

    /// Whether peers may come only from the trackers (BEP 27).
    #[must_use]
    pub fn private(mut self, is_private: bool) -> Self {
        self.is_private = is_private;
        self
    }

    /// A text for people.
    #[must_use]
    pub fn comment(mut self, text: impl Into<String>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// The name and version of the program.
    #[must_use]
    pub fn created_by(mut self, text: impl Into<String>) -> Self {
        self.created_by = Some(text.into());
        self
    }

    /// Seconds since 1970. Without it the torrent has no date, and equal files make equal torrents.
    #[must_use]
    pub fn creation_date(mut self, seconds: i64) -> Self {
        self.creation_date = Some(seconds);
        self
    }

    /// How many threads hash. Each holds 256 KiB.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Makes a torrent of a file, or of a folder and all that is in it.
    ///
    /// Files come sorted by the bytes of their names, folder by folder, hidden ones included. Symlinks are followed: the
    /// torrent holds what they lead to, be it outside the folder. Anything that is neither file nor folder is an error:
    /// nothing is left out but empty folders, which [`Created::empty_folders`] lists.
    ///
    /// `progress` is called on this thread: once before anything is read, and after every piece. Where it breaks, no
    /// thread reads more than 256 KiB after that.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or changes meanwhile, when there is nothing to share, when an option is out of range,
    /// when `progress` breaks.
    pub fn create(
        &self,
        path: &Path,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Created, CreateError> {
        if let Some(length) = self.piece_length.filter(|&length| !is_piece_length(length)) {
            return Err(CreateError::PieceLength(length));
        }
        let name = self.name_of(path)?;
        if mend(name.as_bytes()).is_none() {
            return Err(CreateError::UnusableName(name));
        }
        let found = walk(path)?;
        let total = found
            .files
            .iter()
            .try_fold(0u64, |sum, file| sum.checked_add(file.length));
        let total = total.ok_or(GeometryError::TooManyPieces(u64::MAX))?;
        let piece_length = self
            .piece_length
            .unwrap_or_else(|| automatic_piece_length(total));
        let geometry = Geometry::new(total, piece_length)?;
        let threads = self
            .threads
            .or_else(|| std::thread::available_parallelism().ok());
        let threads = threads.unwrap_or(NonZeroUsize::MIN);
        let pieces = hasher::hash_pieces(&found.files, geometry, threads, &mut progress)?;
        let bytes = self.encode(&name, &found, piece_length, &pieces);
        let metainfo = Metainfo::from_bytes(&bytes)?;
        Ok(Created {
            bytes,
            metainfo,
            empty_folders: found.empty_folders,
        })
    }

    fn name_of(&self, path: &Path) -> Result<String, CreateError> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let no_name = || CreateError::NoName(path.to_owned());
        let name = match path.file_name() {
            Some(name) => name.to_owned(),
            // `.` and `..` have a name after all.
            None => {
                let real = path.canonicalize().map_err(io_error("open", path))?;
                real.file_name().ok_or_else(no_name)?.to_owned()
            }
        };
        name.into_string()
            .map_err(|_| CreateError::NotUtf8(path.to_owned()))
    }

    fn encode(&self, name: &str, found: &Found, piece_length: u32, pieces: &[u8]) -> Vec<u8> {
        let mut info = vec![
            ("name", name.into()),
            ("piece length", i64::from(piece_length).into()),
            ("pieces", pieces.into()),
        ];
        if found.is_folder {
            info.push(("files", Item::list(found.files.iter().map(file_item))));
        } else {
            info.push((
                "length",
                length_item(found.files.iter().map(|file| file.length).sum()),
            ));
        }
        if self.is_private {
            info.push(("private", 1.into()));
        }
        let mut outer = vec![("info", dict(info))];
        if let Some(first) = self.trackers.first().and_then(|tier| tier.first()) {
            outer.push(("announce", first.as_str().into()));
        }
        if self.trackers.iter().map(Vec::len).sum::<usize>() > 1 {
            outer.push((
                "announce-list",
                Item::list(self.trackers.iter().map(|tier| strings(tier))),
            ));
        }
        if !self.web_seeds.is_empty() {
            outer.push(("url-list", strings(&self.web_seeds)));
        }
        for (key, text) in [("comment", &self.comment), ("created by", &self.created_by)] {
            outer.extend(text.as_deref().map(|text| (key, text.into())));
        }
        outer.extend(
            self.creation_date
                .map(|date| ("creation date", date.into())),
        );
        encode(&dict(outer))
    }
}

/// For `map_err`.
fn io_error<'p>(
    operation: &'static str,
    path: &'p Path,
) -> impl FnOnce(io::Error) -> CreateError + use<'p> {
    move |error| CreateError::Io {
        operation,
        path: path.to_owned(),
        error,
    }
}

fn is_piece_length(length: u32) -> bool {
    length.is_power_of_two() && (BLOCK_LEN..=LONGEST_PIECE).contains(&length)
}

fn dict<'a>(entries: Vec<(&'static str, Item<'a>)>) -> Item<'a> {
    let entries = entries.into_iter();
    Item::Dict(
        entries
            .map(|(key, item)| (Cow::Borrowed(key.as_bytes()), item))
            .collect(),
    )
}

fn strings(texts: &[String]) -> Item<'_> {
    Item::list(texts.iter().map(|text| text.as_str().into()))
}

fn file_item(file: &FoundFile) -> Item<'_> {
    dict(vec![
        ("length", length_item(file.length)),
        ("path", strings(&file.components)),
    ])
}

/// No file system has files that `i64` cannot count; one that claimed it would fail when it is read.
fn length_item(length: u64) -> Item<'static> {
    i64::try_from(length).unwrap_or(i64::MAX).into()
}
