//! What a torrent's machine is made with.

use tailwater_metainfo::{InfoHash, PeerId};

/// What a torrent's machine is made with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The torrent's name on the wire.
    pub info_hash: InfoHash,
    /// Our own name, to recognise ourselves and to settle who keeps which of two connections.
    pub peer_id: PeerId,
    /// Where we listen, if we do. Default none.
    pub listen_port: Option<u16>,
    /// The most connected peers. Default 200.
    pub max_peers: usize,
    /// The most connections under way at once. Default 32.
    pub max_connecting: usize,
    /// The most addresses remembered. Default 3000.
    pub max_candidates: usize,
    /// The most requests outstanding at one peer, of 16 KiB each. Default 2000.
    pub max_requests: usize,
    /// Peers that are uploaded to at once; a seed may have more. Default 8.
    pub upload_slots: usize,
    /// Pieces in order rather than rarest first.
    pub sequential: bool,
    /// Nothing is fetched but what some reader's window covers, and what was held may be evicted.
    pub on_demand: bool,
    /// Only the torrent's trackers may name peers (BEP 27).
    pub private: bool,
    /// Seeds every random choice.
    pub seed: u64,
}

impl Config {
    /// The defaults, for a torrent and a name.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            info_hash,
            peer_id,
            listen_port: None,
            max_peers: 200,
            max_connecting: 32,
            max_candidates: 3_000,
            max_requests: 2_000,
            upload_slots: 8,
            sequential: false,
            on_demand: false,
            private: false,
            seed: 0,
        }
    }
}
