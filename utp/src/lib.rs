#![doc = include_str!("../README.md")]

mod config;
mod congestion;
mod connection;
#[cfg(feature = "tokio")]
pub mod driver;
mod endpoint;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod limits;
mod packet;
mod seq;
#[cfg(feature = "sim")]
pub mod sim;

pub use config::{Config, ConfigError};
pub use congestion::{
    Ack, Congestion, Controller, ControllerFactory, Cubic, Ledbat, LedbatPlusPlus, Loss,
};
pub use connection::{CloseReason, Stats, Transmit};
pub use endpoint::{ConnectError, ConnectionKey, Endpoint, Event, StreamError};
pub use packet::{DecodeError, HEADER_LEN, Header, Kind, Packet, SelectiveAck};
