//! Connections over which a client sends one request after the other.

use serde_json::json;

use crate::http::Kept;
use crate::rpc::{Rpc, session};
use crate::support::Place;

fn head(rpc: &Rpc<'_>, headers: &str, len: usize) -> String {
    let addr = &rpc.addr;
    format!(
        "POST /transmission/rpc HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {len}\r\n{headers}\r\n"
    )
}

#[test]
fn a_connection_outlasts_an_answer_that_does_not_need_the_body() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let body = json!({"method": "session-stats"}).to_string();
    let mut kept = Kept::open(&rpc.addr);
    // Head and body apart, as Python sends them. The daemon can answer the head before it has the body.
    kept.write(head(&rpc, "", body.len()).as_bytes());
    for _ in 0..10 {
        rpc.call("session-stats", json!({}));
    }
    kept.write(body.as_bytes());
    let first = kept.read();
    assert_eq!((first.status, first.header("connection")), (409, None));
    let session = session(&rpc.addr, "");
    kept.write(head(&rpc, &session, body.len()).as_bytes());
    kept.write(body.as_bytes());
    let second = kept.read();
    assert_eq!(second.json()["result"], "success");
    rpc.daemon.stop();
}

#[test]
fn a_connection_that_ends_with_an_answer_says_so() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let mut kept = Kept::open(&rpc.addr);
    kept.write(head(&rpc, "", 10_000_000).as_bytes());
    let answer = kept.read();
    let connection = answer.header("connection");
    assert_eq!((answer.status, connection), (409, Some("close")));
    rpc.daemon.stop();
}
