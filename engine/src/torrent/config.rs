//! The configuration of a torrent's state machine.

use tailwater_metainfo::{InfoHash, PeerId};

/// The configuration of a torrent's state machine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The torrent's name on the wire.
    pub info_hash: InfoHash,
    /// Our peer id, to recognise ourselves and to settle who keeps which of two connections.
    pub peer_id: PeerId,
    /// Our listening port, if we have one. Default none.
    pub listen_port: Option<u16>,
    /// The most connected peers. Default 200.
    pub max_peers: usize,
    /// The most connections under way at once. Default 32.
    pub max_connecting: usize,
    /// The most candidates (addresses that may be peers). Default 3000.
    pub max_candidates: usize,
    /// The most requests outstanding at one peer (the pipeline), of 16 KiB each. Default 2000.
    pub max_requests: usize,
    /// The unchoke slots: peers that are uploaded to at once; a seed may have more. Default 8.
    pub upload_slots: usize,
    /// Whether pieces are fetched in order rather than rarest first.
    pub sequential: bool,
    /// Whether only the pieces in some reader's window are fetched, and held pieces may be evicted.
    pub on_demand: bool,
    /// Only the torrent's trackers may name peers (BEP 27).
    pub private: bool,
    /// Super-seeding (BEP 16): while the torrent has every piece, peers are told of pieces one by one, so that the swarm has
    /// a whole copy after little more than one upload of it. Default no.
    pub super_seeding: bool,
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
            super_seeding: false,
            seed: 0,
        }
    }
}
