//! The daemon's own HTTP API: REST and JSON under `/api/v1`, events, and range streaming under `/stream`.
//!
//! | file | knows |
//! |---|---|
//! | `server`, `routes` | how requests come in; what stands where |
//! | `access`, `login` | who may ask: `Host`, `Origin`, tokens; cookies of pages |
//! | `input`, `problem` | what requests hold, within limits; errors (RFC 9457) |
//! | `list`, `torrents`, `upload`, `inspect`, `parts` | torrents: lists, changes, adding, what is in one; files, peers, trackers |
//! | `labels` | what holds for the torrents of a label |
//! | `daemon`, `events` | settings, figures, tokens, health; changes as server-sent events |
//! | `graphs` | pieces, and rates in the past |
//! | `stream` | the files of torrents |
//! | `metrics` | figures for Prometheus |
//! | `page` | the pages at `/`: the files of `pages/` |
//! | `openapi` | the description of all of it |

mod access;
mod daemon;
mod events;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod graphs;
mod input;
mod inspect;
mod labels;
mod list;
mod login;
mod metrics;
mod openapi;
mod page;
mod parts;
mod problem;
mod routes;
mod server;
mod stream;
mod torrents;
mod upload;

pub use list::FIELDS;
pub use openapi::document;
pub use problem::Problem;
pub use server::{ApiConfig, ApiServer, limits};
