//! What all listeners have in common that speak an API of another program, such as Transmission's: connections, TLS, the check of
//! `Host`, passwords, foreign web pages, bodies, the end.
//!
//! | file | knows |
//! |---|---|
//! | `server` | the listener: connections, and what is done before and after a request is answered |
//! | `asker` | who sent a request, for handlers |
//! | `door` | who may ask: `Host`, pages of other origins, passwords and how often they may be wrong |
//! | `origin`, `cors` | the origins that the user allows (`--allow-origin`), and what their browsers are told |
//! | `basic` | names and passwords in HTTP headers |
//! | `body` | bodies: how long they may be, and how many of the long ones are in memory at once |
//! | `web` | the files of a web page, from a folder that the user names |
//! | `answer` | answers in words and in JSON |
//! | `fixed` | what clients are told of the daemon that cannot change while it runs |
//!
//! # To add an API
//!
//! 1. A folder in `serve/src` with a function `start(listener, control, config, …)` that calls `CompatServer::start` with its
//!    `Rules` and its routes. Everything below `Door::guard` needs a password where one is needed, and is told by an `Asker`
//!    who sent the request: what the password allows, where the client reaches us, its connection. What is not below it is
//!    open, as a login has to be.
//!    Handlers read bodies with `Door::body`, and ask `Asker::refused` before they change something.
//! 2. An option in `cli/src/args/compat.rs`, and an `Api` in a file of its own in `cli/src/commands/daemon`, which
//!    `listeners.rs` there lists. The address, the rule that strangers need a password, the configuration file and the lines at
//!    the start follow from that.
//! 3. It translates to and from [`Control`](crate::control::Control), and knows no type of the session.

mod answer;
mod asker;
mod basic;
mod body;
mod config;
mod cors;
mod door;
mod fixed;
mod origin;
mod server;
mod web;

pub(crate) use answer::{empty, json, text};
pub(crate) use asker::{Asker, read_only};
pub(crate) use basic::basic;
pub use config::CompatConfig;
pub(crate) use door::Door;
pub use fixed::Fixed;
pub use origin::{Origin, ParseOriginError};
pub use server::CompatServer;
pub(crate) use server::{ForeignPages, Rules};
pub(crate) use web::page;
