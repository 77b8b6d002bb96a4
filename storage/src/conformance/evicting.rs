//! Storages that give up pieces to make room.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Subject;
use super::rig::Rig;
use super::torrent::TestTorrent;
use crate::{Access, ByteWindow, Completion, ReaderKey, StorageFactory};

/// Room for this many pieces of [`TestTorrent::film`].
const ROOM: u64 = 3;

fn bounded(subject: &Subject) -> Option<Arc<dyn StorageFactory>> {
    let make = subject.bounded.as_ref()?;
    let geometry = TestTorrent::film(0).geometry();
    Some(make(ROOM * u64::from(geometry.piece_length())))
}

async fn on_demand(factory: &Arc<dyn StorageFactory>, seed: u8) -> Rig {
    Rig::open_for(factory, TestTorrent::film(seed), Access::OnDemand).await
}

pub(super) async fn what_is_evicted_is_named_and_reads_as_none(subject: &Subject) {
    let Some(factory) = bounded(subject) else {
        return;
    };
    let mut rig = on_demand(&factory, 41).await;
    let mut held = BTreeSet::new();
    for index in 0..6 {
        let piece = rig.torrent.piece(index);
        for evicted in rig.store(piece).await {
            assert!(held.remove(&evicted), "{evicted:?} was not held");
        }
        held.insert(piece);
    }
    assert!(
        held.len() <= usize::try_from(ROOM).unwrap(),
        "more than fits: {held:?}"
    );
    for index in 0..6 {
        let is_held = held.contains(&rig.torrent.piece(index));
        let read = rig.read(rig.torrent.block(index, 0)).await;
        assert_eq!(read.is_some(), is_held, "piece {index}");
    }
    let figures = rig.storage.figures();
    assert!(
        figures.budget.is_some_and(|budget| figures.used <= budget),
        "{figures:?}"
    );
    assert_eq!(figures.evictions, 6 - u64::try_from(held.len()).unwrap());
}

pub(super) async fn another_torrent_is_told_of_what_it_lost(subject: &Subject) {
    let Some(factory) = bounded(subject) else {
        return;
    };
    let mut one = on_demand(&factory, 42).await;
    for index in 0..3 {
        one.store(one.torrent.piece(index)).await;
    }
    let mut other = on_demand(&factory, 43).await;
    let ours = other.store(other.torrent.piece(0)).await;
    assert_eq!(ours, [], "what another torrent lost is told to that one");
    match one.next_completion().await {
        Completion::Evicted { piece } => {
            assert_eq!(one.read(one.torrent.block(piece.get(), 0)).await, None);
        }
        completion => panic!("{completion:?} instead of an eviction"),
    }
}

pub(super) async fn what_a_window_covers_stays(subject: &Subject) {
    let Some(factory) = bounded(subject) else {
        return;
    };
    let mut rig = on_demand(&factory, 44).await;
    let (reader, geometry) = (ReaderKey::new(1), rig.torrent.geometry());
    let kept = rig.torrent.piece(0);
    rig.space.set_window(reader, Some(&window(&rig, 0, 0)));
    rig.store(kept).await;
    for index in 1..6 {
        let evicted = rig.store(rig.torrent.piece(index)).await;
        assert!(!evicted.contains(&kept), "it was evicted out of a window");
    }
    assert!(rig.read(rig.torrent.block(0, 0)).await.is_some());
    assert!(
        rig.space
            .share()
            .is_some_and(|share| share <= ROOM * u64::from(geometry.piece_length()))
    );
    // Where all is covered, nothing gives way.
    rig.space.set_window(reader, None);
    rig.space
        .set_pins(std::slice::from_ref(&(0..geometry.end())));
    assert!(
        rig.space.reserve(rig.torrent.piece(6)).is_err(),
        "it evicted what is pinned"
    );
}

/// A window over the pieces from `behind` to `cursor`, by index.
fn window(rig: &Rig, behind: u32, cursor: u32) -> ByteWindow {
    let geometry = rig.torrent.geometry();
    let start = |index| geometry.piece_start(rig.torrent.piece(index));
    ByteWindow {
        cursor: start(cursor),
        span: start(behind)..start(cursor + 1),
        bounds: 0..geometry.end(),
    }
}

pub(super) async fn waiting_for_space_ends_when_there_is_some(subject: &Subject) {
    let Some(factory) = bounded(subject) else {
        return;
    };
    let mut rig = on_demand(&factory, 45).await;
    // Pieces that are being downloaded are never evicted.
    for index in 0..3 {
        rig.space.reserve(rig.torrent.piece(index)).unwrap();
    }
    let (wanted, needed) = (rig.torrent.piece(3), rig.torrent.geometry().piece_length());
    assert!(rig.space.reserve(wanted).is_err());
    let mut wait = pin!(rig.storage.wait_for_space(needed.into()));
    let polled = wait
        .as_mut()
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Pending);
    rig.space.release(rig.torrent.piece(1));
    wait.await;
    rig.store(wanted).await;
}

pub(super) async fn what_lies_behind_a_reader_is_told(subject: &Subject) {
    let Some(factory) = bounded(subject) else {
        return;
    };
    let mut rig = on_demand(&factory, 46).await;
    let reader = ReaderKey::new(7);
    assert_eq!(
        rig.storage.lookbehind(reader),
        None,
        "there is no such reader"
    );
    for index in 0..3 {
        rig.store(rig.torrent.piece(index)).await;
    }
    rig.space.set_window(reader, Some(&window(&rig, 1, 2)));
    let piece = u64::from(rig.torrent.geometry().piece_length());
    let behind = rig.storage.lookbehind(reader).unwrap();
    assert_eq!((behind.protected, behind.available), (1, 1));
    assert_eq!(behind.bytes, 2 * piece, "all that is held counts");
    assert_eq!(
        rig.storage.is_lookbehind_available(reader, 2 * piece),
        Some(true)
    );
    rig.storage.set_lookbehind(2);
    assert_eq!(rig.storage.lookbehind(reader).unwrap().protected, 2);
    rig.storage.set_lookbehind(0);
    rig.storage.clear_lookbehind(reader);
    assert_eq!(rig.storage.lookbehind(reader).unwrap().protected, 0);
}
