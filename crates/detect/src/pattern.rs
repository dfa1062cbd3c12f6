//! A rule's pattern: parsed when it is read, compiled when it is first needed.

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;

use crate::plan;

/// A regular expression, compiled when it is first needed: most never are.
pub(crate) struct Pattern {
    /// As written.
    written: String,
    /// As compiled.
    text: String,
    regex: OnceLock<Option<Regex>>,
    /// Whether its first group is the secret; else the whole match is.
    has_groups: bool,
    nfa_bytes_max: usize,
    length_min: usize,
    length_max: usize,
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

    /// The same, looked for in whole views: smaller, so that the slowest way of searching bears it.
    pub(crate) fn for_whole_views(self) -> Self {
        Self {
            nfa_bytes_max: WHOLE_VIEW_NFA_BYTES_MAX,
            ..self
        }
    }

    /// The same, with groups that only group.
    pub(crate) fn without_groups(self) -> Self {
        Self {
            has_groups: false,
            ..self
        }
    }

    fn compiled_as(written: &str, text: String) -> Result<Self, String> {
        let hir = plan::parse(&text)?;
        Ok(Self {
            written: written.to_owned(),
            text,
            regex: OnceLock::new(),
            has_groups: true,
            nfa_bytes_max: NFA_BYTES_MAX,
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

    /// Whether the empty text is a match.
    pub(crate) const fn matches_nothing(&self) -> bool {
        self.length_min == 0
    }

    /// Whether a match may have this length.
    pub(crate) const fn fits(&self, length: usize) -> bool {
        self.length_min <= length && length <= self.length_max
    }

    /// The compiled expression. Nothing where it cannot be compiled, which the loader rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| self.compile().ok()).as_ref()
    }

    /// Compiles it now.
    ///
    /// # Errors
    /// Why not: patterns have a bounded size.
    pub(crate) fn check(&self) -> Result<(), String> {
        let regex = self.compile()?;
        // Whoever came first has compiled the same.
        let _ = self.regex.set(Some(regex));
        Ok(())
    }

    /// Whether it matches somewhere in the bytes.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(bytes))
    }

    fn compile(&self) -> Result<Regex, String> {
        let captures = if self.has_groups {
            WhichCaptures::All
        } else {
            WhichCaptures::Implicit
        };
        Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(
                Regex::config()
                    .utf8_empty(false)
                    .hybrid_cache_capacity(HYBRID_CACHE_BYTES_MAX)
                    .which_captures(captures)
                    .nfa_size_limit(Some(self.nfa_bytes_max)),
            )
            .build(&self.text)
            .map_err(|error| match error.size_limit() {
                Some(_) => "is too large when compiled".to_owned(),
                None => error.to_string(),
            })
    }
}

const NFA_BYTES_MAX: usize = 4 * 1024 * 1024;
const WHOLE_VIEW_NFA_BYTES_MAX: usize = 512 * 1024;
const HYBRID_CACHE_BYTES_MAX: usize = 256 * 1024;
