//! The configuration of the server.

use std::net::SocketAddr;
use std::time::Duration;

use tailwater_types::address::AddressShare;

/// The configuration of a [`Server`](super::Server): where it listens, and its limits. [`Default`] gives the values
/// named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where to listen for HTTP; port 0 takes a free one. Default: nowhere.
    pub http: Option<SocketAddr>,
    /// Where to listen for UDP; port 0 takes a free one. Default: nowhere.
    pub udp: Option<SocketAddr>,
    /// When peers are to announce again. One that is silent for twice as long is forgotten.
    /// Default: 30 min.
    pub interval: Duration,
    /// The least time between announces that peers are told over HTTP. Default: 60 s.
    pub min_interval: Duration,
    /// The limits of the swarms.
    pub limits: SwarmLimits,
    /// How many HTTP connections may be open at once. A further one takes the place of the one
    /// that has been silent for longest, of the address that has the most. Default: 512.
    pub max_connections: usize,
    /// How many of them one address may have; a further one takes the place of one of its own.
    /// Default: 16, and 256 for an address of this host or its networks.
    pub connections_per_address: AddressShare,
    /// Whether `/` and `/stats` list the torrents by info-hash, the first 1000 of them. Default: no,
    /// only how many there are.
    pub list_torrents: bool,
    /// The longest time from an HTTP connection's start or its last answer to the next whole
    /// request, after which it is closed. Default: 10 s.
    pub request_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            http: None,
            udp: None,
            interval: Duration::from_secs(30 * 60),
            min_interval: Duration::from_secs(60),
            limits: SwarmLimits::default(),
            max_connections: 512,
            connections_per_address: AddressShare {
                global: 16,
                local: 256,
            },
            list_torrents: false,
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// Bounds of the server's memory: about 300 bytes a peer and 300 a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwarmLimits {
    /// How many torrents have peers at once; an announce of a further one is refused.
    /// Default: 10 000.
    pub max_torrents: usize,
    /// How many peers one torrent has in each address family; a further one is answered but
    /// not remembered. Default: 5000.
    pub max_peers_per_torrent: usize,
    /// How many peers there are in all; a further one is answered but not remembered.
    /// Default: 200 000.
    pub max_peers: usize,
    /// How many of a torrent's peers in an address family one address may be; a further one is
    /// answered but not remembered. Default: 32, and 256 for an address of this host or its
    /// networks.
    pub torrent_peers_per_address: AddressShare,
    /// The same for the peers of all torrents, and so for the torrents that it can fill the
    /// server with. Default: 1000 (a seedbox's torrents), and 5000.
    pub peers_per_address: AddressShare,
    /// The most peers in one answer, whatever the request wants. Default: 200.
    pub max_answer: usize,
    /// The number of peers in an answer to a request that names none. Default: 50.
    pub default_answer: usize,
}

impl Default for SwarmLimits {
    fn default() -> Self {
        Self {
            max_torrents: 10_000,
            max_peers_per_torrent: 5000,
            max_peers: 200_000,
            torrent_peers_per_address: AddressShare {
                global: 32,
                local: 256,
            },
            peers_per_address: AddressShare {
                global: 1000,
                local: 5000,
            },
            max_answer: 200,
            default_answer: 50,
        }
    }
}

impl SwarmLimits {
    /// The most peers in an answer to a request that wants `num_want`.
    pub(super) fn answer_len(&self, num_want: Option<u32>) -> usize {
        let wanted = num_want.map(|wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        wanted.unwrap_or(self.default_answer).min(self.max_answer)
    }
}
