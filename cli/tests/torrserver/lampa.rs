//! The requests of Lampa, as its source makes them (`src/interaction/torserver.js`, `torrent.js`, `player/info.js`), from the press
//! on a torrent to the end of the film.

use std::time::Instant;

use serde_json::{Value, json};

use crate::server::{HANGS_AFTER, TorrServer, hash_of, magnet};
use crate::support::{Place, noise};

/// A film that is larger than the memory, with subtitles beside it.
const FILM: usize = 12_000_000;

#[test]
fn lampa_connects_adds_preloads_plays_and_lets_go() {
    let place = Place::new();
    place.write("here/Film/Film.2026.mkv", &noise(1, FILM));
    place.write("here/Film/Film.2026.srt", &noise(2, 3_000));
    let torrent = place.create("here/Film", &["--piece-length", "64KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let link = magnet(&place, &torrent, &peer);
    let origin = "http://lampa.example";
    let server = TorrServer::start(&place, &["--memory", "8MiB", "--allow-origin", origin]);
    let call = |target: &str, json: &Value| {
        let headers = format!(
            "Origin: {origin}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        );
        let answer = server.send("POST", target, &headers, json.to_string().as_bytes());
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(origin),
            "{answer:?}"
        );
        answer
    };
    // `connected`: without CacheSize it says that this is another server.
    let settings = call("/settings", &json!({"action": "get"})).json();
    assert_eq!(settings["CacheSize"], 8 << 20);
    // Newer versions ask whether it converts films; they play them as they are where it does not.
    assert_eq!(server.get("/gst/echo").status, 404);
    // `hash`
    let add = json!({"action": "add", "link": link, "title": "[LAMPA] Film", "poster": "https://images.example/w200/1.jpg",
        "data": json!({"lampa": true, "movie": {"id": 7, "title": "Фильм"}}).to_string(), "save_to_db": false});
    let hash = call("/torrents", &add).json()["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(hash, hash_of(&link));
    // `files`, every two seconds
    let files =
        server.until(&hash, |torrent| torrent["file_stats"].is_array())["file_stats"].clone();
    assert_eq!(files[0]["path"], "Film/Film.2026.mkv");
    let viewed = call("/viewed", &json!({"action": "list", "hash": hash}));
    assert_eq!(viewed.json(), json!([]));
    // `preload`: the first request is given up after two seconds, and the others ask how far it is.
    let url = |what: &str| format!("/stream/Film.2026.mkv?link={hash}&index=1&{what}");
    let preload = server.get(&url("preload"));
    assert_eq!((preload.status, preload.body.len()), (200, 0));
    let stat = server.get(&url("stat")).json();
    let [done, size] = ["preloaded_bytes", "preload_size"].map(|name| stat[name].as_u64().unwrap());
    assert!(size > 1 << 20 && size <= 4 << 20, "{stat}");
    assert_eq!(done, size);
    // Figures follow within a second; its seeder has more to send.
    server.until(&hash, |torrent| torrent["active_peers"] == 1);
    // `play`, by a player that first looks at the end
    let ranged = |range: &str| {
        server.send(
            "GET",
            &url("play"),
            &format!("Range: bytes={range}\r\n"),
            b"",
        )
    };
    let end = ranged("11990000-");
    assert_eq!(end.status, 206);
    assert!(end.body == noise(1, FILM)[11_990_000..]);
    let film = ranged("0-");
    assert!(film.body == noise(1, FILM));
    // `parseSubs`
    let subtitles = server.get(&format!("/stream/Film.2026.srt?link={hash}&index=2&play"));
    assert!(subtitles.body == noise(2, 3_000));
    // `stat` of the player: figures, and the pieces ahead of the reader
    let stat = server.get(&url("stat")).json();
    // Whether its seeder is still connected is the seeder's to say: all has been sent.
    assert_eq!(stat["stat"], 3);
    let cache = call("/cache", &json!({"action": "get", "hash": hash})).json();
    assert!(
        cache["Readers"].is_array() && cache["Pieces"].is_object(),
        "{cache}"
    );
    assert!(cache["Filled"].as_u64() <= Some(8 << 20), "{cache}");
    // `close`
    assert_eq!(
        call("/torrents", &json!({"action": "drop", "hash": hash})).status,
        200
    );
    server.until_list(<[Value]>::is_empty);
    server.daemon.stop();
}

/// A preload goes on when the client that began it has gone, as Lampa has after two seconds.
#[test]
fn a_preload_outlives_its_request_and_is_state_2_meanwhile() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, FILM));
    let torrent = place.create("here/film.mkv", &["--piece-length", "64KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    // A rate at which it takes some seconds.
    let server = TorrServer::start(&place, &["--memory", "8MiB", "--max-down", "1MiB"]);
    server.ask("/torrents", &json!({"action": "add", "link": link}));
    server.until(&hash, |torrent| torrent["stat"] == 3);
    let mut client = std::net::TcpStream::connect(&server.addr).unwrap();
    let request = format!(
        "GET /stream/film.mkv?link={hash}&index=1&preload HTTP/1.1\r\nHost: {}\r\nRange: bytes=1000000-\r\n\r\n",
        server.addr
    );
    std::io::Write::write_all(&mut client, request.as_bytes()).unwrap();
    let during = server.until(&hash, |it| it["preloaded_bytes"].as_u64() > Some(0));
    drop(client);
    let size = during["preload_size"].as_u64().unwrap();
    if during["preloaded_bytes"].as_u64() < Some(size) {
        assert_eq!(during["stat_string"], "Torrent preload");
    }
    server.until(&hash, |it| {
        it["preloaded_bytes"] == json!(size) && it["stat"] == 3
    });
    // From the position that was asked for, all of it: one who jumps has read the end of the film before.
    let cache = server.ask("/cache", &json!({"action": "get", "hash": hash}));
    let is_held = |piece: u64| cache["Pieces"][piece.to_string()]["Completed"] == json!(true);
    let mut preloaded = 1_000_000 / 65_536..(1_000_000 + size) / 65_536;
    assert!(preloaded.all(is_held), "{size}: {}", cache["Pieces"]);
    server.daemon.stop();
}

#[test]
fn a_film_that_no_one_watches_is_let_go_after_a_while() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 100_000));
    place.write("here/other.mkv", &noise(2, 100_000));
    let [film, other] = ["here/film.mkv", "here/other.mkv"].map(|name| place.create(name, &[]));
    let server = TorrServer::start(&place, &[]);
    let sets = json!({"TorrentDisconnectTimeout": 1});
    server.tell("/settings", &json!({"action": "set", "sets": sets}));
    let add = |torrent: &str, saved: bool| {
        let bytes = std::fs::read(place.path(torrent)).unwrap();
        let texts: &[(&str, &str)] = if saved { &[("save", "true")] } else { &[] };
        let (kind, body) = crate::server::form(&[&bytes], texts);
        let answer = server.send("POST", "/torrent/upload", &kind, &body);
        answer.json()["hash"].as_str().unwrap().to_owned()
    };
    let (passing, saved) = (add(&film, false), add(&other, true));
    let begun = Instant::now();
    server.until_list(|list| {
        list.iter().all(|torrent| torrent["hash"] != json!(passing))
            && list
                .iter()
                .any(|it| it["hash"] == json!(saved) && it["stat"] == 5)
    });
    assert!(begun.elapsed() < HANGS_AFTER);
    server.daemon.stop();
}
