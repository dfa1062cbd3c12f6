//! The tables of the index, and its file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::chain::{Hash, Head};
use crate::segment::Directory;
use crate::tail::Position;

/// Raised whenever the tables change: an index of another version is built again.
const VERSION: i64 = 1;

/// Filters look at `exchanges`, which is narrow; the events themselves lie in `bodies`.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS exchanges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    agent TEXT,
    session TEXT,
    source TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    host TEXT NOT NULL,
    method TEXT NOT NULL,
    is_tunnel INTEGER NOT NULL,
    spoken_for INTEGER NOT NULL,
    is_final INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS exchanges_at ON exchanges (at);
CREATE INDEX IF NOT EXISTS exchanges_agent ON exchanges (agent);
CREATE INDEX IF NOT EXISTS exchanges_status ON exchanges (status);
CREATE TABLE IF NOT EXISTS bodies (
    seq INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    event BLOB NOT NULL,
    end_seq INTEGER,
    end_hash BLOB,
    end_event BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS findings (
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    rule TEXT NOT NULL,
    category TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (seq, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    first INTEGER NOT NULL,
    start INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
";

/// Opens the index for writing; makes it if it is missing.
pub(super) fn open(directory: &Directory) -> rusqlite::Result<Connection> {
    let path = directory.index_path();
    // SQLite would make the file readable to all; its other files take over the mode of this one.
    let made = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path);
    made.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let connection = Connection::open(&path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION && version != 0 {
        return Err(rusqlite::Error::InvalidQuery);
    }
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Deletes the index. What cannot be deleted shows when it is opened again.
pub(super) fn remove(directory: &Directory) {
    let path = directory.index_path();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _missing = fs::remove_file(name);
    }
}

/// How far the index of a schema name has come.
pub(super) fn cursor(connection: &Connection, name: &str) -> rusqlite::Result<Option<Position>> {
    let sql = format!("SELECT first, start, seq, hash FROM {name}.cursor");
    connection
        .query_row(&sql, [], |row| {
            Ok(Position {
                first: row.get(0)?,
                start: row.get(1)?,
                head: Head {
                    seq: row.get(2)?,
                    hash: Hash(row.get(3)?),
                },
            })
        })
        .optional()
}

pub(super) fn set_cursor(connection: &Connection, position: Position) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO cursor (one, first, start, seq, hash) VALUES (1, ?, ?, ?, ?)",
        )?
        .execute(params![
            position.first,
            position.start,
            position.head.seq,
            position.head.hash.0
        ])?;
    Ok(())
}

/// Whether an attached index is of this version.
pub(super) fn is_current(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = format!("PRAGMA {name}.user_version");
    let version: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(version == VERSION)
}
