//! A rule, as written and as compiled, and what can be wrong with one.

use std::fmt;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};

use crate::pattern::Pattern;
use crate::pii::Kind;
use crate::plan::{Plan, Tail};

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
    /// The places in a request where it belongs, towards such a host.
    pub places: Vec<HomePlace>,
    /// Texts that the rule must match.
    pub examples: Vec<String>,
    /// Texts that it must not match.
    pub negative_examples: Vec<String>,
    /// How many values together are a finding, for finders of lists.
    pub count_min: u32,
    /// What its author says besides: a description, a remedy. May be empty.
    pub help: String,
    /// Where it is written.
    pub origin: RuleOrigin,
    pub(crate) matcher: Matcher,
    /// A match in which one of these matches is none.
    pub(crate) exclude: Vec<Pattern>,
    pub(crate) boundary: Boundary,
    pub(crate) entropy_min: f32,
    pub(crate) validator: Option<Validator>,
}

/// Where a rule is written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuleOrigin {
    /// The file; empty for what no file holds.
    pub file: String,
    /// The line on which the rule begins, from 1.
    pub line: usize,
    /// Whether it is one of the embedded rules.
    pub is_builtin: bool,
    /// Whether it is in Aguara's format.
    pub is_aguara: bool,
}

/// Where in a request a credential belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HomePlace {
    /// The `Authorization` field, in whatever scheme.
    Authorization,
    /// The `Cookie` field.
    Cookie,
    /// A field, by its name in lower case; `*` is any.
    Header(String),
    /// The name of the host.
    Host,
    /// The path.
    Path,
    /// A query parameter, by its name.
    Query(String),
}

/// Which neighbours of a match must be no letters or digits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Boundary {
    #[default]
    Any,
    Both,
    /// One of the two, whichever.
    Either,
    Left,
    Right,
}

/// How a rule finds its matches.
pub(crate) enum Matcher {
    /// Anywhere in a view, each of the patterns at least once.
    Anywhere(Vec<Pattern>),
    /// The value of an assignment whose key contains one of the words.
    Assignment {
        /// As written: lower-case letters and digits, a hyphen where a separator may stand.
        keys: Vec<String>,
        /// Matches whole values.
        value: Pattern,
    },
    /// A hand-written finder.
    Finder(Finder),
    /// Where one of the plan's literals occurs: the pattern around it.
    Literal { plan: Plan, pattern: Pattern },
    /// At the beginning of a long run of base64url characters.
    Run { first: Tail, pattern: Pattern },
    /// One of the operator's own secrets, by its number.
    Secret(usize),
}

/// The hand-written finders.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Finder {
    EncodedHost,
    EncodedPath,
    GenericAssignment,
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

/// A mistake in a rule file that keeps its rules from being loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

// === impl Rule ===

impl Rule {
    /// The rule that speaks for one of the operator's own secrets.
    pub(crate) fn for_secret(name: &str, number: usize) -> Self {
        Self {
            id: RuleId(format!("known-secret-{}", oktsec_model::safe_name(name)).into()),
            title: "A secret that the configuration names.".to_owned(),
            source: String::new(),
            category: Category(category::CREDENTIALS.into()),
            severity: Severity::Critical,
            confidence: Confidence::High,
            homes: Vec::new(),
            places: Vec::new(),
            examples: Vec::new(),
            negative_examples: Vec::new(),
            count_min: 1,
            help: String::new(),
            origin: RuleOrigin::default(),
            matcher: Matcher::Secret(number),
            exclude: Vec::new(),
            boundary: Boundary::Any,
            entropy_min: 0.0,
            validator: None,
        }
    }

    /// How it finds its matches, in one word: `anywhere`, `assignment`, `finder`, `pattern`, `run` or
    /// `secret`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.matcher {
            Matcher::Anywhere(_) => "anywhere",
            Matcher::Assignment { .. } => "assignment",
            Matcher::Finder(_) => "finder",
            Matcher::Literal { .. } => "pattern",
            Matcher::Run { .. } => "run",
            Matcher::Secret(_) => "secret",
        }
    }

    /// Its patterns as written; all of them must match. Finders have none.
    #[must_use]
    pub fn patterns(&self) -> Vec<&str> {
        match &self.matcher {
            Matcher::Anywhere(patterns) => patterns.iter().map(Pattern::as_str).collect(),
            Matcher::Assignment { value: pattern, .. }
            | Matcher::Literal { pattern, .. }
            | Matcher::Run { pattern, .. } => vec![pattern.as_str()],
            Matcher::Finder(_) | Matcher::Secret(_) => Vec::new(),
        }
    }

    /// The patterns as written of which none may match within a match.
    #[must_use]
    pub fn exclude_patterns(&self) -> Vec<&str> {
        self.exclude.iter().map(Pattern::as_str).collect()
    }

    /// The name of the hand-written finder that finds its matches, if one does.
    #[must_use]
    pub fn finder(&self) -> Option<&'static str> {
        let Matcher::Finder(finder) = self.matcher else {
            return None;
        };
        Some(finder.name())
    }

    /// The name of the test that its matches must pass, if there is one.
    #[must_use]
    pub fn validator(&self) -> Option<&'static str> {
        name_in(&Validator::ALL, self.validator?)
    }

    /// Which neighbours of a match must be no letters or digits: `both`, `either`, `left`, `right`,
    /// or `any` where it does not matter.
    #[must_use]
    pub const fn boundary(&self) -> &'static str {
        self.boundary.as_str()
    }

    /// The fewest bits of entropy per character that its matches have; 0 where it does not matter.
    #[must_use]
    pub const fn entropy_min(&self) -> f32 {
        self.entropy_min
    }

    /// Whether one of its exclude patterns matches within a match.
    pub(crate) fn excludes(&self, found: &[u8]) -> bool {
        self.exclude.iter().any(|pattern| pattern.is_in(found))
    }

    /// The words of the keys whose values it looks at.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match &self.matcher {
            Matcher::Assignment { keys, .. } => keys,
            _ => &[],
        }
    }
}

/// The word of a value in a table of words.
fn name_in<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> Option<&'static str> {
    table
        .iter()
        .find(|(_, other)| *other == value)
        .map(|(name, _)| *name)
}

// === impl HomePlace ===

impl HomePlace {
    /// The place that a text of a rule names, for example `header x-api-key`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None if text == "authorization" => Some(Self::Authorization),
            None if text == "cookie" => Some(Self::Cookie),
            None if text == "host" => Some(Self::Host),
            None if text == "path" => Some(Self::Path),
            Some(("header", name)) => Some(Self::Header(name.to_ascii_lowercase())),
            Some(("query", name)) => Some(Self::Query(name.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for HomePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str("authorization"),
            Self::Cookie => f.write_str("cookie"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Host => f.write_str("host"),
            Self::Path => f.write_str("path"),
            Self::Query(name) => write!(f, "query {name}"),
        }
    }
}

// === impl Boundary ===

impl Boundary {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "both" => Some(Self::Both),
            "either" => Some(Self::Either),
            "left" => Some(Self::Left),
            "right" => Some(Self::Right),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Both => "both",
            Self::Either => "either",
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// Whether a match may have these neighbours.
    pub(crate) const fn admits(self, left: u8, right: u8) -> bool {
        let (left, right) = (
            !left.is_ascii_alphanumeric(),
            !right.is_ascii_alphanumeric(),
        );
        match self {
            Self::Any => true,
            Self::Both => left && right,
            Self::Either => left || right,
            Self::Left => left,
            Self::Right => right,
        }
    }
}

// === impl Finder ===

impl Finder {
    /// The finder of a name in a rule file.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "encoded-host" => Some(Self::EncodedHost),
            "encoded-path" => Some(Self::EncodedPath),
            "generic-assignment" => Some(Self::GenericAssignment),
            _ => Kind::named(name).map(Self::Pii),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EncodedHost => "encoded-host",
            Self::EncodedPath => "encoded-path",
            Self::GenericAssignment => "generic-assignment",
            Self::Pii(kind) => kind.name(),
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
