//! The audit trail: what happened, in an order that cannot be changed unseen.
//!
//! The [`Ledger`] is the log of record: lines in files, each bound to the ones before. Everything
//! else is a view of it that can be thrown away and built again: the index that [`Reader`] asks,
//! the rows that [`Follower`] yields.

#[cfg(test)]
extern crate self as oktsec_audit;

mod chain;
mod event;
mod index;
mod ledger;
mod row;
#[cfg(test)]
mod sample;
mod segment;
mod tail;
mod text;
mod verify;

pub use chain::{Hash, Head, InstanceId};
pub use event::{
    ConfigApplied, ConfigRejected, Decided, DecidedTiming, Ended, EndedTiming, Event,
    FindingRecord, Identity, Inspection, Lost, Note, Policy, Recovered, Request, Segment, Started,
    Stopped, TunnelClosed, TunnelOpened, Upstream,
};
pub use index::{AgentSummary, Extent, Follower, Indexer, LastBlock, Query, ReadError, Reader};
pub use ledger::{AuditError, Entry, Ledger, LedgerOptions, LedgerThreads, OpenError};
pub use row::{Row, Timing};
pub use text::Text;
pub use verify::{Broken, Verified, verify};
