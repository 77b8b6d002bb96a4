//! What is streamed stays within the budget of memory, and many who ask hold up no one.

use std::thread;

use serde_json::json;

use crate::http::Kept;
use crate::server::{TorrServer, encoded, hash_of, magnet};
use crate::support::{Place, noise};

/// Clients that ask as often as they can.
const POLLERS: usize = 200;

#[test]
fn a_film_larger_than_the_budget_is_streamed_from_memory() {
    const LEN: usize = 60_000_000;
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, LEN));
    let torrent = place.create("here/film.mkv", &["--piece-length", "256KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let server = TorrServer::start(&place, &["--memory", "16MiB"]);
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    let before = server.daemon.memory();
    let film = server.get(&format!(
        "/stream/film.mkv?link={}&play&preload",
        encoded(&link)
    ));
    assert!(film.body == noise(1, LEN));
    let cache = server.ask("/cache", &json!({"action": "get", "hash": hash}));
    assert!(
        cache["Filled"].as_u64() <= Some(16 << 20),
        "{}",
        cache["Filled"]
    );
    let more = server.daemon.memory().saturating_sub(before);
    // The budget, and what all that takes besides.
    assert!(more < 48 << 20, "{more} bytes");
    assert!(!place.path("data/film.mkv").exists());
    server.daemon.stop();
}

#[test]
fn two_hundred_who_ask_all_the_time_hold_up_no_film() {
    const LEN: usize = 20_000_000;
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, LEN));
    let torrent = place.create("here/film.mkv", &["--piece-length", "256KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let server = TorrServer::start(&place, &["--memory", "32MiB"]);
    let link = magnet(&place, &torrent, &peer);
    let hash = hash_of(&link);
    server.ask("/torrents", &json!({"action": "add", "link": link}));
    server.until(&hash, |it| it["stat"] == 3);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let asked: usize = thread::scope(|scope| {
        let ask = |target: &'static str, body: String| {
            let (addr, is_over) = (server.addr.as_str(), &is_over);
            scope.spawn(move || {
                let mut client = Kept::open(addr);
                let mut asked = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(client.send("POST", target, &body).status, 200);
                    asked += 1;
                }
                asked
            })
        };
        let pollers: Vec<_> = (0..POLLERS)
            .map(|at| match at % 3 {
                0 => ask("/torrents", json!({"action": "list"}).to_string()),
                1 => ask(
                    "/torrents",
                    json!({"action": "get", "hash": hash}).to_string(),
                ),
                _ => ask("/cache", json!({"action": "get", "hash": hash}).to_string()),
            })
            .collect();
        let film = server.get(&format!("/stream/film.mkv?link={hash}&play"));
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(film.body == noise(1, LEN));
        pollers
            .into_iter()
            .map(|poller| poller.join().unwrap())
            .sum()
    });
    assert!(asked >= POLLERS, "{asked}");
    let memory = server.daemon.memory();
    assert!(memory < 300 << 20, "{memory} bytes");
    server.daemon.stop();
}
