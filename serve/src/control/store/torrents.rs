//! Torrents.

use std::net::SocketAddr;
use std::path::PathBuf;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use tailwater_session::TorrentRecord;

use super::super::renaming::NewName;
use super::settings::{read_setting, write_setting};
use super::{Store, StoreError, int, uint};
use crate::control::attributes::Attributes;
use crate::control::dormant::Facts;
use crate::control::seeding::OwnLimits;
use crate::control::totals::{self, OF_REMOVED, Transferred};

/// A torrent as it is saved, without its .torrent file.
#[derive(Clone, Debug, PartialEq)]
pub struct TorrentRow {
    /// Its number, which no other torrent ever gets.
    pub number: i64,
    /// How it is added to a session. Without its .torrent file, which is a column of its own.
    pub record: TorrentRecord,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its place in the queue.
    pub queue_position: u64,
    /// What the daemon does with it.
    pub options: TorrentOptions,
    /// When it was added, as a Unix time.
    pub added: u64,
    /// What changes by itself.
    pub figures: Figures,
    /// What is known of it without its files, if it was ever known.
    pub facts: Option<Facts>,
}

/// What the daemon does with a torrent, as its user wants it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TorrentOptions {
    /// When it stops to seed.
    #[serde(flatten)]
    pub seeding: OwnLimits,
    /// The folder to which its files are moved when it is complete; an empty text for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_folder: Option<String>,
    /// What its user calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// It runs whatever the queue and the limits on seeding say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
    /// The group of torrents with which it shares rate limits; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The rate limits of the daemon and of its group do not hold for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_limits_alone: bool,
    /// Files and folders that got other names, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NewName>,
    /// Peers that its user named, to connect to whenever it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<SocketAddr>,
    /// Its web seeds, once its user has changed those that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_seeds: Option<Vec<String>>,
    /// What is being renamed on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renaming: Option<NewName>,
    /// Its files are being moved to this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving_to: Option<PathBuf>,
    /// Texts that clients keep with it, by name.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// What changes by itself while a torrent runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// When it was complete for the first time, as a Unix time.
    pub completed: Option<u64>,
    /// When data was transferred last, as a Unix time.
    pub last_activity: Option<u64>,
    /// Payload bytes received, ever.
    pub downloaded: u64,
    /// Payload bytes sent, ever.
    pub uploaded: u64,
    /// How long it has been downloading, in seconds.
    pub downloading_seconds: u64,
    /// How long it has been seeding, in seconds.
    pub seeding_seconds: u64,
}

const COLUMNS: &str = "number, record, labels, queue_position, options, added, completed, last_activity, \
    downloaded, uploaded, downloading_seconds, seeding_seconds, facts";

fn torrent(row: &Row<'_>) -> rusqlite::Result<TorrentRow> {
    let seconds = |column| row.get::<_, Option<i64>>(column).map(|time| time.map(uint));
    Ok(TorrentRow {
        number: row.get(0)?,
        record: json(row, 1)?,
        labels: json(row, 2)?,
        queue_position: uint(row.get(3)?),
        options: json(row, 4)?,
        added: uint(row.get(5)?),
        figures: Figures {
            completed: seconds(6)?,
            last_activity: seconds(7)?,
            downloaded: uint(row.get(8)?),
            uploaded: uint(row.get(9)?),
            downloading_seconds: uint(row.get(10)?),
            seeding_seconds: uint(row.get(11)?),
        },
        // One that cannot be read is found anew.
        facts: json(row, 12).unwrap_or_default(),
    })
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

pub(super) fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl Store {
    /// All torrents, in the order in which they were added, and those that cannot be read, with the reason.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn torrents(&self) -> Result<(Vec<TorrentRow>, Vec<String>), StoreError> {
        self.run(|connection| {
            let mut all =
                connection.prepare(&format!("SELECT {COLUMNS} FROM torrents ORDER BY number"))?;
            let mut rows = all.query([])?;
            let (mut torrents, mut unreadable) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                match torrent(row) {
                    Ok(torrent) => torrents.push(torrent),
                    Err(error) => unreadable.push(error.to_string()),
                }
            }
            Ok((torrents, unreadable))
        })
        .await
    }

    /// The .torrent file of a torrent; `None` if it has none yet.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn torrent_file(&self, number: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(move |connection| {
            let sql = "SELECT torrent_file FROM torrents WHERE number = ?1";
            let file = connection.query_row(sql, [number], |row| row.get(0));
            Ok(file.optional()?.flatten())
        })
        .await
    }

    /// Saves a new torrent, whose number is ignored; returns its number, or `None` if there is one of this info-hash.
    ///
    /// # Errors
    ///
    /// When the database fails; then it is not saved.
    pub async fn add_torrent(
        &self,
        row: TorrentRow,
        torrent_file: Option<Vec<u8>>,
    ) -> Result<Option<i64>, StoreError> {
        self.run(move |connection| {
            let sql = "INSERT INTO torrents (info_hash, torrent_file, record, labels, queue_position, options, added,
                completed, last_activity, downloaded, uploaded, downloading_seconds, seeding_seconds, facts)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                ON CONFLICT (info_hash) DO NOTHING RETURNING number";
            let figures = row.figures;
            let values = (
                &row.record.info_hash,
                torrent_file,
                text(&row.record)?,
                text(&row.labels)?,
                int(row.queue_position),
                text(&row.options)?,
                int(row.added),
                figures.completed.map(int),
                figures.last_activity.map(int),
                int(figures.downloaded),
                int(figures.uploaded),
                int(figures.downloading_seconds),
                int(figures.seeding_seconds),
                text(&row.facts)?,
            );
            connection.query_row(sql, values, |row| row.get(0)).optional()
        })
        .await
    }

    /// Saves what a user can change of a torrent; with a .torrent file, that too.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_torrent(
        &self,
        row: TorrentRow,
        torrent_file: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            let sql =
                "UPDATE torrents SET record = ?2, labels = ?3, queue_position = ?4, options = ?5,
                torrent_file = coalesce(?6, torrent_file), facts = ?7 WHERE number = ?1";
            let values = (
                row.number,
                text(&row.record)?,
                text(&row.labels)?,
                int(row.queue_position),
                text(&row.options)?,
                torrent_file,
                text(&row.facts)?,
            );
            connection.execute(sql, values).map(drop)
        })
        .await
    }

    /// Saves what changed by itself, of any number of torrents at once.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_figures(&self, figures: Vec<(i64, Figures)>) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            {
                let sql = "UPDATE torrents SET completed = ?2, last_activity = ?3, downloaded = ?4, uploaded = ?5,
                    downloading_seconds = ?6, seeding_seconds = ?7 WHERE number = ?1";
                let mut update = transaction.prepare_cached(sql)?;
                for (number, figures) in figures {
                    update.execute((
                        number,
                        figures.completed.map(int),
                        figures.last_activity.map(int),
                        int(figures.downloaded),
                        int(figures.uploaded),
                        int(figures.downloading_seconds),
                        int(figures.seeding_seconds),
                    ))?;
                }
            }
            transaction.commit()
        })
        .await
    }

    /// Saves places in the queue, of any number of torrents at once.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_positions(&self, positions: Vec<(i64, u64)>) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            {
                let sql = "UPDATE torrents SET queue_position = ?2 WHERE number = ?1";
                let mut update = transaction.prepare_cached(sql)?;
                for (number, position) in positions {
                    update.execute((number, int(position)))?;
                }
            }
            transaction.commit()
        })
        .await
    }

    /// Deletes a torrent, and adds what it had transferred to that of all that were deleted.
    ///
    /// # Errors
    ///
    /// When the database fails; then it is still there.
    pub(crate) async fn remove_torrent(
        &self,
        number: i64,
        had: Transferred,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let deleted =
                transaction.execute("DELETE FROM torrents WHERE number = ?1", [number])?;
            if deleted > 0 && had != Transferred::default() {
                let before = read_setting(&transaction, OF_REMOVED)?;
                let all = totals::read(before.as_deref()).and(had);
                write_setting(&transaction, OF_REMOVED, &text(&all)?)?;
            }
            transaction.commit()
        })
        .await
    }
}
