//! Keys and values that stand apart: in a block, an element, a row of a table, behind a fallback.

use std::ops::Range;

use super::is_key;
use super::reader::{INDENT_BYTES_MAX, Reader, SPACE_BYTES_MAX, element, is_space};
use crate::bytes::{at, before, count_while, slice};

const LINES_MAX: usize = 6;
const LINE_BYTES_MAX: usize = 160;
const HEAD_BYTES_MAX: usize = 256;
const COLUMNS_MAX: usize = 12;
const LIST_BYTES_MAX: usize = 1024;
const TYPE_BYTES_MAX: usize = 24;

/// `"token" { default = "…" }`: a block whose name is the key.
pub(super) fn block(reader: &Reader<'_>, start: usize) -> Option<(Range<usize>, bool)> {
    let bytes = reader.bytes;
    let mut position = start;
    for _ in 0..LINES_MAX {
        position += count_while(bytes, position, INDENT_BYTES_MAX, |b| {
            b.is_ascii_whitespace()
        });
        for name in [b"default".as_slice(), b"value", b"secret_string"] {
            let end = position + name.len();
            if slice(bytes, position..end) != name {
                continue;
            }
            let operator = end + count_while(bytes, end, SPACE_BYTES_MAX, is_space);
            if at(bytes, operator) == b'=' {
                let spaces = count_while(bytes, operator + 1, SPACE_BYTES_MAX, is_space);
                return reader.value_at(operator + 1 + spaces);
            }
        }
        position += count_while(bytes, position, LINE_BYTES_MAX, |b| b != b'\n' && b != b'}');
        if at(bytes, position) != b'\n' {
            return None;
        }
    }
    None
}

/// The element behind the one that holds the key.
pub(super) fn sibling(bytes: &[u8], close: usize) -> Option<(Range<usize>, bool)> {
    if at(bytes, close + 1) != b'/' {
        return None;
    }
    let tag = |start: usize| start + count_while(bytes, start, TYPE_BYTES_MAX, is_key);
    let end = tag(close + 2);
    let spaces = count_while(bytes, end + 1, INDENT_BYTES_MAX, |b| {
        b.is_ascii_whitespace()
    });
    let open = end + 1 + spaces;
    let inner = tag(open + 1);
    let is_element = at(bytes, end) == b'>'
        && at(bytes, open) == b'<'
        && inner > open + 1
        && at(bytes, inner) == b'>';
    if is_element {
        element(bytes, inner + 1)
    } else {
        None
    }
}

/// `| token | … |`: the next cell of a table in Markdown.
pub(super) fn cell(reader: &Reader<'_>, position: usize) -> Option<(Range<usize>, bool)> {
    let bytes = reader.bytes;
    let spaces = count_while(bytes, position, SPACE_BYTES_MAX, is_space);
    let (value, is_quoted) = reader.value_at(position + spaces)?;
    let end = value.end + usize::from(is_quoted);
    let end = end + count_while(bytes, end, INDENT_BYTES_MAX, is_space);
    (at(bytes, end) == b'|').then_some((value, is_quoted))
}

/// `{name: TOKEN, value: …}`.
pub(super) fn pair(reader: &Reader<'_>, position: usize) -> Option<(Range<usize>, bool)> {
    let spaces = count_while(reader.bytes, position, INDENT_BYTES_MAX, |b| {
        b.is_ascii_whitespace()
    });
    reader.named_value(position + spaces)
}

/// `var token string = "…"`.
pub(super) fn typed(reader: &Reader<'_>, position: usize) -> Option<(Range<usize>, bool)> {
    let bytes = reader.bytes;
    let end = position + count_while(bytes, position, TYPE_BYTES_MAX, is_key);
    let operator = end + count_while(bytes, end, SPACE_BYTES_MAX, is_space);
    if operator == end || at(bytes, operator) != b'=' {
        return None;
    }
    let spaces = count_while(bytes, operator + 1, SPACE_BYTES_MAX, is_space);
    reader
        .value_at(operator + 1 + spaces)
        .filter(|(_, is_quoted)| *is_quoted)
}

/// The value below a column's name, in CSV and in `(token) VALUES ('…')`.
pub(super) fn row(bytes: &[u8], key: &Range<usize>) -> Option<(Range<usize>, bool)> {
    let (column, is_list) = column(bytes, key)?;
    let is_name = |b: u8| is_key(b) || matches!(b, b' ' | b'"' | b'`' | b',' | b'[' | b']');
    let end = key.end + count_while(bytes, key.end, HEAD_BYTES_MAX, is_name);
    if !is_list {
        let commas = slice(bytes, key.end..end)
            .iter()
            .filter(|&&b| b == b',')
            .count();
        let fields = column + commas + 1;
        let line = end + count_while(bytes, end, 1, |b| b == b'\r');
        let is_head = fields > 1 && before(bytes, end) != b',' && at(bytes, line) == b'\n';
        return is_head.then(|| nth(bytes, line + 1, column, Some(fields)))?;
    }
    if at(bytes, end) != b')' {
        return None;
    }
    let space = |position: usize| {
        position
            + count_while(bytes, position, INDENT_BYTES_MAX, |b| {
                b.is_ascii_whitespace()
            })
    };
    let word = space(end + 1);
    if !slice(bytes, word..word + 6).eq_ignore_ascii_case(b"values") {
        return None;
    }
    let open = space(word + 6);
    (at(bytes, open) == b'(').then(|| nth(bytes, open + 1, column, None))?
}

/// Which column a key names, and whether the names stand in parentheses instead of on a line.
fn column(bytes: &[u8], key: &Range<usize>) -> Option<(usize, bool)> {
    let mut commas = 0;
    let start = key.start.saturating_sub(HEAD_BYTES_MAX);
    let head = slice(bytes, start..key.start);
    for &byte in head.iter().rev() {
        match byte {
            b'\n' => return Some((commas, false)),
            b'(' => return Some((commas, true)),
            b',' if commas == COLUMNS_MAX => return None,
            b',' => commas += 1,
            b' ' | b'"' | b'`' | b'[' | b']' => {}
            _ if is_key(byte) => {}
            _ => return None,
        }
    }
    (start == 0).then_some((commas, false))
}

/// A field of a list in parentheses, or of a line that has as many fields as its head.
fn nth(
    bytes: &[u8],
    start: usize,
    number: usize,
    fields: Option<usize>,
) -> Option<(Range<usize>, bool)> {
    let close = if fields.is_some() { b'\n' } else { b')' };
    let mut found = None;
    let mut field = start;
    let mut count = 0;
    let mut quote = 0;
    let text = slice(bytes, start..start + LIST_BYTES_MAX);
    // Behind the last byte of a text there may be no end of line.
    let end = (start + text.len() == bytes.len() && fields.is_some()).then_some(close);
    for (offset, byte) in text.iter().copied().chain(end).enumerate() {
        if quote != 0 {
            quote = if byte == quote { 0 } else { quote };
        } else if byte == b'"' || byte == b'\'' {
            quote = byte;
        } else if byte == b',' || byte == close {
            if count == number {
                found = Some(bare(bytes, field..start + offset));
            }
            count += 1;
            field = start + offset + 1;
            if byte == close || fields.is_none() && found.is_some() {
                return found.filter(|_| fields.is_none_or(|fields| fields == count));
            }
        }
    }
    None
}

/// A field without spaces and quotes around it.
fn bare(bytes: &[u8], field: Range<usize>) -> (Range<usize>, bool) {
    let text = slice(bytes, field.clone());
    let is_edge = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'');
    let before = text.iter().take_while(|b| is_edge(b)).count();
    let after = text.iter().rev().take_while(|b| is_edge(b)).count();
    let start = (field.start + before).min(field.end);
    let end = field.end.saturating_sub(after).max(start);
    let is_quoted = text.iter().any(|b| matches!(b, b'"' | b'\''));
    (start..end, is_quoted)
}
