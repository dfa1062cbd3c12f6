//! Findings as lines for people and as rows for programs. The match itself is never in them.

use oktsec_model::{Finding, Severity};
use serde_json::json;

use super::read::{Report, Row};
use crate::output::{Tone, paint};

/// A file's findings: `path:line:column  severity  rule  redacted  (location)`.
pub(super) fn human(report: &Report) -> String {
    let name = match report.name.as_str() {
        "-" => "<stdin>",
        name => name,
    };
    let places: Vec<String> = (report.rows.iter())
        .map(|row| format!("{name}:{}:{}", row.line, row.column))
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let place_width = widest(&mut places.iter().map(String::as_str));
    let rule_width = widest(&mut report.rows.iter().map(|row| row.finding.rule.as_str()));
    let redacted_width = widest(&mut report.rows.iter().map(|row| &*row.finding.redacted));
    let line = |(row, place): (&Row, &String)| {
        let finding = &row.finding;
        let severity = severity(finding.severity);
        let rule = finding.rule.as_str();
        let redacted = &finding.redacted;
        let views = location(finding);
        let views = if views.is_empty() {
            String::new()
        } else {
            format!("({views})")
        };
        let line = format!(
            "{place:<place_width$}  {severity}  {rule:<rule_width$}  {redacted:<redacted_width$}  {views}"
        );
        format!("{}\n", line.trim_end())
    };
    report.rows.iter().zip(&places).map(line).collect()
}

/// A file's findings, each an object on a line of its own.
pub(super) fn json(report: &Report) -> String {
    let line = |row: &Row| {
        let finding = &row.finding;
        let object = json!({
            "schema": 1,
            "file": report.name,
            "line": row.line,
            "column": row.column,
            "offset": row.span.start,
            "length": row.span.end - row.span.start,
            "rule": finding.rule.as_str(),
            "category": finding.category.as_str(),
            "severity": finding.severity.as_str(),
            "confidence": finding.confidence.as_str(),
            "location": location(finding),
            "redacted": finding.redacted,
            "fingerprint": finding.fingerprint.to_string(),
        });
        format!("{object}\n")
    };
    report.rows.iter().map(line).collect()
}

/// The views that led to a finding, outermost first; empty where the file itself shows it.
pub(super) fn location(finding: &Finding) -> String {
    finding.location.views.join(" > ")
}

/// A number of bytes, for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// The severity, as wide as the widest.
fn severity(severity: Severity) -> String {
    let word = format!("{:<8}", severity.as_str());
    match severity {
        Severity::Critical | Severity::High => paint(Tone::Bad, &word),
        Severity::Medium => paint(Tone::Doubtful, &word),
        Severity::Low => word,
    }
}
