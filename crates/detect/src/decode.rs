//! Decoders: from one view to the views that can be derived from it.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use crate::bytes::{at, hex_pair, hex_value, slice};
use crate::coding::{Coding, InflateError, gunzip};
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
}

/// The kinds of input that are remembered.
pub(crate) const BASE64: u8 = 0;
pub(crate) const HEX: u8 = 1;
pub(crate) const CHILD: u8 = 2;

/// The views that rewrite a whole view.
pub(crate) fn rewrites(view: &View<'_>, budget: usize) -> Vec<Child> {
    let mut children = Vec::new();
    let mut is_json = false;
    if view.shape == Shape::Json {
        let derived = json::derive(view.bytes);
        is_json = derived.is_valid;
        children.extend(derived.children);
    }
    if !is_json {
        children.extend(escapes(view.bytes));
    }
    children.extend(percent(view.bytes));
    children.extend(zeros_removed(view.bytes));
    children.extend(inflated(view, budget));
    children
}

/// The views of a run of base64 or hexadecimal characters; nothing where none makes sense.
pub(crate) fn run(kind: u8, encoded: &[u8], run: &Range<usize>) -> Vec<Child> {
    // A run may begin with characters that only happen to be of the alphabet; all alignments of the
    // rest are tried.
    let alignments = if kind == HEX { 2 } else { 4 };
    let label: Arc<str> = if kind == HEX {
        "hex".into()
    } else {
        "base64".into()
    };
    let mut children = Vec::new();
    for skip in 0..alignments {
        let rest = slice(encoded, skip..encoded.len());
        let bytes = if kind == HEX { hex(rest) } else { base64(rest) };
        if is_worth_scanning(&bytes, skip > 0) {
            let shape = json::shape_of(&bytes);
            let map = Map::Whole(run.clone());
            children.push(Child {
                bytes,
                map,
                label: Some(Arc::clone(&label)),
                shape,
                is_cut: false,
            });
        }
    }
    children
}

/// Decoded bytes are worth a scan where they hold a stretch of text as long as the shortest secret,
/// or are themselves compressed or in a wide encoding. Random bytes rarely are.
fn is_worth_scanning(bytes: &[u8], is_shifted: bool) -> bool {
    const STRETCH_MIN: usize = 8;
    const SHIFTED_STRETCH_MIN: usize = 16;
    const LONG_BYTES: usize = 4096;
    let min = if is_shifted && bytes.len() > LONG_BYTES {
        SHIFTED_STRETCH_MIN
    } else {
        STRETCH_MIN
    };
    if Coding::by_magic(bytes).is_some() {
        return true;
    }
    let mut stretch = 0;
    for &byte in bytes {
        let is_text = matches!(byte, 0x20..=0x7E | b'\n' | b'\t' | b'\r');
        stretch = if is_text { stretch + 1 } else { 0 };
        if stretch >= min {
            return true;
        }
    }
    has_wide_text(bytes)
}

/// The values of the base64 characters of both alphabets; 64 for anything else.
const BASE64_VALUES: [u8; 256] = base64_values();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; the values are below 64"
)]
const fn base64_values() -> [u8; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [64; 256];
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
    let mut out = Vec::with_capacity(encoded.len() / 4 * 3 + 3);
    let mut held: u32 = 0;
    let mut bits = 0;
    let value_of = |byte: u8| BASE64_VALUES.get(usize::from(byte)).copied().unwrap_or(64);
    let (quads, rest) = encoded.as_chunks::<4>();
    for quad in quads {
        let [a, b, c, d] = quad.map(value_of);
        if bits == 0 && (a | b | c | d) < 64 {
            let group = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            let [_, x, y, z] = group.to_be_bytes();
            out.extend_from_slice(&[x, y, z]);
        } else {
            push_sextets(&[a, b, c, d], &mut held, &mut bits, &mut out);
        }
    }
    for &byte in rest {
        push_sextets(&[value_of(byte)], &mut held, &mut bits, &mut out);
    }
    out
}

fn push_sextets(values: &[u8], held: &mut u32, bits: &mut u32, out: &mut Vec<u8>) {
    for &value in values.iter().filter(|&&value| value < 64) {
        *held = (*held << 6 | u32::from(value)) & 0xFFF;
        *bits += 6;
        if *bits >= 8 {
            *bits -= 8;
            let [.., byte] = (*held >> *bits).to_be_bytes();
            out.push(byte);
        }
    }
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

/// Percent-escapes undone, where there is one.
fn percent(bytes: &[u8]) -> Option<Child> {
    rewrite(bytes, b"%", "percent", |bytes, position, out| {
        out.push(hex_pair(bytes, position + 1)?);
        Some(3)
    })
}

/// The escapes of programming languages and of HTML undone, where there is one.
fn escapes(bytes: &[u8]) -> Option<Child> {
    rewrite(bytes, b"\\&", "escapes", |bytes, position, out| {
        if at(bytes, position) == b'&' {
            html_entity(bytes, position, out)
        } else {
            backslash(bytes, position, out)
        }
    })
}

/// Zero bytes left out: what remains of UTF-16 and UTF-32 is the ASCII in them.
fn zeros_removed(bytes: &[u8]) -> Option<Child> {
    if !has_wide_text(bytes) {
        return None;
    }
    let bytes: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != 0).collect();
    let shape = json::shape_of(&bytes);
    let label = Some("utf-16".into());
    Some(Child {
        bytes,
        map: Map::ZerosRemoved,
        label,
        shape,
        is_cut: false,
    })
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
    let within = Coding::MAGICS
        .iter()
        .flat_map(|magic| memmem::find_iter(bytes, magic))
        .filter(|&at| at > 0);
    let (mut left, mut gzip_end) = (budget, 0);
    let mut children: Vec<Child> = Vec::new();
    for (tries, start) in own.into_iter().chain(within).enumerate() {
        let rest = slice(bytes, start..bytes.len());
        // More than is looked at is never passed over in silence.
        if tries >= TRIES_MAX || children.len() >= CHILDREN_MAX {
            children.push(Child {
                is_cut: true,
                ..empty()
            });
            break;
        }
        // The members of one file are undone together.
        let is_gzip = Coding::by_magic(rest) == Some(Coding::Gzip);
        if is_gzip && start < gzip_end {
            continue;
        }
        if let Some((child, used)) = inflated_at(rest, left) {
            left = left.saturating_sub(child.bytes.len());
            if is_gzip {
                gzip_end = start + used;
            }
            children.push(child);
        }
    }
    children
}

fn empty() -> Child {
    let bytes = Vec::new();
    Child {
        bytes,
        map: Map::Whole(0..usize::MAX),
        label: None,
        shape: Shape::Text,
        is_cut: false,
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
        },
        used,
    ))
}

/// Copies a text, with each escape that begins with one of two bytes replaced. `undo` pushes what
/// the escape stands for and answers how long it was.
fn rewrite(
    bytes: &[u8],
    leads: &[u8],
    label: &str,
    undo: impl Fn(&[u8], usize, &mut Vec<u8>) -> Option<usize>,
) -> Option<Child> {
    let (first, second) = (at(leads, 0), at(leads, leads.len().saturating_sub(1)));
    let mut out = Vec::new();
    let mut marks = Vec::new();
    let mut copied = 0;
    let mut position = 0;
    while let Some(found) = memchr::memchr2(first, second, slice(bytes, position..bytes.len())) {
        position += found;
        out.extend_from_slice(slice(bytes, copied..position));
        copied = position;
        let Some(length) = undo(bytes, position, &mut out) else {
            position += 1;
            continue;
        };
        position += length;
        copied = position;
        marks.push((out.len(), copied));
    }
    if marks.is_empty() {
        return None;
    }
    out.extend_from_slice(slice(bytes, copied..bytes.len()));
    let shape = json::shape_of(&out);
    let label = Some(label.into());
    Some(Child {
        bytes: out,
        map: Map::Marks(marks),
        label,
        shape,
        is_cut: false,
    })
}

/// Unescapes the content of a JSON string, noting where positions jump.
pub(crate) fn unescape_json(
    bytes: &[u8],
    content: Range<usize>,
    out: &mut Vec<u8>,
    marks: &mut Vec<(usize, usize)>,
) {
    let mut position = content.start;
    marks.push((out.len(), position));
    while position < content.end {
        let rest = slice(bytes, position..content.end);
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(slice(rest, 0..plain));
        position += plain;
        if position >= content.end {
            break;
        }
        match backslash(bytes, position, out) {
            Some(length) => position += length,
            None => {
                out.push(b'\\');
                position += 1;
            }
        }
        marks.push((out.len(), position));
    }
}

/// `\n`, `\"`, `\u0041`, `\u{41}`, `\x41`: pushes what it stands for, answers how long it is.
fn backslash(bytes: &[u8], position: usize, out: &mut Vec<u8>) -> Option<usize> {
    let letter = at(bytes, position + 1);
    let plain = match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'"' | b'\'' | b'\\' | b'/' | b'`' => letter,
        b'x' => {
            out.push(hex_pair(bytes, position + 2)?);
            return Some(4);
        }
        b'u' if at(bytes, position + 2) == b'{' => {
            let digits = slice(bytes, position + 3..position + 11);
            let length = digits.iter().position(|&byte| byte == b'}')?;
            push_char(hex_number(slice(digits, 0..length))?, out);
            return Some(length + 4);
        }
        b'u' => return unicode(bytes, position, out),
        _ => return None,
    };
    out.push(plain);
    Some(2)
}

/// `\u0041`, and two of them where they are a surrogate pair.
fn unicode(bytes: &[u8], position: usize, out: &mut Vec<u8>) -> Option<usize> {
    let unit = |from: usize| -> Option<u32> {
        (at(bytes, from) == b'\\' && at(bytes, from + 1) == b'u' && from + 6 <= bytes.len())
            .then(|| hex_number(slice(bytes, from + 2..from + 6)))?
    };
    let high = unit(position)?;
    if (0xD800..0xDC00).contains(&high)
        && let Some(low @ 0xDC00..0xE000) = unit(position + 6)
    {
        push_char(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), out);
        return Some(12);
    }
    push_char(high, out);
    Some(6)
}

fn html_entity(bytes: &[u8], position: usize, out: &mut Vec<u8>) -> Option<usize> {
    const NAMED: [(&[u8], u8); 5] = [
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
    ];
    let rest = slice(bytes, position..position + 12);
    if let Some((name, byte)) = NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
        out.push(*byte);
        return Some(name.len());
    }
    let digits = rest.strip_prefix(b"&#")?;
    let length = digits.iter().position(|&byte| byte == b';')?;
    let code = slice(digits, 0..length);
    let number = match code.strip_prefix(b"x").or_else(|| code.strip_prefix(b"X")) {
        Some(hex) => hex_number(hex)?,
        None => std::str::from_utf8(code).ok()?.parse().ok()?,
    };
    push_char(number, out);
    Some(length + 3)
}

fn hex_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 7 {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, &digit| {
        Some(number << 4 | u32::from(hex_value(digit)?))
    })
}

fn push_char(number: u32, out: &mut Vec<u8>) {
    let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}
