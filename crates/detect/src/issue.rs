//! What there is to say about rule files, mistakes and less.

use std::fmt;

use oktsec_model::RuleId;

/// Something to say about a rule file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleIssue {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule's id, where it is known.
    pub rule: Option<RuleId>,
    /// How much it matters.
    pub level: IssueLevel,
    /// What there is to say.
    pub message: String,
}

/// How much an issue matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum IssueLevel {
    /// Good to know.
    Note,
    /// The rule works, and could be better.
    Warning,
    /// The rule does not load, or does not do what it says.
    Error,
}

// === impl RuleIssue ===

impl fmt::Display for RuleIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.as_str();
        write!(f, "{}:{}: {level}: {}", self.file, self.line, self.message)
    }
}

// === impl IssueLevel ===

impl IssueLevel {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
