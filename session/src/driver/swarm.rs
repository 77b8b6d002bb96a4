//! What the tasks that find peers of one torrent, or of one magnet link, have in common.

use tailwater_metainfo::{InfoHash, PeerId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::discovery::own_port::OwnPort;
use super::message::TorrentMessage;
use crate::events::EventSender;
use crate::status::Status;

/// A swarm, as the announcer and the search in the DHT see it: what they ask for, in whose name, and to whom the answers go.
#[derive(Clone)]
pub(crate) struct SwarmContext {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    /// Where peers can connect to us.
    pub(crate) port: OwnPort,
    /// Where chance comes from.
    pub(crate) seed: u64,
    pub(crate) status: watch::Receiver<Status>,
    /// To the torrent's task, or to that of the fetch.
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) events: EventSender,
    pub(crate) closing: CancellationToken,
}
