//! Groups of torrents that share rate limits, and which of the limits of others hold for a torrent.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tailwater_session::{RateGroup, Torrent};

use super::entry::Entry;
use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner};
use super::store::{Store, StoreError};

/// The most groups.
const MAX_GROUPS: usize = 1_000;
/// The longest name of a group, in bytes.
const MAX_GROUP_LEN: usize = 100;
/// The name of the groups in the database.
const GROUPS: &str = "rate_groups";

/// The rate limits that the torrents of a group share, beside their own. A number is kept while its limit does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GroupOptions {
    /// Bytes a second, over all of them.
    pub(crate) download_limit: u64,
    /// Whether it holds.
    pub(crate) is_download_limited: bool,
    /// Bytes a second, over all of them.
    pub(crate) upload_limit: u64,
    /// Whether it holds.
    pub(crate) is_upload_limited: bool,
    /// Whether the daemon's rate limits hold for them too.
    pub(crate) keeps_session_limits: bool,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            download_limit: 0,
            is_download_limited: false,
            upload_limit: 0,
            is_upload_limited: false,
            keeps_session_limits: true,
        }
    }
}

/// A change of a group: what is missing stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupPatch {
    pub(crate) download_limit: Option<u64>,
    pub(crate) is_download_limited: Option<bool>,
    pub(crate) upload_limit: Option<u64>,
    pub(crate) is_upload_limited: Option<bool>,
    pub(crate) keeps_session_limits: Option<bool>,
}

impl GroupPatch {
    fn on(self, before: GroupOptions) -> GroupOptions {
        let limited = self.is_download_limited;
        GroupOptions {
            download_limit: self.download_limit.unwrap_or(before.download_limit),
            is_download_limited: limited.unwrap_or(before.is_download_limited),
            upload_limit: self.upload_limit.unwrap_or(before.upload_limit),
            is_upload_limited: self.is_upload_limited.unwrap_or(before.is_upload_limited),
            keeps_session_limits: self
                .keeps_session_limits
                .unwrap_or(before.keeps_session_limits),
        }
    }
}

/// What holds for a torrent beside what lists of torrents say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The name of its group; empty without one.
    pub(crate) group: String,
    /// Whether the rate limits of the daemon and of its group hold for it.
    pub(crate) keeps_session_limits: bool,
    /// Since when it runs or waits, as a Unix time; `None` if it is paused.
    pub(crate) runs_since: Option<u64>,
}

#[derive(Debug, Default)]
struct Group {
    options: GroupOptions,
    limits: RateGroup,
}

impl Group {
    fn set(&mut self, options: GroupOptions) -> Result<(), ControlError> {
        self.options = options;
        // No limit of the session is one of nothing; one of a byte a second is as good.
        let limit = |holds: bool, rate: u64| holds.then_some(rate.max(1));
        let GroupOptions {
            download_limit,
            is_download_limited,
            upload_limit,
            is_upload_limited,
            keeps_session_limits,
        } = options;
        let limits = &self.limits;
        limits.set_download_limit(limit(is_download_limited, download_limit))?;
        limits.set_upload_limit(limit(is_upload_limited, upload_limit))?;
        limits.set_keeps_session_limits(keeps_session_limits);
        Ok(())
    }
}

/// The groups, by their names.
#[derive(Debug, Default)]
pub(super) struct Groups {
    known: Mutex<BTreeMap<String, Group>>,
    /// Held while they are saved.
    saving: tokio::sync::Mutex<()>,
}

impl Groups {
    /// Those that are saved.
    pub(super) async fn read(store: &Store) -> Result<Self, ControlError> {
        let groups = Self::default();
        let saved = store.setting(GROUPS).await?;
        let saved: BTreeMap<String, GroupOptions> = match saved.as_deref() {
            None => BTreeMap::new(),
            Some(json) => serde_json::from_str(json).unwrap_or_else(|error| {
                tracing::error!("the groups in the database cannot be read: {error}");
                BTreeMap::new()
            }),
        };
        for (name, options) in saved.into_iter().take(MAX_GROUPS) {
            groups.known.lock().entry(name).or_default().set(options)?;
        }
        Ok(groups)
    }

    async fn save(&self, store: &Store) -> Result<(), StoreError> {
        let _saving = self.saving.lock().await;
        let all: BTreeMap<String, GroupOptions> = {
            let known = self.known.lock();
            let all = known.iter().map(|(name, it)| (name.clone(), it.options));
            all.collect()
        };
        let json = serde_json::to_string(&all).unwrap_or_default();
        store.save_setting(GROUPS, json).await
    }

    /// Makes a group if there is none of this name; whether it did.
    fn make(&self, name: &str) -> Result<bool, ControlError> {
        let mut known = self.known.lock();
        if known.contains_key(name) {
            return Ok(false);
        }
        if known.len() >= MAX_GROUPS {
            let reason = format!("there are {MAX_GROUPS} groups, and no more are allowed");
            return Err(ControlError::Invalid(reason));
        }
        known.insert(name.to_owned(), Group::default());
        Ok(true)
    }
}

/// A name without blanks around it.
fn checked(name: &str) -> Result<&str, ControlError> {
    let name = name.trim();
    match name.is_empty() || name.len() > MAX_GROUP_LEN || name.contains(char::is_control) {
        true => Err(ControlError::Invalid(format!(
            "the name of a group has 1 to {MAX_GROUP_LEN} bytes, and no control character"
        ))),
        false => Ok(name),
    }
}

impl Control {
    /// All groups, by their names.
    pub(crate) fn groups(&self) -> Vec<(String, GroupOptions)> {
        let known = self.inner.groups.known.lock();
        let groups = known.iter().map(|(name, it)| (name.clone(), it.options));
        groups.collect()
    }

    /// Changes a group, which is made if need be. Its limits hold at once.
    ///
    /// # Errors
    ///
    /// When the name cannot be used or there are too many, and then nothing is changed; when it cannot be saved, and then it
    /// holds until the process ends.
    pub(crate) async fn set_group(
        &self,
        name: &str,
        patch: GroupPatch,
    ) -> Result<(), ControlError> {
        let name = checked(name)?.to_owned();
        let inner = std::sync::Arc::clone(&self.inner);
        let setting = async move {
            inner.groups.make(&name)?;
            if let Some(group) = inner.groups.known.lock().get_mut(&name) {
                group.set(patch.on(group.options))?;
            }
            Ok(inner.groups.save(&inner.store).await?)
        };
        self.inner.finish(setting).await
    }

    /// Puts a torrent into a group, which is made if need be; an empty name takes it out.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, the name cannot be used or there are too many groups, and then nothing is changed; when it
    /// cannot be saved, and then it holds until the process ends.
    pub(crate) async fn join_group(&self, id: TorrentId, name: &str) -> Result<(), ControlError> {
        let name = match name.trim() {
            "" => "",
            name => checked(name)?,
        };
        let name = name.to_owned();
        self.change(id, |inner, entry| async move {
            let is_new = !name.is_empty() && inner.groups.make(&name)?;
            entry.state().options.group = name;
            inner.limit_by_group(&entry, entry.torrent().as_ref());
            if is_new {
                inner.groups.save(&inner.store).await?;
            }
            inner.changed(&entry).await
        })
        .await
    }

    /// Has the rate limits of the daemon and of its group hold for a torrent, or its own alone.
    ///
    /// # Errors
    ///
    /// When there is no such torrent; when it cannot be saved, and then it holds until the process ends.
    pub(crate) async fn keep_session_limits(
        &self,
        id: TorrentId,
        keeps: bool,
    ) -> Result<(), ControlError> {
        self.change(id, move |inner, entry| async move {
            entry.state().options.own_limits_alone = !keeps;
            inner.limit_by_group(&entry, entry.torrent().as_ref());
            inner.changed(&entry).await
        })
        .await
    }

    /// What holds for a torrent beside what lists say; `None` if there is no such torrent.
    pub(crate) fn standing(&self, id: TorrentId) -> Option<Standing> {
        let entry = self.inner.find(id)?;
        let state = entry.state();
        Some(Standing {
            group: state.options.group.clone(),
            keeps_session_limits: !state.options.own_limits_alone,
            runs_since: (!state.record.paused).then_some(state.runs_since),
        })
    }
}

impl Inner {
    /// Has a torrent of the session keep to the limits of its group, if it has one, and to those of the session or not.
    pub(super) fn limit_by_group(&self, entry: &Entry, torrent: Option<&Torrent>) {
        let Some(torrent) = torrent else {
            return;
        };
        let (name, own_alone) = {
            let state = entry.state();
            (state.options.group.clone(), state.options.own_limits_alone)
        };
        let known = self.groups.known.lock();
        torrent.set_rate_group(known.get(&name).map(|group| &group.limits));
        torrent.set_keeps_session_limits(!own_alone);
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::control::tests::{add, start, until_state};
    use crate::control::{TorrentPatch, TorrentState};

    #[tokio::test]
    async fn groups_and_their_torrents_outlast_the_process() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let id = add(&control, "x").await;
        control.join_group(id, " slow ").await.unwrap();
        let patch = GroupPatch {
            download_limit: Some(5_000),
            is_download_limited: Some(true),
            ..GroupPatch::default()
        };
        control.set_group("slow", patch).await.unwrap();
        control.keep_session_limits(id, false).await.unwrap();
        let shown = |control: &Control| {
            let standing = control.standing(id).unwrap();
            assert_eq!(standing.group, "slow");
            assert!(!standing.keeps_session_limits && standing.runs_since.is_some());
            let groups = control.groups();
            assert_eq!((groups.len(), groups[0].0.as_str()), (1, "slow"));
            let options = groups[0].1;
            assert_eq!(
                (options.download_limit, options.is_download_limited),
                (5_000, true)
            );
            assert!(options.keeps_session_limits && !options.is_upload_limited);
            let known = control.inner.groups.known.lock();
            assert_eq!(known["slow"].limits.download_limit(), Some(5_000));
            drop(known);
            let torrent = control.running(id).unwrap();
            assert!(!torrent.keeps_session_limits());
        };
        until_state(&control, id, TorrentState::Downloading).await;
        shown(&control);
        control.close().await;
        let control = start(dir.path()).await;
        until_state(&control, id, TorrentState::Downloading).await;
        shown(&control);
        // A number stays while its limit does not hold.
        let off = GroupPatch {
            is_download_limited: Some(false),
            ..GroupPatch::default()
        };
        control.set_group("slow", off).await.unwrap();
        assert_eq!(control.groups()[0].1.download_limit, 5_000);
        control.join_group(id, "").await.unwrap();
        assert_eq!(control.standing(id).unwrap().group, "");
        // What is changed of a torrent otherwise leaves it as it is.
        control.patch(id, TorrentPatch::default()).await.unwrap();
        assert!(!control.standing(id).unwrap().keeps_session_limits);
        control.close().await;
    }

    #[tokio::test]
    async fn names_are_short_and_groups_few() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let id = add(&control, "x").await;
        let none = GroupPatch::default();
        let long = "x".repeat(MAX_GROUP_LEN + 1);
        for name in ["", " ", "a\nb", &long] {
            assert!(control.set_group(name, none).await.is_err(), "{name:?}");
        }
        assert!(control.join_group(id, &long).await.is_err());
        for n in 0..MAX_GROUPS {
            control.inner.groups.make(&n.to_string()).unwrap();
        }
        assert!(control.set_group("7", none).await.is_ok());
        assert!(control.set_group("one more", none).await.is_err());
        assert!(control.join_group(id, "one more").await.is_err());
        assert_eq!(control.standing(id).unwrap().group, "");
        control.close().await;
    }
}
