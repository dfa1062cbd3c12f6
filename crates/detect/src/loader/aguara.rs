//! Rules in Aguara's format: `patterns`, each a regular expression in Go's syntax or a text, of which any
//! or all must match. What our engine has no use for is accepted and said to be ignored.

mod go;

use std::collections::BTreeMap;

use oktsec_model::{Category, Confidence, RuleId, Severity, category};

use super::{Fields, costly, joined, problem_of};
use crate::issue::IssueLevel;
use crate::pattern::Pattern;
use crate::plan::Plan;
use crate::rule::{Boundary, Matcher, Rule};
use crate::yaml::{Node, Value};

/// The fields that a rule may have.
const FIELDS: [&str; 12] = [
    "category",
    "description",
    "examples",
    "exclude_patterns",
    "id",
    "match_mode",
    "name",
    "patterns",
    "remediation",
    "severity",
    "tags",
    "targets",
];
/// The fields that only rules in this format have.
const OWN_FIELDS: [&str; 6] = [
    "exclude_patterns",
    "match_mode",
    "name",
    "patterns",
    "remediation",
    "targets",
];
const PATTERNS_MAX: usize = 128;
const PATTERN_BYTES_MAX: usize = 8 * 1024;

/// A pattern as read, its text in our syntax.
struct Written {
    line: usize,
    text: String,
    pattern: Pattern,
}

/// Whether a rule is in this format.
pub(super) fn is_in(entries: &BTreeMap<&str, &Node>) -> bool {
    !entries.contains_key("pattern") && OWN_FIELDS.iter().any(|name| entries.contains_key(name))
}

// === impl Fields ===

impl Fields<'_, '_, '_> {
    /// A rule in Aguara's format.
    pub(super) fn aguara_rule(&mut self) -> Option<Rule> {
        let id = self.aguara_id();
        self.report.rule = Some(RuleId(id.as_str().into()));
        self.ignored();
        let title = self.required("name");
        let help: Vec<String> = ["description", "remediation"]
            .into_iter()
            .filter_map(|name| self.text(name))
            .map(|text| text.trim().to_owned())
            .collect();
        let severity = self.word("severity", severity_of);
        let category = self.word("category", category_of);
        self.about_category(category.as_deref());
        let is_all = self.optional_word("match_mode", |word| match word {
            "all" => Some(true),
            "any" => Some(false),
            _ => None,
        });
        let patterns = self.patterns("patterns");
        let exclude = self.patterns("exclude_patterns");
        let matcher = self.aguara_matcher(patterns, is_all.unwrap_or(false));
        let (examples, negative_examples) = self.aguara_examples();
        Some(Rule {
            count_min: 1,
            id: RuleId(id.into()),
            title,
            source: String::new(),
            category: Category(category?.into()),
            severity: severity?,
            confidence: Confidence::Medium,
            homes: Vec::new(),
            places: Vec::new(),
            examples,
            negative_examples,
            help: help.join("\n"),
            origin: self.origin(),
            matcher: matcher?,
            exclude: exclude.into_iter().map(|one| one.pattern).collect(),
            boundary: Boundary::Any,
            entropy_min: 0.0,
            validator: None,
        })
    }

    fn aguara_id(&mut self) -> String {
        let written = self.required("id");
        let id = hyphenated(&written);
        if self.entries.contains_key("id") && !is_name(&id) {
            self.complain(
                "id",
                "may hold letters, digits, hyphens and underscores only",
            );
        }
        id
    }

    /// Says which fields nothing is made of.
    fn ignored(&mut self) {
        let keys: Vec<&str> = self.entries.keys().copied().collect();
        for key in keys {
            if !FIELDS.contains(&key) {
                self.tell(IssueLevel::Warning, key, "is not known, and ignored");
            }
        }
        if self.entries.contains_key("targets") {
            let message = "is ignored: the rule looks at every request, whatever its type";
            self.tell(IssueLevel::Note, "targets", message);
        }
        // Tags are for people.
        if self.entries.contains_key("tags") {
            self.list("tags");
        }
    }

    fn about_category(&mut self, category: Option<&str>) {
        if let Some(category) = category
            && category::canonical(category).is_none()
        {
            let message = format!(
                "`{category}` is none of the built-in categories: it counts where it is named"
            );
            self.tell(IssueLevel::Note, "category", &message);
        }
    }

    /// The patterns of a list of `type` and `value`.
    fn patterns(&mut self, name: &str) -> Vec<Written> {
        let Some(node) = self.entries.get(name).copied() else {
            if name == "patterns" {
                self.complain(name, "is missing");
            }
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.complain(name, "must be a list");
            return Vec::new();
        };
        if items.is_empty() && name == "patterns" {
            self.complain(name, "must hold at least one");
        }
        if items.len() > PATTERNS_MAX {
            self.complain(name, &format!("must hold at most {PATTERNS_MAX}"));
            return Vec::new();
        }
        let mut patterns = Vec::new();
        for item in items {
            match pattern_of(item) {
                Ok(written) => patterns.push(written),
                Err(message) => self.report.add(item.line, format!("`{name}`: {message}")),
            }
        }
        patterns
    }

    /// One pattern for all that may match, planned where it can be; or several of which each must.
    fn aguara_matcher(&mut self, patterns: Vec<Written>, is_all: bool) -> Option<Matcher> {
        if patterns.is_empty() {
            return None;
        }
        if is_all && patterns.len() > 1 {
            let message = "`all`: every view is searched as a whole, which is slower";
            self.tell(IssueLevel::Warning, "match_mode", message);
            let patterns = patterns.into_iter().map(|one| one.pattern).collect();
            return Some(Matcher::Anywhere(patterns));
        }
        for one in &patterns {
            if let Err(message) = Plan::new(&one.text) {
                let message = format!("`patterns`: {}", costly(&message));
                self.report.tell(IssueLevel::Warning, one.line, message);
            }
        }
        let texts: Vec<&str> = patterns.iter().map(|one| one.text.as_str()).collect();
        let text = match texts.as_slice() {
            [text] => (*text).to_owned(),
            texts => format!("(?:{})", texts.join(")|(?:")),
        };
        let pattern = Pattern::new(&text).map(Pattern::without_groups);
        let pattern = match pattern {
            Ok(pattern) => pattern,
            Err(message) => {
                self.complain("patterns", &format!("are not valid: {message}"));
                return None;
            }
        };
        let plan = Plan::new(&text);
        let pattern = match plan {
            Ok(_) => pattern,
            Err(_) => pattern.for_whole_views(),
        };
        if let Some(problem) = problem_of(&pattern) {
            self.complain("patterns", &format!("together: {problem}"));
            return None;
        }
        Some(match plan {
            Ok(plan) => Matcher::Literal { plan, pattern },
            Err(_) => Matcher::Anywhere(vec![pattern]),
        })
    }

    fn aguara_examples(&mut self) -> (Vec<String>, Vec<String>) {
        let mut both = (Vec::new(), Vec::new());
        let Some(node) = self.entries.get("examples").copied() else {
            self.tell(IssueLevel::Warning, "examples", "is missing");
            return both;
        };
        let Value::Map(entries) = &node.value else {
            self.complain(
                "examples",
                "must hold `true_positive` and `false_positive`, each a list",
            );
            return both;
        };
        for (name, node) in entries {
            let list = match name.as_str() {
                "true_positive" => &mut both.0,
                "false_positive" => &mut both.1,
                _ => {
                    let message = format!("`examples`: `{name}` is not known, and ignored");
                    self.report.tell(IssueLevel::Warning, node.line, message);
                    continue;
                }
            };
            match &node.value {
                Value::List(items) => *list = joined(items),
                _ => self
                    .report
                    .add(node.line, format!("`examples`: `{name}` must be a list")),
            }
        }
        if both.0.is_empty() {
            let message = "holds no `true_positive`: nothing shows that the rule matches";
            self.tell(IssueLevel::Warning, "examples", message);
        }
        both
    }
}

/// A pattern from its `type` and `value`.
fn pattern_of(item: &Node) -> Result<Written, String> {
    let Value::Map(entries) = &item.value else {
        return Err("must be a mapping with `type` and `value`".to_owned());
    };
    let field = |name: &str| {
        entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, node)| node)
    };
    if let Some((key, _)) = entries
        .iter()
        .find(|(key, _)| !["type", "value"].contains(&key.as_str()))
    {
        return Err(format!("`{key}` is not a field of a pattern"));
    }
    let value = field("value")
        .and_then(Node::text)
        .filter(|text| !text.is_empty())
        .ok_or("`value` must be a text")?;
    if value.len() > PATTERN_BYTES_MAX {
        return Err(format!("`value` is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let text = match field("type").and_then(Node::text) {
        Some("regex") => go::translated(value),
        Some("contains") => go::quoted(value),
        _ => return Err("`type` must be `regex` or `contains`".to_owned()),
    };
    let pattern = Pattern::new(&text)
        .map_err(|error| format!("is not valid: {error}"))?
        .without_groups()
        .for_whole_views();
    match problem_of(&pattern) {
        Some(problem) => Err(problem),
        None => Ok(Written {
            line: item.line,
            text,
            pattern,
        }),
    }
}

fn severity_of(word: &str) -> Option<Severity> {
    let word = word.to_ascii_lowercase();
    // We have nothing below low.
    if word == "info" {
        return Some(Severity::Low);
    }
    Severity::parse(&word)
}

fn category_of(word: &str) -> Option<String> {
    let word = hyphenated(word);
    match category::canonical(&word) {
        Some(known) => Some(known.to_owned()),
        None => is_name(&word).then_some(word),
    }
}

/// In lower case, with hyphens between the words.
fn hyphenated(text: &str) -> String {
    text.trim()
        .to_ascii_lowercase()
        .replace(['_', ' ', '.'], "-")
}

fn is_name(text: &str) -> bool {
    const NAME_BYTES_MAX: usize = 64;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(fits)
}
