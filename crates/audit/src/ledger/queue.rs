//! The queue before the writer, and whose turn it is to write.
//!
//! Whoever queues an event also writes it, on its own thread, after it has let the tasks run that
//! are ready: what they queue goes out with the same write. So a lone request wakes nobody to have
//! its row written, and under load one write carries the rows of many. A thread stands by for what
//! must not be done on a request's time: a queue that does not run empty, a file that could not be
//! put on disk, and the end.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use crate::ledger::writer::Writer;
use crate::ledger::{AuditError, Job, Shared};

/// Events that wait to be written.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    called: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// How many of them somebody waits for, who will see to it that they are written.
    awaited: usize,
    /// The syncer could not put the segment on disk.
    sync_failed: bool,
    /// The thread that stands by has something to do.
    called: bool,
    /// Nothing more is taken in.
    closed: bool,
}

/// What is written next.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) jobs: Vec<Job>,
    pub(crate) sync_failed: bool,
}

/// The duty to write what is queued.
#[must_use = "it is written when this is dropped"]
pub(crate) struct Turn<'a>(&'a Shared);

/// Events in one write; bounds its size.
const BATCH_MAX: usize = 2_048;
/// Batches that one request writes for others before the thread that stands by takes over.
const TURNS_MAX: usize = 4;

// === impl Queue ===

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the segment could not be put on disk.
    pub(crate) fn sync_failed(&self) {
        self.lock().sync_failed = true;
        self.call();
    }

    fn call(&self) {
        self.lock().called = true;
        self.called.notify_one();
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.called.notify_one();
    }

    /// Whether somebody else is about to write it.
    fn push(&self, job: Job) -> Result<bool, AuditError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(AuditError::Unavailable);
        }
        let is_cared_for = waiting.awaited > 0;
        waiting.awaited += usize::from(job.is_awaited());
        waiting.jobs.push_back(job);
        Ok(is_cared_for)
    }

    pub(crate) fn take(&self) -> Batch {
        let mut waiting = self.lock();
        let count = waiting.jobs.len().min(BATCH_MAX);
        let jobs: Vec<Job> = waiting.jobs.drain(..count).collect();
        waiting.awaited -= jobs.iter().filter(|job| job.is_awaited()).count();
        Batch {
            jobs,
            sync_failed: std::mem::take(&mut waiting.sync_failed),
        }
    }

    fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.jobs.is_empty() && !waiting.sync_failed
    }

    /// Waits for a call. Whether the queue is closed.
    fn wait(&self) -> bool {
        let mut waiting = self.lock();
        while !waiting.called && !waiting.closed {
            waiting = self
                .called
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.called = false;
        waiting.closed
    }
}

// === impl Batch ===

impl Batch {
    pub(crate) const fn is_empty(&self) -> bool {
        self.jobs.is_empty() && !self.sync_failed
    }
}

// === impl Turn ===

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.write();
    }
}

// === impl Shared ===

impl Shared {
    /// Queues an event that somebody waits for. It is written at the latest when the turn is dropped.
    pub(crate) fn queue_awaited(&self, job: Job) -> Result<Turn<'_>, AuditError> {
        self.queue.push(job)?;
        Ok(Turn(self))
    }

    /// Queues an event that nobody waits for.
    pub(crate) fn queue_unawaited(&self, job: Job) -> Result<(), AuditError> {
        let is_cared_for = self.queue.push(job)?;
        if !is_cared_for {
            self.write();
        }
        Ok(())
    }

    fn write(&self) {
        for _ in 0..TURNS_MAX {
            if !self.take_turn() {
                return;
            }
        }
        self.queue.call();
    }

    /// Writes a batch, unless somebody else is writing. Whether there is more to write.
    fn take_turn(&self) -> bool {
        let batch_written = match self.writer.try_lock() {
            Ok(mut writer) => self.write_batch(writer.as_mut()),
            // Whoever has it looks into the queue once more after giving it back.
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Poisoned(_)) => {
                self.give_up();
                return false;
            }
        };
        batch_written && !self.queue.is_empty()
    }

    /// Whether there was somebody to write it.
    fn write_batch(&self, writer: Option<&mut Writer>) -> bool {
        let Some(writer) = writer else { return false };
        let batch = self.queue.take();
        if !batch.is_empty() {
            writer.handle(self, batch);
        }
        true
    }

    /// The writer broke in the middle of a batch: nothing can be recorded any more.
    fn give_up(&self) {
        self.available.store(false, Ordering::Release);
        // Dropped jobs tell those who wait for them.
        while !self.queue.take().is_empty() {}
    }
}

/// Starts the thread that stands by.
pub(crate) fn stand_by(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("audit-writer".to_owned())
        .spawn(move || {
            while !shared.queue.wait() {
                write_all(&shared);
            }
            write_all(&shared);
            let writer = shared
                .writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(writer) = writer {
                writer.stop(&shared);
            }
        })
}

fn write_all(shared: &Shared) {
    while !shared.queue.is_empty() {
        let Ok(mut writer) = shared.writer.lock() else {
            shared.give_up();
            return;
        };
        if !shared.write_batch(writer.as_mut()) {
            return;
        }
    }
}
