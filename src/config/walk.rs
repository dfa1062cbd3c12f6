//! A tree of nodes, walked along the schema: every mistake is collected, none stops the walk.
//!
//! What comes out is complete, with defaults where nothing was written and where what was written
//! is wrong; it means something only when no error was collected.

mod text;
mod words;

use std::collections::HashMap;

use super::diagnostic::{Code, Diagnostic, code, nearest};
use super::node::{Entry, Node, NodeKind, Scalar, Source, SourceKind, Span};
use super::schema::{self, Availability, Key, Kind};
use super::value::{Field, Setting, Value, parse_duration_ms, parse_size};
use super::yaml;
use words::{explain, last, parse_integer};

pub(super) use text::{parse_answer, parse_network};
pub(super) use words::range;

/// Keys with this prefix are the operator's own: anchors and notes.
pub(crate) const PRIVATE_PREFIX: &str = "x-";

/// Walks the whole document.
pub(crate) fn document(root: &Node, diagnostics: &mut Vec<Diagnostic>) -> Setting {
    let mut walk = Walk { diagnostics };
    walk.section(schema::ROOT, Some(root), &root.span, "")
}

struct Walk<'d> {
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Walk<'_> {
    /// Every key of a section, written or not.
    fn section(
        &mut self,
        keys: &'static [Key],
        node: Option<&Node>,
        span: &Span,
        path: &str,
    ) -> Setting {
        let entries = match node {
            Some(node) if !node.is_null() => self.entries(node, path),
            Some(_) | None => &[],
        };
        self.unknown_keys(keys, entries, path);
        let fields = keys
            .iter()
            .map(|key| {
                let entry = entries.iter().find(|entry| entry.key == key.name);
                let setting = self.key(key, entry, &schema::join(path, key.name));
                let name_span = entry.map_or(&setting.span, |entry| &entry.key_span).clone();
                Field {
                    name: key.name.to_owned(),
                    name_span,
                    setting,
                }
            })
            .collect();
        Setting::new(Value::Map(fields), span.clone())
    }

    /// The entries of what must be a map, its duplicates reported.
    fn entries<'n>(&mut self, node: &'n Node, path: &str) -> &'n [Entry] {
        let NodeKind::Map(entries) = &node.kind else {
            let name = if path.is_empty() {
                "the file"
            } else {
                last(path)
            };
            self.wrong_type(node, name, "settings below it", path);
            return &[];
        };
        let mut seen: HashMap<&str, &Span> = HashMap::with_capacity(entries.len());
        for entry in entries {
            if let Some(first) = seen.get(entry.key.as_str()) {
                let first = first.start;
                let message = format!("duplicate key `{}`", entry.key.escape_debug());
                let label = format!(
                    "the second one; the first is at {}:{}",
                    first.line, first.column
                );
                let diagnostic = Diagnostic::at(code::DUPLICATE, &entry.key_span, message);
                self.diagnostics.push(diagnostic.label(label));
            } else {
                seen.insert(&entry.key, &entry.key_span);
            }
        }
        entries
    }

    fn unknown_keys(&mut self, keys: &'static [Key], entries: &[Entry], path: &str) {
        for entry in entries {
            let known = keys.iter().any(|key| key.name == entry.key);
            if known || entry.key.starts_with(PRIVATE_PREFIX) {
                continue;
            }
            let shown = oktsec_model::truncate_chars(&entry.key, 60);
            let place = if path.is_empty() {
                "at the top level"
            } else {
                "in "
            };
            let message = format!("unknown key `{}` {place}{path}", shown.escape_debug());
            let names = || keys.iter().map(|key| key.name);
            let explain = match path {
                "" => "oktsec config schema".to_owned(),
                path => explain(path),
            };
            let help = match nearest(&entry.key, names()) {
                Some(name) => format!("did you mean `{name}`?   ({explain})"),
                None => {
                    let names: Vec<&str> = names().collect();
                    format!("the settings here are {}   ({explain})", names.join(", "))
                }
            };
            let diagnostic = Diagnostic::at(code::UNKNOWN_KEY, &entry.key_span, message)
                .label("not a setting here")
                .help(help);
            self.diagnostics.push(diagnostic);
        }
    }

    fn key(&mut self, key: &'static Key, entry: Option<&Entry>, path: &str) -> Setting {
        let Some(entry) = entry else {
            return self.default(key, path);
        };
        let node = &entry.value;
        match (&key.kind, key.availability) {
            (_, Availability::Only(also)) => self.unavailable(key, entry, also, path),
            (Kind::Section(keys), Availability::Full) => {
                if node.is_null() && key.default == "null" {
                    return self.default(key, path);
                }
                self.section(keys, Some(node), &node.span, path)
            }
            (Kind::List(_), Availability::Full) if node.is_null() => {
                let message = format!("{} is written without entries", key.name);
                let diagnostic = Diagnostic::at(code::WRONG_TYPE, &entry.key_span, message)
                    .label("nothing below it")
                    .help(format!(
                        "write `{}: []` if an empty list is meant",
                        key.name
                    ));
                self.diagnostics.push(diagnostic);
                self.default(key, path)
            }
            _ if node.is_null() => self.default(key, path),
            (kind, Availability::Full) => self
                .value(kind, node, path)
                .unwrap_or_else(|| self.default(key, path)),
        }
    }

    /// A key of a later version: its default, what comes to the same, or an error.
    fn unavailable(
        &mut self,
        key: &'static Key,
        entry: &Entry,
        also: &[&str],
        path: &str,
    ) -> Setting {
        let node = &entry.value;
        let harmless = match &node.kind {
            NodeKind::List(items) => items.is_empty(),
            NodeKind::Map(entries) => entries.is_empty(),
            NodeKind::Scalar(scalar) => {
                scalar.is_null() || scalar.text.is_empty() || scalar.text == key.default
            }
        };
        if harmless {
            return self.default(key, path);
        }
        let before = self.diagnostics.len();
        if let NodeKind::Scalar(scalar) = &node.kind
            && (also.contains(&scalar.text.as_str()) || matches!(key.kind, Kind::Word(_)))
        {
            let value = self.value(&key.kind, node, path);
            if also.contains(&scalar.text.as_str()) || self.diagnostics.len() > before {
                return value.unwrap_or_else(|| self.default(key, path));
            }
        }
        let what = match (&key.kind, &node.kind) {
            (Kind::Word(_) | Kind::Bool, NodeKind::Scalar(scalar)) => {
                format!("{path}: {}", scalar.shown().escape_debug())
            }
            _ => path.to_owned(),
        };
        let help = match key.default {
            "null" | "[]" | "{}" => "remove it".to_owned(),
            default => format!("remove it, or write `{}: {default}`. {}", key.name, key.doc),
        };
        let message = format!("`{what}` is not available in this version of oktsec");
        let diagnostic = Diagnostic::at(code::UNAVAILABLE, &entry.key_span, message)
            .label("belongs to a later version")
            .help(help);
        self.diagnostics.push(diagnostic);
        self.default(key, path)
    }

    /// What holds when nothing is written.
    fn default(&mut self, key: &'static Key, path: &str) -> Setting {
        let source = Source::inline(SourceKind::Default, "default", key.default);
        let span = Span::whole(&source);
        if key.default == "null" {
            return Setting::new(Value::Null, span);
        }
        if let Kind::Section(keys) = &key.kind {
            return self.section(keys, None, &span, path);
        }
        let node = yaml::parse(&source).unwrap_or_else(|_| Node::empty_map(span.clone()));
        self.value(&key.kind, &node, path)
            .unwrap_or_else(|| Setting::new(Value::Null, span))
    }

    /// A value of a kind; `None` when it is wrong, which was then reported.
    fn value(&mut self, kind: &'static Kind, node: &Node, path: &str) -> Option<Setting> {
        match kind {
            Kind::Agents(keys) => self.agents(keys, node, path),
            Kind::List(item) => self.list(item, node, path),
            Kind::Many(item) => match &node.kind {
                NodeKind::Scalar(_) => {
                    let only = self.value(item, node, path)?;
                    Some(Setting::new(Value::List(vec![only]), node.span.clone()))
                }
                NodeKind::List(_) | NodeKind::Map(_) => self.list(item, node, path),
            },
            Kind::Map { keys, values } => self.map(*keys, values, node, path),
            Kind::Section(keys) => Some(self.section(keys, Some(node), &node.span, path)),
            Kind::Bool => self.bool(node, path),
            Kind::Duration { .. } | Kind::Integer { .. } | Kind::Size { .. } => {
                self.number(kind, node, path)
            }
            Kind::Text(form) => self.text(*form, node, path),
            Kind::Word(words) => self.word(words, node, path),
            Kind::WordOr(words, other) => match &node.kind {
                NodeKind::Scalar(_) => self.word(words, node, path),
                NodeKind::List(_) | NodeKind::Map(_) => self.value(other, node, path),
            },
        }
    }

    fn agents(&mut self, keys: &'static [Key], node: &Node, path: &str) -> Option<Setting> {
        let mut fields = Vec::new();
        for entry in self.entries(node, path) {
            if entry.key.starts_with(PRIVATE_PREFIX) {
                continue;
            }
            let inner = schema::join(path, &entry.key);
            let setting = self.section(keys, Some(&entry.value), &entry.value.span, &inner);
            if let Some(diagnostic) = text::agent_name(&entry.key, &entry.key_span) {
                self.diagnostics.push(diagnostic);
                continue;
            }
            let name_span = entry.key_span.clone();
            fields.push(Field {
                name: entry.key.clone(),
                name_span,
                setting,
            });
        }
        Some(Setting::new(Value::Map(fields), node.span.clone()))
    }

    fn list(&mut self, item: &'static Kind, node: &Node, path: &str) -> Option<Setting> {
        let NodeKind::List(items) = &node.kind else {
            let help = match &node.kind {
                NodeKind::Scalar(scalar) => {
                    format!(
                        "write `{}: [{}]`",
                        last(path),
                        scalar.shown().escape_debug()
                    )
                }
                NodeKind::List(_) | NodeKind::Map(_) => "begin each entry with `- `".to_owned(),
            };
            let message = format!("{} takes a list, found {}", last(path), node.describe());
            let diagnostic = Diagnostic::at(code::WRONG_TYPE, &node.span, message);
            self.diagnostics
                .push(diagnostic.label("not a list").help(help));
            return None;
        };
        // Wrong items are left out, so that the rest is still checked.
        let items = items
            .iter()
            .enumerate()
            .filter_map(|(index, node)| self.value(item, node, &format!("{path}[{index}]")))
            .collect();
        Some(Setting::new(Value::List(items), node.span.clone()))
    }

    fn map(
        &mut self,
        keys: schema::Text,
        values: &'static Kind,
        node: &Node,
        path: &str,
    ) -> Option<Setting> {
        let mut fields = Vec::new();
        for entry in self.entries(node, path) {
            if entry.key.starts_with(PRIVATE_PREFIX) {
                continue;
            }
            if let Some(diagnostic) = text::check(keys, &entry.key, &entry.key_span, last(path)) {
                self.diagnostics.push(diagnostic);
                continue;
            }
            // Keys may hold dots, so the path of a value is the map's. A value with a wrong item
            // is left out: what remains of it would mean something else.
            let before = self.diagnostics.len();
            if let Some(setting) = self.value(values, &entry.value, path)
                && self.diagnostics.len() == before
            {
                let name_span = entry.key_span.clone();
                fields.push(Field {
                    name: entry.key.clone(),
                    name_span,
                    setting,
                });
            }
        }
        Some(Setting::new(Value::Map(fields), node.span.clone()))
    }

    fn bool(&mut self, node: &Node, path: &str) -> Option<Setting> {
        let value = match self.scalar(node, path, "true or false")? {
            Scalar {
                text, plain: true, ..
            } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            Scalar { .. } => None,
        };
        if value.is_none() {
            self.wrong_type(node, last(path), "true or false", path);
        }
        Some(Setting::new(Value::Bool(value?), node.span.clone()))
    }

    fn number(&mut self, kind: &'static Kind, node: &Node, path: &str) -> Option<Setting> {
        let (expected, min, max) = match kind {
            Kind::Duration { min_ms, max_ms } => (
                "a duration such as `10s`, `5m`, `24h` or `90d`",
                *min_ms,
                *max_ms,
            ),
            Kind::Size { min, max } => ("a size such as `1048576` or `1MiB`", *min, *max),
            Kind::Integer { min, max, .. } => ("a whole number", *min, *max),
            _ => return None,
        };
        let scalar = self.scalar(node, path, expected)?;
        let number = match kind {
            Kind::Duration { .. } => parse_duration_ms(&scalar.text),
            Kind::Size { .. } => parse_size(&scalar.text),
            _ if scalar.plain => parse_integer(&scalar.text),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong_type(node, last(path), expected, path);
            return None;
        };
        if number < min || number > max {
            let message = format!(
                "{} must be {}, found {}",
                last(path),
                range(kind),
                scalar.shown()
            );
            self.push(code::RANGE, node, message, "out of range", &explain(path));
            return None;
        }
        let value = match kind {
            Kind::Duration { .. } => Value::Millis(number),
            _ => Value::Integer(number),
        };
        Some(Setting::new(value, node.span.clone()))
    }

    fn word(&mut self, words: &[&str], node: &Node, path: &str) -> Option<Setting> {
        let scalar = self.scalar(node, path, &words.join(" or "))?;
        if words.contains(&scalar.text.as_str()) {
            return Some(Setting::new(
                Value::Text(scalar.text.clone()),
                node.span.clone(),
            ));
        }
        let message = format!("unknown word {} for {}", node.describe(), last(path));
        let label = format!("expected {}", words.join(", "));
        let help = match nearest(scalar.shown(), words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => explain(path),
        };
        self.push(code::UNKNOWN_WORD, node, message, &label, &help);
        None
    }

    fn text(&mut self, form: schema::Text, node: &Node, path: &str) -> Option<Setting> {
        let scalar = self.scalar(node, path, "text")?;
        if scalar.is_null() {
            self.wrong_type(node, last(path), "text", path);
            return None;
        }
        if let Some(mut diagnostic) = text::check(form, &scalar.text, &node.span, last(path)) {
            if scalar.written.is_some() {
                // The message must not quote what an expansion brought.
                diagnostic.message = format!("what this expands to is wrong for {}", last(path));
                diagnostic.help = None;
            }
            self.diagnostics.push(diagnostic);
            return None;
        }
        let value = match (form, &node.tag) {
            (schema::Text::Proxy, _) => Value::Address(scalar.text.clone()),
            (schema::Text::Secret, _) => Value::Secret,
            // `!public-suffix "*.github.io"` is the YAML way to write "*.github.io !public-suffix".
            (schema::Text::HostPattern, Some(tag)) => {
                Value::Text(format!("{} !{tag}", scalar.text))
            }
            _ => Value::Text(scalar.text.clone()),
        };
        let written = scalar.written.clone();
        Some(Setting {
            value,
            span: node.span.clone(),
            written,
        })
    }

    fn scalar<'n>(&mut self, node: &'n Node, path: &str, expected: &str) -> Option<&'n Scalar> {
        match &node.kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            NodeKind::List(_) | NodeKind::Map(_) => {
                self.wrong_type(node, last(path), expected, path);
                None
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, name: &str, expected: &str, path: &str) {
        let message = format!("{name} takes {expected}, found {}", node.describe());
        self.push(
            code::WRONG_TYPE,
            node,
            message,
            &format!("expected {expected}"),
            &explain(path),
        );
    }

    fn push(&mut self, code: Code, node: &Node, message: String, label: &str, help: &str) {
        let diagnostic = Diagnostic::at(code, &node.span, message)
            .label(label)
            .help(help);
        self.diagnostics.push(diagnostic);
    }
}
