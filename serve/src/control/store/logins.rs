//! Logins of pages, by the hashes of their secrets.

use rusqlite::Row;

use super::{Store, StoreError, int, uint};

/// A login as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginRow {
    /// The hash of its secret.
    pub(crate) hash: Vec<u8>,
    /// The number of its token.
    pub(crate) token: i64,
    /// When it began, as a Unix time.
    pub(crate) begun: u64,
    /// When it was used last, more or less.
    pub(crate) used: u64,
}

fn login(row: &Row<'_>) -> rusqlite::Result<LoginRow> {
    Ok(LoginRow {
        hash: row.get(0)?,
        token: row.get(1)?,
        begun: uint(row.get(2)?),
        used: uint(row.get(3)?),
    })
}

impl Store {
    /// All logins.
    pub(crate) async fn logins(&self) -> Result<Vec<LoginRow>, StoreError> {
        self.run(|connection| {
            let mut all = connection.prepare("SELECT hash, token, begun, used FROM logins")?;
            all.query_map([], login)?.collect()
        })
        .await
    }

    /// Saves a login, new or not.
    pub(crate) async fn save_login(&self, row: LoginRow) -> Result<(), StoreError> {
        self.run(move |connection| {
            let sql =
                "INSERT OR REPLACE INTO logins (hash, token, begun, used) VALUES (?1, ?2, ?3, ?4)";
            let row = (row.hash, row.token, int(row.begun), int(row.used));
            connection.execute(sql, row).map(drop)
        })
        .await
    }

    /// Deletes logins.
    pub(crate) async fn remove_logins(&self, hashes: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            for hash in hashes {
                transaction.execute("DELETE FROM logins WHERE hash = ?1", [hash])?;
            }
            transaction.commit()
        })
        .await
    }
}
