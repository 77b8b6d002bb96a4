//! `tailwater daemon --qbittorrent`, as the programs meet it that speak qBittorrent's Web API.
//!
//! Tests with such programs run when `TAILWATER_INTEROP=1` is set and the programs are there
//! (`scripts/install-clients.sh`); one that is missing is then a failure. Otherwise each of them says that it is skipped.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod api;
mod bad_input;
mod bans;
mod clients;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/daemon.rs"]
mod daemon;
mod figures;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/http.rs"]
mod http;
mod load;
mod oracle;
#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/seeder.rs"]
mod seeder;
mod sonarr;
#[path = "../support/mod.rs"]
mod support;
mod sync;
mod table;
mod vuetorrent;
mod web;
mod web_seeds;

/// Whether the tests with programs of others are to run; says so if not.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}
