//! Bytes in, findings out.
//!
//! A [`Detector`] holds compiled rules and a fingerprint key. It takes a request's head, its body,
//! or a plain text, derives the views of it that a receiver could derive (decoded, unescaped,
//! inflated), scans each and answers with a [`Scan`]. It opens nothing, waits for nothing and keeps
//! nothing between calls; what to do about a finding is not its business.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::cast_possible_truncation
)]

mod archive;
mod assignment;
mod builtin;
mod bytes;
mod coding;
mod collect;
mod decode;
mod derive;
mod detector;
mod encodings;
mod entropy;
mod escape;
mod exfiltration;
mod fingerprint;
mod form;
mod grams;
mod home;
mod issue;
mod joined;
mod json;
mod lint;
mod llm;
mod loader;
mod multipart;
mod pattern;
mod pii;
mod plan;
mod rule;
mod runs;
mod scanner;
mod secret;
mod segment;
mod unicode;
mod validate;
mod view;
mod walk;
mod yaml;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use coding::stream::BodyDecoder;
pub use detector::{Detector, KnownSecret, Limits, RuleFile, Scan, Setup, Uninspectable};
pub use fingerprint::FingerprintKey;
pub use issue::{IssueLevel, RuleIssue};
pub use lint::{lint, lint_builtin};
pub use llm::Passage;
pub use rule::{HomePlace, Rule, RuleError, RuleOrigin};
