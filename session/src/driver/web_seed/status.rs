//! The status of a torrent's web seeds.

use parking_lot::Mutex;
use tailwater_metainfo::Metainfo;

use super::source::{Protocol, WebSeedUrl};
use crate::options::AddOptions;
use crate::torrent::{SupplierStats, WebSeedId};

/// Web seeds that a torrent may have; those named last are ignored.
const MAX_WEB_SEEDS: usize = 64;

/// The state of a web seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum WebSeedState {
    /// It is not used: others are, the torrent does not run, or nothing is to be downloaded.
    Idle,
    /// It is asked when something is wanted of it.
    Ready,
    /// It answers.
    Downloading,
    /// It failed, or asked us to wait: it is asked again later.
    Waiting,
    /// It is not asked again: it does not have the files, or does not answer as a web seed does.
    Failed,
    /// It is not asked again: it sent corrupt data.
    Banned,
}

/// The status of a web seed (BEP 19, BEP 17).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WebSeedStats {
    /// The number by which [`Event::Banned`](crate::Event::Banned) names it.
    pub id: WebSeedId,
    /// Its URL, without user name, password and query.
    pub url: String,
    /// Its state.
    pub state: WebSeedState,
    /// Payload bytes received from it since the torrent was added.
    pub downloaded: u64,
    /// Payload bytes a second received from it now.
    pub down_rate: u64,
    /// Why it failed last.
    pub last_error: Option<String>,
}

#[derive(Debug)]
struct Entry {
    url: WebSeedUrl,
    stats: WebSeedStats,
}

/// The web seeds of a torrent, from its addition to its end.
#[derive(Debug, Default)]
pub(crate) struct WebSeeds {
    entries: Mutex<Vec<Entry>>,
}

impl WebSeeds {
    /// Those that the user named, then those of the torrent.
    pub(crate) fn new(metainfo: &Metainfo, options: &AddOptions) -> Self {
        let named = options.web_seeds.iter().map(|url| WebSeedUrl::named(url));
        let files = metainfo.web_seeds().iter();
        let files = files.map(|url| WebSeedUrl::of_stranger(url, Protocol::Files));
        let queries = metainfo.http_seeds().iter();
        let queries = queries.map(|url| WebSeedUrl::of_stranger(url, Protocol::Query));
        let mut entries: Vec<Entry> = Vec::new();
        for url in named.chain(files).chain(queries).flatten() {
            let is_known =
                |known: &Entry| (&known.url.url, known.url.protocol) == (&url.url, url.protocol);
            let (Ok(number), false) = (u32::try_from(entries.len()), entries.iter().any(is_known))
            else {
                continue;
            };
            if entries.len() == MAX_WEB_SEEDS {
                tracing::info!("only the first {MAX_WEB_SEEDS} web seeds are used");
                break;
            }
            let stats = WebSeedStats {
                id: WebSeedId::new(number),
                url: url.shown(),
                state: WebSeedState::Idle,
                downloaded: 0,
                down_rate: 0,
                last_error: None,
            };
            entries.push(Entry { url, stats });
        }
        Self {
            entries: Mutex::new(entries),
        }
    }

    pub(crate) fn stats(&self) -> Vec<WebSeedStats> {
        let entries = self.entries.lock();
        entries.iter().map(|entry| entry.stats.clone()).collect()
    }

    /// A web seed that is not used and may be; it is used from now on.
    pub(crate) fn start_next(&self) -> Option<(WebSeedId, WebSeedUrl)> {
        let mut entries = self.entries.lock();
        let idle = |entry: &&mut Entry| entry.stats.state == WebSeedState::Idle;
        let entry = entries.iter_mut().find(idle)?;
        entry.stats.state = WebSeedState::Ready;
        Some((entry.stats.id, entry.url.clone()))
    }

    /// Changes the state of one; a failed or banned one stays that.
    pub(crate) fn set_state(&self, id: WebSeedId, state: WebSeedState, error: Option<&str>) {
        self.change(id, |stats| {
            let is_over = matches!(stats.state, WebSeedState::Failed | WebSeedState::Banned);
            if !is_over || state == WebSeedState::Banned {
                stats.state = state;
            }
            if let Some(error) = error {
                stats.last_error = Some(error.to_owned());
            }
        });
    }

    /// A block of this many bytes came from one.
    pub(crate) fn add_bytes(&self, id: WebSeedId, bytes: u64) {
        self.change(id, |stats| stats.downloaded += bytes);
    }

    /// None is used any more.
    pub(crate) fn stop(&self) {
        for entry in self.entries.lock().iter_mut() {
            entry.stats.down_rate = 0;
            if !matches!(
                entry.stats.state,
                WebSeedState::Failed | WebSeedState::Banned
            ) {
                entry.stats.state = WebSeedState::Idle;
            }
        }
    }

    /// Sets the rates, of which the state machine knows.
    pub(crate) fn set_rates(&self, suppliers: &[SupplierStats]) {
        for entry in self.entries.lock().iter_mut() {
            let origin = entry.stats.id.into();
            let it = suppliers.iter().find(|supplier| supplier.origin == origin);
            entry.stats.down_rate = it.map_or(0, |it| it.down_rate);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.lock().is_empty()
    }

    fn change(&self, id: WebSeedId, change: impl FnOnce(&mut WebSeedStats)) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(id.get() as usize) {
            change(&mut entry.stats);
        }
    }
}
