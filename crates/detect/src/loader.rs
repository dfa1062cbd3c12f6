//! Rule files to rules, in our own format and in Aguara's. All mistakes are reported at once, each with
//! its file and line. What would be a mistake in an embedded rule is only worth a warning in one of the
//! operator's own, as long as the rule works.

mod aguara;
mod file;

use std::borrow::Cow;
use std::collections::BTreeMap;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};

use crate::builtin::Examples;
use crate::detector::RuleFile;
use crate::issue::{IssueLevel, RuleIssue};
use crate::pattern::Pattern;
use crate::plan::{self, LOOKBACK_MAX, Plan, Tail};
use crate::rule::{Boundary, Finder, HomePlace, Matcher, Rule, RuleError, RuleOrigin, Validator};
use crate::yaml::{Node, Value};

/// What was read: the rules without mistakes, and everything there is to say.
pub(crate) struct Loaded {
    pub(crate) rules: Vec<Rule>,
    pub(crate) issues: Vec<RuleIssue>,
}

/// The fields that a rule may have.
const FIELDS: [&str; 20] = [
    "anchor",
    "boundary",
    "category",
    "confidence",
    "count_min",
    "entropy_min",
    "examples",
    "finder",
    "homes",
    "id",
    "keys",
    "literals",
    "lookback",
    "negative_examples",
    "pattern",
    "places",
    "severity",
    "source",
    "title",
    "validator",
];
const EXAMPLES_MIN: usize = 2;

/// Reads the embedded files and the operator's own.
///
/// # Errors
/// All mistakes that keep a rule from being loaded.
pub(crate) fn load(
    embedded: &[(&str, &str)],
    own: &[RuleFile],
    examples: Examples,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let Loaded { rules, issues } = read(embedded, own, examples);
    let errors: Vec<RuleError> = issues
        .into_iter()
        .filter(|issue| issue.level == IssueLevel::Error)
        .map(|issue| RuleError {
            file: issue.file,
            line: issue.line,
            message: issue.message,
        })
        .collect();
    if errors.is_empty() {
        Ok(rules)
    } else {
        Err(errors)
    }
}

/// Reads the embedded files and the operator's own; keeps what can be kept.
pub(crate) fn read(embedded: &[(&str, &str)], own: &[RuleFile], examples: Examples) -> Loaded {
    let embedded = embedded
        .iter()
        .map(|&(name, text)| (name, examples.of(text), true));
    let own = own
        .iter()
        .map(|file| (file.name.as_str(), Cow::Borrowed(file.text.as_str()), false));
    let mut loaded = Loaded {
        rules: Vec::new(),
        issues: Vec::new(),
    };
    let mut places: BTreeMap<RuleId, String> = BTreeMap::new();
    for (name, text, is_builtin) in embedded.chain(own) {
        let before = loaded.issues.len();
        let mut report = Report {
            file: name,
            is_builtin,
            has_examples: !is_builtin || examples == Examples::Kept,
            rule: None,
            errors: 0,
            issues: &mut loaded.issues,
        };
        for node in file::rules_in(&text, &mut report) {
            let Some(rule) = read_rule(&node, &mut report) else {
                continue;
            };
            let whose = if is_builtin { "built-in " } else { "" };
            let place = format!("{whose}rule at {name}:{}", node.line);
            if let Some(earlier) = places.insert(rule.id.clone(), place) {
                report.add(node.line, format!("the id is taken by the {earlier}"));
                continue;
            }
            loaded.rules.push(rule);
        }
        let said = loaded.issues.get_mut(before..).unwrap_or_default();
        said.sort_by_key(|issue| issue.line);
    }
    loaded
}

/// What was said so far, and the file and rule that are being read.
struct Report<'a> {
    file: &'a str,
    is_builtin: bool,
    has_examples: bool,
    rule: Option<RuleId>,
    /// How many errors there were in this file.
    errors: usize,
    issues: &'a mut Vec<RuleIssue>,
}

/// A rule's fields.
struct Fields<'n, 'r, 'e> {
    line: usize,
    entries: BTreeMap<&'n str, &'n Node>,
    report: &'r mut Report<'e>,
}

fn read_rule(node: &Node, report: &mut Report<'_>) -> Option<Rule> {
    report.rule = None;
    let Value::Map(entries) = &node.value else {
        report.add(node.line, "a rule must be a mapping".to_owned());
        return None;
    };
    let entries: BTreeMap<&str, &Node> = entries
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    let before = report.errors;
    let mut fields = Fields {
        line: node.line,
        entries,
        report,
    };
    let rule = if !fields.report.is_builtin && aguara::is_in(&fields.entries) {
        fields.aguara_rule()
    } else {
        fields.rule()
    };
    let is_sound = fields.report.errors == before;
    report.rule = rule.as_ref().map(|rule| rule.id.clone());
    rule.filter(|_| is_sound)
}

// === impl Report ===

impl Report<'_> {
    fn add(&mut self, line: usize, message: String) {
        self.tell(IssueLevel::Error, line, message);
    }

    fn tell(&mut self, level: IssueLevel, line: usize, message: String) {
        self.errors += usize::from(level == IssueLevel::Error);
        self.issues.push(RuleIssue {
            file: self.file.to_owned(),
            line,
            rule: self.rule.clone(),
            level,
            message,
        });
    }
}

// === impl Fields ===

impl Fields<'_, '_, '_> {
    /// A rule in our own format.
    fn rule(&mut self) -> Option<Rule> {
        let id = self.id();
        self.report.rule = Some(RuleId(id.as_str().into()));
        let unknown: Vec<&str> = (self.entries.keys().copied())
            .filter(|key| !FIELDS.contains(key))
            .collect();
        for key in unknown {
            self.complain(key, "is not a field of a rule");
        }
        let title = self.sentence("title");
        let category = self.category();
        let severity = self.word("severity", Severity::parse);
        let confidence = self.word("confidence", Confidence::parse);
        let matcher = self.matcher();
        let entropy_min = self.number("entropy_min");
        let source = self.text("source").unwrap_or_default();
        let (homes, places) = (self.list("homes"), self.places());
        let examples = self.examples("examples");
        let negative_examples = self.examples("negative_examples");
        let boundary = self.optional_word("boundary", Boundary::parse);
        let validator = self.optional_word("validator", |word| {
            Validator::ALL
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, validator)| *validator)
        });
        let count_min = self.optional_word("count_min", |word| {
            word.parse().ok().filter(|&count| count > 0)
        });
        Some(Rule {
            id: RuleId(id.into()),
            title,
            source,
            count_min: count_min.unwrap_or(1),
            category: Category(category?.into()),
            severity: severity?,
            confidence: confidence?,
            homes,
            places,
            examples,
            negative_examples,
            help: String::new(),
            origin: self.origin(),
            matcher: matcher?,
            exclude: Vec::new(),
            boundary: boundary.unwrap_or_default(),
            entropy_min,
            validator,
        })
    }

    fn origin(&self) -> RuleOrigin {
        RuleOrigin {
            file: self.report.file.to_owned(),
            line: self.line,
            is_builtin: self.report.is_builtin,
            is_aguara: aguara::is_in(&self.entries),
        }
    }

    fn complain(&mut self, name: &str, message: &str) {
        self.tell(IssueLevel::Error, name, message);
    }

    /// What an embedded rule must not do, and one of the operator's own should not.
    fn advise(&mut self, name: &str, message: &str) {
        let level = if self.report.is_builtin {
            IssueLevel::Error
        } else {
            IssueLevel::Warning
        };
        self.tell(level, name, message);
    }

    fn tell(&mut self, level: IssueLevel, name: &str, message: &str) {
        let line = self.entries.get(name).map_or(self.line, |node| node.line);
        self.report.tell(level, line, format!("`{name}` {message}"));
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let node = self.entries.get(name)?;
        match node.text() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.complain(name, "must be a text");
                None
            }
        }
    }

    fn required(&mut self, name: &str) -> String {
        if !self.entries.contains_key(name) {
            self.complain(name, "is missing");
        }
        self.text(name).unwrap_or_default()
    }

    fn id(&mut self) -> String {
        let id = self.required("id");
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !id.bytes().all(fits) {
            self.complain("id", "may hold lower-case letters, digits and hyphens only");
        }
        id
    }

    fn sentence(&mut self, name: &str) -> String {
        let text = self.required(name);
        if !text.ends_with('.') {
            self.advise(name, "must be a sentence with a full stop");
        }
        text
    }

    fn word<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        if !self.entries.contains_key(name) {
            self.complain(name, "is missing");
        }
        self.optional_word(name, parse)
    }

    fn optional_word<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.complain(name, "has a value that is not known");
        }
        parsed
    }

    /// A built-in category; in the operator's own files, any word that has the form of one.
    fn category(&mut self) -> Option<String> {
        let may_name = !self.report.is_builtin;
        self.word("category", |word| match category::canonical(word) {
            Some(known) => Some(known.to_owned()),
            None => (may_name && category::is_name(word)).then(|| word.to_owned()),
        })
    }

    fn number(&mut self, name: &str) -> f32 {
        self.optional_word(name, |word| word.parse().ok())
            .unwrap_or(0.0)
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        let Some(node) = self.entries.get(name) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.complain(name, "must be a list");
            return Vec::new();
        };
        let texts: Vec<String> = items
            .iter()
            .filter_map(Node::text)
            .map(str::to_owned)
            .collect();
        if texts.len() < items.len() {
            self.complain(name, "must hold texts only");
        }
        texts
    }

    /// Examples are texts, or lists of texts that are joined: so that no complete secret needs to
    /// stand in a file, where other scanners would trip over it.
    fn examples(&mut self, name: &str) -> Vec<String> {
        if !self.report.has_examples {
            return Vec::new();
        }
        let Some(node) = self.entries.get(name) else {
            self.advise(name, "is missing");
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.complain(name, "must be a list");
            return Vec::new();
        };
        if items.len() < EXAMPLES_MIN {
            self.advise(name, "must hold at least two");
        }
        joined(items)
    }

    fn matcher(&mut self) -> Option<Matcher> {
        let finder = self.optional_word("finder", Finder::named);
        if self.entries.contains_key("finder") {
            return finder.map(Matcher::Finder);
        }
        let text = self.required("pattern");
        if self.entries.contains_key("keys") {
            return self.assignment(&text);
        }
        let pattern = self.parsed(Pattern::new(&text))?;
        if self.text("anchor").as_deref() == Some("run") {
            let first = plan::parse(&text).map_or(Tail::ANY, |hir| plan::first_bytes(&hir));
            return Some(Matcher::Run { first, pattern });
        }
        let stated = self.list("literals");
        let lookback = self.optional_word("lookback", |word| {
            word.parse().ok().filter(|&bytes| bytes <= LOOKBACK_MAX)
        });
        // Stated literals are for patterns in which none can be found.
        let plan = match lookback {
            Some(lookback) => Plan::stated(&text, &stated, lookback),
            None if stated.is_empty() => Plan::new(&text),
            None => Plan::new(&text).or_else(|_| Plan::stated(&text, &stated, 0)),
        };
        match plan {
            Ok(plan) => Some(Matcher::Literal { plan, pattern }),
            Err(message) if self.report.is_builtin || !stated.is_empty() => {
                self.complain("pattern", &message);
                None
            }
            Err(message) => {
                self.tell(IssueLevel::Warning, "pattern", &costly(&message));
                let pattern = pattern.for_whole_views();
                let is_sound = self.checked(&pattern, "pattern");
                is_sound.then(|| Matcher::Anywhere(vec![pattern]))
            }
        }
    }

    /// Whether a pattern can be used.
    fn checked(&mut self, pattern: &Pattern, name: &str) -> bool {
        let line = self.entries.get(name).map_or(self.line, |node| node.line);
        match problem_of(pattern) {
            None => true,
            Some(problem) => {
                self.report.add(line, format!("`{name}` {problem}"));
                false
            }
        }
    }

    fn parsed(&mut self, pattern: Result<Pattern, String>) -> Option<Pattern> {
        match pattern {
            // Embedded patterns are compiled when they are needed: most never are.
            Ok(pattern) => {
                let is_sound = self.report.is_builtin || self.checked(&pattern, "pattern");
                is_sound.then_some(pattern)
            }
            Err(message) => {
                self.complain("pattern", &format!("is not valid: {message}"));
                None
            }
        }
    }

    fn assignment(&mut self, text: &str) -> Option<Matcher> {
        let keys = self.list("keys");
        let fits = |key: &String| {
            key.len() >= KEY_BYTES_MIN
                && key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if keys.is_empty() || !keys.iter().all(fits) {
            self.complain(
                "keys",
                "must hold words of at least three lower-case letters, digits or hyphens",
            );
            return None;
        }
        let value = self.parsed(Pattern::whole(text))?;
        Some(Matcher::Assignment { keys, value })
    }

    /// Where the credential belongs: `authorization`, where homes are named and places are not.
    fn places(&mut self) -> Vec<HomePlace> {
        let texts = self.list("places");
        let places: Vec<HomePlace> = texts
            .iter()
            .filter_map(|text| HomePlace::parse(text))
            .collect();
        if places.len() < texts.len() {
            self.complain(
                "places",
                "may hold `authorization`, `cookie`, `path`, `header NAME` and `query NAME`",
            );
        }
        if texts.is_empty() && self.entries.contains_key("homes") {
            return vec![HomePlace::Authorization];
        }
        places
    }
}

/// Texts, or lists of texts that are joined.
fn joined(items: &[Node]) -> Vec<String> {
    items
        .iter()
        .map(|item| match &item.value {
            Value::List(parts) => parts.iter().filter_map(Node::text).collect(),
            _ => item.text().unwrap_or_default().to_owned(),
        })
        .collect()
}

/// What keeps a pattern that can be parsed from being used. Compiles it, so that one that is too large
/// is told when it is loaded.
fn problem_of(pattern: &Pattern) -> Option<String> {
    if pattern.matches_nothing() {
        return Some("matches the empty text".to_owned());
    }
    let error = pattern.check().err()?;
    Some(format!("is not valid: {error}"))
}

/// What to say of a pattern that has to be looked for in whole views.
fn costly(message: &str) -> String {
    format!("{message}: every view is searched as a whole, which is slower")
}

const KEY_BYTES_MIN: usize = 3;
