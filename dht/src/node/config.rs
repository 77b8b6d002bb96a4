//! The configuration of a node, and its limits.

use std::net::{IpAddr, SocketAddr};

use tailwater_types::address::AddressShare;

use crate::{ClientVersion, NodeId, NodeInfo, SavedTable};

/// One of the two networks that a node can be in (BEP 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Not `#[non_exhaustive]`: there are two families.
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }
}

/// Limits on what others may cost a node: rates of answers, and how much it stores. The defaults suit a client at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeLimits {
    /// Queries a second that are answered of one address (IPv4, or IPv6 /64; of a local network, address and port). Twice as
    /// many at once. Default 20.
    pub queries_per_address: u32,
    /// Queries a second that are answered in all. Twice as many at once. Default 2000.
    pub queries: u32,
    /// Bytes a second of answers that are several times as long as their question, to one address that has not shown that
    /// it receives what is sent to it. Four times as many at once. Others get answers of their question's order of size.
    /// Default 2048.
    pub unproven_bytes_per_address: u32,
    /// The same to all such addresses. Default 65 536.
    pub unproven_bytes: u32,
    /// Addresses whose use is remembered at a time. Default 4096; each costs about 100 bytes.
    pub addresses: usize,
    /// Torrents whose peers are stored, in each family. Beyond it the one announced longest ago goes. Default 2000.
    pub torrents: usize,
    /// Peers that are stored of one torrent, in each family. Beyond it the one announced longest ago goes. Default 500;
    /// each costs 64 bytes.
    pub peers_per_torrent: usize,
    /// Peers that are stored in all, in each family. Beyond it nothing new is stored. Default 20 000.
    pub peers: usize,
    /// Peers of one torrent that one address is, in each family; beyond it the one announced longest ago of that address
    /// goes. An address is an IPv4 one or an IPv6 /64; of IPv4 only those of a local network are several. Default 4, and 250 of a
    /// local network.
    pub torrent_peers_per_address: AddressShare,
    /// Peers of all torrents that one address is, in each family, and so how many torrents it can have here. Beyond it
    /// nothing new of that address is stored. Default 100, and 500 of a local network.
    pub peers_per_address: AddressShare,
    /// Items that are stored for one address. Beyond it nothing new of that address is stored. Default 50, and 250 of a local
    /// network.
    pub items_per_address: AddressShare,
    /// Items that are stored. Beyond it the one stored longest ago goes. Default 1000; each costs up to 1300 bytes.
    pub items: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            queries_per_address: 20,
            queries: 2000,
            unproven_bytes_per_address: 2048,
            unproven_bytes: 64 * 1024,
            addresses: 4096,
            torrents: 2000,
            peers_per_torrent: 500,
            peers: 20_000,
            torrent_peers_per_address: AddressShare {
                global: 4,
                local: 250,
            },
            peers_per_address: AddressShare {
                global: 100,
                local: 500,
            },
            items_per_address: AddressShare {
                global: 50,
                local: 250,
            },
            items: 1000,
        }
    }
}

/// The configuration of a [`Node`](crate::Node).
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) seed: [u8; 32],
    pub(super) families: [bool; 2],
    pub(super) ids: [Option<NodeId>; 2],
    pub(super) external: [Option<IpAddr>; 2],
    pub(super) nodes: Vec<NodeInfo>,
    pub(super) bootstrap: Vec<SocketAddr>,
    pub(super) is_read_only: bool,
    pub(super) version: Option<ClientVersion>,
    pub(super) limits: NodeLimits,
}

impl Config {
    /// A node of the IPv4 network that knows no other node.
    ///
    /// All its randomness comes from `seed`, the secrets of its tokens too: outside of tests it must be random and
    /// secret.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            families: [true, false],
            ids: [None; 2],
            external: [None; 2],
            nodes: Vec::new(),
            bootstrap: Vec::new(),
            is_read_only: false,
            version: ClientVersion::new(b"TW01").ok(),
            limits: NodeLimits::default(),
        }
    }

    /// Which networks it is in.
    #[must_use]
    pub const fn with_families(mut self, v4: bool, v6: bool) -> Self {
        self.families = [v4, v6];
        self
    }

    /// The id from an earlier run. It is replaced when others report an external address that it does not fit (BEP 42).
    #[must_use]
    pub const fn with_id(mut self, family: Family, id: NodeId) -> Self {
        self.ids[family.index()] = Some(id);
        self
    }

    /// The node's external address, where it is known for certain.
    #[must_use]
    pub const fn with_external_ip(mut self, ip: IpAddr) -> Self {
        let family = match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        self.external[family.index()] = Some(ip);
        self
    }

    /// Nodes from an earlier run: [`Node::saved_nodes`](crate::Node::saved_nodes). They are asked first.
    #[must_use]
    pub fn with_nodes(mut self, nodes: Vec<NodeInfo>) -> Self {
        self.nodes = nodes;
        self
    }

    /// The ids and nodes from an earlier run, in place of [`with_id`](Self::with_id) and
    /// [`with_nodes`](Self::with_nodes).
    #[must_use]
    pub fn with_saved(mut self, table: SavedTable) -> Self {
        self.ids = table.ids;
        self.nodes = table.nodes;
        self
    }

    /// Addresses of bootstrap nodes: asked while the node knows too few others.
    #[must_use]
    pub fn with_bootstrap(mut self, addrs: Vec<SocketAddr>) -> Self {
        self.bootstrap = addrs;
        self
    }

    /// Whether the node is read-only (BEP 43): it asks, and answers no queries.
    #[must_use]
    pub const fn with_read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }

    /// The client version that it sends in each message.
    #[must_use]
    pub const fn with_version(mut self, version: Option<ClientVersion>) -> Self {
        self.version = version;
        self
    }

    /// The limits on what others may cost it.
    #[must_use]
    pub const fn with_limits(mut self, limits: NodeLimits) -> Self {
        self.limits = limits;
        self
    }
}
