//! qBittorrent's Web API v2, for the programs that speak it: Sonarr and its kin, VueTorrent, scripts. It translates to and from
//! [`control`](crate::control), and adds nothing to what the daemon can do.
//!
//! | file | knows |
//! |---|---|
//! | `server`, `access` | how requests come in; who may ask: logins and their cookies |
//! | `params`, `failure` | what a request asks for, why it is refused |
//! | `calls` | what each call does |
//! | `torrent` | what is said of a torrent |
//! | `categories` | categories and tags, which are labels of the daemon |
//! | `sync` | `sync/maindata` and its differences |
//!
//! The facts are those of the API as version 5.1.4 of the original has it (2.11.4), and of what Debian's qbittorrent-nox
//! answers. `docs/qbittorrent.md` says of each call how far it goes.

mod access;
mod calls;
mod categories;
mod failure;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod params;
mod server;
mod sync;
mod torrent;

pub use calls::{CALLS, CHANGEABLE, PREFERENCES};
pub use server::{QBittorrentOptions, start};
pub use torrent::FIELDS;
