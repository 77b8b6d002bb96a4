//! The result of a check, file by file.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use tailwater_metainfo::{Bitfield, FileEntry, Info};
use tailwater_serve::size::Size;
use tailwater_session::locate_files;

use crate::error::plain;
use crate::out::Harmless;
use crate::words::count;

/// How one file compares with its torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Missing,
    /// It is shorter or longer than it should be.
    WrongLength {
        found: u64,
    },
    /// Some of its pieces do not match their hashes.
    Wrong {
        pieces_wrong: usize,
        pieces: usize,
    },
    /// What could be checked of it is right, but it shares pieces with a file that is missing or has the wrong length.
    Unsure {
        pieces_unsure: usize,
        pieces: usize,
    },
    /// Something else is in its place, or it cannot be read.
    Unreadable {
        reason: String,
    },
}

impl Verdict {
    /// The worst result has the highest number.
    pub(crate) const fn severity(&self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unsure { .. } => 1,
            Self::Missing => 2,
            Self::WrongLength { .. } | Self::Wrong { .. } | Self::Unreadable { .. } => 3,
        }
    }
}

/// One file's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileReport {
    pub(crate) path: String,
    pub(crate) length: u64,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            length,
            verdict,
        } = self;
        let path = Harmless(path);
        match verdict {
            Verdict::Ok => write!(f, "ok       {path}  ({})", Size(*length)),
            Verdict::Missing => write!(f, "MISSING  {path}  ({})", Size(*length)),
            Verdict::WrongLength { found } => {
                write!(f, "WRONG    {path}  ({found} bytes, should be {length})")
            }
            Verdict::Wrong {
                pieces_wrong,
                pieces,
            } => {
                write!(
                    f,
                    "WRONG    {path}  ({pieces_wrong} of {} wrong)",
                    count(*pieces, "piece")
                )
            }
            Verdict::Unsure {
                pieces_unsure,
                pieces,
            } => {
                let pieces = count(*pieces, "piece");
                write!(
                    f,
                    "UNSURE   {path}  ({pieces_unsure} of {pieces} shared with a file that is missing or wrong)"
                )
            }
            Verdict::Unreadable { reason } => write!(f, "WRONG    {path}  ({reason})"),
        }
    }
}

/// Compares the files in `dir`, whose verified pieces are `have`. Pad files and symlinks, which hold no data, are left
/// out.
pub(crate) fn report(info: &Info, have: &Bitfield, dir: &Path) -> Vec<FileReport> {
    let paths = locate_files(info, dir);
    let found = info.files().iter().zip(&paths);
    let lengths: Vec<_> = found
        .map(|(file, path)| look(file, &dir.join(path)))
        .collect();
    let broken = |index: usize| lengths[index].is_some();
    let files = info
        .files()
        .iter()
        .enumerate()
        .filter(|(_, file)| is_checked(file));
    files
        .map(|(index, file)| FileReport {
            path: shown(&paths[index]),
            length: file.length(),
            verdict: lengths[index]
                .clone()
                .unwrap_or_else(|| pieces(info, have, index, broken)),
        })
        .collect()
}

/// Checks the lengths of the files in `dir`: quick, and enough to know that data is missing.
pub(crate) fn lengths(info: &Info, dir: &Path) -> Vec<FileReport> {
    let files = info.files().iter().zip(locate_files(info, dir));
    let wrong = files.filter_map(|(file, path)| {
        let verdict = look(file, &dir.join(&path))?;
        Some(FileReport {
            path: shown(&path),
            length: file.length(),
            verdict,
        })
    });
    wrong.collect()
}

/// The path of the checked file, whose name may differ from that after a download; with `/` on every system.
fn shown(path: &Path) -> String {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

fn is_checked(file: &FileEntry) -> bool {
    !file.is_pad() && file.symlink_target().is_none()
}

/// The defects of a file that its length shows.
fn look(file: &FileEntry, path: &Path) -> Option<Verdict> {
    if !is_checked(file) {
        return None;
    }
    match fs::metadata(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Some(Verdict::Missing)
        }
        Err(error) => Some(Verdict::Unreadable {
            reason: plain(&error),
        }),
        Ok(found) if !found.is_file() => Some(Verdict::Unreadable {
            reason: "not a file".to_owned(),
        }),
        Ok(found) if found.len() != file.length() => {
            Some(Verdict::WrongLength { found: found.len() })
        }
        Ok(_) => None,
    }
}

/// The result of the pieces of a file of the right length.
fn pieces(info: &Info, have: &Bitfield, index: usize, broken: impl Fn(usize) -> bool) -> Verdict {
    let geometry = info.geometry();
    let range = info.files()[index].range();
    let (mut all, mut wrong, mut unsure) = (0, 0, 0);
    for piece in geometry.pieces_in(range.start, range.end) {
        all += 1;
        if have.has(piece) {
            continue;
        }
        match shares_with_broken(info, index, geometry.piece_range(piece), &broken) {
            true => unsure += 1,
            false => wrong += 1,
        }
    }
    match (wrong, unsure) {
        (0, 0) => Verdict::Ok,
        (0, _) => Verdict::Unsure {
            pieces_unsure: unsure,
            pieces: all,
        },
        _ => Verdict::Wrong {
            pieces_wrong: wrong + unsure,
            pieces: all,
        },
    }
}

/// Files come by offset, so those that a piece holds are neighbours.
fn shares_with_broken(
    info: &Info,
    index: usize,
    piece: std::ops::Range<u64>,
    broken: &impl Fn(usize) -> bool,
) -> bool {
    let files = info.files();
    let before = (0..index)
        .rev()
        .take_while(|&other| files[other].range().end > piece.start || files[other].length() == 0);
    let after =
        (index + 1..files.len()).take_while(|&other| files[other].range().start < piece.end);
    before
        .chain(after)
        .any(|other| files[other].length() > 0 && broken(other))
}
