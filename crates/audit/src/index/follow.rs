//! The follower: rows as they become final, straight from the ledger.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use oktsec_model::ExchangeId;

use crate::chain::Head;
use crate::event::Event;
use crate::index::ReadError;
use crate::row::Row;
use crate::tail::Tail;

/// Follows a ledger. Yields each row once, when nothing can change it any more.
pub struct Follower {
    tail: Tail,
    /// Rows that have not ended, and whether an exchange speaks for them.
    pending: HashMap<ExchangeId, (Row, bool)>,
}

/// Rows kept until they end; the ledger itself lets no more be under way.
const PENDING_MAX: usize = crate::ledger::OPEN_MAX;
/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

// === impl Follower ===

impl Follower {
    pub(super) fn new(tail: Tail, pending: Vec<(Row, bool)>) -> Self {
        let pending = pending
            .into_iter()
            .map(|(row, spoken_for)| (row.id, (row, spoken_for)));
        Self {
            tail,
            pending: pending.collect(),
        }
    }

    /// The next row, waiting for it at most `timeout`. Blocks.
    ///
    /// # Errors
    /// [`ReadError`] when the ledger cannot be read or is broken.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Row>, ReadError> {
        let deadline = Instant::now() + timeout;
        loop {
            while let Some(head) = self.tail.advance()? {
                if let Some(row) = self.take(head) {
                    return Ok(Some(row));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(left.min(POLL_INTERVAL));
        }
    }

    /// Takes in the record just read; the row that it makes final.
    fn take(&mut self, head: Head) -> Option<Row> {
        match Event::decode(self.tail.event())? {
            Event::Decided(event) => {
                if let Some(tunnel) = event.tunnel
                    && let Some((_, spoken_for)) = self.pending.get_mut(&tunnel)
                {
                    *spoken_for = true;
                }
                self.begin(Row::decided(*event, head))
            }
            Event::TunnelOpened(event) => self.begin(Row::tunnel(event, head)),
            Event::Ended(event) => {
                let (mut row, _) = self.pending.remove(&event.id)?;
                row.end(&event, head);
                Some(row)
            }
            Event::TunnelClosed(event) => {
                let (mut row, spoken_for) = self.pending.remove(&event.id)?;
                row.close(&event, head);
                (!spoken_for).then_some(row)
            }
            _ => None,
        }
    }

    fn begin(&mut self, row: Row) -> Option<Row> {
        if row.is_final || self.pending.len() >= PENDING_MAX {
            return Some(row);
        }
        self.pending.insert(row.id, (row, false));
        None
    }
}
