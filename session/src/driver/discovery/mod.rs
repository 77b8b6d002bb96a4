//! The sources of peers besides the trackers: the DHT and the local network, one task for each.

#[cfg_attr(not(feature = "dht"), path = "no_dht.rs")]
pub(crate) mod dht;
#[cfg(feature = "dht")]
pub(crate) mod follow;
pub(crate) mod local;
#[cfg_attr(not(feature = "port-mapping"), path = "no_nat.rs")]
pub(crate) mod nat;
pub(crate) mod own_port;
#[cfg_attr(not(feature = "dht"), path = "no_search.rs")]
pub(crate) mod search;
