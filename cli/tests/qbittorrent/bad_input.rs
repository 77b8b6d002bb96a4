//! What is malformed, too long, unknown or forbidden, and who may not ask.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, form, get, hash, post, send, text};
use crate::daemon::Daemon;
use crate::http::raw;
use crate::support::{Place, noise};

/// What a `Content-Type` says of forms.
const FORM: &str = "Content-Type: multipart/form-data; boundary=XX\r\n";

#[test]
fn malformed_bodies_are_answered_and_harm_nothing() {
    let place = Place::new();
    let api = Api::start(&place, &[]);
    let refused =
        |headers: &str, body: &[u8]| send(&api.addr, "torrents/add", headers, body).status;
    let bodies: [&[u8]; 6] = [
        b"",
        b"--XX",
        b"--XX\r\n\r\n",
        b"--YY\r\n",
        b"\xff\xfe\x00",
        b"--XX\r\nContent-Disposition: form-data; name=\"torrents\"; filename=\"a\"\r\n\r\nd1:",
    ];
    for body in bodies {
        assert_eq!(refused(FORM, body), 400, "{body:?}");
    }
    assert_eq!(refused("Content-Type: multipart/form-data\r\n", b"x"), 400);
    let many: Vec<String> = (0..201).map(|n| format!("p{n}=1")).collect();
    let many = many.join("&");
    let plain = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(refused(plain, many.as_bytes()), 400);
    // What is no form has no parameters.
    for kind in ["application/json", "text/plain", "nonsense"] {
        let answer = send(
            &api.addr,
            "torrents/add",
            &format!("Content-Type: {kind}\r\n"),
            b"{\"urls\":\"x\"}",
        );
        assert_eq!(
            (answer.status, text(&answer).as_str()),
            (200, "Fails."),
            "{kind}"
        );
    }
    // A file that is no torrent; none of the others is added.
    place.write("here/film.mp4", &noise(1, 40_000));
    let good = std::fs::read(place.path(&place.create("here/film.mp4", &[]))).unwrap();
    for bad in [
        &b"d1:"[..],
        b"",
        b"\x00",
        b"<html>",
        &good[..good.len() - 1],
    ] {
        let answer = form(
            &api.addr,
            "",
            &[],
            &[("good.torrent", &good), ("bad.torrent", bad)],
        );
        assert_eq!(answer.status, 415, "{answer:?}");
        assert_eq!(
            text(&answer),
            "Error: 'bad.torrent' is not a valid torrent file."
        );
    }
    assert_eq!(api.get("torrents/info", &[]), json!([]));
    for json in ["", "{", "[]", "17", "null", &"[".repeat(200_000)] {
        assert_eq!(api.post("app/setPreferences", &[("json", json)]), "");
    }
    api.daemon.stop();
}

#[test]
fn wrong_types_and_unknown_hashes_change_nothing() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let known = hash(&place, &torrent);
    let api = Api::start(&place, &[]);
    api.add(&place, &torrent, &[("stopped", "true")]);
    let before = api.torrent(&known);
    let preferences = api.get("app/preferences", &[]);
    let unknown = "f".repeat(40);
    let many = vec![unknown.as_str(); 20_000].join("|");
    for hashes in ["", "x", "|", "all|", "ALL", "*", unknown.as_str(), &many] {
        for call in [
            "torrents/start",
            "torrents/recheck",
            "torrents/reannounce",
            "torrents/toggleSequentialDownload",
        ] {
            api.post(call, &[("hashes", hashes)]);
        }
        api.post(
            "torrents/delete",
            &[("hashes", hashes), ("deleteFiles", "true")],
        );
        api.post(
            "torrents/setCategory",
            &[("hashes", hashes), ("category", "")],
        );
        api.post(
            "torrents/setLocation",
            &[("hashes", hashes), ("location", "/etc")],
        );
    }
    refused_calls(&api, &known, &unknown);
    let wrong = r#"{"dl_limit":"fast","up_limit":null,"max_connec":-5,"max_ratio":{},"scheduler_days":-1,"queueing_enabled":1}"#;
    api.post("app/setPreferences", &[("json", wrong)]);
    assert_eq!(api.torrent(&known), before);
    let mut after = api.get("app/preferences", &[]);
    after["free_space_on_disk"] = preferences["free_space_on_disk"].clone();
    assert_eq!(after["dl_limit"], preferences["dl_limit"]);
    // Unknown calls, and the wrong method.
    for call in ["torrents/nothing", "nothing/info", "search/start"] {
        assert_eq!(get(&api.addr, call, "", &[]).status, 404, "{call}");
    }
    assert_eq!(
        get(
            &api.addr,
            "torrents/delete",
            "",
            &[("hashes", "all"), ("deleteFiles", "true")]
        )
        .status,
        405
    );
    assert_eq!(api.torrent(&known)["hash"], known);
}

/// Calls that name no torrent, or make no sense.
fn refused_calls(api: &Api<'_>, known: &str, unknown: &str) {
    for (call, params) in [
        ("torrents/properties", vec![]),
        ("torrents/rename", vec![("name", "x")]),
        ("torrents/filePrio", vec![("id", "0"), ("priority", "1")]),
        ("torrents/addTrackers", vec![("urls", "http://a/")]),
        (
            "torrents/editTracker",
            vec![("origUrl", "a"), ("newUrl", "http://b/")],
        ),
        ("sync/torrentPeers", vec![]),
    ] {
        for hash in ["x", "", unknown] {
            let params = [&params[..], &[("hash", hash)]].concat();
            assert_eq!(
                api.refused(call, 404, &params),
                "Not Found",
                "{call} {hash}"
            );
        }
    }
    wrong_parameters(api, known);
    wrong_names(api, known);
}

/// Names that lead elsewhere, or that nothing has.
fn wrong_names(api: &Api<'_>, known: &str) {
    let film = "film.mp4";
    for (call, old, new) in [
        ("torrents/renameFile", "a", "b"),
        ("torrents/renameFile", film, "../film.mp4"),
        ("torrents/renameFile", film, ".."),
        ("torrents/renameFile", film, "/film.mp4"),
        ("torrents/renameFile", film, ""),
        ("torrents/renameFolder", film, "film"),
        ("torrents/renameFolder", "", "film"),
    ] {
        let params = [("hash", known), ("oldPath", old), ("newPath", new)];
        api.refused(call, 409, &params);
        api.refused(call, 400, &params[..2]);
    }
    api.refused("torrents/setShareLimits", 400, &[("hashes", known)]);
}

fn wrong_parameters(api: &Api<'_>, known: &str) {
    // Parameters are missing.
    for call in [
        "torrents/start",
        "torrents/properties",
        "torrents/setCategory",
        "torrents/filePrio",
        "transfer/setDownloadLimit",
    ] {
        assert_eq!(api.refused(call, 400, &[]), "Bad Request", "{call}");
    }
    let of = [("hash", known)];
    for (call, status, params) in [
        (
            "torrents/filePrio",
            400,
            vec![("id", "0"), ("priority", "high")],
        ),
        (
            "torrents/filePrio",
            400,
            vec![("id", "0"), ("priority", "5")],
        ),
        (
            "torrents/filePrio",
            400,
            vec![("id", "x"), ("priority", "1")],
        ),
        (
            "torrents/filePrio",
            409,
            vec![("id", "1"), ("priority", "1")],
        ),
        ("torrents/files", 409, vec![("indexes", "7")]),
        (
            "torrents/editTracker",
            409,
            vec![("origUrl", "http://none/"), ("newUrl", "http://b/")],
        ),
        ("torrents/rename", 409, vec![("name", " \n")]),
        ("torrents/createCategory", 409, vec![("category", "a,b")]),
        ("torrents/createCategory", 400, vec![("category", "")]),
        (
            "torrents/editCategory",
            409,
            vec![("category", "none"), ("savePath", "x")],
        ),
        ("torrents/info", 400, vec![("sort", "nothing")]),
        ("transfer/setSpeedLimitsMode", 400, vec![("mode", "x")]),
        (
            "torrents/addPeers",
            400,
            vec![("hashes", "all"), ("peers", "nowhere")],
        ),
    ] {
        api.refused(call, status, &[&of[..], &params].concat());
    }
}

#[test]
fn long_bodies_are_refused_and_others_are_answered_meanwhile() {
    let place = Place::new();
    let api = Api::start(&place, &[]);
    // As long as the longest .torrent file, and no torrent.
    let long = vec![b'A'; 10_000_000];
    assert_eq!(
        form(&api.addr, "", &[], &[("long.torrent", &long)]).status,
        415
    );
    // As much JSON, and as many parameters.
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (call, status, body) in [
        (
            "app/setPreferences",
            200,
            format!("json={}", "[".repeat(10_000_000)),
        ),
        (
            "app/setPreferences",
            200,
            format!("json={{\"dl_limit\":{}}}", "9".repeat(10_000_000)),
        ),
        (
            "torrents/info",
            200,
            format!("hashes={}", "f".repeat(10_000_000)),
        ),
        (
            "torrents/add",
            400,
            "a=1&".repeat(201) + &(0..2_000_000).map(|n| format!("{n}&")).collect::<String>(),
        ),
    ] {
        let answer = send(&api.addr, call, form_type, body.as_bytes());
        assert_eq!(answer.status, status, "{call}: {answer:?}");
    }
    assert_eq!(api.get("app/preferences", &[])["dl_limit"], 0);
    let head = |length: usize| {
        let addr = &api.addr;
        format!(
            "POST /api/v2/torrents/add HTTP/1.1\r\nHost: {addr}\r\n{FORM}Content-Length: {length}\r\n\r\n-"
        )
    };
    let refused = raw(&api.addr, head(20_000_000).as_bytes());
    assert_eq!(refused.status, 413, "{refused:?}");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut stream = std::net::TcpStream::connect(&api.addr).unwrap();
        std::io::Write::write_all(&mut stream, head(9_000_000).as_bytes()).unwrap();
        waiting.push(stream);
    }
    let begun = Instant::now();
    api.get("transfer/info", &[]);
    assert!(begun.elapsed() < Duration::from_secs(30));
    let memory = api.daemon.memory();
    assert!(memory < 400 << 20, "{memory} bytes");
}

#[test]
fn paths_outside_of_the_folders_and_urls_of_private_networks_are_refused() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(2, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let known = hash(&place, &torrent);
    let api = Api::start(&place, &[]);
    let up = format!("{}/../out", place.path("data").display());
    for folder in ["/etc", "../out", &up] {
        assert_eq!(
            api.add(&place, &torrent, &[("savepath", folder)]),
            "Fails.",
            "{folder}"
        );
    }
    let log = api.get("log/main", &[("normal", "false")]).to_string();
    assert!(log.contains("not below a folder"), "{log}");
    let tracker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tracker.local_addr().unwrap().port();
    let urls = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0x7f000001",
        "10.0.0.1",
        "169.254.169.254",
    ];
    let urls = urls.map(|host| format!("http://{host}:{port}/x.torrent"));
    let paths = ["/etc/passwd", "file:///etc/passwd", "ftp://127.0.0.1/x"].map(str::to_owned);
    for url in urls.iter().chain(&paths) {
        assert_eq!(
            api.post("torrents/add", &[("urls", url)]),
            "Fails.",
            "{url}"
        );
    }
    tracker.set_nonblocking(true).unwrap();
    assert!(tracker.accept().is_err(), "it was asked");
    assert_eq!(api.add(&place, &torrent, &[("stopped", "true")]), "Ok.");
    let refused = api.refused(
        "torrents/setLocation",
        409,
        &[("hashes", &known), ("location", "/etc")],
    );
    assert!(refused.contains("not below a folder"), "{refused}");
    let refused = api.refused(
        "torrents/createCategory",
        409,
        &[("category", "a"), ("savePath", "/etc")],
    );
    assert!(refused.contains("not below a folder"), "{refused}");
    assert_eq!(api.get("torrents/categories", &[]), json!({}));
    assert_eq!(
        api.refused("app/getDirectoryContent", 403, &[("dirPath", "/")]),
        "tailwater lists no folders"
    );
}

#[test]
fn foreign_hosts_and_pages_are_refused() {
    let place = Place::new();
    let api = Api::start(&place, &["--allow-host", "nas.local"]);
    let port = api.addr.rsplit(':').next().unwrap();
    let status = |headers: &str| get(&api.addr, "app/version", headers, &[]).status;
    assert_eq!(status("Host: evil.example:8080\r\n"), 421);
    assert_eq!(status(&format!("Host: nas.local:{port}\r\n")), 200);
    assert_eq!(status("Origin: http://evil.example\r\n"), 403);
    assert_eq!(
        status("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"),
        403
    );
    assert_eq!(status(&format!("Origin: http://{}\r\n", api.addr)), 200);
    let shut = post(
        &api.addr,
        "app/shutdown",
        "Origin: http://evil.example\r\n",
        &[],
    );
    assert_eq!(shut.status, 403);
    assert_eq!(api.post("app/shutdown", &[]), "");
    assert_eq!(api.daemon.finish().code, Some(0));
}

/// Makes a token.
fn token(place: &Place, name: &str, more: &[&str]) -> String {
    let args = ["daemon", "--state", "daemon", "--create-token", name];
    place.ok(&[&args, more].concat()).trim().to_owned()
}

#[test]
fn the_key_of_another_server_is_passed_over_where_none_is_needed() {
    let place = Place::new();
    let api = Api::start(&place, &[]);
    for _ in 0..15 {
        let key = "Authorization: Bearer qbt_of_another\r\n";
        assert_eq!(get(&api.addr, "app/webapiVersion", key, &[]).status, 200);
    }
}

#[test]
fn a_login_is_needed_where_it_was_asked_for_and_wrong_passwords_have_to_wait() {
    let place = Place::new();
    let (full, read) = (
        token(&place, "sonarr", &[]),
        token(&place, "viewer", &["--read-only"]),
    );
    let api = Api::start(&place, &["--require-token"]);
    let log_in = |password: &str| {
        post(
            &api.addr,
            "auth/login",
            "",
            &[("username", "any"), ("password", password)],
        )
    };
    let cookie = |password: &str| {
        let answer = log_in(password);
        assert_eq!(text(&answer), "Ok.");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(
            cookie.contains("; HttpOnly; path=/; SameSite=Strict"),
            "{cookie}"
        );
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    };
    let status = |headers: &str, call: &str| get(&api.addr, call, headers, &[]).status;
    let none = get(&api.addr, "app/version", "", &[]);
    assert_eq!((none.status, text(&none).as_str()), (403, "Forbidden"));
    // Nothing is said of what there is.
    assert_eq!(status("", "nothing/here"), 403);
    let owner = cookie(&full);
    assert_eq!(status(&owner, "app/version"), 200);
    assert_eq!(
        post(&api.addr, "torrents/start", &owner, &[("hashes", "all")]).status,
        200
    );
    let viewer = cookie(&read);
    assert_eq!(status(&viewer, "torrents/info"), 200);
    assert_eq!(
        post(&api.addr, "torrents/start", &viewer, &[("hashes", "all")]).status,
        403
    );
    assert_eq!(
        status(&format!("Authorization: Bearer {full}\r\n"), "app/version"),
        200
    );
    for wrong in ["SID=x", "SID=", "SID=none-needed", "OTHER=1"] {
        assert_eq!(
            status(&format!("Cookie: {wrong}\r\n"), "app/version"),
            403,
            "{wrong}"
        );
    }
    assert_eq!(post(&api.addr, "auth/logout", &viewer, &[]).status, 200);
    assert_eq!(status(&viewer, "app/version"), 403);
    let wrong = || log_in("tw_1_wrong");
    let first = wrong();
    assert_eq!((first.status, text(&first).as_str()), (200, "Fails."));
    let mut last = first;
    for _ in 0..15 {
        last = wrong();
    }
    assert_eq!(last.status, 403);
    assert!(text(&last).contains("banned"), "{last:?}");
    // Whoever is logged in goes on, and so does one whose password was right before.
    assert_eq!(status(&owner, "app/version"), 200);
    assert_eq!(text(&log_in(&full)), "Ok.");
    api.daemon.stop();
}

#[test]
fn other_machines_need_a_password() {
    let place = Place::new();
    let args = Daemon::args(&["--qbittorrent", "0.0.0.0:0"]);
    let refused = place.run(&args);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("no token"), "{refused:?}");
    token(&place, "phone", &[]);
    let (daemon, line) = Daemon::start_saying(
        &place,
        &["--qbittorrent", "0.0.0.0:0"],
        "qBittorrent's Web API:",
    );
    let port = line.rsplit(':').next().unwrap();
    let addr = format!("127.0.0.1:{port}");
    assert_eq!(get(&addr, "app/version", "", &[]).status, 403);
    daemon.stop();
}
