#![doc = include_str!("../README.md")]

mod content;
mod counts;
mod encrypted;
mod http;
mod pacer;
pub mod peer;
mod pump;
mod script;
mod silent;
pub mod tcp;
mod tracker;
pub mod udp;
mod utp;

pub use content::Content;
pub use counts::Counts;
pub use encrypted::HandshakeAttack;
pub use http::HttpClient;
pub use pacer::Pacer;
pub use peer::{Flood, Peer};
pub use pump::Pump;
pub use script::{DatagramScript, Script};
pub use silent::{HangUp, Silent};
/// The messages that attacks are made of.
pub use tailwater_wire as wire;
pub use tracker::Tracker;
pub use utp::DatagramAttack;
