//! Web pages of other origins: none may use the listener but those that the user allows.

use crate::http::{Answer, raw};
use crate::rpc::{Rpc, session};
use crate::support::Place;

const ALLOWED: &str = "http://films.example:8080";

fn ask(rpc: &Rpc<'_>, method: &str, headers: &str) -> Answer {
    let addr = &rpc.addr;
    let head = format!(
        "{method} /transmission/rpc HTTP/1.1\r\nHost: {addr}\r\nContent-Length: 0\r\n{headers}\r\n"
    );
    raw(addr, head.as_bytes())
}

/// What a browser asks before it lets a page send a request.
fn preflight(origin: &str) -> String {
    format!(
        "Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\nAccess-Control-Request-Method: POST\r\n\
        Access-Control-Request-Headers: x-transmission-session-id, authorization\r\n\
        Access-Control-Request-Private-Network: true\r\n"
    )
}

#[test]
fn pages_of_other_origins_are_told_nothing() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let refused = ask(&rpc, "OPTIONS", &preflight(ALLOWED));
    assert_eq!(refused.status, 403, "{refused:?}");
    // An add-on of a browser, which can read the answer to a first request.
    let session = session(&rpc.addr, "");
    let other = ask(&rpc, "POST", &format!("Origin: {ALLOWED}\r\n{session}"));
    assert_eq!(other.status, 200, "{other:?}");
    for answer in [refused, other] {
        let head = answer.head.to_ascii_lowercase();
        assert!(!head.contains("access-control"), "{head}");
    }
    rpc.daemon.stop();
}

#[test]
fn pages_of_an_allowed_origin_may_do_what_programs_may() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &["--allow-origin", "HTTP://films.example:8080/"]);
    let first = ask(&rpc, "OPTIONS", &preflight(ALLOWED));
    assert_eq!(first.status, 204, "{first:?}");
    let allowed = first.header("access-control-allow-headers");
    assert_eq!(allowed, Some("x-transmission-session-id, authorization"));
    assert_eq!(
        first.header("access-control-allow-private-network"),
        Some("true")
    );
    let page = format!("Origin: {ALLOWED}\r\nSec-Fetch-Site: cross-site\r\n");
    // Even the answers of errors: a page reads the id of the session from one.
    let conflict = ask(&rpc, "POST", &page);
    assert_eq!(conflict.status, 409, "{conflict:?}");
    let exposed = conflict.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-transmission-session-id"), "{exposed}");
    let id = conflict.header("x-transmission-session-id").unwrap();
    let session = format!("{page}X-Transmission-Session-Id: {id}\r\n");
    let answered = ask(&rpc, "POST", &session);
    assert_eq!(answered.status, 200, "{answered:?}");
    for answer in [first, conflict, answered] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(ALLOWED));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // All others are what they were.
    for origin in ["http://evil.example", "https://films.example:8080", "null"] {
        let page = format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n");
        let refused = ask(&rpc, "POST", &page);
        assert_eq!(refused.status, 403, "{origin} {refused:?}");
        assert_eq!(refused.header("access-control-allow-origin"), None);
        assert_eq!(refused.header("vary"), Some("origin"));
    }
    rpc.daemon.stop();
}
