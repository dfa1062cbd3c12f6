//! The writer: seals what was queued, event by event, and appends it all with one write. One at a
//! time has it; who that is, the queue says.

use std::collections::VecDeque;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::chain::Head;
use crate::event::{Event, Lost, Stopped};
use crate::ledger::queue::Batch;
use crate::ledger::store::{Store, now};
use crate::ledger::syncer::Syncer;
use crate::ledger::{AuditError, Job, Shared};

/// The writing end of the ledger.
pub(crate) struct Writer {
    store: Store,
    syncer: Syncer,
    /// Events that nobody waits for and that could not be written yet.
    backlog: VecDeque<Job>,
    /// Since when nothing can be written.
    down_since: Option<Instant>,
    /// The head that the batch at hand follows.
    base: Head,
    lines: Vec<u8>,
    heads: Vec<Head>,
}

/// Events kept while nothing can be written.
const BACKLOG_MAX: usize = 8_192;
/// How often a ledger that cannot be written is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The buffer is given back when a batch made it larger than this.
const LINES_BYTES_KEPT: usize = 8 << 20;

// === impl Writer ===

impl Writer {
    pub(crate) fn new(store: Store, syncer: Syncer) -> Self {
        Self {
            base: store.head(),
            store,
            syncer,
            backlog: VecDeque::new(),
            down_since: None,
            lines: Vec::new(),
            heads: Vec::new(),
        }
    }

    /// Writes a batch, or says that it cannot be written.
    pub(crate) fn handle(&mut self, shared: &Shared, batch: Batch) {
        let mut jobs = batch.jobs;
        if batch.sync_failed {
            self.replace(shared, "sync failed");
        }
        if self
            .down_since
            .is_some_and(|since| since.elapsed() >= RETRY_INTERVAL)
        {
            self.replace(shared, "retry after a failed write");
        }
        let queued = jobs.iter().filter(|job| !job.is_awaited()).count();
        shared.unawaited.fetch_sub(queued, Ordering::Relaxed);
        let room = jobs.iter().map(|job| job.permits).sum();
        if !self.backlog.is_empty() && self.down_since.is_none() {
            jobs.splice(0..0, self.backlog.drain(..));
        }
        if self.down_since.is_some() || !self.write_or_replace(shared, &mut jobs) {
            self.refuse(shared, &mut jobs);
        }
        shared.room.add_permits(room);
    }

    fn write(&mut self, shared: &Shared, jobs: &mut Vec<Job>) -> io::Result<()> {
        if jobs.is_empty() && shared.lost.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.base = self.store.head();
        if self.store.full() {
            self.store.rotate()?;
            self.base = self.store.head();
        }
        self.lines.clear();
        let mut head = self.base;
        self.heads.clear();
        for job in jobs.iter() {
            head = head.seal(self.store.instance, &job.bytes, &mut self.lines);
            self.heads.push(head);
        }
        let lost = shared.lost.load(Ordering::Relaxed);
        if lost > 0 {
            let event = Event::Lost(Lost {
                at: now(),
                events: lost,
            });
            head = head.seal(self.store.instance, &event.encode(), &mut self.lines);
        }
        self.store.append(&self.lines, head)?;
        if self.lines.capacity() > LINES_BYTES_KEPT {
            self.lines = Vec::new();
        }
        for job in jobs.iter() {
            self.store.open.apply(job.change);
        }
        if lost > 0 {
            shared.lost.fetch_sub(lost, Ordering::Relaxed);
        }
        let awaited = jobs.iter().filter(|job| job.is_awaited()).count();
        self.publish(shared, awaited);
        for (job, head) in jobs.drain(..).zip(self.heads.drain(..)) {
            job.answer(Ok(head));
        }
        Ok(())
    }

    /// Says what has been written, and asks for it to be put on disk.
    fn publish(&self, shared: &Shared, awaited: usize) {
        let head = self.store.head();
        *shared.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        shared.open.store(self.store.open.len(), Ordering::Relaxed);
        shared.available.store(true, Ordering::Release);
        self.syncer.request(&self.store.file, head.seq, awaited);
        shared.written.send_replace(head.seq);
    }

    /// Leaves the segment for a new one. Where that fails, nothing can be written for now.
    fn replace(&mut self, shared: &Shared, cause: &str) {
        let given_up = shared.synced.borrow().failed_too_often();
        let result = if given_up {
            Err(io::Error::other("too many failed syncs"))
        } else {
            self.store.replace(cause)
        };
        match result {
            Ok(()) => {
                tracing::warn!(
                    cause,
                    segment = self.store.first,
                    "a new audit segment was begun"
                );
                self.down_since = None;
                self.publish(shared, 1);
            }
            Err(error) => {
                tracing::error!(%error, "no new audit segment can be begun: requests are refused");
                self.down_since = Some(Instant::now());
                shared.available.store(false, Ordering::Release);
            }
        }
    }

    /// Writes a batch; where that fails, what is left of it to a new segment, once.
    fn write_or_replace(&mut self, shared: &Shared, jobs: &mut Vec<Job>) -> bool {
        let Err(error) = self.write(shared, jobs) else {
            return true;
        };
        tracing::error!(%error, "the audit ledger cannot be written");
        self.replace(shared, "append failed");
        if self.down_since.is_some() {
            return false;
        }
        self.answer_written(jobs);
        let written = self.write(shared, jobs);
        if let Err(error) = &written {
            tracing::error!(%error, "the new audit segment cannot be written: requests are refused");
            self.down_since = Some(Instant::now());
            shared.available.store(false, Ordering::Release);
        }
        written.is_ok()
    }

    /// After a failed write: answers those whose records were read back as whole.
    fn answer_written(&self, jobs: &mut Vec<Job>) {
        let mut head = self.base;
        let mut whole = 0;
        for job in jobs.iter() {
            head = head.next(self.store.instance, &job.bytes);
            if !self.was_written(head) {
                break;
            }
            whole += 1;
        }
        let mut head = self.base;
        for job in jobs.drain(..whole) {
            head = head.next(self.store.instance, &job.bytes);
            job.answer(Ok(head));
        }
    }

    /// Says that nothing can be written. What nobody waits for is kept for later.
    fn refuse(&mut self, shared: &Shared, jobs: &mut Vec<Job>) {
        for job in jobs.drain(..) {
            if job.is_awaited() {
                job.answer(Err(AuditError::Unavailable));
            } else if self.backlog.len() < BACKLOG_MAX {
                self.backlog.push_back(job);
            } else {
                shared.lose(1);
            }
        }
    }

    /// Whether a record stands before the segment that replaced the failed one.
    fn was_written(&self, head: Head) -> bool {
        head.seq < self.store.first
    }

    /// Records the stop and puts everything on disk.
    pub(crate) fn stop(mut self, shared: &Shared) {
        let stopped = Event::Stopped(Stopped { at: now() });
        if self.down_since.is_none() {
            match self.store.append_event(&stopped) {
                Ok(()) => self.publish(shared, 1),
                Err(error) => tracing::error!(%error, "the stop cannot be recorded"),
            }
        }
        self.syncer.stop();
        shared.available.store(false, Ordering::Release);
    }
}

// === impl Job ===

impl Job {
    pub(crate) const fn is_awaited(&self) -> bool {
        self.written.is_some()
    }

    fn answer(self, result: Result<Head, AuditError>) {
        if let Some(written) = self.written {
            // The caller may have gone.
            let _gone = written.send(result);
        }
    }
}
