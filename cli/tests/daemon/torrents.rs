//! Torrents: added, downloaded, streamed, kept over a kill, removed.

use data_encoding::BASE64;

use crate::daemon::Daemon;
use crate::http::{Events, raw};
use crate::support::{Place, noise};

#[test]
fn a_torrent_is_downloaded_and_is_still_there_after_a_kill() {
    let place = Place::new();
    let film = noise(1, 1_000_001);
    place.write("here/film.mp4", &film);
    let torrent = place.create("here/film.mp4", &[]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    let mut events = Events::open(&daemon.addr, None);
    let id = daemon.add(&torrent, "labels=films,new");
    daemon.connect(&id, &peer);
    let (first, added) = events.next_named("added");
    assert_eq!(
        (&added["torrent"], &added["name"]),
        (&id.as_str().into(), &"film.mp4".into())
    );
    let (last, completed) = events.next_named("completed");
    assert_eq!(completed["torrent"], id.as_str());
    assert!(std::fs::read(place.path("data/film.mp4")).unwrap() == film);
    // A client that reconnects misses nothing.
    let mut again = Events::open(&daemon.addr, Some(first));
    while again.next().0 != last {}
    let limit = r#"{"download_limit":123456,"labels":["seen"]}"#;
    let path = format!("/api/v1/torrents/{id}");
    assert_eq!(daemon.json("PATCH", &path, limit).status, 200);
    has_graphs(&daemon, &path);
    let settings = r#"{"upload_limit":654321,"ratio_limit":2.5}"#;
    assert_eq!(
        daemon.json("PATCH", "/api/v1/settings", settings).status,
        200
    );
    let before = daemon.get(&path);
    assert_eq!(before["state"], "seeding");
    daemon.kill();

    let daemon = Daemon::start(&place, &[]);
    let list = daemon.get("/api/v1/torrents");
    assert_eq!(list["total"], 1);
    while daemon.send("GET", "/readyz", "", b"").status != 200 {}
    while daemon.get(&path)["state"] != "seeding" {}
    let after = daemon.get(&path);
    for field in [
        "id",
        "number",
        "name",
        "labels",
        "added",
        "completed",
        "download_limit",
        "folder",
    ] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["download_limit"], 123_456);
    assert_eq!(after["labels"], serde_json::json!(["seen"]));
    let settings = daemon.get("/api/v1/settings");
    assert_eq!(
        (&settings["upload_limit"], &settings["ratio_limit"]),
        (&654_321.into(), &2.5.into())
    );
    // Numbers of before are too old for the new process: the client is told to start over.
    let mut again = Events::open(&daemon.addr, Some(last));
    assert_eq!(again.next().1, "reset");
    let removed = daemon.send("DELETE", &format!("{path}?delete_files=true"), "", b"");
    assert_eq!(removed.status, 204, "{removed:?}");
    assert!(!place.path("data/film.mp4").exists());
    assert_eq!(daemon.get("/api/v1/torrents")["total"], 0);
    daemon.stop();
}

/// A complete torrent shows all its pieces, and the rates at which they came.
fn has_graphs(daemon: &Daemon<'_>, path: &str) {
    let pieces = daemon.get(&format!("{path}/pieces"));
    let bytes = |name: &str| BASE64.decode(pieces[name].as_str().unwrap().as_bytes());
    let count = usize::try_from(pieces["count"].as_u64().unwrap()).unwrap();
    let have: u32 = bytes("have")
        .unwrap()
        .iter()
        .map(|it| it.count_ones())
        .sum();
    assert_eq!(
        (have as usize, bytes("availability").unwrap().len()),
        (count, count)
    );
    // What came is in the graphs, of the torrent and of all.
    for graph in [&format!("{path}/rates"), "/api/v1/stats/rates"] {
        let begun = std::time::Instant::now();
        let has_come = || {
            let rates = daemon.get(graph);
            let down = rates["down"].as_array().unwrap();
            down.iter().any(|rate| rate.as_u64().unwrap() > 0)
        };
        while !has_come() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60));
        }
        assert_eq!(daemon.get(&format!("{graph}?step=10"))["step"], 10);
        let wrong = daemon.send("GET", &format!("{graph}?step=2"), "", b"");
        wrong.is_problem(400, "bad-request");
    }
}

#[test]
fn a_film_in_memory_is_streamed_with_ranges() {
    let place = Place::new();
    let film = noise(2, 3_000_001);
    place.write("here/film.mp4", &film);
    let torrent = place.create("here/film.mp4", &[]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &["--memory", "2MiB"]);
    let id = daemon.add(&torrent, "storage=memory");
    daemon.connect(&id, &peer);
    let file = format!("/stream/{id}/0/film.mp4");
    let whole = daemon.send("GET", &file, "", b"");
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (200, Some("video/mp4"))
    );
    assert!(whole.body == film, "{} bytes", whole.body.len());
    let part = daemon.send("GET", &file, "Range: bytes=1000000-1000099\r\n", b"");
    assert_eq!(part.status, 206);
    assert!(part.body == film[1_000_000..1_000_100]);
    let playlist = daemon.send("GET", &format!("/stream/{id}/playlist.m3u"), "", b"");
    let playlist = String::from_utf8(playlist.body).unwrap();
    assert!(
        playlist.contains(&format!("http://{}{file}", daemon.addr)),
        "{playlist}"
    );
    let buffer = daemon.get(&format!("/api/v1/torrents/{id}/buffer"));
    assert_eq!(buffer["memory"]["budget"], 2 << 20);
    for path in ["/1/film.mp4", "/0/other.mp4", "/x", "/stats", "/"] {
        let answer = daemon.send("GET", &format!("/stream/{id}{path}"), "", b"");
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert_eq!(daemon.send("POST", &file, "", b"").status, 405);
    assert!(
        place
            .everything()
            .iter()
            .all(|path| !path.starts_with("data/"))
    );
}

#[test]
fn a_magnet_link_becomes_a_torrent_with_its_metadata() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(3, 200_000));
    let torrent = place.create("here/film.mp4", &[]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    let known = Daemon::start(&place, &["--state", "other", "--data", "other-data"]);
    let id = known.add(&torrent, "paused=true");
    let mut events = Events::open(&daemon.addr, None);
    let body = format!(r#"{{"link":"{id}","labels":["l"],"peers":["{peer}"]}}"#);
    let added = daemon.json("POST", "/api/v1/torrents", &body);
    assert_eq!(added.status, 201, "{added:?}");
    let path = format!("/api/v1/torrents/{id}");
    assert_eq!(events.next_named("metadata_fetched").1["name"], "film.mp4");
    events.next_named("completed");
    let files = daemon.get(&format!("{path}/files"));
    assert_eq!(
        (&files[0]["path"], &files[0]["have"]),
        (&"film.mp4".into(), &200_000.into())
    );
    assert_eq!(daemon.get(&path)["labels"], serde_json::json!(["l"]));
    daemon.kill();
    let daemon = Daemon::start(&place, &[]);
    while daemon.get(&path)["state"] != "seeding" {}
}

#[test]
fn a_list_is_filtered_sorted_and_cut_and_has_an_etag() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for (seed, name) in ["alpha", "Beta", "gamma"].into_iter().enumerate() {
        place.write(
            &format!("here/{name}"),
            &noise(seed as u64, 1_000 * (seed + 1)),
        );
        let torrent = place.create(&format!("here/{name}"), &[]);
        daemon.add(&torrent, "paused=true");
    }
    while daemon.send("GET", "/readyz", "", b"").status != 200 {}
    let names = |query: &str| -> Vec<String> {
        let list = daemon.get(&format!("/api/v1/torrents?{query}"));
        let torrents = list["torrents"].as_array().unwrap();
        let names = torrents
            .iter()
            .map(|torrent| torrent["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(""), ["alpha", "Beta", "gamma"]);
    assert_eq!(names("sort=-name"), ["gamma", "Beta", "alpha"]);
    assert_eq!(names("sort=size&offset=1&limit=1"), ["Beta"]);
    assert_eq!(names("search=ET"), ["Beta"]);
    assert!(names("state=seeding").is_empty());
    let few = daemon.get("/api/v1/torrents?fields=name,number&limit=1");
    assert_eq!(
        few["torrents"],
        serde_json::json!([{"number": 1, "name": "alpha"}])
    );
    assert_eq!(few["total"], 3);
    let all = daemon.send("GET", "/api/v1/torrents?fields=name", "", b"");
    let etag = all.header("etag").unwrap().to_owned();
    let again = format!("If-None-Match: {etag}\r\n");
    let same = daemon.send("GET", "/api/v1/torrents?fields=name", &again, b"");
    assert_eq!((same.status, same.body.len()), (304, 0));
    // With a revision, only what has changed since.
    let whole = daemon.get("/api/v1/torrents?since=0&fields=name");
    assert_eq!(
        (&whole["is_whole"], &whole["has_more"]),
        (&true.into(), &false.into())
    );
    assert_eq!(whole["torrents"].as_array().unwrap().len(), 3);
    daemon.ctl(&["label", "2", "new"]);
    daemon.ctl(&["remove", "3"]);
    let since = format!(
        "/api/v1/torrents?fields=name,labels&since={}",
        whole["revision"]
    );
    let changed = daemon.get(&since);
    assert_eq!(
        (&changed["is_whole"], &changed["total"]),
        (&false.into(), &2.into())
    );
    assert_eq!(
        changed["torrents"],
        serde_json::json!([{"name": "Beta", "labels": ["new"]}])
    );
    assert_eq!(changed["removed"].as_array().unwrap().len(), 1);
    for query in [
        "since=0&sort=name",
        "since=0&offset=1",
        "since=0&limit=0",
        "since=x",
        "sort=colour",
        "fields=colour",
        "limit=5001",
        "limit=x",
        "colour=1",
        "state=x",
    ] {
        let answer = daemon.send("GET", &format!("/api/v1/torrents?{query}"), "", b"");
        answer.is_problem(400, "bad-request");
    }
}

#[test]
fn actions_do_what_they_say() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(5, 100_000));
    let torrent = place.create("here/film.mp4", &[]);
    place.write("data/film.mp4", &noise(5, 100_000));
    let daemon = Daemon::start(&place, &[]);
    let mut events = Events::open(&daemon.addr, None);
    let id = daemon.add(&torrent, "");
    events.next_named("completed");
    let path = format!("/api/v1/torrents/{id}");
    let act = |action: &str| daemon.send("POST", &format!("{path}/{action}"), "", b"");
    assert_eq!(act("pause").json()["state"], "paused");
    assert_eq!(events.next().1, "paused");
    assert_eq!(act("resume").json()["state"], "seeding");
    assert_eq!(events.next().1, "resumed");
    assert_eq!(act("recheck").status, 202);
    let (_, checked) = events.next_named("rechecked");
    assert_eq!(checked["pieces_have"], checked["pieces_total"]);
    assert_eq!(act("reannounce").status, 202);
    let moved = daemon.json("POST", &format!("{path}/move"), r#"{"folder":"films"}"#);
    assert_eq!(moved.status, 202, "{moved:?}");
    events.next_named("moved");
    assert!(place.path("data/films/film.mp4").exists());
    let outside = daemon.json("POST", &format!("{path}/move"), r#"{"folder":"../out"}"#);
    outside.is_problem(403, "folder-not-allowed");
    let tiers = r#"{"tiers":[["http://127.0.0.1:1/announce"]]}"#;
    let trackers = daemon.json("PUT", &format!("{path}/trackers"), tiers);
    assert_eq!(trackers.json()[0]["url"], "http://127.0.0.1:1/announce");
    let files = daemon.json(
        "PATCH",
        &format!("{path}/files"),
        r#"[{"index":0,"priority":"high"}]"#,
    );
    assert_eq!(files.json()[0]["priority"], "high");
    let missing = daemon.json(
        "PATCH",
        &format!("{path}/files"),
        r#"[{"index":9,"priority":"low"}]"#,
    );
    missing.is_problem(422, "invalid");
    assert_eq!(daemon.get(&format!("{path}/peers")), serde_json::json!([]));
    let stats = daemon.get("/api/v1/stats");
    assert_eq!(
        (&stats["torrents"], &stats["seeding"]),
        (&1.into(), &1.into())
    );
    let metrics = daemon.send("GET", "/metrics", "", b"");
    let metrics = String::from_utf8(metrics.body).unwrap();
    for line in [
        "tailwater_torrents{state=\"seeding\"} 1",
        "tailwater_downloaded_bytes_total 0",
        "# EOF",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
    daemon.kill();
    let daemon = Daemon::start(&place, &[]);
    let folder = daemon.get(&path)["folder"].as_str().unwrap().to_owned();
    assert!(folder.ends_with("data/films"), "{folder}");
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_stream_harms_no_one() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for _ in 0..50 {
        drop(Events::open(&daemon.addr, None));
        let head = "POST /api/v1/torrents HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        let head = head.replace("HOST", &daemon.addr);
        let mut stream = std::net::TcpStream::connect(&daemon.addr).unwrap();
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    }
    let health = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", daemon.addr);
    assert_eq!(raw(&daemon.addr, health.as_bytes()).status, 200);
    daemon.stop();
}

#[test]
fn what_is_put_into_a_watched_folder_is_added_and_a_program_is_told_when_it_is_complete() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(6, 50_000));
    place.write("data/film.mp4", &noise(6, 50_000));
    let torrent = place.create("here/film.mp4", &[]);
    std::fs::create_dir(place.path("watched")).unwrap();
    let tell = "sh -c 'echo told of $TAILWATER_NAME in $TAILWATER_PATH >&2'";
    let daemon = Daemon::start(&place, &["--watch", "watched", "--on-complete", tell]);
    let mut events = Events::open(&daemon.addr, None);
    std::fs::copy(place.path(&torrent), place.path("watched/film.torrent")).unwrap();
    place.write("watched/broken.torrent", b"nothing");
    place.write(
        "watched/link.magnet",
        b"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567",
    );
    place.write("watched/notes.txt", b"left alone");
    let mut added = [events.next_named("added").1, events.next_named("added").1];
    added.sort_by_key(|event| event["name"].as_str().unwrap().len());
    assert_eq!(added[0]["name"], "film.mp4");
    let told = daemon.says("told of film.mp4");
    assert!(told.ends_with("data/film.mp4"), "{told}");
    let begun = std::time::Instant::now();
    let renamed = [
        "film.torrent.added",
        "broken.torrent.refused",
        "link.magnet.added",
        "notes.txt",
    ];
    while !renamed
        .iter()
        .all(|name| place.path(&format!("watched/{name}")).exists())
    {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "{:?}",
            place.everything()
        );
    }
    assert_eq!(daemon.get("/api/v1/torrents")["total"], 2);
}
