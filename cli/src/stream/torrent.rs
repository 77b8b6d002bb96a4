//! A torrent of a session as what is served.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tailwater_metainfo::Metainfo;
use tailwater_session::{
    Lookbehind, PieceView, Reader, ReaderOptions, ReaderView, Torrent, TorrentError,
};

use super::library::{FileFacts, Library, TorrentFacts};
use super::source::{Read, Source};
use super::stats::{Memory, Piece, PieceState, ReaderState, Snapshot, Transfer};

/// The files of a torrent; pads and links have nothing to show.
pub(crate) fn library(metainfo: &Metainfo, chosen: Option<usize>) -> Option<Library> {
    let info = metainfo.info();
    let hashes = info.info_hashes();
    let torrent = TorrentFacts {
        title: info.name().to_owned(),
        info_hash: hashes
            .wire()
            .map_or_else(String::new, |hash| hash.to_string()),
        piece_length: info.geometry().piece_length(),
        piece_count: info.geometry().piece_count(),
        created: metainfo.creation_date(),
    };
    let files = info.files().iter().enumerate();
    let files = files
        .filter(|(_, file)| !file.is_pad() && file.symlink_target().is_none())
        .map(|(index, file)| FileFacts {
            index,
            path: file.path().to_string(),
            length: file.length(),
            offset: file.offset(),
        });
    Library::new(torrent, files, chosen)
}

/// A torrent whose files are read.
#[derive(Clone, Debug)]
pub(crate) struct TorrentSource {
    torrent: Torrent,
    lookbehind: Lookbehind,
    /// A file whose play length is known.
    duration: Option<(usize, Duration)>,
}

impl TorrentSource {
    pub(crate) const fn new(
        torrent: Torrent,
        lookbehind: Lookbehind,
        duration: Option<(usize, Duration)>,
    ) -> Self {
        Self {
            torrent,
            lookbehind,
            duration,
        }
    }

    /// The same as [`Source::snapshot`], with the torrent's own error.
    pub(crate) async fn look(&self) -> Result<Snapshot, TorrentError> {
        let buffer = self.torrent.buffer().await?;
        let stats = self.torrent.stats();
        Ok(Snapshot {
            memory: Memory {
                budget: buffer.budget,
                used: buffer.used,
                evictions: buffer.evictions,
            },
            pieces: buffer.pieces.iter().map(piece).collect(),
            readers: buffer.readers.iter().map(reader).collect(),
            transfer: Transfer {
                down_rate: stats.down_rate,
                up_rate: stats.up_rate,
                downloaded: stats.downloaded,
                uploaded: stats.uploaded,
                wasted: stats.wasted,
                peers: stats.peers,
                seeds: stats.seeds,
            },
        })
    }
}

impl Source for TorrentSource {
    type Reader = Reader;

    fn open(&self, file: usize) -> io::Result<Reader> {
        let mut options = ReaderOptions::default().with_lookbehind(self.lookbehind);
        if let Some((_, duration)) = self.duration.filter(|(known, _)| *known == file) {
            options = options.with_duration(duration);
        }
        Ok(self.torrent.reader(file, options)?)
    }

    async fn snapshot(&self) -> io::Result<Snapshot> {
        self.look().await.map_err(io::Error::other)
    }
}

impl Read for Reader {
    fn seek_to(&mut self, position: u64) {
        Self::seek_to(self, position);
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        Self::poll_bytes(self, cx, max).map_err(io::Error::from)
    }
}

fn piece(view: &PieceView) -> Piece {
    use tailwater_session::PieceState as State;
    Piece {
        state: match view.state {
            State::Partial => PieceState::Partial,
            State::Verifying => PieceState::Verifying,
            State::Have => PieceState::Have,
            State::Evicted => PieceState::Evicted,
            // And whatever a later session may tell besides.
            _ => PieceState::Missing,
        },
        is_protected: view.is_protected,
        is_wanted: view.is_wanted,
        is_in_flight: view.in_flight,
    }
}

const fn reader(view: &ReaderView) -> ReaderState {
    ReaderState {
        file: view.file,
        cursor: view.cursor,
        ahead: view.ahead,
        behind: view.behind,
        rate: view.rate,
        stalls: view.stalls,
        is_waiting: view.is_waiting,
    }
}
