//! The schema, and the steps from each version to the next.

use std::path::Path;

use rusqlite::Connection;

use super::{BUSY_FOR, StoreError};

/// Each brings the schema to the version after it. Steps are only ever added: a database has been through all of those
/// before its `user_version`.
const STEPS: [&str; 4] = [
    "
CREATE TABLE torrents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    info_hash TEXT NOT NULL UNIQUE,
    -- NULL while only a magnet link is known.
    torrent_file BLOB,
    -- JSON: how it is added to a session.
    record TEXT NOT NULL,
    -- JSON: texts.
    labels TEXT NOT NULL,
    queue_position INTEGER NOT NULL,
    ratio_limit REAL,
    -- Unix times.
    added INTEGER NOT NULL,
    completed INTEGER,
    last_activity INTEGER,
    downloaded INTEGER NOT NULL,
    uploaded INTEGER NOT NULL,
    downloading_seconds INTEGER NOT NULL,
    seeding_seconds INTEGER NOT NULL
) STRICT;
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    -- JSON.
    value TEXT NOT NULL
) STRICT;
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    is_read_only INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
",
    "
-- JSON: what the daemon does with it.
ALTER TABLE torrents ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
UPDATE torrents SET options = json_object('ratio_limit', ratio_limit) WHERE ratio_limit IS NOT NULL;
ALTER TABLE torrents DROP COLUMN ratio_limit;
CREATE TABLE labels (
    name TEXT PRIMARY KEY,
    -- JSON: what holds for the torrents that have it.
    options TEXT NOT NULL
) STRICT;
",
    "
-- JSON: what is known of it without its files; null if nothing is.
ALTER TABLE torrents ADD COLUMN facts TEXT NOT NULL DEFAULT 'null';
",
    "
CREATE TABLE logins (
    -- SHA-256 of its secret, which is random and long enough for that.
    hash BLOB PRIMARY KEY,
    -- The number of its token.
    token INTEGER NOT NULL,
    -- Unix times.
    begun INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT;
",
];

/// Opens a database and brings it up to date.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::of(path, &error);
    let mut connection = Connection::open(path).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    // The write lock comes before the look: two processes may begin at once.
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed)?;
    let found: i64 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if found > known {
        let path = path.to_owned();
        return Err(StoreError::TooNew { path, found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_FOR)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // A transaction is on the disk when it is answered, even if the power goes.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Pages in memory, in KiB: the tables of thousands of torrents are mostly their .torrent files, which are read once.
    connection.pragma_update(None, "cache_size", -1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_later_version_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let refused = open(&path).map(drop);
        let too_new = StoreError::TooNew {
            path,
            found: 99,
            known: 4,
        };
        assert_eq!(refused, Err(too_new));
    }

    #[test]
    fn a_database_of_an_earlier_version_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        for (hash, ratio) in [("a", "1.5"), ("b", "NULL")] {
            let sql = format!(
                "INSERT INTO torrents (info_hash, record, labels, queue_position, ratio_limit, added, downloaded, uploaded,
                downloading_seconds, seeding_seconds) VALUES ('{hash}', '{{}}', '[]', 1, {ratio}, 0, 0, 0, 0, 0)"
            );
            connection.execute(&sql, []).unwrap();
        }
        drop(connection);
        let connection = open(&path).unwrap();
        let options = |hash: &str| -> String {
            let sql = "SELECT options FROM torrents WHERE info_hash = ?1";
            connection.query_row(sql, [hash], |row| row.get(0)).unwrap()
        };
        assert_eq!(options("a"), r#"{"ratio_limit":1.5}"#);
        assert_eq!(options("b"), "{}");
    }

    #[test]
    fn what_is_no_database_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::write(
            &path,
            "not a database, and long enough to have been read as one".repeat(99),
        )
        .unwrap();
        let refused = open(&path).map(drop);
        assert!(
            matches!(refused, Err(StoreError::Failed { .. })),
            "{refused:?}"
        );
    }
}
