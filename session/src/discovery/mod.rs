//! The options and state machines of peer discovery, besides the trackers.

mod options;

pub use options::DhtOptions;
pub(crate) use tailwater_engine::local_discovery as local;
