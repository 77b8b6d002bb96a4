//! Settings and tokens.

use super::*;

#[tokio::test]
async fn settings_are_saved_refused_in_words_and_followed_in_other_windows() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let browser = Browser::open(&address(&daemon)).await;
    browser.one("#empty").await;
    browser.click("[aria-label=Settings]").await;
    browser.write("#download-limit", "100").await;
    browser.click("#save").await;
    browser.until(".notices", "Saved", true).await;
    assert_eq!(daemon.get("/api/v1/settings")["download_limit"], 102_400);
    browser.write("#max-peers", "x").await;
    browser.click("#save").await;
    browser.until("#settings-error", "not a number", true).await;
    browser.write("#max-peers", "9000000").await;
    browser.click("#save").await;
    browser.until("#settings-error", "more than", true).await;
    assert_eq!(daemon.get("/api/v1/settings")["download_limit"], 102_400);
    // What another program sets is shown.
    let set = daemon.json("PATCH", "/api/v1/settings", r#"{"download_limit":2048}"#);
    assert_eq!(set.status, 200);
    browser
        .until_true("return document.querySelector('#download-limit').value === '2'")
        .await;
    // A token is shown once, and works.
    browser.write("#token-name", "phone").await;
    browser.press("#tokens", "Make").await;
    browser.until("#tokens .secret", "tw_", true).await;
    let token = browser
        .one("#tokens .secret code")
        .await
        .text()
        .await
        .unwrap();
    let header = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(
        daemon.send("GET", "/api/v1/stats", &header, b"").status,
        200
    );
    browser.write("#token-name", "phone").await;
    browser.press("#tokens", "Make").await;
    browser.one(".notice.bad").await;
    browser.click("[aria-label='Delete phone']").await;
    browser.press("dialog footer", "Delete").await;
    browser.until("#tokens tbody", "phone", false).await;
    assert_eq!(
        daemon.send("GET", "/api/v1/stats", &header, b"").status,
        401
    );
    // A day of rates, of all torrents together.
    browser.press(".segments", "24 h").await;
    browser.until_true("return document.querySelector('.segments [aria-pressed=true]').textContent === '24 h' && document.querySelector('.chart canvas') !== null").await;
    // The theme is kept.
    browser.click("[aria-label='Appearance and more']").await;
    browser.press(".menu-list", "Dark").await;
    browser.driver.refresh().await.unwrap();
    browser.one("[aria-label=Settings]").await;
    browser.until_true("return document.documentElement.dataset.theme === 'dark' && getComputedStyle(document.body).backgroundColor === 'rgb(13, 19, 23)'").await;
    browser.quit().await;
}

#[tokio::test]
async fn slower_hours_and_labels_are_set_and_a_label_takes_its_torrents_along() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, _peer, torrent) = album(&place);
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "paused=true&labels=music");
    let browser = Browser::open(&address(&daemon)).await;
    browser.one(".rows .row").await;
    browser.click("[aria-label=Settings]").await;
    let mode = "const select = document.querySelector('#mode'); select.value = 'schedule'; select.dispatchEvent(new Event('change', { bubbles: true }))";
    browser.one("#mode").await;
    browser.run(mode).await;
    browser.write("#slow-download", "50").await;
    browser.click("#add-rule").await;
    browser.press(".rule", "Saturday").await;
    for day in ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"] {
        browser.press(".rule", day).await;
    }
    browser.press(".rule", "Saturday").await;
    browser.click("#save").await;
    browser.until("#settings-error", "needs a day", true).await;
    browser.press(".rule", "Sunday").await;
    browser.click("#save").await;
    browser.until(".notices", "Saved", true).await;
    let settings = daemon.get("/api/v1/settings");
    assert_eq!(settings["alternative_mode"], "schedule");
    assert_eq!(settings["alternative_download_limit"], 51_200);
    assert_eq!(
        settings["schedule"],
        json!([{ "days": ["sun"], "from": "08:00", "to": "18:00" }])
    );
    browser.click(".notice [aria-label=Dismiss]").await;
    // A label with a folder and a limit; a wrong one is refused in words.
    browser.click("[aria-label='Edit music']").await;
    browser.write("#l-folder", "../outside").await;
    browser.press("dialog footer", "Save").await;
    browser.one("dialog .bad").await;
    browser.write("#l-folder", "songs").await;
    browser.write("#l-ratio", "none").await;
    browser.write("#l-time", "2").await;
    browser.press("dialog footer", "Save").await;
    browser.until("#labels", "in songs", true).await;
    browser.click(".notice [aria-label=Dismiss]").await;
    let labels = daemon.get("/api/v1/labels");
    assert_eq!(labels[0]["ratio_limit"], "none");
    assert_eq!(labels[0]["seeding_time_limit"], 7_200);
    browser.click("[aria-label='Delete music']").await;
    browser.press("dialog footer", "Delete").await;
    browser.until("#labels", "music", false).await;
    let view = format!("/api/v1/torrents/{id}");
    assert_eq!(daemon.get(&view)["labels"], json!([]));
    browser.quit().await;
}
