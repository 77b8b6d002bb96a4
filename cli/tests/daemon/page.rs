//! The pages, used by clicks in Chromium.
//!
//! They run when `TAILWATER_INTEROP=1` is set and Chromium is there (`scripts/install-clients.sh`).

mod accessible;
mod details;
mod list;
mod login;
mod lost;
mod many;
mod settings;
mod stream;
mod units;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::chromium::Browser;
use crate::daemon::Daemon;
use crate::support::{Place, Running, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

pub(crate) fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}

/// The address of the pages.
fn address(daemon: &Daemon<'_>) -> String {
    format!("http://{}/", daemon.addr)
}

/// A seeder of two songs in a folder, and the .torrent file of it.
fn album(place: &Place) -> (Running, String, String) {
    place.write("here/album/song.mp3", &noise(1, 300_000));
    place.write("here/album/other.mp3", &noise(2, 200_000));
    let torrent = place.create("here/album", &[]);
    let (seeder, peer) = place.seed(&torrent, "here");
    (seeder, peer, torrent)
}

impl Browser {
    async fn one(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css));
        let query = query.wait(HANGS_AFTER, Duration::from_millis(50));
        query.first().await.unwrap()
    }

    async fn click(&self, css: &str) {
        let target = self.one(css).await;
        target.wait_until().clickable().await.unwrap();
        target.click().await.unwrap();
    }

    /// Clicks the button, link or tab that reads so.
    async fn press(&self, inside: &str, words: &str) {
        let xpath = format!(
            "//*[self::button or self::a or self::label][.//text()[normalize-space(.)={words:?}]]"
        );
        let inside = self.one(inside).await;
        let query = inside.query(By::XPath(format!(".{xpath}")));
        let query = query.wait(HANGS_AFTER, Duration::from_millis(50));
        let target = query.first().await.unwrap();
        target.wait_until().clickable().await.unwrap();
        target.click().await.unwrap();
    }

    /// Writes into a field in place of what is there.
    async fn write(&self, css: &str, text: &str) {
        let target = self.one(css).await;
        target.wait_until().displayed().await.unwrap();
        target.click().await.unwrap();
        target.send_keys(Key::Control + "a").await.unwrap();
        target.send_keys(Key::Backspace).await.unwrap();
        target.send_keys(text).await.unwrap();
    }

    async fn keys(&self, css: &str, keys: impl Into<TypingData>) {
        self.one(css).await.send_keys(keys).await.unwrap();
    }

    async fn run(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, vec![]).await.unwrap();
        answer.json().clone()
    }

    /// Waits until a script says yes.
    async fn until_true(&self, script: &str) {
        let begun = Instant::now();
        while self.run(script).await != json!(true) {
            assert!(begun.elapsed() < HANGS_AFTER, "{script}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the text of all that is meant holds this, or does not.
    async fn until(&self, css: &str, text: &str, is_there: bool) {
        let begun = Instant::now();
        loop {
            let script = "return [...document.querySelectorAll(arguments[0])].map((it) => it.textContent).join(' | ')";
            let found = self.driver.execute(script, vec![json!(css)]).await.unwrap();
            let found: String = found.convert().unwrap();
            if found.contains(text) == is_there {
                return;
            }
            if begun.elapsed() > HANGS_AFTER {
                let all = self.run("return document.body.innerText").await;
                panic!("{css}: {text:?}, {is_there}: {found} in {all}");
            }
            tokio::task::yield_now().await;
        }
    }

    /// Shows another page of the application.
    async fn go(&self, hash: &str) {
        let go = "location.hash = arguments[0]";
        self.driver.execute(go, vec![json!(hash)]).await.unwrap();
    }

    async fn quit(self) {
        self.driver.quit().await.unwrap();
    }
}

/// Limits the downloads so far that they outlast a test.
fn slow_down(daemon: &Daemon<'_>) {
    let limit = r#"{"download_limit":2048}"#;
    let set = daemon.json("PATCH", "/api/v1/settings", limit);
    assert_eq!(set.status, 200, "{set:?}");
}

/// Waits until the daemon says so.
fn until_daemon(mut says: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !says() {
        assert!(begun.elapsed() < HANGS_AFTER);
    }
}
