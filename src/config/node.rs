//! A configuration as written: a tree of scalars, lists and maps in which every node knows its
//! place. Nothing here knows what a key means; that is the schema's part.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a value was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SourceKind {
    /// Nowhere: the schema's default.
    Default,
    /// In a file.
    File,
    /// In a command-line flag.
    Flag,
    /// In an environment variable.
    Variable,
}

/// One text that values come from.
pub(crate) struct Source {
    /// The kind of text.
    pub(crate) kind: SourceKind,
    /// The name shown in messages: the file as the operator named it, `$VARIABLE`, `--flag`.
    pub(crate) name: Arc<str>,
    /// The file's path, from which relative paths in it are counted.
    pub(crate) path: PathBuf,
    /// The text.
    pub(crate) text: String,
}

/// A place in a text: lines from 1, columns in characters from 1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Point {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A stretch of a text.
#[derive(Clone)]
pub(crate) struct Span {
    pub(crate) source: Arc<Source>,
    pub(crate) start: Point,
    /// Exclusive.
    pub(crate) end: Point,
}

/// A scalar, after expansion.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Not quoted, so that `null`, `true` and numbers mean what they say.
    pub(crate) plain: bool,
    /// What was written, where an expansion replaced it. Messages show this and never `text`,
    /// which may hold a secret.
    pub(crate) written: Option<String>,
}

/// What a node is.
#[derive(Clone)]
pub(crate) enum NodeKind {
    List(Vec<Node>),
    Map(Vec<Entry>),
    Scalar(Scalar),
}

/// One node of the tree.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
    /// A local tag such as `!public-suffix`, without the exclamation mark.
    pub(crate) tag: Option<String>,
}

/// One `key: value` of a map. Duplicates are kept: the walk reports them.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

// === impl Source ===

impl Source {
    /// A text that is not a file: a default, a flag, a variable.
    pub(crate) fn inline(kind: SourceKind, name: &str, text: &str) -> Arc<Self> {
        Arc::new(Self {
            kind,
            name: name.into(),
            path: PathBuf::new(),
            text: text.to_owned(),
        })
    }
}

impl fmt::Debug for Source {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// === impl Span ===

impl Span {
    /// The whole of a one-line text.
    pub(crate) fn whole(source: &Arc<Source>) -> Self {
        let width = source.text.chars().count();
        Self {
            source: Arc::clone(source),
            start: Point { line: 1, column: 1 },
            end: Point {
                line: 1,
                column: width + 1,
            },
        }
    }

    /// `oktsec.yaml:4:3`, `$OKTSEC_MODE`, `--port`.
    pub(crate) fn place(&self) -> String {
        match self.source.kind {
            SourceKind::File => {
                let Point { line, column } = self.start;
                format!("{}:{line}:{column}", self.source.name)
            }
            SourceKind::Default | SourceKind::Flag | SourceKind::Variable => {
                self.source.name.to_string()
            }
        }
    }

    /// The place for `config show --origin` and for policy entries: without the column.
    pub(crate) fn origin(&self) -> String {
        match self.source.kind {
            SourceKind::File => format!("{}:{}", self.source.name, self.start.line),
            SourceKind::Default | SourceKind::Flag | SourceKind::Variable => self.place(),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

// === impl Scalar ===

impl Scalar {
    /// The text as written, safe to show.
    pub(crate) fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }

    /// Whether it is YAML's null: nothing, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

// === impl Node ===

impl Node {
    /// A map of nothing, for a file of nothing.
    pub(crate) const fn empty_map(span: Span) -> Self {
        Self {
            kind: NodeKind::Map(Vec::new()),
            span,
            tag: None,
        }
    }

    /// A scalar of the given text.
    pub(crate) const fn scalar(text: String, plain: bool, span: Span) -> Self {
        let scalar = Scalar {
            text,
            plain,
            written: None,
        };
        Self {
            kind: NodeKind::Scalar(scalar),
            span,
            tag: None,
        }
    }

    /// Whether the node is YAML's null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if scalar.is_null())
    }

    /// The map's entries, where it is a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::List(_) | NodeKind::Scalar(_) => &[],
        }
    }

    /// What the node is, in words: `a list`, `the text "abc"`, `true`.
    pub(crate) fn describe(&self) -> String {
        const SHOWN_CHARS_MAX: usize = 60;
        match &self.kind {
            NodeKind::List(_) => "a list".to_owned(),
            NodeKind::Map(_) => "a map".to_owned(),
            NodeKind::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            NodeKind::Scalar(scalar) => {
                let shown = oktsec_model::truncate_chars(scalar.shown(), SHOWN_CHARS_MAX);
                let shown = shown.escape_debug();
                if scalar.plain {
                    format!("`{shown}`")
                } else {
                    format!("the text \"{shown}\"")
                }
            }
        }
    }
}
