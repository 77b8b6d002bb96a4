//! Serves a torrent of a session: implements [`Source`] for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::Metainfo;
use tailwater_session::{
    Lookbehind, Reader, ReaderKey, ReaderOptions, ReaderView, Torrent, TorrentError,
};

use super::library::{FileFacts, Library, TorrentFacts};
use super::pace::{Pace, Place, TooSlow};
use super::program::Program;
use super::source::{Read, Source};
use super::stats::{ReaderState, Snapshot, Totals};

/// The files of a torrent; pads and links have nothing to show.
pub fn library(metainfo: &Metainfo, chosen: Option<usize>) -> Option<Library> {
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
pub struct TorrentSource {
    torrent: Torrent,
    lookbehind: Lookbehind,
    /// A file whose play length is known.
    duration: Option<(usize, Duration)>,
    shared: Arc<Shared>,
}

/// State that all readers of a source share.
#[derive(Debug)]
struct Shared {
    /// Bytes given to all readers.
    served: AtomicU64,
    /// The program of each reader.
    programs: Mutex<BTreeMap<ReaderKey, Program>>,
    /// Whether the download keeps up with the film; `None` where the film's play length is not known.
    pace: Option<Mutex<Pace>>,
}

impl Shared {
    fn programs(&self) -> MutexGuard<'_, BTreeMap<ReaderKey, Program>> {
        self.programs.lock()
    }
}

impl TorrentSource {
    /// Serves `torrent`. `duration`: the index of a file whose play length is known, and that length.
    pub fn new(
        torrent: Torrent,
        lookbehind: Lookbehind,
        duration: Option<(usize, Duration)>,
    ) -> Self {
        let pace = duration.and_then(|(file, duration)| {
            let length = torrent.info().files().get(file)?.length();
            Some(Mutex::new(Pace::new(length, duration)))
        });
        Self {
            torrent,
            lookbehind,
            duration,
            shared: Arc::new(Shared {
                served: AtomicU64::new(0),
                programs: Mutex::default(),
                pace,
            }),
        }
    }

    /// The same as [`Source::snapshot`], with the torrent's own error.
    pub async fn look(&self) -> Result<Snapshot, TorrentError> {
        let buffer = self.torrent.buffer().await?;
        let stats = self.torrent.stats();
        let readers: Vec<_> = {
            let programs = self.shared.programs();
            let state = |view: &ReaderView| ReaderState {
                view: *view,
                program: programs.get(&view.key).cloned().unwrap_or_default(),
            };
            buffer.readers.iter().map(state).collect()
        };
        let (needed, too_slow) = self.judge(&readers, stats.downloaded);
        Ok(Snapshot {
            memory: buffer.memory,
            pieces: buffer.pieces.iter().collect(),
            readers,
            totals: Totals {
                served: self.shared.served.load(Ordering::Relaxed),
                stalls: buffer.stalls,
            },
            transfer: stats.transfer(),
            web_seeds: self.torrent.web_seeds(),
            needed,
            too_slow,
        })
    }

    /// The rate that the film needs, and whether the download is too slow for it, by its fastest reader.
    fn judge(&self, readers: &[ReaderState], downloaded: u64) -> (Option<u64>, Option<TooSlow>) {
        let (Some((file, _)), Some(pace)) = (self.duration, &self.shared.pace) else {
            return (None, None);
        };
        let views = readers.iter().map(|reader| &reader.view);
        let of_film = views.filter(|reader| reader.file == file);
        let foremost = of_film.max_by_key(|reader| reader.rate);
        let place = foremost.map(|reader| Place {
            reader: reader.key.get(),
            cursor: reader.cursor,
            ahead: reader.ahead,
        });
        let mut pace = pace.lock();
        let too_slow = pace.handle_sample(Instant::now(), downloaded, place);
        (Some(pace.needed()), too_slow)
    }
}

/// A reader that knows its program and counts the bytes it delivers.
pub struct CountedReader {
    reader: Reader,
    shared: Arc<Shared>,
}

impl Drop for CountedReader {
    fn drop(&mut self) {
        self.shared.programs().remove(&self.reader.key());
    }
}

impl Source for TorrentSource {
    type Reader = CountedReader;

    fn open(&self, file: usize, program: &Program) -> io::Result<CountedReader> {
        let mut options = ReaderOptions::default().lookbehind(self.lookbehind);
        if let Some((_, duration)) = self.duration.filter(|(known, _)| *known == file) {
            options = options.duration(duration);
        }
        let reader = self.torrent.reader(file, options)?;
        let shared = Arc::clone(&self.shared);
        shared.programs().insert(reader.key(), program.clone());
        Ok(CountedReader { reader, shared })
    }

    async fn snapshot(&self) -> io::Result<Snapshot> {
        self.look().await.map_err(io::Error::other)
    }
}

impl Read for CountedReader {
    fn seek_to(&mut self, position: u64) {
        self.reader.seek_to(position);
    }

    fn stop_waiting(&mut self) {
        self.reader.stop_waiting();
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        let polled = self.reader.poll_bytes(cx, max);
        if let Poll::Ready(Ok(bytes)) = &polled {
            // No machine has more memory than a u64 counts.
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.shared.served.fetch_add(len, Ordering::Relaxed);
        }
        polled.map_err(io::Error::from)
    }
}
