//! Settings: JSON by name.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};

impl Store {
    /// A setting, if it was ever saved.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn setting(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.run(move |connection| {
            connection
                .query_row(
                    "SELECT value FROM settings WHERE name = ?1",
                    [name],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }

    /// Saves a setting.
    ///
    /// # Errors
    ///
    /// When the database fails; then nothing is changed.
    pub async fn save_setting(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.run(move |connection| {
            let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            connection.execute(sql, (name, value)).map(drop)
        })
        .await
    }
}
