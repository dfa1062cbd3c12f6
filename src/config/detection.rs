//! What the detector is made of besides the built-in rules: files with rules of the operator's own,
//! and secrets that are to be recognised.
//!
//! Rules are read with the rest of the configuration, since categories and ids in it may be theirs.
//! Secrets are read only by what scans (`secrets`): other commands run where they are not set.

mod dotenv;
mod rules;
mod secrets;

pub(super) use rules::OwnRules;
pub(super) use secrets::{dotenv_ids, read};
