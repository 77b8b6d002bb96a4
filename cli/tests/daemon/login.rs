//! Logins of pages: a cookie that stands for a token, and what attackers try with it.

use serde_json::json;

use crate::daemon::Daemon;
use crate::http::Answer;
use crate::support::Place;

const LOGIN: &str = "/api/v1/login";
const LOGOUT: &str = "/api/v1/logout";
const WHOAMI: &str = "/api/v1/whoami";
const SETTINGS: &str = "/api/v1/settings";
const STATS: &str = "/api/v1/stats";

fn token(place: &Place, name: &str, more: &[&str]) -> String {
    let args = ["daemon", "--state", "daemon", "--create-token", name];
    place.ok(&[&args, more].concat()).trim().to_owned()
}

/// A logged-in browser.
struct Browser {
    cookie: String,
    csrf: String,
}

impl Browser {
    fn open(daemon: &Daemon<'_>, token: &str) -> Self {
        let answer = log_in(daemon, token);
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        let csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            csrf,
        }
    }

    /// The headers of a request of a page; `csrf` is the second secret.
    fn headers(&self, csrf: &str) -> String {
        let cookie = &self.cookie;
        let csrf = match csrf {
            "" => String::new(),
            csrf => format!("X-CSRF-Token: {csrf}\r\n"),
        };
        format!("Cookie: other=1; {cookie}\r\n{csrf}Content-Type: application/json\r\n")
    }

    fn set(&self, daemon: &Daemon<'_>, csrf: &str) -> Answer {
        daemon.send(
            "PATCH",
            SETTINGS,
            &self.headers(csrf),
            br#"{"max_peers":9}"#,
        )
    }

    fn stats(&self, daemon: &Daemon<'_>) -> Answer {
        daemon.send("GET", STATS, &self.headers(""), b"")
    }
}

fn log_in(daemon: &Daemon<'_>, token: &str) -> Answer {
    daemon.json("POST", LOGIN, &json!({ "token": token }).to_string())
}

#[test]
fn a_page_logs_in_changes_something_and_logs_out() {
    let place = Place::new();
    let full = token(&place, "full", &[]);
    let read = token(&place, "read", &["--read-only"]);
    let daemon = Daemon::start(&place, &["--require-token"]);
    // The page itself is for all, and says where a token is needed.
    assert_eq!(daemon.send("GET", "/", "", b"").status, 200);
    let who = daemon.get(WHOAMI);
    assert_eq!(
        (&who["needs_token"], &who["is_admitted"], &who["csrf"]),
        (&true.into(), &false.into(), &json!(null))
    );
    let answer = log_in(&daemon, &format!(" {full}\n"));
    let cookie = answer.header("set-cookie").unwrap();
    let port = daemon.addr.rsplit(':').next().unwrap();
    assert!(
        cookie.starts_with(&format!("tailwater_{port}=")),
        "{cookie}"
    );
    for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains(&full));
    let browser = Browser::open(&daemon, &full);
    assert_eq!(browser.stats(&daemon).status, 200);
    assert_eq!(browser.set(&daemon, &browser.csrf).status, 200);
    // What the page reads after it was loaded anew.
    let who = daemon.send("GET", WHOAMI, &browser.headers(""), b"").json();
    assert_eq!(who["csrf"], browser.csrf.as_str());
    assert_eq!(
        (&who["token_name"], &who["is_read_only"]),
        (&"full".into(), &false.into())
    );
    // One that may read changes nothing, and may log out.
    let reader = Browser::open(&daemon, &read);
    assert_eq!(reader.stats(&daemon).status, 200);
    reader
        .set(&daemon, &reader.csrf)
        .is_problem(403, "read-only");
    let who = daemon.send("GET", WHOAMI, &reader.headers(""), b"").json();
    assert_eq!(who["is_read_only"], true);
    let out = daemon.send("POST", LOGOUT, &reader.headers(&reader.csrf), b"");
    assert_eq!(out.status, 204, "{out:?}");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    reader.stats(&daemon).is_problem(401, "no-token");
    // The other login stands, until its token is deleted.
    assert_eq!(browser.stats(&daemon).status, 200);
    let deleted = daemon.send(
        "DELETE",
        "/api/v1/tokens/full",
        &browser.headers(&browser.csrf),
        b"",
    );
    assert_eq!(deleted.status, 204, "{deleted:?}");
    browser.stats(&daemon).is_problem(401, "no-token");
}

#[test]
fn a_cookie_alone_changes_nothing_and_no_foreign_page_logs_in() {
    let place = Place::new();
    let full = token(&place, "full", &[]);
    let daemon = Daemon::start(&place, &["--require-token"]);
    let browser = Browser::open(&daemon, &full);
    let other = Browser::open(&daemon, &full);
    for csrf in ["", "x", &other.csrf, &full, &browser.csrf[1..]] {
        browser.set(&daemon, csrf).is_problem(403, "no-csrf-token");
    }
    let out = daemon.send("POST", LOGOUT, &browser.headers(&other.csrf), b"");
    out.is_problem(403, "no-csrf-token");
    let remove = daemon.send("DELETE", "/api/v1/tokens/full", &browser.headers(""), b"");
    remove.is_problem(403, "no-csrf-token");
    // A page of another site that a browser sends the cookie with all the same.
    let foreign = browser.headers(&browser.csrf) + "Origin: http://evil.example\r\n";
    let patch = daemon.send("PATCH", SETTINGS, &foreign, br#"{"max_peers":9}"#);
    patch.is_problem(403, "foreign-origin");
    let foreign = browser.headers("") + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n";
    let get = daemon.send("GET", STATS, &foreign, b"");
    get.is_problem(403, "not-this-server");
    let settings = daemon
        .send("GET", SETTINGS, &browser.headers(""), b"")
        .json();
    assert_eq!(settings["max_peers"], 200, "nothing was changed");
    // Cookies that are none of ours.
    for cookie in ["", "x", &full, &browser.csrf] {
        let name = browser.cookie.split('=').next().unwrap();
        let headers = format!("Cookie: {name}={cookie}\r\n");
        daemon
            .send("GET", STATS, &headers, b"")
            .is_problem(401, "no-token");
    }
    // To log a browser in as another user, a foreign page would have to send JSON.
    let body = json!({ "token": full }).to_string();
    let form = daemon.send(
        "POST",
        LOGIN,
        "Content-Type: text/plain\r\n",
        body.as_bytes(),
    );
    form.is_problem(415, "wrong-type");
    let json = "Content-Type: application/json\r\n";
    let foreign = format!("{json}Origin: https://evil.example\r\n");
    let foreign = daemon.send("POST", LOGIN, &foreign, body.as_bytes());
    foreign.is_problem(403, "foreign-origin");
    // Behind a proxy with TLS, the cookie is for TLS alone.
    let tls = format!("{json}Origin: https://{}\r\n", daemon.addr);
    let tls = daemon.send("POST", LOGIN, &tls, body.as_bytes());
    assert!(tls.header("set-cookie").unwrap().contains("; Secure"));
    // A script's request has the browser show nothing; a player's asks its user.
    for header in [
        "Sec-Fetch-Dest: empty",
        "Accept: application/json",
        "Accept: text/event-stream",
    ] {
        let script = daemon.send("GET", STATS, &format!("{header}\r\n"), b"");
        script.is_problem(401, "no-token");
        assert!(!script.head.contains("Basic"), "{}", script.head);
    }
    let player = daemon.send("GET", STATS, "", b"");
    assert!(player.head.contains("Basic"), "{}", player.head);
}

#[test]
fn guesses_of_tokens_are_slowed_down() {
    let place = Place::new();
    let full = token(&place, "full", &[]);
    let daemon = Daemon::start(&place, &["--require-token"]);
    let mut tries = 0;
    let refused = loop {
        let answer = log_in(&daemon, "tw_1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        if answer.status != 401 {
            break answer;
        }
        tries += 1;
        assert!(tries < 20);
    };
    assert!(tries >= 10, "{tries}");
    refused.is_problem(429, "too-many-failures");
    assert!(refused.header("retry-after").is_some());
    // The right one has to wait too: otherwise a guess would be seen to be right.
    log_in(&daemon, &full).is_problem(429, "too-many-failures");
    for body in ["{}", "[]", r#"{"token":5}"#, r#"{"token":"x","y":1}"#] {
        daemon.json("POST", LOGIN, body).is_problem(422, "invalid");
    }
}
