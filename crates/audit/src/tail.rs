//! A place in a ledger from which records are read in order, across segments, as they come.

use std::io;

use crate::chain::{Head, InstanceId, Record};
use crate::segment::{Directory, Line, Lines, opening};

/// Reads records after a position, checking that each follows the one before.
pub(crate) struct Tail {
    directory: Directory,
    at: Option<Place>,
    event: Vec<u8>,
}

/// Where a reader stands: behind the record `head`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    /// The number of the segment's first record.
    pub(crate) first: u64,
    /// Where the record begins.
    pub(crate) start: u64,
    /// The record.
    pub(crate) head: Head,
}

struct Place {
    first: u64,
    head: Head,
    instance: InstanceId,
    lines: Lines,
    /// Where the record `head` begins.
    start: u64,
}

// === impl Tail ===

impl Tail {
    /// From the first record.
    pub(crate) const fn new(directory: Directory) -> Self {
        Self {
            directory,
            at: None,
            event: Vec::new(),
        }
    }

    /// From a position. `None` when the ledger does not hold that record there: the position is of
    /// another ledger, or of records that were cut off.
    pub(crate) fn resume(directory: Directory, position: Position) -> io::Result<Option<Self>> {
        let path = directory.segment_path(position.first);
        let read = || -> io::Result<Option<Place>> {
            let mut lines = Lines::open(&path, 0)?;
            let Line::Whole = lines.advance()? else {
                return Ok(None);
            };
            let Some((_, segment)) = opening(lines.line()) else {
                return Ok(None);
            };
            let mut lines = Lines::open(&path, position.start)?;
            let Line::Whole = lines.advance()? else {
                return Ok(None);
            };
            let found = Record::parse(lines.line()).map(|record| record.head);
            Ok((found == Some(position.head)).then_some(Place {
                first: position.first,
                head: position.head,
                instance: segment.instance,
                lines,
                start: position.start,
            }))
        };
        let place = match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => other?,
        };
        Ok(place.map(|place| Self {
            directory,
            at: Some(place),
            event: Vec::new(),
        }))
    }

    /// Where the reader stands; `None` before the first record.
    pub(crate) fn position(&self) -> Option<Position> {
        self.at.as_ref().map(|place| Position {
            first: place.first,
            start: place.start,
            head: place.head,
        })
    }

    /// Reads the next record, if there is one yet; its event is in [`Tail::event`].
    pub(crate) fn advance(&mut self) -> io::Result<Option<Head>> {
        let Some(place) = &mut self.at else {
            let firsts = self.directory.list()?;
            return match firsts.first() {
                Some(&first) => self.enter(first),
                None => Ok(None),
            };
        };
        match place.lines.advance()? {
            Line::Whole => {}
            Line::Torn => return Ok(None),
            Line::End => {
                let next = place.head.seq + 1;
                return if self.directory.segment_path(next).exists() {
                    self.enter(next)
                } else {
                    Ok(None)
                };
            }
        }
        let record = Record::parse(place.lines.line())
            .filter(|record| record.follows(place.head, place.instance))
            .ok_or_else(|| broken(place.head.seq + 1))?;
        self.event.clear();
        self.event.extend_from_slice(record.event);
        place.head = record.head;
        place.start = place.lines.start();
        Ok(Some(place.head))
    }

    /// The event of the record that was read last.
    pub(crate) fn event(&self) -> &[u8] {
        &self.event
    }

    /// Goes to the beginning of a segment and reads its first record.
    fn enter(&mut self, first: u64) -> io::Result<Option<Head>> {
        let mut lines = Lines::open(&self.directory.segment_path(first), 0)?;
        let Line::Whole = lines.advance()? else {
            return Ok(None);
        };
        let (head, segment) = opening(lines.line()).ok_or_else(|| broken(first))?;
        let follows = self.at.as_ref().is_none_or(|before| {
            before.instance == segment.instance && before.head.hash == segment.previous
        });
        if head.seq != first || !follows {
            return Err(broken(first));
        }
        self.event.clear();
        if let Some(record) = Record::parse(lines.line()) {
            self.event.extend_from_slice(record.event);
        }
        self.at = Some(Place {
            first,
            head,
            instance: segment.instance,
            lines,
            start: 0,
        });
        Ok(Some(head))
    }
}

fn broken(seq: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the audit ledger is broken at record {seq}"),
    )
}
