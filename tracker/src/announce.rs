//! The announce: the request of a peer to a tracker, and the tracker's response, over any transport.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tailwater_types::{InfoHash, PeerId};

/// How many peers one answer may hold; the rest is dropped.
///
/// Trackers send 50 to 200. At 32 bytes each this bounds an answer's peers to 64 KiB.
pub const MAX_PEERS: usize = 2000;

/// The longest tracker id that is kept and sent back, in bytes; a longer one is ignored.
pub const MAX_TRACKER_ID_LEN: usize = 256;

/// The time to the next announce when a tracker's answer names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// Why an announce is made out of turn (BEP 3). A regular announce has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The first announce to this tracker.
    Started,
    /// The download just became complete; not for one that was complete at its start.
    Completed,
    /// The peer leaves the swarm.
    Stopped,
}

impl Event {
    /// The name in an HTTP query (BEP 3).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
        }
    }
}

/// One announce (BEP 3, BEP 15): which torrent, who asks, and how far it is.
///
/// Made by [`new`](Self::new); the fields that have a default are set afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceRequest {
    /// The torrent's info-hash. For a v2 torrent, it is truncated (BEP 52).
    pub info_hash: InfoHash,
    /// The peer id.
    pub peer_id: PeerId,
    /// The TCP port on which the peer listens.
    pub port: u16,
    /// Bytes uploaded since the `started` event.
    pub uploaded: u64,
    /// Bytes downloaded since the `started` event.
    pub downloaded: u64,
    /// Bytes still to download: 0 makes the peer a seed. While the size is unknown (a magnet
    /// link), any number above 0.
    pub left: u64,
    /// Why the announce is made; `None` for a regular one.
    pub event: Option<Event>,
    /// How many peers are wanted; `None` leaves it to the tracker.
    pub num_want: Option<u32>,
    /// A random number that stays the same for a torrent, so that a tracker recognises a peer
    /// whose address changed or that announces from two address families (BEP 7, BEP 15).
    pub key: Option<u32>,
    /// An IPv4 address at which the peer can be reached. Most trackers ignore it.
    pub ipv4: Option<Ipv4Addr>,
    /// An IPv6 address at which the peer can be reached (an early form of BEP 7). Most trackers ignore it.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether encrypted connections are accepted, and no others (`supportcrypto` and `requirecrypto`, HTTP alone). A
    /// tracker that knows these prefers to name peers that do the same.
    pub encryption: Option<AcceptedEncryption>,
    /// The [`AnnounceResponse::tracker_id`] of the tracker's last answer.
    pub tracker_id: Option<Vec<u8>>,
}

/// The encrypted connections that a peer accepts (message stream encryption).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptedEncryption {
    /// Encrypted and plain ones.
    Supported,
    /// Encrypted ones alone.
    Required,
}

impl AnnounceRequest {
    /// An announce without an event, of a peer that has transferred nothing and lacks
    /// everything (`left` is the largest number that every tracker can read).
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId, port: u16) -> Self {
        Self {
            info_hash,
            peer_id,
            port,
            uploaded: 0,
            downloaded: 0,
            left: i64::MAX.cast_unsigned(),
            event: None,
            num_want: None,
            key: None,
            ipv4: None,
            ipv6: None,
            encryption: None,
            tracker_id: None,
        }
    }
}

/// A tracker's response to an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceResponse {
    /// The time until the next announce, as the tracker said it: not yet clamped.
    pub interval: Duration,
    /// The least time between two announces, if the tracker sets one.
    pub min_interval: Option<Duration>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that lack something.
    pub leechers: Option<u32>,
    /// The peers to connect to: at most [`MAX_PEERS`], none with port 0 or an unspecified, broadcast or multicast
    /// address. Not checked otherwise: a tracker may name any address.
    pub peers: Vec<SocketAddr>,
    /// The address from which the tracker saw the announce come (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Something the user should see, although the announce succeeded. Free of control
    /// characters, at most [`MAX_TEXT_LEN`](crate::MAX_TEXT_LEN) bytes.
    pub warning: Option<String>,
    /// The address of the tracker that answered, as far as the transport knows it; of two, the one that is reached from
    /// farther away. The caller can leave out peers that the tracker cannot know: one on the internet does not see
    /// hosts of a private network.
    pub tracker_ip: Option<IpAddr>,
    /// To be sent back with the next announce.
    pub tracker_id: Option<Vec<u8>>,
}

impl AnnounceResponse {
    /// An answer without peers.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            min_interval: None,
            seeders: None,
            leechers: None,
            peers: Vec::new(),
            external_ip: None,
            warning: None,
            tracker_ip: None,
            tracker_id: None,
        }
    }
}
