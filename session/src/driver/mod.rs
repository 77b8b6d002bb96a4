//! The tasks: sockets, clocks and threads around the state machines.
//!
//! ```text
//! listen ─┐                       ┌─ announce (one for each torrent)
//!         ├─▶ torrent (one each) ◀┼─ discovery: DHT, local network
//! dial  ──┘       ▲  │            └─ storage: completions
//!           facts │  ▼ commands
//!               peer (one for each connection) ──▶ storage: blocks
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "drivers own the clock and the sockets; the machines get the time as an argument"
)]

pub(crate) mod announce;
pub(crate) mod buffers;
pub(crate) mod dial;
pub(crate) mod discovery;
mod handshakes;
pub(crate) mod lifecycle;
pub(crate) mod listen;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod metadata;
mod opening;
mod outbox;
pub(crate) mod peer;
pub(crate) mod permits;
pub(crate) mod rate_limiter;
pub(crate) mod registry;
mod saver;
pub(crate) mod torrent;
