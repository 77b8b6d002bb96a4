//! Where the files of a new torrent lie in its pieces.

use super::walk::FoundFile;
use super::{CreateError, TorrentVersion};
use crate::{Geometry, GeometryError};

/// The positions of the files, and the pieces.
///
/// With v2 each file begins with a piece (BEP 52). A hybrid torrent fills the gaps with pad files (BEP 47), which v1 hashes
/// cover.
pub(super) struct Layout {
    /// Where each file begins.
    pub(super) starts: Vec<u64>,
    /// Zeros behind each file that are a pad file.
    pub(super) pads: Vec<u64>,
    pub(super) geometry: Geometry,
}

impl Layout {
    pub(super) fn new(
        files: &[FoundFile],
        version: TorrentVersion,
        piece_length: u32,
    ) -> Result<Self, CreateError> {
        let too_long = || GeometryError::TooManyPieces(u64::MAX);
        let align = match version {
            TorrentVersion::V1 => 1,
            TorrentVersion::V2 | TorrentVersion::Hybrid => u64::from(piece_length),
        };
        // As libtorrent does: a single file has no pad file, as the v1 list would have two files then.
        let has_pads = version == TorrentVersion::Hybrid && files.len() > 1;
        let (mut starts, mut pads) = (Vec::new(), Vec::new());
        let mut at = 0u64;
        for file in files {
            let start = match file.length {
                0 => Some(at),
                _ => at.checked_next_multiple_of(align),
            };
            let start = start.ok_or_else(too_long)?;
            let end = start.checked_add(file.length).ok_or_else(too_long)?;
            let next = end.checked_next_multiple_of(align).ok_or_else(too_long)?;
            let pad = match has_pads && file.length > 0 {
                true => next - end,
                false => 0,
            };
            starts.push(start);
            pads.push(pad);
            at = end + pad;
        }
        let geometry = match version {
            TorrentVersion::V1 | TorrentVersion::Hybrid => Geometry::new(at, piece_length)?,
            TorrentVersion::V2 => {
                Geometry::aligned(files.iter().map(|file| file.length), piece_length)?
            }
        };
        Ok(Self {
            starts,
            pads,
            geometry,
        })
    }
}
