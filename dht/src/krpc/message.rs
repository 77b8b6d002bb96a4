//! The messages of KRPC: queries, responses and errors, decoded.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use tailwater_types::InfoHash;

use crate::short::{ClientVersion, MethodName, Token, TransactionId};
use crate::{BloomFilter, Item, ItemValue, NodeId, NodeInfo, PublicKey, Signature};

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// `t`: chosen by the asking node, echoed by the answering one.
    pub transaction_id: TransactionId,
    /// `v`: the sender's software.
    pub version: Option<ClientVersion>,
    /// `ip`: where the sender of an answer saw the question come from (BEP 42). A single node's claim, not to be
    /// trusted alone.
    pub external_addr: Option<SocketAddr>,
    /// `y` and what belongs to it.
    pub body: Body,
}

/// The three types of message.
// Not `#[non_exhaustive]`: BEP 5 has three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `q`
    Query(Query),
    /// `r`
    Response(Response),
    /// `e`
    Error(ErrorReply),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// The asking node.
    pub id: NodeId,
    /// `ro`: the sender answers no queries and must not enter a routing table (BEP 43).
    pub read_only: bool,
    /// The method and its arguments.
    pub method: Method,
}

/// The method of a [`Query`], with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `ping`
    Ping,
    /// `find_node`
    FindNode {
        /// The id whose nearest nodes are wanted.
        target: NodeId,
        /// The address families of the nodes.
        want: Want,
    },
    /// `get_peers`
    GetPeers {
        /// The torrent whose peers are wanted.
        info_hash: InfoHash,
        /// The address families of the nodes, if the answer has any.
        want: Want,
        /// `noseed`: peers that are not seeds are preferred (BEP 33).
        no_seed: bool,
        /// The answer should have [`ScrapeFilters`] (BEP 33).
        scrape: bool,
    },
    /// `announce_peer`
    AnnouncePeer {
        /// The torrent.
        info_hash: InfoHash,
        /// Where the announced peer listens, at the sender's address. Not 0 unless `implied_port`.
        port: u16,
        /// The peer listens on the port that this datagram comes from; `port` is for nodes that do not know this flag.
        implied_port: bool,
        /// The peer has the whole torrent (BEP 33).
        seed: bool,
        /// From the asked node's answer to `get_peers`.
        token: Token,
    },
    /// `get` (BEP 44)
    Get {
        /// The id under which the item is stored.
        target: NodeId,
        /// Only a mutable item with a higher sequence number is wanted.
        seq: Option<i64>,
        /// The address families of the nodes.
        want: Want,
    },
    /// `put` (BEP 44)
    Put(Box<Put>),
    /// `sample_infohashes` (BEP 51)
    SampleInfohashes {
        /// The id whose nearest nodes are wanted too.
        target: NodeId,
        /// The address families of those nodes.
        want: Want,
    },
    /// Another query, to be answered with [`ErrorCode::METHOD_UNKNOWN`]. Its arguments are not kept.
    Unknown(MethodName),
}

/// The arguments of `put` (BEP 44).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Put {
    /// From the asked node's answer to `get`.
    pub token: Token,
    /// What to store.
    pub item: Item,
    /// Store it only in place of the item with this sequence number. For mutable items.
    pub cas: Option<i64>,
}

/// `want`: the families of the nodes in the answer (BEP 32). None set leaves it to the network the query came over.
// Not `#[non_exhaustive]`: there are two families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// `n4`: the answer should have `nodes`.
    pub v4: bool,
    /// `n6`: the answer should have `nodes6`.
    pub v6: bool,
}

/// An answer. Only its transaction id tells which query it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The answering node.
    pub id: NodeId,
    /// The IPv4 nodes nearest to the target; `Some` of none differs from absent.
    pub nodes: Option<Vec<NodeInfo<SocketAddrV4>>>,
    /// The IPv6 nodes nearest to the target (BEP 32).
    pub nodes6: Option<Vec<NodeInfo<SocketAddrV6>>>,
    /// Peers of the torrent. Both families may come mixed, but only one should be sent (BEP 32).
    pub values: Vec<SocketAddr>,
    /// For a later `announce_peer` or `put`.
    pub token: Option<Token>,
    /// The addresses that have announced the torrent (BEP 33). Boxed, as few answers have it.
    pub scrape: Option<Box<ScrapeFilters>>,
    /// The item that was asked for (BEP 44).
    pub item: Option<Box<ItemFields>>,
    /// Torrents that the node has peers of (BEP 51).
    pub samples: Option<Box<Samples>>,
}

/// The addresses that have announced a torrent, as sets that can be united (BEP 33).
// Not `#[non_exhaustive]`: BEP 33 has these two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeFilters {
    /// `BFsd`: those that have all of it.
    pub seeds: BloomFilter,
    /// `BFpe`: the others.
    pub peers: BloomFilter,
}

/// The item fields of an answer to `get`, not yet checked against the query (BEP 44).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemFields {
    /// `v`
    pub value: Option<ItemValue>,
    /// `k`, of a mutable item.
    pub key: Option<PublicKey>,
    /// `seq`, of a mutable item. Alone, if the asking node has said that it has this one.
    pub seq: Option<i64>,
    /// `sig`, of a mutable item.
    pub signature: Option<Signature>,
}

/// Torrents that a node has peers of (BEP 51).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Samples {
    /// `interval`: for how many seconds the node would give the same answer, at most 21 600.
    pub interval_secs: u16,
    /// `num`: of how many torrents it has peers.
    pub stored: i64,
    /// Some of them.
    pub info_hashes: Vec<InfoHash>,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReply {
    /// What kind.
    pub code: ErrorCode,
    /// For people. Read from a datagram it is at most [`MAX_ERROR_TEXT_LEN`](crate::MAX_ERROR_TEXT_LEN) bytes and has no
    /// control characters.
    pub text: String,
}

/// The kind of an [`ErrorReply`]. Codes other than those named here occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// None of the others.
    pub const GENERIC: Self = Self(201);
    /// The asked node failed to serve the query.
    pub const SERVER: Self = Self(202);
    /// A malformed packet, invalid arguments or a bad token.
    pub const PROTOCOL: Self = Self(203);
    /// A query of an unknown name.
    pub const METHOD_UNKNOWN: Self = Self(204);
    /// A value of more than [`MAX_ITEM_VALUE_LEN`](crate::MAX_ITEM_VALUE_LEN) (BEP 44).
    pub const VALUE_TOO_LONG: Self = Self(205);
    /// A signature that does not belong to the item (BEP 44).
    pub const INVALID_SIGNATURE: Self = Self(206);
    /// A salt of more than [`MAX_SALT_LEN`](crate::MAX_SALT_LEN) (BEP 44).
    pub const SALT_TOO_LONG: Self = Self(207);
    /// The stored item is not the one that was to be replaced (BEP 44).
    pub const CAS_MISMATCH: Self = Self(301);
    /// The stored item is newer (BEP 44).
    pub const SEQ_TOO_LOW: Self = Self(302);
}

impl Message {
    /// A message without the optional fields.
    #[must_use]
    pub const fn new(transaction_id: TransactionId, body: Body) -> Self {
        Self {
            transaction_id,
            version: None,
            external_addr: None,
            body,
        }
    }
}

impl Query {
    /// A query by a node that answers queries itself.
    #[must_use]
    pub const fn new(id: NodeId, method: Method) -> Self {
        Self {
            id,
            read_only: false,
            method,
        }
    }
}

impl Put {
    /// Stores `item` unconditionally, without compare-and-swap.
    #[must_use]
    pub const fn new(token: Token, item: Item) -> Self {
        Self {
            token,
            item,
            cas: None,
        }
    }
}

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Ping => b"ping",
            Self::FindNode { .. } => b"find_node",
            Self::GetPeers { .. } => b"get_peers",
            Self::AnnouncePeer { .. } => b"announce_peer",
            Self::Get { .. } => b"get",
            Self::Put(_) => b"put",
            Self::SampleInfohashes { .. } => b"sample_infohashes",
            Self::Unknown(name) => name.as_bytes(),
        }
    }
}

impl Response {
    /// The answer to `ping` and `announce_peer`, and the beginning of the others.
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self {
            id,
            nodes: None,
            nodes6: None,
            values: Vec::new(),
            token: None,
            scrape: None,
            item: None,
            samples: None,
        }
    }

    /// The nodes of both families, IPv4 first.
    pub fn all_nodes(&self) -> impl Iterator<Item = NodeInfo> + '_ {
        let v4 = self.nodes.iter().flatten().map(|node| (*node).into());
        let v6 = self.nodes6.iter().flatten().map(|node| (*node).into());
        v4.chain(v6)
    }
}

impl ErrorReply {
    /// An error to send.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

impl From<Query> for Body {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Response> for Body {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl From<ErrorReply> for Body {
    fn from(error: ErrorReply) -> Self {
        Self::Error(error)
    }
}
