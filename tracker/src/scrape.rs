//! Scrapes: a tracker's counts for some torrents (BEP 48, BEP 15).

use tailwater_types::InfoHash;

/// How many torrents one scrape may ask for: what fits into a UDP packet (BEP 15).
pub const MAX_SCRAPE_HASHES: usize = 74;

/// The counts of a torrent's peers, by its tracker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScrapeStats {
    /// Peers that have everything.
    pub seeders: u32,
    /// Peers that lack something.
    pub leechers: u32,
    /// How often a download was completed.
    pub completed: u32,
}

/// A tracker's response to a scrape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrapeResponse {
    /// One entry for each torrent that was asked for and that the tracker knows, in the order
    /// asked.
    pub torrents: Vec<(InfoHash, ScrapeStats)>,
}

impl ScrapeResponse {
    /// An answer of these entries.
    #[must_use]
    pub const fn new(torrents: Vec<(InfoHash, ScrapeStats)>) -> Self {
        Self { torrents }
    }

    /// The counts of one torrent.
    #[must_use]
    pub fn get(&self, info_hash: &InfoHash) -> Option<ScrapeStats> {
        let entry = self.torrents.iter().find(|(hash, _)| hash == info_hash);
        entry.map(|(_, stats)| *stats)
    }
}
