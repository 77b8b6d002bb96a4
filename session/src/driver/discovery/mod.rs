//! Where peers come from, besides the trackers: one task a source.

pub(crate) mod dht;
pub(crate) mod follow;
pub(crate) mod local;
pub(crate) mod own_port;
pub(crate) mod search;
