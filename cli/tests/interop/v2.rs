//! BitTorrent v2 (BEP 52) with libtorrent on the other side: v2-only and hybrid torrents, to and from the disk and memory,
//! by torrent files and by magnet links.

use std::any::Any;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::client::Setting;
use crate::enabled;
use crate::libtorrent;
use crate::ours::{self, Start};
use crate::payload::{
    LAST_PIECE_OF_1_BYTE, MANY_FILES, ONE_FILE, PIECES_OF_16_KIB, PIECES_OF_16_MIB, Shape,
};
use crate::place::Place;
use crate::web_seeds;

const SHAPES: [Shape; 5] = [
    ONE_FILE,
    MANY_FILES,
    LAST_PIECE_OF_1_BYTE,
    PIECES_OF_16_KIB,
    PIECES_OF_16_MIB,
];

/// The torrent of the payload, as libtorrent makes it.
fn torrent(place: &Place, version: &str) -> PathBuf {
    let path = place.path(&format!("{version}.torrent"));
    let shape = place.shape();
    libtorrent::create(&place.payload(), &path, shape.piece_kib, version);
    path
}

/// Does it with each shape of a payload.
fn each(version: &str, test: impl Fn(&Place, PathBuf)) {
    if !enabled() {
        return;
    }
    for shape in SHAPES {
        let place = Place::new(shape);
        let torrent = torrent(&place, version);
        test(&place, torrent);
    }
}

/// They seed, we download to the disk, and check what is there once more.
fn to_our_disk(version: &str) {
    each(version, |place, torrent| {
        let (_seeder, addr) = libtorrent::seed(&torrent, &place.data(), &[]);
        let out = place.folder("out");
        let mut ours = Start::new(&place.path(""), &torrent, &[addr]).download(&out);
        ours.process.succeed();
        place.assert_arrived(&out);
        ours::verify(&torrent, &out);
    });
}

/// We seed from the disk, they download.
fn from_our_disk(version: &str) {
    each(version, |place, torrent| {
        let ours = Start::new(&place.path(""), &torrent, &[]).seed(&place.data());
        let out = place.folder("out");
        let peers = [ours.addr];
        let (leecher, _) = libtorrent::leech_in(Setting::default(), &torrent, &out, &peers);
        libtorrent::complete(&leecher);
        place.assert_arrived(&out);
    });
}

/// They seed, we download to memory, and another of them downloads from there.
fn through_our_memory(version: &str) {
    each(version, |place, torrent| {
        let (seeder, addr) = libtorrent::seed(&torrent, &place.data(), &[]);
        let (home, peers) = (place.path(""), [addr]);
        let ours = Start::new(&home, &torrent, &peers).download_to_memory_and_seed();
        ours.event("completed");
        // The rest can come only from us.
        drop(seeder);
        let out = place.folder("out");
        let peers = [ours.addr];
        let (leecher, _) = libtorrent::leech_in(Setting::default(), &torrent, &out, &peers);
        libtorrent::complete(&leecher);
        place.assert_arrived(&out);
    });
}

/// The same folder and settings make the same torrent.
#[test]
fn made_by_us_as_libtorrent_makes_it() {
    for (version, option) in [("v2", "--v2"), ("hybrid", "--hybrid")] {
        each(version, |place, torrent| {
            let made = place.path("ours.torrent");
            let (payload, piece_kib) = (place.payload(), place.shape().piece_kib);
            ours::create_with(&payload, &made, piece_kib, &[option]);
            let (ours, theirs) = (ours::inspect(&made), ours::inspect(&torrent));
            for hash in ["info_hash_v1", "info_hash_v2"] {
                assert_eq!(
                    ours[hash],
                    theirs[hash],
                    "{version}: {}",
                    place.shape().name
                );
            }
            let read = libtorrent::inspect(&made);
            assert_eq!(read["info_hash_v2"], ours["info_hash_v2"]);
            ours::verify(&made, &place.data());
        });
    }
}

/// A file that its owner may execute keeps that (BEP 47).
#[test]
fn executable_files_are_marked_as_libtorrent_marks_them() {
    use std::os::unix::fs::PermissionsExt;
    if !enabled() {
        return;
    }
    let place = Place::new(MANY_FILES);
    let program = place.payload().join("part 0/file-005-é.bin");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (version, option) in [("v2", "--v2"), ("hybrid", "--hybrid")] {
        let (made, theirs) = (place.path("ours.torrent"), torrent(&place, version));
        let more = [option, "--force"];
        ours::create_with(&place.payload(), &made, place.shape().piece_kib, &more);
        let hashes = |torrent| {
            let said = ours::inspect(torrent);
            [said["info_hash_v1"].clone(), said["info_hash_v2"].clone()]
        };
        assert_eq!(hashes(&made), hashes(&theirs), "{version}");
    }
}

/// The magnet link of a torrent; of a hybrid with both hashes, or with the v2 hash alone.
fn link(torrent: &Path, v2_alone: bool, peer: SocketAddr) -> String {
    let link = ours::inspect(torrent)["magnet"]
        .as_str()
        .unwrap()
        .to_owned();
    let v1 = link.find("xt=urn:btih:").filter(|_| v2_alone);
    let link = match v1 {
        Some(start) => {
            let end = start + link[start..].find('&').unwrap() + 1;
            format!("{}{}", &link[..start], &link[end..])
        }
        None => link,
    };
    assert!(link.contains("xt=urn:btmh:1220"));
    format!("{link}&x.pe={peer}")
}

/// They seed; we have a link. The hashes of pieces come from them, after the metadata.
fn fetched_by_a_link(version: &str, v2_alone: bool) {
    each(version, |place, torrent| {
        let (_seeder, addr) = libtorrent::seed(&torrent, &place.data(), &[]);
        let (out, home) = (place.folder("out"), place.folder("home"));
        let link = link(&torrent, v2_alone, addr);
        let mut ours = Start::new(&home, Path::new(&link), &[]).download(&out);
        ours.process.succeed();
        place.assert_arrived(&out);
        ours::verify(&torrent, &out);
    });
}

/// We seed; they have a link.
fn served_by_a_link(version: &str, v2_alone: bool) {
    each(version, |place, torrent| {
        let ours = Start::new(&place.path(""), &torrent, &[]).seed(&place.data());
        let out = place.folder("out");
        let link = link(&torrent, v2_alone, ours.addr);
        let setting = Setting::default();
        let (leecher, _) = libtorrent::leech_in(setting, Path::new(&link), &out, &[]);
        libtorrent::complete(&leecher);
        place.assert_arrived(&out);
    });
}

/// They seed, we have a link and download to memory, and another of them has a link to us: it learns from us what we have
/// learned.
fn passed_on_by_a_link(version: &str, v2_alone: bool) {
    each(version, |place, torrent| {
        let (seeder, addr) = libtorrent::seed(&torrent, &place.data(), &[]);
        let (home, out) = (place.folder("home"), place.folder("out"));
        let to_them = link(&torrent, v2_alone, addr);
        let ours = Start::new(&home, Path::new(&to_them), &[]).download_to_memory_and_seed();
        ours.event("completed");
        drop(seeder);
        let to_us = link(&torrent, v2_alone, ours.addr);
        let setting = Setting::default();
        let (leecher, _) = libtorrent::leech_in(setting, Path::new(&to_us), &out, &[]);
        libtorrent::complete(&leecher);
        place.assert_arrived(&out);
    });
}

/// A hybrid with one seeder of ours, of which some know only the v1 hash and some only the v2 hash: everybody completes.
#[test]
fn a_swarm_of_both_versions_completes() {
    each("hybrid", |place, torrent| {
        let ours = Start::new(&place.path(""), &torrent, &[]).seed(&place.data());
        let said = ours::inspect(&torrent);
        let v1 = said["info_hash_v1"].as_str().unwrap();
        let v2 = said["info_hash_v2"].as_str().unwrap();
        let peer = ours.addr;
        let links = [
            format!("magnet:?xt=urn:btih:{v1}&x.pe={peer}"),
            format!("magnet:?xt=urn:btmh:1220{v2}&x.pe={peer}"),
        ];
        let theirs = links.each_ref().map(|link| {
            let out = place.folder(&format!("theirs-{}", link.len()));
            let setting = Setting::default();
            let (leecher, _) = libtorrent::leech_in(setting, Path::new(link), &out, &[]);
            (leecher, out)
        });
        let downloads = links.each_ref().map(|link| {
            let (home, out) = (
                format!("home-{}", link.len()),
                format!("ours-{}", link.len()),
            );
            let (home, out) = (place.folder(&home), place.folder(&out));
            let ours = Start::new(&home, Path::new(link), &[]).download(&out);
            (ours, out)
        });
        for (leecher, out) in &theirs {
            libtorrent::complete(leecher);
            place.assert_arrived(out);
        }
        for (mut ours, out) in downloads {
            ours.process.succeed();
            place.assert_arrived(&out);
        }
    });
}

#[test]
fn v2_fetched_by_a_link() {
    fetched_by_a_link("v2", false);
}

#[test]
fn v2_served_by_a_link() {
    served_by_a_link("v2", false);
}

#[test]
fn v2_passed_on_by_a_link() {
    passed_on_by_a_link("v2", false);
}

#[test]
fn hybrid_fetched_by_a_link() {
    fetched_by_a_link("hybrid", false);
    fetched_by_a_link("hybrid", true);
}

#[test]
fn hybrid_served_by_a_link() {
    served_by_a_link("hybrid", false);
    served_by_a_link("hybrid", true);
}

#[test]
fn hybrid_passed_on_by_a_link() {
    passed_on_by_a_link("hybrid", true);
}

#[test]
fn v2_to_our_disk() {
    to_our_disk("v2");
}

#[test]
fn v2_from_our_disk() {
    from_our_disk("v2");
}

#[test]
fn v2_through_our_memory() {
    through_our_memory("v2");
}

#[test]
fn hybrid_to_our_disk() {
    to_our_disk("hybrid");
}

#[test]
fn hybrid_from_our_disk() {
    from_our_disk("hybrid");
}

#[test]
fn hybrid_through_our_memory() {
    through_our_memory("hybrid");
}

/// Bytes of the middle of a piece of 16 MiB are read while the piece is not whole, from a seed that needs minutes for
/// the whole piece.
fn read_before_their_piece_is_whole(
    versions: &[&str],
    seed: impl Fn(&Place, &Path) -> (Box<dyn Any>, SocketAddr),
) {
    if !enabled() {
        return;
    }
    for &version in versions {
        let place = Place::new(PIECES_OF_16_MIB);
        let torrent = torrent(&place, version);
        let (_seed, addr) = seed(&place, &torrent);
        let (home, peers) = (place.folder("viewer"), [addr]);
        let ours = Start::new(&home, &torrent, &peers).stream("64MiB");
        let urls = ours.event_where("listening", |event| event["page"].is_string());
        let (at, len) = (20_000_000, 1_000);
        let range = format!("Range: bytes={at}-{}\r\n", at + len - 1);
        let body = web_seeds::get(urls["file"].as_str().unwrap(), &range);
        let film = std::fs::read(place.payload()).unwrap();
        assert!(body == film[at..at + len], "{version}: other bytes");
        let stats = web_seeds::get(urls["stats"].as_str().unwrap(), "");
        let stats: serde_json::Value = serde_json::from_slice(&stats).unwrap();
        let have = &stats["pieces"]["have"];
        assert_eq!(have.as_array().unwrap().len(), 0, "{version}: {have}");
    }
}

#[test]
fn read_from_libtorrent_before_their_piece_is_whole() {
    let slow = Setting {
        max_up: Some("50000"),
        ..Setting::default()
    };
    read_before_their_piece_is_whole(&["v2", "hybrid"], |place, torrent| {
        let (seeder, addr) = libtorrent::seed_in(slow, torrent, &place.data(), &[]);
        (Box::new(seeder), addr)
    });
}

#[test]
fn read_from_us_before_their_piece_is_whole() {
    read_before_their_piece_is_whole(&["v2", "hybrid"], |place, torrent| {
        let home = place.folder("seed");
        let start = Start::new(&home, torrent, &[]).max_up("20KiB");
        let ours = start.seed(&place.data());
        let addr = ours.addr;
        (Box::new(ours), addr)
    });
}
