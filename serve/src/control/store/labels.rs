//! Labels and their options.

use std::collections::BTreeMap;

use super::torrents::{json, text};
use super::{Store, StoreError};
use crate::control::LabelOptions;

impl Store {
    /// All labels with options. Those that cannot be read are left out, and stay in the database.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn labels(&self) -> Result<BTreeMap<String, LabelOptions>, StoreError> {
        self.run(|connection| {
            let mut all = connection.prepare("SELECT name, options FROM labels")?;
            let labels = all.query_map([], |row| Ok((row.get(0)?, json(row, 1).ok())))?;
            let labels = labels.collect::<rusqlite::Result<Vec<(String, Option<_>)>>>()?;
            let readable = labels.into_iter();
            Ok(readable
                .filter_map(|(name, it)| Some((name, it?)))
                .collect())
        })
        .await
    }

    /// Saves the options of a label.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_label(&self, name: String, options: &LabelOptions) -> Result<(), StoreError> {
        let options = text(options);
        self.run(move |connection| {
            let sql = "INSERT INTO labels (name, options) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET options = excluded.options";
            connection.execute(sql, (name, options?)).map(drop)
        })
        .await
    }

    /// Deletes a label, and saves the labels of the torrents that had it, by their numbers.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn remove_label(
        &self,
        name: String,
        torrents: Vec<(i64, Vec<String>)>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM labels WHERE name = ?1", [name])?;
            for (number, labels) in torrents {
                let sql = "UPDATE torrents SET labels = ?2 WHERE number = ?1";
                transaction.execute(sql, (number, text(&labels)?))?;
            }
            transaction.commit()
        })
        .await
    }
}
