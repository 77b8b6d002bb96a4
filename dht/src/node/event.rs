//! The outputs of a node: datagrams to send, events, reports.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tailwater_types::InfoHash;

use super::Family;
use crate::{ErrorReply, Item, NodeId, NodeInfo};

/// Identifies a command that was given to a node; its events refer to it. Never used twice by one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
// Not `#[non_exhaustive]`: a datagram has these two.
pub struct Transmit {
    /// The receiver.
    pub to: SocketAddr,
    /// The bytes of the datagram.
    pub payload: Vec<u8>,
}

/// Something that happened to a node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Peers of a torrent that this request has not brought before.
    Peers {
        /// `get_peers`, `announce` or `scrape`.
        request: RequestId,
        /// The node that knows them. If that is this one, it has its own id and no address (`0.0.0.0:0` or `[::]:0`).
        from: NodeInfo,
        /// Never empty. They have a port, and are not of a local network unless the node is.
        peers: Vec<SocketAddr>,
    },
    /// An item, with a valid hash or signature, newer than what this request has brought before.
    Item {
        /// `get` or `put`.
        request: RequestId,
        /// The item.
        item: Item,
    },
    /// Torrents that a node has peers of (BEP 51).
    Samples {
        /// `sample`.
        request: RequestId,
        /// The node.
        from: NodeInfo,
        /// Some of them.
        info_hashes: Vec<InfoHash>,
        /// How many it has.
        stored: i64,
        /// When it is worth while to ask it again.
        interval: Duration,
    },
    /// A node has answered a ping.
    Pong {
        /// `ping`.
        request: RequestId,
        /// The node.
        node: NodeInfo,
        /// How long it took.
        rtt: Duration,
    },
    /// A node has stored what it was asked to.
    Stored {
        /// `announce` or `put`.
        request: RequestId,
        /// The node.
        node: NodeInfo,
    },
    /// The last event of a request.
    Finished {
        /// Any.
        request: RequestId,
        /// The outcome.
        report: Box<Report>,
    },
    /// The node has looked for its neighbours, and knows some.
    Bootstrapped {
        /// In which network.
        family: Family,
        /// How many nodes it knows.
        nodes: usize,
    },
    /// Others agree on where they see the node (BEP 42).
    ExternalIp {
        /// The external address.
        ip: IpAddr,
    },
    /// The node has a new id, one that its address may have (BEP 42).
    NewId {
        /// In which network.
        family: Family,
        /// The id.
        id: NodeId,
    },
}

/// The outcome of a request, over both families.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Why it ended.
    pub ending: Ending,
    /// How many nodes were asked. Those that were asked to store are among them.
    pub asked: u32,
    /// How many of them answered.
    pub answered: u32,
    /// How many nodes were asked to store, which took one more question each.
    pub asked_to_store: u32,
    /// How many nodes have stored.
    pub stored: u32,
    /// How many nodes named one another before the first that had what was asked for, or else before the nearest: 1 for one
    /// that was known at the beginning.
    pub hops: u8,
    /// How long it took.
    pub elapsed: Duration,
    /// The nearest nodes that have answered, nearest first, of each family.
    pub closest: Vec<NodeInfo>,
    /// The last refusal to store.
    pub refusal: Option<ErrorReply>,
    /// How many there are (BEP 33); of `scrape` only.
    pub scrape: Option<Scrape>,
}

/// How large a swarm is, estimated (BEP 33).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
// Not `#[non_exhaustive]`: BEP 33 has these two.
pub struct Scrape {
    /// Addresses that have all of it.
    pub seeds: f64,
    /// The others.
    pub peers: f64,
}

/// Why a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The nearest nodes have been asked.
    #[default]
    Complete,
    /// No node could be asked: none was known and none became known.
    NoNodes,
    /// [`MAX_LOOKUPS`](crate::MAX_LOOKUPS) are under way.
    Busy,
}
