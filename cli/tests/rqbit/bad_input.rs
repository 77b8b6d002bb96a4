//! What is malformed, too long, unknown or forbidden, and who may not ask.

use data_encoding::BASE64;

use crate::calls::Rqbit;
use crate::support::{Place, noise};

#[test]
fn malformed_requests_are_answered_and_change_nothing() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = std::fs::read(place.path(&place.create("here/film.mp4", &[]))).unwrap();
    let rqbit = Rqbit::start(&place, &[]);
    let many = "9".repeat(10_000_000);
    for body in [
        b"".as_slice(),
        b"{",
        b"d1:",
        b"\xff\xfe",
        b"magnet:?",
        b"magnet:?xt=urn:btih:x",
        many.as_bytes(),
    ] {
        rqbit.refused("POST /torrents?overwrite=true", body, 400);
    }
    for query in [
        "only_files=x",
        "only_files=99",
        "only_files_regex=x",
        "is_url=true",
    ] {
        rqbit.refused(&format!("POST /torrents?{query}"), &torrent, 400);
    }
    let answer = rqbit.send("POST /torrents", "Content-Length: 20000000\r\n", b"d");
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(
        rqbit.ok("GET /torrents", b"")["torrents"],
        serde_json::json!([])
    );
    let added = rqbit.ok("POST /torrents?paused=true&nothing=1", &torrent);
    let id = &added["id"];
    let before = rqbit.ok(&format!("GET /torrents/{id}"), b"");
    let deep = "[".repeat(200_000);
    let long = format!("{{\"only_files\":[{}]}}", vec!["0"; 400_000].join(","));
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        ("[1]", 400),
        ("{\"only_files\":5}", 400),
        ("{\"only_files\":[-1]}", 400),
        ("{\"only_files\":[1]}", 400),
        (&deep, 400),
        (&long, 200),
    ] {
        let answer = rqbit.send(
            &format!("POST /torrents/{id}/update_only_files"),
            "",
            body.as_bytes(),
        );
        assert_eq!(answer.status, status, "{} {answer:?}", body.len());
    }
    for name in [
        "99",
        "-1",
        "x",
        "ffffffffffffffffffffffffffffffffffffffff",
        "%00",
        "..%2f..",
    ] {
        for call in ["delete", "forget", "pause", "start"] {
            rqbit.refused(&format!("POST /torrents/{name}/{call}"), b"", 404);
        }
        rqbit.refused(&format!("GET /torrents/{name}"), b"", 404);
    }
    rqbit.refused(&format!("POST /torrents/{id}/nothing"), b"", 404);
    rqbit.refused("GET /nothing", b"", 404);
    assert_eq!(rqbit.ok(&format!("GET /torrents/{id}"), b""), before);
    rqbit.daemon.stop();
}

#[test]
fn folders_outside_and_urls_of_private_networks_are_refused() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = std::fs::read(place.path(&place.create("here/film.mp4", &[]))).unwrap();
    let rqbit = Rqbit::start(&place, &[]);
    for folder in ["/etc", "..", "a/../../b"] {
        rqbit.refused(
            &format!("POST /torrents?output_folder={folder}"),
            &torrent,
            400,
        );
    }
    for url in [
        "http://127.0.0.1:1/a.torrent",
        "http://[::1]/a",
        "http://169.254.169.254/a",
    ] {
        rqbit.refused("POST /torrents", url.as_bytes(), 400);
    }
    assert_eq!(
        rqbit.ok("GET /torrents", b"")["torrents"],
        serde_json::json!([])
    );
    rqbit.daemon.stop();
}

#[test]
fn foreign_hosts_pages_and_passwords_are_refused() {
    let place = Place::new();
    let token = place.ok(&["daemon", "--state", "daemon", "--create-token", "all"]);
    let reader = place.ok(&[
        "daemon",
        "--state",
        "daemon",
        "--create-token",
        "reader",
        "--read-only",
    ]);
    let rqbit = Rqbit::start(&place, &["--require-token"]);
    let basic = |password: &str| {
        let encoded = BASE64.encode(format!("any:{}", password.trim()).as_bytes());
        format!("Authorization: Basic {encoded}\r\n")
    };
    let full = basic(&token);
    let status =
        |call: &str, headers: &str| rqbit.send(call, headers, b"magnet:?xt=urn:btih:x").status;
    assert_eq!(status("GET /", ""), 401);
    assert_eq!(status("GET /", &full), 200);
    assert_eq!(
        status("GET /torrents", &format!("{full}Host: evil.example\r\n")),
        421
    );
    // A page can send a body without asking first.
    for page in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(
            status("POST /torrents", &format!("{full}{page}")),
            403,
            "{page}"
        );
    }
    assert_eq!(status("GET /torrents", &basic(&reader)), 200);
    assert_eq!(status("POST /torrents", &basic(&reader)), 403);
    let wrong = basic("wrong");
    let statuses: Vec<u16> = (0..12).map(|_| status("GET /", &wrong)).collect();
    assert!(
        statuses.contains(&401) && statuses.last() == Some(&429),
        "{statuses:?}"
    );
    rqbit.daemon.stop();
}
