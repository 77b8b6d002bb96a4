//! What a caller asks for, and its limits.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tailwater_metainfo::FileIndex;
use tailwater_session::{AddOptions, Priority, StorageKind, TorrentRecord, Totals, limits};
use utoipa::ToSchema;

use super::attributes::Attributes;
use super::check::{count, rate};
use super::error::ControlError;
use super::patch::patch;
use super::seeding::{Limit, OwnLimits};
use super::store::TorrentOptions;
use super::view::FilePriority;

/// The most labels of a torrent.
pub const MAX_LABELS: usize = 32;
/// The longest label, in bytes.
pub const MAX_LABEL_LEN: usize = 100;
/// The most peers that are named when a torrent is added.
const MAX_PEERS: usize = 200;
/// The longest title of a torrent, in bytes.
const MAX_TITLE_LEN: usize = 500;
/// The longest URL of a tracker or web seed, in bytes.
const MAX_URL_LEN: usize = 2_048;
/// The most files that are chosen: as many as the longest .torrent file can have, and then some.
const MAX_FILES: usize = 1_000_000;

/// Where a torrent comes from.
#[derive(Clone, Debug)]
pub enum AddSource {
    /// The bytes of a .torrent file.
    TorrentFile(Vec<u8>),
    /// A magnet link, an info-hash, or the http(s) URL of a .torrent file.
    Link(String),
}

/// Where pieces are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StorageChoice {
    /// In files.
    #[default]
    Disk,
    /// In the session's budget of memory; nothing touches the disk.
    Memory,
}

/// How a torrent is added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AddParams {
    /// The folder for its files: relative to the data folder, or below one that the daemon was given. Default: the data
    /// folder.
    pub folder: Option<String>,
    /// Where pieces are kept.
    pub storage: StorageChoice,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is added paused.
    pub paused: bool,
    /// The files to download, by their index. Default: all.
    pub files: Option<Vec<usize>>,
    /// How much some files are wanted; those that are not named are wanted as `files` says.
    pub priorities: Vec<FileChange>,
    /// Whether pieces are fetched in order.
    pub sequential: bool,
    /// Whether only what is streamed is fetched. Default: yes in memory, no on the disk.
    pub on_demand: Option<bool>,
    /// Its download rate limit, in bytes a second.
    pub download_limit: Option<u64>,
    /// Its upload rate limit, in bytes a second.
    pub upload_limit: Option<u64>,
    /// The most connected peers.
    pub max_peers: Option<usize>,
    /// When it stops to seed. Default: what its labels say, then the daemon.
    #[serde(flatten)]
    pub seeding: OwnLimits,
    /// The folder to which its files are moved when it is complete; an empty text for none. Default: what its labels say,
    /// then the daemon.
    pub completed_folder: Option<String>,
    /// What its user calls it. Its files keep their names.
    pub title: Option<String>,
    /// Whether it runs whatever the queue and the limits on seeding say.
    pub forced: bool,
    /// Addresses of peers to connect to.
    #[schema(value_type = Vec<String>)]
    pub peers: Vec<SocketAddr>,
    /// Trackers by tier, in place of those that the torrent names.
    pub trackers: Option<Vec<Vec<String>>>,
    /// Texts that a client keeps with it, by name.
    #[serde(skip)]
    pub attributes: Attributes,
}

impl AddParams {
    /// Checks everything that needs no torrent.
    pub(crate) fn check(&mut self) -> Result<(), ControlError> {
        self.labels = labels(std::mem::take(&mut self.labels))?;
        rate("download_limit", self.download_limit)?;
        rate("upload_limit", self.upload_limit)?;
        count("max_peers", self.max_peers)?;
        self.seeding.check()?;
        title(self.title.as_deref())?;
        let too_many = |what, most| Err(ControlError::Invalid(format!("more than {most} {what}")));
        if self.peers.len() > MAX_PEERS {
            return too_many("peers", MAX_PEERS);
        }
        let files = self.files.as_ref().map_or(0, Vec::len);
        if files.max(self.priorities.len()) > MAX_FILES {
            return too_many("files", MAX_FILES);
        }
        for file in &self.priorities {
            file.file()?;
        }
        super::attributes::check(&self.attributes)?;
        trackers(self.trackers.as_deref().unwrap_or_default())
    }

    /// For the session.
    pub(super) fn options(&self, folder: StorageKind) -> AddOptions {
        let in_memory = self.storage == StorageChoice::Memory;
        // Those that are no numbers of files have been refused.
        let priorities = self.priorities.iter();
        let priorities = priorities.filter_map(|file| file.file().ok());
        let mut options = AddOptions::new(folder)
            .file_priorities(priorities)
            .paused(self.paused)
            .sequential(self.sequential)
            .on_demand(self.on_demand.unwrap_or(in_memory))
            .totals(Totals::NONE);
        if let Some(files) = &self.files {
            options = options.files(files.iter().copied());
        }
        if let Some(limit) = self.download_limit {
            options = options.download_limit(limit);
        }
        if let Some(limit) = self.upload_limit {
            options = options.upload_limit(limit);
        }
        if let Some(peers) = self.max_peers {
            options = options.max_peers(peers);
        }
        options
    }

    /// What the daemon does with it.
    pub(super) fn stored(&self) -> TorrentOptions {
        TorrentOptions {
            seeding: self.seeding,
            completed_folder: self.completed_folder.clone(),
            title: self.title.clone(),
            forced: self.forced,
            attributes: self.attributes.clone(),
            peers: self.peers.clone(),
            ..TorrentOptions::default()
        }
    }

    /// Puts what the options do not carry into a record.
    pub(super) fn complete(&self, record: &mut TorrentRecord) {
        if let Some(tiers) = &self.trackers {
            record.trackers.clone_from(tiers);
        }
    }
}

patch! {
    /// Changes of a torrent: what is missing stays.
    pub struct TorrentPatch {
        /// Replaces its labels.
        labels: Vec<String>,
        /// Its download rate limit, in bytes a second; null lifts it.
        download_limit: Option<u64>,
        /// Its upload rate limit, in bytes a second; null lifts it.
        upload_limit: Option<u64>,
        /// The most connected peers; null for the daemon's number.
        max_peers: Option<usize>,
        /// Its upload slots; null for the daemon's number.
        upload_slots: Option<usize>,
        /// It is paused when it is complete and has uploaded so many times its size: a number, or "none"; null for what its
        /// labels say, then the daemon.
        ratio_limit: Option<Limit<f64>>,
        /// It is paused when it is complete and has sent and received nothing for so many seconds, or "none"; null for what
        /// its labels say, then the daemon.
        idle_limit: Option<Limit<u64>>,
        /// It is paused when it has seeded for so many seconds, or "none"; null for what its labels say, then the daemon.
        seeding_time_limit: Option<Limit<u64>>,
        /// The folder to which its files are moved when it is complete; an empty text for none, null for what its labels
        /// say, then the daemon.
        completed_folder: Option<String>,
        /// Whether pieces are fetched in order.
        sequential: bool,
        /// Whether it super-seeds (BEP 16).
        super_seeding: bool,
        /// What its user calls it; null for its own name. Its files keep their names.
        title: Option<String>,
        /// Whether it runs whatever the queue and the limits on seeding say.
        forced: bool,
        /// Its place in the queue, from 1; the others make room.
        queue_position: u64,
    }
}

impl TorrentPatch {
    /// Checks everything, so that either all of it is done or nothing.
    pub(crate) fn check(&mut self) -> Result<(), ControlError> {
        if let Some(new) = self.labels.take() {
            self.labels = Some(labels(new)?);
        }
        rate("download_limit", self.download_limit.flatten())?;
        rate("upload_limit", self.upload_limit.flatten())?;
        count("max_peers", self.max_peers.flatten())?;
        count("upload_slots", self.upload_slots.flatten())?;
        title(self.title.as_ref().and_then(Option::as_deref))?;
        self.seeding(OwnLimits::default()).check()
    }

    /// The limits with these changes.
    pub(super) fn seeding(&self, before: OwnLimits) -> OwnLimits {
        OwnLimits {
            ratio_limit: self.ratio_limit.unwrap_or(before.ratio_limit),
            idle_limit: self.idle_limit.unwrap_or(before.idle_limit),
            seeding_time_limit: self.seeding_time_limit.unwrap_or(before.seeding_time_limit),
        }
    }
}

/// A new priority of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// Its index.
    pub index: usize,
    /// How much it is wanted.
    pub priority: FilePriority,
}

impl FileChange {
    /// For the session.
    pub(super) fn file(self) -> Result<(FileIndex, Priority), ControlError> {
        let index = u32::try_from(self.index);
        let index =
            index.map_err(|_| ControlError::Invalid(format!("there is no file {}", self.index)))?;
        Ok((FileIndex::new(index), self.priority.into()))
    }
}

/// Labels without blanks around them, each once.
pub(super) fn labels(labels: Vec<String>) -> Result<Vec<String>, ControlError> {
    let mut kept: Vec<String> = Vec::new();
    for label in labels {
        let label = label.trim();
        // Clients of other APIs write lists of labels with commas.
        let is_wrong = |c: char| c.is_control() || c == ',';
        if label.is_empty() || label.len() > MAX_LABEL_LEN || label.contains(is_wrong) {
            return Err(ControlError::Invalid(format!(
                "a label has 1 to {MAX_LABEL_LEN} bytes, and no comma or control character"
            )));
        }
        if !kept.iter().any(|known| known == label) {
            kept.push(label.to_owned());
        }
    }
    match kept.len() {
        0..=MAX_LABELS => Ok(kept),
        _ => Err(ControlError::Invalid(format!(
            "a torrent has at most {MAX_LABELS} labels"
        ))),
    }
}

/// Checks what a torrent is to be called.
fn title(title: Option<&str>) -> Result<(), ControlError> {
    let is_wrong = |title: &str| {
        title.trim().is_empty() || title.len() > MAX_TITLE_LEN || title.contains(char::is_control)
    };
    match title.is_some_and(is_wrong) {
        true => Err(ControlError::Invalid(format!(
            "a title has 1 to {MAX_TITLE_LEN} bytes, and no control character"
        ))),
        false => Ok(()),
    }
}

/// Checks that lists of trackers are not out of all proportion; the torrent checks the URLs.
pub(super) fn trackers(tiers: &[Vec<String>]) -> Result<(), ControlError> {
    let mut urls = tiers.iter().flatten();
    if tiers.iter().map(Vec::len).sum::<usize>() > limits::MAX_TRACKERS
        || tiers.len() > limits::MAX_TRACKERS
    {
        let most = limits::MAX_TRACKERS;
        return Err(ControlError::Invalid(format!("more than {most} trackers")));
    }
    match urls.any(|url| url.len() > MAX_URL_LEN) {
        true => Err(ControlError::Invalid(format!(
            "the URL of a tracker is longer than {MAX_URL_LEN} bytes"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_plain_and_few() {
        let checked = |given: &[&str]| labels(given.iter().map(ToString::to_string).collect());
        assert_eq!(checked(&[" a ", "b c", "a"]).unwrap(), ["a", "b c"]);
        let long = "x".repeat(MAX_LABEL_LEN + 1);
        for label in ["", " ", "a,b", "a\nb", &long] {
            assert!(checked(&[label]).is_err(), "{label:?}");
        }
        let many: Vec<_> = (0..=MAX_LABELS).map(|n| n.to_string()).collect();
        assert!(labels(many).is_err());
    }

    #[test]
    fn what_is_unknown_or_of_the_wrong_type_is_refused() {
        for json in [
            r#"{"folders":"a"}"#,
            r#"{"paused":"yes"}"#,
            r#"{"files":[-1]}"#,
            r#"{"peers":["nowhere"]}"#,
            r#"{"storage":"tape"}"#,
        ] {
            assert!(serde_json::from_str::<AddParams>(json).is_err(), "{json}");
        }
        let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(MAX_TITLE_LEN + 1));
        for json in [r#"{"download_limit":0}"#, r#"{"title":" "}"#, &long] {
            let mut params: AddParams = serde_json::from_str(json).unwrap();
            assert!(params.check().is_err(), "{json}");
        }
        let mut patch: TorrentPatch = serde_json::from_str(r#"{"title":"a\nb"}"#).unwrap();
        assert!(patch.check().is_err());
        let mut patch: TorrentPatch = serde_json::from_str(r#"{"title":null}"#).unwrap();
        assert!(patch.check().is_ok());
    }
}
