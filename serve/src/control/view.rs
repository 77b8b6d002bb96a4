//! What the daemon says of a torrent, and of itself.

use serde::{Deserialize, Serialize};
use tailwater_session::{PeerStats, Priority, TrackerState, TrackerStatus, WebSeedStats};
use utoipa::ToSchema;

use super::id::TorrentId;
use super::request::StorageChoice;
use super::seeding::Limit;

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TorrentState {
    /// It is about to begin.
    Starting,
    /// The metadata of its magnet link is fetched.
    Metadata,
    /// Its data is checked.
    Checking,
    /// It lacks something that is wanted, and downloads it.
    Downloading,
    /// Everything wanted is held; what is held is uploaded.
    Seeding,
    /// It was paused.
    Paused,
    /// It waits for its place in the queue.
    Queued,
    /// Its files are on their way to another folder.
    Moving,
    /// It stopped with an error; to resume it tries again.
    Error,
}

impl TorrentState {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Metadata => "metadata",
            Self::Checking => "checking",
            Self::Downloading => "downloading",
            Self::Seeding => "seeding",
            Self::Paused => "paused",
            Self::Queued => "queued",
            Self::Moving => "moving",
            Self::Error => "error",
        }
    }
}

/// How much a file is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilePriority {
    /// Not downloaded.
    Skip,
    /// After everything else.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

impl From<Priority> for FilePriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Skip => Self::Skip,
            Priority::Low => Self::Low,
            Priority::High => Self::High,
            _ => Self::Normal,
        }
    }
}

impl From<FilePriority> for Priority {
    fn from(priority: FilePriority) -> Self {
        match priority {
            FilePriority::Skip => Self::Skip,
            FilePriority::Low => Self::Low,
            FilePriority::Normal => Self::Normal,
            FilePriority::High => Self::High,
        }
    }
}

/// A torrent at one moment. Times are Unix times in seconds, sizes bytes, rates bytes a second.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct TorrentView {
    /// Its info-hash.
    #[schema(value_type = String)]
    pub id: TorrentId,
    /// Its number: small, and never used again.
    pub number: i64,
    /// Its name; of a magnet link, what the link says, or the info-hash.
    pub name: String,
    /// What its user calls it, if that is not its name.
    pub title: Option<String>,
    /// What it is doing.
    pub state: TorrentState,
    /// How far a check, a move or a fetch of metadata is, from 0 to 1.
    pub state_progress: Option<f64>,
    /// Why it stopped.
    pub error: Option<String>,
    /// What went wrong last, although it goes on, such as a move.
    pub warning: Option<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its place in the queue, from 1.
    pub queue_position: u64,
    /// It runs whatever the queue and the limits on seeding say.
    pub forced: bool,
    /// When it was added.
    pub added: u64,
    /// When it was complete for the first time.
    pub completed: Option<u64>,
    /// When data was transferred last.
    pub last_activity: Option<u64>,
    /// Bytes of all files.
    pub size: u64,
    /// Bytes that are held and verified.
    pub have: u64,
    /// Bytes of what is wanted and missing.
    pub left: u64,
    /// How much of what is wanted is held, from 0 to 1.
    pub progress: f64,
    /// Payload bytes received, ever.
    pub downloaded: u64,
    /// Payload bytes sent, ever.
    pub uploaded: u64,
    /// Payload bytes received in vain since the daemon started.
    pub wasted: u64,
    /// Bytes sent by bytes received, or by bytes held where those are more.
    pub ratio: f64,
    /// Received now.
    pub down_rate: u64,
    /// Sent now.
    pub up_rate: u64,
    /// When everything wanted will be held, in seconds.
    pub eta: Option<u64>,
    /// Something is wanted and peers are connected, but nothing comes.
    pub is_stalled: bool,
    /// How long it has been downloading, in seconds.
    pub downloading_seconds: u64,
    /// How long it has been seeding, in seconds.
    pub seeding_seconds: u64,
    /// Its download rate limit.
    pub download_limit: Option<u64>,
    /// Its upload rate limit.
    pub upload_limit: Option<u64>,
    /// Its own limit on connected peers.
    pub max_peers: Option<usize>,
    /// Its own number of upload slots.
    pub upload_slots: Option<usize>,
    /// It is paused when it is complete and has uploaded so many times its size, or "none"; null for what its labels say,
    /// then the daemon.
    pub ratio_limit: Option<Limit<f64>>,
    /// It is paused when it is complete and has been idle for so many seconds, or "none"; null as for the ratio.
    pub idle_limit: Option<Limit<u64>>,
    /// It is paused when it has seeded for so many seconds, or "none"; null as for the ratio.
    pub seeding_time_limit: Option<Limit<u64>>,
    /// The folder to which its files are moved when it is complete; empty for none; null for what its labels say, then the
    /// daemon.
    pub completed_folder: Option<String>,
    /// Pieces are fetched in order.
    pub sequential: bool,
    /// Only what is streamed is fetched.
    pub on_demand: bool,
    /// It super-seeds (BEP 16).
    pub super_seeding: bool,
    /// Where its pieces are kept.
    pub storage: StorageChoice,
    /// The folder of its files.
    pub folder: Option<String>,
    /// It is private (BEP 27).
    pub is_private: bool,
    /// How many files it has; none while only a magnet link is known.
    pub file_count: usize,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// How many pieces it has.
    pub piece_count: u32,
    /// Pieces that are held and verified.
    pub pieces_have: u32,
    /// Connected peers.
    pub peers: usize,
    /// Connected peers that have everything.
    pub seeds: usize,
    /// Addresses of peers that are known.
    pub known_peers: usize,
    /// What the torrent says of itself.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created: Option<i64>,
    /// Its magnet link.
    pub magnet: String,
}

/// A file of a torrent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct FileView {
    /// Its index.
    pub index: usize,
    /// Its path in the torrent, with `/` between its parts.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of it that are held and verified.
    pub have: u64,
    /// How much it is wanted.
    pub priority: FilePriority,
    /// The first piece with bytes of it.
    pub first_piece: u32,
    /// How many pieces have bytes of it.
    pub piece_count: u32,
}

/// A connected peer at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct PeerView {
    /// Its address.
    pub addr: String,
    /// Its client.
    pub client: Option<String>,
    /// How it is connected: `tcp` or `utp`.
    pub transport: String,
    /// How the connection is encrypted: `none`, `handshake` or `rc4`.
    pub encryption: String,
    /// It connected to us.
    pub is_incoming: bool,
    /// How much of the torrent it has, from 0 to 1.
    pub progress: f64,
    /// Payload bytes received from it.
    pub downloaded: u64,
    /// Payload bytes sent to it.
    pub uploaded: u64,
    /// Received from it now, in bytes a second.
    pub down_rate: u64,
    /// Sent to it now, in bytes a second.
    pub up_rate: u64,
    /// We refuse its requests.
    pub am_choking: bool,
    /// We want something that it has.
    pub am_interested: bool,
    /// It refuses our requests.
    pub peer_choking: bool,
    /// It wants something that we have.
    pub peer_interested: bool,
}

impl PeerView {
    pub(super) fn of(peer: &PeerStats, piece_count: u32) -> Self {
        use tailwater_session::torrent::{Encrypted, Transport};
        Self {
            addr: peer.addr.to_string(),
            client: peer.client.clone(),
            transport: match peer.kind.transport {
                Transport::Utp => "utp",
                _ => "tcp",
            }
            .to_owned(),
            encryption: match peer.kind.encrypted {
                Encrypted::Nothing => "none",
                Encrypted::Handshake => "handshake",
                _ => "rc4",
            }
            .to_owned(),
            is_incoming: peer.is_incoming,
            progress: share(u64::from(peer.pieces), u64::from(piece_count)),
            downloaded: peer.downloaded,
            uploaded: peer.uploaded,
            down_rate: peer.down_rate,
            up_rate: peer.up_rate,
            am_choking: peer.am_choking,
            am_interested: peer.am_interested,
            peer_choking: peer.peer_choking,
            peer_interested: peer.peer_interested,
        }
    }
}

/// A tracker of a torrent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct TrackerView {
    /// Its announce URL.
    pub url: String,
    /// Its tier, from 0.
    pub tier: usize,
    /// How it does: `idle`, `announcing`, `working`, `failing` or `disabled`.
    pub state: String,
    /// Why the last announce failed.
    pub error: Option<String>,
    /// The tracker's warning.
    pub warning: Option<String>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that lack something.
    pub leechers: Option<u32>,
    /// How many addresses it named in its last answer.
    pub peers: Option<usize>,
    /// How long ago it was asked, in seconds.
    pub last_announce: Option<u64>,
    /// When it may be asked again, in seconds.
    pub next_announce: Option<u64>,
}

impl TrackerView {
    /// One that was not asked yet.
    pub(super) fn idle(url: String, tier: usize) -> Self {
        Self {
            url,
            tier,
            state: "idle".to_owned(),
            error: None,
            warning: None,
            seeders: None,
            leechers: None,
            peers: None,
            last_announce: None,
            next_announce: None,
        }
    }
}

impl From<TrackerStatus> for TrackerView {
    fn from(tracker: TrackerStatus) -> Self {
        Self {
            state: match tracker.state {
                TrackerState::Idle => "idle",
                TrackerState::Announcing => "announcing",
                TrackerState::Working => "working",
                TrackerState::Failing => "failing",
                _ => "disabled",
            }
            .to_owned(),
            url: tracker.url,
            tier: tracker.tier,
            error: tracker.last_error,
            warning: tracker.warning,
            seeders: tracker.seeders,
            leechers: tracker.leechers,
            peers: tracker.peers,
            last_announce: tracker.last_announce.map(|time| time.as_secs()),
            next_announce: tracker.next_announce.map(|time| time.as_secs()),
        }
    }
}

/// A web seed of a torrent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct WebSeedView {
    /// Its URL.
    pub url: String,
    /// Received from it now, in bytes a second.
    pub down_rate: u64,
    /// Payload bytes received from it.
    pub downloaded: u64,
}

impl From<WebSeedStats> for WebSeedView {
    fn from(seed: WebSeedStats) -> Self {
        Self {
            url: seed.url,
            down_rate: seed.down_rate,
            downloaded: seed.downloaded,
        }
    }
}

/// The daemon at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct StatsView {
    /// All torrents, those that do not run included.
    pub torrents: usize,
    /// How many of them download.
    pub downloading: usize,
    /// How many of them seed.
    pub seeding: usize,
    /// How many of them are paused.
    pub paused: usize,
    /// How many of them wait for their places in the queue.
    pub queued: usize,
    /// How many of them stopped with an error.
    pub failed: usize,
    /// Payload bytes received since the daemon started.
    pub downloaded: u64,
    /// Payload bytes sent since the daemon started.
    pub uploaded: u64,
    /// Received now, in bytes a second.
    pub down_rate: u64,
    /// Sent now, in bytes a second.
    pub up_rate: u64,
    /// Connected peers.
    pub peers: usize,
    /// Connections to peers, those being made included.
    pub connections: usize,
    /// The most connections.
    pub max_connections: usize,
    /// The download rate limit that holds now, in bytes a second.
    pub download_limit: Option<u64>,
    /// The upload rate limit that holds now, in bytes a second.
    pub upload_limit: Option<u64>,
    /// They are the alternative ones.
    pub are_limits_alternative: bool,
    /// Bytes of the memory budget that are taken.
    pub memory_used: u64,
    /// The memory budget, in bytes.
    pub memory_budget: u64,
    /// Where peers connect to us.
    pub listen_addr: Option<String>,
    /// When the daemon started, as a Unix time.
    pub started: u64,
    /// The number of the last change; see the events.
    pub newest_event: u64,
}

/// A share from 0 to 1; of nothing it is all.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 1.0,
        _ => part.min(whole) as f64 / whole as f64,
    }
}

/// How many times one number is another; 0 where that is 0.
#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio needs no more than 52 bits"
)]
pub(super) fn times(number: u64, of: u64) -> f64 {
    match of {
        0 => 0.0,
        _ => number as f64 / of as f64,
    }
}
