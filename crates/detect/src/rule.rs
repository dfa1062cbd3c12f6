//! A rule, as written and as compiled, and what can be wrong with one.

use std::fmt;
use std::sync::OnceLock;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::plan;
use crate::plan::{Plan, Tail};

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
    /// The places in a request where it belongs, towards such a host.
    pub places: Vec<HomePlace>,
    /// Texts that the rule must match.
    pub examples: Vec<String>,
    /// Texts that it must not match.
    pub negative_examples: Vec<String>,
    /// How many values together are a finding, for finders of lists.
    pub count_min: u32,
    pub(crate) matcher: Matcher,
    pub(crate) boundary: Boundary,
    pub(crate) entropy_min: f32,
    pub(crate) validator: Option<Validator>,
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

/// A regular expression, compiled when it is first needed: most never are.
pub(crate) struct Pattern {
    /// As written.
    written: String,
    /// As compiled.
    text: String,
    regex: OnceLock<Option<Regex>>,
    length_min: usize,
    length_max: usize,
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
            matcher: Matcher::Secret(number),
            boundary: Boundary::Any,
            entropy_min: 0.0,
            validator: None,
        }
    }

    /// How it finds its matches, in one word: `assignment`, `finder`, `pattern`, `run` or `secret`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.matcher {
            Matcher::Assignment { .. } => "assignment",
            Matcher::Finder(_) => "finder",
            Matcher::Literal { .. } => "pattern",
            Matcher::Run { .. } => "run",
            Matcher::Secret(_) => "secret",
        }
    }

    /// Its pattern as written, where it has one.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Assignment { value: pattern, .. }
            | Matcher::Literal { pattern, .. }
            | Matcher::Run { pattern, .. } => Some(pattern.as_str()),
            Matcher::Finder(_) | Matcher::Secret(_) => None,
        }
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

// === impl HomePlace ===

impl HomePlace {
    /// The place that a text of a rule names, for example `header x-api-key`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None if text == "authorization" => Some(Self::Authorization),
            None if text == "cookie" => Some(Self::Cookie),
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

// === impl Pattern ===

impl Pattern {
    /// A pattern; it is parsed now and compiled when it is needed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(written: &str) -> Result<Self, String> {
        Self::compiled_as(written, written.to_owned())
    }

    /// A pattern that matches whole values only.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn whole(written: &str) -> Result<Self, String> {
        Self::compiled_as(written, format!(r"\A(?:{written})\z"))
    }

    fn compiled_as(written: &str, text: String) -> Result<Self, String> {
        let hir = plan::parse(&text)?;
        Ok(Self {
            written: written.to_owned(),
            text,
            regex: OnceLock::new(),
            length_min: hir.properties().minimum_len().unwrap_or(0),
            length_max: plan::length_max(&hir),
        })
    }

    /// The pattern as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }

    /// How long a match may be, in bytes.
    pub(crate) const fn length_max(&self) -> usize {
        self.length_max
    }

    /// The length of every match, where all have the same.
    pub(crate) fn length(&self) -> Option<usize> {
        (self.length_min == self.length_max).then_some(self.length_max)
    }

    /// Whether a match may have this length.
    pub(crate) const fn fits(&self, length: usize) -> bool {
        self.length_min <= length && length <= self.length_max
    }

    /// The compiled expression. Nothing where it cannot be compiled, which the loader rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| self.compile().ok()).as_ref()
    }

    /// Compiles it.
    ///
    /// # Errors
    /// Why not: patterns have a bounded size.
    pub(crate) fn compile(&self) -> Result<Regex, String> {
        Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(
                Regex::config()
                    .utf8_empty(false)
                    .hybrid_cache_capacity(HYBRID_CACHE_BYTES_MAX)
                    .nfa_size_limit(Some(NFA_BYTES_MAX)),
            )
            .build(&self.text)
            .map_err(|error| error.to_string())
    }
}

const NFA_BYTES_MAX: usize = 4 * 1024 * 1024;
const HYBRID_CACHE_BYTES_MAX: usize = 256 * 1024;

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
