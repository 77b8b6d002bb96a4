#![doc = include_str!("../README.md")]

mod address;
mod bloom;
mod compact;
#[cfg(feature = "tokio")]
mod driver;
#[doc(hidden)]
pub mod fuzz;
mod item;
mod krpc;
mod limits;
mod node;
mod node_id;
mod saved;
mod secure;
mod short;
#[cfg(feature = "sim")]
pub mod sim;
mod table;

pub use bloom::{BLOOM_FILTER_LEN, BloomFilter};
pub use compact::{CompactAddr, NodeInfo};
#[cfg(feature = "tokio")]
pub use driver::{
    BOOTSTRAP_HOSTS, DatagramBatch, Datagrams, Dht, DhtClosed, DhtError, Found, MAX_BATCH_LEN,
    MAX_BATCHES, MAX_COMMANDS, PeerStream, Pong, SampleStream, Sampled, Sockets, Stream,
    load_table,
};
pub use item::{
    InvalidSignatureError, Item, ItemKey, ItemValue, ItemValueError, MutableItem, MutableTorrent,
    MutableTorrentError, PublicKey, SecretKey, Signature,
};
pub use krpc::{
    Body, ErrorCode, ErrorReply, ItemFields, KrpcError, KrpcErrorKind, Message, Method, Put, Query,
    Response, Samples, ScrapeFilters, Want,
};
pub use limits::{
    MAX_BENCODE_DEPTH, MAX_BENCODE_TOKENS, MAX_CLIENT_VERSION_LEN, MAX_DATAGRAM_LEN,
    MAX_ERROR_TEXT_LEN, MAX_ITEM_VALUE_LEN, MAX_METHOD_NAME_LEN, MAX_NODES, MAX_SALT_LEN,
    MAX_SAMPLES, MAX_SENT_DATAGRAM_LEN, MAX_TOKEN_LEN, MAX_TRANSACTION_ID_LEN, MAX_VALUES,
};
pub use node::{
    Announce, Config, Ending, Event, FIRST_NODE_TIMEOUT, Family, ITEM_LIFETIME, LOOKUP_CONCURRENCY,
    MAX_AMPLIFICATION, MAX_BOOTSTRAP_ADDRS, MAX_CANDIDATES, MAX_GREETINGS, MAX_HINTS,
    MAX_LOOKUP_PEERS, MAX_LOOKUP_QUERIES, MAX_LOOKUPS, MAX_QUERIES, MAX_TRANSMITS, MAX_VOTES,
    MIN_VOTES, Node, NodeLimits, NodeStats, PEER_LIFETIME, QUERY_TIMEOUT, Report, RequestId,
    SECOND_FAMILY_TIMEOUT, Scrape, TOKEN_ROTATION, Traffic, Transmit,
};
pub use node_id::{Distance, NODE_ID_BITS, NODE_ID_LEN, NodeId};
pub use saved::{MAX_SAVED_LEN, SavedTable, SavedTableError};
pub use short::{ClientVersion, MethodName, Salt, Token, TooLongError, TransactionId};
pub use table::{
    BUCKET_REFRESH, BUCKET_SIZE, Entry, GOOD_FOR, MAX_BUCKETS, MAX_FAILURES, MAX_SPARES, Outcome,
    RoutingTable, Status,
};
pub use tailwater_types::address::AddressShare;
