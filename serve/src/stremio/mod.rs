//! The playback routes of Stremio's streaming server, for its clients. It translates to and from
//! [`control`](crate::control) and [`on_demand`](crate::on_demand): torrents that come in here are streamed from memory.
//!
//! | file | knows |
//! |---|---|
//! | `server` | how requests come in, and what they are answered with |
//! | `create`, `route` | what requests mean: pure |
//! | `guess` | which file is meant: the episode, or the largest film: pure |
//! | `stats`, `settings` | what is said of a torrent, and of the server, in the shapes that clients parse |
//! | `opensub` | the hash by which OpenSubtitles knows a file |
//!
//! The facts are those of the clients' sources: `stremio-video` and `stremio-core`. `docs/stremio.md` says of each call how far
//! it goes.

mod create;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod guess;
mod opensub;
mod route;
mod server;
mod settings;
mod stats;

pub use server::start;
