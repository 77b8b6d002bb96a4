//! One torrent: every tab, by clicks.

use super::*;

/// Ports where nothing listens.
const NO_TRACKERS: &str = "http://127.0.0.1:9/announce";

#[tokio::test]
async fn every_side_of_a_torrent_is_shown_and_can_be_changed() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, peer, torrent) = album(&place);
    let daemon = Daemon::start(&place, &[]);
    // Slow enough that it stays connected: two that are complete have nothing to say to each other.
    slow_down(&daemon);
    let id = daemon.add(&torrent, "");
    let view = format!("/api/v1/torrents/{id}");
    daemon.connect(&id, &peer);
    let browser = Browser::open(&address(&daemon)).await;
    browser.until(".rows .words", "Downloading", true).await;
    browser.click(".rows .name a").await;
    browser.until(".tab-panel", &id, true).await;
    browser.one("canvas.strip").await;

    browser.click("#tab-files").await;
    browser.until(".files-list", "song.mp3", true).await;
    let choose = "const select = document.querySelector(\"select[aria-label='Priority of song.mp3']\"); select.focus(); select.value = 'low'; select.dispatchEvent(new Event('change', { bubbles: true }))";
    browser.run(choose).await;
    let priority_of = |name: &str| {
        let files = daemon.get(&format!("{view}/files"));
        let files = files.as_array().unwrap().clone();
        let file = files
            .into_iter()
            .find(|file| file["path"].as_str().unwrap().ends_with(name));
        file.unwrap()["priority"].as_str().unwrap().to_owned()
    };
    until_daemon(|| priority_of("song.mp3") == "low");
    // A folder is folded by its button.
    browser.press(".files-list", "album").await;
    browser.until(".files-list", "song.mp3", false).await;

    browser.click("#tab-peers").await;
    browser.until("#peers", "tailwater", true).await;
    browser.write("#peer", "nowhere").await;
    browser.press(".tab-panel", "Connect").await;
    browser.one(".notice.bad").await;

    browser.click("#tab-trackers").await;
    browser.press(".tab-panel", "Edit trackers").await;
    browser.write("#tiers", "nothing").await;
    browser.press("dialog footer", "Save").await;
    browser.one("dialog .bad").await;
    browser.write("#tiers", NO_TRACKERS).await;
    browser.press("dialog footer", "Save").await;
    browser.until("#trackers", NO_TRACKERS, true).await;

    browser.click("#tab-graph").await;
    browser.one(".chart canvas").await;
    browser.press(".segments", "1 h").await;
    browser.until_true("return document.querySelector('.segments [aria-pressed=true]').textContent === '1 h' && document.querySelector('.chart canvas') !== null").await;

    browser.click("#tab-options").await;
    browser.write("#t-download", "no").await;
    browser.press(".tab-panel", "Save").await;
    browser
        .until(".tab-panel [role=alert]", "not a number", true)
        .await;
    browser.write("#t-download", "100").await;
    browser.click("#t-order").await;
    browser.press(".tab-panel", "Save").await;
    until_daemon(|| daemon.get(&view)["download_limit"] == 102_400);
    assert_eq!(daemon.get(&view)["sequential"], true);

    // The arrow keys move between the tabs.
    browser.keys("#tab-options", Key::Home).await;
    browser
        .until_true("return document.activeElement.id === 'tab-overview'")
        .await;
    browser.click("#toggle").await;
    browser.until("#state", "Paused", true).await;
    browser.click("#toggle").await;
    browser.until("#state", "Paused", false).await;
    browser.click(".top [aria-haspopup]").await;
    browser.press(".menu-list", "Recheck files").await;
    browser.until(".notices", "check has begun", true).await;
    browser.click(".top [aria-haspopup]").await;
    browser.press(".menu-list", "Remove…").await;
    browser.click("#confirm").await;
    browser.until("#empty", "No torrents yet", true).await;
    assert!(place.path("data/album").exists());
    // An address of one that is gone says so.
    browser.go(&format!("#/torrent/{id}")).await;
    browser.until("main", "not here", true).await;
    browser.quit().await;
}
