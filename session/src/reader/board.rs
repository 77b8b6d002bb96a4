//! The shared state of a torrent's readers and its task.
//!
//! A reader records its position here, and the torrent's task collects the records in its next turn. When a piece is
//! verified, the task wakes the readers that wait for it. The memory is bounded by the number of readers: each has one
//! entry, and a later record replaces an earlier one.

use std::collections::BTreeMap;
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{BlockRef, PieceIndex};
use tokio::sync::Notify;

use super::options::ReadError;
use crate::error::TorrentError;
use crate::torrent::{ReaderConfig, ReaderKey, ReaderUpdate};

#[derive(Debug, Default)]
pub(crate) struct ReaderBoard {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Why nothing is read any more.
    ended: Option<TorrentError>,
    keys: u64,
    news: BTreeMap<ReaderKey, News>,
    waits: BTreeMap<ReaderKey, Wait>,
}

/// What a reader did since the torrent looked last; applied in the order of the fields.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) opened: Option<ReaderConfig>,
    pub(crate) update: Option<ReaderUpdate>,
    pub(crate) closed: bool,
}

#[derive(Debug)]
struct Wait {
    piece: PieceIndex,
    /// The byte of the piece that it waits for.
    offset: u32,
    waker: Waker,
    /// Whether its read fails when there is no room.
    fails_when_full: bool,
    full: bool,
}

impl ReaderBoard {
    /// A key for a new reader.
    pub(crate) fn next_key(&self) -> ReaderKey {
        let mut state = self.lock();
        state.keys += 1;
        ReaderKey::new(state.keys)
    }

    /// Fails if nothing can be read any more.
    pub(crate) fn check(&self) -> Result<(), ReadError> {
        match &self.lock().ended {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Opens a reader, and notifies its torrent.
    pub(crate) fn open(&self, key: ReaderKey, config: ReaderConfig) -> Result<(), ReadError> {
        let mut state = self.lock();
        if let Some(error) = &state.ended {
            return Err(error.clone().into());
        }
        state.news.entry(key).or_default().opened = Some(config);
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    pub(crate) fn close(&self, key: ReaderKey) {
        let mut state = self.lock();
        let wait = state.waits.remove(&key);
        // Also while nothing is read: a torrent that goes on after a failure must not keep a window for it.
        let news = state.news.entry(key).or_default();
        if news.opened.is_some() {
            // The torrent never needs to know.
            state.news.remove(&key);
        } else {
            news.closed = true;
        }
        drop(state);
        // A waker's drop is foreign code: not under the lock.
        drop(wait);
        self.news.notify_one();
    }

    /// Records the progress of a reader. The torrent looks at once if it matters now, else in its next turn.
    pub(crate) fn update(&self, key: ReaderKey, update: ReaderUpdate, is_urgent: bool) {
        let mut state = self.lock();
        if state.ended.is_some() {
            return;
        }
        let told = state
            .news
            .entry(key)
            .or_default()
            .update
            .get_or_insert_default();
        *told = ReaderUpdate {
            consumed: told.consumed + update.consumed,
            seeked: told.seeked || update.seeked,
            ..update
        };
        drop(state);
        if is_urgent {
            self.news.notify_one();
        }
    }

    /// Registers a waker for the beginning of a range that is there, or never will be. The caller looks for it once more
    /// afterwards.
    pub(crate) fn wait(
        &self,
        key: ReaderKey,
        range: BlockRef,
        waker: &Waker,
        fails_when_full: bool,
    ) -> Result<(), ReadError> {
        let mut state = self.lock();
        if let Some(error) = &state.ended {
            return Err(error.clone().into());
        }
        let piece = range.piece();
        let wait = Wait {
            piece,
            offset: range.offset(),
            waker: waker.clone(),
            fails_when_full,
            full: false,
        };
        let old = state.waits.insert(key, wait);
        drop(state);
        match old {
            Some(old) if old.full && old.piece == piece => {
                self.stop_waiting(key);
                Err(ReadError::Full)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn stop_waiting(&self, key: ReaderKey) {
        let wait = self.lock().waits.remove(&key);
        drop(wait);
    }

    /// A piece is there.
    pub(crate) fn wake(&self, piece: PieceIndex) {
        self.wake_those(|_, wait| wait.piece == piece);
    }

    /// Blocks of pieces that are not whole are there.
    pub(crate) fn wake_blocks(&self, blocks: &[BlockRef]) {
        self.wake_those(|_, wait| {
            let has_it = |block: &BlockRef| {
                let end = block.offset().saturating_add(block.len());
                block.piece() == wait.piece && (block.offset()..end).contains(&wait.offset)
            };
            blocks.iter().any(has_it)
        });
    }

    /// Wakes all readers, which look again for what they wait for.
    pub(crate) fn wake_all(&self) {
        self.wake_those(|_, _| true);
    }

    /// There is no room for what a reader waits for.
    pub(crate) fn starve(&self, reader: ReaderKey) {
        self.wake_those(|key, wait| {
            let hears = key == reader && wait.fails_when_full;
            wait.full |= hears;
            hears
        });
    }

    /// Nothing is read any more until [`Self::resume`].
    pub(crate) fn end(&self, error: TorrentError) {
        self.lock().ended = Some(error);
        self.wake_those(|_, _| true);
    }

    /// Reading goes on after a failure.
    pub(crate) fn resume(&self) {
        self.lock().ended = None;
    }

    /// Waits until a reader has done something.
    pub(crate) async fn ready(&self) {
        self.news.notified().await;
    }

    /// Takes what readers did since the last time.
    pub(crate) fn take(&self) -> BTreeMap<ReaderKey, News> {
        std::mem::take(&mut self.lock().news)
    }

    fn wake_those(&self, mut is_meant: impl FnMut(ReaderKey, &mut Wait) -> bool) {
        let mut woken = Vec::new();
        for (key, wait) in &mut self.lock().waits {
            if is_meant(*key, wait) {
                woken.push(wait.waker.clone());
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic halfway through a change.
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::Lookbehind;

    fn config() -> ReaderConfig {
        ReaderConfig {
            file: 0,
            bounds: 0..10,
            cursor: 0,
            lookbehind: Lookbehind::Share,
            duration: None,
        }
    }

    #[test]
    fn a_reader_that_is_dropped_while_the_torrent_has_failed_is_known_to_be_gone() {
        let board = ReaderBoard::default();
        let key = board.next_key();
        board.open(key, config()).unwrap();
        assert!(board.take()[&key].opened.is_some());
        board.end(TorrentError::Closed);
        board.close(key);
        board.resume();
        assert!(board.take()[&key].closed);
    }

    #[test]
    fn a_reader_that_the_torrent_never_heard_of_leaves_no_trace() {
        let board = ReaderBoard::default();
        let key = board.next_key();
        board.open(key, config()).unwrap();
        board.close(key);
        assert!(board.take().is_empty());
    }
}
