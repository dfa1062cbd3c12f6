//! Who may reach what: a request's head and the findings in it go in, a decision comes out.
//!
//! [`compile()`] turns a [`Source`], which holds everything as it was written, into a [`PolicySet`],
//! or into every mistake at once. The set then answers and cannot fail: each answer is a
//! [`oktsec_model::Decision`] with the entry that decided, and with what was made of each finding.
//! Nothing here opens a socket, reads a clock or a file, or logs; patterns and bytes are unknown
//! here, only findings are seen.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::cast_possible_truncation
)]

mod compile;
mod effective;
mod evaluate;
mod guard;
mod matcher;
mod pattern;
mod source;
#[cfg(test)]
mod tests;

pub use compile::{Compiled, compile};
pub use effective::{Effective, Line};
pub use evaluate::PolicySet;
pub use matcher::HostPatterns;
pub use source::{
    AgentSource, ContentSource, EgressSource, Entry, GlobalSource, IgnoreSource, Mode, PolicyError,
    ResolveTo, RuleAction, RuleSource, Set, Source, UnknownAgents,
};
