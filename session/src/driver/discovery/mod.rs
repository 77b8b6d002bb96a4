//! The sources of peers besides the trackers: the DHT and the local network, one task for each.

pub(crate) mod dht;
pub(crate) mod follow;
pub(crate) mod local;
pub(crate) mod own_port;
pub(crate) mod search;
