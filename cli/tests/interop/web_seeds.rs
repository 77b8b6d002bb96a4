//! Web seeds (BEP 19): downloads from real web servers, by us and by libtorrent.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::Client;
use crate::nginx::{Nginx, Served};
use crate::ours::{self, Start};
use crate::payload::{self, Shape};
use crate::place::{Place, free_port};
use crate::process::{DEADLINE, Process};
use crate::{enabled, libtorrent};

/// We download from web seeds alone.
fn download(place: &Place, torrent: &Path, authority: Option<&Path>) {
    let (home, out) = (place.folder("home"), place.folder("out"));
    let start = Start::new(&home, torrent, &[]);
    let start = match authority {
        Some(file) => start.trusting(file),
        None => start,
    };
    let mut ours = start.download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
    let completed = &ours.events("completed")[0];
    let from = &completed["web_seeds"][0];
    assert_eq!(from["downloaded"], completed["downloaded"], "{completed}");
    assert_eq!(from["last_error"], Value::Null);
}

#[test]
fn we_download_from_nginx_without_a_peer() {
    if !enabled() {
        return;
    }
    for shape in [payload::ONE_FILE, payload::MANY_FILES] {
        let place = Place::new(shape);
        let nginx = Nginx::new(&place);
        download(&place, &nginx.torrent(&place), None);
    }
}

/// The files of a v2 torrent lie at the same paths as those of a v1 torrent, and pad files are not asked for.
#[test]
fn v2_and_hybrid_torrents_come_from_nginx_without_a_peer() {
    if !enabled() {
        return;
    }
    for option in ["--v2", "--hybrid"] {
        for shape in [payload::ONE_FILE, payload::MANY_FILES] {
            let place = Place::new(shape);
            let nginx = Nginx::new(&place);
            let torrent = nginx.torrent_with(&place, &[option]);
            download(&place, &torrent, None);
            let served = nginx.served();
            assert!(
                served.iter().all(|it| !it.path.contains(".pad")),
                "{served:?}"
            );
            ours::verify(&torrent, &place.path("out"));
        }
    }
}

#[test]
fn we_download_over_http2_and_tls_by_one_connection() {
    if !enabled() {
        return;
    }
    for shape in [payload::ONE_FILE, payload::MANY_FILES] {
        let place = Place::new(shape);
        let nginx = Nginx::over_tls(&place, true);
        let torrent = nginx.torrent(&place);
        download(&place, &torrent, nginx.authority());
        let served = nginx.served();
        let first = &served[0];
        let is_same = |it: &Served| it.protocol == "HTTP/2.0" && it.connection == first.connection;
        assert!(served.iter().all(is_same), "{served:?}");
    }
}

#[test]
fn we_download_over_tls_from_a_server_without_http2() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let nginx = Nginx::over_tls(&place, false);
    let torrent = nginx.torrent(&place);
    download(&place, &torrent, nginx.authority());
    let served = nginx.served();
    assert!(served.iter().all(|it| it.protocol == "HTTP/1.1"));
}

#[test]
fn a_server_whose_authority_is_unknown_is_not_asked() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let nginx = Nginx::over_tls(&place, true);
    let torrent = nginx.torrent(&place);
    let (home, out) = (place.folder("home"), place.folder("out"));
    let seed = Start::new(&home, &torrent, &[]).seed(&place.data());
    let peers = [seed.addr];
    let other = place.folder("other-home");
    let ours = Start::new(&other, &torrent, &peers).download_and_seed(&out);
    nginx.process.line("SSL_do_handshake() failed");
    ours.event("completed");
    place.assert_arrived(&out);
    assert_eq!(nginx.served().len(), 0);
}

#[test]
fn beside_a_slow_server_peers_do_the_work() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let nginx = Nginx::with(&place, "limit_rate 4k;");
    let torrent = nginx.torrent(&place);
    let (home, out) = (place.folder("home"), place.folder("out"));
    let seed = Start::new(&home, &torrent, &[]).seed(&place.data());
    let peers = [seed.addr];
    let other = place.folder("other-home");
    let mut ours = Start::new(&other, &torrent, &peers).download(&out);
    // What the server was asked for is fetched from the peer in the end: alone, it would take 26 minutes.
    ours.process.succeed();
    place.assert_arrived(&out);
}

#[test]
fn beside_a_server_without_ranges_peers_do_the_work() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let port = free_port();
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1"]);
    command.arg(port.to_string()).current_dir(place.data());
    let python = Process::start("http.server", &mut command);
    python.line("Serving HTTP");
    let torrent = place.path("web-seed.torrent");
    let url = format!("http://127.0.0.1:{port}/");
    let piece_kib = place.shape().piece_kib;
    ours::create_with(&place.payload(), &torrent, piece_kib, &["--web-seed", &url]);
    let (home, out) = (place.folder("home"), place.folder("out"));
    let seed = Start::new(&home, &torrent, &[]).seed(&place.data());
    let other = place.folder("other-home");
    let mut ours = Start::new(&other, &torrent, &[seed.addr]).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
}

/// Streams from web seeds alone, with less memory than the file has, and reads here and there as players do.
fn stream(place: &Place, nginx: &Nginx) {
    let film = fs::read(place.payload()).unwrap();
    let (home, torrent) = (place.folder("home"), nginx.torrent(place));
    let start = Start::new(&home, &torrent, &[]);
    let start = match nginx.authority() {
        Some(file) => start.trusting(file),
        None => start,
    };
    let ours = start.stream("2MiB");
    let urls = ours.event_where("listening", |event| event["page"].is_string());
    let file = urls["file"].as_str().unwrap();
    let end = film.len();
    for (at, len) in [
        (0, 300_000),
        (end - 10_000, 10_000),
        (3_000_000, 1_000_000),
        (1_000_001, 200_000),
        (5_000_000, 100_000),
        (0, end),
    ] {
        let body = get(file, &format!("Range: bytes={at}-{}\r\n", at + len - 1));
        assert!(body == film[at..at + len], "{len} bytes at {at}");
    }
    let stats = get(urls["stats"].as_str().unwrap(), "");
    let stats: Value = serde_json::from_slice(&stats).unwrap();
    assert_eq!(stats["transfer"]["peers"], 0);
    let memory = &stats["memory"];
    assert!(
        memory["used"].as_u64() <= memory["budget"].as_u64(),
        "{memory}"
    );
    assert!(memory["evictions"].as_u64() > Some(0), "{memory}");
    let seed = &stats["web_seeds"][0];
    assert_eq!(seed["url"], nginx.url);
    assert!(seed["downloaded"].as_u64().unwrap() >= end as u64, "{seed}");
}

/// The body of an answer.
pub(crate) fn get(url: &str, headers: &str) -> Vec<u8> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head =
        format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let mut ends = answer.windows(4);
    let end = ends.position(|four| four == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(end)
}

#[test]
fn a_stream_seeks_with_web_seeds_alone() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    stream(&place, &Nginx::new(&place));
    stream(&place, &Nginx::over_tls(&place, true));
}

#[test]
fn libtorrent_downloads_from_the_web_seeds_of_our_torrents() {
    if !enabled() {
        return;
    }
    for shape in [payload::ONE_FILE, payload::MANY_FILES] {
        let place = Place::new(shape);
        let nginx = Nginx::new(&place);
        let torrent = nginx.torrent(&place);
        let out = place.folder("out");
        Client::Libtorrent
            .leech(&place, &torrent, &out)
            .complete(&place, &out);
        assert!(nginx.served().iter().any(|it| it.sent > 0));
    }
}

#[test]
fn we_download_from_the_web_seeds_of_libtorrents_torrents() {
    let shapes: [(Shape, &str); 4] = [
        (payload::ONE_FILE, "v1"),
        (payload::MANY_FILES, "v1"),
        // With pad files between the files (BEP 47), which no server has.
        (payload::ONE_FILE, "hybrid"),
        (payload::MANY_FILES, "hybrid"),
    ];
    if !enabled() {
        return;
    }
    for (shape, version) in shapes {
        let place = Place::new(shape);
        let nginx = Nginx::new(&place);
        let torrent = place.path("theirs.torrent");
        let piece_kib = shape.piece_kib;
        let payload = place.payload();
        libtorrent::create_with(&payload, &torrent, piece_kib, version, &[&nginx.url]);
        download(&place, &torrent, None);
        let served = nginx.served();
        let is_good = |it: &Served| matches!(it.status, 200 | 206) && !it.path.contains(".pad");
        assert!(served.iter().all(is_good), "{served:?}");
    }
}
