//! Every page in both themes and on a phone: axe-core finds no serious fault, nothing is wider than the window, and
//! pictures are taken to look at.

use std::path::Path;

use super::*;

/// Where `scripts/install-clients.sh` puts axe-core; nothing of it is shipped.
pub(super) fn axe() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("pages/axe.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run scripts/install-clients.sh",
            path.display()
        )
    })
}

/// Serious and critical faults of what is shown, one a line.
const FAULTS: &str = "const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations
      .filter((it) => ['serious', 'critical'].includes(it.impact))
      .map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(' ')).join(', ')}`).join('\\n')));";

impl Browser {
    pub(super) async fn has_no_faults(&self, name: &str) {
        // What fades in has no contrast yet.
        self.until_true(
            "return document.getAnimations().every((it) => it.playState !== 'running')",
        )
        .await;
        let faults = self.driver.execute_async(FAULTS, vec![]).await.unwrap();
        let faults: String = faults.convert().unwrap();
        assert_eq!(faults, "", "{name}");
        let fits = "return [document.documentElement, document.querySelector('main')]
            .every((it) => it === null || it.scrollWidth <= it.clientWidth)";
        assert_eq!(self.run(fits).await, json!(true), "{name} is too wide");
    }
}

#[tokio::test]
async fn every_page_is_accessible_in_both_themes_and_on_a_phone() {
    if !enabled() {
        return;
    }
    let axe = axe();
    let place = Place::new();
    let (_seeder, peer, torrent) = album(&place);
    let daemon = Daemon::start(&place, &[]);
    let empty = Browser::open(&address(&daemon)).await;
    empty.one("#empty").await;
    empty.run(&axe).await;
    empty.has_no_faults("empty").await;
    empty.quit().await;
    slow_down(&daemon);
    let id = daemon.add(&torrent, "labels=music");
    daemon.connect(&id, &peer);
    let pages = [
        ("list", "#/".to_owned(), ".rows .row"),
        ("overview", format!("#/torrent/{id}"), ".facts"),
        ("files", format!("#/torrent/{id}/files"), ".file-row"),
        ("peers", format!("#/torrent/{id}/peers"), "#peers"),
        (
            "trackers",
            format!("#/torrent/{id}/trackers"),
            ".tab-panel .buttons",
        ),
        ("graph", format!("#/torrent/{id}/graph"), ".chart canvas"),
        ("stream", format!("#/torrent/{id}/stream"), ".elsewhere"),
        ("options", format!("#/torrent/{id}/options"), "#t-order"),
        ("settings", "#/settings".to_owned(), "#tokens"),
        ("add", "#/add/nothing".to_owned(), "#links"),
    ];
    let looks = [
        ("light", "light", None),
        ("dark", "dark", None),
        ("phone", "light", Some((360, 740))),
        ("phone-dark", "dark", Some((360, 740))),
    ];
    for (look, theme, phone) in looks {
        let window = ["--window-size=1280,900"];
        let browser = Browser::open_on(&address(&daemon), &window, phone).await;
        browser.one(".rows .row").await;
        browser
            .run(&format!(
                "localStorage.setItem('tailwater.theme', '{theme}')"
            ))
            .await;
        browser.driver.refresh().await.unwrap();
        browser.one(".rows .row").await;
        browser.run(&axe).await;
        for (name, hash, there) in &pages {
            browser.go(hash).await;
            browser.one(there).await;
            browser
                .screenshot(&format!("daemon-{name}-{look}.png"))
                .await;
            browser.has_no_faults(&format!("{name}, {look}")).await;
        }
        dialogs(&browser, look).await;
        browser.quit().await;
    }
}

/// The selection, the menu, and the dialogs that open from the list.
async fn dialogs(browser: &Browser, look: &str) {
    browser.keys("dialog", Key::Escape).await;
    browser.go("#/").await;
    browser.click(".rows .tick input").await;
    browser.one(".chosen").await;
    browser.has_no_faults(&format!("selection, {look}")).await;
    for (words, there) in [("Labels", "#new-label"), ("Remove", "#confirm")] {
        browser.press(".chosen", words).await;
        browser.one(there).await;
        browser
            .screenshot(&format!("daemon-{}-{look}.png", words.to_lowercase()))
            .await;
        browser.has_no_faults(&format!("{words}, {look}")).await;
        browser.keys("dialog", Key::Escape).await;
        browser
            .until_true("return !document.querySelector('dialog')")
            .await;
    }
    browser.click("[aria-label='Appearance and more']").await;
    browser.has_no_faults(&format!("menu, {look}")).await;
    browser.press(".menu-list", "Keys").await;
    browser.one(".keys").await;
    browser.has_no_faults(&format!("keys, {look}")).await;
}
