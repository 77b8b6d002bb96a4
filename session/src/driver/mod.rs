//! The tasks: sockets, clocks and threads around the state machines.
//!
//! ```text
//! accept ─┐                       ┌─ announce (one for each torrent)
//!         ├─▶ torrent (one each) ◀┼─ discovery: DHT, local network
//! dial  ──┘       ▲  │            └─ storage: completions
//!           facts │  ▼ commands
//!               peer (one for each connection) ──▶ storage: blocks
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "drivers own the clock and the sockets; the machines get the time as an argument"
)]

pub(crate) mod accept;
pub(crate) mod announce;
pub(crate) mod discovery;
pub(crate) mod handshake;
pub(crate) mod lifecycle;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod metadata;
pub(crate) mod peer;
pub(crate) mod peer_limits;
pub(crate) mod permits;
pub(crate) mod rate_limiter;
pub(crate) mod registry;
mod saver;
pub(crate) mod swarm;
pub(crate) mod torrent;
pub(crate) mod totals;
pub(crate) mod upkeep;
