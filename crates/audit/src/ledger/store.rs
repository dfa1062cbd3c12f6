//! The store: the segment that is written to, the head of the chain, and what is under way.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use oktsec_model::{ExchangeId, Timestamp};

use crate::chain::{Head, InstanceId, Record};
use crate::event::{Event, Recovered, Segment};
use crate::ledger::Change;
use crate::segment::{Directory, Line, Lines, SCHEMA};

/// The writing end of a ledger.
pub(crate) struct Store {
    pub(crate) directory: Directory,
    pub(crate) instance: InstanceId,
    pub(crate) segment_bytes_max: u64,
    pub(crate) _lock: Lock,
    pub(crate) file: Arc<File>,
    /// The number of the segment's first record.
    pub(crate) first: u64,
    /// The bytes of whole lines in the segment.
    pub(crate) bytes: u64,
    pub(crate) head: Head,
    pub(crate) open: Open,
}

/// The lock of a ledger's directory. Given back when it is dropped, even where a process that was just
/// started still holds a copy of the file: closing alone would leave it with that one until it runs
/// its program.
pub(crate) struct Lock(pub(crate) File);

/// What has begun and not ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open {
    pub(crate) exchanges: HashSet<ExchangeId>,
    pub(crate) tunnels: HashSet<ExchangeId>,
}

// === impl Lock ===

impl Drop for Lock {
    fn drop(&mut self) {
        // There is nothing to do about an error: the end of the process gives it back as well.
        let _unlocked = self.0.unlock();
    }
}

/// The clock of the records that the ledger makes itself.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

// === impl Open ===

impl Open {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Begin(id) => {
                self.exchanges.insert(id);
            }
            Change::BeginTunnel(id) => {
                self.tunnels.insert(id);
            }
            Change::End(id) => {
                if !self.exchanges.remove(&id) {
                    self.tunnels.remove(&id);
                }
            }
            Change::None => {}
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.exchanges.len() + self.tunnels.len()
    }
}

// === impl Change ===

impl Change {
    /// What an event that was read back means.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Decided(decided) if !decided.last => Self::Begin(decided.id),
            Event::Ended(ended) => Self::End(ended.id),
            Event::TunnelOpened(opened) => Self::BeginTunnel(opened.id),
            Event::TunnelClosed(closed) => Self::End(closed.id),
            _ => Self::None,
        }
    }
}

// === impl Store ===

impl Store {
    pub(crate) const fn head(&self) -> Head {
        self.head
    }

    pub(crate) const fn full(&self) -> bool {
        self.bytes >= self.segment_bytes_max
    }

    /// Appends lines that were sealed up to `head`, with one write.
    pub(crate) fn append(&mut self, lines: &[u8], head: Head) -> io::Result<()> {
        (&*self.file).write_all(lines)?;
        self.bytes += lines.len() as u64;
        self.head = head;
        Ok(())
    }

    /// Appends one event of the ledger's own.
    pub(crate) fn append_event(&mut self, event: &Event) -> io::Result<()> {
        let mut line = Vec::new();
        let head = self.head.seal(self.instance, &event.encode(), &mut line);
        self.append(&line, head)?;
        self.open.apply(Change::of(event));
        Ok(())
    }

    /// Begins a new segment, which names the head it follows and what is under way.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        let first = self.head.seq + 1;
        self.file = Arc::new(self.directory.create(first)?);
        self.first = first;
        self.bytes = 0;
        self.append_event(&opening_event(self.instance, self.head, &self.open))
    }

    /// Leaves a segment that failed: reads back what it holds, cuts a torn line, and begins a new
    /// one.
    pub(crate) fn replace(&mut self, cause: &str) -> io::Result<()> {
        let path = self.directory.segment_path(self.first);
        let mut lines = Lines::open(&path, self.bytes)?;
        while let Line::Whole = lines.advance()? {
            let Some(record) = Record::parse(lines.line()) else {
                break;
            };
            if !record.follows(self.head, self.instance) {
                break;
            }
            self.head = record.head;
            self.bytes = lines.offset();
            if let Some(event) = Event::decode(record.event) {
                self.open.apply(Change::of(&event));
            }
        }
        let file = File::options().write(true).open(&path)?;
        let cut_bytes = file.metadata()?.len().saturating_sub(self.bytes);
        file.set_len(self.bytes)?;
        if self.bytes == 0 {
            // Not even the first line was written: nothing is lost with the file.
            std::fs::remove_file(&path)?;
        }
        self.rotate()?;
        self.append_event(&Event::Recovered(Recovered {
            at: now(),
            cause: cause.into(),
            cut_bytes,
            kept_as: None,
        }))
    }
}

/// The event that a segment opens with.
pub(crate) fn opening_event(instance: InstanceId, previous: Head, open: &Open) -> Event {
    let sorted = |ids: &HashSet<ExchangeId>| {
        let mut ids: Vec<_> = ids.iter().copied().collect();
        ids.sort_unstable();
        ids
    };
    Event::Segment(Segment {
        at: now(),
        instance,
        open: sorted(&open.exchanges),
        previous: previous.hash,
        schema: SCHEMA,
        tunnels: sorted(&open.tunnels),
    })
}
