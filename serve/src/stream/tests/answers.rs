//! Tests of routes, and of the checks of `Host` and `Origin`.

use hyper::{Method, StatusCode};

use super::Served;
use super::client::raw;
use super::memory::content;
use crate::stream::limits::Limits;

const FILES: &[(&str, u64)] = &[
    ("t/film.mp4", 1_000),
    ("t/sub/a <b> \"c\".html", 10),
    ("t/é?.mkv", 20),
];

async fn served() -> Served {
    Served::files(FILES, Limits::default()).await
}

#[tokio::test]
async fn every_address_has_its_content() {
    let served = served().await;
    let mut client = served.client().await;
    let cases = [
        ("/", "text/html; charset=utf-8"),
        ("/?x=1", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/playlist.m3u", "audio/x-mpegurl; charset=utf-8"),
        ("/stats", "application/json"),
        ("/0", "video/mp4"),
        ("/0/film.mp4?x", "video/mp4"),
        ("/1/a%20%3Cb%3E%20%22c%22.html", "application/octet-stream"),
        ("/3/%C3%A9%3F.mkv", "video/x-matroska"),
    ];
    for (path, content_type) in cases {
        let answer = client.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!answer.body.is_empty(), "{path}");
        let head = client.ask(Method::HEAD, path, &[]).await;
        assert_eq!(
            head.header("content-length"),
            answer.header("content-length"),
            "{path}"
        );
    }
    let html = client.get("/1", &[]).await;
    assert_eq!(html.body, content(1, 0..10));
    assert_eq!(
        html.header("content-disposition"),
        "inline; filename=\"a <b> _c_.html\"; filename*=UTF-8''a%20%3Cb%3E%20%22c%22.html"
    );
}

#[tokio::test]
async fn elsewhere_is_nothing() {
    let served = served().await;
    let mut client = served.client().await;
    for path in [
        "/2",
        "/4",
        "/00",
        "/-1",
        "/+0",
        "/0/",
        "/0/other.mp4",
        "/0/film.mp4/",
        "/0/FILM.mp4",
        "//0",
        "/page.html",
        "/99999999999999999999999",
        "/0/..%2Fetc",
        "/../etc/passwd",
        "/%30",
        "/favicon.ico",
        "/stats/",
    ] {
        let answer = client.get(path, &[]).await;
        // An index may have leading zeros; that is the one exception.
        let expected = if path == "/00" {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(answer.status, expected, "{path}");
    }
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let served = served().await;
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
    ] {
        for path in ["/", "/0", "/stats"] {
            let mut client = served.client().await;
            let answer = client.ask(method.clone(), path, &[]).await;
            assert_eq!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
}

#[tokio::test]
async fn foreign_names_and_pages_get_nothing() {
    let served = served().await;
    let port = served.addr.port();
    let ours = format!("localhost:{port}");
    for path in ["/", "/0", "/stats", "/playlist.m3u", "/page.js"] {
        let mut client = served.client().await;
        for (host, status) in [
            (ours.clone(), StatusCode::OK),
            (format!("[::1]:{port}"), StatusCode::OK),
            (
                format!("evil.example:{port}"),
                StatusCode::MISDIRECTED_REQUEST,
            ),
            (
                format!("localhost.evil.example:{port}"),
                StatusCode::MISDIRECTED_REQUEST,
            ),
            ("localhost:1".to_owned(), StatusCode::MISDIRECTED_REQUEST),
        ] {
            let answer = client.get(path, &[("host", &host)]).await;
            assert_eq!(answer.status, status, "{host} {path}");
        }
        let foreign = client
            .get(
                path,
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
            )
            .await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{path}");
    }
    let old = raw(served.addr, "GET /1 HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n"), "{old}");
    let nameless = raw(served.addr, "GET /1 HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(nameless.starts_with("HTTP/1.1 400 "), "{nameless}");
}

#[tokio::test]
async fn the_playlist_names_the_host_that_was_asked() {
    let served = served().await;
    let host = format!("localhost:{}", served.addr.port());
    let mut client = served.client().await;
    let answer = client.get("/playlist.m3u", &[("host", &host)]).await;
    let expected = format!(
        "#EXTM3U\n#EXTINF:-1,film.mp4\nhttp://{host}/0/film.mp4\n#EXTINF:-1,é?.mkv\nhttp://{host}/3/%C3%A9%3F.mkv\n"
    );
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn stats_tell_of_the_buffer() {
    let served = served().await;
    let answer = served.client().await.get("/stats", &[]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let stats: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(stats["name"], "A <torrent>");
    assert_eq!(stats["pieces"]["count"], 2);
    assert_eq!(stats["pieces"]["have"], serde_json::json!([[0, 1]]));
    assert_eq!(stats["memory"]["budget"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let served = served().await;
    let mut client = served.client().await;
    for start in 0..50 {
        let range = format!("bytes={start}-{}", start + 9);
        let answer = client.get("/0", &[("range", &range)]).await;
        assert_eq!(answer.body, content(0, start..start + 10));
    }
}
