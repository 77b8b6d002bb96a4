//! `tailwater stream` before programs of others: ffprobe and ffmpeg read a film out of it while it arrives,
//! Chromium plays it from the index page, and curl's requests are answered as nginx answers them.
//!
//! They run when `TAILWATER_INTEROP=1` is set and the programs are there (`scripts/install-clients.sh`); one that is
//! missing is then a failure. Otherwise each test says that it is skipped.

#![allow(
    clippy::unwrap_used,
    reason = "a step that fails is the test's failure"
)]

mod answers;
mod browser;
mod chromium;
mod film;
mod memory;
mod nginx;
mod page;
mod place;
mod players;
mod ranges;
mod seeder;
mod streaming;

#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;

/// Whether the tests are to run; says so if not.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}
