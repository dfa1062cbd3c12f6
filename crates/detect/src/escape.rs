//! Escapes undone: the percent-escapes of URLs, the backslashes of programming languages and of JSON,
//! the entities of HTML. Each rewrites a whole text and notes where positions jump.

use std::ops::Range;

use crate::bytes::{at, count_back, count_while, hex_pair, hex_value, slice};
use crate::decode::Child;
use crate::json;
use crate::view::Map;

/// Percent-escapes undone, where there is one.
pub(crate) fn percent(bytes: &[u8]) -> Option<Child> {
    rewrite(bytes, b"%", "percent", |bytes, position, out| {
        out.push(hex_pair(bytes, position + 1)?);
        Some(3)
    })
}

/// The escapes of programming languages and of HTML undone, where there is one.
pub(crate) fn escapes(bytes: &[u8]) -> Option<Child> {
    rewrite(bytes, b"\\&", "escapes", |bytes, position, out| {
        if at(bytes, position) == b'&' {
            html_entity(bytes, position, out)
        } else {
            backslash(bytes, position, out)
        }
    })
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
    let mut piece = Vec::new();
    let (mut copied, mut position, mut text_end) = (0, 0, 0);
    while let Some(found) = memchr::memchr2(first, second, slice(bytes, position..bytes.len())) {
        position += found;
        piece.clear();
        let is_in_text = position < text_end || stands_in_text(bytes, position);
        text_end = position + if is_in_text { STRETCH_MIN } else { 0 };
        let Some(length) = is_in_text
            .then(|| undo(bytes, position, &mut piece))
            .flatten()
        else {
            position += 1;
            continue;
        };
        if out.capacity() == 0 {
            out.reserve_exact(bytes.len());
        }
        out.extend_from_slice(slice(bytes, copied..position));
        out.extend_from_slice(&piece);
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
        is_open: false,
        seams: None,
    })
}

/// The shortest stretch of text in which an escape is taken for one.
const STRETCH_MIN: usize = 12;

/// Whether there is a stretch of text around a position. In pictures and compressed data anything
/// looks like an escape now and then.
fn stands_in_text(bytes: &[u8], position: usize) -> bool {
    let is_text = |byte: u8| matches!(byte, 0x20..=0x7E | b'\n' | b'\t' | b'\r');
    let before = count_back(bytes, position, STRETCH_MIN, is_text);
    let edge = before == position || before == STRETCH_MIN;
    edge || before + count_while(bytes, position, STRETCH_MIN, is_text) >= STRETCH_MIN
        || position + STRETCH_MIN >= bytes.len()
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
    if !matches!(rest, [_, b'#' | b'a' | b'g' | b'l' | b'q', ..]) {
        return None;
    }
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

/// Whether an escape stands for a letter or a digit, which needs none.
pub(crate) fn hides_letter(bytes: &[u8], position: usize) -> bool {
    let rest = slice(bytes, position..position + 6);
    match rest {
        // Punctuation counts too: an address without it is none, and `%25` may hide anything.
        [b'%', ..] => hex_pair(bytes, position + 1).is_some_and(|byte| byte >= b' '),
        [b'\\', b'x', ..] => {
            hex_pair(bytes, position + 2).is_some_and(|byte| byte.is_ascii_alphanumeric())
        }
        [b'\\', b'u', ..] | [b'&', b'#', ..] => true,
        _ => false,
    }
}
