//! Rule files to rules. All mistakes are reported at once, each with its file and line.

use std::collections::BTreeMap;
use std::sync::Arc;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::literal::Extractor;

use crate::rule::{Finder, Matcher, Rule, RuleError, Validator};
use crate::yaml::{self, Node, Value};

/// The fields that a rule may have.
const FIELDS: [&str; 17] = [
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
    "severity",
    "source",
    "title",
];
const FIELD_VALIDATOR: &str = "validator";
const FIELD_ANCHOR: &str = "anchor";
const EXAMPLES_MIN: usize = 2;
const LITERAL_BYTES_MIN: usize = 3;
const LITERALS_MAX: usize = 96;

/// Reads all files.
pub(crate) fn load(files: &[(&str, &str)]) -> Result<Vec<Rule>, Vec<RuleError>> {
    let mut rules = Vec::new();
    let mut errors = Vec::new();
    let mut places: BTreeMap<RuleId, String> = BTreeMap::new();
    for (file, text) in files {
        let mut report = Report {
            file,
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
        if !FIELDS.contains(&key.as_str()) && key != FIELD_VALIDATOR && key != FIELD_ANCHOR {
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
    let category = fields.word("category", category::canonical);
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
        examples: fields.examples("examples"),
        negative_examples: fields.examples("negative_examples"),
        count_min: fields
            .optional_word("count_min", |word| {
                word.parse().ok().filter(|&count| count > 0)
            })
            .unwrap_or(1),
        matcher: matcher?,
        left_boundary: fields
            .optional_word("boundary", |word| (word == "left").then_some(()))
            .is_some(),
        entropy_min,
        validator: fields.optional_word(FIELD_VALIDATOR, |word| {
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
        let finder = self.optional_word("finder", Finder::named);
        if self.entries.contains_key("finder") {
            return finder.map(Matcher::Finder);
        }
        let text = self.required("pattern");
        let pattern = match compile(&text) {
            Ok(pattern) => Arc::new(pattern),
            Err(message) => {
                self.complain("pattern", &format!("is not valid: {message}"));
                return None;
            }
        };
        if self.entries.contains_key("keys") {
            return Some(Matcher::Assignment {
                keys: self.list("keys"),
                value: pattern,
            });
        }
        if self.text(FIELD_ANCHOR).as_deref() == Some("run") {
            return Some(Matcher::Run { pattern });
        }
        let stated = self.list("literals");
        let literals = if stated.is_empty() {
            literals_of(&text)
        } else {
            stated
        };
        let fits = |literal: &String| literal.len() >= LITERAL_BYTES_MIN && literal.is_ascii();
        if literals.is_empty() || literals.len() > LITERALS_MAX || !literals.iter().all(fits) {
            self.complain(
                "pattern",
                "begins with no literals of at least three bytes: state `literals`",
            );
            return None;
        }
        let lookback = self
            .optional_word("lookback", |word| word.parse().ok())
            .unwrap_or(0);
        Some(Matcher::Literal {
            literals,
            lookback,
            pattern,
        })
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(4 * 1024 * 1024)),
        )
        .build(pattern)
        .map_err(|error| error.to_string())
}

/// The literals of which every match begins with one; none where there is no such set.
fn literals_of(pattern: &str) -> Vec<String> {
    let parsed = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern);
    let Ok(hir) = parsed else { return Vec::new() };
    let mut prefixes = Extractor::new()
        .limit_class(10)
        .limit_total(LITERALS_MAX)
        .extract(&hir);
    prefixes.dedup();
    prefixes
        .literals()
        .unwrap_or_default()
        .iter()
        .map(|literal| String::from_utf8_lossy(literal.as_bytes()).into_owned())
        .collect()
}
