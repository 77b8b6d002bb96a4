//! A web page for the API, served from a folder.

use crate::api::{Api, get, post};
use crate::http::{Answer, raw};
use crate::support::Place;

fn page(addr: &str, path: &str, headers: &str) -> Answer {
    let host = match headers.contains("Host:") {
        true => String::new(),
        false => format!("Host: {addr}\r\n"),
    };
    raw(
        addr,
        format!("GET {path} HTTP/1.1\r\n{host}{headers}\r\n").as_bytes(),
    )
}

#[test]
fn the_folder_of_a_page_is_served_without_a_login_and_nothing_above_it() {
    let place = Place::new();
    place.write("vuetorrent/public/index.html", b"<!doctype html>the page");
    place.write("vuetorrent/public/assets/a b.js", b"script");
    place.write("vuetorrent/version.txt", b"secret");
    let args = ["daemon", "--state", "daemon", "--create-token", "page"];
    let token = place.ok(&args).trim().to_owned();
    // The folder that is named has the page in it, or is that of the page.
    for folder in ["vuetorrent", "vuetorrent/public"] {
        let folder = place.path(folder).to_str().unwrap().to_owned();
        let api = Api::start(&place, &["--qbittorrent-web", &folder, "--require-token"]);
        let addr = &api.addr;
        for path in ["/", "/index.html"] {
            let answer = page(addr, path, "");
            assert_eq!(
                (answer.status, answer.body.as_slice()),
                (200, b"<!doctype html>the page".as_slice())
            );
            assert_eq!(answer.header("content-type"), Some("text/html"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
        let script = page(addr, "/assets/a%20b.js", "");
        assert_eq!(
            (script.status, script.header("content-type")),
            (200, Some("text/javascript"))
        );
        for path in [
            "/version.txt",
            "/../version.txt",
            "/%2e%2e/version.txt",
            "/..%2fversion.txt",
            "/assets/../../version.txt",
            "/%2fetc/passwd",
            "/api/v3/none",
            "/api/index.html",
        ] {
            let answer = page(addr, path, "");
            assert_eq!(answer.status, 404, "{path} {answer:?}");
        }
        assert_eq!(page(addr, "/", "Host: evil.example\r\n").status, 421);
        assert_eq!(
            page(addr, "/", "Origin: http://evil.example\r\n").status,
            403
        );
        // The page is all that is open.
        assert_eq!(get(addr, "app/version", "", &[]).status, 403);
        assert_eq!(post(addr, "index.html", "", &[]).status, 404);
        let bearer = format!("Authorization: Bearer {token}\r\n");
        assert_eq!(get(addr, "app/version", &bearer, &[]).status, 200);
        api.daemon.stop();
    }
}

#[test]
fn without_a_folder_there_is_no_page() {
    let place = Place::new();
    let api = Api::start(&place, &[]);
    let answer = page(&api.addr, "/", "");
    assert_eq!(answer.status, 404);
    assert!(String::from_utf8_lossy(&answer.body).contains("--qbittorrent-web"));
    assert_eq!(page(&api.addr, "/index.html", "").status, 404);
    api.daemon.stop();
}
