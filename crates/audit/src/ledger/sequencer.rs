//! The sequencer: the one thread that writes. It takes what is queued, never waits for more, seals
//! each event, and appends them all with one write.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::chain::Head;
use crate::event::{Event, Lost, Stopped};
use crate::ledger::store::{Store, now};
use crate::ledger::syncer::Syncer;
use crate::ledger::{AuditError, Job, Message, Shared};

/// The writing thread.
pub(crate) struct Sequencer {
    shared: Arc<Shared>,
    inbox: UnboundedReceiver<Message>,
    store: Store,
    syncer: Syncer,
    /// Events that nobody waits for and that could not be written yet.
    backlog: VecDeque<Job>,
    /// Since when nothing can be written.
    down_since: Option<Instant>,
    /// The head that the batch at hand follows.
    base: Head,
    lines: Vec<u8>,
}

/// Messages taken at once; bounds the size of one write.
const BATCH_MAX: usize = 2_048;
/// Events kept while nothing can be written.
const BACKLOG_MAX: usize = 8_192;
/// How often a ledger that cannot be written is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The buffer is given back when a batch made it larger than this.
const LINES_BYTES_KEPT: usize = 8 << 20;

// === impl Sequencer ===

impl Sequencer {
    pub(crate) fn start(
        shared: Arc<Shared>,
        inbox: UnboundedReceiver<Message>,
        store: Store,
        syncer: Syncer,
    ) -> io::Result<JoinHandle<()>> {
        let mut sequencer = Self {
            base: store.head(),
            shared,
            inbox,
            store,
            syncer,
            backlog: VecDeque::new(),
            down_since: None,
            lines: Vec::new(),
        };
        thread::Builder::new()
            .name("audit-sequencer".to_owned())
            .spawn(move || sequencer.run())
    }

    fn run(&mut self) {
        let mut messages = Vec::with_capacity(BATCH_MAX);
        let mut jobs = Vec::with_capacity(BATCH_MAX);
        let mut stopping = false;
        while !stopping && self.inbox.blocking_recv_many(&mut messages, BATCH_MAX) > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Record(job) => jobs.push(job),
                    Message::SyncFailed => self.replace("sync failed"),
                    Message::Stop => stopping = true,
                }
            }
            self.handle(&mut jobs);
        }
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            if let Message::Record(job) = message {
                jobs.push(job);
            }
        }
        self.handle(&mut jobs);
        self.stop();
    }

    /// Writes a batch, or says that it cannot be written.
    fn handle(&mut self, jobs: &mut Vec<Job>) {
        if self
            .down_since
            .is_some_and(|since| since.elapsed() >= RETRY_INTERVAL)
        {
            self.replace("retry after a failed write");
        }
        let queued = jobs.iter().filter(|job| job.written.is_none()).count();
        self.shared.unawaited.fetch_sub(queued, Ordering::Relaxed);
        let room = jobs.iter().map(|job| job.permits).sum();
        if !self.backlog.is_empty() && self.down_since.is_none() {
            jobs.splice(0..0, self.backlog.drain(..));
        }
        if self.down_since.is_some() || !self.write_or_replace(jobs) {
            self.refuse(jobs);
        }
        self.shared.room.add_permits(room);
    }

    fn write(&mut self, jobs: &mut Vec<Job>) -> io::Result<()> {
        if jobs.is_empty() && self.shared.lost.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.base = self.store.head();
        if self.store.full() {
            self.store.rotate()?;
            self.base = self.store.head();
        }
        self.lines.clear();
        let mut head = self.base;
        let mut heads = Vec::with_capacity(jobs.len());
        for job in jobs.iter() {
            head = head.seal(self.store.instance, &job.bytes, &mut self.lines);
            heads.push(head);
        }
        let lost = self.shared.lost.load(Ordering::Relaxed);
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
            self.shared.lost.fetch_sub(lost, Ordering::Relaxed);
        }
        let awaited = jobs.iter().filter(|job| job.written.is_some()).count();
        self.publish(awaited);
        for (job, head) in jobs.drain(..).zip(heads) {
            job.answer(Ok(head));
        }
        Ok(())
    }

    /// Says what has been written, and asks for it to be put on disk.
    fn publish(&self, awaited: usize) {
        let head = self.store.head();
        *self
            .shared
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = head;
        self.shared
            .open
            .store(self.store.open.len(), Ordering::Relaxed);
        self.shared.available.store(true, Ordering::Release);
        self.syncer.request(&self.store.file, head.seq, awaited);
        self.shared.written.send_replace(head.seq);
    }

    /// Leaves the segment for a new one. Where that fails, nothing can be written for now.
    fn replace(&mut self, cause: &str) {
        let given_up = self.shared.synced.borrow().failed_too_often();
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
                self.publish(1);
            }
            Err(error) => {
                tracing::error!(%error, "no new audit segment can be begun: requests are refused");
                self.down_since = Some(Instant::now());
                self.shared.available.store(false, Ordering::Release);
            }
        }
    }

    /// Writes a batch; where that fails, what is left of it to a new segment, once.
    fn write_or_replace(&mut self, jobs: &mut Vec<Job>) -> bool {
        let Err(error) = self.write(jobs) else {
            return true;
        };
        tracing::error!(%error, "the audit ledger cannot be written");
        self.replace("append failed");
        if self.down_since.is_some() {
            return false;
        }
        self.answer_written(jobs);
        let written = self.write(jobs);
        if let Err(error) = &written {
            tracing::error!(%error, "the new audit segment cannot be written: requests are refused");
            self.down_since = Some(Instant::now());
            self.shared.available.store(false, Ordering::Release);
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
    fn refuse(&mut self, jobs: &mut Vec<Job>) {
        for job in jobs.drain(..) {
            if job.written.is_some() {
                job.answer(Err(AuditError::Unavailable));
            } else if self.backlog.len() < BACKLOG_MAX {
                self.backlog.push_back(job);
            } else {
                self.shared.lose(1);
            }
        }
    }

    /// Whether a record stands before the segment that replaced the failed one.
    fn was_written(&self, head: Head) -> bool {
        head.seq < self.store.first
    }

    fn stop(&mut self) {
        let stopped = Event::Stopped(Stopped { at: now() });
        if self.down_since.is_none() {
            match self.store.append_event(&stopped) {
                Ok(()) => self.publish(1),
                Err(error) => tracing::error!(%error, "the stop cannot be recorded"),
            }
        }
        self.syncer.stop();
        self.shared.available.store(false, Ordering::Release);
    }
}

// === impl Job ===

impl Job {
    fn answer(self, result: Result<Head, AuditError>) {
        if let Some(written) = self.written {
            // The caller may have gone.
            let _gone = written.send(result);
        }
    }
}
