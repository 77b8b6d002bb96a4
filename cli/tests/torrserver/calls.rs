//! Each call, with a seeder on the other side.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::server::{TorrServer, encoded, form, hash_of, magnet};
use crate::support::{Place, noise};

const EPISODES: [&str; 4] = ["e1.mkv", "e2.mkv", "e10.mkv", "e1.srt"];

/// A show of three episodes and a file of subtitles, which is seeded; its torrent.
fn show(place: &Place) -> (String, crate::support::Running, String) {
    for (seed, name) in (1..).zip(EPISODES) {
        place.write(&format!("here/Show/{name}"), &noise(seed, 100_000));
    }
    let torrent = place.create("here/Show", &[]);
    let (seeder, peer) = place.seed(&torrent, "here");
    (torrent, seeder, peer)
}

/// A URL at which these bytes are, until the test ends.
fn at_a_url(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/show.torrent", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            // One that hangs up early fails the test by what it lacks.
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &bytes].concat());
        }
    });
    url
}

/// The module of Kodi adds URLs of .torrent files, and the scripts of mpv open the playlist of one.
#[test]
fn the_url_of_a_torrent_file_is_added_and_listed() {
    let place = Place::new();
    let (torrent, _seeder, _) = show(&place);
    let url = at_a_url(std::fs::read(place.path(&torrent)).unwrap());
    let add = json!({"action": "add", "Link": url, "save_to_db": true});
    // The network of the daemon is not for strangers to ask about.
    let careful = TorrServer::start(&place, &[]);
    assert_eq!(careful.post("/torrents", &add).status, 400);
    assert!(careful.list().is_empty());
    careful.daemon.stop();
    let server = TorrServer::start(&place, &["--allow-private-urls"]);
    let hash = server.ask("/torrents", &add)["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let files = server.torrent(&hash)["file_stats"].clone();
    assert_eq!(files.as_array().unwrap().len(), EPISODES.len());
    server.tell("/torrents", &json!({"action": "rem", "hash": hash}));
    let list = server.get(&format!("/stream?m3u&link={}", encoded(&url)));
    let list = String::from_utf8(list.body).unwrap();
    assert!(
        list.contains(&format!("link={hash}&index=1&play")),
        "{list}"
    );
    server.daemon.stop();
}

#[test]
fn it_says_that_it_is_a_torrserver() {
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let echo = server.get("/echo");
    assert_eq!((echo.status, &echo.body[..]), (200, &b"MatriX.143"[..]));
    // Lampa looks here whether it is there.
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.get("/gst/echo").status, 404);
    let search = server.get("/search/?query=x");
    assert_eq!((search.status, search.json()), (400, json!([])));
    assert_eq!(server.get("/shutdown").status, 403);
    assert_eq!(server.get("/torrents").status, 405);
    assert_eq!(server.get("/echo").status, 200);
    server.daemon.stop();
}

#[test]
fn a_link_becomes_a_torrent_with_files_by_number_and_is_played() {
    let place = Place::new();
    let (torrent, _seeder, peer) = show(&place);
    let magnet = magnet(&place, &torrent, &peer);
    let hash = hash_of(&magnet);
    let server = TorrServer::start(&place, &[]);
    let add = json!({"action": "add", "link": magnet, "title": "A show", "poster": "http://p/1.jpg",
        "category": "tv", "data": "{\"a\":1}", "save_to_db": true});
    let added = server.ask("/torrents", &add);
    assert_eq!(
        (&added["hash"], &added["title"]),
        (&json!(hash), &json!("A show"))
    );
    assert!(added["stat"].as_u64() <= Some(3), "{added}");
    let known = server.until(&hash, |it| it["file_stats"].is_array() && it["stat"] == 3);
    let files = json!([
        {"id": 1, "path": "Show/e1.mkv", "length": 100_000},
        {"id": 2, "path": "Show/e1.srt", "length": 100_000},
        {"id": 3, "path": "Show/e2.mkv", "length": 100_000},
        {"id": 4, "path": "Show/e10.mkv", "length": 100_000},
    ]);
    assert_eq!(known["file_stats"], files);
    assert_eq!(
        (
            &known["poster"],
            &known["category"],
            &known["data"],
            &known["name"]
        ),
        (
            &json!("http://p/1.jpg"),
            &json!("tv"),
            &json!("{\"a\":1}"),
            &json!("Show")
        )
    );
    assert_eq!(
        (&known["stat_string"], &known["torrent_size"]),
        (&json!("Torrent working"), &json!(400_000))
    );
    let target = format!("/stream/e10.mkv?link={hash}&index=4&play");
    let head = server.send("HEAD", &target, "getContentFeatures.dlna.org: 1\r\n", b"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("100000"))
    );
    assert_eq!(head.header("transfermode.dlna.org"), Some("Streaming"));
    assert!(
        head.header("contentfeatures.dlna.org")
            .unwrap()
            .contains("DLNA.ORG_OP=01")
    );
    assert!(head.header("etag").is_some());
    let all = server.get(&target);
    assert_eq!(
        (all.status, all.header("accept-ranges")),
        (200, Some("bytes"))
    );
    assert_eq!(all.header("content-type"), Some("video/x-matroska"));
    assert!(all.header("contentfeatures.dlna.org").is_none());
    assert!(all.body == noise(3, 100_000));
    let part = server.send(
        "GET",
        &format!("/play/{hash}/3"),
        "Range: bytes=50-99\r\n",
        b"",
    );
    assert_eq!(part.status, 206);
    assert!(part.body == noise(2, 100_000)[50..100]);
    // Everything of it is in the word, too.
    let word = known["torrs_hash"].as_str().unwrap();
    let stat = server
        .get(&format!("/stream?link=torrs://{word}&stat"))
        .json();
    assert_eq!(stat["hash"], json!(hash));
    server.daemon.stop();
}

#[test]
fn what_is_added_is_changed_listed_let_go_and_removed() {
    let place = Place::new();
    let (torrent, _seeder, peer) = show(&place);
    let magnet = magnet(&place, &torrent, &peer);
    let hash = hash_of(&magnet);
    let server = TorrServer::start(&place, &[]);
    let call = |action: &str| json!({"action": action, "hash": hash});
    server.ask(
        "/torrents",
        &json!({"action": "add", "link": magnet, "save_to_db": true}),
    );
    server.until(&hash, |it| it["stat"] == 3);
    // Again adds nothing, and takes nothing away.
    server.ask(
        "/torrents",
        &json!({"action": "add", "link": hash, "title": "Once more"}),
    );
    let listed = server.list();
    assert_eq!((listed.len(), &listed[0]["title"]), (1, &json!("Show")));
    let set =
        json!({"action": "set", "hash": hash, "title": "T", "poster": "P", "category": "movie"});
    server.tell("/torrents", &set);
    let torrent = server.torrent(&hash);
    assert_eq!(
        (&torrent["title"], &torrent["category"]),
        (&json!("T"), &json!("movie"))
    );
    let data: Value = serde_json::from_str(torrent["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["TorrServer"]["Files"][0]["path"], "Show/e1.mkv");
    server.tell("/torrents", &json!({"action": "set", "hash": hash}));
    let torrent = server.torrent(&hash);
    assert_eq!(
        (&torrent["title"], &torrent["poster"]),
        (&json!("Show"), &json!(""))
    );
    server.tell("/torrents", &call("drop"));
    let resting = &server.list()[0];
    assert_eq!(
        (&resting["stat"], &resting["stat_string"]),
        (&json!(5), &json!("Torrent in db"))
    );
    assert!(resting["file_stats"].is_null() && resting["loaded_size"].is_null());
    assert_eq!(resting["torrent_size"], 400_000);
    // Who asks for it has it come back.
    server.until(&hash, |it| it["stat"] == 3 && it["file_stats"].is_array());
    server.tell("/torrents", &call("rem"));
    assert!(server.list().is_empty());
    assert_eq!(server.post("/torrents", &call("get")).status, 404);
    for action in ["rem", "drop", "set"] {
        server.tell("/torrents", &call(action));
    }
    server.daemon.stop();
}

#[test]
fn files_of_torrents_are_uploaded_alone_and_together() {
    let place = Place::new();
    for name in ["a.mkv", "b.mkv"] {
        place.write(&format!("here/{name}"), &noise(9, 50_000));
    }
    let [a, b] = ["here/a.mkv", "here/b.mkv"].map(|name| {
        let torrent = place.create(name, &[]);
        std::fs::read(place.path(&torrent)).unwrap()
    });
    let server = TorrServer::start(&place, &[]);
    let (kind, body) = form(&[&a], &[("save", "True"), ("title", "One")]);
    let one = server.send("POST", "/torrent/upload", &kind, &body);
    assert_eq!(one.status, 200, "{one:?}");
    assert_eq!(one.json()["title"], "One");
    assert_eq!(one.json()["name"], "a.mkv");
    let (kind, body) = form(&[&a, &b, b"de"], &[]);
    let both = server.send("POST", "/torrent/upload", &kind, &body).json();
    assert_eq!(both.as_array().unwrap().len(), 2);
    assert_eq!(server.list().len(), 2);
    let (kind, body) = form(&[b"no torrent"], &[]);
    assert_eq!(
        server.send("POST", "/torrent/upload", &kind, &body).status,
        400
    );
    server.tell("/torrents", &json!({"action": "wipe"}));
    assert!(server.list().is_empty());
    server.daemon.stop();
}

#[test]
fn what_others_download_is_streamed_and_not_touched() {
    let place = Place::new();
    let (torrent, _seeder, peer) = show(&place);
    let server = TorrServer::start(&place, &[]);
    let hash = server.daemon.add(&torrent, "");
    server.daemon.connect(&hash, &peer);
    assert_eq!(server.list()[0]["hash"], json!(hash));
    let played = server.get(&format!("/stream?link={hash}&index=1&play"));
    assert!(played.body == noise(1, 100_000));
    let call = |action: &str| json!({"action": action, "hash": hash});
    server.tell("/torrents", &call("drop"));
    server.tell("/torrents", &json!({"action": "wipe"}));
    let state = server.daemon.get(&format!("/api/v1/torrents/{hash}"))["state"].clone();
    assert!(
        ["downloading", "seeding"].contains(&state.as_str().unwrap()),
        "{state}"
    );
    server.until(&hash, |it| it["loaded_size"] == 400_000);
    // What is named by its hash goes, and its files stay.
    server.tell("/torrents", &call("rem"));
    assert!(server.list().is_empty());
    assert!(place.path("data/Show/e1.mkv").exists());
    server.daemon.stop();
}

#[test]
fn playlists_name_what_plays_and_begin_where_it_was_left() {
    let place = Place::new();
    let (torrent, _seeder, peer) = show(&place);
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    let server = TorrServer::start(&place, &[]);
    // As the scripts of mpv ask for it.
    let list = server.get(&format!("/stream?m3u&link={}", encoded(&link)));
    assert_eq!(list.header("content-type"), Some("audio/x-mpegurl"));
    assert!(
        list.header("content-disposition")
            .unwrap()
            .contains("Show.m3u")
    );
    let text = String::from_utf8(list.body).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let base = server.url();
    assert_eq!(lines[0], "#EXTM3U");
    assert_eq!(lines[1], "#EXTINF:0,e1.mkv");
    assert_eq!(
        lines[3],
        format!("{base}/stream/e1.mkv?link={hash}&index=1&play")
    );
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("http")).count(),
        3
    );
    let first = server.get(lines[3].strip_prefix(&base).unwrap());
    assert!(first.body == noise(1, 100_000));
    let second = server.get(&format!("/stream/x?link={hash}&index=3&play"));
    assert_eq!(second.status, 200);
    let body = |answer: crate::http::Answer| String::from_utf8(answer.body).unwrap();
    let later = body(server.get(&format!("/playlist/p?hash={hash}&fromlast")));
    assert!(
        later.contains("index=3&") && !later.contains("index=1&"),
        "{later}"
    );
    let from = body(server.get(&format!("/stream/p.m3u?link={hash}&m3u&index=4")));
    assert!(
        from.contains("index=4&") && !from.contains("index=3&"),
        "{from}"
    );
    let all = body(server.get("/playlistall/all.m3u"));
    assert!(
        all.contains(&format!("{base}/stream/Show.m3u?link={hash}&m3u")),
        "{all}"
    );
    let none = body(server.get("/playlistall/all.m3u?search=nothing"));
    assert_eq!(none, "#EXTM3U\n");
    assert_eq!(server.get("/playlist").status, 400);
    assert_eq!(
        server
            .get(&format!("/playlist?hash={}", "0".repeat(40)))
            .status,
        404
    );
    server.daemon.stop();
}

#[test]
fn what_was_played_is_kept_over_a_restart() {
    let place = Place::new();
    let (torrent, _seeder, peer) = show(&place);
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    let other = "1".repeat(40);
    let server = TorrServer::start(&place, &[]);
    let target = format!("/stream?link={}&index=1&play", encoded(&link));
    assert_eq!(server.get(&target).status, 200);
    let time = |file: u32, at: f64| json!({"action": "set", "hash": hash, "file_index": file, "timecode": at});
    server.tell("/viewed", &time(3, 61.5));
    let list = |server: &TorrServer<'_>, hash: &str| {
        server.ask("/viewed", &json!({"action": "list", "hash": hash}))
    };
    let view = |file: u32, at: f64| json!({"hash": hash, "file_index": file, "timecode": at});
    // The second is kept where that was asked for.
    assert_eq!(list(&server, &hash), json!([view(1, 0.0), view(3, 0.0)]));
    server.tell(
        "/settings",
        &json!({"action": "set", "sets": {"TrackTimecode": true}}),
    );
    server.tell("/viewed", &time(3, 61.5));
    server.tell(
        "/viewed",
        &json!({"action": "set", "hash": other, "file_index": 1}),
    );
    server.daemon.stop();
    let server = TorrServer::start(&place, &[]);
    assert_eq!(list(&server, &hash), json!([view(1, 0.0), view(3, 61.5)]));
    assert_eq!(list(&server, "").as_array().unwrap().len(), 3);
    assert_eq!(list(&server, "none"), json!([]));
    server.tell(
        "/viewed",
        &json!({"action": "rem", "hash": hash, "file_index": 1}),
    );
    assert_eq!(list(&server, &hash), json!([view(3, 61.5)]));
    server.tell(
        "/viewed",
        &json!({"action": "rem", "hash": hash, "file_index": -1}),
    );
    assert_eq!(list(&server, &hash), json!([]));
    assert_eq!(list(&server, &other).as_array().unwrap().len(), 1);
    server.daemon.stop();
}

#[test]
fn settings_have_the_keys_of_torrserver_and_some_hold() {
    let place = Place::new();
    let server = TorrServer::start(&place, &["--memory", "64MiB", "--max-up", "100KiB"]);
    let get = || server.ask("/settings", &json!({"action": "get"}));
    let before = get();
    assert_eq!(
        (&before["CacheSize"], &before["UploadRateLimit"]),
        (&json!(64 << 20), &json!(100))
    );
    assert_eq!(
        (&before["DisableDHT"], &before["TorrentDisconnectTimeout"]),
        (&json!(true), &json!(30))
    );
    assert!(before.as_object().unwrap().len() >= 37, "{before}");
    // What a client gets and sends back changes nothing.
    server.tell("/settings", &json!({"action": "set", "sets": before}));
    assert_eq!(get(), before);
    let sets = json!({"PreloadCache": 20, "DownloadRateLimit": 50, "TorrentDisconnectTimeout": 5, "CacheSize": 1});
    server.tell("/settings", &json!({"action": "set", "sets": sets}));
    let after = get();
    assert_eq!(
        (&after["PreloadCache"], &after["DownloadRateLimit"]),
        (&json!(20), &json!(50))
    );
    assert_eq!(
        (&after["TorrentDisconnectTimeout"], &after["CacheSize"]),
        (&json!(5), &json!(64 << 20))
    );
    let limit = server.daemon.get("/api/v1/settings")["download_limit"].clone();
    assert_eq!(limit, 50 * 1_024);
    server.tell("/settings", &json!({"action": "def"}));
    assert_eq!(get()["TorrentDisconnectTimeout"], 30);
    assert_eq!(get()["DownloadRateLimit"], 50, "it is the daemon's");
    server.daemon.stop();
}

#[test]
fn the_cache_says_which_pieces_are_held_and_where_it_is_read() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(5, 300_000));
    let torrent = place.create("here/film.mkv", &["--piece-length", "64KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    let server = TorrServer::start(&place, &["--memory", "64MiB"]);
    let played = server.get(&format!("/stream?link={}&play", encoded(&link)));
    assert_eq!(played.body.len(), 300_000);
    let cache = server.ask("/cache", &json!({"action": "get", "hash": hash}));
    assert_eq!(
        (
            &cache["Hash"],
            &cache["Capacity"],
            &cache["PiecesLength"],
            &cache["PiecesCount"]
        ),
        (&json!(hash), &json!(64 << 20), &json!(65_536), &json!(5))
    );
    assert_eq!(cache["Filled"], 300_000);
    let last = json!({"Id": 4, "Length": 37_856, "Size": 37_856, "Completed": true, "Priority": 0});
    assert_eq!(cache["Pieces"]["4"], last);
    assert_eq!(cache["Torrent"]["hash"], json!(hash));
    assert!(cache["Readers"].is_array());
    server.tell("/torrents", &json!({"action": "drop", "hash": hash}));
    let none = server.post("/cache", &json!({"action": "get", "hash": "2".repeat(40)}));
    assert_eq!(none.status, 404);
    server.daemon.stop();
}

#[test]
fn zeros_are_sent_to_measure_a_network_by() {
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let zeros = server.get("/download/3");
    assert_eq!(zeros.status, 200);
    assert!(zeros.body.len() == 3 << 20 && zeros.body.iter().all(|byte| *byte == 0));
    assert_eq!(server.get("/download/x").status, 400);
    server.daemon.stop();
}
