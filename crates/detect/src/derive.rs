//! The views that are neither escapes, nor base64, nor compressed: text in other clothes, rarer
//! encodings, pieces put together, files within files.

use std::ops::Range;
use std::sync::Arc;

use crate::archive::{self, Content};
use crate::bytes::{count_back, count_of, count_while, slice};
use crate::decode::Child;
use crate::detector::Uninspectable;
use crate::encodings;
use crate::joined::{self, Joined};
use crate::json;
use crate::unicode;
use crate::view::{Map, Shape, View};

/// Views that only matter where people hide things in short texts.
const SHORT_BYTES_MAX: usize = 64 * 1024;

/// Text within data, put together: what pictures and compressed data would make of escapes and look-
/// alikes by chance costs more than it is worth. Nothing for a text.
pub(crate) fn text_in_data(bytes: &[u8]) -> Option<Child> {
    const PIECE_MIN: usize = 16;
    const SHARE: usize = 16;
    // Below the blank, but for tabulators and line ends.
    let is_control = |byte: u8| (byte < 9) | (byte.wrapping_sub(14) < 18);
    if count_of(bytes, is_control) * SHARE <= bytes.len() {
        return None;
    }
    let mut text = Vec::new();
    let mut marks = Vec::new();
    for range in stretches(bytes, is_control) {
        let mut start = range.start;
        let stretch = slice(bytes, range);
        for chunk in stretch.utf8_chunks() {
            let valid = chunk.valid().as_bytes();
            if valid.len() >= PIECE_MIN {
                marks.push((text.len(), start));
                text.extend_from_slice(valid);
                text.push(b'\n');
            }
            start += valid.len() + chunk.invalid().len();
        }
    }
    Some(Child {
        shape: Shape::Text,
        bytes: text,
        map: Map::Marks(marks),
        label: None,
        is_cut: false,
        is_open: false,
        seams: None,
    })
}

/// The stretches of at least two blocks' length without a byte of some kind. One that is so long holds a
/// whole block: only around those is there anything to look at, and blocks can be looked at at once.
fn stretches(bytes: &[u8], is_out: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    const BLOCK_BYTES: usize = 16;
    const STRETCH_MIN: usize = 2 * BLOCK_BYTES;
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    for (index, block) in bytes.as_chunks::<BLOCK_BYTES>().0.iter().enumerate() {
        let start = index * BLOCK_BYTES;
        if start < done || block.iter().fold(false, |any, &byte| any | is_out(byte)) {
            continue;
        }
        let from = start - count_back(bytes, start, start - done, |byte| !is_out(byte));
        done = start + count_while(bytes, start, usize::MAX, |byte| !is_out(byte));
        if done - from >= STRETCH_MIN {
            found.push(from..done);
        }
    }
    found
}

/// Text of two or four bytes a character, in any data.
pub(crate) fn wide_text(bytes: &[u8]) -> impl Iterator<Item = Child> + '_ {
    encodings::wide_text(bytes).map(|text| marked(text.bytes, text.marks, text.label))
}

/// The texts that a view hides: invisible characters, look-alikes, rarer encodings, pieces.
pub(crate) fn texts(view: &View<'_>) -> Vec<Child> {
    let bytes = view.bytes;
    let mut children = Vec::new();
    if !bytes.is_ascii() {
        let cleaned = unicode::cleaned(bytes)
            .into_iter()
            .chain(unicode::hidden(bytes));
        children.extend(cleaned.map(|text| marked(text.bytes, text.marks, "unicode")));
    }
    let decoded = encodings::decoded(bytes).into_iter();
    children.extend(decoded.map(|text| marked(text.bytes, text.marks, text.label)));
    if view.follows_join() {
        return children;
    }
    if bytes.len() <= SHORT_BYTES_MAX {
        let spaced = joined::spaced::spaced_out(bytes);
        let reversed = joined::spaced::reversed(bytes);
        children.extend(spaced.into_iter().chain(reversed).map(piece));
    }
    children
}

/// The strings of a JSON text put together.
pub(crate) fn strings(bytes: &[u8]) -> impl Iterator<Item = Child> {
    joined::json::of_json(bytes).into_iter().map(piece)
}

/// The files in a view, and why one of them cannot be looked into, where that is so.
pub(crate) fn files(view: &View<'_>, budget: usize) -> (Vec<Child>, Option<Uninspectable>) {
    let members = archive::members(view.bytes, budget);
    let opaque = members
        .opaque
        .first()
        .map(|opaque| Uninspectable::Opaque(opaque.0));
    let reason = opaque.or(members.has_more.then_some(Uninspectable::DecodeBudget));
    let children = members.list.into_iter().map(|member| {
        let (bytes, map) = match member.content {
            Content::Inflated(bytes) => (bytes, Map::Whole(member.range)),
            Content::Stored => {
                let stored = slice(view.bytes, member.range.clone()).to_vec();
                (stored, Map::offset(member.range.start))
            }
        };
        Child {
            shape: json::shape_of(&bytes),
            bytes,
            map,
            label: Some(member.label.into()),
            is_cut: member.is_cut,
            is_open: member.is_open,
            seams: None,
        }
    });
    (children.collect(), reason)
}

/// A view that was put together, as a child.
pub(crate) fn piece(joined: Joined) -> Child {
    Child {
        shape: Shape::Text,
        bytes: joined.bytes,
        map: Map::Whole(joined.range),
        label: Some(joined.label.into()),
        is_cut: false,
        is_open: false,
        seams: Some(joined.seams),
    }
}

fn marked(bytes: Vec<u8>, marks: Vec<(usize, usize)>, label: &'static str) -> Child {
    Child {
        shape: json::shape_of(&bytes),
        bytes,
        map: Map::Marks(marks),
        label: Some(Arc::from(label)),
        is_cut: false,
        is_open: false,
        seams: None,
    }
}
