//! Each call, with a seeder on the other side.

use serde_json::{Value, json};

use crate::Stremio;
use crate::server::encoded;
use crate::support::{Place, Running, noise};

/// A show that is seeded, with a tracker that knows its seeder.
fn show(place: &Place) -> (String, Vec<Running>, String, String) {
    for (seed, name) in (1..).zip(["Show.S01E01.mkv", "Show.S01E02.mkv", "sample.txt"]) {
        place.write(&format!("here/Show/{name}"), &noise(seed, 100_000));
    }
    let (tracker, announce) = place.tracker();
    let torrent = place.create("here/Show", &["--tracker", &announce]);
    let (seeder, peer) = place.seed(&torrent, "here");
    (torrent, vec![tracker, seeder], announce, peer)
}

/// What `stremio-core` refuses to parse without: keys, and whether each is a number, a text, a list and so on.
fn is_statistics(said: &Value) {
    for key in ["name", "infoHash", "streamName"] {
        assert!(said[key].is_string(), "{key}: {said}");
    }
    for key in [
        "downloaded",
        "uploaded",
        "unchoked",
        "peers",
        "queued",
        "unique",
        "connectionTries",
        "streamLen",
        "swarmConnections",
        "swarmSize",
    ] {
        assert!(said[key].is_u64(), "{key}: {said}");
    }
    for key in ["downloadSpeed", "uploadSpeed", "streamProgress"] {
        assert!(said[key].is_number(), "{key}: {said}");
    }
    for key in ["peerSearchRunning", "swarmPaused"] {
        assert!(said[key].is_boolean(), "{key}: {said}");
    }
    for file in said["files"].as_array().unwrap() {
        assert!(
            file["name"].is_string() && file["path"].is_string(),
            "{file}"
        );
        assert!(file["length"].is_u64() && file["offset"].is_u64(), "{file}");
    }
    for source in said["sources"].as_array().unwrap() {
        assert!(source["lastStarted"].is_string(), "{source}");
        for key in ["numFound", "numFoundUniq", "numRequests"] {
            assert!(source[key].is_u64(), "{source}");
        }
        assert!(
            source["url"].as_str().unwrap().starts_with("tracker:"),
            "{source}"
        );
    }
    let opts = &said["opts"];
    for key in ["connections", "handshakeTimeout", "timeout"] {
        assert!(opts[key].is_u64(), "{key}: {opts}");
    }
    for key in ["dht", "tracker", "virtual"] {
        assert!(opts[key].is_boolean(), "{key}: {opts}");
    }
    assert!(
        opts["path"].is_string() && opts["peerSearch"]["sources"].is_array(),
        "{opts}"
    );
    assert!(
        opts["growler"]["flood"].is_u64() && opts["growler"]["pulse"].is_u64(),
        "{opts}"
    );
    assert!(opts["swarmCap"]["maxSpeed"].is_number() && opts["swarmCap"]["minPeers"].is_u64());
    assert!(opts["peerSearch"]["min"].is_u64() && opts["peerSearch"]["max"].is_u64());
}

#[test]
fn a_torrent_is_created_its_episode_is_guessed_and_played() {
    let place = Place::new();
    let (torrent, _running, _announce, peer) = show(&place);
    let server = Stremio::start(&place, &["--memory", "16MiB"]);
    let (hash, created) = server.create(&place, &torrent);
    is_statistics(&created);
    assert!(created["guessedFileIdx"].is_u64(), "{created}");
    server.daemon.connect(&hash, &peer);
    let files = created["files"].as_array().unwrap();
    let index = |name: &str| files.iter().position(|file| file["name"] == name).unwrap();
    let second = index("Show.S01E02.mkv");
    let body = json!({"torrent": {"infoHash": hash}, "peerSearch": {"sources": [format!("dht:{hash}")], "min": 40, "max": 200},
        "guessFileIdx": {"season": 1, "episode": 2}});
    let guessed = server.post(&format!("/{hash}/create"), &body).json();
    assert_eq!(guessed["guessedFileIdx"], json!(second));
    let target = format!("/{hash}/{second}");
    let head = server.send("HEAD", &target, "", b"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("100000"))
    );
    let part = server.send("GET", &target, "Range: bytes=99990-\r\n", b"");
    assert_eq!(
        (part.status, part.header("content-range")),
        (206, Some("bytes 99990-99999/100000"))
    );
    assert!(part.body == noise(2, 100_000)[99_990..]);
    assert!(server.get(&target).body == noise(2, 100_000));
    let named = server.get(&format!("{target}/Show.S01E02.mkv?tr=dht%3A{hash}"));
    assert!(named.body == noise(2, 100_000));
    // -1 is the largest film; of equals the first.
    let best = server.get(&format!("/{hash}/-1"));
    assert!(best.body == noise(1, 100_000));
    let stats = server.json(&format!("{target}/stats.json"));
    is_statistics(&stats);
    assert_eq!(
        (&stats["streamName"], &stats["streamLen"]),
        (&json!("Show.S01E02.mkv"), &json!(100_000))
    );
    // Figures are brought up to date now and then.
    let begun = std::time::Instant::now();
    while server.json(&format!("{target}/stats.json"))["downloaded"].as_u64() < Some(200_000) {
        assert!(
            begun.elapsed() < crate::server::HANGS_AFTER,
            "nothing is counted"
        );
    }
    is_statistics(&server.json(&format!("/{hash}/stats.json")));
    is_statistics(&server.json("/stats.json")[&hash]);
    assert_eq!(server.json(&format!("/{hash}/remove")), json!({}));
    assert_eq!(server.get(&format!("/{hash}/stats.json")).status, 404);
    server.daemon.stop();
}

#[test]
fn an_info_hash_with_trackers_is_played_at_once() {
    let place = Place::new();
    let (torrent, _running, announce, _peer) = show(&place);
    let hash = {
        let inspected: Value =
            serde_json::from_str(&place.ok(&["inspect", "--json", &torrent])).unwrap();
        crate::server::hash_of(inspected["magnet"].as_str().unwrap())
    };
    let server = Stremio::start(&place, &[]);
    let source = encoded(&format!("tracker:{announce}"));
    let played = server.get(&format!("/{hash}/-1?tr=dht%3A{hash}&tr={source}"));
    assert_eq!(played.status, 200, "{played:?}");
    assert!(played.body == noise(1, 100_000));
    let stats = server.json(&format!("/{hash}/stats.json"));
    assert_eq!(stats["sources"][0]["url"], format!("tracker:{announce}"));
    server.daemon.stop();
}

#[test]
fn it_says_what_clients_look_for_at_the_start() {
    let place = Place::new();
    let server = Stremio::start(&place, &["--memory", "64MiB"]);
    let settings = server.json("/settings");
    assert_eq!(settings["baseUrl"], format!("http://{}", server.addr));
    let values = &settings["values"];
    for key in ["appPath", "cacheRoot", "serverVersion", "remoteHttps"] {
        assert!(values[key].is_string(), "{key}: {values}");
    }
    for key in [
        "btMaxConnections",
        "btHandshakeTimeout",
        "btRequestTimeout",
        "btMinPeersForStable",
    ] {
        assert!(values[key].is_u64(), "{key}: {values}");
    }
    for key in ["btDownloadSpeedSoftLimit", "btDownloadSpeedHardLimit"] {
        assert!(values[key].is_number(), "{key}: {values}");
    }
    assert_eq!(values["cacheSize"], 64 << 20);
    assert!(values["proxyStreamsEnabled"] == json!(false) && values["transcodeProfile"].is_null());
    let set = server.post("/settings", &json!({"cacheSize": 0, "btMaxConnections": 1}));
    assert_eq!(set.json(), json!({"success": true}));
    assert_eq!(server.json("/settings"), settings);
    assert_eq!(server.json("/heartbeat"), json!({"success": true}));
    assert_eq!(
        server.json("/network-info"),
        json!({"availableInterfaces": []})
    );
    assert_eq!(
        server.json("/device-info"),
        json!({"availableHardwareAccelerations": []})
    );
    assert_eq!(server.json("/casting"), json!([]));
    assert_eq!(server.json("/stats.json"), json!({}));
    server.daemon.stop();
}

#[test]
fn the_hash_of_opensubtitles_is_that_of_its_first_and_last_bytes() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(7, 300_001));
    place.write("here/short.mkv", &noise(8, 65_535));
    let [film, short] = ["here/film.mkv", "here/short.mkv"].map(|name| place.create(name, &[]));
    let (_seeder, peer) = place.seed(&film, "here");
    let server = Stremio::start(&place, &[]);
    let (hash, _) = server.create(&place, &film);
    server.daemon.connect(&hash, &peer);
    let ask = |url: &str| server.json(&format!("/opensubHash?videoUrl={}", encoded(url)));
    let base = format!("http://{}", server.addr);
    let said = ask(&format!("{base}/{hash}/0?tr=x"));
    let bytes = noise(7, 300_001);
    let ends = [&bytes[..65_536], &bytes[300_001 - 65_536..]].concat();
    let sum = ends.chunks(8).fold(300_001_u64, |sum, word| {
        sum.wrapping_add(u64::from_le_bytes(word.try_into().unwrap()))
    });
    let expected =
        json!({"error": null, "result": {"hash": format!("{sum:016x}"), "size": 300_001}});
    assert_eq!(said, expected);
    let (short, _) = server.create(&place, &short);
    for url in [
        format!("{base}/{short}/0"),
        format!("{base}/{hash}/9"),
        format!("{base}/{}/0", "1".repeat(40)),
        "http://example.org/film.mkv".to_owned(),
        "file:///etc/passwd".to_owned(),
        base,
    ] {
        let said = ask(&url);
        assert!(
            said["error"].is_string() && said["result"].is_null(),
            "{url}: {said}"
        );
    }
    server.daemon.stop();
}
