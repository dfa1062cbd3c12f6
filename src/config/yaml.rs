//! YAML text to a tree of [`Node`]s with places.
//!
//! Built on the parser's events rather than on a deserializer, because that would stop at the
//! first mistake. Depth and the number of nodes, aliases unfolded, are bounded.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as EventSpan, Tag};

use super::diagnostic::{Diagnostic, code};
use super::node::{Entry, Node, NodeKind, Point, Scalar, Source, Span};

/// The deepest nesting.
const DEPTH_MAX: usize = 32;
/// The most nodes, aliases unfolded: what a file of [`super::FILE_BYTES_MAX`] can need, and far
/// less than what a file of nested aliases can ask for.
const NODES_MAX: usize = 200_000;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// Reads one document.
///
/// # Errors
/// The first syntax error, or the limit that was passed.
pub(crate) fn parse(source: &Arc<Source>) -> Result<Node> {
    let mut builder = Builder::new(source);
    // A byte order mark is legal, and some editors write it.
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Box::new(syntax_error(&error, source)))?;
        builder.take(event, span)?;
    }
    Ok(builder.finish())
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    documents: usize,
}

/// A collection whose end was not seen yet.
struct Open {
    anchor: usize,
    tag: Option<String>,
    start: Point,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<Key>,
        merges: Vec<Node>,
    },
}

/// A key that waits for its value.
struct Key {
    text: String,
    plain: bool,
    span: Span,
}

// === impl Builder ===

impl<'s> Builder<'s> {
    fn new(source: &'s Arc<Source>) -> Self {
        Self {
            source,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
            documents: 0,
        }
    }

    fn take(&mut self, event: Event<'_>, at: EventSpan) -> Result<()> {
        let span = self.span(at);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.document(&span),
            Event::Alias(anchor) => {
                let node = self.alias(anchor, &span)?;
                self.add(node, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), &span)?;
                let plain = style == ScalarStyle::Plain && tag.as_deref() != Some("!str");
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain,
                    written: None,
                };
                let tag = tag.filter(|t| !t.starts_with('!'));
                self.count(1, &span)?;
                self.add(
                    Node {
                        kind: NodeKind::Scalar(scalar),
                        span,
                        tag,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(OpenKind::List(Vec::new()), anchor, tag.as_deref(), &span)
            }
            Event::MappingStart(anchor, tag) => {
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.begin(kind, anchor, tag.as_deref(), &span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
        }
    }

    fn finish(self) -> Node {
        let whole = EventSpan::new(Marker::new(0, 1, 0), Marker::new(0, 1, 0));
        let span = self.span(whole);
        match self.root {
            Some(root) if !root.is_null() => root,
            Some(_) | None => Node::empty_map(span),
        }
    }

    fn document(&mut self, span: &Span) -> Result<()> {
        self.documents += 1;
        if self.documents > 1 {
            let diagnostic = Diagnostic::at(code::YAML_FEATURE, span, "one document per file")
                .label("a second document begins here")
                .help("use `include` to join several files");
            return Err(Box::new(diagnostic));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        kind: OpenKind,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<()> {
        let tag = self.tag(tag, span)?.filter(|t| !t.starts_with('!'));
        self.count(1, span)?;
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return Err(Box::new(Diagnostic::at(code::TOO_LARGE, span, message)));
        }
        self.open.push(Open {
            anchor,
            tag,
            start: span.start,
            kind,
        });
        Ok(())
    }

    fn end(&mut self, at: &Span) -> Result<()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let span = Span {
            source: Arc::clone(self.source),
            start: open.start,
            end: at.end,
        };
        let kind = match open.kind {
            OpenKind::List(items) => NodeKind::List(items),
            OpenKind::Map {
                mut entries,
                merges,
                ..
            } => {
                for merge in merges {
                    self.merge(&mut entries, merge)?;
                }
                NodeKind::Map(entries)
            }
        };
        self.add(
            Node {
                kind,
                span,
                tag: open.tag,
            },
            open.anchor,
        )
    }

    /// Hands a finished node to the collection around it.
    fn add(&mut self, node: Node, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map {
                entries,
                key,
                merges,
            } => match key.take() {
                None => *key = Some(map_key(node)?),
                Some(key) if key.plain && key.text == "<<" => merges.push(node),
                Some(Key { text, span, .. }) => {
                    entries.push(Entry {
                        key: text,
                        key_span: span,
                        value: node,
                    });
                }
            },
        }
        Ok(())
    }

    /// `<<: *other`: the other map's entries, except those that are written here.
    fn merge(&mut self, entries: &mut Vec<Entry>, from: Node) -> Result<()> {
        let maps = match from.kind {
            NodeKind::Map(_) => vec![from],
            NodeKind::List(maps) => maps,
            NodeKind::Scalar(_) => return Err(Box::new(merge_error(&from.span))),
        };
        for map in maps {
            let NodeKind::Map(others) = map.kind else {
                return Err(Box::new(merge_error(&map.span)));
            };
            for other in others {
                if !entries.iter().any(|entry| entry.key == other.key) {
                    self.count(1, &other.key_span)?;
                    entries.push(other);
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node> {
        // An anchor is known only when its node is complete: a node cannot hold itself.
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "an alias cannot stand inside the node it names";
            return Err(Box::new(Diagnostic::at(code::YAML_FEATURE, span, message)));
        };
        let node = node.clone();
        if self.open.len() + depth_of(&node) > DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            return Err(Box::new(Diagnostic::at(code::TOO_LARGE, span, message)));
        }
        self.count(size_of(&node), span)?;
        Ok(node)
    }

    fn count(&mut self, more: usize, span: &Span) -> Result<()> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            let message = format!("the file unfolds to more than {NODES_MAX} values");
            return Err(Box::new(Diagnostic::at(code::TOO_LARGE, span, message)));
        }
        Ok(())
    }

    /// `!str` for the core schema's string tag, a local tag's name, or nothing.
    fn tag(&self, tag: Option<&Tag>, span: &Span) -> Result<Option<String>> {
        match tag {
            None => Ok(None),
            Some(tag) if tag.is_yaml_core_schema() => Ok(Some(format!("!{}", tag.suffix))),
            Some(tag) if tag.handle == "!" && tag.suffix == "public-suffix" => {
                Ok(Some(tag.suffix.clone()))
            }
            Some(tag) => {
                let message = format!("the tag `{tag}` means nothing here");
                Err(Box::new(Diagnostic::at(code::YAML_FEATURE, span, message)))
            }
        }
    }

    fn span(&self, at: EventSpan) -> Span {
        let point = |marker: Marker| Point {
            line: marker.line(),
            column: marker.col() + 1,
        };
        Span {
            source: Arc::clone(self.source),
            start: point(at.start),
            end: point(at.end),
        }
    }
}

fn map_key(node: Node) -> Result<Key> {
    match node.kind {
        NodeKind::Scalar(Scalar { text, plain, .. }) => Ok(Key {
            text,
            plain,
            span: node.span,
        }),
        NodeKind::List(_) | NodeKind::Map(_) => {
            let message = "a key must be text, not a list or a map";
            Err(Box::new(Diagnostic::at(
                code::YAML_FEATURE,
                &node.span,
                message,
            )))
        }
    }
}

fn merge_error(span: &Span) -> Diagnostic {
    Diagnostic::at(code::WRONG_TYPE, span, "`<<` takes a map or a list of maps")
        .label("neither")
        .help("name an anchor: `<<: *common`")
}

fn depth_of(node: &Node) -> usize {
    let deepest = |depths: &mut dyn Iterator<Item = usize>| depths.max().unwrap_or(0) + 1;
    match &node.kind {
        NodeKind::Scalar(_) => 0,
        NodeKind::List(items) => deepest(&mut items.iter().map(depth_of)),
        NodeKind::Map(entries) => deepest(&mut entries.iter().map(|e| depth_of(&e.value))),
    }
}

fn size_of(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Scalar(_) => 1,
        NodeKind::List(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        NodeKind::Map(entries) => 1 + entries.iter().map(|e| size_of(&e.value)).sum::<usize>(),
    }
}

fn syntax_error(error: &ScanError, source: &Arc<Source>) -> Diagnostic {
    let marker = error.marker();
    let start = Point {
        line: marker.line(),
        column: marker.col() + 1,
    };
    let end = Point {
        column: start.column + 1,
        ..start
    };
    let span = Span {
        source: Arc::clone(source),
        start,
        end,
    };
    if let Some(span) = tab_near(&span) {
        return Diagnostic::at(
            code::SYNTAX,
            &span,
            "YAML is indented with spaces, not with tabs",
        )
        .label("a tab")
        .help("replace the tab by spaces");
    }
    Diagnostic::at(
        code::SYNTAX,
        &span,
        format!("not valid YAML: {}", error.info()),
    )
    .label("noticed here; the mistake may be a line or two above")
}

/// A tab in the indentation of the line, or of the line above: the parser notices late.
fn tab_near(at: &Span) -> Option<Span> {
    let lines: Vec<&str> = at.source.text.lines().collect();
    [at.start.line, at.start.line.saturating_sub(1)]
        .into_iter()
        .find_map(|line| {
            let text = lines.get(line.checked_sub(1)?)?;
            let indent = text.len() - text.trim_start().len();
            let column = text.get(..indent)?.find('\t')? + 1;
            let start = Point { line, column };
            let end = Point {
                line,
                column: column + 1,
            };
            Some(Span {
                source: Arc::clone(&at.source),
                start,
                end,
            })
        })
}
