//! Where a token is needed: the login, a wrong one, one that may only look, and the end of a login.

use super::*;

fn token(place: &Place, name: &str, more: &[&str]) -> String {
    let args = ["daemon", "--state", "daemon", "--create-token", name];
    place.ok(&[&args, more].concat()).trim().to_owned()
}

#[tokio::test]
async fn a_token_logs_in_a_wrong_one_does_not_and_a_login_ends() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (full, read) = (
        token(&place, "full", &[]),
        token(&place, "read", &["--read-only"]),
    );
    let (_seeder, _peer, torrent) = album(&place);
    // It is put there before tokens are asked for.
    let daemon = Daemon::start(&place, &[]);
    daemon.add(&torrent, "paused=true");
    daemon.stop();
    let daemon = Daemon::start(&place, &["--require-token"]);
    let browser = Browser::open(&address(&daemon)).await;
    browser.until(".login", "wants a token", true).await;
    browser.screenshot("daemon-login.png").await;
    browser.write("#token", "tw_1_wrong").await;
    browser.press(".login", "Log in").await;
    browser.until("#login-error", "not known", true).await;
    browser.run(&super::accessible::axe()).await;
    browser.has_no_faults("login").await;
    browser.write("#token", &full).await;
    browser.press(".login", "Log in").await;
    browser.until(".rows .name", "album", true).await;
    // The token is in no address, and no script can read the cookie.
    assert_eq!(browser.run("return document.cookie").await, json!(""));
    let url = browser.driver.current_url().await.unwrap();
    assert!(!url.as_str().contains(&full), "{url}");
    // It outlasts a reload, and changes things with its CSRF token.
    browser.driver.refresh().await.unwrap();
    browser.until(".rows .name", "album", true).await;
    browser.click(".rows .acts button").await;
    browser.until(".rows .words", "Paused", false).await;
    browser.click("[aria-label='Appearance and more']").await;
    browser.press(".menu-list", "Log out").await;
    browser.until(".login", "logged out", true).await;
    browser.driver.refresh().await.unwrap();
    browser.until(".login", "wants a token", true).await;
    // One that may only look has no buttons that change anything.
    browser.write("#token", &read).await;
    browser.press(".login", "Log in").await;
    browser.until("#read-only", "Read only", true).await;
    browser.until(".rows .name", "album", true).await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('#add, .rows .acts button').length")
            .await,
        json!(0)
    );
    browser.click(".rows .name a").await;
    browser.click("#tab-files").await;
    browser.one(".files-list select:disabled").await;
    browser.click("[aria-label=Settings]").await;
    browser.until("main", "may only look", true).await;
    // Its token is deleted: the page asks for another.
    let header = format!("Authorization: Bearer {full}\r\n");
    let deleted = daemon.send("DELETE", "/api/v1/tokens/read", &header, b"");
    assert_eq!(deleted.status, 204);
    browser.until(".login", "login has ended", true).await;
    browser.quit().await;
}
