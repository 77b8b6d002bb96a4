//! Hybrid torrents among clients that know both versions, and with clients that know v1 alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::{Client, Setting};
use crate::ours::{self, Start};
use crate::payload::{MANY_FILES, ONE_FILE};
use crate::place::Place;
use crate::{aria2, enabled, libtorrent, rtorrent};

/// The hybrid torrent of the payload, as we make it.
fn torrent(place: &Place) -> PathBuf {
    torrent_with(place, &[])
}

/// The same with more options.
fn torrent_with(place: &Place, more: &[&str]) -> PathBuf {
    let path = place.path("hybrid.torrent");
    let more = [&["--hybrid"], more].concat();
    ours::create_with(&place.payload(), &path, place.shape().piece_kib, &more);
    path
}

/// rTorrent knows v1 alone, and pad files only as files. It downloads a hybrid from us, and then we from it.
#[test]
fn rtorrent_downloads_hybrids_and_seeds_them() {
    if !enabled() {
        return;
    }
    for shape in [ONE_FILE, MANY_FILES] {
        let place = Place::new(shape);
        // Nobody answers there.
        let torrent = torrent_with(&place, &["--tracker", "http://127.0.0.1:9/announce"]);
        let theirs = place.folder("theirs");
        let (client, addr) = rtorrent::leech(&place, &torrent, &theirs);
        let ours = Start::new(&place.path(""), &torrent, &[addr]).seed(&place.data());
        rtorrent::complete(&client);
        drop(ours);
        place.assert_arrived_beside_padding(&theirs);
        let out = place.folder("out");
        let mut ours = Start::new(&place.folder("home"), &torrent, &[addr]).download(&out);
        ours.process.succeed();
        place.assert_arrived(&out);
        ours::verify(&torrent, &out);
    }
}

/// Neither can take part in a swarm of hybrids, whoever made them: Transmission 3 takes them for no torrents, and aria2
/// encodes what it has decoded and gets another info-hash. When one of them can, it belongs in the tests here.
#[test]
fn clients_of_v1_alone_cannot_read_hybrids() {
    if !enabled() {
        return;
    }
    let place = Place::new(ONE_FILE);
    let theirs = place.path("theirs.torrent");
    let piece_kib = place.shape().piece_kib;
    libtorrent::create(&place.payload(), &theirs, piece_kib, "hybrid");
    for torrent in [torrent(&place), theirs] {
        let mut show = Command::new("transmission-show");
        let said = show.arg(&torrent).output().unwrap();
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        assert!(said.contains("Error parsing .torrent file"), "{said}");
        let hash = ours::info_hash(&torrent);
        let said = aria2::inspect(&torrent);
        assert!(
            said.contains("Info Hash: ") && !said.contains(&hash),
            "{said}"
        );
    }
}

/// A hybrid that libtorrent seeds. Of libtorrent and of ours, one has the torrent, one knows it by its v1 hash alone and one by
/// its v2 hash alone, as their links name no other: everybody completes.
#[test]
fn a_swarm_of_v1_v2_and_hybrid_members_completes() {
    if !enabled() {
        return;
    }
    for shape in [ONE_FILE, MANY_FILES] {
        let place = Place::new(shape);
        let torrent = torrent(&place);
        let seeder = Client::Libtorrent.seed(&place, &torrent);
        let said = ours::inspect(&torrent);
        let link = |hash: String| format!("magnet:?xt=urn:{hash}&x.pe={}", seeder.addr);
        let v1 = link(format!("btih:{}", said["info_hash_v1"].as_str().unwrap()));
        let v2 = link(format!(
            "btmh:1220{}",
            said["info_hash_v2"].as_str().unwrap()
        ));
        let sources = [torrent.as_path(), Path::new(&v1), Path::new(&v2)];
        let folder = |who: &str, number: usize| place.folder(&format!("{who}-{number}"));
        let theirs = [0, 1, 2].map(|number| {
            let out = folder("theirs", number);
            let peers = [seeder.addr];
            let (leecher, _) =
                libtorrent::leech_in(Setting::default(), sources[number], &out, &peers);
            (leecher, out)
        });
        let ours = [0, 1, 2].map(|number| {
            let (home, out) = (folder("home", number), folder("ours", number));
            let peers = [seeder.addr];
            let start = Start::new(&home, sources[number], &peers);
            (start.download_and_seed(&out), out)
        });
        for (ours, out) in &ours {
            ours.event("completed");
            place.assert_arrived(out);
        }
        for (leecher, out) in &theirs {
            libtorrent::complete(leecher);
            place.assert_arrived(out);
        }
    }
}
