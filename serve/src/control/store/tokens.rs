//! Tokens, by their hashes.

use rusqlite::{OptionalExtension, Row};

use super::{Store, StoreError, int, uint};

/// A token as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its number.
    pub id: i64,
    /// What the user calls it.
    pub name: String,
    /// The hash of its secret, with the parameters.
    pub hash: String,
    /// It may not change anything.
    pub is_read_only: bool,
    /// When it was made, as a Unix time.
    pub created: u64,
}

const COLUMNS: &str = "id, name, hash, is_read_only, created";

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        is_read_only: row.get(3)?,
        created: uint(row.get(4)?),
    })
}

impl Store {
    /// A token by its number.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn token(&self, id: i64) -> Result<Option<TokenRow>, StoreError> {
        self.run(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1");
            connection.query_row(&sql, [id], token).optional()
        })
        .await
    }

    /// All tokens.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.run(|connection| {
            let mut all =
                connection.prepare(&format!("SELECT {COLUMNS} FROM tokens ORDER BY id"))?;
            all.query_map([], token)?.collect()
        })
        .await
    }

    /// Saves a new token; `None` if there is one of this name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add_token(
        &self,
        name: String,
        hash: String,
        is_read_only: bool,
        created: u64,
    ) -> Result<Option<i64>, StoreError> {
        self.run(move |connection| {
            let sql = "INSERT INTO tokens (name, hash, is_read_only, created)
                VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING RETURNING id";
            let row = (name, hash, is_read_only, int(created));
            connection.query_row(sql, row, |row| row.get(0)).optional()
        })
        .await
    }

    /// Deletes a token; whether there was one of this name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_token(&self, name: String) -> Result<bool, StoreError> {
        self.run(move |connection| {
            let deleted = connection.execute("DELETE FROM tokens WHERE name = ?1", [name])?;
            Ok(deleted > 0)
        })
        .await
    }
}
