//! Creates torrents from files: v1, v2 and hybrid.
//!
//! This module reads files and hashes them on threads of its own: it is the driver part of a crate that otherwise does
//! neither.

mod encoding;
mod hasher;
mod layout;
mod links;
mod walk;

use crate::safe_path::mend;
use crate::{BLOCK_LEN, Geometry, GeometryError, MerkleHash, Metainfo, MetainfoError};
use encoding::Hashed;
use hasher::PieceHashed;
use layout::Layout;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use walk::walk;
pub use walk::{Found, LeftOut, LeftOutReason, Visit};

/// The longest piece that is made, in bytes: the longest power of two that is accepted.
const LONGEST_PIECE: u32 = 256 * 1024 * 1024;

/// About how many pieces an automatic piece length aims at, at most.
const PIECES_WANTED: u64 = 2048;

/// The longest piece length that is chosen automatically while the torrent file stays small enough.
const LONGEST_AUTOMATIC: u32 = 16 * 1024 * 1024;

/// This many piece hashes leave room for the file list in a torrent file of 10 MB.
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
/// and likewise in between. Beyond 32 GiB it stays at 16 MiB until there would be more than 250 000 pieces.
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
    /// Empty folders, which a torrent cannot represent.
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
    /// The path's name is not UTF-8, which BEP 3 demands.
    #[error("the name of {} is not UTF-8: give the torrent another one", .0.display())]
    NotUtf8(PathBuf),
    /// Some of the files cannot be shared.
    #[error("{}", several(.0))]
    Unshareable(Vec<LeftOut>),
    /// Nothing is left of the name after it was made safe.
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
    /// The progress callback stopped the work.
    #[error("cancelled")]
    Cancelled,
}

/// Which clients can use a new torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TorrentVersion {
    /// All of them (BEP 3).
    #[default]
    V1,
    /// Those that know BEP 52.
    V2,
    /// All of them: those that know BEP 52 as a v2 torrent, the others as a v1 torrent. It has two info-hashes and two
    /// swarms, and between its files there is padding (BEP 47).
    Hybrid,
}

impl TorrentVersion {
    const fn has_v1(self) -> bool {
        matches!(self, Self::V1 | Self::Hybrid)
    }

    const fn has_v2(self) -> bool {
        matches!(self, Self::V2 | Self::Hybrid)
    }
}

/// What becomes of the symlinks in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Symlinks {
    /// The torrent holds what they point to, even outside the folder.
    #[default]
    Follow,
    /// They are links in the torrent too (BEP 47), if they point to something inside the folder.
    Keep,
}

/// Makes torrents: set what you need, then [`Creator::create`].
#[derive(Clone, Debug, Default)]
pub struct Creator {
    version: TorrentVersion,
    symlinks: Symlinks,
    name: Option<String>,
    piece_length: Option<u32>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    is_private: bool,
    comment: Option<String>,
    source: Option<String>,
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

    /// Which clients can use it. Default [`TorrentVersion::V1`].
    ///
    /// The same folder with the same piece length makes the same info-hash as in libtorrent, also of v2 and hybrid torrents.
    #[must_use]
    pub fn version(mut self, version: TorrentVersion) -> Self {
        self.version = version;
        self
    }

    /// What becomes of symlinks. Default [`Symlinks::Follow`].
    #[must_use]
    pub const fn symlinks(mut self, symlinks: Symlinks) -> Self {
        self.symlinks = symlinks;
        self
    }

    /// Sets a name other than the path's.
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

    /// A text in the info dictionary, by which trackers tell uploads of the same files apart: another one makes another
    /// torrent, with another info-hash.
    #[must_use]
    pub fn source(mut self, text: impl Into<String>) -> Self {
        self.source = Some(text.into());
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

    /// Makes a torrent of a file, or of a folder and all that is in it: [`find`](Self::find) and [`hash`](Self::hash).
    ///
    /// # Errors
    ///
    /// Those of the two, and [`CreateError::Unshareable`] if anything but empty folders would be left out.
    pub fn create(
        &self,
        path: &Path,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Created, CreateError> {
        self.check_piece_length()?;
        self.name_of(path)?;
        let mut found = self.find(path, |_, _| Visit::Take)?;
        if !found.left_out.is_empty() {
            return Err(CreateError::Unshareable(std::mem::take(
                &mut found.left_out,
            )));
        }
        self.hash(&found, progress)
    }

    /// Finds the files for a new torrent, without reading them.
    ///
    /// They come sorted by the bytes of their names, folder by folder, hidden ones included. Symlinks are followed, even out
    /// of the folder, unless [`Creator::symlinks`] keeps them. Entries that are no files, cannot be opened or have a name
    /// that no torrent can represent are in [`Found::left_out`]; empty folders, which no torrent can represent either,
    /// in [`Found::empty_folders`].
    ///
    /// `visit` decides about everything in a folder: it is given the path below `path`, and whether it is a folder.
    ///
    /// # Errors
    ///
    /// When `path` itself cannot be read, when `visit` stops.
    pub fn find(
        &self,
        path: &Path,
        mut visit: impl FnMut(&Path, bool) -> Visit,
    ) -> Result<Found, CreateError> {
        walk(path, self.symlinks, &mut visit)
    }

    /// The pieces of the files.
    ///
    /// # Errors
    ///
    /// When there is nothing to share, when there are too many pieces, when the piece length asked for is out of range.
    pub fn geometry(&self, found: &Found) -> Result<Geometry, CreateError> {
        Ok(self.layout(found)?.geometry)
    }

    fn layout(&self, found: &Found) -> Result<Layout, CreateError> {
        self.check_piece_length()?;
        let mut lengths = found.files.iter().map(|file| file.length);
        let total = lengths.try_fold(0u64, u64::checked_add);
        let total = total.ok_or(GeometryError::TooManyPieces(u64::MAX))?;
        let automatic = || automatic_piece_length(total);
        let piece_length = self.piece_length.unwrap_or_else(automatic);
        Layout::new(&found.files, self.version, piece_length)
    }

    /// Makes a torrent of the files that were found.
    ///
    /// `progress` is called on this thread: once before anything is read, and after every piece. Where it breaks, no
    /// thread reads more than 256 KiB after that.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or has changed meanwhile, when there is nothing to share, when an option is out of
    /// range, when `progress` breaks.
    pub fn hash(
        &self,
        found: &Found,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Created, CreateError> {
        let name = self.name_of(&found.root)?;
        let layout = self.layout(found)?;
        let threads = self
            .threads
            .or_else(|| std::thread::available_parallelism().ok());
        let threads = threads.unwrap_or(NonZeroUsize::MIN);
        let (files, version) = (&found.files, self.version);
        let pieces = hasher::hash_pieces(files, &layout, version, threads, &mut progress)?;
        let hashed = Hashed::new(files, &layout, version, &pieces);
        let bytes = self.encode(&name, found, &layout, &hashed);
        let metainfo = Metainfo::from_bytes(&bytes)?;
        Ok(Created {
            bytes,
            metainfo,
            empty_folders: found.empty_folders.clone(),
        })
    }

    /// The torrent of the files that were found with other hashes, without reading a file: for its names, and
    /// what they become in a download.
    ///
    /// # Errors
    ///
    /// As [`Creator::hash`], except for those of reading.
    pub fn preview(&self, found: &Found) -> Result<Metainfo, CreateError> {
        let name = self.name_of(&found.root)?;
        let layout = self.layout(found)?;
        let piece = PieceHashed {
            v1: self.version.has_v1().then_some([0; 20]),
            v2: self.version.has_v2().then(|| MerkleHash::new([1; 32])),
        };
        let pieces = vec![piece; layout.geometry.pieces().len()];
        let hashed = Hashed::new(&found.files, &layout, self.version, &pieces);
        let bytes = self.encode(&name, found, &layout, &hashed);
        Ok(Metainfo::from_bytes(&bytes)?)
    }

    /// The name that a torrent of `path` gets.
    ///
    /// # Errors
    ///
    /// When it has none, or one that no torrent can have.
    pub fn name_of(&self, path: &Path) -> Result<String, CreateError> {
        let name = self.wanted_name(path)?;
        match mend(name.as_bytes()) {
            Some(_) => Ok(name),
            None => Err(CreateError::UnusableName(name)),
        }
    }

    /// The name made safe as a file name on every system.
    ///
    /// # Errors
    ///
    /// As [`Creator::name_of`].
    pub fn safe_name(&self, path: &Path) -> Result<String, CreateError> {
        let name = self.wanted_name(path)?;
        match mend(name.as_bytes()) {
            Some(safe) => Ok(safe.into_owned()),
            None => Err(CreateError::UnusableName(name)),
        }
    }

    fn check_piece_length(&self) -> Result<(), CreateError> {
        match self.piece_length.filter(|&length| !is_piece_length(length)) {
            Some(length) => Err(CreateError::PieceLength(length)),
            None => Ok(()),
        }
    }

    fn wanted_name(&self, path: &Path) -> Result<String, CreateError> {
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
}

/// Wraps an I/O error, for `map_err`.
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

/// The first one with its reason, and how many others there are.
fn several(left_out: &[LeftOut]) -> String {
    let Some(LeftOut { path, reason }) = left_out.first() else {
        return "nothing cannot be shared".to_owned();
    };
    let first = format!("{} cannot be shared: {reason}", path.display());
    match left_out.len() - 1 {
        0 => first,
        1 => format!("{first}; nor can 1 other"),
        more => format!("{first}; nor can {more} others"),
    }
}
