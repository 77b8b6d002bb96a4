//! Pieces of a hybrid torrent that were verified by their SHA-1 before the hashes of their trees came (BEP 52).

use sha1::{Digest, Sha1};
use tailwater_metainfo::{Metainfo, TorrentVersion};
use tailwater_session::memory_network::{MemoryConfig, MemoryNetwork};
use tailwater_session::{
    AddOptions, Encryption, Session, StorageError, StorageKind, TorrentError, Transports,
    torrent_file,
};
use tempfile::TempDir;

use crate::support::{Share, within};
use crate::{close, session};

const LEN: usize = 20 * PIECE - 5;
const PIECE: usize = 32_768;
const FILES: &[(&str, usize)] = &[("film", LEN)];
/// The piece that is to be compared again, and one that neither side begins with.
const EARLY: usize = 4;
const MISSING: usize = 9;

fn piece(number: usize) -> std::ops::Range<usize> {
    number * PIECE..(number + 1) * PIECE
}

/// A folder with the file of a share, changed.
fn folder(share: &Share, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut film = std::fs::read(share.dir.path().join("share/film")).unwrap();
    change(&mut film);
    std::fs::create_dir(folder.path().join("share")).unwrap();
    std::fs::write(folder.path().join("share/film"), film).unwrap();
    folder
}

/// The torrent with another SHA-1 of a piece than its tree has.
fn contradicting(share: &Share, number: usize, bytes: &[u8]) -> Metainfo {
    let mut file = torrent_file(&share.metainfo);
    let is_here = |at: &[u8]| at.starts_with(b"6:pieces400:");
    let start = file.windows(12).position(is_here).unwrap() + 12 + 20 * number;
    file[start..start + 20].copy_from_slice(&Sha1::digest(bytes));
    Metainfo::from_bytes(&file).unwrap()
}

fn without_layers(metainfo: &Metainfo) -> Metainfo {
    Metainfo::from_info(metainfo.info().clone(), Vec::new(), Vec::new())
}

fn options(folder: &TempDir) -> AddOptions {
    AddOptions::new(StorageKind::Disk(folder.path().into())).overwrite(true)
}

fn assert_disagree(error: &TorrentError) {
    let TorrentError::Storage(StorageError::HashesDisagree(piece)) = error else {
        panic!("{error}");
    };
    assert_eq!(piece.as_usize(), EARLY);
    assert!(error.to_string().contains("contradicts itself"), "{error}");
}

/// One piece is right by its SHA-1 alone. That is found out when a peer sends the hashes, is told, and nobody gets a byte;
/// nor at the next start, with nobody there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hybrid_that_was_held_by_its_sha1_ends_in_an_error_when_its_hashes_come() {
    let share = Share::of(TorrentVersion::Hybrid, 21, FILES, 32_768);
    let other = vec![7; PIECE];
    let torrent = contradicting(&share, EARLY, &other);
    let network = MemoryNetwork::new(MemoryConfig::default());
    let origin = session(&network, 1);
    // It has the hashes, and all pieces but that one and another.
    let serving = folder(&share, |film| {
        film[piece(EARLY)].fill(1);
        film[piece(MISSING)].fill(1);
    });
    origin.add(&torrent, options(&serving)).await.unwrap();
    let state = TempDir::new().unwrap();
    let start = |host| {
        let builder = Session::builder().memory_network(network.host([10, 0, 0, host]));
        let builder = builder.transports(Transports::Tcp).state_dir(state.path());
        builder.encryption(Encryption::Allow).start().unwrap()
    };
    let target = folder(&share, |film| {
        film[piece(EARLY)].copy_from_slice(&other);
        film[piece(MISSING)].fill(2);
    });
    let end = start(2);
    let held = end
        .add(&without_layers(&torrent), options(&target))
        .await
        .unwrap();
    let have = within(held.have()).await.unwrap();
    assert_eq!(have.count(), 19, "by SHA-1, all but one");
    held.add_peer(origin.listen_addr().unwrap()).await.unwrap();
    assert_disagree(&within(held.wait_complete()).await.unwrap_err());
    assert_disagree(&within(held.resume()).await.unwrap_err());
    // Nobody gets anything of it.
    let third = session(&network, 3);
    let options_of_third = AddOptions::new(StorageKind::Memory).peers(end.listen_addr());
    let asking = third.add(&torrent, options_of_third).await.unwrap();
    assert_eq!(held.status().stats.peers, 0);
    close([end, origin]).await;
    assert_eq!(asking.status().stats.downloaded, 0);
    close([third]).await;

    // With the hashes, what was remembered does not vouch for it.
    let again = start(4);
    let held = again.add(&torrent, options(&target)).await.unwrap();
    assert_disagree(&within(held.wait_complete()).await.unwrap_err());
    close([again]).await;
}
