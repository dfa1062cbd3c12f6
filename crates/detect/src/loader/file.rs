//! A rule file as a list of rules, whichever way it holds them.

use crate::issue::IssueLevel;
use crate::loader::Report;
use crate::yaml::{self, Node, Value};

/// The rules of a file: it is a list of them, has one below `rules`, or is a single one.
pub(super) fn rules_in(text: &str, report: &mut Report<'_>) -> Vec<Node> {
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err(error) => {
            report.add(error.line, error.message);
            return Vec::new();
        }
    };
    match root {
        Some(Node {
            value: Value::List(nodes),
            ..
        }) => nodes,
        Some(Node {
            line,
            value: Value::Map(entries),
        }) => rules_below(line, entries, report),
        _ => {
            report.add(1, "the file must be a list of rules".to_owned());
            Vec::new()
        }
    }
}

/// The rules of a file that is a mapping.
fn rules_below(line: usize, entries: Vec<(String, Node)>, report: &mut Report<'_>) -> Vec<Node> {
    if !entries.iter().any(|(key, _)| key == "rules") {
        let value = Value::Map(entries);
        return vec![Node { line, value }];
    }
    let mut rules = Vec::new();
    for (key, node) in entries {
        match node.value {
            Value::List(nodes) if key == "rules" => rules = nodes,
            _ if key == "rules" => report.add(node.line, "`rules` must be a list".to_owned()),
            _ => report.tell(
                IssueLevel::Note,
                node.line,
                format!("`{key}` is ignored: only `rules` is read"),
            ),
        }
    }
    rules
}
