//! Rules as text and as JSON. Examples are made up, so they may be shown.

use std::fmt::Write as _;

use oktsec_detect::Rule;
use serde_json::{Value, json};

/// One rule per line.
pub(super) fn table(rules: &[&Rule]) -> String {
    let widest = |text: fn(&Rule) -> &str, floor: usize| {
        let longest = rules.iter().map(|rule| text(rule).chars().count()).max();
        longest.unwrap_or(0).max(floor)
    };
    let id = widest(|rule| rule.id.as_str(), 4);
    let category = widest(|rule| rule.category.as_str(), 8);
    let mut text = format!(
        "{:<id$}  {:<8}  {:<10}  {:<category$}  {:<10}  TITLE\n",
        "RULE", "SEVERITY", "CONFIDENCE", "CATEGORY", "KIND"
    );
    for rule in rules {
        let _ = writeln!(
            text,
            "{:<id$}  {:<8}  {:<10}  {:<category$}  {:<10}  {}",
            rule.id.as_str(),
            rule.severity.as_str(),
            rule.confidence.as_str(),
            rule.category.as_str(),
            rule.kind(),
            rule.title
        );
    }
    text
}

/// All about a rule.
pub(super) fn to_text(rule: &Rule) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("severity", rule.severity.as_str().to_owned()),
        ("category", rule.category.as_str().to_owned()),
        ("confidence", rule.confidence.as_str().to_owned()),
        ("kind", format!("{}, {}", rule.kind(), kind_in_words(rule))),
    ];
    let mut add = |name, lines: Vec<String>| {
        rows.extend(lines.into_iter().map(|line| (name, line)));
    };
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    add("finder", owned(rule.finder().into_iter().collect()));
    add("keys", joined(rule.keys()));
    add("pattern", owned(rule.patterns()));
    add("excludes", owned(rule.exclude_patterns()));
    if rule.boundary() != "any" {
        add("boundary", vec![rule.boundary().to_owned()]);
    }
    if rule.entropy_min() > 0.0 {
        let text = format!("at least {} bits per character", rule.entropy_min());
        add("entropy", vec![text]);
    }
    add("validator", owned(rule.validator().into_iter().collect()));
    add("homes", joined(&rule.homes));
    let places: Vec<String> = rule.places.iter().map(ToString::to_string).collect();
    add("places", joined(&places));
    add("matches", shown(&rule.examples));
    add("not", shown(&rule.negative_examples));
    add("help", rule.help.lines().map(str::to_owned).collect());
    if !rule.source.is_empty() {
        add("source", vec![rule.source.clone()]);
    }
    add("written", vec![written_at(rule)]);
    let mut text = format!("{}   {}\n", rule.id.as_str(), rule.title);
    let mut last = "";
    for (name, value) in &rows {
        let title = if *name == last { "" } else { name };
        let _ = writeln!(text, "  {title:<11} {value}");
        last = name;
    }
    text
}

/// All about a rule, as an object.
pub(super) fn to_json(rule: &Rule) -> Value {
    let places: Vec<String> = rule.places.iter().map(ToString::to_string).collect();
    json!({
        "schema": 1,
        "id": rule.id.as_str(),
        "title": rule.title,
        "source": rule.source,
        "help": rule.help,
        "category": rule.category.as_str(),
        "severity": rule.severity.as_str(),
        "confidence": rule.confidence.as_str(),
        "kind": rule.kind(),
        "finder": rule.finder(),
        "keys": rule.keys(),
        "patterns": rule.patterns(),
        "exclude_patterns": rule.exclude_patterns(),
        "boundary": rule.boundary(),
        "entropy_min": rule.entropy_min(),
        "validator": rule.validator(),
        "homes": rule.homes,
        "places": places,
        "examples": rule.examples,
        "negative_examples": rule.negative_examples,
        "builtin": rule.origin.is_builtin,
        "file": rule.origin.file,
        "line": rule.origin.line,
    })
}

fn kind_in_words(rule: &Rule) -> &'static str {
    match rule.kind() {
        "anywhere" => "looked for in whole views",
        "assignment" => "the value of a key",
        "finder" => "found by code of its own",
        "run" => "looked for where long encoded text begins",
        _ => "looked for where a literal of it stands",
    }
}

fn written_at(rule: &Rule) -> String {
    let origin = &rule.origin;
    let place = format!("{}:{}", origin.file, origin.line);
    if origin.is_builtin {
        format!("built in (rules/{place})")
    } else {
        place
    }
}

fn joined(texts: &[String]) -> Vec<String> {
    if texts.is_empty() {
        return Vec::new();
    }
    vec![texts.join(", ")]
}

/// Each on a line of its own.
fn shown(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .map(|text| {
            text.escape_debug()
                .to_string()
                .replace("\\\"", "\"")
                .replace("\\'", "'")
        })
        .collect()
}
