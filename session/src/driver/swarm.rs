//! The context of the tasks that find peers of one torrent, or of one magnet link.

use tailwater_metainfo::{InfoHash, InfoHashes, PeerId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::discovery::own_port::OwnPort;
use super::handshake::HandshakeSettings;
use super::message::TorrentMessage;
use crate::events::EventSender;
use crate::status::Status;
use crate::transport::Uplink;

/// What the announcer and the DHT search know of a swarm: its info-hash, our peer id, and the queue that gets the
/// peers.
#[derive(Clone)]
pub(crate) struct SwarmContext {
    /// By what the session knows the torrent: its first name on the wire.
    pub(crate) info_hash: InfoHash,
    /// All hashes of the torrent.
    pub(crate) hashes: InfoHashes,
    /// The name of this swarm. A hybrid torrent has two swarms (BEP 52).
    pub(crate) name: InfoHash,
    pub(crate) peer_id: PeerId,
    /// Where peers can connect to us.
    pub(crate) port: OwnPort,
    pub(crate) handshakes: HandshakeSettings,
    /// Seeds random choices.
    pub(crate) seed: u64,
    pub(crate) status: watch::Receiver<Status>,
    /// The queue of the torrent's task, or of the task that fetches the metadata.
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) events: EventSender,
    /// The network, without which nothing is asked.
    pub(crate) link: Uplink,
    pub(crate) closing: CancellationToken,
}

impl SwarmContext {
    /// The same for each swarm of the torrent, the first name's first.
    pub(crate) fn swarms(&self) -> impl Iterator<Item = Self> + '_ {
        self.hashes.names().map(|name| Self {
            name,
            ..self.clone()
        })
    }
}
