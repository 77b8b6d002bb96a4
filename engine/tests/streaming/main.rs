//! Streaming on a simulated network: whole swarms with players, the real memory storage and small budgets.
//!
//! After every event the machines' invariants are checked, the budget is compared with what is used, and every byte
//! that a player reads with the payload; every request must have reserved room.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod budget;
mod peers;
mod scene;
#[path = "../sim/mod.rs"]
mod sim;
mod speed;
mod storage;
