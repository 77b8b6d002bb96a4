//! Who may ask: passwords, hosts, pages of other origins.

use data_encoding::BASE64;
use serde_json::json;

use crate::daemon::Daemon;
use crate::server::{TorrServer, addr, form, send};
use crate::support::{Place, noise};

const LIST: &[u8] = br#"{"action":"list"}"#;

#[test]
fn foreign_hosts_and_pages_are_refused_and_allowed_ones_are_not() {
    let place = Place::new();
    let lampa = "http://lampa.example";
    let more = ["--allow-host", "nas.local", "--allow-origin", lampa];
    let server = TorrServer::start(&place, &more);
    let ask = |headers: &str| server.send("POST", "/torrents", headers, LIST).status;
    assert_eq!(ask(""), 200);
    assert_eq!(ask("Host: evil.example:8090\r\n"), 421);
    assert_eq!(ask("Host: nas.local:8090\r\n"), 200);
    assert_eq!(ask("Origin: http://evil.example\r\n"), 403);
    assert_eq!(ask("Origin: null\r\n"), 403);
    assert_eq!(
        ask("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"),
        403
    );
    assert_eq!(ask(&format!("Origin: {lampa}\r\n")), 200);
    let preflight = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\
        Access-Control-Request-Private-Network: true\r\n";
    let asked = |origin: &str| {
        let headers = format!("Origin: {origin}\r\nContent-Length: 0\r\n{preflight}");
        server.send("OPTIONS", "/torrents", &headers, b"")
    };
    let allowed = asked(lampa);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some(lampa),
        "{allowed:?}"
    );
    assert_eq!(
        allowed.header("access-control-allow-private-network"),
        Some("true")
    );
    let refused = asked("http://evil.example");
    assert!(refused.status >= 400 && refused.header("access-control-allow-origin").is_none());
    server.daemon.stop();
}

#[test]
fn a_page_that_is_allowed_may_show_a_film() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 1_000));
    place.write("data/film.mkv", &noise(1, 1_000));
    let torrent = place.create("here/film.mkv", &[]);
    let server = TorrServer::start(&place, &["--allow-origin", "http://lampa.example"]);
    let hash = server.daemon.add(&torrent, "");
    let target = format!("/stream/film.mkv?link={hash}&index=1&play");
    // A film in a page is asked for without an origin.
    let from = |page: &str| {
        let headers = format!(
            "Referer: {page}\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: video\r\n"
        );
        server.send("GET", &target, &headers, b"")
    };
    let film = from("http://lampa.example/");
    assert_eq!(film.status, 200, "{film:?}");
    assert_eq!(
        film.header("cross-origin-resource-policy"),
        Some("cross-origin")
    );
    assert_eq!(from("http://evil.example/").status, 403);
    let own = server.get(&target);
    assert_eq!(
        own.header("cross-origin-resource-policy"),
        Some("same-origin")
    );
    server.daemon.stop();
}

#[test]
fn a_password_may_stand_in_a_header_or_in_the_path_and_wrong_ones_have_to_wait() {
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 1_000));
    place.write("data/film.mkv", &noise(1, 1_000));
    let torrent = place.create("here/film.mkv", &[]);
    let token = |name: &str, more: &[&str]| {
        let args = ["daemon", "--state", "daemon", "--create-token", name];
        place.ok(&[&args, more].concat()).trim().to_owned()
    };
    let (full, read) = (token("lampa", &[]), token("viewer", &["--read-only"]));
    let args = ["--torrserver", "127.0.0.1:0", "--require-token", "-vvv"];
    let (daemon, line) = Daemon::start_saying(&place, &args, "TorrServer's API:");
    let addr = addr(&line);
    let basic = |password: &str| {
        let login = BASE64.encode(format!("anyone:{password}").as_bytes());
        format!("Authorization: Basic {login}\r\n")
    };
    let post =
        |target: &str, headers: &str, body: &[u8]| send(&addr, "POST", target, headers, body);
    let none = post("/torrents", "", LIST);
    assert_eq!(none.status, 401);
    assert!(
        none.header("www-authenticate")
            .unwrap()
            .starts_with("Basic")
    );
    // It says no more than that it is there.
    assert_eq!(send(&addr, "GET", "/echo", "", b"").status, 200);
    assert_eq!(send(&addr, "GET", "/", "", b"").status, 401);
    assert_eq!(post("/torrents", &basic(&full), LIST).status, 200);
    assert_eq!(post(&format!("/{full}/torrents"), "", LIST).status, 200);
    let bytes = std::fs::read(place.path(&torrent)).unwrap();
    let (kind, body) = form(&[&bytes], &[("save", "1")]);
    let added = post(&format!("/{full}/torrent/upload"), &kind, &body);
    assert_eq!(added.status, 200, "{added:?}");
    let hash = added.json()["hash"].as_str().unwrap().to_owned();
    // What is listed can be played by a player that knows no password.
    let list = send(
        &addr,
        "GET",
        &format!("/{full}/playlist?hash={hash}"),
        "",
        b"",
    );
    let list = String::from_utf8(list.body).unwrap();
    let url = list.lines().find(|line| line.starts_with("http")).unwrap();
    assert!(
        url.starts_with(&format!("http://{addr}/{full}/stream/")),
        "{url}"
    );
    // One that may only read changes nothing.
    assert_eq!(post("/torrents", &basic(&read), LIST).status, 200);
    for body in [
        json!({"action": "add", "link": "0".repeat(40)}),
        json!({"action": "rem", "hash": hash}),
        json!({"action": "drop", "hash": hash}),
        json!({"action": "set", "hash": hash}),
        json!({"action": "wipe"}),
    ] {
        let refused = post("/torrents", &basic(&read), body.to_string().as_bytes());
        assert_eq!(refused.status, 403, "{body}");
    }
    let viewed = json!({"action": "set", "hash": hash, "file_index": 1}).to_string();
    assert_eq!(
        post("/viewed", &basic(&read), viewed.as_bytes()).status,
        403
    );
    let link = format!("/stream?link={}&stat", "0".repeat(40));
    assert_eq!(send(&addr, "GET", &link, &basic(&read), b"").status, 403);
    let wrong = |at: usize| {
        let target = format!("/tw_{at}_wrong/torrents");
        post(&target, "", LIST)
    };
    let statuses: Vec<u16> = (0..15).map(|at| wrong(at).status).collect();
    assert_eq!((statuses[0], statuses[14]), (401, 429), "{statuses:?}");
    assert!(wrong(0).header("retry-after").is_some());
    assert_eq!(post(&format!("/{full}/torrents"), "", LIST).status, 200);
    // The log says what was asked, and not by which token.
    daemon.signal("TERM");
    let said = daemon.finish().err;
    assert!(said.contains("/(token)/playlist"), "{said}");
    assert!(
        !said.contains(&full) && !said.contains("wrong/torrents"),
        "{said}"
    );
}

#[test]
fn other_machines_need_a_password() {
    let place = Place::new();
    let refused = place.run(&Daemon::args(&["--torrserver", "0.0.0.0:0"]));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("no token"), "{refused:?}");
}
