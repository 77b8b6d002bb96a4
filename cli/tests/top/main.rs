//! `tailwater top`, as a person meets it: in a terminal of tmux, with a real daemon.
//!
//! They run when `TAILWATER_INTEROP=1` is set and tmux is there (`scripts/install-clients.sh`).
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[allow(dead_code, reason = "the daemon's own tests use the rest of it")]
#[path = "../daemon/daemon.rs"]
mod daemon;
mod ends;
#[allow(dead_code, reason = "the daemon's own tests use the rest of it")]
#[path = "../daemon/http.rs"]
mod http;
mod keys;
mod link;
mod own;
#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;
mod screens;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/seeder.rs"]
mod seeder;
#[path = "../support/mod.rs"]
mod support;
mod tmux;

/// Whether these tests were asked for.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}
