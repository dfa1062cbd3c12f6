//! Decoders: from one view to the views that can be derived from it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::bytes::{hex_value, slice};
use crate::coding::{Coding, InflateError, gunzip};
use crate::derive;
use crate::escape;
use crate::json;
use crate::view::{Map, Shape, View};

/// A view that was derived and not yet scanned.
pub(crate) struct Child {
    pub(crate) bytes: Vec<u8>,
    pub(crate) map: Map,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) shape: Shape,
    /// Whether it was cut off by the budget.
    pub(crate) is_cut: bool,
    /// Whether the data that it was made of ends before it is complete.
    pub(crate) is_open: bool,
    /// Where pieces begin, of what was put together from some: numbers that become neighbours there mean
    /// nothing.
    pub(crate) seams: Option<Vec<usize>>,
}

// === impl Child ===

impl Child {
    /// Whether it rewrites its parent, rather than decoding a part of it.
    pub(crate) fn is_rewrite(&self) -> bool {
        matches!(self.label.as_deref(), Some("escapes" | "percent"))
    }

    /// Whether leaving it out could hide something: layers of encoding that somebody put there, not
    /// the backslashes and blanks that any text has.
    pub(crate) fn is_telling(&self, parent: &[u8]) -> bool {
        const HIDDEN_MIN: usize = 3;
        const HIDDEN_BYTES: usize = 64;
        const MARKS_MIN: usize = 8;
        if self.seams.is_some() || self.label.as_deref() == Some("unicode") {
            return false;
        }
        match (self.label.as_deref(), &self.map) {
            (Some("escapes" | "percent") | None, _) => {
                // Several close together: one here and there is chance.
                let hides = |position: &usize| escape::hides_letter(parent, *position);
                let positions = || memchr::memchr3_iter(b'\\', b'%', b'&', parent).filter(hides);
                positions()
                    .zip(positions().skip(HIDDEN_MIN - 1))
                    .any(|(first, last)| last - first <= HIDDEN_BYTES)
            }
            // Here and there something looks like an escape of a rarer kind.
            (Some("quoted-printable" | "octal" | "percent-u" | "utf-7"), Map::Marks(marks)) => {
                marks.len() >= MARKS_MIN
            }
            (Some(_), _) => {
                let is_text = |byte: &&u8| matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t');
                let text = self.bytes.iter().filter(is_text).count();
                self.is_cut
                    || Coding::by_magic(&self.bytes).is_some()
                    || text * 10 >= self.bytes.len() * 9
            }
        }
    }
}

/// Longer runs are data rather than tokens.
const LONG_BYTES: usize = 4096;

/// The kinds of input that are remembered.
pub(crate) const BASE64: u8 = 0;
pub(crate) const HEX: u8 = 1;
pub(crate) const CHILD: u8 = 2;

/// The views that rewrite a whole view.
pub(crate) struct Rewrites {
    /// The view with the escapes of its notation undone. It shows all that the view itself shows, but
    /// for words whose first letter an escape has eaten.
    pub(crate) unescaped: Option<Child>,
    /// The others.
    pub(crate) others: Vec<Child>,
}

/// Derives them.
pub(crate) fn rewrites(view: &View<'_>, budget: usize) -> Rewrites {
    let mut others = Vec::new();
    let mut unescaped = None;
    if let Some(text) = derive::text_in_data(view.bytes) {
        others.extend(derive::wide_text(view.bytes));
        others.extend(inflated(view, budget));
        others.extend(Some(text).filter(|text| !text.bytes.is_empty()));
        return Rewrites { unescaped, others };
    }
    if view.shape == Shape::Json {
        let derived = json::derive(view.bytes);
        others = derived.nested;
        if derived.is_valid {
            unescaped = derived.text;
        } else {
            others.extend(derived.text);
        }
        if (derived.is_valid || others.is_empty()) && !view.follows_join() {
            others.extend(derive::strings(view.bytes));
        }
    }
    // Where JSON has no escapes of its own, those of HTML are left.
    if unescaped.is_none() {
        unescaped = escape::escapes(view.bytes);
        if let Some(child) = unescaped.as_mut().filter(|_| is_of_json(view)) {
            child.shape = Shape::Text;
        }
    }
    // What is behind an unescaped view is looked for there; compressed data may not survive it.
    if unescaped.is_none() {
        others.extend(escape::percent(view.bytes));
        others.extend(derive::texts(view));
    }
    let is_ascii = view.bytes.is_ascii();
    if !is_ascii {
        others.extend(inflated(view, budget));
    }
    Rewrites { unescaped, others }
}

/// Whether a view is JSON, or its text without its escapes. What is written in its strings is not its
/// structure.
fn is_of_json(view: &View<'_>) -> bool {
    let is_json = |view: &View<'_>| view.shape == Shape::Json;
    is_json(view) || view.label.is_none() && view.parent.is_some_and(is_json)
}

/// The views of a run of base64 or hexadecimal characters; nothing where none makes sense. A run may
/// begin with characters that only happen to be of the alphabet, so that all alignments are tried.
pub(crate) fn run(kind: u8, encoded: &[u8], run: &Range<usize>) -> Vec<Child> {
    let encoded = without_breaks(encoded);
    let (alignments, name) = if kind == HEX {
        (2, "hex")
    } else {
        (4, "base64")
    };
    let mut children = Vec::new();
    for skip in 0..alignments {
        let rest = slice(&encoded, skip..encoded.len());
        if skip > 0 && kind == BASE64 && !may_hold_text(rest) {
            continue;
        }
        let mut bytes = if kind == HEX { hex(rest) } else { base64(rest) };
        if skip > 0 && bytes.len() > LONG_BYTES && !holds_compressed(rest) {
            bytes = stretches(&bytes);
        }
        if is_worth_scanning(&bytes, skip > 0) {
            children.push(Child {
                shape: json::shape_of(&bytes),
                bytes,
                map: Map::Whole(run.clone()),
                label: Some(name.into()),
                is_cut: false,
                is_open: false,
                seams: None,
            });
        }
    }
    children
}

fn without_breaks(encoded: &[u8]) -> Cow<'_, [u8]> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
    if memchr::memchr2(b'\n', b'\r', encoded).is_none() {
        return Cow::Borrowed(encoded);
    }
    Cow::Owned(
        encoded
            .iter()
            .copied()
            .filter(|byte| !is_break(byte))
            .collect(),
    )
}

/// Whether base64 at this alignment may decode to something worth a scan, told without decoding it:
/// the first of four characters holds the upper six bits of a byte, which are 8 to 31 for text and 0
/// for every second byte of wide text. Compressed data is told by its first characters.
fn may_hold_text(encoded: &[u8]) -> bool {
    const GROUPS_MIN: usize = 3;
    const GROUPS_OF_BLOBS_MIN: usize = 5;
    let (groups, rest) = encoded.as_chunks::<4>();
    let wanted = if encoded.len() > LONG_BYTES {
        GROUPS_OF_BLOBS_MIN
    } else {
        GROUPS_MIN
    };
    let is_text = |group: &[u8; 4]| {
        let [first, ..] = *group;
        matches!(BASE64_VALUES.get(usize::from(first)), Some(0 | 8..=31))
    };
    let mut streak = 0;
    let has_streak = groups.iter().any(|group| {
        streak = if is_text(group) { streak + 1 } else { 0 };
        streak >= wanted
    });
    let is_short = groups.len() <= GROUPS_MIN && !rest.is_empty();
    has_streak || is_short || holds_compressed(encoded)
}

/// Whether base64 at this alignment holds the first bytes of compressed data.
fn holds_compressed(encoded: &[u8]) -> bool {
    const MAGICS: [&[u8]; 4] = [b"H4sI", b"KLUv/", b"UEsDB", b"eJ"];
    MAGICS.iter().any(|magic| encoded.starts_with(magic))
        || encoded
            .as_chunks::<4>()
            .0
            .iter()
            .any(|group| group == b"H4sI")
}

/// The stretches of text in data: what is left of a long run at a wrong alignment.
fn stretches(bytes: &[u8]) -> Vec<u8> {
    const STRETCH_MIN: usize = 12;
    let is_text = |byte: &u8| matches!(byte, 0x20..=0x7E | b'\n' | b'\t' | b'\r');
    let mut text = Vec::new();
    for stretch in bytes.split(|byte| !is_text(byte)) {
        if stretch.len() >= STRETCH_MIN {
            text.extend_from_slice(stretch);
            text.push(b'\n');
        }
    }
    text
}

/// Decoded bytes are worth a scan where they hold a stretch of text as long as the shortest secret,
/// or are themselves compressed or in a wide encoding. Random bytes rarely are.
fn is_worth_scanning(bytes: &[u8], is_shifted: bool) -> bool {
    const STRETCH_MIN: usize = 8;
    const SHIFTED_STRETCH_MIN: usize = 16;
    let min = if is_shifted && bytes.len() > LONG_BYTES {
        SHIFTED_STRETCH_MIN
    } else {
        STRETCH_MIN
    };
    let mut stretch = 0;
    for &byte in bytes {
        let is_text = matches!(byte, 0x20..=0x7E | b'\n' | b'\t' | b'\r');
        stretch = if is_text { stretch + 1 } else { 0 };
        if stretch >= min {
            return true;
        }
    }
    is_hidden_text(bytes)
}

/// Whether bytes are text in a form that has no stretch of ASCII: compressed, of two bytes a
/// character, or of characters beyond ASCII.
pub(crate) fn is_hidden_text(bytes: &[u8]) -> bool {
    Coding::by_magic(bytes).is_some()
        || magics(bytes).next().is_some()
        || is_foreign_text(bytes)
        || has_wide_text(bytes)
}

/// Whether bytes are text with characters beyond ASCII: letters with invisible ones between them hold
/// no stretch of ASCII. Random bytes of this length never are.
fn is_foreign_text(bytes: &[u8]) -> bool {
    const TEXT_BYTES_MIN: usize = 24;
    bytes.len() >= TEXT_BYTES_MIN && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
}

/// The values of the base64 characters of both alphabets; [`NOT_BASE64`] for anything else.
const BASE64_VALUES: [u8; 256] = base64_values();
const NOT_BASE64: u8 = 64;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; the values are below 64"
)]
const fn base64_values() -> [u8; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [NOT_BASE64; 256];
    let mut index = 0;
    while index < 64 {
        table[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
}

/// Decodes base64 of either alphabet, padded or not, with or without line breaks.
pub(crate) fn base64(encoded: &[u8]) -> Vec<u8> {
    let mut out = vec![0; encoded.len() / 4 * 3];
    let value_of = |byte: u8| {
        u32::from(
            BASE64_VALUES
                .get(usize::from(byte))
                .copied()
                .unwrap_or(NOT_BASE64),
        )
    };
    let (quads, _) = encoded.as_chunks::<4>();
    let (triples, _) = out.as_chunks_mut::<3>();
    let mut clean = 0;
    for (quad, triple) in quads.iter().zip(triples) {
        let [a, b, c, d] = quad.map(value_of);
        if (a | b | c | d) >= u32::from(NOT_BASE64) {
            break;
        }
        let [_, bytes @ ..] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
        *triple = bytes;
        clean += 1;
    }
    out.truncate(clean * 3);
    // What is left is the end, or has line breaks in it.
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in slice(encoded, clean * 4..encoded.len()) {
        let value = value_of(byte);
        if value >= u32::from(NOT_BASE64) {
            continue;
        }
        held = (held << 6 | value) & 0xFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let [.., byte] = (held >> bits).to_be_bytes();
            out.push(byte);
        }
    }
    out
}

/// Decodes hexadecimal digits, with or without single separators.
fn hex(encoded: &[u8]) -> Vec<u8> {
    let mut digits = encoded.iter().filter_map(|&byte| hex_value(byte));
    let mut out = Vec::with_capacity(encoded.len() / 2);
    while let (Some(high), Some(low)) = (digits.next(), digits.next()) {
        out.push(high << 4 | low);
    }
    out
}

/// Whether zero bytes stand in the rhythm of UTF-16 or UTF-32: one other byte between them, several
/// times in a row.
fn has_wide_text(bytes: &[u8]) -> bool {
    const STREAK_MIN: usize = 7;
    let mut previous = usize::MAX;
    let mut streak = 0;
    memchr::memchr_iter(0, bytes).any(|position| {
        match position.wrapping_sub(previous) {
            1 => {}
            2 => streak += 1,
            _ => streak = 0,
        }
        previous = position;
        streak >= STREAK_MIN
    })
}

/// Compressed data by its first bytes, wherever in the view it begins: a field's value lies behind
/// its name. What lies at the start of a body is left out where a header has announced it.
fn inflated(view: &View<'_>, budget: usize) -> Vec<Child> {
    const CHILDREN_MAX: usize = 64;
    const TRIES_MAX: usize = 4096;
    let bytes = view.bytes;
    let own = (view.shape != Shape::Coded).then_some(0);
    let within = magics(bytes).filter(|&at| at > 0);
    let (mut left, mut gzip_end) = (budget, 0);
    let mut children: Vec<Child> = Vec::new();
    for (tries, start) in own.into_iter().chain(within).enumerate() {
        let rest = slice(bytes, start..bytes.len());
        // More than is looked at is never passed over in silence.
        if tries >= TRIES_MAX || children.len() >= CHILDREN_MAX {
            children.push(Child {
                is_cut: true,
                is_open: false,
                seams: None,
                ..empty()
            });
            break;
        }
        // The members of one file are undone together.
        let is_gzip = Coding::by_magic(rest) == Some(Coding::Gzip);
        if is_gzip && start < gzip_end {
            continue;
        }
        if let Some((mut child, used)) = inflated_at(rest, left) {
            child.map = Map::Whole(start..usize::MAX);
            left = left.saturating_sub(child.bytes.len());
            if is_gzip {
                gzip_end = start + used;
            }
            children.push(child);
        }
    }
    children
}

/// Where a gzip or zstd frame may begin: their second bytes are rare in text.
fn magics(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memchr2_iter(0x8B, 0xB5, bytes)
        .filter_map(|second| second.checked_sub(1))
        .filter(|&start| {
            let rest = slice(bytes, start..start + 4);
            Coding::MAGICS.iter().any(|magic| rest.starts_with(magic))
        })
}

fn empty() -> Child {
    let bytes = Vec::new();
    Child {
        bytes,
        map: Map::Whole(0..usize::MAX),
        label: None,
        shape: Shape::Text,
        is_cut: false,
        is_open: false,
        seams: None,
    }
}

fn inflated_at(bytes: &[u8], budget: usize) -> Option<(Child, usize)> {
    let coding = Coding::by_magic(bytes)?;
    // Nothing announced this coding: what follows it, or that it is cut off, proves nothing.
    let (inflated, error, used) = match coding {
        Coding::Gzip => gunzip(bytes, budget),
        _ => {
            let (inflated, error) = coding.inflate_start(bytes, budget);
            (inflated, error, 1)
        }
    };
    let is_cut = error == Some(InflateError::TooLarge);
    let is_open = error == Some(InflateError::CutOff);
    if inflated.is_empty() && !is_cut {
        return None;
    }
    let shape = json::shape_of(&inflated);
    let label = Some(coding.as_str().into());
    let map = Map::Whole(0..usize::MAX);
    Some((
        Child {
            bytes: inflated,
            map,
            label,
            shape,
            is_cut,
            is_open,
            seams: None,
        },
        used,
    ))
}
