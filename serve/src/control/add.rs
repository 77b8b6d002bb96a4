//! Adds torrents.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_metainfo::{InfoHash, InfoHashes, Magnet};
use tailwater_session::{AddError, AddOptions, FetchError, Source, StorageKind, TorrentRecord};

use super::change::ChangeKind;
use super::dormant::{Facts, check_files};
use super::entry::{Entry, Run, link};
use super::error::ControlError;
use super::id::TorrentId;
use super::inspect::read;
use super::peers::name_peers;
use super::request::{AddParams, AddSource, StorageChoice, trackers};
use super::service::{Control, Inner, now};
use super::store::{Figures, TorrentRow};
use super::totals::Transferred;
use super::url;

impl Control {
    /// Adds a torrent, which starts at once, and returns its name. Of a magnet link, the metadata is fetched in the
    /// background.
    ///
    /// # Errors
    ///
    /// When the source cannot be read or fetched, the daemon has the torrent, or what is asked for makes no sense or is not
    /// allowed; and when it cannot be saved. Then nothing was added.
    pub async fn add(
        &self,
        source: AddSource,
        mut params: AddParams,
    ) -> Result<TorrentId, ControlError> {
        params.check()?;
        let inner = Arc::clone(&self.inner);
        let adding = async move { inner.add(source, params).await };
        self.inner.finish(adding).await
    }
}

/// A torrent that is to be added.
struct New {
    id: TorrentId,
    record: TorrentRecord,
    file: Option<Vec<u8>>,
    /// What is known of it before it starts, if it does not start now.
    facts: Option<Facts>,
}

impl Inner {
    /// Adds a torrent with options that were checked.
    pub(super) async fn add(
        self: &Arc<Self>,
        source: AddSource,
        params: AddParams,
    ) -> Result<TorrentId, ControlError> {
        let storage = match params.storage {
            StorageChoice::Memory => StorageKind::Memory,
            StorageChoice::Disk => {
                let of_label = || self.of_labels(&params.labels, |label| label.folder.clone());
                let named = params.folder.clone().or_else(of_label).unwrap_or_default();
                StorageKind::Disk(self.folder(named.into()).await?)
            }
        };
        // What cannot be done when it is complete is said now.
        if let Some(folder) = &params.completed_folder {
            self.folder(folder.into()).await?;
        }
        let new = match source {
            AddSource::TorrentFile(bytes) => of_file(bytes, &params, storage)?,
            AddSource::Link(text) => {
                let text = text.trim();
                match url::is_url(text) {
                    true => {
                        let bytes = url::fetch(text, &self.config).await?;
                        of_file(bytes, &params, storage)?
                    }
                    false => of_link(text, &params, storage)?,
                }
            }
        };
        self.admit(new, &params).await
    }

    /// The folder that a caller means.
    pub(super) async fn folder(&self, named: PathBuf) -> Result<PathBuf, ControlError> {
        if named == Path::new("") {
            return Ok(self.folders.data().to_owned());
        }
        let folders = self.folders.clone();
        let resolving = tokio::task::spawn_blocking(move || folders.resolve(&named));
        resolving.await.map_err(|_| ControlError::Closed)?
    }

    /// Saves a new torrent, and then adds it to the session.
    async fn admit(
        self: &Arc<Self>,
        new: New,
        params: &AddParams,
    ) -> Result<TorrentId, ControlError> {
        let New {
            id,
            record,
            file,
            facts,
        } = new;
        if self.find(id).is_some() {
            return Err(ControlError::Duplicate(id));
        }
        let name = record.name.clone();
        let mut row = TorrentRow {
            number: 0,
            record,
            labels: params.labels.clone(),
            queue_position: self.next_position()?,
            options: params.stored(),
            added: now(),
            figures: Figures::default(),
            facts,
        };
        // Another caller may be adding the same one: the database decides.
        let saved = self.store.add_torrent(row.clone(), file.clone()).await?;
        row.number = saved.ok_or(ControlError::Duplicate(id))?;
        let entry = Arc::new(Entry::new(id, row));
        let _changing = entry.changing.lock().await;
        self.insert(Arc::clone(&entry));
        let name = match name.as_str() {
            "" => id.to_string(),
            _ => name,
        };
        if matches!(entry.state().run, Run::Dormant) {
            self.log.push(Some(id), ChangeKind::Added { name });
            return Ok(id);
        }
        if let Err(error) = self.activate(&entry, file, params.peers.clone()).await {
            self.forget(&entry);
            let removed = self
                .store
                .remove_torrent(entry.number, Transferred::default());
            // If it stays there, the next start tries it again, and says what is wrong with it.
            if let Err(error) = removed.await {
                tracing::warn!("torrent {id} stays in the database: {error}");
            }
            return Err(error);
        }
        self.log.push(Some(id), ChangeKind::Added { name });
        Ok(id)
    }

    /// The options of a torrent, which looks for its files elsewhere if it has never run.
    pub(super) fn first_time(&self, entry: &Entry, options: AddOptions) -> AddOptions {
        let state = entry.state();
        let figures = &state.figures;
        let has_run = figures.downloading_seconds + figures.seeding_seconds > 0;
        match has_run || state.facts.as_ref().is_some_and(|facts| facts.is_started) {
            true => options,
            false => options.reuse(self.config.reuse.iter().cloned()),
        }
    }

    /// Adds a torrent to the session, or fetches its metadata first. Its lock is held by the caller.
    pub(super) async fn activate(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        file: Option<Vec<u8>>,
        peers: Vec<SocketAddr>,
    ) -> Result<(), ControlError> {
        let record = entry.record();
        let Some(file) = file else {
            let magnet = link(&record).ok_or_else(|| {
                ControlError::Invalid("it has neither a .torrent file nor a magnet link".to_owned())
            })?;
            match record.paused {
                true => entry.set_run(Run::Idle),
                false => self.begin_fetch(entry, &magnet, peers),
            }
            return Ok(());
        };
        let mut peers = peers;
        if let Some(facts) = &mut entry.state().facts {
            peers.append(&mut facts.peers);
        }
        let named = peers.clone();
        peers.extend(self.named_peers(entry));
        let options = self.first_time(entry, record.options()).peers(peers);
        let source = match entry.has_other_metainfo() {
            true => Source::from(entry.metainfo(&file)?),
            false => Source::from(file),
        };
        let torrent = match self.session.add(source, options).await {
            Ok(torrent) => torrent,
            Err(error) => {
                if let Some(facts) = &mut entry.state().facts {
                    facts.keep_peers(&named);
                }
                return Err(error.into());
            }
        };
        // Files of these names may be its own from now on.
        if let Some(facts) = &mut entry.state().facts {
            facts.is_started = true;
        }
        self.limit_by_group(entry, Some(&torrent));
        entry.set_run(Run::Running(torrent));
        Ok(())
    }
}

/// A torrent by its .torrent file.
fn of_file(bytes: Vec<u8>, params: &AddParams, storage: StorageKind) -> Result<New, ControlError> {
    let metainfo = read(&bytes)?;
    let info = metainfo.info();
    let hash = info.info_hash();
    let mut record = TorrentRecord::of_magnet(&metainfo.magnet(), &params.options(storage));
    record.info_hash = hash.to_string();
    info.name().clone_into(&mut record.name);
    record.magnet = None;
    record.trackers = metainfo.trackers().to_vec();
    params.complete(&mut record);
    let chosen = params.files.iter().flatten().copied();
    let named = params.priorities.iter().map(|file| file.index);
    check_files(&metainfo, chosen.chain(named))?;
    let facts = record.paused.then(|| {
        let mut facts = Facts::new(&metainfo, &record);
        facts.keep_peers(&params.peers);
        facts
    });
    Ok(New {
        id: hash.into(),
        record,
        file: Some(bytes),
        facts,
    })
}

/// A torrent by a magnet link or an info-hash.
fn of_link(text: &str, params: &AddParams, storage: StorageKind) -> Result<New, ControlError> {
    let magnet = magnet(text)?;
    let hash = magnet
        .hashes
        .wire()
        .ok_or(AddError::Metadata(FetchError::NoHash))?;
    let mut record = TorrentRecord::of_magnet(&magnet, &params.options(storage));
    params.complete(&mut record);
    trackers(&record.trackers)?;
    if record.paused {
        name_peers(&mut record, &params.peers);
    }
    Ok(New {
        id: hash.into(),
        record,
        file: None,
        facts: None,
    })
}

/// A magnet link, or one of an info-hash alone.
pub(super) fn magnet(text: &str) -> Result<Magnet, ControlError> {
    match text.parse::<InfoHash>() {
        Ok(hash) => Ok(Magnet::new(InfoHashes {
            v1: Some(hash),
            v2: None,
        })),
        Err(_) => text
            .parse()
            .map_err(|error| ControlError::Invalid(format!("{error}"))),
    }
}
