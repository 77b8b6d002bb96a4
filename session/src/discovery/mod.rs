//! The options and state machines of peer discovery, besides the trackers.

#[cfg(feature = "dht")]
mod options;

#[cfg(feature = "dht")]
pub use options::DhtOptions;
pub(crate) use tailwater_engine::local_discovery as local;
