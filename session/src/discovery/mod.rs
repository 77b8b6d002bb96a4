//! How peers are found, besides the trackers: what the sources are told, and the machines of those that need one.

pub(crate) mod local;
mod options;

pub use options::DhtOptions;
