//! Readers over real connections: out of a small budget, from the disk, together, and at the end.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use std::io::SeekFrom;
use std::time::Duration;

use bytes::Bytes;
use support::{LOOPBACK, Share, seed, session, within};
use tailwater_session::{
    AddError, AddOptions, Lookbehind, PieceState, ReadError, Reader, ReaderOptions, Session,
    StorageKind, Torrent, TorrentError, WhenFull,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const MIB: u64 = 1 << 20;
const PIECE: u32 = 65_536;

/// A seeder, and a session that reads the torrent on demand from a small budget.
struct Theatre {
    share: Share,
    origin: Session,
    house: Session,
    torrent: Torrent,
}

impl Theatre {
    async fn new(files: &[(&str, usize)], budget: u64) -> Self {
        let theatre = Self::without_peers(files, budget).await;
        theatre.find_seeder().await;
        theatre
    }

    /// Nothing comes before the seeder is found: what is read on demand is begun before it has a reader.
    async fn without_peers(files: &[(&str, usize)], budget: u64) -> Self {
        let share = Share::new(1, files, PIECE);
        let origin = session();
        seed(&origin, &share).await;
        let house = Session::builder()
            .listen(LOOPBACK)
            .memory_budget(budget)
            .start()
            .unwrap();
        let options = AddOptions::new(StorageKind::Memory)
            .on_demand(true)
            .announce(false);
        let torrent = house.add(&share.metainfo, options).await.unwrap();
        Self {
            share,
            origin,
            house,
            torrent,
        }
    }

    async fn find_seeder(&self) {
        let addr = self.origin.listen_addr().unwrap();
        self.torrent.add_peer(addr).await.unwrap();
    }

    fn bytes(&self, file: usize) -> Vec<u8> {
        let entry = &self.share.metainfo.info().files()[file];
        std::fs::read(entry.path().under(self.share.dir.path())).unwrap()
    }

    fn reader(&self, file: usize) -> Reader {
        self.torrent.reader(file, ReaderOptions::default()).unwrap()
    }

    /// What has come from the seeder, once nothing is on its way any more.
    async fn downloaded(&self) -> u64 {
        loop {
            let map = self.torrent.buffer().await.unwrap();
            if !map.pieces.iter().any(|piece| piece.in_flight) {
                break;
            }
            tokio::task::yield_now().await;
        }
        let peers = self.torrent.peers().await.unwrap();
        peers.iter().map(|peer| peer.downloaded).sum()
    }

    async fn close(self) {
        within(self.house.close()).await;
        within(self.origin.close()).await;
        assert_eq!(self.house.memory_stats().used, 0);
    }
}

async fn read_to_end(reader: &mut Reader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = within(reader.next_bytes(usize::MAX)).await.unwrap();
        if bytes.is_empty() {
            return all;
        }
        all.extend_from_slice(&bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_plays_out_of_a_tenth_of_its_size() {
    let theatre = Theatre::without_peers(&[("film", 20 << 20)], 2 * MIB).await;
    let expected = theatre.bytes(0);
    let mut reader = theatre.reader(0);
    theatre.find_seeder().await;
    let mut position = 0;
    while position < expected.len() {
        let bytes = within(reader.next_bytes(usize::MAX)).await.unwrap();
        assert!(expected[position..].starts_with(&bytes), "at {position}");
        position += bytes.len();
        let used = theatre.house.memory_stats().used;
        assert!(used <= 2 * MIB, "{used} bytes");
    }
    assert!(within(reader.next_bytes(1)).await.unwrap().is_empty());
    assert_eq!(theatre.downloaded().await, 20 * MIB, "nothing came twice");
    let map = theatre.torrent.buffer().await.unwrap();
    assert!(map.memory.evictions > 200, "{:?}", map.memory);
    assert_eq!(map.readers[0].cursor, 20 * MIB);
    drop(reader);
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_inside_the_lookbehind_and_a_reopened_reader_download_nothing() {
    let theatre = Theatre::new(&[("film", 20 << 20)], 8 * MIB).await;
    let expected = theatre.bytes(0);
    let mut reader = theatre.reader(0);
    let mut start = vec![0; 6 << 20];
    within(reader.read_exact(&mut start)).await.unwrap();
    assert!(expected.starts_with(&start));
    let before = theatre.downloaded().await;

    within(reader.seek(SeekFrom::Current(-(2 << 20))))
        .await
        .unwrap();
    let mut again = vec![0; 1 << 20];
    within(reader.read_exact(&mut again)).await.unwrap();
    assert!(again == expected[4 << 20..5 << 20]);
    drop(reader);

    let mut second = theatre.reader(0);
    second.seek_to(4 * MIB);
    within(second.read_exact(&mut again)).await.unwrap();
    assert!(again == expected[4 << 20..5 << 20]);
    assert_eq!(theatre.downloaded().await, before);
    drop(second);
    theatre.close().await;
}

/// Reads on by `len` bytes, until the torrent knows that the reader is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_prefetched_is_there_when_its_reader_comes() {
    let theatre = Theatre::new(&[("film", 4 << 20)], 8 * MIB).await;
    within(theatre.torrent.prefetch(0)).await.unwrap();
    while !within(theatre.torrent.have()).await.unwrap().is_all() {
        tokio::task::yield_now().await;
    }
    let mut reader = theatre.reader(0);
    assert_eq!(read_to_end(&mut reader).await, theatre.bytes(0));
    // The seeder has gone: there was nothing more to share.
    assert_eq!(theatre.torrent.stats().downloaded, 4 * MIB);
    let refused = within(theatre.torrent.prefetch(7)).await.unwrap_err();
    assert!(matches!(
        refused,
        ReadError::NoSuchFile { index: 7, count: 1 }
    ));
    drop(reader);
    theatre.close().await;
}

async fn read_on(theatre: &Theatre, reader: &mut Reader, len: u64) {
    let end = reader.position() + len;
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    within(reader.read_exact(&mut bytes)).await.unwrap();
    let key = reader.key();
    let is_there = async {
        loop {
            let map = theatre.torrent.buffer().await.unwrap();
            let view = map.readers.iter().find(|view| view.key == key);
            if view.is_some_and(|view| view.cursor == end) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(is_there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_pieces_behind_a_reader_are_kept_as_its_torrent_says_until_they_are_cleared() {
    const KEPT: u32 = 8;
    let kept = u64::from(KEPT * PIECE);
    let theatre = Theatre::new(&[("film", 20 << 20)], 4 * MIB).await;
    let options = ReaderOptions::default().lookbehind(Lookbehind::Bytes(0));
    let mut reader = theatre.torrent.reader(0, options).unwrap();
    assert_eq!(reader.lookbehind(), None, "it has not read yet");
    assert_eq!(reader.is_lookbehind_available(1), None);
    read_on(&theatre, &mut reader, 2 * MIB).await;
    let figures = reader.lookbehind().unwrap();
    assert_eq!(figures.protected, 0, "its own window has no lookbehind");

    theatre.torrent.set_lookbehind(KEPT);
    assert_eq!(reader.lookbehind().unwrap().protected, KEPT);
    // Twice the budget: what is not kept has to go.
    read_on(&theatre, &mut reader, 8 * MIB).await;
    let figures = reader.lookbehind().unwrap();
    assert_eq!((figures.protected, figures.available), (KEPT, KEPT));
    assert!(figures.bytes >= kept, "{figures:?}");
    assert_eq!(reader.is_lookbehind_available(kept), Some(true));
    assert_eq!(reader.is_lookbehind_available(10 * MIB), Some(false));
    assert!(reader.is_lookbehind_available(figures.bytes).unwrap());
    assert!(!reader.is_lookbehind_available(figures.bytes + 1).unwrap());

    reader.clear_lookbehind();
    assert_eq!(reader.lookbehind().unwrap().protected, 0);
    read_on(&theatre, &mut reader, 2 * u64::from(PIECE)).await;
    // Only what it has read since.
    assert_eq!(reader.lookbehind().unwrap().protected, 2);
    theatre.torrent.set_lookbehind(0);
    assert_eq!(reader.lookbehind().unwrap().protected, 0);
    drop(reader);
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jumps_forward_and_back_read_the_right_bytes() {
    let theatre = Theatre::new(&[("extras", 100_001), ("film", 20 << 20)], 2 * MIB).await;
    let expected = theatre.bytes(1);
    let mut reader = theatre.reader(1);
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..60 {
        let at = rng.usize(..expected.len());
        let len = rng.usize(1..200_000).min(expected.len() - at);
        within(reader.seek(SeekFrom::Start(at as u64)))
            .await
            .unwrap();
        let mut bytes = vec![0; len];
        within(reader.read_exact(&mut bytes)).await.unwrap();
        assert!(bytes == expected[at..at + len], "{len} bytes at {at}");
    }
    assert!(theatre.house.memory_stats().used <= 2 * MIB);
    drop(reader);
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_readers_of_several_files_at_once() {
    let theatre = Theatre::new(&[("a", 5 << 20), ("b", 5 << 20)], 3 * MIB).await;
    let first = theatre.reader(0);
    let mut clone = first.clone();
    clone.seek_to(3 * MIB);
    let (mut first, mut other) = (first, theatre.reader(1));
    let (a, tail, b) = tokio::join!(
        read_to_end(&mut first),
        read_to_end(&mut clone),
        read_to_end(&mut other)
    );
    assert!(a == theatre.bytes(0));
    assert!(tail == theatre.bytes(0)[3 << 20..]);
    assert!(b == theatre.bytes(1));
    drop((first, clone, other));
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_a_download_to_the_disk_does_not_wait_for_the_rest() {
    let share = Share::new(2, &[("film", 8 << 20)], PIECE);
    let (origin, house) = (session(), session());
    seed(&origin, &share).await;
    let target = TempDir::new().unwrap();
    let options = AddOptions::new(StorageKind::Disk(target.path().into()))
        .announce(false)
        .peers(origin.listen_addr());
    let torrent = house.add(&share.metainfo, options).await.unwrap();
    let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
    reader.seek_to(5 * MIB);
    let entry = &share.metainfo.info().files()[0];
    let expected = std::fs::read(entry.path().under(share.dir.path())).unwrap();
    assert!(read_to_end(&mut reader).await == expected[5 << 20..]);
    within(torrent.wait_complete()).await.unwrap();
    // Nothing on a disk is ever evicted.
    torrent.set_lookbehind(8);
    assert_eq!(reader.lookbehind(), None);
    assert_eq!(reader.is_lookbehind_available(1), None);
    reader.seek_to(0);
    assert!(read_to_end(&mut reader).await == expected);
    within(house.close()).await;
    within(origin.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_a_reader_fails_or_waits_as_its_options_say() {
    let theatre = Theatre::new(&[("film", 4 << 20)], 4 * u64::from(PIECE)).await;
    let mut holder = theatre.reader(0);
    let mut leases: Vec<Bytes> = Vec::new();
    let impatient = ReaderOptions::default().when_full(WhenFull::Fail);
    let mut reader = theatre.torrent.reader(0, impatient).unwrap();
    reader.seek_to(3 * MIB);
    let refused = loop {
        // A reader that holds leases of the whole budget leaves no room for others.
        leases.push(within(holder.next_bytes(usize::MAX)).await.unwrap());
        if leases.len() == 16 {
            break within(reader.next_bytes(1)).await;
        }
    };
    assert_eq!(refused, Err(ReadError::Full));
    let patient = ReaderOptions::default().when_full(WhenFull::Wait);
    let mut patient = theatre.torrent.reader(0, patient).unwrap();
    patient.seek_to(3 * MIB);
    let waiting = tokio::spawn(async move { patient.next_bytes(16).await });
    assert_eq!(within(reader.next_bytes(1)).await, Err(ReadError::Full));
    drop(leases);
    drop(holder);
    let bytes = within(waiting).await.unwrap().unwrap();
    assert!(theatre.bytes(0)[3 << 20..].starts_with(&bytes));
    drop((bytes, reader));
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_streams_serves_what_it_holds_and_says_what_it_gave_up() {
    let theatre = Theatre::new(&[("film", 8 << 20)], 2 * MIB).await;
    let mut reader = theatre.reader(0);
    assert!(read_to_end(&mut reader).await == theatre.bytes(0));
    let map = theatre.torrent.buffer().await.unwrap();
    let held = |state| {
        map.pieces
            .iter()
            .filter(|piece| piece.state == state)
            .count()
    };
    assert!(held(PieceState::Have) > 16 && held(PieceState::Evicted) > 64);

    // Peer exchange would name it to the leech.
    within(theatre.origin.close()).await;
    let end = session();
    let options = AddOptions::new(StorageKind::Memory)
        .announce(false)
        .peers(theatre.house.listen_addr());
    let mut leech = end.add(&theatre.share.metainfo, options).await.unwrap();
    let count = u32::try_from(held(PieceState::Have)).unwrap();
    within(async { while leech.changed().await.unwrap().stats.pieces_have < count {} }).await;
    let theirs = leech.have().await.unwrap();
    let geometry = theatre.share.metainfo.info().geometry();
    for (piece, view) in geometry.pieces().zip(&map.pieces) {
        assert_eq!(
            theirs.has(piece),
            view.state == PieceState::Have,
            "piece {piece}"
        );
    }
    within(end.close()).await;
    drop(reader);
    theatre.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_downloaded_stays_whatever_else_is_read() {
    let theatre = Theatre::new(&[("film", 8 << 20)], 3 * MIB).await;
    let keep = Share::new(9, &[("small", 1 << 20)], PIECE);
    let origin = session();
    seed(&origin, &keep).await;
    let options = AddOptions::new(StorageKind::Memory)
        .announce(false)
        .peers(origin.listen_addr());
    let kept = theatre.house.add(&keep.metainfo, options).await.unwrap();
    within(kept.wait_complete()).await.unwrap();
    let mut reader = theatre.reader(0);
    assert!(read_to_end(&mut reader).await == theatre.bytes(0));
    assert!(kept.have().await.unwrap().is_all());
    drop(reader);
    theatre.close().await;
    within(origin.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_outlives_its_torrent_hears_of_it() {
    let theatre = Theatre::new(&[("film", 4 << 20)], 2 * MIB).await;
    let closed = Err(ReadError::Torrent(TorrentError::Closed));
    let mut reader = theatre.reader(0);
    // No peer has the last byte's piece any more, and so it waits until the end.
    within(theatre.origin.close()).await;
    reader.seek_to(4 * MIB - 1);
    let house = theatre.house.clone();
    let (read, ()) = tokio::join!(within(reader.next_bytes(1)), within(house.close()));
    assert_eq!(read, closed);
    assert_eq!(within(reader.clone().next_bytes(1)).await, closed);
    let refused = theatre.torrent.reader(0, ReaderOptions::default());
    assert_eq!(refused.map(drop), closed.map(drop));
}

/// On one thread: the torrent's task does not run before the session closes.
#[tokio::test]
async fn a_reader_of_a_torrent_that_is_closed_before_it_began_hears_of_it() {
    let share = Share::new(1, &[("film", 1 << 20)], PIECE);
    let session = session();
    let options = AddOptions::new(StorageKind::Memory).on_demand(true);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
    let (read, ()) = tokio::join!(within(reader.next_bytes(1)), within(session.close()));
    assert_eq!(read, Err(ReadError::Torrent(TorrentError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_places_and_files() {
    let theatre = Theatre::new(&[("a", 200_000), ("empty", 0)], 2 * MIB).await;
    let names: Vec<_> = theatre
        .share
        .metainfo
        .info()
        .files()
        .iter()
        .map(tailwater_metainfo::FileEntry::length)
        .collect();
    let empty = names.iter().position(|len| *len == 0).unwrap();
    let mut reader = theatre.reader(empty);
    assert!(within(reader.next_bytes(1)).await.unwrap().is_empty());
    assert_eq!(
        theatre
            .torrent
            .reader(2, ReaderOptions::default())
            .map(drop),
        Err(ReadError::NoSuchFile { index: 2, count: 2 })
    );
    let options = ReaderOptions::default()
        .lookbehind(Lookbehind::Seconds(Duration::from_secs(10)))
        .duration(Duration::from_secs(60));
    let mut reader = theatre.torrent.reader(1 - empty, options).unwrap();
    assert_eq!(
        within(reader.seek(SeekFrom::End(-1))).await.unwrap(),
        199_999
    );
    let mut last = Vec::new();
    within(reader.read_to_end(&mut last)).await.unwrap();
    assert_eq!(last, theatre.bytes(1 - empty)[199_999..]);
    assert_eq!(
        within(reader.seek(SeekFrom::Start(1 << 40))).await.unwrap(),
        1 << 40
    );
    assert!(within(reader.next_bytes(1)).await.unwrap().is_empty());
    assert!(within(reader.seek(SeekFrom::End(-200_001))).await.is_err());
    theatre.close().await;
}

#[tokio::test]
async fn a_budget_below_one_piece_is_refused_at_once() {
    let share = Share::new(3, &[("film", 1 << 20)], PIECE);
    let house = Session::builder()
        .listen(LOOPBACK)
        .memory_budget(u64::from(PIECE) - 1)
        .start()
        .unwrap();
    let options = AddOptions::new(StorageKind::Memory).on_demand(true);
    let refused = house.add(&share.metainfo, options).await;
    let expected = AddError::PieceTooLargeForMemory {
        piece: u64::from(PIECE),
        budget: u64::from(PIECE) - 1,
    };
    assert_eq!(refused.err(), Some(expected));
    within(house.close()).await;
}

/// A player opens a film as soon as its torrent has been added, while its files are still looked at.
#[tokio::test]
async fn a_reader_that_comes_before_the_files_are_checked_is_woken_when_they_are() {
    let share = Share::new(1, &[("film", 8 << 20)], PIECE);
    let house = session();
    let options = AddOptions::to_folder(share.dir.path()).announce(false);
    let torrent = house.add(&share.metainfo, options).await.unwrap();
    let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
    // Something looks again after a minute in any case.
    let reading = tokio::time::timeout(Duration::from_secs(45), reader.next_bytes(1));
    let bytes = reading.await.expect("it is not woken").unwrap();
    assert_eq!(bytes.len(), 1);
    drop(reader);
    within(house.close()).await;
}
