//! Transmission's RPC, for the programs that speak it: remotes, Sonarr and its kin, scripts. It translates to and from
//! [`control`](crate::control), and adds nothing to what the daemon can do.
//!
//! | file | knows |
//! |---|---|
//! | `server`, `access` | how requests come in; the id of the session. The rest of what all such listeners need is [`compat`](crate::compat) |
//! | `web`, `blocklist` | the files of its web page; lists of addresses, which are those of the command line |
//! | `dialects` | the two forms of a request and its answer, and the names of keys in each |
//! | `params`, `failure`, `ids` | what a request asks for, why it is refused, which torrents it means |
//! | `methods` | what each method does |
//! | `fields` | what is said of a torrent |
//! | `remembered`, `recent`, `at_rest` | numbers of limits that do not hold; what changed in the last minute; files of paused torrents |
//!
//! The facts are those of Transmission's own description of it (`docs/rpc-spec.md`, version 6.0.0 of the protocol), and of
//! what Debian's transmission-daemon answers. `docs/transmission.md` says of each method and field how far it goes.

mod access;
mod at_rest;
mod blocklist;
mod dialects;
mod failure;
mod fields;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod ids;
mod methods;
mod params;
mod recent;
mod remembered;
mod server;
mod web;

pub use blocklist::Blocklist;
pub use fields::FIELDS;
pub use methods::{METHODS, SESSION_FIELDS};
pub use server::{TransmissionOptions, start};
