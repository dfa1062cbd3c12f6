//! Reads the value that a key is given, in any notation: what stands between the two, and where the
//! value ends. It finds places only; what is a key, and what a secret, is for others to judge.

use std::ops::Range;

use super::{Notation, VALUE_BYTES_MAX, apart};
use crate::bytes::{at, before, count_while, slice};

pub(super) const SPACE_BYTES_MAX: usize = 8;
pub(super) const INDENT_BYTES_MAX: usize = 32;

/// Reads values; `open` is an unquoted one whose end is known.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) open: Range<usize>,
}

// === impl Reader ===

impl Reader<'_> {
    /// The value that a key is given, whether it is quoted, and how sure that is.
    pub(super) fn value_of(&self, key: &Range<usize>) -> Option<(Range<usize>, bool, Notation)> {
        let bytes = self.bytes;
        let explicit = |(value, is_quoted)| (value, is_quoted, Notation::Explicit);
        // The quote that closes the key, and the bracket that closes an index.
        let quotes = count_while(bytes, key.end, 2, |b| {
            matches!(b, b'\\' | b'"' | b'\'' | b'`' | b'*')
        });
        let mut position = key.end + quotes;
        position += count_while(bytes, position, 1, |b| b == b']');
        let spaces = count_while(bytes, position, SPACE_BYTES_MAX, is_space);
        let next = position + spaces;
        if let Some(value) = after_operator(bytes, next) {
            // `**token:** …`, in bold.
            let bold = count_while(bytes, value, 2, |b| b == b'*') / 2 * 2;
            let start = value + bold;
            let start =
                start + count_while(bytes, start, SPACE_BYTES_MAX, |b| is_space(b) || b == b'\n');
            return self.value_at(start).map(explicit);
        }
        if let Some((value, is_quoted)) = apart::value(self, key, position, next) {
            return Some((value, is_quoted, Notation::Explicit));
        }
        match at(bytes, next) {
            // `setToken("…")`, `header("X-Api-Key", "…")`.
            b'(' if quotes == 0 => self
                .value_at(next + 1)
                .filter(|(_, is_quoted)| *is_quoted)
                .map(explicit),
            b'>' if quotes == 0 && before(bytes, key.start) == b'<' => {
                element(bytes, next + 1).map(explicit)
            }
            b',' if quotes > 0 => {
                let start = next
                    + 1
                    + count_while(bytes, next + 1, INDENT_BYTES_MAX, |b| {
                        b.is_ascii_whitespace()
                    });
                let value = self
                    .named_value(start)
                    .or_else(|| self.value_at(start).filter(|(_, is_quoted)| *is_quoted));
                value.map(explicit)
            }
            // `<add key="token" value="…"/>`, `name: TOKEN` and `value: …` on the next line.
            _ => {
                let start = position
                    + count_while(bytes, position, INDENT_BYTES_MAX, |b| {
                        b.is_ascii_whitespace()
                    });
                if start > position
                    && let Some(value) = self.named_value(start)
                {
                    return Some(explicit(value));
                }
                if spaces == 0 || quotes > 0 {
                    return None;
                }
                // `--token …`.
                if at(bytes, key.start) == b'-' {
                    return self.value_at(next).map(explicit);
                }
                let start = prose(bytes, next);
                let (value, is_quoted) = self.value_at(start)?;
                let is_word = at(bytes, value.start).is_ascii_alphanumeric();
                let notation = if is_command(bytes, key.start) {
                    Notation::Explicit
                } else {
                    Notation::Prose
                };
                is_word.then_some((value, is_quoted, notation))
            }
        }
    }

    /// The value of `value: …`, where a list of pairs names its keys.
    pub(super) fn named_value(&self, position: usize) -> Option<(Range<usize>, bool)> {
        let bytes = self.bytes;
        let is_quote = |b: u8| matches!(b, b'\\' | b'"' | b'\'');
        let start = position + count_while(bytes, position, 2, is_quote);
        let word = slice(bytes, start..start + 5);
        if !word.eq_ignore_ascii_case(b"value") {
            return None;
        }
        let mut end = start + 5;
        end += count_while(bytes, end, 2, is_quote);
        end += count_while(bytes, end, SPACE_BYTES_MAX, is_space);
        let value = after_operator(bytes, end)?;
        self.value_at(value + count_while(bytes, value, SPACE_BYTES_MAX, is_space))
    }

    /// The value at a position, and whether it is quoted.
    pub(super) fn value_at(&self, position: usize) -> Option<(Range<usize>, bool)> {
        let bytes = self.bytes;
        // Prefixes of string literals, and the backslash of a quote within a quoted text.
        let prefix = count_while(bytes, position, 2, |b| {
            matches!(b, b'b' | b'r' | b'u' | b'f' | b'\\')
        });
        let quote = at(bytes, position + prefix);
        if matches!(quote, b'"' | b'\'' | b'`') {
            let mut start = position + prefix + 1;
            // A text that is quoted within code that is quoted: `"\"…\""`.
            if prefix == 0 && at(bytes, start) == b'\\' && at(bytes, start + 1) == quote {
                start += 2;
            }
            let content = slice(bytes, start..start + VALUE_BYTES_MAX);
            let length = content
                .iter()
                .position(|&b| b == quote || b == b'\n')
                .unwrap_or(content.len());
            let escaped = usize::from(length > 0 && at(content, length - 1) == b'\\');
            let end = start + length - escaped;
            return (end > start).then_some((start..end, true));
        }
        let ends = |b: u8| b.is_ascii_whitespace() || b"\"'`,;&<>(){}[]|\\".contains(&b);
        let length = if self.open.contains(&position) {
            self.open.end - position
        } else {
            count_while(bytes, position, VALUE_BYTES_MAX, |byte| !ends(byte))
        };
        // A call or an index is code.
        let is_code = matches!(at(bytes, position + length), b'(' | b'[' | b'{');
        (length > 0 && !is_code).then_some((position..position + length, false))
    }
}

/// The text of an XML element.
pub(super) fn element(bytes: &[u8], start: usize) -> Option<(Range<usize>, bool)> {
    let length = count_while(bytes, start, VALUE_BYTES_MAX, |b| b != b'<' && b != b'\n');
    let is_closed = slice(bytes, start + length..start + length + 2) == b"</";
    (length > 0 && is_closed).then_some((start..start + length, true))
}

/// Whether a command that sets a variable stands before a key: `ENV TOKEN …`, `setx TOKEN …`.
fn is_command(bytes: &[u8], key: usize) -> bool {
    let commands: [&[u8]; 5] = [b"ENV ", b"setx ", b"setenv ", b"-gx ", b"-x "];
    let text = slice(bytes, key.saturating_sub(8)..key);
    commands.iter().any(|command| text.ends_with(command))
}

/// Passes over the words that may stand between a key and its value.
fn prose(bytes: &[u8], position: usize) -> usize {
    let words: [&[u8]; 5] = [b"is ", b"was ", b"value ", b"is: ", b"of "];
    let rest = slice(bytes, position..position + 8);
    let length = words
        .iter()
        .find(|word| rest.starts_with(word))
        .map_or(0, |word| word.len());
    position + length
}

/// Where a value would begin after `=`, `:`, `:=` or `=>`; nothing where there is no operator, or
/// it is a comparison.
fn after_operator(bytes: &[u8], position: usize) -> Option<usize> {
    match (at(bytes, position), at(bytes, position + 1)) {
        (b'=', b'=') => None,
        // Where nothing is set yet: `||=`, `??=`, `?=`.
        (b'|', b'|') | (b'?', b'?') if at(bytes, position + 2) == b'=' => Some(position + 3),
        (b'?', b'=') => Some(position + 2),
        (b'=', b'>') | (b':', b'=') => Some(position + 2),
        (b':', b':') => None,
        (b'=', _) => Some(position + 1),
        (b':', _) => Some(after_annotation(bytes, position + 1)),
        _ => None,
    }
}

/// Passes over a type: `token: &str = "…"`.
fn after_annotation(bytes: &[u8], position: usize) -> usize {
    const TYPE_BYTES_MAX: usize = 32;
    let is_type =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'&' | b'\'' | b'<' | b'>');
    let end = position + count_while(bytes, position, TYPE_BYTES_MAX, is_type);
    let is_assignment = end > position + 1 && at(bytes, end) == b'=' && before(bytes, end) == b' ';
    if is_assignment { end + 1 } else { position }
}

pub(super) const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
