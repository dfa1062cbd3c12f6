//! The effective configuration for people: a file that would give the same result, each value
//! with its origin where that is asked for. Secrets appear as `<set>`; settings that this version
//! does not have are left out.

use serde_json::{Value as Json, json};

use super::node::SourceKind;
use super::raw::{RawConfig, json as json_of, leaves};
use super::schema::{self, Found, join};
use super::value::{Setting, Value, show_duration, without_credentials};

/// The column at which origins begin.
const ORIGIN_COLUMN: usize = 50;

/// As YAML, with `# file:line` at each value where `origins` is set.
pub(crate) fn yaml(raw: &RawConfig, origins: bool) -> String {
    let mut lines = Vec::new();
    section(raw.root(), "", 0, origins, &mut lines);
    lines.push(String::new());
    lines.join("\n")
}

/// As one object: `{schema, file, digest, settings: {path: {value, origin}}}`.
pub(crate) fn object(raw: &RawConfig) -> Json {
    let mut settings = serde_json::Map::new();
    leaves(raw.root(), "", &mut |path, setting| {
        if available(path) {
            let value = json!({"value": json_of(setting), "origin": setting.span.origin()});
            settings.insert(path.to_owned(), value);
        }
    });
    json!({
        "schema": 1,
        "file": raw.path().display().to_string(),
        "digest": raw.digest(),
        "settings": settings,
    })
}

fn section(setting: &Setting, path: &str, depth: usize, origins: bool, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for field in setting.fields() {
        let path = join(path, &field.name);
        if !available(&path) || path == "include" {
            continue;
        }
        let inner = &field.setting;
        let name = scalar(&field.name);
        if inner.fields().is_empty() {
            let line = format!("{indent}{name}: {}", inline(inner));
            let origin = inner.span.origin();
            lines.push(if origins {
                format!("{line:<ORIGIN_COLUMN$}  # {origin}")
            } else {
                line
            });
            if origins && inner.span.source.kind == SourceKind::File {
                each_item(inner, &origin, lines);
            }
        } else {
            let at = lines.len();
            section(inner, &path, depth + 1, origins, lines);
            // A section of which nothing exists yet is not worth a line.
            if lines.len() > at {
                lines.insert(at, format!("{indent}{name}:"));
            }
        }
    }
}

/// The items whose line is not the list's own.
fn each_item(list: &Setting, origin: &str, lines: &mut Vec<String>) {
    for item in list.items() {
        let own = item.span.origin();
        if own != origin {
            let text = inline(item);
            lines.push(format!("{:<ORIGIN_COLUMN$}  # {own}  {text}", ""));
        }
    }
}

/// Whether this version has the setting. What is below a free key (a host, a network) belongs to
/// the setting that holds it.
fn available(path: &str) -> bool {
    match schema::find(path) {
        Found::Key(key) => key.available() || schema::is_partly_available(key),
        Found::Nothing { .. } => true,
    }
}

fn inline(setting: &Setting) -> String {
    match &setting.value {
        Value::Bool(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", scalar(&field.name), inline(&field.setting)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Millis(ms) => show_duration(*ms),
        Value::Null => "null".to_owned(),
        Value::Address(text) => scalar(&without_credentials(text)),
        Value::Secret => "<set>".to_owned(),
        Value::Text(text) => scalar(text),
    }
}

/// Plain where YAML reads it back as the same text, quoted otherwise.
fn scalar(text: &str) -> String {
    let first = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    let rest = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
    let lower = text.to_ascii_lowercase();
    let word = matches!(
        lower.as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off"
    );
    if first && rest && !word {
        text.to_owned()
    } else {
        Json::from(text).to_string()
    }
}
