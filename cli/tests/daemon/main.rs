//! `tailwater daemon`, as a program and as a person meets it: the real binary, driven over HTTP and by `tailwater ctl`.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod bad_input;
mod choice;
#[path = "../stream/chromium.rs"]
mod chromium;
mod ctl;
#[allow(dead_code, reason = "the tests of other APIs use the rest of it")]
mod daemon;
mod examples;
#[path = "../stream/film.rs"]
#[allow(dead_code, reason = "the stream tests use the rest of it")]
mod film;
mod http;
mod limits;
mod load;
mod login;
#[cfg(target_os = "linux")]
mod moves;
mod page;
mod pause;
#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/seeder.rs"]
mod seeder;
#[cfg(unix)]
mod service;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
mod tls;
mod torrents;
mod v2;
