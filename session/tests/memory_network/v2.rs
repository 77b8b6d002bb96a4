//! v2 and hybrid torrents (BEP 52) over a network in memory: transfers, magnet links, and the names under which both sides
//! meet.

use tailwater_metainfo::{
    HostPort, InfoHash, InfoHashes, Magnet, Metainfo, PeerId, TorrentVersion,
};
use tailwater_session::memory_network::{MemoryConfig, MemoryNetwork};
use tailwater_session::{
    AddOptions, Encryption, ReaderOptions, Session, StorageError, StorageKind, TorrentError,
    Transports, torrent_file,
};
use tailwater_wire::{Handshake, Reserved};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Share, seed, within};
use crate::{close, session};

const FILES: &[(&str, usize)] = &[
    ("a/one.bin", 200_000),
    ("a/two.bin", 32_768),
    ("b", 1),
    ("empty", 0),
    ("z.bin", 70_001),
];
const BOTH: [TorrentVersion; 2] = [TorrentVersion::V2, TorrentVersion::Hybrid];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_travel_to_memory_and_on_to_the_disk() {
    for version in BOTH {
        let share = Share::of(version, 1, FILES, 32_768);
        let network = MemoryNetwork::new(MemoryConfig::default().seed(1).chunk(1..=5_000));
        let [origin, between, end] = [1, 2, 3].map(|host| session(&network, host));
        seed(&origin, &share).await;
        let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
        let torrent = between.add(&share.metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        let target = TempDir::new().unwrap();
        let options = AddOptions::new(StorageKind::Disk(target.path().into()));
        let options = options.peers(between.listen_addr());
        let torrent = end.add(&share.metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        close([end, between, origin]).await;
        share.assert_same(target.path());
    }
}

/// The hashes of pieces are asked of peers, and what was learned is passed on to the next who has only a link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_becomes_a_torrent_and_its_hashes_are_learned_and_passed_on() {
    for version in BOTH {
        let share = Share::of(version, 2, FILES, 16_384);
        let hashes = share.metainfo.info().info_hashes();
        let v2_alone = InfoHashes { v1: None, ..hashes };
        for hashes in [hashes, v2_alone] {
            let network = MemoryNetwork::new(MemoryConfig::default());
            let [origin, between, end] = [1, 2, 3].map(|host| session(&network, host));
            seed(&origin, &share).await;
            for (from, to) in [("10.0.0.1", &between), ("10.0.0.2", &end)] {
                let mut magnet = Magnet::new(hashes);
                magnet.peers.push(HostPort::new(from, 6881).unwrap());
                let mut fetch = to.fetch(&magnet);
                let metainfo = within(fetch.wait()).await.unwrap();
                assert_eq!(
                    metainfo.info().info_hashes(),
                    share.metainfo.info().info_hashes()
                );
                let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
                let torrent = to.add(&metainfo, options).await.unwrap();
                within(torrent.wait_complete()).await.unwrap();
                within(async {
                    // A hybrid is complete by its v1 hashes, maybe before it has learned the others.
                    while !torrent.metainfo().piece_layers().missing().is_empty() {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            }
            close([end, between, origin]).await;
        }
    }
}

/// The name under which a session answers a handshake under `name`; `None` if it hangs up.
async fn answer(network: &MemoryNetwork, name: InfoHash, reserved: Reserved) -> Option<Handshake> {
    let host = network.host([10, 0, 0, 9]);
    let mut stream = host.connect(([10, 0, 0, 1], 6881).into()).await.unwrap();
    let ours = Handshake {
        reserved,
        info_hash: name,
        peer_id: PeerId::new([b'p'; 20]),
    };
    stream.write_all(&ours.to_bytes()).await.unwrap();
    let mut received = bytes::BytesMut::new();
    loop {
        if let Some(answer) = Handshake::decode(&mut received).unwrap() {
            return Some(answer);
        }
        if stream.read_buf(&mut received).await.unwrap() == 0 {
            return None;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_changes_over_to_v2_where_the_peer_knows_it() {
    let share = Share::of(TorrentVersion::Hybrid, 3, FILES, 16_384);
    let hashes = share.metainfo.info().info_hashes();
    let (v1, v2) = (hashes.v1.unwrap(), hashes.v2.unwrap().truncated());
    let network = MemoryNetwork::new(MemoryConfig::default());
    let origin = session(&network, 1);
    seed(&origin, &share).await;
    let knows = Reserved::FAST | Reserved::V2;
    for (name, reserved, expected, offers) in [
        (v1, knows, v2, false),
        (v1, Reserved::FAST, v1, true),
        (v2, knows, v2, false),
        (v2, Reserved::FAST, v2, false),
    ] {
        let answered = within(answer(&network, name, reserved)).await.unwrap();
        assert_eq!(answered.info_hash, expected);
        assert_eq!(answered.reserved.v2(), offers);
    }
    let stranger = within(answer(&network, InfoHash::new([1; 20]), knows)).await;
    assert_eq!(stranger, None);
    close([origin]).await;
}

/// A client of that time crashed on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_v2_bit_changes_nothing_for_a_v1_torrent() {
    let share = Share::new(4, FILES, 16_384);
    let v1 = share.metainfo.info().info_hash();
    let network = MemoryNetwork::new(MemoryConfig::default());
    let (origin, other) = (session(&network, 1), session(&network, 2));
    seed(&origin, &share).await;
    // One has the torrent, the other a link.
    let mut magnet = Magnet::new(v1.into());
    let _fetch = other.fetch(&magnet);
    for _ in 0..2 {
        let reserved = Reserved::FAST | Reserved::V2;
        let answered = within(answer(&network, v1, reserved)).await.unwrap();
        assert_eq!((answered.info_hash, answered.reserved.v2()), (v1, false));
    }
    magnet.peers.push(HostPort::new("10.0.0.1", 6881).unwrap());
    let end = session(&network, 3);
    let metainfo = within(end.fetch(&magnet).wait()).await.unwrap();
    assert_eq!(metainfo.info().info_hash(), v1);
    close([end, other, origin]).await;
}

/// A peer that knows the torrent by its v2 hash alone hangs up at the other name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_the_v2_swarm_is_dialled_again_under_its_name() {
    let share = Share::of(TorrentVersion::Hybrid, 5, FILES, 16_384);
    let hashes = share.metainfo.info().info_hashes();
    let (v1, v2) = (hashes.v1.unwrap(), hashes.v2.unwrap().truncated());
    let network = MemoryNetwork::new(MemoryConfig::default());
    let mut listener = network.host([10, 0, 0, 1]).listen(Some(6881)).unwrap();
    let end = session(&network, 2);
    let peer = ([10, 0, 0, 1], 6881).into();
    let options = AddOptions::new(StorageKind::Memory).peers([peer]);
    let _torrent = end.add(&share.metainfo, options).await.unwrap();
    let mut names = Vec::new();
    within(async {
        while names.last() != Some(&v2) {
            let mut stream = listener.accept().await.unwrap();
            let mut received = bytes::BytesMut::new();
            // An encrypted handshake is tried too: it names nothing in plain, and is hung up on.
            while Handshake::decode_prefix(&received) == Ok(None) {
                if stream.read_buf(&mut received).await.unwrap() == 0 {
                    break;
                }
            }
            let named = Handshake::decode_prefix(&received).ok().flatten();
            names.extend(named.map(|(_, name)| name));
        }
    })
    .await;
    assert_eq!(names, [v1, v2]);
    close([end]).await;
}

/// A torrent whose two sides are not of the same bytes: nobody is to blame but its maker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_that_contradicts_itself_ends_in_an_error_and_is_not_seeded() {
    let share = Share::of(TorrentVersion::Hybrid, 6, FILES, 16_384);
    let mut file = torrent_file(&share.metainfo);
    let hashes = file
        .windows(8)
        .position(|bytes| bytes == b"6:pieces")
        .unwrap();
    // A byte of the first SHA-1, behind `6:pieces` and the length.
    file[hashes + 15] ^= 1;
    let broken = Metainfo::from_bytes(&file).unwrap();
    assert_ne!(broken.info().info_hash(), share.metainfo.info().info_hash());
    let network = MemoryNetwork::new(MemoryConfig::default());
    let origin = session(&network, 1);
    // Whole files are refused when they are checked.
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()));
    let torrent = origin.add(&broken, options).await.unwrap();
    let error = within(torrent.wait_complete()).await.unwrap_err();
    let disagree = |error: &StorageError| matches!(error, StorageError::HashesDisagree(piece) if piece.get() == 0);
    assert!(
        matches!(&error, TorrentError::Storage(error) if disagree(error)),
        "{error}"
    );
    close([origin]).await;
}

/// Without them, what is on the disk could not be checked, and would be fetched again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_that_came_from_peers_are_there_at_the_next_start() {
    let share = Share::of(TorrentVersion::V2, 7, FILES, 16_384);
    let (state, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let network = MemoryNetwork::new(MemoryConfig::default());
    let origin = session(&network, 1);
    seed(&origin, &share).await;
    let mut magnet = Magnet::new(share.metainfo.info().info_hashes());
    magnet.peers.push(HostPort::new("10.0.0.1", 6881).unwrap());
    let start = |host| {
        let builder = Session::builder().memory_network(network.host([10, 0, 0, host]));
        let builder = builder.transports(Transports::Tcp).state_dir(state.path());
        builder.encryption(Encryption::Allow).start().unwrap()
    };
    let first = start(2);
    let mut fetch = first.fetch(&magnet);
    let metainfo = within(fetch.wait()).await.unwrap();
    assert!(!metainfo.piece_layers().missing().is_empty());
    let options = || AddOptions::new(StorageKind::Disk(target.path().into()));
    let torrent = first
        .add(&metainfo, options().peers(fetch.peers()))
        .await
        .unwrap();
    within(torrent.wait_complete()).await.unwrap();
    close([first, origin]).await;

    // Nobody is there, and the resume data is gone too.
    let mut gone = 0;
    for entry in std::fs::read_dir(state.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "resume")
        {
            std::fs::remove_file(path).unwrap();
            gone += 1;
        }
    }
    assert_eq!(gone, 1);
    let second = start(3);
    let metainfo = within(second.fetch(&magnet).wait()).await.unwrap();
    assert_eq!(metainfo.piece_layers().missing(), []);
    let torrent = second.add(&metainfo, options()).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    close([second]).await;
    share.assert_same(target.path());
}

/// By a link, the hashes of pieces are not known. Files that are whole have a tree of their own, at their places and where
/// they can be reused: its root is that of the metadata.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_files_of_a_link_need_no_hashes_of_peers() {
    for version in BOTH {
        let share = Share::of(version, 8, FILES, 16_384);
        let network = MemoryNetwork::new(MemoryConfig::default());
        let [origin, end] = [1, 2].map(|host| session(&network, host));
        seed(&origin, &share).await;
        let mut magnet = Magnet::new(share.metainfo.info().info_hashes());
        magnet.peers.push(HostPort::new("10.0.0.1", 6881).unwrap());
        let metainfo = within(end.fetch(&magnet).wait()).await.unwrap();
        assert!(!metainfo.piece_layers().missing().is_empty());
        // Nobody is left to ask.
        close([origin]).await;
        let elsewhere = TempDir::new().unwrap();
        let options = AddOptions::new(StorageKind::Disk(elsewhere.path().into()));
        let options = options.reuse([share.dir.path().to_path_buf()]);
        let torrent = end.add(&metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        assert_eq!(torrent.metainfo().piece_layers().missing(), []);
        assert_eq!(torrent.status().stats.downloaded, 0);
        share.assert_same(elsewhere.path());
        close([end]).await;

        let end = session(&network, 3);
        let metainfo = Metainfo::from_info(metainfo.info().clone(), Vec::new(), Vec::new());
        assert!(!metainfo.piece_layers().missing().is_empty());
        let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()));
        let torrent = end.add(&metainfo, options).await.unwrap();
        within(torrent.wait_complete()).await.unwrap();
        assert_eq!(torrent.metainfo().piece_layers().missing(), []);
        close([end]).await;
    }
}

/// Readers get blocks whose piece is not whole, out of memory and from the disk, and the rest of the piece later: the hashes
/// of blocks come from the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_gets_blocks_before_their_piece_is_whole() {
    /// A piece takes ten seconds.
    const RATE: u64 = 100_000;
    const PIECE: u64 = 1 << 20;
    for version in BOTH {
        let share = Share::of(version, 6, &[("film.bin", 3_000_000)], 1 << 20);
        let network = MemoryNetwork::new(MemoryConfig::default());
        let origin = session(&network, 1);
        seed(&origin, &share).await;
        let target = TempDir::new().unwrap();
        for (host, storage) in [
            (2, StorageKind::Memory),
            (3, StorageKind::Disk(target.path().into())),
        ] {
            let viewer = session(&network, host);
            viewer.set_download_limit(Some(RATE)).unwrap();
            let options = AddOptions::new(storage).on_demand(true);
            let options = options.peers(origin.listen_addr());
            let torrent = viewer.add(&share.metainfo, options).await.unwrap();
            let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
            let at = PIECE + 700_000;
            reader.seek_to(at);
            let bytes = within(reader.next_bytes(1_000)).await.unwrap();
            let film = std::fs::read(share.dir.path().join("share/film.bin")).unwrap();
            let at = usize::try_from(at).unwrap();
            assert!(bytes[..] == film[at..at + bytes.len()]);
            let have = within(torrent.have()).await.unwrap();
            assert!(have.is_none(), "{version:?}: the piece is whole already");
            // It reads on from there to the end, and whole pieces are held then.
            viewer.set_download_limit(None).unwrap();
            let mut read = bytes.to_vec();
            within(async {
                loop {
                    let more = reader.next_bytes(usize::MAX).await.unwrap();
                    if more.is_empty() {
                        break;
                    }
                    read.extend_from_slice(&more);
                }
            })
            .await;
            assert!(read[..] == film[at..]);
            drop(reader);
            close([viewer]).await;
        }
        close([origin]).await;
    }
}
