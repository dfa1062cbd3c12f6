//! The ledger: the one log of record. A handle for those who have something to record.
//!
//! Events are encoded by the caller, queued, and written by one of the callers at a time; a thread,
//! the syncer, puts what is written on disk in groups. `decided` returns once the record is written
//! (it survives the end of the process); [`Entry::synced`] returns once it is on disk. Where
//! neither can be had, the answer is an error, and no request may go out on it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use oktsec_model::ExchangeId;
use thiserror::Error;
use tokio::sync::{Semaphore, TryAcquireError, oneshot, watch};

use crate::chain::Head;
use crate::event::{Decided, Ended, Event, Note, TunnelClosed, TunnelOpened};
use crate::ledger::queue::Queue;
use crate::ledger::store::Store;
use crate::ledger::syncer::{SyncState, Syncer};
use crate::ledger::writer::Writer;

mod open;
mod queue;
pub(crate) mod store;
mod syncer;
#[cfg(test)]
mod tests;
mod writer;

pub use open::OpenError;

/// A handle of the ledger. Clones are cheap and speak of the same ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The directory; made if missing.
    pub dir: PathBuf,
    /// The size from which a new segment is begun.
    pub segment_bytes_max: u64,
    /// The events that may wait to be written, each counted once per 4 KiB.
    pub queue_events_max: usize,
    /// The version of the program, for the record of the start.
    pub version: String,
    /// The digest of the configuration, for the record of the start.
    pub config_digest: String,
}

/// The two threads behind a ledger. Closing (or dropping) it writes what is queued, records the
/// stop and puts everything on disk.
#[must_use = "the ledger closes when this is dropped"]
pub struct LedgerThreads {
    shared: Arc<Shared>,
    standing_by: Option<JoinHandle<()>>,
}

/// A record that has been written.
#[must_use = "the record is written, but not yet on disk"]
pub struct Entry {
    /// Its number and hash.
    pub head: Head,
    /// Its number.
    pub seq: u64,
    synced: watch::Receiver<SyncState>,
}

/// Nothing can be recorded: no request may go out.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AuditError {
    /// The queue stays full, or the ledger cannot be written or put on disk.
    #[error("the audit ledger cannot be written")]
    Unavailable,
}

/// What the handle and both threads share.
pub(crate) struct Shared {
    queue: Queue,
    /// Taken away when the ledger is closed.
    writer: Mutex<Option<Writer>>,
    /// Room in the queue; bounds it in events and in bytes.
    room: Semaphore,
    queue_events_max: usize,
    /// Events queued that nobody waits for.
    unawaited: AtomicUsize,
    /// Events that found no room, not yet recorded as lost.
    lost: AtomicU64,
    /// Events that were ever lost.
    lost_ever: AtomicU64,
    /// Exchanges under way, as written.
    open: AtomicUsize,
    available: AtomicBool,
    head: Mutex<Head>,
    written: watch::Sender<u64>,
    synced: watch::Sender<SyncState>,
}

/// One event on its way to the writer.
pub(crate) struct Job {
    bytes: Vec<u8>,
    change: Change,
    permits: usize,
    written: Option<oneshot::Sender<Result<Head, AuditError>>>,
}

/// What an event means for the exchanges under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Begin(ExchangeId),
    BeginTunnel(ExchangeId),
    End(ExchangeId),
    None,
}

/// How long a caller waits for room in the queue.
const QUEUE_WAIT: Duration = Duration::from_secs(2);
/// Exchanges and tunnels under way at once. Their ends always find room, since there can be no more
/// of them.
pub(crate) const OPEN_MAX: usize = 65_536;
/// Events that nobody waits for and that may be queued at once.
const UNAWAITED_MAX: usize = OPEN_MAX + 8_192;
/// A place in the queue stands for this many bytes.
const PERMIT_BYTES: usize = 4_096;
/// The size above which an event's lists are cut.
const EVENT_BYTES_MAX: usize = 65_536;

// === impl Ledger ===

impl Ledger {
    /// Opens the ledger of a directory, recovers it and starts its threads. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], above all [`OpenError::Locked`] while another process has it.
    pub fn open(options: &LedgerOptions) -> Result<(Self, LedgerThreads), OpenError> {
        Self::over(open::open(options)?, options.queue_events_max).map_err(OpenError::Thread)
    }

    fn over(store: Store, queue_events_max: usize) -> io::Result<(Self, LedgerThreads)> {
        let shared = Shared::new(store.head(), queue_events_max);
        let syncer = Syncer::start(Arc::clone(&shared))?;
        let standing_by = queue::stand_by(Arc::clone(&shared))?;
        *shared.writer.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Writer::new(store, syncer));
        let threads = LedgerThreads {
            shared: Arc::clone(&shared),
            standing_by: Some(standing_by),
        };
        Ok((Self(shared), threads))
    }

    /// Records a decision. Returns once it is written.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`]: the request must be refused.
    pub async fn decided(&self, mut event: Decided) -> Result<Entry, AuditError> {
        event.bound();
        let change = if event.last {
            Change::None
        } else {
            Change::Begin(event.id)
        };
        let head = self.submit(encode_bounded(event), change).await?;
        Ok(self.entry(head))
    }

    /// Records a decision that also ends its exchange, without waiting: for callers that are being
    /// dropped and cannot wait.
    pub fn decided_detached(&self, mut event: Decided) {
        event.bound();
        self.submit_unawaited(&Event::Decided(Box::new(event)), Change::None);
    }

    /// Records the end of an exchange. Returns once it is written.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`].
    pub async fn ended_written(&self, event: Ended) -> Result<(), AuditError> {
        let change = Change::End(event.id);
        self.submit(Event::Ended(event).encode(), change).await?;
        Ok(())
    }

    /// Records the end of an exchange, without waiting.
    pub fn ended(&self, event: Ended) {
        let change = Change::End(event.id);
        self.submit_unawaited(&Event::Ended(event), change);
    }

    /// Records a notice, without waiting.
    pub fn note(&self, event: Note) {
        self.submit_unawaited(&event.into(), Change::None);
    }

    /// Records that a tunnel was opened. Returns once it is written.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`]: the tunnel must be refused.
    pub async fn tunnel_opened(&self, event: TunnelOpened) -> Result<Entry, AuditError> {
        let change = Change::BeginTunnel(event.id);
        let head = self
            .submit(Event::TunnelOpened(event).encode(), change)
            .await?;
        Ok(self.entry(head))
    }

    /// Records the end of a tunnel, without waiting.
    pub fn tunnel_closed(&self, event: TunnelClosed) {
        let change = Change::End(event.id);
        self.submit_unawaited(&Event::TunnelClosed(event), change);
    }

    /// The last record written.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the number of the last record written.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.written.subscribe()
    }

    /// Whether the last attempt to write or sync succeeded.
    #[must_use]
    pub fn available(&self) -> bool {
        self.0.available.load(Ordering::Acquire)
    }

    /// The events lost since the start because the queue was full. Each loss is itself recorded.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.0.lost_ever.load(Ordering::Relaxed)
    }

    fn entry(&self, head: Head) -> Entry {
        Entry {
            head,
            seq: head.seq,
            synced: self.0.synced.subscribe(),
        }
    }

    async fn submit(&self, bytes: Vec<u8>, change: Change) -> Result<Head, AuditError> {
        let begins = matches!(change, Change::Begin(_) | Change::BeginTunnel(_));
        if begins && self.0.open.load(Ordering::Relaxed) >= OPEN_MAX {
            return Err(AuditError::Unavailable);
        }
        let permits = bytes
            .len()
            .div_ceil(PERMIT_BYTES)
            .clamp(1, self.0.queue_events_max);
        self.0.wait_for_room(permits).await?;
        let (written, answer) = oneshot::channel();
        let turn = self.0.queue_awaited(Job {
            bytes,
            change,
            permits,
            written: Some(written),
        })?;
        // Whoever is ready now may have something to write as well.
        tokio::task::yield_now().await;
        drop(turn);
        answer.await.unwrap_or(Err(AuditError::Unavailable))
    }

    fn submit_unawaited(&self, event: &Event, change: Change) {
        let job = Job {
            bytes: event.encode(),
            change,
            permits: 0,
            written: None,
        };
        let queued = self.0.unawaited.fetch_add(1, Ordering::Relaxed);
        if queued >= UNAWAITED_MAX || self.0.queue_unawaited(job).is_err() {
            self.0.unawaited.fetch_sub(1, Ordering::Relaxed);
            self.0.lose(1);
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

// === impl LedgerThreads ===

impl LedgerThreads {
    /// Writes what is queued, records the stop, puts everything on disk and ends the threads.
    /// Blocks. Whoever still holds a handle is told that the ledger is unavailable.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] when the end could not be put on disk.
    pub fn close(mut self) -> Result<Head, AuditError> {
        self.stop();
        let head = *self
            .shared
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.shared.synced.borrow().covers(head.seq) {
            Ok(head)
        } else {
            Err(AuditError::Unavailable)
        }
    }

    fn stop(&mut self) {
        let Some(standing_by) = self.standing_by.take() else {
            return;
        };
        self.shared.queue.close();
        if standing_by.join().is_err() {
            tracing::error!("the audit writer panicked");
        }
    }
}

impl Drop for LedgerThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

// === impl Entry ===

impl Entry {
    /// Waits until the record is on disk.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] when the disk refused it.
    pub async fn synced(mut self) -> Result<(), AuditError> {
        let seq = self.seq;
        let state = self.synced.wait_for(|state| state.settles(seq)).await;
        match state {
            Ok(state) if state.covers(seq) => Ok(()),
            _ => Err(AuditError::Unavailable),
        }
    }
}

// === impl Shared ===

impl Shared {
    fn new(head: Head, queue_events_max: usize) -> Arc<Self> {
        let queue_events_max = queue_events_max.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Self {
            queue: Queue::default(),
            writer: Mutex::new(None),
            room: Semaphore::new(queue_events_max),
            queue_events_max,
            unawaited: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            lost_ever: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            available: AtomicBool::new(true),
            head: Mutex::new(head),
            written: watch::Sender::new(head.seq),
            synced: watch::Sender::new(SyncState::at(head.seq)),
        };
        Arc::new(shared)
    }

    async fn wait_for_room(&self, permits: usize) -> Result<(), AuditError> {
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let permit = match self.room.try_acquire_many(permits) {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(AuditError::Unavailable),
            Err(TryAcquireError::NoPermits) => {
                tokio::time::timeout(QUEUE_WAIT, self.room.acquire_many(permits))
                    .await
                    .map_err(|_| AuditError::Unavailable)?
                    .map_err(|_| AuditError::Unavailable)?
            }
        };
        // The writer gives it back when the event has been written.
        permit.forget();
        Ok(())
    }

    /// Counts events that cannot be recorded. The ledger is unavailable until that is recorded.
    pub(crate) fn lose(&self, events: u64) {
        self.lost.fetch_add(events, Ordering::Relaxed);
        self.lost_ever.fetch_add(events, Ordering::Relaxed);
        self.available.store(false, Ordering::Release);
    }
}

fn encode_bounded(mut event: Decided) -> Vec<u8> {
    loop {
        let (findings, keys) = (event.findings.len(), event.request.query_keys.len());
        let wrapped = Event::Decided(Box::new(event));
        let bytes = wrapped.encode();
        if bytes.len() <= EVENT_BYTES_MAX || findings + keys == 0 {
            return bytes;
        }
        let Event::Decided(unwrapped) = wrapped else {
            return bytes;
        };
        event = *unwrapped;
        event.findings.truncate(findings / 2);
        event.request.query_keys.truncate(keys / 2);
    }
}
