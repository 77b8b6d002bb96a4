//! Many clients poll as *arr do while something downloads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::api::{Api, hash};
use crate::http::Kept;
use crate::support::{Place, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(180);
/// As many clients as poll at once.
const CLIENTS: usize = 200;

#[test]
fn two_hundred_clients_that_poll_are_all_answered() {
    let place = Place::new();
    let names: Vec<String> = (0..20).map(|n| format!("here/{n}")).collect();
    let api = Api::start(&place, &[]);
    for (seed, name) in (0..).zip(&names) {
        place.write(name, &noise(seed, 20_000));
        api.add(&place, &place.create(name, &[]), &[("category", "tv")]);
    }
    let (is_over, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (addr, is_over, answers) = (&api.addr, &is_over, &answers);
            scope.spawn(move || {
                let call = ["torrents/info", "sync/maindata", "app/preferences"][number % 3];
                let path = format!("/api/v2/{call}?category=tv");
                let mut client = Kept::open(addr);
                while !is_over.load(Ordering::Relaxed) {
                    let answer = client.send("GET", &path, "");
                    assert_eq!(answer.status, 200, "{call}: {answer:?}");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Each of them has been answered several times.
        while answers.load(Ordering::Relaxed) < 5 * CLIENTS as u64 {
            assert!(begun.elapsed() < HANGS_AFTER, "{answers:?} answers");
            std::thread::yield_now();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let memory = api.daemon.memory();
    assert!(memory < 400 << 20, "{memory} bytes");
    let first = hash(&place, &format!("{}.torrent", names[0]));
    assert_eq!(api.torrent(&first)["category"], "tv");
    api.daemon.stop();
}
