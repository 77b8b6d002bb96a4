//! The demand of readers: windows, deadlines, and the room and requests that follow from them.

pub(crate) mod prefetch;
pub(crate) mod readers;
pub(crate) mod updates;
pub(crate) mod urgency;

use std::time::Instant;

use tailwater_metainfo::Geometry;

use prefetch::Prefetch;
use readers::{Readers, Refetches};

/// The readers of a torrent, and what waits for them.
#[derive(Debug)]
pub(crate) struct Demand {
    pub(crate) readers: Readers,
    pub(crate) refetches: Refetches,
    pub(crate) prefetch: Prefetch,
    /// The bytes of room that a piece waits for to be started; see
    /// [`Engine::wanted_space`](crate::torrent::Engine::wanted_space).
    pub(crate) wanted_space: Option<u64>,
    /// When to look again for suppliers that could rescue what a reader waits for.
    pub(crate) rescue_at: Option<Instant>,
}

impl Demand {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            readers: Readers::new(geometry),
            refetches: Refetches::default(),
            prefetch: Prefetch::default(),
            wanted_space: None,
            rescue_at: None,
        }
    }
}
