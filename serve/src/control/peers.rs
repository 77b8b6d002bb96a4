//! Peers that a caller names: they are connected to now, or when the torrent goes on.

use std::net::SocketAddr;
use std::sync::Arc;

use tailwater_metainfo::HostPort;
use tailwater_metainfo::limits::MAX_MAGNET_LEN;
use tailwater_session::{Phase, TorrentRecord};

use super::dormant::Facts;
use super::entry::{Entry, Run, link};
use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner};

/// The most peers that are added at once.
const MAX_ADDED: usize = 1_000;
/// The most addresses of peers that are kept for the time when a torrent goes on.
const MAX_KEPT: usize = 200;

impl Control {
    /// Connects to these peers too, now and whenever it starts; one that is paused or failed, when it goes on.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or there are too many; when they cannot be saved: they are kept until the process
    /// ends then.
    pub async fn add_peers(
        &self,
        id: TorrentId,
        peers: Vec<SocketAddr>,
    ) -> Result<(), ControlError> {
        if peers.len() > MAX_ADDED {
            return Err(ControlError::Invalid(format!(
                "more than {MAX_ADDED} peers"
            )));
        }
        // Nothing starts, ends or renames it meanwhile: what is given to a torrent that is about to leave would be lost.
        self.change(id, |inner, entry| async move {
            inner.add_peers(&entry, peers).await
        })
        .await
    }
}

impl Control {
    /// Has every torrent connect to these peers too, those that are added later included, until the process ends.
    pub async fn connect_all(&self, peers: Vec<SocketAddr>) {
        self.inner.peers.lock().extend(&peers);
        for entry in self.inner.entries() {
            let torrent = match &entry.state().run {
                Run::Running(torrent) => Some(torrent.clone()),
                Run::Fetching(fetching) => {
                    // One that is busy asks them when it begins again.
                    let _ = fetching.peers.try_send(peers.clone());
                    None
                }
                _ => None,
            };
            if let Some(torrent) = torrent {
                // One that has failed or ended is given them when it starts.
                let _ = torrent.add_peers(peers.clone()).await;
            }
        }
    }
}

impl Inner {
    /// The peers that a torrent connects to whenever it starts.
    pub(super) fn named_peers(&self, entry: &Entry) -> Vec<SocketAddr> {
        let mut peers = entry.state().options.peers.clone();
        peers.extend(self.peers.lock().iter());
        peers
    }

    async fn add_peers(
        self: &Arc<Self>,
        entry: &Entry,
        peers: Vec<SocketAddr>,
    ) -> Result<(), ControlError> {
        let torrent = {
            let mut state = entry.state();
            keep(&mut state.options.peers, &peers);
            let is_paused = state.record.paused;
            match &state.run {
                Run::Running(torrent) => {
                    let torrent = torrent.clone();
                    if is_paused && let Some(facts) = &mut state.facts {
                        facts.keep_peers(&peers);
                    }
                    // One that could not start is given them when it is resumed.
                    let has_failed = matches!(torrent.status().phase, Phase::Failed(_));
                    Some(torrent).filter(|_| !has_failed)
                }
                Run::Dormant => {
                    if let Some(facts) = &mut state.facts {
                        facts.keep_peers(&peers);
                    }
                    None
                }
                Run::Idle => {
                    name_peers(&mut state.record, &peers);
                    None
                }
                Run::Fetching(fetching) => {
                    fetching.peers.try_send(peers.clone()).map_err(|_| {
                        ControlError::Conflict("too many peers were added at once".to_owned())
                    })?;
                    name_peers(&mut state.record, &peers);
                    None
                }
                Run::Starting | Run::Failed(_) => None,
            }
        };
        if let Some(torrent) = torrent {
            torrent.add_peers(peers).await?;
        }
        Ok(self.save(entry, None).await?)
    }
}

impl Facts {
    /// Keeps addresses for the time when it goes on; the latest come first, and displace the earliest.
    pub(super) fn keep_peers(&mut self, addrs: &[SocketAddr]) {
        keep(&mut self.peers, addrs);
    }
}

/// Puts addresses before those that are kept, each once.
fn keep(kept: &mut Vec<SocketAddr>, addrs: &[SocketAddr]) {
    let before = std::mem::take(kept);
    for addr in addrs.iter().copied().chain(before) {
        if kept.len() < MAX_KEPT && !kept.contains(&addr) {
            kept.push(addr);
        }
    }
}

/// Keeps addresses in the link of a torrent whose metadata is not known (`x.pe`), as many as there is room for.
pub(super) fn name_peers(record: &mut TorrentRecord, addrs: &[SocketAddr]) {
    let Some(mut magnet) = link(record) else {
        return;
    };
    for addr in addrs.iter().take(MAX_KEPT) {
        let Ok(peer) = HostPort::new(&addr.ip().to_string(), addr.port()) else {
            continue;
        };
        if !magnet.peers.contains(&peer) {
            magnet.peers.insert(0, peer);
        }
    }
    magnet.peers.truncate(MAX_KEPT);
    let text = magnet.to_string();
    if text.len() <= MAX_MAGNET_LEN {
        record.magnet = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;
    use tailwater_session::{AddOptions, Session};
    use tempfile::TempDir;

    use super::*;
    use crate::control::tests::{hello, start, until_peers, until_state};
    use crate::control::{AddParams, AddSource, TorrentState};

    /// A session with the torrent `x`, which wants nothing, so that it stays connected.
    async fn other(dir: &TempDir) -> (Session, SocketAddr) {
        let other = Session::builder().listen("127.0.0.1:0".parse().unwrap());
        let other = other.start().unwrap();
        let options = AddOptions::to_folder(dir.path().join("other")).paused(true);
        other.add(hello(), options).await.unwrap();
        let addr = other.listen_addr().unwrap();
        (other, addr)
    }

    fn paused() -> AddParams {
        AddParams {
            paused: true,
            ..AddParams::default()
        }
    }

    #[tokio::test]
    async fn a_peer_that_is_named_while_a_torrent_starts_is_not_forgotten() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let (other, addr) = other(&dir).await;
        let source = AddSource::TorrentFile(hello());
        let id = control.add(source, paused()).await.unwrap();
        let early = "127.0.0.1:1".parse().unwrap();
        control.add_peers(id, vec![early]).await.unwrap();
        let entry = control.inner.entry(id).unwrap();
        // The test takes each step of it, so that it stays where it is while the other peer is named.
        let changing = entry.changing.lock().await;
        let mut resuming = std::pin::pin!(control.inner.resume(&entry));
        // Those that were named before have been handed over, and it is not in the session yet.
        while !entry.state().facts.as_ref().unwrap().peers.is_empty() {
            assert!(poll!(&mut resuming).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(matches!(entry.state().run, Run::Dormant));
        let mut adding = std::pin::pin!(control.add_peers(id, vec![addr]));
        assert!(poll!(&mut adding).is_pending(), "it waits for its turn");
        resuming.await.unwrap();
        drop(changing);
        adding.await.unwrap();
        until_peers(&control, id, 1).await;
        control.close().await;
        other.close().await;
    }

    #[tokio::test]
    async fn a_peer_that_is_named_after_a_pause_is_connected_to_when_it_goes_on() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let (other, addr) = other(&dir).await;
        let source = AddSource::TorrentFile(hello());
        let id = control.add(source, AddParams::default()).await.unwrap();
        until_state(&control, id, TorrentState::Downloading).await;
        control.pause(id).await.unwrap();
        let entry = control.inner.entry(id).unwrap();
        assert!(matches!(entry.state().run, Run::Running(_)));
        control.add_peers(id, vec![addr]).await.unwrap();
        while !matches!(entry.state().run, Run::Dormant) {
            control.inner.unload_paused(u64::MAX).await;
        }
        control.close().await;
        let control = start(dir.path()).await;
        control.resume(id).await.unwrap();
        until_peers(&control, id, 1).await;
        control.close().await;
        other.close().await;
    }

    #[tokio::test]
    async fn peers_of_a_link_are_kept_while_it_is_paused_and_while_its_metadata_is_fetched() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let (other, addr) = other(&dir).await;
        let link = || AddSource::Link(other.torrents()[0].info_hash().to_string());
        let params = AddParams {
            peers: vec![addr],
            ..paused()
        };
        let id = control.add(link(), params).await.unwrap();
        control.close().await;
        let control = start(dir.path()).await;
        control.resume(id).await.unwrap();
        until_state(&control, id, TorrentState::Downloading).await;
        until_peers(&control, id, 1).await;
        control.remove(id, false).await.unwrap();
        control.close().await;

        std::fs::remove_dir_all(dir.path().join("state")).unwrap();
        let control = start(dir.path()).await;
        let id = control.add(link(), AddParams::default()).await.unwrap();
        control.add_peers(id, vec![addr]).await.unwrap();
        until_state(&control, id, TorrentState::Downloading).await;
        until_peers(&control, id, 1).await;
        control.close().await;
        other.close().await;
    }

    #[test]
    fn a_link_has_room_for_so_many_peers_each_once() {
        let mut record = TorrentRecord::of_magnet(
            &crate::control::add::magnet(&"7".repeat(40)).unwrap(),
            &AddOptions::to_folder("data"),
        );
        let addr = |port: u16| SocketAddr::from(([1, 2, 3, 4], port));
        name_peers(&mut record, &(1..=250).map(addr).collect::<Vec<_>>());
        name_peers(&mut record, &[addr(7), "[::1]:9".parse().unwrap()]);
        let peers = link(&record).unwrap().peers;
        assert_eq!(peers.len(), MAX_KEPT);
        assert_eq!(peers[0].to_string(), "[::1]:9");
    }
}
