//! Walks a ledger from its first record to its last and names the first break.

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::chain::{Head, InstanceId, Record};
use crate::segment::{Directory, Line, Lines, opening};

/// A ledger that is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified {
    /// The records in it.
    pub events: u64,
    /// The last of them.
    pub head: Head,
}

/// The first break.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("record {seq}: {what}")]
pub struct Broken {
    /// The record that should stand there.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
}

struct Walk {
    head: Head,
    instance: Option<InstanceId>,
    events: u64,
}

/// Checks every record of the ledger in a directory.
///
/// # Errors
/// [`Broken`], naming the first record that is not what the chain says.
pub fn verify(dir: &Path) -> Result<Verified, Broken> {
    let directory = Directory::new(dir);
    let mut walk = Walk {
        head: Head::default(),
        instance: None,
        events: 0,
    };
    let firsts = directory.list().map_err(|error| walk.unreadable(&error))?;
    for first in firsts {
        if walk.instance.is_some() && first != walk.head.seq + 1 {
            return Err(walk.broken("the segment that should begin here is missing"));
        }
        walk.segment(&directory.segment_path(first), first)?;
    }
    if walk.instance.is_none() {
        return Err(walk.broken("there is no ledger"));
    }
    Ok(Verified {
        events: walk.events,
        head: walk.head,
    })
}

// === impl Walk ===

impl Walk {
    fn segment(&mut self, path: &Path, first: u64) -> Result<(), Broken> {
        let mut lines = Lines::open(path, 0).map_err(|error| self.unreadable(&error))?;
        let mut at_start = true;
        loop {
            match lines.advance().map_err(|error| self.unreadable(&error))? {
                Line::Whole if at_start => self.opening(lines.line(), first)?,
                Line::Whole => self.record(lines.line())?,
                Line::Torn => return Err(self.broken("the line is torn")),
                Line::End if at_start => return Err(self.broken("the segment is empty")),
                Line::End => return Ok(()),
            }
            at_start = false;
        }
    }

    fn opening(&mut self, line: &[u8], first: u64) -> Result<(), Broken> {
        let (head, segment) =
            opening(line).ok_or_else(|| self.broken("the segment's first line is not valid"))?;
        if head.seq != first {
            return Err(self.broken("the segment's name does not fit its first record"));
        }
        match self.instance {
            Some(instance) if instance != segment.instance => {
                return Err(self.broken("the segment is of another chain"));
            }
            Some(_) if self.head.hash != segment.previous => {
                return Err(self.broken("the segment does not follow the one before"));
            }
            None if first == 1 && segment.previous != Head::default().hash => {
                return Err(self.broken("the chain does not begin at its beginning"));
            }
            // Older segments may have been pruned: the chain is checked from here on.
            Some(_) | None => self.instance = Some(segment.instance),
        }
        self.head = head;
        self.events += 1;
        Ok(())
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Broken> {
        let instance = self
            .instance
            .ok_or_else(|| self.broken("there is no chain"))?;
        let record = Record::parse(line).ok_or_else(|| self.broken("the line is not a record"))?;
        if record.head.seq != self.head.seq + 1 {
            return Err(self.broken("the record has another number"));
        }
        if !record.follows(self.head, instance) {
            return Err(self.broken("the hash does not fit"));
        }
        self.head = record.head;
        self.events += 1;
        Ok(())
    }

    fn broken(&self, what: &str) -> Broken {
        Broken {
            seq: self.head.seq + 1,
            what: what.to_owned(),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Broken {
        self.broken(&format!("cannot be read: {error}"))
    }
}
