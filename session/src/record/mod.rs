//! Records of torrents: everything that is needed to add a torrent again exactly as it was.

#[cfg(feature = "serde")]
mod bytes;
mod torrent_file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tailwater_metainfo::{FileIndex, Magnet};

use crate::error::AddError;
use crate::handle::Torrent;
use crate::options::{AddOptions, StorageKind};
use crate::session::Session;
use crate::source::Source;
use crate::status::Totals;
use crate::torrent::Priority;

pub use torrent_file::torrent_file;

/// The record of a torrent: everything that is needed to add it again exactly as it was. [`Torrent::record`] makes it
/// and [`Session::add_record`] takes it, in another session or after a restart. Data that is on the disk already is
/// vouched for by the [state folder](crate::SessionBuilder::state_dir), or is hashed.
///
/// With feature `serde` it can be serialised: in text formats its bytes are base64, and its folder has to be UTF-8. A field
/// that is missing has its default, so that records of earlier versions can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
#[non_exhaustive]
pub struct TorrentRecord {
    /// Its info-hash in hexadecimal digits, for a program that looks for it.
    pub info_hash: String,
    /// Its name, for a program that looks for it.
    pub name: String,
    /// The .torrent file, info dictionary included; `None` while only a magnet link is known.
    #[cfg_attr(feature = "serde", serde(with = "bytes"))]
    pub torrent_file: Option<Vec<u8>>,
    /// The magnet link, if that is all there is.
    pub magnet: Option<String>,
    /// Where its pieces are kept.
    pub storage: StorageRecord,
    /// The priorities of files, by their index in the info dictionary.
    pub file_priorities: BTreeMap<u32, Priority>,
    /// The priority of the files that are not named.
    pub other_files: Priority,
    /// Its trackers, by tier.
    pub trackers: Vec<Vec<String>>,
    /// Its web seeds that the user named; see [`AddOptions::web_seeds`].
    pub web_seeds: Vec<String>,
    /// See [`AddOptions::announce`].
    pub announce: bool,
    /// See [`AddOptions::sequential`].
    pub sequential: bool,
    /// See [`AddOptions::on_demand`].
    pub on_demand: bool,
    /// See [`AddOptions::paused`].
    pub paused: bool,
    /// See [`AddOptions::seed_only`].
    pub seed_only: bool,
    /// See [`AddOptions::seed_partial`].
    pub seed_partial: bool,
    /// See [`AddOptions::overwrite`].
    pub overwrite: bool,
    /// See [`AddOptions::part_names`].
    pub part_names: bool,
    /// See [`AddOptions::preallocate`].
    pub preallocate: bool,
    /// See [`AddOptions::reuse`].
    pub reuse: Vec<PathBuf>,
    /// See [`AddOptions::super_seeding`].
    pub super_seeding: bool,
    /// See [`AddOptions::max_peers`].
    pub max_peers: Option<usize>,
    /// See [`AddOptions::upload_slots`].
    pub upload_slots: Option<usize>,
    /// See [`AddOptions::download_limit`].
    pub download_limit: Option<u64>,
    /// See [`AddOptions::upload_limit`].
    pub upload_limit: Option<u64>,
    /// What was ever transferred, over all sessions.
    pub totals: Totals,
}

/// Where a torrent's pieces are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum StorageRecord {
    /// The session's memory budget.
    #[default]
    Memory,
    /// Files below a folder.
    Folder(PathBuf),
}

impl Default for TorrentRecord {
    fn default() -> Self {
        Self {
            info_hash: String::new(),
            name: String::new(),
            torrent_file: None,
            magnet: None,
            storage: StorageRecord::default(),
            file_priorities: BTreeMap::new(),
            other_files: Priority::Normal,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            announce: true,
            sequential: false,
            on_demand: false,
            paused: false,
            seed_only: false,
            seed_partial: false,
            overwrite: false,
            part_names: false,
            preallocate: false,
            reuse: Vec::new(),
            super_seeding: false,
            max_peers: None,
            upload_slots: None,
            download_limit: None,
            upload_limit: None,
            totals: Totals::NONE,
        }
    }
}

impl TorrentRecord {
    /// The record of a magnet link whose metadata has not been fetched, as it would be added with these options.
    #[must_use]
    pub fn of_magnet(magnet: &Magnet, options: &AddOptions) -> Self {
        let chosen = options.files.iter().flatten();
        let chosen = chosen.map(|file| (index(*file), Priority::Normal));
        let named = options.priorities.iter();
        let named = named.map(|(file, priority)| (file.get(), *priority));
        Self {
            info_hash: magnet
                .hashes
                .wire()
                .map(|hash| hash.to_string())
                .unwrap_or_default(),
            name: magnet.name.clone().unwrap_or_default(),
            magnet: Some(magnet.to_string()),
            file_priorities: chosen.chain(named).collect(),
            other_files: match options.files {
                Some(_) => Priority::Skip,
                None => Priority::Normal,
            },
            trackers: magnet
                .trackers
                .iter()
                .map(|url| vec![url.clone()])
                .collect(),
            ..Self::of_options(options)
        }
    }

    fn of(torrent: &Torrent) -> Self {
        let settings = torrent.shared.settings.lock().clone();
        let status = torrent.status.borrow();
        // Before it has run, its status does not count what came before.
        let totals = Totals {
            downloaded: status
                .totals
                .downloaded
                .max(settings.options.totals.downloaded),
            uploaded: status.totals.uploaded.max(settings.options.totals.uploaded),
        };
        let files = settings.priorities.into_iter().enumerate();
        let unusual = files.filter(|(_, priority)| *priority != Priority::Normal);
        Self {
            info_hash: torrent.info_hash().to_string(),
            name: torrent.info().name().to_owned(),
            torrent_file: Some(torrent_file(torrent.metainfo())),
            file_priorities: unusual.map(|(file, it)| (index(file), it)).collect(),
            trackers: torrent.tracker_tiers(),
            totals,
            ..Self::of_options(&settings.options)
        }
    }

    fn of_options(options: &AddOptions) -> Self {
        Self {
            storage: match &options.storage {
                StorageKind::Disk(folder) => StorageRecord::Folder(folder.clone()),
                StorageKind::Memory => StorageRecord::Memory,
            },
            web_seeds: options.web_seeds.clone(),
            announce: options.announce,
            sequential: options.sequential,
            on_demand: options.on_demand,
            paused: options.paused,
            seed_only: options.disk.seed_only,
            seed_partial: options.disk.seed_partial,
            overwrite: options.disk.overwrite,
            part_names: options.disk.part_names,
            preallocate: options.disk.preallocate,
            reuse: options.reuse.clone(),
            super_seeding: options.super_seeding,
            max_peers: options.max_peers,
            upload_slots: options.upload_slots,
            download_limit: options.download_limit,
            upload_limit: options.upload_limit,
            totals: options.totals,
            ..Self::default()
        }
    }

    /// What it is added from.
    fn source(&self) -> Option<Source> {
        let file = self.torrent_file.clone().map(Source::from);
        file.or_else(|| self.magnet.as_deref().map(Source::from))
    }

    /// The options it was added with, and those that were changed since.
    #[must_use]
    pub fn options(&self) -> AddOptions {
        let storage = match &self.storage {
            StorageRecord::Memory => StorageKind::Memory,
            StorageRecord::Folder(folder) => StorageKind::Disk(folder.clone()),
        };
        let files = self.file_priorities.iter();
        let files = files.map(|(file, priority)| (FileIndex::new(*file), *priority));
        let mut options = AddOptions::new(storage)
            .file_priorities(files)
            .trackers(self.trackers.clone())
            .web_seeds(self.web_seeds.iter().cloned())
            .announce(self.announce || !self.trackers.is_empty())
            .sequential(self.sequential)
            .on_demand(self.on_demand)
            .paused(self.paused)
            .seed_only(self.seed_only)
            .overwrite(self.overwrite)
            .part_names(self.part_names)
            .preallocate(self.preallocate)
            .reuse(self.reuse.iter().cloned())
            .super_seeding(self.super_seeding)
            .totals(self.totals);
        if self.other_files == Priority::Skip {
            options = options.files([]);
        }
        if self.seed_partial {
            options = options.seed_partial(true);
        }
        options.max_peers = self.max_peers;
        options.upload_slots = self.upload_slots;
        options.download_limit = self.download_limit;
        options.upload_limit = self.upload_limit;
        options
    }
}

impl Torrent {
    /// The record of this torrent as it is now, with what has been transferred; at most 200 ms old. Peers are not in
    /// it: they are found anew.
    #[must_use]
    pub fn record(&self) -> TorrentRecord {
        TorrentRecord::of(self)
    }
}

impl Session {
    /// Adds a torrent as it was when [`Torrent::record`] was called.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing has been added.
    ///
    /// # Errors
    ///
    /// As for [`Session::add`].
    pub async fn add_record(&self, record: &TorrentRecord) -> Result<Torrent, AddError> {
        let source = record.source().ok_or_else(|| AddError::Unreadable {
            origin: "the record".to_owned(),
            reason: "it has neither a torrent file nor a magnet link".to_owned(),
        })?;
        self.add(source, record.options()).await
    }
}

/// A torrent's file list fits into a .torrent of a few megabytes, so its indices fit a `u32`.
fn index(file: usize) -> u32 {
    u32::try_from(file).unwrap_or(u32::MAX)
}
