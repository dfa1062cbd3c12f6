//! The effective configuration: every setting, with its value and where that was written.
//!
//! The walk has held it against the schema, so a lookup by a path of the schema finds a value of
//! the schema's kind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::node::Span;
use super::schema::join;
use super::value::{Field, Setting, Value, show_duration, without_credentials};

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct RawConfig {
    root: Setting,
    path: PathBuf,
    /// The digests of other files that make it: rules.
    parts: Vec<String>,
}

// === impl RawConfig ===

impl RawConfig {
    pub(super) fn new(root: Setting, path: &Path) -> Self {
        Self {
            root,
            path: path.to_owned(),
            parts: Vec::new(),
        }
    }

    /// Takes digests of what else makes the configuration: rule files.
    pub(super) fn add_parts(&mut self, digests: Vec<String>) {
        self.parts = digests;
    }

    /// Everything.
    pub(super) const fn root(&self) -> &Setting {
        &self.root
    }

    /// The file it came from.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The setting at a path of the schema.
    pub(super) fn at(&self, path: &str) -> &Setting {
        // The walk fills in every key of every section, so only a wrong path finds nothing.
        self.root
            .at(path)
            .unwrap_or_else(|| unreachable!("{path} is a key of the schema"))
    }

    pub(super) fn bool(&self, path: &str) -> bool {
        matches!(self.at(path).value, Value::Bool(true))
    }

    /// The number, or 0 where there is none.
    pub(super) fn integer(&self, path: &str) -> u64 {
        self.at(path).integer().unwrap_or(0)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.at(path).text()
    }

    /// The agents by name.
    pub(super) fn agents(&self) -> &[Field] {
        self.at("agents").fields()
    }

    /// The addresses of `forward_proxy.bind`, each with its place.
    pub(super) fn bind(&self) -> Vec<(IpAddr, Span)> {
        let mut addresses: Vec<(IpAddr, Span)> = Vec::new();
        for item in self.at("forward_proxy.bind").items() {
            let named: Vec<IpAddr> = match item.text() {
                Some("localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                Some(text) => text.parse().into_iter().collect(),
                None => Vec::new(),
            };
            addresses.extend(
                named
                    .into_iter()
                    .map(|address| (address, item.span.clone())),
            );
        }
        addresses
    }

    /// A path setting, relative to the file that holds it.
    pub(super) fn file_path(&self, path: &str) -> Option<PathBuf> {
        let setting = self.at(path);
        let base = setting.span.source.path.parent().unwrap_or(Path::new(""));
        Some(base.join(setting.text()?))
    }

    /// `sha256:…` over every effective value and the rule files, in an order of its own: comments, spelling and the
    /// division into files do not change it.
    pub(super) fn digest(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        leaves(&self.root, "", &mut |path, setting| {
            lines.push(format!("{path}={}\n", json(setting)));
        });
        // What was merged from where is no part of what holds.
        lines.retain(|line| !line.starts_with("include="));
        lines.extend(self.parts.iter().map(|part| format!("rules={part}\n")));
        lines.sort();
        let digest = Sha256::digest(lines.concat().as_bytes());
        let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{}", hex.concat())
    }
}

// === impl Setting ===

impl Setting {
    /// The number, or the milliseconds.
    pub(super) const fn integer(&self) -> Option<u64> {
        match self.value {
            Value::Integer(number) | Value::Millis(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Address(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text as messages may show it.
    pub(super) fn shown(&self) -> Option<&str> {
        self.written.as_deref().or_else(|| self.text())
    }

    pub(super) const fn bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

/// Calls `visit` with every value that is not a section of others, in order.
pub(super) fn leaves(setting: &Setting, path: &str, visit: &mut dyn FnMut(&str, &Setting)) {
    match &setting.value {
        Value::Map(fields) if !fields.is_empty() => {
            for field in fields {
                leaves(&field.setting, &join(path, &field.name), visit);
            }
        }
        _ => visit(path, setting),
    }
}

/// A value as JSON, secrets as `<set>`.
pub(super) fn json(setting: &Setting) -> serde_json::Value {
    match &setting.value {
        Value::Bool(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|field| (field.name.clone(), json(&field.setting)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Millis(ms) => show_duration(*ms).into(),
        Value::Null => serde_json::Value::Null,
        Value::Address(text) => without_credentials(text).into(),
        Value::Secret => "<set>".into(),
        Value::Text(text) => text.as_str().into(),
    }
}
