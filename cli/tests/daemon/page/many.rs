//! Thousands of torrents: only the rows that can be seen are in the page.

use super::*;

const MANY: usize = 5_000;
/// Rows of a window of 1000 pixels, and those beside them that are drawn ahead.
const MOST_ROWS: u64 = 40;

/// A daemon with so many torrents: magnet links, paused, which is quick.
fn fill(daemon: &Daemon<'_>, number: usize) {
    for at in 0..number {
        let link = format!("magnet:?xt=urn:btih:{at:040x}&dn=torrent+number+{at}");
        let body = json!({ "link": link, "paused": true }).to_string();
        assert_eq!(daemon.json("POST", "/api/v1/torrents", &body).status, 201);
    }
}

#[tokio::test]
async fn rows_in_the_page_stay_few_however_many_torrents_there_are() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    fill(&daemon, 500);
    let browser = Browser::open(&address(&daemon)).await;
    browser.until("#count", "500", true).await;
    let rows = "return document.querySelectorAll('.rows > .row').length";
    for at in [0, 5_000, 20_000, 1_000_000] {
        browser
            .run(&format!(
                "document.querySelector('#torrents').scrollTop = {at}"
            ))
            .await;
        browser.until_true("const grid = document.querySelector('#torrents').getBoundingClientRect(); const row = document.elementFromPoint(grid.left + 200, grid.bottom - 40)?.closest('.row'); return row !== null && row !== undefined").await;
        let number = browser.run(rows).await.as_u64().unwrap();
        assert!((10..=MOST_ROWS).contains(&number), "{number} rows at {at}");
    }
    // The last one is at the end, and the keyboard gets there too.
    browser.click(".head .queue .sort").await;
    browser.keys("#torrents", Key::Home).await;
    browser.keys("#torrents", Key::End).await;
    browser
        .until_true(
            "return document.querySelector('.row.active')?.getAttribute('aria-rowindex') === '501'",
        )
        .await;
    browser.keys("#torrents", Key::Control + "a").await;
    browser.until(".chosen strong", "500 selected", true).await;
    // All from one row to another.
    browser.keys("#torrents", Key::Home).await;
    browser.keys("#torrents", Key::Escape).await;
    browser
        .keys("#torrents", Key::Shift + Key::Down + Key::Down)
        .await;
    browser.until(".chosen strong", "3 selected", true).await;
    browser.quit().await;
}

/// Prints what scrolling costs; a figure of this machine, so it is no test. See docs/daemon.md.
#[tokio::test]
#[ignore = "a measurement: prints the time between frames while 5 000 torrents scroll"]
async fn frames_while_five_thousand_scroll() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    fill(&daemon, MANY);
    // Frames come as fast as they can be made, not as fast as a screen shows them: their distance is what they cost.
    let free = ["--disable-frame-rate-limit", "--disable-gpu-vsync"];
    let browser = Browser::open_with(&address(&daemon), &free).await;
    browser.until("#count", "5000", true).await;
    let scroll = "const done = arguments[0]; const grid = document.querySelector('#torrents'); const times = []; let last = null; let work = 0;
        const step = (now) => {
          if (last !== null) times.push(now - last);
          last = now;
          grid.scrollTop += 300;
          if (times.length < 600) requestAnimationFrame(step);
          else { times.sort((a, b) => a - b); done([times[300], times[570], times[594], document.querySelectorAll('.rows > .row').length]); }
        };
        requestAnimationFrame(step);";
    let answer = browser.driver.execute_async(scroll, vec![]).await.unwrap();
    let [median, p95, p99, rows]: [f64; 4] = answer.convert().unwrap();
    println!(
        "{MANY} torrents, 600 frames of 300 pixels: median {median:.1} ms, 95 % {p95:.1} ms, 99 % {p99:.1} ms, {rows} rows in the page"
    );
    browser.quit().await;
}
