//! What a datagram says.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use tailwater_metainfo::InfoHash;

use super::{ClientVersion, MethodName, Token, TransactionId};
use crate::{NodeId, NodeInfo};

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// `t`: chosen by the asking node, echoed by the answering one.
    pub transaction_id: TransactionId,
    /// `v`: the sender's software.
    pub version: Option<ClientVersion>,
    /// `ip`: where the sender of an answer saw the question come from (BEP 42). One node's word, and not to be trusted
    /// alone.
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
    /// What is asked.
    pub method: Method,
}

/// What a [`Query`] asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `ping`
    Ping,
    /// `find_node`
    FindNode {
        /// The place whose nearest nodes are wanted.
        target: NodeId,
        /// Of which families.
        want: Want,
    },
    /// `get_peers`
    GetPeers {
        /// The torrent whose peers are wanted.
        info_hash: InfoHash,
        /// Of which families the nodes should be, where there are any.
        want: Want,
    },
    /// `announce_peer`
    AnnouncePeer {
        /// The torrent.
        info_hash: InfoHash,
        /// Where the announced peer listens, at the sender's address. Not 0 unless `implied_port`.
        port: u16,
        /// The peer listens on the port that this datagram comes from; `port` is for nodes that do not know this flag.
        implied_port: bool,
        /// From the asked node's answer to `get_peers`.
        token: Token,
    },
    /// Another query, to be answered with [`ErrorCode::METHOD_UNKNOWN`]. Its arguments are not kept.
    Unknown(MethodName),
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

/// An answer. It does not say to what: its transaction id does.
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
    /// For a later `announce_peer`.
    pub token: Option<Token>,
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

/// The kind of an [`ErrorReply`]. Others than those named here occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// None of the others.
    pub const GENERIC: Self = Self(201);
    /// The asked node cannot.
    pub const SERVER: Self = Self(202);
    /// A malformed packet, invalid arguments or a bad token.
    pub const PROTOCOL: Self = Self(203);
    /// A query of an unknown name.
    pub const METHOD_UNKNOWN: Self = Self(204);
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

impl Method {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Ping => b"ping",
            Self::FindNode { .. } => b"find_node",
            Self::GetPeers { .. } => b"get_peers",
            Self::AnnouncePeer { .. } => b"announce_peer",
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
