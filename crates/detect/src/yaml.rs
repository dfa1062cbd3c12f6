//! A YAML document as a small tree with line numbers: just what rule files need. Aliases and tags
//! are refused; what the values mean is the loader's business.

use saphyr_parser::{Event, Parser, Span};

/// A node and the line it begins on, from 1.
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a node holds.
pub(crate) enum Value {
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Text(String),
}

/// What is wrong with a document, and on which line.
pub(crate) struct YamlError {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A collection that is still open.
struct Open {
    line: usize,
    key: Option<String>,
    value: Value,
}

const DEPTH_MAX: usize = 16;

/// The document of the text, if it holds one.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for item in Parser::new_from_str(text) {
        let (event, span) = item.map_err(|error| YamlError {
            line: error.marker().line(),
            message: error.info().to_owned(),
        })?;
        let line = line_of(span);
        let refuse = |message: &str| {
            Err(YamlError {
                line,
                message: message.to_owned(),
            })
        };
        let done = match event {
            Event::Alias(_) => return refuse("aliases are not supported here"),
            Event::DocumentStart(_) if root.is_some() => return refuse("one document per file"),
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= DEPTH_MAX => {
                return refuse("nested too deeply");
            }
            Event::MappingStart(..) => {
                open.push(Open {
                    line,
                    key: None,
                    value: Value::Map(Vec::new()),
                });
                None
            }
            Event::SequenceStart(..) => {
                open.push(Open {
                    line,
                    key: None,
                    value: Value::List(Vec::new()),
                });
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|done| Node {
                line: done.line,
                value: done.value,
            }),
            Event::Scalar(text, ..) => Some(Node {
                line,
                value: Value::Text(text.into_owned()),
            }),
            _ => None,
        };
        if let Some(node) = done
            && let Some(finished) = attach(&mut open, node)?
        {
            root = Some(finished);
        }
    }
    Ok(root)
}

fn line_of(span: Span) -> usize {
    span.start.line()
}

/// Puts a finished node into the collection that is open; returns it when none is.
fn attach(open: &mut [Open], node: Node) -> Result<Option<Node>, YamlError> {
    let Some(parent) = open.last_mut() else {
        return Ok(Some(node));
    };
    match &mut parent.value {
        Value::List(items) => items.push(node),
        Value::Map(entries) => match parent.key.take() {
            Some(key) => entries.push((key, node)),
            None => {
                let line = node.line;
                let Value::Text(key) = node.value else {
                    return Err(YamlError {
                        line,
                        message: "a key must be a text".to_owned(),
                    });
                };
                if entries.iter().any(|(existing, _)| *existing == key) {
                    return Err(YamlError {
                        line,
                        message: format!("`{key}` is written twice"),
                    });
                }
                parent.key = Some(key);
            }
        },
        Value::Text(_) => {}
    }
    Ok(None)
}

// === impl Node ===

impl Node {
    /// The text, where the node is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}
