//! Findings as one SARIF 2.1.0 document, for code scanning services.
//!
//! See <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oktsec_detect::{Detector, Rule};
use oktsec_model::Severity;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::read::{Report, Row};
use super::show::location;
use crate::command::version::VERSION;

/// What the document will hold.
pub(super) struct Sarif<'d> {
    detector: &'d Detector,
    /// Whether the detector's fingerprints mean the same in the next run.
    is_key_kept: bool,
    results: Vec<Value>,
    /// The rules that spoke, by the order in which they did.
    rules: BTreeMap<String, usize>,
    notifications: Vec<Value>,
}

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

// === impl Sarif ===

impl<'d> Sarif<'d> {
    pub(super) fn new(detector: &'d Detector, is_key_kept: bool) -> Self {
        Self {
            detector,
            is_key_kept,
            results: Vec::new(),
            rules: BTreeMap::new(),
            notifications: Vec::new(),
        }
    }

    /// Takes what there is to say about a file.
    pub(super) fn add(&mut self, report: &Report) {
        let mut same: BTreeMap<String, usize> = BTreeMap::new();
        for row in &report.rows {
            let what = format!(
                "{}\0{}\0{}",
                row.finding.rule.as_str(),
                row.finding.redacted,
                location(&row.finding)
            );
            let count = same.entry(what.clone()).or_default();
            let place = format!("{}\0{what}\0{count}", report.name);
            *count += 1;
            let result = self.result(report, row, &place);
            self.results.push(result);
        }
        for reason in &report.blind {
            self.blind(&report.name, reason);
        }
        if let Some(problem) = &report.problem {
            self.problem(&report.name, problem);
        }
    }

    /// A file that could not be read.
    pub(super) fn problem(&mut self, name: &str, problem: &str) {
        self.notify("unreadable", "error", name, problem);
    }

    /// A file that could not be looked into, or not wholly.
    pub(super) fn blind(&mut self, name: &str, reason: &str) {
        self.notify("uninspectable", "warning", name, reason);
    }

    /// The document.
    pub(super) fn document(&self, was_all_read: bool) -> String {
        let mut ids: Vec<(&usize, &str)> = (self.rules.iter())
            .map(|(id, index)| (index, id.as_str()))
            .collect();
        ids.sort_unstable();
        let rules: Vec<Value> = ids
            .iter()
            .filter_map(|(_, id)| self.detector.rule(id))
            .map(descriptor)
            .collect();
        let document = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "oktsec",
                    "semanticVersion": VERSION,
                    "rules": rules,
                    "notifications": [
                        {"id": "uninspectable", "shortDescription": {"text": "Something that could not be looked into."}},
                        {"id": "unreadable", "shortDescription": {"text": "Something that could not be read."}},
                    ],
                }},
                "columnKind": "unicodeCodePoints",
                "invocations": [{
                    "executionSuccessful": was_all_read,
                    "toolExecutionNotifications": self.notifications,
                }],
                "results": self.results,
            }],
        });
        format!("{document:#}\n")
    }

    fn result(&mut self, report: &Report, row: &Row, place: &str) -> Value {
        let finding = &row.finding;
        let id = finding.rule.as_str();
        let count = self.rules.len();
        let index = *self.rules.entry(id.to_owned()).or_insert(count);
        // Titles in Aguara's format end as they like.
        let title = self
            .detector
            .rule(id)
            .map_or(id, |rule| rule.title.trim_end_matches('.'));
        let views = location(finding);
        let within = if views.is_empty() {
            String::new()
        } else {
            format!(" In: {views}.")
        };
        let mut fingerprints = json!({"place/v1": hex_sha256(place)});
        if self.is_key_kept {
            fingerprints["value/v1"] = finding.fingerprint.to_string().into();
        }
        json!({
            "ruleId": id,
            "ruleIndex": index,
            "level": level(finding.severity),
            "message": {"text": format!("{title}. Found: {}.{within}", finding.redacted)},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": uri(&report.name)},
                "region": {
                    "startLine": row.line,
                    "startColumn": row.column,
                    "byteOffset": row.span.start,
                    "byteLength": row.span.end - row.span.start,
                },
            }}],
            "partialFingerprints": fingerprints,
            "properties": {
                "category": finding.category.as_str(),
                "severity": finding.severity.as_str(),
                "confidence": finding.confidence.as_str(),
                "location": views,
                "redacted": finding.redacted,
            },
        })
    }

    fn notify(&mut self, id: &str, level: &str, name: &str, text: &str) {
        self.notifications.push(json!({
            "descriptor": {"id": id},
            "level": level,
            "message": {"text": text},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(name)}}}],
        }));
    }
}

/// A rule's own description.
fn descriptor(rule: &Rule) -> Value {
    // What code scanning services sort by: CVSS has nothing to say about a secret in a file.
    let score = match rule.severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
    };
    let mut descriptor = json!({
        "id": rule.id.as_str(),
        "shortDescription": {"text": rule.title},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {
            "tags": ["security", rule.category.as_str()],
            "security-severity": score,
            "confidence": rule.confidence.as_str(),
        },
    });
    if rule.source.starts_with("https://") {
        descriptor["helpUri"] = rule.source.as_str().into();
    }
    if !rule.help.is_empty() {
        descriptor["help"] = json!({"text": rule.help});
    }
    descriptor
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// A path as a URI reference (RFC 3986, section 4.2): relative where the path is.
fn uri(name: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    let mut uri = String::new();
    match name {
        "-" => return "stdin".to_owned(),
        name if name.starts_with('/') => uri.push_str("file://"),
        // A colon in the first segment would make it a scheme.
        name if name
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':')) =>
        {
            uri.push_str("./");
        }
        _ => {}
    }
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

fn hex_sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        for (path, expected) in [
            ("src/a b.rs", "src/a%20b.rs"),
            ("/etc/x", "file:///etc/x"),
            ("-", "stdin"),
            ("c:d/é", "./c%3Ad/%C3%A9"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
