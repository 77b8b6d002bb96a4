//! Parts of files.

use hyper::{Method, StatusCode};

use super::Served;
use super::memory::{LEASE, content};
use crate::stream::limits::Limits;

#[tokio::test]
async fn a_range_is_answered_with_its_bytes() {
    let served = Served::film().await;
    let mut client = served.client().await;
    let all = content(0, 0..1_000);
    let cases = [
        ("bytes=0-0", "bytes 0-0/1000", &all[..1]),
        ("bytes=10-19", "bytes 10-19/1000", &all[10..20]),
        ("bytes=990-", "bytes 990-999/1000", &all[990..]),
        ("bytes=-3", "bytes 997-999/1000", &all[997..]),
        ("bytes=500-5000", "bytes 500-999/1000", &all[500..]),
    ];
    for (range, content_range, body) in cases {
        let answer = client.get("/0/film.mp4", &[("range", range)]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(answer.header("content-type"), "video/mp4");
        assert_eq!(answer.body, body, "{range}");
    }
}

#[tokio::test]
async fn without_a_usable_range_it_is_the_whole_file() {
    let served = Served::film().await;
    let mut client = served.client().await;
    for headers in [
        vec![],
        vec![("range", "items=0-1")],
        vec![("range", "bytes=0-,0-")],
        vec![("range", "bytes=0-1"), ("if-range", "\"another\"")],
        vec![
            ("range", "bytes=0-1"),
            ("if-range", "Sat, 05 Nov 1994 08:49:37 GMT"),
        ],
    ] {
        let answer = client.get("/0", &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?}");
        assert_eq!(answer.header("content-length"), "1000");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.body, content(0, 0..1_000), "{headers:?}");
    }
}

#[tokio::test]
async fn what_the_file_does_not_have_cannot_be_had() {
    let served = Served::film().await;
    let mut client = served.client().await;
    for range in ["bytes=1000-", "bytes=-0", "bytes=x"] {
        let answer = client.get("/0", &[("range", range)]).await;
        assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(answer.header("content-range"), "bytes */1000");
    }
    assert_eq!(served.memory.leases_given(), 0);
}

#[tokio::test]
async fn several_ranges_come_in_parts() {
    let served = Served::files(&[("t/a.mkv", 4 * LEASE)], Limits::default()).await;
    let mut client = served.client().await;
    let answer = client
        .get("/0", &[("range", "bytes=20000-20009, 0-4, -2")])
        .await;
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.header("content-range"), "");
    let boundary = answer
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    assert_eq!(boundary.len(), 20);
    let all = content(0, 0..4 * LEASE);
    let mut expected = Vec::new();
    for (range, bytes) in [
        ("20000-20009", &all[20_000..20_010]),
        ("0-4", &all[..5]),
        ("65534-65535", &all[65_534..]),
    ] {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: video/x-matroska\r\nContent-Range: bytes {range}/65536\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(bytes);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(answer.header("content-length"), expected.len().to_string());
    assert_eq!(answer.body, expected);
    let again = client.get("/0", &[("range", "bytes=0-4,9-9")]).await;
    assert!(
        !again.header("content-type").contains(boundary),
        "foreseeable"
    );
}

#[tokio::test]
async fn if_range_with_this_version_gets_the_range() {
    let served = Served::film().await;
    let mut client = served.client().await;
    let whole = client.ask(Method::HEAD, "/0", &[]).await;
    for validator in ["etag", "last-modified"] {
        let value = whole.header(validator);
        assert!(!value.is_empty(), "{validator}");
        let answer = client
            .get("/0", &[("range", "bytes=0-1"), ("if-range", value)])
            .await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{validator}");
    }
}

#[tokio::test]
async fn a_client_that_has_the_file_need_not_get_it() {
    let served = Served::film().await;
    let mut client = served.client().await;
    let etag = client.get("/0", &[]).await.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}-0\"", "ab".repeat(20)));
    let given = served.memory.leases_given();
    let same = client.get("/0", &[("if-none-match", &etag)]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert_eq!((same.header("etag"), same.body.len()), (etag.as_str(), 0));
    let another = client.get("/0", &[("if-match", "\"x\"")]).await;
    assert_eq!(another.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(served.memory.leases_given(), given);
}

#[tokio::test]
async fn head_tells_of_the_whole_file_and_reads_nothing() {
    let served = Served::film().await;
    let mut client = served.client().await;
    let get = client.get("/0", &[]).await;
    let given = served.memory.leases_given();
    // The RFC defines ranges for GET only.
    for headers in [vec![], vec![("range", "bytes=0-1")]] {
        let head = client.ask(Method::HEAD, "/0", &headers).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        for name in [
            "content-length",
            "content-type",
            "etag",
            "accept-ranges",
            "content-disposition",
        ] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
    }
    assert_eq!(served.memory.leases_given(), given);
}

#[tokio::test]
async fn an_empty_file_is_an_empty_answer() {
    let served = Served::files(&[("t/empty.mp4", 0)], Limits::default()).await;
    let mut client = served.client().await;
    for headers in [vec![], vec![("range", "bytes=0-")]] {
        let answer = client.get("/0", &headers).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-length"), "0");
    }
    let answer = client.get("/0", &[("range", "bytes=1-")]).await;
    assert_eq!(answer.header("content-range"), "bytes */0");
}
