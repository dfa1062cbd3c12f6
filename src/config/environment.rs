//! Settings from outside the file: `OKTSEC_FORWARD_PROXY__MAX_BODY_SIZE=2MiB` and flags. Each
//! becomes a node in the tree, put where the file would have it, so that it is checked alike.

use std::sync::Arc;

use super::Environment;
use super::diagnostic::{Diagnostic, code, nearest};
use super::node::{Entry, Node, NodeKind, Source, SourceKind, Span};
use super::schema::{self, Found, Kind};

/// A setting given by a flag of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    /// For example `--port`.
    pub(crate) flag: String,
    /// For example `forward_proxy.port`.
    pub(crate) key: String,
    /// As in a variable.
    pub(crate) value: String,
}

const PREFIX: &str = "OKTSEC_";

/// Variables that belong to commands, not to the configuration.
const RESERVED: [&str; 5] = [
    "OKTSEC_AGENT",
    "OKTSEC_CONFIG",
    "OKTSEC_LOG",
    "OKTSEC_PROXY",
    "OKTSEC_SESSION",
];

/// Puts every `OKTSEC_` variable into the tree.
pub(super) fn apply(root: &mut Node, env: Environment<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut variables: Vec<&(String, String)> = env
        .0
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    variables.sort();
    for (name, value) in variables {
        if RESERVED.contains(&name.as_str()) {
            continue;
        }
        let Some((path, kind)) = setting(name, root) else {
            diagnostics.push(unknown(name));
            continue;
        };
        let source = Source::inline(SourceKind::Variable, &format!("${name}"), value);
        match node(kind, value, &source) {
            Some(node) => put(root, &path, node),
            None => diagnostics.push(not_settable(&source, &path)),
        }
    }
}

/// Puts every flag into the tree.
pub(super) fn apply_flags(root: &mut Node, flags: &[Override], diagnostics: &mut Vec<Diagnostic>) {
    for Override { flag, key, value } in flags {
        let source = Source::inline(SourceKind::Flag, flag, value);
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        match schema::find(key) {
            Found::Key(found) => match node(&found.kind, value, &source) {
                Some(node) => put(root, &path, node),
                None => diagnostics.push(not_settable(&source, &path)),
            },
            Found::Nothing { .. } => {
                let message = format!("there is no setting `{key}`");
                let span = Span::whole(&source);
                diagnostics.push(Diagnostic::at(code::UNKNOWN_KEY, &span, message));
            }
        }
    }
}

/// The path and the kind of the setting that a variable names. Agents are found in the file: the
/// variable's name knows neither case nor `-`.
fn setting(name: &str, root: &Node) -> Option<(Vec<String>, &'static Kind)> {
    let mut path: Vec<String> = name
        .strip_prefix(PREFIX)?
        .split("__")
        .map(str::to_ascii_lowercase)
        .collect();
    if let [top, agent, ..] = path.as_mut_slice()
        && top == "agents"
    {
        let agents = root.entries().iter().find(|entry| entry.key == "agents")?;
        let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
        let mut named = agents
            .value
            .entries()
            .iter()
            .filter(|e| plain(&e.key) == *agent);
        let only = named.next()?;
        if named.next().is_some() {
            return None;
        }
        agent.clone_from(&only.key);
    }
    match schema::find(&path.join(".")) {
        Found::Key(key) => Some((path, &key.kind)),
        Found::Nothing { .. } => None,
    }
}

/// A value as the kind reads it: lists by comma, everything else as a plain scalar.
fn node(kind: &Kind, value: &str, source: &Arc<Source>) -> Option<Node> {
    let span = Span::whole(source);
    match kind {
        Kind::Agents(_) | Kind::Map { .. } | Kind::Section(_) => None,
        Kind::List(item) if item.keys().is_some() => None,
        Kind::List(_) | Kind::Many(_) => {
            let items = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Node::scalar(item.to_owned(), true, span.clone()))
                .collect();
            Some(Node {
                kind: NodeKind::List(items),
                span,
                tag: None,
            })
        }
        Kind::Bool
        | Kind::Duration { .. }
        | Kind::Integer { .. }
        | Kind::Size { .. }
        | Kind::Text(_)
        | Kind::Word(_)
        | Kind::WordOr(..) => Some(Node::scalar(value.trim().to_owned(), true, span)),
    }
}

/// Puts a node at a path, over what is there.
fn put(root: &mut Node, path: &[String], value: Node) {
    let Some((name, below)) = path.split_first() else {
        *root = value;
        return;
    };
    if !matches!(root.kind, NodeKind::Map(_)) {
        // A section written without settings. Anything else that is no map, the walk would have
        // reported; what was given from outside must not hide it.
        if !root.is_null() {
            return;
        }
        root.kind = NodeKind::Map(Vec::new());
    }
    let NodeKind::Map(entries) = &mut root.kind else {
        return;
    };
    let index = entries
        .iter()
        .position(|entry| entry.key == *name)
        .unwrap_or_else(|| {
            let span = value.span.clone();
            let value = Node::empty_map(span.clone());
            entries.push(Entry {
                key: name.clone(),
                key_span: span,
                value,
            });
            entries.len() - 1
        });
    if below.is_empty() {
        entries[index].key_span = value.span.clone();
    }
    put(&mut entries[index].value, below, value);
}

fn unknown(name: &str) -> Diagnostic {
    let mut names = Vec::new();
    schema::visit(&mut |path, _| {
        names.push(format!(
            "{PREFIX}{}",
            path.replace('.', "__").to_ascii_uppercase()
        ));
    });
    let diagnostic = Diagnostic::bare(
        code::UNKNOWN_VARIABLE,
        format!(
            "the variable `{}` is no setting and is ignored",
            name.escape_debug()
        ),
    );
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

fn not_settable(source: &Arc<Source>, path: &[String]) -> Diagnostic {
    let message = format!(
        "`{}` holds more than one value and is set in the file",
        path.join(".")
    );
    Diagnostic::at(code::WRONG_TYPE, &Span::whole(source), message)
}
