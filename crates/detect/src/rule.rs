//! A rule, as written and as compiled, and what can be wrong with one.

use std::fmt;
use std::sync::Arc;

use oktsec_model::{Category, Confidence, RuleId, Severity};
use regex_automata::meta::Regex;

use crate::pii::Kind;

/// One detection rule.
pub struct Rule {
    /// Its id, for example `aws-access-key-id`.
    pub id: RuleId,
    /// What it finds, in one sentence.
    pub title: String,
    /// The document that describes the format.
    pub source: String,
    /// The category of its findings.
    pub category: Category,
    /// How bad a finding would be.
    pub severity: Severity,
    /// How sure a finding is, unless its validator says otherwise.
    pub confidence: Confidence,
    /// The hosts where such a value belongs.
    pub homes: Vec<String>,
    /// Texts that the rule must match.
    pub examples: Vec<String>,
    /// Texts that it must not match.
    pub negative_examples: Vec<String>,
    /// How many values together are a finding, for finders of lists.
    pub count_min: u32,
    pub(crate) matcher: Matcher,
    pub(crate) left_boundary: bool,
    pub(crate) entropy_min: f32,
    pub(crate) validator: Option<Validator>,
}

/// How a rule finds its matches.
pub(crate) enum Matcher {
    /// The value of an assignment whose key contains one of the words.
    Assignment {
        keys: Vec<String>,
        value: Arc<Regex>,
    },
    /// A hand-written finder.
    Finder(Finder),
    /// Where one of the literals occurs: the pattern, from at most `lookback` bytes before it.
    Literal {
        literals: Vec<String>,
        lookback: usize,
        pattern: Arc<Regex>,
    },
    /// At the beginning of a long run of base64url characters.
    Run { pattern: Arc<Regex> },
}

/// The hand-written finders.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Finder {
    GenericAssignment,
    /// A kind of personal data.
    Pii(Kind),
}

/// The tests that a match has to pass after its pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Validator {
    AwsKeyId,
    BasicAuth,
    Jwt,
    Pem,
    UrlPassword,
}

/// A mistake in a rule file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

// === impl Finder ===

impl Finder {
    /// The finder of a name in a rule file.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "generic-assignment" => Some(Self::GenericAssignment),
            _ => Kind::named(name).map(Self::Pii),
        }
    }
}

// === impl Validator ===

impl Validator {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("aws-key-id", Self::AwsKeyId),
        ("basic-auth", Self::BasicAuth),
        ("jwt", Self::Jwt),
        ("pem", Self::Pem),
        ("url-password", Self::UrlPassword),
    ];
}

// === impl RuleError ===

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for RuleError {}
