//! A web page for the RPC, served from a folder; and Transmission's own, as Debian has it, in Chromium.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::chromium::Browser;
use crate::enabled;
use crate::http::{Answer, raw};
use crate::remotes::{damage, link_and_url, removed, repaired};
use crate::rpc::Rpc;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};

/// Where Debian's transmission-common has it.
const DEBIANS: &str = "/usr/share/transmission/web";
/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);

/// A script that says whether the preferences are closed.
const NO_PREFERENCES: &str = "return !document.querySelector('#prefs-dialog').checkVisibility()";

/// A script that says whether the list is empty.
const NO_TORRENT: &str = "return document.querySelectorAll('.torrent_name').length === 0";

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

    /// Chooses from the menu of a torrent in the list.
    async fn choose(&self, command: &str) {
        let torrent = self.driver.query(By::Css(".torrent_name"));
        let torrent = torrent.first().await.unwrap();
        let actions = self.driver.action_chain();
        actions
            .context_click_element(&torrent)
            .perform()
            .await
            .unwrap();
        let item = format!(".ui-menu li[data-command={command:?}]");
        self.click(&item).await;
    }

    /// Presses what belongs to a file.
    async fn press_of(&self, file: &str, css: &str) {
        self.until(&format!(
            "const files = [...document.querySelectorAll('#inspector_file_list li')];
            const row = files.find((it) => it.textContent.includes({file:?}));
            row?.querySelector({css:?})?.click();
            return row !== undefined"
        ))
        .await;
    }

    /// Ticks the box of a file, or unticks it, until it is wanted or not: what the page has asked for before may come later than
    /// that, and turn the box back.
    async fn want(&self, rpc: &Rpc<'_>, file: &str, wanted: bool, all: &Value) {
        let begun = Instant::now();
        while rpc.torrent(&json!(1), &["wanted"])["wanted"] != *all {
            assert!(begun.elapsed() < HANGS_AFTER, "{file}: not {wanted}");
            let press = format!(
                "const files = [...document.querySelectorAll('#inspector_file_list li')];
                const row = files.find((it) => it.textContent.includes({file:?}));
                const box = row?.querySelector('.file_wanted_control');
                if (box && box.checked !== {wanted}) box.click();"
            );
            self.driver.execute(press, vec![]).await.unwrap();
        }
    }

    /// Writes into a field, in place of what is there.
    async fn enter(&self, css: &str, text: &str) {
        let field = self.driver.query(By::Css(css)).first().await.unwrap();
        field.wait_until().displayed().await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn click(&self, css: &str) {
        let query = self.driver.query(By::Css(css));
        let query = query.wait(HANGS_AFTER, Duration::from_millis(50));
        let target = query.first().await.unwrap();
        target.wait_until().clickable().await.unwrap();
        target.click().await.unwrap();
    }
}

async fn shows_details_and_files(rpc: &Rpc<'_>, browser: &Browser, seeder: &Seeder) {
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    let hash = hash.as_str().unwrap();
    browser.click(".torrent_name").await;
    browser.click("#toolbar-inspector").await;
    browser.shows("#inspector-info-hash", hash).await;
    browser.click("#inspector-tab-files").await;
    browser.shows("#inspector_file_list", "b.srt").await;
    // The page has a file left out only while it is not there.
    browser.want(rpc, "b.srt", false, &json!([1, 0])).await;
    browser.want(rpc, "b.srt", true, &json!([1, 1])).await;
    rpc.daemon.connect(hash, &seeder.addr.to_string());
    browser.shows(".torrent_peer_details", "Seeding to").await;
    browser.screenshot("transmission-web.png").await;
    browser.press_of("b.srt", ".high").await;
    rpc.until(&json!(1), "priorities", |it| *it == json!([0, 1]));
    browser.click("#inspector-tab-info").await;
    browser.shows("#inspector-info-have", "100%").await;
    browser.click("#toolbar-inspector").await;
}

/// Sets a limit for all torrents: the page of 3.00 has none for one.
async fn limits_all(rpc: &Rpc<'_>, browser: &Browser) {
    let is = |name: &str, value: Value| {
        rpc.wait(name, || rpc.call("session-get", json!({}))[name] == value);
    };
    browser.click("#prefs-button").await;
    browser.click("#prefs-tab-speed a").await;
    browser.click("#speed-limit-down-enabled").await;
    is("speed-limit-down-enabled", json!(true));
    // What is written counts when the field is left; meanwhile the page leaves it alone.
    browser.click("#speed-limit-down").await;
    let field = browser.driver.find(By::Css("#speed-limit-down"));
    let keys = Key::Control + "a" + Key::Null + "2500" + Key::Tab;
    field.await.unwrap().send_keys(keys).await.unwrap();
    is("speed-limit-down", json!(2_500));
    browser.click("#prefs-button").await;
    browser.until(NO_PREFERENCES).await;
}

#[tokio::test]
async fn transmissions_own_page_goes_through_all_that_it_has() {
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
    let (link, _second, url, _server) = link_and_url(&place);
    let args = ["--transmission-web", DEBIANS, "--allow-private-urls"];
    let rpc = Rpc::start(&place, &args);
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
    shows_details_and_files(&rpc, &browser, &seeder).await;
    limits_all(&rpc, &browser).await;
    browser.click("#toolbar-pause").await;
    browser.shows(".torrent_peer_details", "Paused").await;
    rpc.until(&json!(1), "status", |it| it == 0);
    damage(&place, "data/Show/a.mkv");
    browser.choose("verify").await;
    rpc.until(&json!(1), "leftUntilDone", |it| *it != 0);
    rpc.until(&json!(1), "status", |it| it == 0);
    browser.click("#toolbar-start").await;
    repaired(&rpc, &seeder);
    browser.choose("move").await;
    let other = place.path("data/other");
    browser
        .enter("#torrent_path", other.to_str().unwrap())
        .await;
    browser.click("#move_confirm_button").await;
    rpc.until(&json!(1), "downloadDir", |it| {
        it.as_str().unwrap().ends_with("data/other")
    });
    browser.choose("remove_data").await;
    browser.click("#dialog_confirm_button").await;
    browser.until(NO_TORRENT).await;
    removed(&rpc, &place, "Show", "data/other/Show");
    for (at, source) in [(2, link), (3, url)] {
        browser.click("#toolbar-open").await;
        browser.enter("#torrent_upload_url", &source).await;
        browser.click("#upload_confirm_button").await;
        rpc.until_some(&json!(at), "totalSize", |it| *it != 0);
        browser.shows(".torrent_name", ".mp4").await;
        browser.click(".torrent_name").await;
        browser.click("#toolbar-remove").await;
        browser.click("#dialog_confirm_button").await;
        browser.until(NO_TORRENT).await;
    }
    let left = rpc.call("torrent-get", json!({"fields": ["id"]}));
    assert_eq!(left["torrents"], json!([]));
    assert!(
        place.path("data/film.mp4").exists(),
        "only its data is left"
    );
    browser.driver.quit().await.unwrap();
    rpc.daemon.stop();
}
