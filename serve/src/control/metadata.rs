//! Fetches the metadata of magnet links.

use std::net::SocketAddr;
use std::sync::Arc;

use tailwater_metainfo::{Magnet, Metainfo};
use tailwater_session::{FetchProgress, MetadataFetch, Priority, TorrentRecord};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::change::ChangeKind;
use super::entry::{Entry, Fetching, Run, link};
use super::error::ControlError;
use super::service::Inner;

/// How often peers may be named while a fetch is busy.
const NAMED_QUEUE: usize = 16;

impl Inner {
    /// Begins to fetch the metadata of a link; the torrent starts when it is there.
    pub(super) fn begin_fetch(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        magnet: &Magnet,
        peers: Vec<SocketAddr>,
    ) {
        let (named_in, mut named) = mpsc::channel(NAMED_QUEUE);
        let fetching = Fetching {
            cancel: self.closing.child_token(),
            over: CancellationToken::new(),
            peers: named_in,
            progress: Arc::default(),
        };
        entry.set_run(Run::Fetching(fetching.clone()));
        let fetch = self.session.fetch(magnet);
        let mut peers = peers;
        peers.extend(self.named_peers(entry));
        let (inner, entry) = (Arc::clone(self), Arc::clone(entry));
        self.tasks.spawn(async move {
            let cancel = fetching.cancel.clone();
            // Dropped after the fetch.
            let _over = fetching.over.clone().drop_guard();
            let fetched = async {
                let fetched = inner.fetch(fetch, peers, &mut named, fetching).await;
                (fetched, entry.changing.lock().await)
            };
            // Who pauses or removes it holds the lock, and waits until this is over.
            let Some(((fetch, metainfo), _changing)) = cancel.run_until_cancelled(fetched).await
            else {
                return;
            };
            if cancel.is_cancelled() {
                return;
            }
            let started = match metainfo {
                Ok(metainfo) => {
                    let mut peers = fetch.peers();
                    while let Ok(mut addrs) = named.try_recv() {
                        peers.append(&mut addrs);
                    }
                    inner.begin_torrent(&entry, &fetch, metainfo, peers).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = started {
                inner.fail(&entry, &error);
            }
        });
    }

    async fn fetch(
        &self,
        mut fetch: MetadataFetch,
        peers: Vec<SocketAddr>,
        named: &mut mpsc::Receiver<Vec<SocketAddr>>,
        fetching: Fetching,
    ) -> (MetadataFetch, Result<Metainfo, ControlError>) {
        // A fetch that is over has an outcome.
        let _ = fetch.add_peers(peers).await;
        loop {
            tokio::select! {
                progress = fetch.changed() => match progress {
                    Ok(progress) => set(&fetching, progress),
                    Err(_) => break,
                },
                Some(peers) = named.recv() => {
                    let _ = fetch.add_peers(peers).await;
                }
            }
        }
        let metainfo = fetch.wait().await;
        let metainfo = metainfo.map_err(tailwater_session::AddError::from);
        (fetch, metainfo.map_err(ControlError::from))
    }

    /// Adds a torrent whose metadata has been fetched.
    async fn begin_torrent(
        &self,
        entry: &Entry,
        fetch: &MetadataFetch,
        metainfo: Metainfo,
        peers: Vec<SocketAddr>,
    ) -> Result<(), ControlError> {
        let record = entry.record();
        let mut peers = peers;
        peers.extend(self.named_peers(entry));
        let options = self.first_time(entry, record.options());
        let mut options = options.peers(peers).banned(fetch.banned());
        if let Some(files) = selected(&record, &metainfo) {
            options = options.files(files);
        }
        let torrent = self.session.add(metainfo, options).await?;
        let name = torrent.info().name().to_owned();
        let file = torrent.record().torrent_file;
        self.limit_by_group(entry, Some(&torrent));
        entry.set_run(Run::Running(torrent));
        self.log
            .push(Some(entry.id), ChangeKind::MetadataFetched { name });
        // The log says it if this fails; the next start fetches the metadata anew.
        let _ = self.save(entry, file).await;
        Ok(())
    }
}

/// The files that the link selects (BEP 53), if the user has not chosen others.
fn selected(record: &TorrentRecord, metainfo: &Metainfo) -> Option<Vec<usize>> {
    let magnet = link(record).filter(|magnet| !magnet.select_only.is_empty())?;
    if record.other_files == Priority::Skip || !record.file_priorities.is_empty() {
        return None;
    }
    let all = 0..metainfo.info().files().len();
    let selected = all.filter(|file| u32::try_from(*file).is_ok_and(|file| magnet.selects(file)));
    let selected: Vec<_> = selected.collect();
    // A link that selects nothing that is there means all.
    (!selected.is_empty()).then_some(selected)
}

fn set(fetching: &Fetching, progress: FetchProgress) {
    *fetching.progress.lock() = progress;
}
