//! The reader: answers questions from the index and, for what it does not hold, from the ledger.
//!
//! It never writes, needs no daemon, and sees one moment of the index however long it lives.

use std::path::Path;

use oktsec_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params, params_from_iter};

use crate::chain::{Hash, Head};
use crate::event::Event;
use crate::index::filter::Query;
use crate::index::follow::Follower;
use crate::index::{ReadError, project, schema};
use crate::row::Row;
use crate::segment::Directory;
use crate::tail::{Position, Tail};

/// The audit trail of one directory at one moment.
pub struct Reader {
    connection: Connection,
    directory: Directory,
    position: Option<Position>,
    has_base: bool,
}

/// What one agent did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentSummary {
    /// The agent; none for callers without a name.
    pub agent: Option<String>,
    /// Its requests.
    pub requests: u64,
    /// Of those, how many were blocked.
    pub blocked: u64,
    /// When the last one began.
    pub last_seen: Timestamp,
    /// The last one that was blocked.
    pub last_block: Option<LastBlock>,
}

/// The last request that was blocked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastBlock {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Where to.
    pub host: String,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Rows.
    pub count: u64,
    /// When the first one began.
    pub oldest: Option<Timestamp>,
    /// When the last one began.
    pub newest: Option<Timestamp>,
}

/// The rows of the ledger's end stand before those of the index.
const VIEWS_OVER_BASE: &str = "
CREATE TEMP VIEW listed AS
    SELECT * FROM base.exchanges WHERE seq NOT IN (SELECT seq FROM main.exchanges)
    UNION ALL SELECT * FROM main.exchanges;
CREATE TEMP VIEW seen AS
    SELECT * FROM base.findings UNION ALL SELECT * FROM main.findings;
";
const VIEWS: &str = "
CREATE TEMP VIEW listed AS SELECT * FROM main.exchanges;
CREATE TEMP VIEW seen AS SELECT * FROM main.findings;
";

// === impl Reader ===

impl Reader {
    /// Opens the audit trail of a directory.
    ///
    /// # Errors
    /// [`ReadError::Missing`] where there is none.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let directory = Directory::new(dir);
        if !directory.segments().is_dir() {
            return Err(ReadError::Missing(dir.to_owned()));
        }
        let (connection, base) = match attach(&directory) {
            Ok(Some((connection, tail))) => (connection, Some(tail)),
            // An index that is missing, of another version, or of another ledger is as good as none.
            Ok(None) | Err(_) => (private()?, None),
        };
        let has_base = base.is_some();
        let mut tail = base.unwrap_or_else(|| Tail::new(directory.clone()));
        if !has_base {
            connection.execute_batch("BEGIN")?;
        }
        while let Some(head) = tail.advance()? {
            project::project(&connection, has_base, head, tail.event())?;
        }
        connection.execute_batch(if has_base { VIEWS_OVER_BASE } else { VIEWS })?;
        Ok(Self {
            connection,
            directory,
            position: tail.position(),
            has_base,
        })
    }

    /// The rows that are wanted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn rows(&self, query: &Query) -> Result<Vec<Row>, ReadError> {
        let conditions = query.conditions();
        let limit = query
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        // A limit keeps the newest rows, whichever way they are shown.
        let sql = format!(
            "SELECT seq FROM listed{} ORDER BY seq DESC LIMIT ?",
            conditions.sql
        );
        let mut statement = self.connection.prepare(&sql)?;
        let values = conditions.values.into_iter().chain([limit.into()]);
        let seqs = statement.query_map(params_from_iter(values), |row| row.get::<_, u64>(0))?;
        let mut rows = Vec::new();
        for seq in seqs {
            rows.extend(self.row(seq?)?);
        }
        if !query.newest_first {
            rows.reverse();
        }
        Ok(rows)
    }

    /// What each agent did from a moment on, the busiest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn summary(&self, since: Timestamp) -> Result<Vec<AgentSummary>, ReadError> {
        let mut statement = self.connection.prepare(
            "SELECT agent, count(*), sum(status = 'blocked'), max(at) FROM listed
             WHERE at >= ? AND spoken_for = 0 GROUP BY agent ORDER BY 2 DESC, 1",
        )?;
        let rows = statement.query_map([since.as_micros()], |row| {
            Ok(AgentSummary {
                agent: row.get(0)?,
                requests: row.get(1)?,
                blocked: row.get(2)?,
                last_seen: Timestamp::from_micros(row.get(3)?),
                last_block: None,
            })
        })?;
        let mut agents: Vec<_> = rows.collect::<Result<_, _>>()?;
        for agent in agents.iter_mut().filter(|agent| agent.blocked > 0) {
            agent.last_block = self.last_block(agent.agent.as_deref(), since)?;
        }
        Ok(agents)
    }

    /// How much there is, tunnels with exchanges of their own not counted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn extent(&self) -> Result<Extent, ReadError> {
        let sql = "SELECT count(*), min(at), max(at) FROM listed WHERE spoken_for = 0";
        Ok(self.connection.query_row(sql, [], |row| {
            let time = |at: Option<i64>| at.map(Timestamp::from_micros);
            Ok(Extent {
                count: row.get(0)?,
                oldest: time(row.get(1)?),
                newest: time(row.get(2)?),
            })
        })?)
    }

    /// The last record that this reader knows.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.position.map(|position| position.head)
    }

    /// Follows the ledger from where this reader stands: nothing between the two is missed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn follow(&self) -> Result<Follower, ReadError> {
        let tail = match self.position {
            Some(position) => Tail::resume(self.directory.clone(), position)?,
            None => None,
        };
        let mut statement = self
            .connection
            .prepare("SELECT seq, spoken_for FROM listed WHERE is_final = 0")?;
        let open = statement.query_map([], |row| Ok((row.get::<_, u64>(0)?, row.get(1)?)))?;
        let mut pending = Vec::new();
        for found in open {
            let (seq, spoken_for) = found?;
            pending.extend(self.row(seq)?.map(|row| (row, spoken_for)));
        }
        let tail = tail.unwrap_or_else(|| Tail::new(self.directory.clone()));
        Ok(Follower::new(tail, pending))
    }

    fn last_block(
        &self,
        agent: Option<&str>,
        since: Timestamp,
    ) -> Result<Option<LastBlock>, ReadError> {
        let sql = "SELECT at, reason, host FROM listed
             WHERE agent IS ? AND status = 'blocked' AND at >= ? ORDER BY seq DESC LIMIT 1";
        let found = self
            .connection
            .query_row(sql, params![agent, since.as_micros()], |row| {
                Ok(LastBlock {
                    at: Timestamp::from_micros(row.get(0)?),
                    reason: row.get(1)?,
                    host: row.get(2)?,
                })
            });
        Ok(found.optional()?)
    }

    fn row(&self, seq: u64) -> Result<Option<Row>, ReadError> {
        for name in ["main", "base"] {
            if name == "base" && !self.has_base {
                break;
            }
            let sql = format!(
                "SELECT seq, hash, event, end_seq, end_hash, end_event FROM {name}.bodies
                 WHERE seq = ?"
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            if let Some(row) = statement.query_row([seq], read_row).optional()? {
                return Ok(row);
            }
        }
        Ok(None)
    }
}

/// `None` for an event that this version cannot read.
fn read_row(sql: &SqlRow<'_>) -> rusqlite::Result<Option<Row>> {
    let head = Head {
        seq: sql.get(0)?,
        hash: Hash(sql.get(1)?),
    };
    let begun: Vec<u8> = sql.get(2)?;
    let mut row = match Event::decode(&begun) {
        Some(Event::Decided(event)) => Row::decided(*event, head),
        Some(Event::TunnelOpened(event)) => Row::tunnel(event, head),
        _ => return Ok(None),
    };
    if let Some(ended) = sql.get::<_, Option<Vec<u8>>>(5)? {
        let head = Head {
            seq: sql.get(3)?,
            hash: Hash(sql.get(4)?),
        };
        match Event::decode(&ended) {
            Some(Event::Ended(event)) => row.end(&event, head),
            Some(Event::TunnelClosed(event)) => row.close(&event, head),
            _ => {}
        }
    }
    Ok(Some(row))
}

/// A database of our own, which goes to a temporary file when it grows, with the index attached and
/// the place in the ledger behind it. The index is held as it is now.
fn attach(directory: &Directory) -> Result<Option<(Connection, Tail)>, ReadError> {
    let path = directory.index_path();
    let Some(path) = path.to_str().filter(|_| path.is_file()) else {
        return Ok(None);
    };
    let connection = private()?;
    connection.execute(
        "ATTACH ? AS base",
        [format!("file:{}?mode=ro", escaped(path))],
    )?;
    connection.execute_batch("BEGIN")?;
    if !schema::is_current(&connection, "base")? {
        return Ok(None);
    }
    let Some(position) = schema::cursor(&connection, "base")? else {
        return Ok(None);
    };
    let tail = Tail::resume(directory.clone(), position)?;
    Ok(tail.map(|tail| (connection, tail)))
}

fn private() -> rusqlite::Result<Connection> {
    let connection = Connection::open("")?;
    connection.execute_batch(schema::TABLES)?;
    Ok(connection)
}

/// A path as it stands in a `file:` URI.
fn escaped(path: &str) -> String {
    path.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
