//! A web page for the RPC, served from a folder; and Transmission's own, as Debian has it, in Chromium.

use std::time::{Duration, Instant};

use serde_json::json;
use thirtyfour::prelude::*;

use crate::chromium::Browser;
use crate::enabled;
use crate::http::{Answer, raw};
use crate::rpc::Rpc;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};

/// Where Debian's transmission-common has it.
const DEBIANS: &str = "/usr/share/transmission/web";
/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);

fn get(rpc: &Rpc<'_>, path: &str, headers: &str) -> Answer {
    let addr = &rpc.addr;
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
fn a_folder_is_served_and_nothing_above_it() {
    let place = Place::new();
    place.write("web/index.html", b"<!doctype html>the page");
    place.write("web/a b.js", b"script");
    place.write("secret", b"secret");
    let folder = place.path("web");
    let rpc = Rpc::start(&place, &["--transmission-web", folder.to_str().unwrap()]);
    for path in ["/", "/transmission", "/transmission/", "/transmission/web"] {
        let answer = get(&rpc, path, "");
        assert_eq!(answer.status, 307, "{path} {answer:?}");
        assert_eq!(answer.header("location"), Some("/transmission/web/"));
    }
    let page = get(&rpc, "/transmission/web/", "");
    assert_eq!(
        (page.status, page.body.as_slice()),
        (200, b"<!doctype html>the page".as_slice())
    );
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let script = get(&rpc, "/transmission/web/a%20b.js", "");
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, Some("text/javascript"))
    );
    for path in [
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "a/../../secret",
        "%2fetc/passwd",
        "none",
    ] {
        let answer = get(&rpc, &format!("/transmission/web/{path}"), "");
        assert_eq!(answer.status, 404, "{path} {answer:?}");
    }
    assert_eq!(
        get(&rpc, "/transmission/web/", "Host: evil.example\r\n").status,
        421
    );
    rpc.daemon.stop();
}

#[test]
fn without_a_folder_there_is_no_page() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    for path in [
        "/transmission/web/",
        "/transmission/web",
        "/transmission/web/x.js",
    ] {
        let answer = get(&rpc, path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains("--transmission-web"));
    }
    rpc.daemon.stop();
}

impl Browser {
    /// Waits until a script says yes.
    async fn until(&self, script: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.driver.execute(script, vec![]).await.unwrap();
            if *answer.json() == json!(true) {
                return;
            }
            if begun.elapsed() > HANGS_AFTER {
                let all = self
                    .driver
                    .execute("return document.body.innerText", vec![]);
                let all = all.await.unwrap().json().clone();
                panic!("{script}: {all}");
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until what is meant shows a text.
    async fn shows(&self, css: &str, text: &str) {
        self.until(&format!(
            "return [...document.querySelectorAll({css:?})].some((it) => it.textContent.includes({text:?}))"
        ))
        .await;
    }

    async fn click(&self, css: &str) {
        let query = self.driver.query(By::Css(css));
        let query = query.wait(HANGS_AFTER, Duration::from_millis(50));
        let target = query.first().await.unwrap();
        target.wait_until().clickable().await.unwrap();
        target.click().await.unwrap();
    }
}

#[tokio::test]
async fn transmissions_own_page_adds_shows_pauses_and_removes_what_libtorrent_seeds() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show/a.mkv", &noise(1, 3_000_000));
    place.write("here/Show/b.srt", &noise(2, 70_000));
    let torrent = place.create("here/Show", &[]);
    let file = place.path(&torrent);
    let command = std::process::Command::new(python());
    let seeder = Seeder::start(command, &file, &place.path("here"), "127.0.0.1", 0);
    let rpc = Rpc::start(&place, &["--transmission-web", DEBIANS]);
    let browser = Browser::open(&format!("http://{}/transmission/web/", rpc.addr)).await;
    browser.click("#toolbar-open").await;
    let field = browser.driver.find(By::Css("#torrent_upload_file")).await;
    field
        .unwrap()
        .send_keys(file.to_str().unwrap())
        .await
        .unwrap();
    browser.click("#upload_confirm_button").await;
    browser.shows(".torrent_name", "Show").await;
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    rpc.daemon
        .connect(hash.as_str().unwrap(), &seeder.addr.to_string());
    browser.shows(".torrent_peer_details", "Seeding to").await;
    // Its details.
    browser.click(".torrent_name").await;
    browser.click("#toolbar-inspector").await;
    browser
        .shows("#inspector-info-hash", hash.as_str().unwrap())
        .await;
    browser.shows("#inspector-info-have", "100%").await;
    browser.click("#inspector-tab-files").await;
    browser.shows("#inspector_file_list", "b.srt").await;
    browser.screenshot("transmission-web.png").await;
    browser.click("#toolbar-pause").await;
    browser.shows(".torrent_peer_details", "Paused").await;
    rpc.until(&json!(1), "status", |it| it == 0);
    browser.click("#toolbar-start").await;
    rpc.until(&json!(1), "status", |it| it == 6);
    browser.click("#toolbar-remove").await;
    browser.click("#dialog_confirm_button").await;
    browser
        .until("return document.querySelectorAll('.torrent_name').length === 0")
        .await;
    let left = rpc.call("torrent-get", json!({"fields": ["id"]}));
    assert_eq!(left["torrents"], json!([]));
    assert!(place.path("data/Show/a.mkv").exists());
    browser.driver.quit().await.unwrap();
    rpc.daemon.stop();
}
