//! The index: a view of the ledger that answers questions.
//!
//! An SQLite file, fed from the ledger by a thread of its own and never in the path of a request.
//! It can be deleted at any time and is built again. Readers fill in from the ledger what it does
//! not hold yet, so that it may lag, be missing, or be ahead of a ledger that was cut.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use thiserror::Error;
use tokio::sync::watch;

use crate::segment::Directory;
use crate::tail::Tail;

mod filter;
mod follow;
mod project;
mod query;
mod schema;
#[cfg(test)]
mod tests;

pub use filter::Query;
pub use follow::Follower;
pub use query::{AgentSummary, Extent, LastBlock, Reader};

/// The thread that feeds the index. It ends when this is dropped.
pub struct Indexer {
    cursor: Arc<AtomicU64>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the audit trail cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The ledger cannot be read, or is broken.
    #[error("failed to read the audit ledger")]
    Io(#[from] io::Error),
    /// There is no ledger in the directory.
    #[error("there is no audit ledger in {}", .0.display())]
    Missing(std::path::PathBuf),
    /// A question could not be answered.
    #[error("failed to query the audit index")]
    Sql(#[from] rusqlite::Error),
}

/// One open index and the place in the ledger that it has reached.
struct Feed {
    connection: Connection,
    tail: Tail,
}

/// How often the ledger is looked at.
const FEED_INTERVAL: Duration = Duration::from_millis(200);
/// How long the feeder rests after an error.
const ERROR_REST: Duration = Duration::from_secs(5);
/// Records that, written while one batch is taken in, tell of a gateway under load.
const BUSY_RECORDS: u64 = 256;
/// How many times as long as a batch took the feeder then rests.
const BUSY_REST: u32 = 4;
/// The longest such rest.
const BUSY_REST_MAX: Duration = Duration::from_secs(1);
/// Records in one transaction.
const FEED_RECORDS_MAX: usize = 4_096;

// === impl Indexer ===

impl Indexer {
    /// Starts feeding the index of a directory from its ledger.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(dir: &Path, written: watch::Receiver<u64>) -> io::Result<Self> {
        let cursor = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = channel();
        let directory = Directory::new(dir);
        let reached = Arc::clone(&cursor);
        let thread = thread::Builder::new()
            .name("audit-index".to_owned())
            .spawn(move || run(&directory, &written, &reached, &stopped))?;
        Ok(Self {
            cursor,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The number of the last record that the index holds.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Relaxed)
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit indexer panicked");
        }
    }
}

fn run(
    directory: &Directory,
    written: &watch::Receiver<u64>,
    cursor: &AtomicU64,
    stopped: &Receiver<()>,
) {
    let mut feed = None;
    loop {
        let mut rest = FEED_INTERVAL;
        if let Err(error) = feed_once(directory, &mut feed, written, cursor, false) {
            tracing::error!(%error, "the audit index cannot be fed");
            feed = None;
            rest = ERROR_REST;
            if matches!(error, ReadError::Sql(_)) {
                schema::remove(directory);
            }
        }
        // What was written last is indexed before the end: senders drop their end to stop us.
        match stopped.recv_timeout(rest) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                let _logged_above_if_it_lasts =
                    feed_once(directory, &mut feed, written, cursor, true);
                return;
            }
        }
    }
}

fn feed_once(
    directory: &Directory,
    feed: &mut Option<Feed>,
    written: &watch::Receiver<u64>,
    cursor: &AtomicU64,
    is_last: bool,
) -> Result<(), ReadError> {
    let feed = match feed {
        Some(feed) => feed,
        None => feed.insert(Feed::open(directory)?),
    };
    loop {
        let (before, began) = (*written.borrow(), Instant::now());
        if feed.reached() >= before {
            return Ok(());
        }
        let taken = feed.advance()?;
        cursor.store(feed.reached(), Ordering::Relaxed);
        if taken == 0 {
            return Ok(());
        }
        // While requests come in numbers the processor is theirs: the view may lag, they may not.
        let is_busy = written.borrow().saturating_sub(before) > BUSY_RECORDS;
        if is_busy && !is_last {
            thread::sleep((began.elapsed() * BUSY_REST).min(BUSY_REST_MAX));
        }
    }
}

// === impl Feed ===

impl Feed {
    /// Opens the index, or builds it anew where it does not fit the ledger.
    fn open(directory: &Directory) -> Result<Self, ReadError> {
        if let Ok(connection) = schema::open(directory)
            && let Ok(position) = schema::cursor(&connection, "main")
        {
            let tail = match position {
                Some(position) => Tail::resume(directory.clone(), position)?,
                None => Some(Tail::new(directory.clone())),
            };
            if let Some(tail) = tail {
                return Ok(Self { connection, tail });
            }
            tracing::warn!("the audit index does not fit the ledger and is built again");
        }
        schema::remove(directory);
        Ok(Self {
            connection: schema::open(directory)?,
            tail: Tail::new(directory.clone()),
        })
    }

    fn reached(&self) -> u64 {
        self.tail.position().map_or(0, |position| position.head.seq)
    }

    /// Takes the next records in one transaction; returns how many.
    fn advance(&mut self) -> Result<usize, ReadError> {
        let transaction = self.connection.transaction()?;
        let mut taken = 0;
        while taken < FEED_RECORDS_MAX
            && let Some(head) = self.tail.advance()?
        {
            project::project(&transaction, false, head, self.tail.event())?;
            taken += 1;
        }
        if let Some(position) = self.tail.position() {
            schema::set_cursor(&transaction, position)?;
        }
        transaction.commit()?;
        Ok(taken)
    }
}
