//! The web seeds of a torrent.

use super::Torrent;
use crate::driver::web_seed::status::WebSeedStats;

impl Torrent {
    /// Its web seeds (BEP 19, BEP 17): those that [`AddOptions::web_seeds`](crate::AddOptions::web_seeds) named, then those of
    /// the torrent. Rates are at most 200 ms old.
    #[must_use]
    pub fn web_seeds(&self) -> Vec<WebSeedStats> {
        self.shared.web_seeds.stats()
    }
}
