//! In place of the search for peers in the DHT, without the feature `dht`: there is none.

use tokio::sync::watch;

use super::dht::DhtHandle;
use crate::driver::swarm::SwarmContext;

/// The figures of a search, which stay 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchTally {
    pub(crate) nodes: usize,
    pub(crate) peers: usize,
}

/// A search, which cannot be: it needs a node.
pub(crate) struct Search {
    pub(crate) dht: DhtHandle,
    pub(crate) context: SwarmContext,
    pub(crate) announces: bool,
    pub(crate) tally: Option<watch::Sender<SearchTally>>,
}

impl Search {
    pub(crate) async fn run(self) {}
}
