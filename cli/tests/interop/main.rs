//! Transfers between `tailwater` and the clients that people use, each checked by the hashes of the files that arrive,
//! and what `tailwater` does about peers that break the rules.
//!
//! They run when `TAILWATER_INTEROP=1` is set and the clients are there (`scripts/install-clients.sh`); a client that is
//! missing is then a failure. Otherwise each test says that it is skipped.

#![allow(
    clippy::unwrap_used,
    reason = "a step that fails is the test's failure"
)]

mod aria2;
mod bad_leeches;
mod bad_seeds;
mod bench;
mod client;
mod creation;
mod dht;
mod dht_items;
mod dht_nodes;
mod discovery;
mod discovery_lab;
mod encryption;
mod hybrids;
mod interfaces;
mod libtorrent;
mod magnets;
mod nat;
mod nat_lab;
mod nginx;
mod odd_names;
mod ours;
mod pairs;
mod payload;
mod place;
mod process;
mod proxies;
mod reachable;
mod rtorrent;
mod scripted;
mod super_seeding;
mod swarm;
mod torrent_files;
mod transmission;
mod utp;
mod v2;
mod web_seeds;

/// Whether the tests are to run; says so if not.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}
