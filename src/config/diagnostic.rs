//! One mistake or one warning about a configuration: code, place, message, help.
//!
//! The codes are stable: they are in the reference, and people search for them.

use std::cmp::Ordering;

use super::node::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Severity {
    /// The configuration is refused.
    Error,
    /// It is taken, and somebody should look.
    Warning,
}

/// A stable code with its meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Code {
    /// For example `E003`.
    pub(crate) id: &'static str,
    /// What it is about, for the reference.
    pub(crate) about: &'static str,
}

/// One thing to say about a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Where; `None` where it is about something that was not written.
    pub(crate) span: Option<Span>,
    /// The words under the underlined text.
    pub(crate) label: String,
    pub(crate) help: Option<String>,
    /// The text at the place may be a secret: only its place is shown.
    pub(crate) is_quiet: bool,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $about:literal;)*) => {
        $(pub(crate) const $name: Code = Code { id: $id, about: $about };)*
        /// Every code, in order.
        pub(crate) const ALL: &[Code] = &[$($name),*];
    };
}

/// The codes.
#[rustfmt::skip]
pub(crate) mod code {
    use super::Code;
    codes! {
        SYNTAX = "E001", "The file is not valid YAML.";
        YAML_FEATURE = "E002", "A part of YAML that a configuration may not use: several documents, tags, keys that are not text.";
        UNKNOWN_KEY = "E003", "There is no such setting here.";
        TOO_LARGE = "E004", "The file, or what its aliases unfold to, is too large or too deep.";
        INCLUDE = "E005", "An `include` cannot be followed.";
        EXPANSION = "E006", "A `${…}` cannot be replaced.";
        DUPLICATE = "E007", "The same thing is written twice.";
        UNREADABLE = "E008", "The file cannot be read.";
        WRONG_TYPE = "E010", "The value is of another type than the setting takes.";
        MISSING = "E011", "A part of an entry is missing.";
        HOST = "E012", "This is no host pattern.";
        MALFORMED = "E013", "The text does not have the form that the setting takes.";
        AGENT_NAME = "E014", "This is no name that an agent can have.";
        UNKNOWN_WORD = "E020", "The setting takes one of a few words, and this is none of them.";
        UNKNOWN_AGENT = "E022", "A setting names an agent that is not configured.";
        UNKNOWN_RULE = "E023", "A setting names a rule that does not exist.";
        POLICY = "E030", "The policy cannot be compiled.";
        RANGE = "E031", "The number, size or duration is out of range.";
        CONFLICT = "E040", "Two settings contradict each other.";
        OPEN_PROXY = "E041", "The proxy would be open to the network without any list of hosts.";
        ENDED = "E042", "An entry has ended: its `until` is in the past.";
        OWN_RULE = "E050", "A rule of your own has a mistake, or cannot be read.";
        KNOWN_SECRET = "E051", "A secret that is to be known cannot be read.";
        UNAVAILABLE = "E090", "The setting belongs to a later version.";
        UNKNOWN_VARIABLE = "W100", "An `OKTSEC_` variable that is no setting.";
        OPEN_AGENT = "W101", "An agent without an allowlist: every host that is not blocked is reachable.";
        BYPASS = "W102", "Hosts whose traffic is not inspected.";
        MEMORY = "W103", "Held bodies may use much memory.";
        NETWORK = "W104", "The proxy listens beyond this machine without tokens.";
        OPEN = "W105", "No list of hosts at all.";
        OVERRULED = "W106", "An entry without effect, because another one wins.";
        NO_EFFECT = "W107", "A setting without effect, because of another setting.";
        ENDLESS = "W108", "All findings of a rule are ignored, without an end.";
        POOR_SECRET = "W109", "A known secret that is not looked for, or that stands in ordinary text.";
        HAS_ENDED = "W110", "An entry has ended: its `until` is in the past. `config check` and a reload refuse it.";
    }

    /// After these nothing is known of the rest of the file.
    pub(crate) const STRUCTURAL: &[Code] = &[SYNTAX, YAML_FEATURE, TOO_LARGE, INCLUDE, UNREADABLE];
}

// === impl Code ===

impl Code {
    /// Errors begin with `E`.
    pub(crate) fn severity(self) -> Severity {
        if self.id.starts_with('E') {
            Severity::Error
        } else {
            Severity::Warning
        }
    }
}

// === impl Severity ===

impl Severity {
    /// The word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// A diagnostic at a place.
    pub(crate) fn at(code: Code, span: &Span, message: impl Into<String>) -> Self {
        Self {
            span: Some(span.clone()),
            ..Self::bare(code, message)
        }
    }

    /// A diagnostic about what was not written.
    pub(crate) fn bare(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            help: None,
            is_quiet: false,
        }
    }

    /// With words under the underlined text.
    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a help line.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Without the text at the place, which may be a secret.
    #[must_use]
    pub(crate) fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// Whether it refuses the configuration.
    pub(crate) fn is_error(&self) -> bool {
        self.code.severity() == Severity::Error
    }

    /// Errors first, then by place, so that the output does not depend on the order of checks.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |d: &Self| {
            let place = d
                .span
                .as_ref()
                .map(|s| (s.source.name.to_string(), s.start));
            (!d.is_error(), place.is_none(), place, d.code.id)
        };
        key(self).cmp(&key(other))
    }
}

/// Lets no other diagnostic show a line that a quiet one is about: neighbours show it too.
pub(super) fn hush(diagnostics: &mut [Diagnostic]) {
    let line = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref()?;
        Some((span.source.name.to_string(), span.start.line))
    };
    let quiet: Vec<(String, usize)> = (diagnostics.iter())
        .filter(|diagnostic| diagnostic.is_quiet)
        .filter_map(line)
        .collect();
    for diagnostic in diagnostics {
        let shows = |(source, hidden): &(String, usize)| {
            line(diagnostic)
                .is_some_and(|(name, line)| name == *source && line.abs_diff(*hidden) <= 1)
        };
        diagnostic.is_quiet |= quiet.iter().any(shows);
    }
}

/// The nearest of some words to what was written, when one is near enough to be meant.
pub(crate) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const SIMILARITY_MIN: f64 = 0.75;
    words
        .into_iter()
        .map(|word| (strsim::jaro_winkler(written, word), word))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}
