//! The nouns of a request's path, from caller to record.
//!
//! `Principal → Target → RequestHead → Finding → Decision → Outcome`: each is made from the one
//! before, and none points back up. Everything here is a value: nothing opens a socket, reads a
//! clock or a file, or logs. Callers pass bytes and `now`.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::cast_possible_truncation
)]

mod address;
mod decision;
mod exchange;
mod finding;
mod ids;
mod principal;
mod quota;
mod target;
mod text;

pub use address::{AddressClass, classify};
pub use decision::{Action, Decision, List, Origin, PolicyEntry, Reason, Status};
pub use exchange::{HttpVersion, Outcome, RequestHead};
pub use finding::{
    Category, Confidence, Finding, Fingerprint, Home, Location, Place, RuleId, Severity, Treatment,
    category,
};
pub use ids::{ExchangeId, Timestamp};
pub use principal::{AgentName, Caller, IdentitySource, InvalidAgentName, Principal};
pub use quota::Quota;
pub use target::{Host, InvalidTarget, Scheme, Target};
pub use text::{safe_name, truncate_chars};
