//! Compares the storage with its model.

use std::sync::atomic::Ordering;
use std::task::Poll;

use tailwater_storage_mem::{Error, PieceState, ReaderId, TorrentHandle};

use crate::common::{BLOCK, block_on};
use crate::model::{self, State};
use crate::ops::TORRENTS;
use crate::world::{CONTENTS, Held, World};

impl World {
    pub(crate) fn compare(&mut self) {
        self.compare_stats();
        for Held { lease, bytes } in &self.leases {
            assert_eq!(lease[..], bytes[..]);
        }
        for torrent in 0..TORRENTS {
            if let Some(handle) = self.handles[torrent] {
                self.compare_pieces(torrent, handle);
                self.compare_readers(torrent, handle);
            }
        }
        let model = &self.model;
        self.waiters.retain_mut(|waiter| {
            let is_served = model.victims(waiter.blocks).is_some();
            let is_woken = waiter.woken.0.swap(false, Ordering::Relaxed);
            assert!(is_woken || !is_served, "there is room, and nobody said so");
            if is_woken {
                let expected = is_served.then_some(Ok(()));
                assert_eq!(waiter.poll(), expected.map_or(Poll::Pending, Poll::Ready));
            }
            !is_served
        });
    }

    fn compare_stats(&self) {
        let (stats, model) = (self.storage.stats(), &self.model);
        let sum = |is_verified| {
            let of_kind = model
                .pieces
                .iter()
                .filter(move |(_, piece)| matches!(piece.state, State::Verified(_)) == is_verified);
            of_kind.map(|(&place, _)| model.blocks(place)).sum::<u64>()
        };
        assert!(stats.used <= stats.budget);
        assert_eq!(stats.used - stats.free_list, model.used() * BLOCK);
        assert_eq!(stats.verified, sum(true) * BLOCK);
        assert_eq!(stats.partial, sum(false) * BLOCK);
        let (leased, detached) = model.leased();
        assert_eq!(
            (stats.leased, stats.detached),
            (leased * BLOCK, detached * BLOCK)
        );
        assert_eq!(stats.evictions, model.evictions);
        assert_eq!(self.storage.readers(), model.readers());
    }

    fn compare_pieces(&self, torrent: usize, handle: TorrentHandle) {
        for index in CONTENTS[torrent].geometry.pieces() {
            let state = self.storage.piece_state(handle, index);
            let piece = self.model.pieces.get(&(torrent, index.get()));
            let expected = match piece.map(|piece| &piece.state) {
                None => PieceState::Absent,
                Some(State::Verified(_)) => PieceState::Verified,
                Some(State::Partial(there)) => PieceState::Partial {
                    missing: CONTENTS[torrent].geometry.block_count(index)
                        - u32::try_from(there.len()).unwrap(),
                },
            };
            assert_eq!(state, Ok(expected));
            let is_protected = self.model.is_protected(torrent, index.get());
            assert_eq!(self.storage.is_protected(handle, index), Ok(is_protected));
        }
    }

    fn compare_readers(&self, torrent: usize, handle: TorrentHandle) {
        for number in 0..3 {
            let reader = ReaderId::new(number);
            let stats = self.storage.lookbehind_stats(handle, reader);
            let expected = self.model.lookbehind(torrent, number);
            assert_eq!(stats.map(model::lookbehind), expected);
            for bytes in [0, 1, 10_000, 30_000, 1_000_000] {
                let available = self.storage.is_lookbehind_available(handle, reader, bytes);
                let expected = self.model.is_lookbehind_available(torrent, number, bytes);
                assert_eq!(available, expected, "{bytes} bytes");
            }
        }
    }

    /// Closes the storage, and looks whether all its memory comes back.
    pub(crate) fn end(mut self) {
        block_on(self.storage.close());
        for waiter in &mut self.waiters {
            assert_eq!(waiter.poll(), Poll::Ready(Err(Error::Closed)));
        }
        drop(self.leases);
        assert_eq!(self.storage.stats().used, 0);
    }
}
