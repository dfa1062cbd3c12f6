//! What is written about findings, beyond the categories that block.

use oktsec_model::{Origin, Severity, Timestamp};

use super::Entry;

/// The settings below `dlp` that judge findings.
#[derive(Clone, Debug)]
pub struct ContentSource {
    /// Whether a credential is at home where its rule says so.
    pub builtin_homes: bool,
    /// More homes: rules and the hosts that are home to what they find.
    pub homes: Vec<(Entry, Vec<Entry>)>,
    /// What is made of a rule's findings, where that differs from its category's lot.
    pub rules: Vec<RuleSource>,
    /// Findings that an operator reviewed.
    pub ignore: Vec<IgnoreSource>,
    /// The ids of all rules that there are; `None` where they are not known, so that none is wrong.
    pub rule_ids: Option<Vec<String>>,
    /// When this is read.
    pub now: Timestamp,
    /// Whether what has ended by `now` is a mistake, rather than worth a warning. Nobody may be there
    /// to mend it, and what has ended does no harm.
    pub is_strict: bool,
}

/// What is made of a rule's findings.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The rule.
    pub id: Option<Entry>,
    /// What a finding does; `None` leaves that to its category.
    pub action: Option<RuleAction>,
    /// Its severity, instead of the rule's own word.
    pub severity: Option<Severity>,
    /// Where it was written.
    pub origin: Origin,
}

/// What a rule's findings do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleAction {
    /// The request is refused, whatever categories block.
    Block,
    /// The request is let through and counted as flagged.
    Flag,
    /// Nothing at all.
    Ignore,
    /// They are recorded.
    Observe,
}

/// Findings that an operator reviewed: all that fit every part that is written.
#[derive(Clone, Debug)]
pub struct IgnoreSource {
    /// The value, by its fingerprint.
    pub fingerprint: Option<Entry>,
    /// The rule.
    pub rule: Option<Entry>,
    /// Whose requests.
    pub agent: Option<Entry>,
    /// On the way to which host.
    pub host: Option<Entry>,
    /// When it ends.
    pub until: Option<Entry>,
    /// Why.
    pub reason: Option<Entry>,
    /// Where it was written.
    pub origin: Origin,
}

// === impl ContentSource ===

impl Default for ContentSource {
    /// The documented defaults.
    fn default() -> Self {
        Self {
            builtin_homes: true,
            homes: Vec::new(),
            rules: Vec::new(),
            ignore: Vec::new(),
            rule_ids: None,
            now: Timestamp::default(),
            is_strict: true,
        }
    }
}
