//! A film is watched in its tab while it comes, with seeks.

use serde::Deserialize;

use super::*;
use crate::film::{Film, SECONDS};

const PLAY: &str = include_str!("../../stream/play.js");

#[derive(Debug, Deserialize)]
struct Played {
    error: Option<String>,
    at: f64,
    duration: f64,
    pictures: u64,
}

impl Browser {
    async fn plays(&self, from: Option<f64>, seconds: f64) -> Played {
        let args = vec![from.into(), seconds.into()];
        let played = self.driver.execute_async(PLAY, args).await.unwrap();
        let played: Played = played.convert().unwrap();
        assert_eq!(played.error, None, "from {from:?}: {played:?}");
        assert!(played.pictures > 5, "from {from:?}: {played:?}");
        played
    }
}

#[tokio::test]
async fn a_film_plays_and_seeks_in_its_tab_and_the_buffer_is_shown() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let film = std::fs::read(Film::IndexFirst.path()).unwrap();
    place.write("here/films/film.mp4", &film);
    place.write("here/films/notes.txt", b"a film");
    let torrent = place.create("here/films", &[]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &["--memory", "64MiB"]);
    let browser = Browser::open(&address(&daemon)).await;
    // In memory, only to watch: the page goes on to the player by itself.
    browser.click("#add").await;
    browser
        .keys("#files", place.path(&torrent).to_str().unwrap())
        .await;
    browser.until(".choices", "film.mp4", true).await;
    browser.run("const select = document.querySelector('#add-storage'); select.value = 'memory'; select.dispatchEvent(new Event('change', { bubbles: true }))").await;
    browser.click("#add-now").await;
    browser.one("#player").await;
    let list = daemon.get("/api/v1/torrents?fields=id");
    let id = list["torrents"][0]["id"].as_str().unwrap();
    daemon.connect(id, &peer);
    let played = browser.plays(None, 1.5).await;
    assert!(
        (played.duration - f64::from(SECONDS)).abs() < 1.0,
        "{played:?}"
    );
    for from in [120.0, 60.0] {
        let played = browser.plays(Some(from), 1.5).await;
        assert!(played.at >= from + 1.5, "{played:?}");
    }
    browser.until("#readers", "film.mp4", true).await;
    browser.until(".buffer", "Around the player", true).await;
    browser.until(".elsewhere code", "/film.mp4", true).await;
    browser.screenshot("daemon-stream.png").await;
    // The tab is left: nothing is read any more.
    browser.click("#tab-overview").await;
    let buffer = format!("/api/v1/torrents/{id}/buffer");
    until_daemon(|| {
        daemon.get(&buffer)["readers"]
            .as_array()
            .unwrap()
            .is_empty()
    });
    browser.quit().await;
}
