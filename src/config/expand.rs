//! `${VAR}`, `${VAR:-x}` and `${file:PATH}` in scalars, after parsing, so that no value can become
//! structure. Never in keys, never twice. `$${` is a plain `${`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::Environment;
use super::diagnostic::{Diagnostic, code};
use super::node::{Node, NodeKind, Scalar, Span};
use super::walk::PRIVATE_PREFIX;

/// The largest file that `${file:…}` reads.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The largest value that expansions can make of a scalar.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Replaces every reference in the values of a tree.
pub(super) fn expand(node: &mut Node, env: Environment<'_>, diagnostics: &mut Vec<Diagnostic>) {
    match &mut node.kind {
        NodeKind::Scalar(scalar) => {
            if !scalar.text.contains("${") {
                return;
            }
            match expanded(&scalar.text, env, &node.span) {
                Ok(text) => {
                    let written = Some(std::mem::take(&mut scalar.text));
                    *scalar = Scalar {
                        text,
                        plain: scalar.plain,
                        written,
                    };
                }
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        NodeKind::List(items) => {
            for item in items {
                expand(item, env, diagnostics);
            }
        }
        NodeKind::Map(entries) => {
            for entry in entries {
                if !entry.key.starts_with(PRIVATE_PREFIX) {
                    expand(&mut entry.value, env, diagnostics);
                }
            }
        }
    }
}

fn expanded(text: &str, env: Environment<'_>, span: &Span) -> Result<String, Box<Diagnostic>> {
    let fail = |message: String, help: &str| {
        let diagnostic = Diagnostic::at(code::EXPANSION, span, message).help(help);
        Err(Box::new(diagnostic.label("expanded here")))
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let Some((reference, tail)) = after.split_once('}') else {
            return fail(
                "a `${` without its `}`".to_owned(),
                "write `$${` for a plain `${`",
            );
        };
        out.push_str(&resolve(reference, env, span)?);
        if out.len() > VALUE_BYTES_MAX {
            return fail(
                "expands to too much text".to_owned(),
                "values hold at most 256 KiB",
            );
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn resolve(reference: &str, env: Environment<'_>, span: &Span) -> Result<String, Box<Diagnostic>> {
    let fail = |message: String, help: String| {
        let diagnostic = Diagnostic::at(code::EXPANSION, span, message).help(help);
        Err(Box::new(diagnostic.label("expanded here")))
    };
    if let Some(path) = reference.strip_prefix("file:") {
        let base = span.source.path.parent().unwrap_or(Path::new("."));
        return read(&base.join(path)).or_else(|reason| {
            fail(
                format!("the file `{path}` cannot be used: {reason}"),
                relative_help(),
            )
        });
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_variable_name(name) {
        let help = "write `${NAME}`, `${NAME:-default}` or `${file:PATH}`".to_owned();
        return fail(format!("`${{{reference}}}` is no reference"), help);
    }
    match (env.value(name).filter(|value| !value.is_empty()), default) {
        (Some(value), _) => Ok(value.to_owned()),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let help = format!("set it, or give a default: `${{{name}:-…}}`");
            fail(format!("the variable `{name}` is not set"), help)
        }
    }
}

fn relative_help() -> String {
    "paths are relative to the file that holds them".to_owned()
}

/// The file's text without the newline at its end, which editors add to secrets.
fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    let kept = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    Ok(kept.to_owned())
}

fn is_variable_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
