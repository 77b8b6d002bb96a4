//! Chromium plays the films from the index page.

use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;

use crate::chromium::Browser;
use crate::enabled;
use crate::film::{Film, SECONDS};
use crate::place::{FILM, Place};

/// Called with a time to seek to, or null, and for how long to play from there. Answers when it has played, when the film
/// has ended, or when something failed.
const PLAY: &str = include_str!("play.js");

/// What the page's player says.
#[derive(Debug, Deserialize)]
struct Played {
    /// What is wrong.
    error: Option<String>,
    at: f64,
    duration: f64,
    ready_state: u8,
    /// Pictures shown since the last seek.
    pictures: u64,
    paused: bool,
    ended: bool,
}

impl Browser {
    /// Seeks, if told where to, and plays for `seconds` seconds or to the end.
    async fn play(&self, from: Option<f64>, seconds: f64) -> Played {
        let args = vec![from.into(), seconds.into()];
        let played = self.driver.execute_async(PLAY, args).await.unwrap();
        let played: Played = played.convert().unwrap();
        assert_eq!(played.error, None, "from {from:?}: {played:?}");
        played
    }

    /// The same; it must have kept playing.
    async fn plays(&self, from: Option<f64>, seconds: f64) -> Played {
        let played = self.play(from, seconds).await;
        // There is more than the picture that is shown.
        assert!(played.ready_state >= 3, "from {from:?}: {played:?}");
        assert!(!played.paused && !played.ended, "from {from:?}: {played:?}");
        assert!(played.pictures > 5, "from {from:?}: {played:?}");
        played
    }
}

/// A viewer who seeks to several places in the film.
async fn watch(place: &Place, name: &str) {
    let browser = Browser::open(&place.ours.page).await;
    let played = browser.plays(None, 3.0).await;
    assert!(
        (played.duration - f64::from(SECONDS)).abs() < 1.0,
        "{played:?}"
    );
    let sent = place.seeder.counts().sent;
    assert!(sent < place.payload_len(), "nothing is left to arrive");
    for from in [90.0, 92.0, 150.0, 85.0, 20.0] {
        let played = browser.plays(Some(from), 2.0).await;
        assert!(played.at >= from + 2.0, "{played:?}");
    }
    // By then the buffer has filled again.
    browser.plays(None, 6.0).await;
    browser.screenshot(&format!("{name}.png")).await;
    let end = browser.play(Some(f64::from(SECONDS) - 3.0), 10.0).await;
    assert!(end.ended, "{end:?}");
    let start = browser.plays(Some(0.0), 2.0).await;
    assert!(start.at < 10.0, "{start:?}");
    browser.driver.quit().await.unwrap();
}

fn is_watched(film: Film, name: &str) {
    if !enabled() {
        return;
    }
    let place = Place::new(&film.path(), FILM);
    // Two Chromiums would take each other's time, which a film does not wait for.
    let _alone = WATCHED.lock();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let watched = async { tokio::time::timeout(WATCHING, watch(&place, name)).await };
    runtime.block_on(watched).expect("Chromium hangs");
}

/// Watching takes about 20 seconds.
const WATCHING: Duration = Duration::from_secs(300);
static WATCHED: Mutex<()> = Mutex::new(());

#[test]
fn chromium_plays_a_film_whose_index_is_first() {
    is_watched(Film::IndexFirst, "index-first");
}

#[test]
fn chromium_plays_a_film_whose_index_is_last() {
    is_watched(Film::IndexLast, "index-last");
}

#[test]
fn chromium_plays_a_webm_film() {
    is_watched(Film::Webm, "webm");
}
