//! The calls of rqbit's API that Sonarr's own client for it makes, and those of the same kind beside them: list, add, pause, start,
//! choose files, remove. It translates to and from [`control`](crate::control).
//!
//! | file | knows |
//! |---|---|
//! | `server` | routes, and what is done |
//! | `query`, `fuzz` | what a request asks for |
//! | `answers` | what is said of torrents |
//!
//! The facts are those of rqbit's and Sonarr's own sources; `docs/rqbit.md` says of each call how far it goes.

mod answers;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod query;
mod server;

pub use server::{CALLS, start};
