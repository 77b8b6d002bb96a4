//! The layout of a torrent: which file holds each of its bytes.

pub(crate) mod locate;
pub(crate) mod names;
pub(crate) mod slots;

use std::path::{Component, Path, PathBuf};
use tailwater_metainfo::{Geometry, PieceIndex};
use tailwater_storage::StorageError;

/// One file of a torrent, as the storage needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSpan {
    /// The path below the download folder, when the file is complete; only plain names.
    pub path: PathBuf,
    /// Whether it has the name of a part until then.
    pub is_part: bool,
    /// Where the file begins, in bytes from the beginning of the torrent.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Whether it is padding (BEP 47): zeros that are hashed but never written.
    pub pad: bool,
    /// What it points to, below the download folder, if it is a symbolic link (BEP 47); it has no bytes then.
    pub link: Option<PathBuf>,
    /// Whether it is made as a program that may be run (BEP 47).
    pub executable: bool,
}

/// A part of a range that lies in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The file's index in the torrent's list; `None` for padding.
    pub(crate) file: Option<usize>,
    /// Where it begins, in bytes from the beginning of the torrent.
    pub(crate) offset: u64,
    /// Where it begins, in bytes from the beginning of the file.
    pub(crate) file_offset: u64,
    /// Its length in bytes, never 0.
    pub(crate) len: usize,
}

/// The files of a torrent, one after the other, below one folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    files: Vec<FileSpan>,
    geometry: Geometry,
}

impl Layout {
    /// Lays `files` out below the folder `root`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Layout`] when the files do not follow each other, each without a gap or, where the geometry's pieces
    /// end early, each with a piece of its own; when they do not end where the torrent does, or do not add up to its
    /// length; or a path is not made of plain names. Paths come safe out of the parser; this is the second lock on the
    /// same door.
    pub(crate) fn new(
        root: PathBuf,
        files: Vec<FileSpan>,
        geometry: Geometry,
    ) -> Result<Self, StorageError> {
        // Where the last file ends, and the bytes of all.
        let (mut end, mut bytes) = (0_u64, 0_u64);
        let has_gaps = geometry.end() != geometry.total();
        for file in &files {
            let name = file.path.display();
            let due = match has_gaps {
                true => end.checked_next_multiple_of(geometry.piece_length().into()),
                false => Some(end),
            };
            // A file without bytes has no piece, and may lie in a gap.
            let fits = due == Some(file.offset)
                || (file.length == 0 && due.is_some_and(|due| (end..due).contains(&file.offset)));
            if !fits {
                let found = file.offset;
                return Err(StorageError::Layout(format!(
                    "{name} begins at {found} instead of {}",
                    due.unwrap_or(end)
                )));
            }
            if file.length > 0 {
                end = file.offset.checked_add(file.length).ok_or_else(|| {
                    StorageError::Layout(format!("the length of {name} overflows"))
                })?;
                // No more than where they end.
                bytes += file.length;
            }
            if !file.pad && !is_plain(&file.path) {
                return Err(StorageError::Layout(format!("{name:?} is not a safe path")));
            }
        }
        let (total, due) = (geometry.total(), geometry.end());
        if (end, bytes) != (due, total) {
            return Err(StorageError::Layout(format!(
                "files of {bytes} bytes that end at {end} in a torrent of {total} that ends at {due}"
            )));
        }
        Ok(Self {
            root,
            files,
            geometry,
        })
    }

    /// The download folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The torrent's files, in order, pad files and empty ones included.
    pub(crate) fn files(&self) -> &[FileSpan] {
        &self.files
    }

    /// The torrent's geometry.
    pub(crate) const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The pieces that hold bytes of a file.
    pub(crate) fn pieces_of(&self, file: usize) -> impl Iterator<Item = PieceIndex> + use<> {
        let (start, end) = self
            .files
            .get(file)
            .map_or((0, 0), |span| (span.offset, span.offset + span.length));
        self.geometry.pieces_in(start, end)
    }

    /// The parts of `len` positions at `offset` of the torrent, in order; clipped to the torrent. Positions between files
    /// that hold no byte are left out.
    pub(crate) fn segments(&self, offset: u64, len: usize) -> Segments<'_> {
        let next = self
            .files
            .partition_point(|file| file.offset + file.length <= offset);
        Segments {
            files: &self.files,
            next,
            offset,
            left: len,
        }
    }
}

/// The iterator of [`Layout::segments`].
#[derive(Clone)]
pub(crate) struct Segments<'a> {
    files: &'a [FileSpan],
    next: usize,
    offset: u64,
    left: usize,
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        while self.left > 0 {
            let index = self.next;
            let file = self.files.get(index)?;
            if let Some(gap) = file.offset.checked_sub(self.offset) {
                // No byte lies between the files.
                let gap = usize::try_from(gap).map_or(self.left, |gap| gap.min(self.left));
                self.left -= gap;
                self.offset += u64::try_from(gap).unwrap_or(u64::MAX);
            }
            let room = (file.offset + file.length).saturating_sub(self.offset);
            let len = usize::try_from(room).map_or(self.left, |room| room.min(self.left));
            if len == self.left {
                // The file may have more bytes, but they are not the torrent's.
                self.left = 0;
            } else {
                self.next += 1;
                self.left -= len;
            }
            if len == 0 {
                continue;
            }
            let segment = Segment {
                file: (!file.pad).then_some(index),
                offset: self.offset,
                file_offset: self.offset - file.offset,
                len,
            };
            self.offset += u64::try_from(len).unwrap_or(u64::MAX);
            return Some(segment);
        }
        None
    }
}

fn is_plain(path: &Path) -> bool {
    let mut components = path.components();
    !path.as_os_str().is_empty() && components.all(|part| matches!(part, Component::Normal(_)))
}
