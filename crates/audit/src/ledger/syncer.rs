//! The syncer: puts on disk what the writer has written, while the writer goes on.
//!
//! A file that once failed to sync is never synced again: after a failure the kernel may hold its
//! pages for clean, and the next call would succeed without having written them.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::ledger::Shared;

/// Which records are on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncState {
    synced: u64,
    /// Records that were written but could not be put on disk, as inclusive ranges.
    lost: Vec<(u64, u64)>,
}

/// The writer's end of the syncer.
pub(crate) struct Syncer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

struct Queue {
    work: Mutex<Work>,
    ready: Condvar,
}

#[derive(Default)]
struct Work {
    /// Files with unsynced records, in order, each with its last record.
    files: Vec<(Arc<File>, u64)>,
    /// Records among them that somebody waits for.
    awaited: usize,
    /// The thread has nothing to do, and is to be woken. A call that wakes nobody costs as much as
    /// one that does.
    is_waiting: bool,
    stopping: bool,
}

/// Records that nobody waits for are on disk this much later at the latest.
const UNAWAITED_TIME_MAX: Duration = Duration::from_millis(200);
/// Under load a sync begins this long after the one before: back to back they would cost more
/// processor time than the requests themselves. A lone request never waits for it.
const SYNC_INTERVAL: Duration = Duration::from_millis(1);
/// From how many waiting records on that is load.
const LOAD_RECORDS_MIN: usize = 4;

/// After this many failed syncs the ledger is given up until it is opened again.
pub(crate) const SYNC_FAILURES_MAX: usize = 16;

// === impl SyncState ===

impl SyncState {
    pub(crate) const fn at(synced: u64) -> Self {
        Self {
            synced,
            lost: Vec::new(),
        }
    }

    /// Whether it is known what became of the record.
    pub(crate) fn settles(&self, seq: u64) -> bool {
        self.synced >= seq || self.has_lost(seq)
    }

    /// Whether the record is on disk.
    pub(crate) fn covers(&self, seq: u64) -> bool {
        self.synced >= seq && !self.has_lost(seq)
    }

    pub(crate) fn failed_too_often(&self) -> bool {
        self.lost.len() >= SYNC_FAILURES_MAX
    }

    fn has_lost(&self, seq: u64) -> bool {
        self.lost.iter().any(|&(from, to)| from <= seq && seq <= to)
    }

    fn lose_up_to(&mut self, seq: u64) {
        let from = self.synced + 1;
        match self.lost.last_mut() {
            // One failure may concern several groups of the same file.
            Some(last) if last.1 + 1 >= from => last.1 = last.1.max(seq),
            _ => self.lost.push((from, seq)),
        }
        self.synced = self.synced.max(seq);
    }
}

// === impl Syncer ===

impl Syncer {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            work: Mutex::new(Work::default()),
            ready: Condvar::new(),
        });
        let worker = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("audit-syncer".to_owned())
            .spawn(move || worker.run(&shared))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// Asks for everything up to `seq` in `file` to be put on disk; `awaited` of the records are
    /// waited for.
    pub(crate) fn request(&self, file: &Arc<File>, seq: u64, awaited: usize) {
        let mut work = self.queue.lock();
        let was_empty = work.files.is_empty();
        let is_waiting = work.is_waiting;
        work.awaited += awaited;
        match work.files.last_mut() {
            Some((last, upto)) if Arc::ptr_eq(last, file) => *upto = seq,
            _ => work.files.push((Arc::clone(file), seq)),
        }
        drop(work);
        if is_waiting && (awaited > 0 || was_empty) {
            self.queue.ready.notify_one();
        }
    }

    /// Ends the thread when everything asked for is done.
    pub(crate) fn stop(&mut self) {
        self.queue.lock().stopping = true;
        self.queue.ready.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit syncer panicked");
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.stop();
    }
}

// === impl Queue ===

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, shared: &Shared) {
        let mut poisoned: Option<Arc<File>> = None;
        let mut last: Option<Instant> = None;
        while let Some(files) = self.next(last) {
            last = Some(Instant::now());
            for (file, seq) in files {
                let known_bad = poisoned.as_ref().is_some_and(|bad| Arc::ptr_eq(bad, &file));
                let result = if known_bad {
                    None
                } else {
                    Some(file.sync_data())
                };
                match result {
                    Some(Ok(())) => shared.synced.send_modify(|state| state.synced = seq),
                    Some(Err(error)) => {
                        tracing::error!(%error, "the audit segment cannot be put on disk");
                        poisoned = Some(file);
                        shared.synced.send_modify(|state| state.lose_up_to(seq));
                        shared.queue.sync_failed();
                    }
                    None => shared.synced.send_modify(|state| state.lose_up_to(seq)),
                }
            }
        }
    }

    /// Waits for work; `None` when there is none left and none will come.
    fn next(&self, last: Option<Instant>) -> Option<Vec<(Arc<File>, u64)>> {
        let mut work = self.lock();
        loop {
            if work.stopping && work.files.is_empty() {
                return None;
            }
            if work.stopping || work.awaited > 0 {
                break;
            }
            work.is_waiting = true;
            if work.files.is_empty() {
                work = self
                    .ready
                    .wait(work)
                    .unwrap_or_else(PoisonError::into_inner);
                work.is_waiting = false;
                continue;
            }
            let (woken, timeout) = self
                .ready
                .wait_timeout(work, UNAWAITED_TIME_MAX)
                .unwrap_or_else(PoisonError::into_inner);
            work = woken;
            work.is_waiting = false;
            if timeout.timed_out() {
                break;
            }
        }
        if let Some(last) = last
            && work.awaited >= LOAD_RECORDS_MIN
            && let rest = SYNC_INTERVAL.saturating_sub(last.elapsed())
            && !rest.is_zero()
        {
            // Asleep and not waiting: whoever comes now joins the group without waking anybody.
            drop(work);
            thread::sleep(rest);
            work = self.lock();
        }
        work.awaited = 0;
        Some(std::mem::take(&mut work.files))
    }
}
