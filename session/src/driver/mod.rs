//! The tasks: sockets, clocks and threads around the state machines.
//!
//! ```text
//! accept ─┐                       ┌─ announce (one for each torrent)
//!         ├─▶ torrent (one each) ◀┼─ discovery: DHT, local network
//! dial   ─┘       ▲  │            └─ storage: completions
//!           facts │  ▼ commands
//!               peer (one for each connection) ──▶ storage: blocks
//! ```
//!
//! | what | where |
//! |---|---|
//! | a connection's bytes, the outbox, back-pressure | `peer/` |
//! | a web seed's requests and answers | `web_seed/` |
//! | a torrent's task, which owns its engine | `torrent/`, `lifecycle.rs` |
//! | incoming connections, handshakes | `accept/`, `handshake.rs` |
//! | dialling and its timeout, sockets | `transport/` beside this folder |
//! | the network interface that sockets are bound to | `interface.rs`; `transport/uplink.rs` |
//! | the limit of connections, the rate of dials | `permits/` |
//! | upload and download rate limits | `rate_limiter.rs`, `rate_limits.rs` |
//! | sources of peers: trackers; DHT, local network | `announce/`; `discovery/` |
//! | metadata of a magnet link | `metadata/` |
//! | which torrent an incoming handshake names | `registry.rs` |
//! | what tasks say to a torrent, to a connection | `message.rs`, `mailbox.rs` |
#![expect(
    clippy::disallowed_methods,
    reason = "drivers own the clock and the sockets; the machines get the time as an argument"
)]

pub(crate) mod accept;
pub(crate) mod announce;
pub(crate) mod discovery;
pub(crate) mod handle;
pub(crate) mod handshake;
pub(crate) mod interface;
pub(crate) mod lifecycle;
pub(crate) mod message;
pub(crate) mod metadata;
pub(crate) mod peer;
pub(crate) mod peer_limits;
pub(crate) mod permits;
pub(crate) mod rate_limiter;
pub(crate) mod rate_limits;
pub(crate) mod registry;
pub(crate) mod removal;
mod saver;
pub(crate) mod swarm;
pub(crate) mod torrent;
pub(crate) mod totals;
pub(crate) mod upkeep;
pub(crate) mod web_seed;
