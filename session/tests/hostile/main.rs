//! What hostile peers can do to a session, with the kit of `tailwater-hostile`.
//!
//! `simulated` drives the machines over a simulated network; `loopback` a whole session over TCP.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

#[path = "../sim/mod.rs"]
mod sim;

mod loopback;
mod simulated;
