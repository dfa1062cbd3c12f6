//! The syncer: puts on disk what the sequencer has written, while the sequencer goes on.
//!
//! A file that once failed to sync is never synced again: after a failure the kernel may hold its
//! pages for clean, and the next call would succeed without having written them.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::ledger::{Message, Shared};

/// Which records are on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncState {
    synced: u64,
    /// Records that were written but could not be put on disk, as inclusive ranges.
    lost: Vec<(u64, u64)>,
}

/// The sequencer's end of the syncer.
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
    stopping: bool,
}

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

    /// Asks for everything up to `seq` in `file` to be put on disk.
    pub(crate) fn request(&self, file: &Arc<File>, seq: u64) {
        let mut work = self.queue.lock();
        match work.files.last_mut() {
            Some((last, upto)) if Arc::ptr_eq(last, file) => *upto = seq,
            _ => work.files.push((Arc::clone(file), seq)),
        }
        drop(work);
        self.queue.ready.notify_one();
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
        while let Some(files) = self.next() {
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
                        // Without a sequencer there is nobody left to tell.
                        let _gone = shared.messages.send(Message::SyncFailed);
                    }
                    None => shared.synced.send_modify(|state| state.lose_up_to(seq)),
                }
            }
        }
    }

    /// Waits for work; `None` when there is none left and none will come.
    fn next(&self) -> Option<Vec<(Arc<File>, u64)>> {
        let mut work = self.lock();
        loop {
            if !work.files.is_empty() {
                return Some(std::mem::take(&mut work.files));
            }
            if work.stopping {
                return None;
            }
            work = self
                .ready
                .wait(work)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
