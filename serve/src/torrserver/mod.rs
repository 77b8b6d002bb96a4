//! TorrServer's API, for the programs that speak it: Lampa, Kodi, scripts of mpv. It translates to and from
//! [`control`](crate::control) and [`on_demand`](crate::on_demand): torrents that come in here are streamed from memory.
//!
//! | file | knows |
//! |---|---|
//! | `server`, `secret` | how requests come in; a password in the path |
//! | `body`, `query`, `link`, `torrs_hash`, `base62` | what requests mean: pure |
//! | `refused`, `answer` | why a request is not done; small answers |
//! | `torrents`, `upload` | torrents are listed, added, changed and let go |
//! | `status`, `texts`, `files` | what is said of a torrent; what clients keep with it; numbers of its files |
//! | `stream`, `preload`, `playlist` | a file is preloaded and played |
//! | `cache`, `settings`, `viewed`, `download` | what is held; settings; what was played; zeros to measure a network by |
//!
//! The facts are those of its source, version MatriX.143. `docs/torrserver.md` says of each call how far it goes.

mod answer;
mod base62;
mod body;
mod cache;
mod download;
mod files;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod link;
mod playlist;
mod preload;
mod query;
mod refused;
mod secret;
mod server;
mod settings;
mod status;
mod stream;
mod texts;
mod torrents;
mod torrs_hash;
mod upload;
mod viewed;

pub use server::start;
pub use settings::Fixed;
