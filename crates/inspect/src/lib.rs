//! The decision point: a machine that is fed a request and answers with one decision.
//!
//! [`Snapshot`] holds everything that judges requests, immutable, swapped whole on a reload.
//! [`Inspection`] judges one request: `begin` with the head, `push` each chunk of the body,
//! `finish`. No sockets, no clock, no logging: the shell feeds, the core answers.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::cast_possible_truncation
)]

mod flow;
mod inspection;
mod memory;
mod snapshot;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use flow::undoes_coding;
pub use flow::{Flow, Moment};
pub use inspection::{Begin, Inspection, Judged, Progress};
pub use snapshot::{Scope, Snapshot};
