//! Which files of a torrent are complete.

use std::ops::Range;
use std::sync::Arc;

use tailwater_metainfo::{Bitfield, Metainfo, PieceIndex};

/// Counts the pieces that each file lacks.
pub(super) struct Files {
    metainfo: Arc<Metainfo>,
    /// For each file, how many of its pieces are not held.
    missing: Vec<u32>,
}

impl Files {
    pub(super) fn new(metainfo: Arc<Metainfo>, have: &Bitfield) -> Self {
        let info = metainfo.info();
        let geometry = info.geometry();
        let missing = info.files().iter().map(|file| {
            let range = file.range();
            let pieces = geometry.pieces_in(range.start, range.end);
            let missing = pieces.filter(|piece| !have.has(*piece)).count();
            u32::try_from(missing).unwrap_or(u32::MAX)
        });
        Self {
            missing: missing.collect(),
            metainfo,
        }
    }

    /// A piece is held: the files that are complete with it, by index.
    pub(super) fn handle_verified(&mut self, piece: PieceIndex) -> Vec<usize> {
        let mut complete = Vec::new();
        for index in self.files_of(piece) {
            let missing = &mut self.missing[index];
            let had = *missing;
            *missing = had.saturating_sub(1);
            if had == 1 {
                complete.push(index);
            }
        }
        complete
    }

    /// A piece is not held any more.
    pub(super) fn handle_evicted(&mut self, piece: PieceIndex) {
        for index in self.files_of(piece) {
            self.missing[index] = self.missing[index].saturating_add(1);
        }
    }

    /// The path as it is shown to people.
    pub(super) fn path(&self, index: usize) -> &str {
        let file = self.metainfo.info().files().get(index);
        file.map_or("", |file| file.path().as_str())
    }

    /// Files with data in a piece; they come by offset.
    fn files_of(&self, piece: PieceIndex) -> Vec<usize> {
        let geometry = self.metainfo.info().geometry();
        let Range { start, end } = geometry.piece_range(piece);
        let files = self.metainfo.info().files();
        let first = files.partition_point(|file| file.range().end <= start);
        let touched = files.iter().enumerate().skip(first);
        touched
            .take_while(|(_, file)| file.range().start < end)
            .filter(|(_, file)| !file.is_pad() && !file.range().is_empty())
            .map(|(index, _)| index)
            .collect()
    }
}
