//! How peers are found, besides the trackers: what the sources are told, and the machines of those that need one.

mod options;

pub use options::DhtOptions;
pub(crate) use tailwater_engine::local_discovery as local;
