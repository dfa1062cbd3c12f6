//! Rule files to rules. All mistakes are reported at once, each with its file and line.

use std::collections::BTreeMap;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};

use crate::detector::RuleFile;
use crate::plan::{self, LOOKBACK_MAX, Plan, Tail};
use crate::rule::{Boundary, Finder, HomePlace, Matcher, Pattern, Rule, RuleError, Validator};
use crate::yaml::{self, Node, Value};

/// The fields that a rule may have.
const FIELDS: [&str; 19] = [
    "anchor",
    "boundary",
    "category",
    "confidence",
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
pub(crate) fn load(
    embedded: &[(&str, &str)],
    own: &[RuleFile],
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let embedded = embedded.iter().map(|(name, text)| (*name, *text, true));
    let own = own
        .iter()
        .map(|file| (file.name.as_str(), file.text.as_str(), false));
    let mut rules = Vec::new();
    let mut errors = Vec::new();
    let mut places: BTreeMap<RuleId, String> = BTreeMap::new();
    for (file, text, is_builtin) in embedded.chain(own) {
        let mut report = Report {
            file,
            is_builtin,
            errors: &mut errors,
        };
        let root = match yaml::parse(text) {
            Ok(root) => root,
            Err(error) => {
                report.add(error.line, error.message);
                continue;
            }
        };
        let Some(Node {
            value: Value::List(nodes),
            ..
        }) = root
        else {
            report.add(1, "the file must be a list of rules".to_owned());
            continue;
        };
        for node in &nodes {
            let Some(rule) = read_rule(node, &mut report) else {
                continue;
            };
            let place = format!("{file}:{}", node.line);
            if let Some(earlier) = places.insert(rule.id.clone(), place) {
                report.add(
                    node.line,
                    format!("the id is taken by the rule at {earlier}"),
                );
            }
            rules.push(rule);
        }
    }
    if errors.is_empty() {
        Ok(rules)
    } else {
        Err(errors)
    }
}

/// The mistakes so far, and the file that is being read.
struct Report<'a> {
    file: &'a str,
    is_builtin: bool,
    errors: &'a mut Vec<RuleError>,
}

/// A rule's fields.
struct Fields<'n, 'r, 'e> {
    line: usize,
    entries: BTreeMap<&'n str, &'n Node>,
    report: &'r mut Report<'e>,
}

fn read_rule(node: &Node, report: &mut Report<'_>) -> Option<Rule> {
    let Value::Map(entries) = &node.value else {
        report.add(node.line, "a rule must be a mapping".to_owned());
        return None;
    };
    for (key, value) in entries {
        if !FIELDS.contains(&key.as_str()) {
            report.add(value.line, format!("`{key}` is not a field of a rule"));
        }
    }
    let entries = entries
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    let mut fields = Fields {
        line: node.line,
        entries,
        report,
    };
    let before = fields.report.errors.len();
    let id = fields.id();
    let title = fields.sentence("title");
    let category = fields.category();
    let severity = fields.word("severity", Severity::parse);
    let confidence = fields.word("confidence", Confidence::parse);
    let matcher = fields.matcher();
    let entropy_min = fields.number("entropy_min");
    let rule = Rule {
        id: RuleId(id.into()),
        title,
        source: fields.text("source").unwrap_or_default(),
        category: Category(category?.into()),
        severity: severity?,
        confidence: confidence?,
        homes: fields.list("homes"),
        places: fields.places(),
        examples: fields.examples("examples"),
        negative_examples: fields.examples("negative_examples"),
        matcher: matcher?,
        boundary: fields
            .optional_word("boundary", Boundary::parse)
            .unwrap_or_default(),
        entropy_min,
        validator: fields.optional_word("validator", |word| {
            Validator::ALL
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, validator)| *validator)
        }),
    };
    (fields.report.errors.len() == before).then_some(rule)
}

// === impl Report ===

impl Report<'_> {
    fn add(&mut self, line: usize, message: String) {
        self.errors.push(RuleError {
            file: self.file.to_owned(),
            line,
            message,
        });
    }
}

// === impl Fields ===

impl Fields<'_, '_, '_> {
    fn complain(&mut self, name: &str, message: &str) {
        let line = self.entries.get(name).map_or(self.line, |node| node.line);
        self.report.add(line, format!("`{name}` {message}"));
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
            self.complain(name, "must be a sentence with a full stop");
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
        let Some(node) = self.entries.get(name) else {
            self.complain(name, "is missing");
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.complain(name, "must be a list");
            return Vec::new();
        };
        if items.len() < EXAMPLES_MIN {
            self.complain(name, "must hold at least two");
        }
        items
            .iter()
            .map(|item| match &item.value {
                Value::List(parts) => parts.iter().filter_map(Node::text).collect(),
                _ => item.text().unwrap_or_default().to_owned(),
            })
            .collect()
    }

    fn matcher(&mut self) -> Option<Matcher> {
        let finder = self.optional_word("finder", |word| {
            Finder::ALL
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, finder)| *finder)
        });
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
            Err(message) => {
                self.complain("pattern", &message);
                None
            }
        }
    }

    fn parsed(&mut self, pattern: Result<Pattern, String>) -> Option<Pattern> {
        match pattern {
            Ok(pattern) => Some(pattern),
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

const KEY_BYTES_MIN: usize = 3;
