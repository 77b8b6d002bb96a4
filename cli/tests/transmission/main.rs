//! `tailwater daemon --transmission`, as the programs meet it that speak Transmission's RPC.
//!
//! Tests with such programs run when `TAILWATER_INTEROP=1` is set and the programs are there
//! (`scripts/install-clients.sh`); one that is missing is then a failure. Otherwise each of them says that it is skipped.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bad_input;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/chromium.rs"]
mod chromium;
mod connections;
mod cors;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/daemon.rs"]
mod daemon;
mod dialects;
mod gtk;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/http.rs"]
mod http;
mod keys;
mod methods;
mod names;
mod oracle;
#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;
mod python;
mod remote;
mod remotes;
mod rpc;
mod rustmission;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/seeder.rs"]
mod seeder;
mod sonarr;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tewi;
#[allow(dead_code, reason = "the tests of `tailwater top` use the rest of it")]
#[path = "../top/tmux.rs"]
mod tmux;
mod web;

/// Whether the tests with programs of others are to run; says so if not.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}
