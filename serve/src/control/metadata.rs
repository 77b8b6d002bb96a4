//! Fetches the metadata of magnet links.

use std::net::SocketAddr;
use std::sync::Arc;

use tailwater_metainfo::{Magnet, Metainfo};
use tailwater_session::{FetchProgress, MetadataFetch, Priority, TorrentRecord};

use super::change::ChangeKind;
use super::entry::{Entry, Fetching, Run, link};
use super::error::ControlError;
use super::service::Inner;

impl Inner {
    /// Begins to fetch the metadata of a link; the torrent starts when it is there.
    pub(super) fn begin_fetch(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        magnet: &Magnet,
        peers: Vec<SocketAddr>,
    ) {
        let fetching = Fetching {
            cancel: self.closing.child_token(),
            progress: Arc::default(),
        };
        entry.set_run(Run::Fetching(fetching.clone()));
        let fetch = self.session.fetch(magnet);
        let (inner, entry) = (Arc::clone(self), Arc::clone(entry));
        self.tasks.spawn(async move {
            let cancel = fetching.cancel.clone();
            let fetched = inner.fetch(fetch, peers, fetching);
            let Some((fetch, metainfo)) = cancel.run_until_cancelled(fetched).await else {
                return;
            };
            let _changing = entry.changing.lock().await;
            // It may have been paused or removed while the lock was taken.
            if cancel.is_cancelled() {
                return;
            }
            let started = match metainfo {
                Ok(metainfo) => inner.begin_torrent(&entry, &fetch, metainfo).await,
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
        fetching: Fetching,
    ) -> (MetadataFetch, Result<Metainfo, ControlError>) {
        // A fetch that is over has an outcome.
        let _ = fetch.add_peers(peers).await;
        while let Ok(progress) = fetch.changed().await {
            set(&fetching, progress);
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
    ) -> Result<(), ControlError> {
        let record = entry.record();
        let options = self.first_time(entry, record.options());
        let mut options = options.peers(fetch.peers()).banned(fetch.banned());
        if let Some(files) = selected(&record, &metainfo) {
            options = options.files(files);
        }
        let torrent = self.session.add(metainfo, options).await?;
        let name = torrent.info().name().to_owned();
        let file = torrent.record().torrent_file;
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
