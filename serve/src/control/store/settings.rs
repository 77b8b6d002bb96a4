//! Settings: JSON by name.

use rusqlite::{Connection, OptionalExtension};

use super::{Store, StoreError};

impl Store {
    /// A setting, if it was ever saved.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn setting(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.run(move |connection| read_setting(connection, name))
            .await
    }

    /// Saves a setting.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_setting(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.run(move |connection| write_setting(connection, name, &value))
            .await
    }
}

pub(super) fn read_setting(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM settings WHERE name = ?1";
    let found = connection.query_row(sql, [name], |row| row.get(0));
    found.optional()
}

pub(super) fn write_setting(
    connection: &Connection,
    name: &str,
    value: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql, (name, value)).map(drop)
}
