//! Diagnostics for people, for programs, and for a forge's annotations.

use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Severity};
use super::node::{Point, SourceKind, Span};
use crate::output::{Tone, paint};

/// The most characters of a line that are shown.
const LINE_CHARS_MAX: usize = 160;

/// One diagnostic as a block of text, its first word painted, without a newline at its end.
pub(crate) fn frame(diagnostic: &Diagnostic) -> String {
    let severity = diagnostic.code.severity();
    let tone = match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
    };
    let head = format!("{}[{}]", severity.as_str(), diagnostic.code.id);
    let mut lines = vec![format!(
        "{}: {}",
        paint(tone, &head),
        printable(&diagnostic.message)
    )];
    match &diagnostic.span {
        Some(span) if diagnostic.is_quiet => lines.push(format!("   ─[{}]", span.place())),
        Some(span) => source_lines(span, &diagnostic.label, &mut lines),
        None => {}
    }
    if let Some(help) = &diagnostic.help {
        lines.push(format!("  help: {}", printable(help)));
    }
    lines.join("\n")
}

/// One diagnostic as an object.
pub(crate) fn object(diagnostic: &Diagnostic) -> Value {
    let span = diagnostic.span.as_ref();
    let in_file = span.filter(|span| span.source.kind == SourceKind::File);
    let end_column = in_file.map(|span| span.start.column + underline(span).max(1));
    json!({
        "schema": 1,
        "code": diagnostic.code.id,
        "severity": diagnostic.code.severity().as_str(),
        "message": diagnostic.message,
        "file": span.map(|span| span.source.name.to_string()),
        "line": in_file.map(|span| span.start.line),
        "column": in_file.map(|span| span.start.column),
        "end_column": end_column,
        "help": diagnostic.help,
    })
}

/// One diagnostic as a workflow command of GitHub Actions.
pub(crate) fn github(diagnostic: &Diagnostic) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let place = match &diagnostic.span {
        Some(span) if span.source.kind == SourceKind::File => format!(
            "file={},line={},col={},endColumn={},",
            property(&span.source.name),
            span.start.line,
            span.start.column,
            span.start.column + underline(span).max(1),
        ),
        Some(_) | None => String::new(),
    };
    let help = diagnostic
        .help
        .as_ref()
        .map(|help| format!("\nhelp: {help}"))
        .unwrap_or_default();
    format!(
        "::{} {place}title={}::{}",
        diagnostic.code.severity().as_str(),
        diagnostic.code.id,
        data(&format!("{}{help}", diagnostic.message)),
    )
}

/// The place, the line with one line around it, and the words under what is meant.
fn source_lines(span: &Span, label: &str, out: &mut Vec<String>) {
    let Point { line, column } = span.start;
    let texts: Vec<&str> = span.source.text.lines().collect();
    let text = |number: usize| {
        let text = number.checked_sub(1).and_then(|index| texts.get(index))?;
        Some(printable(&oktsec_model::truncate_chars(
            text,
            LINE_CHARS_MAX,
        )))
    };
    let width = (line + 1)
        .to_string()
        .len()
        .min(line.to_string().len().max(1));
    let blank = " ".repeat(width + 2);
    out.push(format!("{blank}╭─[{}]", span.place()));
    let shown = |number: usize| {
        let text = text(number)?;
        Some(format!(" {number:>width$} │ {text}").trim_end().to_owned())
    };
    if line > 1 && text(line - 1).is_some_and(|text| !text.trim().is_empty()) {
        out.extend(shown(line - 1));
    }
    out.push(shown(line).unwrap_or_else(|| format!(" {line:>width$} │")));
    if column <= LINE_CHARS_MAX {
        let length = underline(span).clamp(1, LINE_CHARS_MAX);
        let middle = length / 2;
        let indent = " ".repeat(column - 1);
        let (left, right) = ("─".repeat(middle), "─".repeat(length - middle - 1));
        if label.is_empty() {
            out.push(format!("{blank}· {indent}{}", "─".repeat(length)));
        } else {
            out.push(format!("{blank}· {indent}{left}┬{right}"));
            let indent = " ".repeat(column - 1 + middle);
            out.push(format!("{blank}· {indent}╰── {}", printable(label)));
        }
    }
    out.push(format!("{blank}╰────"));
}

/// How much is underlined: what is meant, up to the end of its first line.
fn underline(span: &Span) -> usize {
    if span.end.line == span.start.line {
        return span.end.column.saturating_sub(span.start.column);
    }
    let line = span
        .source
        .text
        .lines()
        .nth(span.start.line.saturating_sub(1))
        .unwrap_or("");
    line.trim_end()
        .chars()
        .count()
        .saturating_sub(span.start.column - 1)
}

/// Text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\t' => ' ',
            // Bidirectional controls reorder what is read.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            char if char.is_control() => '\u{fffd}',
            char => char,
        })
        .collect()
}
