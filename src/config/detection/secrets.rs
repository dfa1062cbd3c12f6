//! `dlp.known_secrets`: values that are matched exactly. They are read into the detector's own type,
//! which nothing can print; messages name keys, never values.

use std::path::Path;
use std::sync::Arc;

use oktsec_detect::KnownSecret;
use oktsec_model::{RuleId, safe_name};

use super::dotenv;
use crate::config::Environment;
use crate::config::diagnostic::{Diagnostic, code};
use crate::config::include;
use crate::config::node::Source;
use crate::config::raw::RawConfig;
use crate::config::value::Field;

/// A value on its way into the detector. It has no `Debug`.
struct Value {
    /// The key in a `.env` file.
    key: Option<String>,
    text: String,
}

/// Where a value is.
enum Place<'f> {
    Dotenv(&'f str),
    File(&'f str),
    Variable(&'f str),
}

/// The most secrets.
const SECRETS_MAX: usize = 1_000;
/// The most keys that one message names.
const KEYS_SHOWN_MAX: usize = 8;

/// Reads every secret; mistakes and warnings are pushed.
pub(in crate::config) fn read(
    raw: &RawConfig,
    env: Environment<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<KnownSecret> {
    let mut secrets = Vec::new();
    for field in raw.at("dlp.known_secrets").fields() {
        match values(field, env) {
            Ok(values) => take(field, &values, &mut secrets, diagnostics),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    if secrets.len() > SECRETS_MAX {
        let message = format!("known_secrets holds more than {SECRETS_MAX} values");
        let span = &raw.at("dlp.known_secrets").span;
        diagnostics.push(Diagnostic::at(code::KNOWN_SECRET, span, message));
        secrets.clear();
    }
    secrets
}

/// The ids of the rules for the keys of a `.env` file, as far as it can be read.
pub(in crate::config) fn dotenv_ids(field: &Field) -> Vec<RuleId> {
    let Some(Place::Dotenv(path)) = place(field) else {
        return Vec::new();
    };
    let pairs = load(field, path).map(|source| dotenv::parse(&source.text).unwrap_or_default());
    let id = |(key, _): (String, String)| KnownSecret::rule_id(&name(field, Some(&key)));
    pairs.unwrap_or_default().into_iter().map(id).collect()
}

fn place(field: &Field) -> Option<Place<'_>> {
    let (kind, place) = field.setting.text()?.split_once(':')?;
    match kind {
        "dotenv" => Some(Place::Dotenv(place)),
        "env" => Some(Place::Variable(place)),
        "file" => Some(Place::File(place)),
        _ => None,
    }
}

fn values(field: &Field, env: Environment<'_>) -> Result<Vec<Value>, Box<Diagnostic>> {
    let only = |text: String| vec![Value { key: None, text }];
    let unreadable = |path: &str, reason: String| {
        let message = format!("the file `{path}` of known_secrets.{} {reason}", field.name);
        let help = "paths are relative to the file that holds them; the gateway's user must be able \
                    to read it";
        fail(field, message, help)
    };
    match place(field) {
        None => Ok(Vec::new()),
        Some(Place::Variable(name)) => match env.value(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(only(value.to_owned())),
            None => {
                let message = format!(
                    "the variable `{name}` of known_secrets.{} is not set",
                    field.name
                );
                Err(fail(field, message, "set it, or remove the entry"))
            }
        },
        Some(Place::File(path)) => match load(field, path) {
            Ok(source) => Ok(only(source.text.clone())),
            Err(reason) => Err(unreadable(path, format!("cannot be read: {reason}"))),
        },
        Some(Place::Dotenv(path)) => {
            let source = load(field, path)
                .map_err(|reason| unreadable(path, format!("cannot be read: {reason}")))?;
            let pairs = dotenv::parse(&source.text)
                .map_err(|line| unreadable(path, format!("has no KEY=VALUE on line {line}")))?;
            let pairs = pairs.into_iter().map(|(key, text)| Value {
                key: Some(key),
                text,
            });
            Ok(pairs.collect())
        }
    }
}

/// The text, relative to the file that holds the setting.
fn load(field: &Field, path: &str) -> Result<Arc<Source>, String> {
    let base = field.setting.span.source.path.parent();
    include::load(&base.unwrap_or(Path::new("")).join(path))
}

fn fail(field: &Field, message: String, help: &str) -> Box<Diagnostic> {
    let diagnostic = Diagnostic::at(code::KNOWN_SECRET, &field.setting.span, message);
    Box::new(diagnostic.help(help))
}

/// What findings call it: `NAME` or `NAME.KEY`; `NAME` alone where the key is not fit to be shown.
fn name(field: &Field, key: Option<&str>) -> String {
    let whole = key.map(|key| format!("{}.{key}", field.name));
    whole
        .filter(|whole| safe_name(whole) == whole)
        .unwrap_or_else(|| field.name.clone())
}

fn take(
    field: &Field,
    values: &[Value],
    secrets: &mut Vec<KnownSecret>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (mut left_out, mut plain) = (Vec::new(), Vec::new());
    for value in values {
        let key = value.key.as_deref();
        let shown = key.map_or(field.name.as_str(), safe_name);
        match KnownSecret::new(&name(field, key), value.text.as_bytes()) {
            // An empty value is none.
            None if value.text.trim().is_empty() && key.is_some() => {}
            None => left_out.push(shown),
            Some(secret) => {
                if is_word(value.text.trim()) {
                    plain.push(shown);
                }
                secrets.push(secret);
            }
        }
    }
    let mut warn = |keys: &[&str], what: &str| {
        if !keys.is_empty() {
            let message = format!("known_secrets.{}: {what}: {}", field.name, listed(keys));
            let span = &field.setting.span;
            diagnostics.push(Diagnostic::at(code::POOR_SECRET, span, message));
        }
    };
    let (min, max) = (KnownSecret::BYTES_MIN, KnownSecret::BYTES_MAX / 1024);
    warn(
        &left_out,
        &format!("not looked for, being shorter than {min} bytes or longer than {max} KiB"),
    );
    warn(
        &plain,
        "a word that ordinary text may hold, which will block then",
    );
}

/// Whether a value is a word or a plain name rather than a secret.
fn is_word(text: &str) -> bool {
    const BYTES_MAX: usize = 20;
    text.len() <= BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn listed(keys: &[&str]) -> String {
    let shown = keys.get(..KEYS_SHOWN_MAX).unwrap_or(keys).join(", ");
    match keys.len().checked_sub(KEYS_SHOWN_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
