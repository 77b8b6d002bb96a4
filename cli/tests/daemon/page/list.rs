//! The list: adding with a choice of files, pausing, labels, filters, the keyboard, removing.

use super::*;

#[tokio::test]
async fn a_person_adds_with_a_choice_pauses_labels_and_removes() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, peer, torrent) = album(&place);
    let daemon = Daemon::start(&place, &[]);
    let browser = Browser::open(&address(&daemon)).await;
    browser.until("#empty", "No torrents yet", true).await;
    browser.screenshot("daemon-empty.png").await;
    // What is no link is said to be none.
    browser.click("#add").await;
    browser.write("#links", "nothing").await;
    browser.click("#add-now").await;
    browser.until("#add-error", "neither", true).await;
    browser.write("#links", " ").await;
    // What is in a file is shown before it is added, and a part of it is chosen.
    let file = place.path(&torrent);
    browser.keys("#files", file.to_str().unwrap()).await;
    browser.until(".choices", "song.mp3", true).await;
    browser.until("#wanted", "2 files", true).await;
    browser.click("[aria-label='other.mp3']").await;
    browser.until("#wanted", "1 of 2 files", true).await;
    browser.screenshot("daemon-add.png").await;
    browser.click("#add-now").await;
    browser.until(".rows .name", "album", true).await;
    let list = daemon.get("/api/v1/torrents?fields=id");
    let id = list["torrents"][0]["id"].as_str().unwrap().to_owned();
    let files = daemon.get(&format!("/api/v1/torrents/{id}/files"));
    let priorities: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["priority"])
        .collect();
    assert!(
        priorities.contains(&&json!("skip")) && priorities.contains(&&json!("normal")),
        "{files}"
    );
    daemon.connect(&id, &peer);
    browser.until(".rows .words", "Seeding", true).await;
    // The button of the row.
    browser.click(".rows .acts button").await;
    browser.until(".rows .words", "paused", true).await;
    browser.click(".rows .acts button").await;
    browser.until(".rows .words", "Seeding", true).await;
    // Those that are selected: labels.
    browser.click(".rows .tick input").await;
    browser.until(".chosen strong", "1 selected", true).await;
    browser.press(".chosen", "Labels").await;
    browser.write("#new-label", "music").await;
    browser.press("dialog footer", "Add label").await;
    browser.press("dialog footer", "Save").await;
    browser.until(".rows .chip", "music", true).await;
    assert_eq!(
        daemon.get(&format!("/api/v1/torrents/{id}"))["labels"],
        json!(["music"])
    );
    filters_and_search(&browser).await;
    // By the keyboard: to the row, pause, ask to remove, and keep.
    browser.keys("#torrents", Key::Down).await;
    browser.keys("#torrents", "p").await;
    browser.until(".rows .words", "paused", true).await;
    browser.keys("#torrents", Key::Delete).await;
    browser.until("dialog", "Remove this torrent?", true).await;
    browser.keys("dialog", Key::Escape).await;
    browser
        .until_true(
            "return !document.querySelector('dialog') && document.activeElement.id === 'torrents'",
        )
        .await;
    // Removed, with its files.
    browser.keys("#torrents", Key::Delete).await;
    browser.click("#delete-files").await;
    browser.click("#confirm").await;
    browser.until("#empty", "No torrents yet", true).await;
    assert!(!place.path("data/album").exists());
    browser.quit().await;
}

/// Esc clears the selection; the filters and the search find the album or do not.
async fn filters_and_search(browser: &Browser) {
    browser.keys("#torrents", Key::Escape).await;
    browser.press(".side", "music").await;
    browser.until(".tools h1", "music", true).await;
    browser.until(".rows .name", "album", true).await;
    browser.press(".side", "Paused").await;
    browser.until(".grid", "No torrent passes", true).await;
    browser.press(".grid", "Show all torrents").await;
    browser.write("#search", "xyz").await;
    browser.until(".rows", "album", false).await;
    browser.write("#search", "ALB").await;
    browser.until(".rows .name", "album", true).await;
}

#[tokio::test]
async fn what_is_dropped_or_pasted_is_offered_to_be_added() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/one.bin", &noise(5, 100_000));
    let torrent = place.create("here/one.bin", &[]);
    let bytes = std::fs::read(place.path(&torrent)).unwrap();
    let daemon = Daemon::start(&place, &[]);
    let browser = Browser::open(&address(&daemon)).await;
    browser.one("#empty").await;
    let drop = "const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(arguments[0])], 'one.torrent'));
        for (const name of ['dragenter', 'dragover', 'drop']) {
          document.body.dispatchEvent(new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }";
    browser
        .driver
        .execute(drop, vec![json!(bytes)])
        .await
        .unwrap();
    browser.until(".seen", "one.bin", true).await;
    browser.click("#add-paused").await;
    browser.click("#add-now").await;
    browser.until(".rows .words", "Paused", true).await;
    // What is there already is said to be there.
    browser
        .driver
        .execute(drop, vec![json!(bytes)])
        .await
        .unwrap();
    browser.until(".seen", "here already", true).await;
    browser.keys("dialog", Key::Escape).await;
    browser
        .until_true("return !document.querySelector('dialog')")
        .await;
    let id = daemon.get("/api/v1/torrents?fields=id")["torrents"][0]["id"].clone();
    let paste = "const data = new DataTransfer();
        data.setData('text/plain', `magnet:?xt=urn:btih:${arguments[0]}`);
        document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));";
    browser.driver.execute(paste, vec![id]).await.unwrap();
    browser.until(".seen", "here already", true).await;
    browser.quit().await;
}

#[tokio::test]
async fn several_are_sorted_selected_in_a_range_and_changed_at_once() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for (at, name) in ["b10", "b9", "a"].iter().enumerate() {
        place.write(
            &format!("here/{name}"),
            &noise(at as u64, 50_000 * (at + 1)),
        );
        let torrent = place.create(&format!("here/{name}"), &[]);
        daemon.add(&torrent, "paused=true");
    }
    let browser = Browser::open(&address(&daemon)).await;
    browser.until("#count", "3", true).await;
    let names = "return [...document.querySelectorAll('.rows > .row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.querySelector('.name a').textContent).join() === ";
    for (column, order) in [
        ("name", "a,b9,b10"),
        ("name", "b10,b9,a"),
        ("size", "a,b9,b10"),
        ("queue", "b10,b9,a"),
    ] {
        browser.click(&format!(".head .{column} .sort")).await;
        browser.until_true(&format!("{names}'{order}'")).await;
    }
    // From the first to the last with Shift.
    browser.click(".rows .row[aria-rowindex='2'] .size").await;
    browser.until(".chosen strong", "1 selected", true).await;
    let click = "const row = document.querySelector(\".rows .row[aria-rowindex='4'] .size\"); row.dispatchEvent(new MouseEvent('click', { bubbles: true, shiftKey: true }))";
    browser.run(click).await;
    browser.until(".chosen strong", "3 selected", true).await;
    browser.press(".chosen", "Resume").await;
    browser.until(".rows .words", "Paused", false).await;
    browser.press(".chosen", "Pause").await;
    browser
        .until_true("return [...document.querySelectorAll('.rows .words')].every((it) => it.textContent === 'Paused')")
        .await;
    browser.press(".chosen", "Recheck").await;
    browser.until(".notices", "check has begun", true).await;
    browser.press(".chosen", "Remove").await;
    browser.until("dialog", "Remove 3 torrents?", true).await;
    // The keyboard stays inside while it is open.
    for _ in 0..6 {
        browser.keys("dialog", Key::Tab).await;
    }
    let inside = "return document.activeElement.closest('dialog') !== null || document.activeElement === document.body";
    assert_eq!(browser.run(inside).await, json!(true));
    browser.click("#confirm").await;
    browser.until("#empty", "No torrents yet", true).await;
    assert_eq!(daemon.get("/api/v1/torrents")["total"], 0);
    browser.quit().await;
}

#[tokio::test]
async fn on_a_phone_a_tap_opens_and_a_tick_selects() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, _peer, torrent) = album(&place);
    let daemon = Daemon::start(&place, &[]);
    daemon.add(&torrent, "paused=true&labels=music");
    let browser = Browser::open_on(&address(&daemon), &[], Some((360, 740))).await;
    browser.click(".rows .tick input").await;
    browser.until(".chosen strong", "1 selected", true).await;
    browser
        .click(".chosen [aria-label='Clear the selection']")
        .await;
    browser.until(".chosen", "selected", false).await;
    browser.click(".rows .words").await;
    browser.until(".details h1", "album", true).await;
    browser.press(".top", "Torrents").await;
    browser.one(".rows .row").await;
    browser.quit().await;
}
