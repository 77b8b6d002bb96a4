#![doc = include_str!("../README.md")]

mod agenda;
mod digest;
mod event;
mod host;
mod link;
mod network;
mod stream;
mod timer;

pub use event::{ConnId, Event, HostId};
pub use link::Link;
pub use network::Network;
