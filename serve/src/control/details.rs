//! What is known of one torrent.

use std::time::Duration;

use tailwater_metainfo::Expected;
use tailwater_session::{BufferMap, TorrentError};
use tokio::time::timeout;

use super::actions::has_failed;
use super::entry::Run;
use super::error::ControlError;
use super::id::TorrentId;
use super::service::Control;
use super::view::{FileView, PeerView, TorrentView, TrackerView, WebSeedView};

/// How long a torrent may take for an answer: one whose files are checked or moved answers afterwards.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The same for the DHT node: one that has not started does not hold up who asks for other figures too.
const DHT_WITHIN: Duration = Duration::from_millis(100);

/// What a torrent answers, unless it is busy.
pub(super) async fn soon<T>(
    answer: impl Future<Output = Result<T, TorrentError>>,
) -> Result<T, ControlError> {
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ControlError::Conflict(
            "the torrent is busy: its files are being checked or moved".to_owned(),
        )),
    }
}

impl Control {
    /// A torrent as the list shows it: without what takes long to find out.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotFound`].
    pub fn listed(&self, id: TorrentId) -> Result<TorrentView, ControlError> {
        Ok(self.inner.entry(id)?.brief())
    }

    /// How many nodes the DHT node's tables have; 0 without one, and until it runs.
    pub async fn dht_nodes(&self) -> usize {
        let found = timeout(DHT_WITHIN, async {
            let node = self.inner.session.dht().await?;
            node.stats().await.ok()
        });
        let nodes = found.await.ok().flatten().map(|stats| stats.nodes);
        nodes.into_iter().flatten().sum()
    }

    /// The files of a torrent, without padding.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or its metadata is not known.
    pub async fn files(&self, id: TorrentId) -> Result<Vec<FileView>, ControlError> {
        let entry = self.inner.entry(id)?;
        let is_untouched = entry.state().is_untouched();
        let could_not_start = matches!(entry.state().run, Run::Failed(_));
        if is_untouched || could_not_start {
            return self.inner.untouched_files(&entry).await;
        }
        let torrent = self.inner.awake(id).await?;

        let files = match soon(torrent.files()).await {
            // One that could not start knows nothing of its files.
            Err(ControlError::Torrent(_)) if has_failed(&torrent) => {
                return self.inner.untouched_files(&entry).await;
            }
            files => files?,
        };
        let files = files.into_iter().filter(|file| !file.is_pad);
        let files = files.map(|file| FileView {
            index: file.index,
            path: file.path,
            size: file.length,
            have: file.have,
            priority: file.priority.into(),
            first_piece: file.first_piece,
            piece_count: file.piece_count,
        });
        Ok(files.collect())
    }

    /// The .torrent file of a torrent.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or its metadata is not known.
    pub async fn torrent_file(&self, id: TorrentId) -> Result<Vec<u8>, ControlError> {
        self.inner.stored_file(&*self.inner.entry(id)?).await
    }

    /// The hashes of a torrent's pieces as it is described, in hexadecimal digits; none of pieces whose hashes are not known.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or its metadata is not known.
    pub async fn piece_hashes(&self, id: TorrentId) -> Result<Vec<String>, ControlError> {
        let entry = self.inner.entry(id)?;
        let metainfo = self.inner.stored_metainfo(&entry).await?;
        let hashes = metainfo.piece_hashes();
        let pieces = metainfo.info().geometry().pieces();
        let hash = |piece| match hashes.expected(piece)? {
            Expected::V1(hash) | Expected::Both { v1: hash, .. } => Some(hash.to_string()),
            Expected::V2(tree) => Some(tree.root.to_string()),
        };
        Ok(pieces.map(|it| hash(it).unwrap_or_default()).collect())
    }

    /// The connected peers of a torrent; of a link none.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or it stopped.
    pub async fn peers(&self, id: TorrentId) -> Result<Vec<PeerView>, ControlError> {
        let Some(torrent) = self.inner.entry(id)?.torrent() else {
            return Ok(Vec::new());
        };
        let pieces = torrent.info().geometry().piece_count();
        let peers = soon(torrent.peers()).await?;
        Ok(peers
            .iter()
            .map(|peer| PeerView::of(peer, pieces))
            .collect())
    }

    /// How many readers a torrent has; one that is not in the session has none.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or it is busy.
    pub async fn readers(&self, id: TorrentId) -> Result<usize, ControlError> {
        match self.inner.entry(id)?.torrent() {
            Some(_) => Ok(self.buffer(id).await?.readers.len()),
            None => Ok(0),
        }
    }

    /// The pieces and readers of a torrent in the session.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, it is not in the session, or it is busy.
    pub async fn buffer(&self, id: TorrentId) -> Result<BufferMap, ControlError> {
        let torrent = self.inner.entry(id)?.running()?;
        soon(torrent.buffer()).await
    }

    /// The trackers of a torrent; of a link, those that it names.
    ///
    /// # Errors
    ///
    /// When there is no such torrent.
    pub fn trackers(&self, id: TorrentId) -> Result<Vec<TrackerView>, ControlError> {
        let entry = self.inner.entry(id)?;
        let (tiers, mut known) = match entry.torrent() {
            Some(torrent) => (torrent.tracker_tiers(), torrent.trackers()),
            None => (entry.record().trackers, Vec::new()),
        };
        let tiers = tiers.into_iter().enumerate();
        let named = tiers.flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
        let named = named.map(|(tier, url)| {
            // One that has just been named has no status yet.
            match known.iter().position(|known| known.url == url) {
                Some(at) => known.swap_remove(at).into(),
                None => TrackerView::idle(url, tier),
            }
        });
        Ok(named.collect())
    }

    /// The web seeds of a torrent.
    ///
    /// # Errors
    ///
    /// When there is no such torrent.
    pub fn web_seeds(&self, id: TorrentId) -> Result<Vec<WebSeedView>, ControlError> {
        let torrent = self.inner.entry(id)?.torrent();
        let seeds = torrent
            .map(|torrent| torrent.web_seeds())
            .unwrap_or_default();
        Ok(seeds.into_iter().map(Into::into).collect())
    }
}
