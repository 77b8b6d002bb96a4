//! The daemon goes and comes back: the page says so, and mends itself.

use super::*;

#[tokio::test]
async fn a_lost_connection_is_shown_and_mended_without_a_reload() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, _peer, torrent) = album(&place);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let http = format!("127.0.0.1:{port}");
    let start = || Daemon::start(&place, &["--http", &http]);
    let daemon = start();
    let browser = Browser::open(&address(&daemon)).await;
    browser.one("#empty").await;
    browser.run("window.isTheSame = true").await;
    daemon.kill();
    browser
        .until("#lost", "No connection to the daemon", true)
        .await;
    let daemon = start();
    browser.until("#lost", "No connection", false).await;
    // Events come again: what is added is shown.
    daemon.add(&torrent, "paused=true");
    browser.until(".rows .name", "album", true).await;
    assert_eq!(browser.run("return window.isTheSame").await, json!(true));
    browser.quit().await;
}
