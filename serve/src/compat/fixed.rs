//! What clients are told of the daemon that cannot change while it runs.

use std::path::PathBuf;

/// What a client is told of the daemon that cannot change while it runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fixed {
    /// The folder of the daemon's state.
    pub state_dir: PathBuf,
    /// The DHT is used.
    pub dht: bool,
    /// Peers are looked for on the local network.
    pub local_discovery: bool,
    /// The gateway is asked to map the port.
    pub port_mapping: bool,
    /// Peers are connected to over uTP too.
    pub utp: bool,
    /// Peers are connected to over TCP too.
    pub tcp: bool,
    /// How connections are encrypted, as Transmission calls it: `required`, `preferred` or `tolerated`.
    pub encryption: String,
}
