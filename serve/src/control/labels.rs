//! Labels: folders and limits for the torrents that have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::ChangeKind;
use super::entry::EntryState;
use super::error::ControlError;
use super::request;
use super::seeding::OwnLimits;
use super::service::{Control, Inner};

/// The most labels with options.
const MAX_LABELS: usize = 10_000;

/// What holds for all torrents with a label. A torrent's own options come first; of several labels, the first that says
/// something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelOptions {
    /// The folder for torrents that are added with the label and without a folder of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The folder to which files are moved when a torrent is complete; an empty text for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_folder: Option<String>,
    /// It is a category: programs that know categories beside tags show it as such.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_category: bool,
    /// When its torrents stop to seed.
    #[serde(flatten)]
    pub seeding: OwnLimits,
}

/// A label.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LabelView {
    /// Its name.
    pub name: String,
    /// How many torrents have it.
    pub torrents: usize,
    /// What holds for them.
    #[serde(flatten)]
    pub options: LabelOptions,
}

impl Control {
    /// All labels: those of torrents, and those with options.
    #[must_use]
    pub fn labels(&self) -> Vec<LabelView> {
        let known = self.inner.labels.lock().clone();
        let known = known.into_iter().map(|(name, options)| {
            let torrents = 0;
            (
                name.clone(),
                LabelView {
                    name,
                    torrents,
                    options,
                },
            )
        });
        let mut all: BTreeMap<String, LabelView> = known.collect();
        for entry in self.inner.entries() {
            for name in &entry.state().labels {
                let label = all.entry(name.clone()).or_insert_with(|| LabelView {
                    name: name.clone(),
                    torrents: 0,
                    options: LabelOptions::default(),
                });
                label.torrents += 1;
            }
        }
        all.into_values().collect()
    }

    /// Sets the options of a label, which is made if need be. Torrents stay where they are.
    ///
    /// # Errors
    ///
    /// When the name, a folder or a limit cannot be used, there are too many labels, or it cannot be saved; then nothing is
    /// changed.
    pub async fn set_label(&self, name: String, options: LabelOptions) -> Result<(), ControlError> {
        options.seeding.check()?;
        let mut names = request::labels(vec![name])?;
        let name = names.pop().unwrap_or_default();
        let inner = Arc::clone(&self.inner);
        let setting = async move {
            let folders = [&options.folder, &options.completed_folder];
            for folder in folders.into_iter().flatten() {
                inner.folder(folder.into()).await?;
            }
            let (is_known, count) = {
                let known = inner.labels.lock();
                (known.contains_key(&name), known.len())
            };
            if !is_known && count >= MAX_LABELS {
                let reason = format!("there are {MAX_LABELS} labels, and no more are allowed");
                return Err(ControlError::Invalid(reason));
            }
            inner.store.save_label(name.clone(), &options).await?;
            inner.labels.lock().insert(name.clone(), options);
            inner.log.push(None, ChangeKind::LabelChanged { name });
            Ok(())
        };
        self.inner.finish(setting).await
    }

    /// Deletes a label, of torrents too; whether there was one.
    ///
    /// # Errors
    ///
    /// When it cannot be saved; then nothing is changed.
    pub async fn remove_label(&self, name: String) -> Result<bool, ControlError> {
        let inner = Arc::clone(&self.inner);
        let removing = async move {
            let has_it = |state: &EntryState| state.labels.contains(&name);
            let entries = inner.entries();
            let having: Vec<_> = entries
                .into_iter()
                .filter(|entry| has_it(&entry.state()))
                .collect();
            if !inner.labels.lock().contains_key(&name) && having.is_empty() {
                return Ok(false);
            }
            // Nothing else is saved of them meanwhile. Who holds one of these locks waits for no other.
            let mut changing = Vec::new();
            let mut rows = Vec::new();
            for entry in &having {
                changing.push(entry.changing.lock().await);
                let mut labels = entry.state().labels.clone();
                labels.retain(|label| *label != name);
                rows.push((entry.number, labels));
            }
            inner.store.remove_label(name.clone(), rows).await?;
            inner.labels.lock().remove(&name);
            for entry in &having {
                entry.state().labels.retain(|label| *label != name);
                inner.log.push(Some(entry.id), ChangeKind::Changed);
            }
            inner.log.push(None, ChangeKind::LabelChanged { name });
            Ok(true)
        };
        self.inner.finish(removing).await
    }
}

impl Inner {
    /// What the first label says that says something.
    pub(super) fn of_labels<T>(
        &self,
        labels: &[String],
        what: impl Fn(&LabelOptions) -> Option<T>,
    ) -> Option<T> {
        let known = self.labels.lock();
        labels.iter().find_map(|label| what(known.get(label)?))
    }
}
