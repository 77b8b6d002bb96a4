//! Preloading: the bytes of a file from the position that was asked for are fetched before it is played; from its beginning, its
//! end too.
//!
//! A preload goes on when its client has gone: clients begin one, and then ask how far it is. There is one for each torrent.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tailwater_session::{Reader, ReaderOptions, Torrent};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::files::File;
use crate::control::TorrentId;

/// What of the end of a file is preloaded, in bytes: players look there for its index.
const END: u64 = 8 * 1_024 * 1_024;
/// The most bytes that are read at once.
const READ_LEN: usize = 64 * 1_024;
/// A preload that gets nothing for so long ends.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// The most torrents whose last preload is remembered.
const MAX_TORRENTS: usize = 1_000;

/// How far a preload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) is_running: bool,
    pub(super) done: u64,
    pub(super) size: u64,
}

/// The preloads of all torrents.
#[derive(Default)]
pub(super) struct Preloads {
    last: Mutex<HashMap<TorrentId, Arc<Preload>>>,
}

struct Preload {
    file: usize,
    parts: Parts,
    done: AtomicU64,
    is_over: watch::Sender<bool>,
    cancel: CancellationToken,
}

/// What is fetched, in bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    head: Range<u64>,
    end: Range<u64>,
}

impl Parts {
    /// Those of a preload of at most `size` bytes from a position.
    fn new(len: u64, position: u64, size: u64) -> Self {
        let position = position.min(len);
        // A part of it goes to the end, unless the head comes there. A player that jumps has read its index.
        let end_len = match position {
            0 => END.min(size / 2).min(len),
            _ => 0,
        };
        let end = len - end_len..len;
        let head_end = position.saturating_add(size - end_len).min(len);
        match head_end >= end.start {
            true => Self {
                head: position..position.saturating_add(size).min(len),
                end: len..len,
            },
            false => Self {
                head: position..head_end,
                end,
            },
        }
    }

    const fn size(&self) -> u64 {
        (self.head.end - self.head.start) + (self.end.end - self.end.start)
    }
}

impl Preloads {
    /// How far the last preload of a torrent is.
    pub(super) fn state(&self, id: TorrentId) -> State {
        let last = self.last.lock();
        last.get(&id).map_or_else(State::default, |preload| State {
            is_running: !*preload.is_over.borrow(),
            done: preload.done.load(Ordering::Relaxed),
            size: preload.parts.size(),
        })
    }

    /// Preloads a file from a position, and waits until that is done, or gets nowhere. Another preload of the torrent ends; one
    /// of the same bytes is joined.
    ///
    /// # Cancel safety
    ///
    /// It goes on when the future is dropped.
    pub(super) async fn run(
        &self,
        id: TorrentId,
        torrent: &Torrent,
        file: &File,
        position: u64,
        size: u64,
    ) {
        let parts = Parts::new(file.length, position, size);
        if parts.size() == 0 {
            return;
        }
        let mut is_over = self.begin(id, torrent, file.index, parts);
        // The sender lives as long as the preload.
        let _ = is_over.wait_for(|is_over| *is_over).await;
    }

    fn begin(
        &self,
        id: TorrentId,
        torrent: &Torrent,
        file: usize,
        parts: Parts,
    ) -> watch::Receiver<bool> {
        let mut last = self.last.lock();
        if let Some(preload) = last.get(&id) {
            let is_same = preload.file == file && preload.parts == parts;
            if is_same && !*preload.is_over.borrow() {
                return preload.is_over.subscribe();
            }
            preload.cancel.cancel();
        }
        if last.len() >= MAX_TORRENTS {
            last.retain(|_, preload| !*preload.is_over.borrow());
        }
        let preload = Arc::new(Preload {
            file,
            parts,
            done: AtomicU64::new(0),
            is_over: watch::Sender::new(false),
            cancel: CancellationToken::new(),
        });
        last.insert(id, Arc::clone(&preload));
        let is_over = preload.is_over.subscribe();
        let torrent = torrent.clone();
        tokio::spawn(async move {
            let cancel = preload.cancel.clone();
            cancel.run_until_cancelled(preload.fetch(&torrent)).await;
            preload.is_over.send_replace(true);
        });
        is_over
    }

    /// Ends the preload of a torrent, and forgets it.
    pub(super) fn end(&self, id: TorrentId) {
        if let Some(preload) = self.last.lock().remove(&id) {
            preload.cancel.cancel();
        }
    }

    /// Ends all of them.
    pub(super) fn end_all(&self) {
        for (_, preload) in self.last.lock().drain() {
            preload.cancel.cancel();
        }
    }
}

impl Preload {
    async fn fetch(&self, torrent: &Torrent) {
        let part = async |range: Range<u64>| {
            if range.is_empty() {
                return;
            }
            // One that cannot be read has no more to preload.
            if let Ok(mut reader) = torrent.reader(self.file, ReaderOptions::default()) {
                self.read(&mut reader, range).await;
            }
        };
        tokio::join!(part(self.parts.head.clone()), part(self.parts.end.clone()));
    }

    /// Reads a part, which the torrent then holds.
    async fn read(&self, reader: &mut Reader, mut range: Range<u64>) {
        reader.seek_to(range.start);
        while range.start < range.end {
            let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let read = timeout(STALLED_AFTER, reader.next_bytes(left.min(READ_LEN))).await;
            let Ok(Ok(bytes)) = read else { return };
            if bytes.is_empty() {
                return;
            }
            let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            range.start = range.start.saturating_add(len);
            self.done.fetch_add(len, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_head_is_where_it_was_asked_for_and_the_end_comes_with_the_beginning() {
        let parts = Parts::new(1_000 * MIB, 0, 32 * MIB);
        assert_eq!(
            (parts.head, parts.end),
            (0..24 * MIB, 992 * MIB..1_000 * MIB)
        );
        let parts = Parts::new(1_000 * MIB, 500 * MIB, 32 * MIB);
        assert_eq!(
            (parts.head, parts.end),
            (500 * MIB..532 * MIB, 1_000 * MIB..1_000 * MIB)
        );
        let near = Parts::new(1_000 * MIB, 980 * MIB, 32 * MIB);
        assert_eq!(
            (near.head.clone(), near.size()),
            (980 * MIB..1_000 * MIB, 20 * MIB)
        );
        assert_eq!(Parts::new(10, 0, 32 * MIB).head, 0..10);
        assert_eq!(Parts::new(10, 10, 32 * MIB).size(), 0);
        assert_eq!(Parts::new(10, u64::MAX, u64::MAX).size(), 0);
    }

    proptest! {
        #[test]
        fn no_more_is_preloaded_than_was_asked_for(len in any::<u64>(), position in any::<u64>(), size in any::<u64>()) {
            let parts = Parts::new(len, position, size);
            prop_assert!(parts.size() <= size);
            prop_assert!(parts.head.end <= parts.end.start && parts.end.end <= len);
            prop_assert!(parts.head.start == position.min(len));
        }
    }
}
