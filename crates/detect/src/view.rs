//! A view: bytes that a receiver could derive from the request, and the way back to the original.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use crate::{form, json};

/// One view of a segment. The outermost has no parent; its bytes are the original.
#[derive(Clone)]
pub(crate) struct View<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) parent: Option<&'a Self>,
    pub(crate) map: Map,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) shape: Shape,
    pub(crate) depth: u8,
    /// How often its own kind of decoding was undone before it.
    pub(crate) repeats: u8,
    /// How many files it lies in.
    pub(crate) files: u8,
    /// Where pieces begin, of what was put together from some.
    pub(crate) seams: Option<Vec<usize>>,
    /// Where its JSON was walked to last.
    pub(crate) way: RefCell<json::Way>,
}

/// How positions in a view correspond to positions in its parent.
#[derive(Clone)]
pub(crate) enum Map {
    /// From each `(position here, position in the parent)` on, both advance together.
    Marks(Vec<(usize, usize)>),
    /// Every position stands for the same range.
    Whole(Range<usize>),
}

/// The structure that tells where in a view something lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Compressed, and already inflated as its header says.
    Coded,
    Form,
    Json,
    Text,
}

// === impl View ===

impl<'a> View<'a> {
    /// An outermost view.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            parent: None,
            map: Map::Marks(Vec::new()),
            label: None,
            shape: json::shape_of(bytes),
            depth: 0,
            repeats: 0,
            files: 0,
            seams: None,
            way: RefCell::default(),
        }
    }

    /// Where a range of this view lies in the original, and the names of the views from the
    /// outermost to this one.
    pub(crate) fn trace(&self, span: Range<usize>) -> (Range<usize>, Vec<Arc<str>>) {
        let mut names = Vec::new();
        let mut span = span;
        let mut view = self;
        loop {
            names.extend(view.name_of(span.start));
            names.extend(view.label.clone());
            let Some(parent) = view.parent else { break };
            span = view.map.outward(span, parent.bytes);
            view = parent;
        }
        names.reverse();
        (span, names)
    }

    /// The outermost view.
    pub(crate) fn root(&self) -> &Self {
        let mut root = self;
        while let Some(parent) = root.parent {
            root = parent;
        }
        root
    }

    /// The length of the longest view on the way to this one.
    pub(crate) fn bytes_max(&self) -> usize {
        let before = self.parent.map_or(0, Self::bytes_max);
        before.max(self.bytes.len())
    }

    /// The name of the field that this view is the value of; empty where it is none.
    pub(crate) fn field(&self) -> &str {
        let label = self.label.as_deref().unwrap_or_default();
        ["form ", "part "]
            .iter()
            .find_map(|kind| label.strip_prefix(kind))
            .unwrap_or_default()
    }

    /// Whether it was put together from pieces.
    pub(crate) const fn is_joined(&self) -> bool {
        self.seams.is_some()
    }

    /// Whether it is one text: where pieces of several were put together, keys mean nothing to the
    /// values that became their neighbours.
    pub(crate) fn is_one(&self) -> bool {
        let is_whole = matches!(self.label.as_deref(), Some("reversed" | "spaced"));
        !self.is_joined() && !self.is_rewritten_from(|parent| !parent.is_one()) || is_whole
    }

    /// Whether it only writes its parent in another way, and that one is such a view.
    fn is_rewritten_from(&self, is_such: fn(&Self) -> bool) -> bool {
        is_notation(self.label.as_deref()) && self.parent.is_some_and(is_such)
    }

    /// Whether it was put together, or only writes such a view in another way: put together again, it
    /// shows what was there before, with errors.
    pub(crate) fn follows_join(&self) -> bool {
        self.is_joined() || self.is_rewritten_from(Self::follows_join)
    }

    fn name_of(&self, position: usize) -> Option<Arc<str>> {
        match self.shape {
            Shape::Form => form::name_at(self.bytes, position),
            Shape::Json => (self.way.try_borrow_mut().ok()?).path_to(self.bytes, position),
            Shape::Coded | Shape::Text => None,
        }
    }
}

/// Whether a view only writes its parent in another way.
pub(crate) fn is_notation(label: Option<&str>) -> bool {
    matches!(label, None | Some("escapes" | "percent" | "unicode"))
}

// === impl Map ===

impl Map {
    /// The view is a part of its parent, beginning at `offset`.
    pub(crate) fn offset(offset: usize) -> Self {
        Self::Marks(vec![(0, offset)])
    }

    /// The parent's range for a range of the view.
    pub(crate) fn outward(&self, span: Range<usize>, parent: &[u8]) -> Range<usize> {
        match self {
            Self::Marks(marks) => {
                outward_position(marks, span.start)..outward_position(marks, span.end)
            }
            Self::Whole(range) => range.start..range.end.min(parent.len()),
        }
    }
}

fn outward_position(marks: &[(usize, usize)], position: usize) -> usize {
    let after = marks.partition_point(|&(here, _)| here <= position);
    let (here, there) = after
        .checked_sub(1)
        .and_then(|index| marks.get(index).copied())
        .unwrap_or((0, 0));
    there + (position - here)
}
