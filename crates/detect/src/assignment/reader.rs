//! Reads the value that a key is given, in any notation: what stands between the two, and where the
//! value begins and ends.

use std::ops::Range;

use super::{Notation, VALUE_BYTES_MAX, apart};
use crate::bytes::{at, before, count_while, slice};

pub(super) const SPACE_BYTES_MAX: usize = 8;
pub(super) const INDENT_BYTES_MAX: usize = 32;

/// A value, and whether it is quoted.
type Value = (Range<usize>, bool);

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
        // The quote that closes the key, and the bracket that closes an index or a call.
        let quotes = count_while(bytes, key.end, 2, |b| {
            is_quote(b) || matches!(b, b'\\' | b'*')
        });
        let mut end = key.end + quotes;
        end += count_while(bytes, end, 1, |b| matches!(b, b']' | b')' | b'}'));
        let spaces = count_while(bytes, end, SPACE_BYTES_MAX, is_space);
        let next = end + spaces;
        if let Some(start) = after_operator(bytes, next) {
            // `**token:** …`, in bold.
            let start = start + count_while(bytes, start, 2, |b| b == b'*') / 2 * 2;
            let start = start + self.blanks(start, SPACE_BYTES_MAX);
            // A name may stand behind `or` too.
            let operator = slice(bytes, next..next + 2);
            let value = if [b"||", b"??", b"or"].iter().any(|or| operator == *or) {
                self.quoted_at(start)
            } else {
                self.value_at(start)
            };
            return value.or_else(|| self.wrapped(start)).map(explicit);
        }
        self.apart(key, end, next)
            .map(explicit)
            .or_else(|| self.prose(key, quotes, next))
    }

    /// The value of a key that no operator gives it: an argument, an element, a cell, a block. `end` is
    /// behind the key and what closes it, `next` behind the spaces that follow.
    fn apart(&self, key: &Range<usize>, end: usize, next: usize) -> Option<Value> {
        let bytes = self.bytes;
        let is_closed = end > key.end;
        match at(bytes, next) {
            // `setToken("…")`, `token{"…"}`.
            b'(' if !is_closed => self.quoted_at(next + 1),
            b'{' if next == key.end => self.quoted_at(next + 1),
            b'{' if is_closed => apart::block(self, next + 1),
            b'{' => self.property(next),
            // `<token>…`, `<string name="token">…`.
            b'>' if is_closed || before(bytes, key.start) == b'<' => element(bytes, next + 1),
            b'<' => apart::sibling(bytes, next),
            // `header("X-Api-Key", "…")`.
            b',' if is_closed => apart::row(bytes, key).or_else(|| {
                let start = next + 1 + self.blanks(next + 1, INDENT_BYTES_MAX);
                self.named_value(start).or_else(|| self.quoted_at(start))
            }),
            b',' => apart::pair(self, next + 1).or_else(|| apart::row(bytes, key)),
            b'|' if next > end => apart::cell(self, next + 1),
            byte => {
                // `<add key="token" value="…"/>`, `name: TOKEN` and `value: …` on the next line.
                let blanks = self.blanks(end, INDENT_BYTES_MAX);
                let named = (blanks > 0)
                    .then(|| self.named_value(end + blanks))
                    .flatten();
                named.or_else(|| match byte {
                    b'\r' | b'\n' | b')' => apart::row(bytes, key),
                    _ if before(bytes, end) == b')' => apart::row(bytes, key),
                    _ if next > end && byte.is_ascii_alphabetic() => apart::typed(self, next),
                    _ => None,
                })
            }
        }
    }

    /// A value that only stands behind its key.
    fn prose(
        &self,
        key: &Range<usize>,
        quotes: usize,
        next: usize,
    ) -> Option<(Range<usize>, bool, Notation)> {
        let bytes = self.bytes;
        let is_apart = next > key.end + quotes;
        // `--token …`.
        if is_apart && quotes == 0 && at(bytes, key.start) == b'-' {
            return self.value_at(next).map(explicit);
        }
        let start = match at(bytes, next) {
            // `token (…)`, `token […]`.
            b'(' | b'[' if is_apart => {
                next + 1 + count_while(bytes, next + 1, SPACE_BYTES_MAX, is_space)
            }
            // `TOKEN,…` at the beginning of a line.
            b',' if matches!(before(bytes, key.start), 0 | b'\n') => next + 1,
            _ if is_apart => after_words(bytes, next),
            _ => return None,
        };
        if (quotes > 0 || start != next) && !names_secret(slice(bytes, key.clone())) {
            return None;
        }
        let (value, is_quoted) = self.value_at(start)?;
        // `#define TOKEN "…"`, `storePassword "…"`, `SetEnv API_TOKEN …`.
        let name = Name::of(slice(bytes, key.clone()));
        if name == Name::Constant
            || name == Name::Identifier && is_quoted
            || is_command(bytes, key.start)
        {
            return Some(explicit((value, is_quoted)));
        }
        let is_word = at(bytes, value.start).is_ascii_alphanumeric();
        is_word.then_some((value, is_quoted, Notation::Prose))
    }

    fn blanks(&self, from: usize, max: usize) -> usize {
        count_while(self.bytes, from, max, |b| b.is_ascii_whitespace())
    }

    /// The value of `value: …`, where a list of pairs names its keys.
    pub(super) fn named_value(&self, position: usize) -> Option<Value> {
        const WORDS: [&[u8]; 3] = [b"value", b"content", b"default"];
        let bytes = self.bytes;
        let quotes = |at: usize| count_while(bytes, at, 2, |b| is_quote(b) || b == b'\\');
        let start = position + quotes(position);
        let length = count_while(bytes, start, 8, |b| b.is_ascii_alphabetic());
        let word = slice(bytes, start..start + length);
        if !WORDS.iter().any(|one| word.eq_ignore_ascii_case(one)) {
            return None;
        }
        let mut end = start + length;
        end += quotes(end);
        end += count_while(bytes, end, SPACE_BYTES_MAX, is_space);
        let value = after_operator(bytes, end)?;
        self.value_at(value + count_while(bytes, value, SPACE_BYTES_MAX, is_space))
    }

    /// `Token { get; set; } = "…"`.
    fn property(&self, open: usize) -> Option<Value> {
        const BLOCK_BYTES_MAX: usize = 64;
        let bytes = self.bytes;
        let length = memchr::memchr(b'}', slice(bytes, open..open + BLOCK_BYTES_MAX))?;
        let close = open + length + 1;
        let next = close + self.blanks(close, SPACE_BYTES_MAX);
        let value = after_operator(bytes, next).filter(|_| at(bytes, next) == b'=')?;
        self.quoted_at(value + self.blanks(value, SPACE_BYTES_MAX))
    }

    /// A value in what a program makes of it: `String::from("…")`, `["…"]`, `[]byte("…")`.
    fn wrapped(&self, position: usize) -> Option<Value> {
        const NAME_BYTES_MAX: usize = 40;
        let bytes = self.bytes;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.:&<>! []".contains(&b);
        let name = count_while(bytes, position, NAME_BYTES_MAX, is_name);
        let opens = count_while(bytes, position + name, 2, |b| matches!(b, b'(' | b'{'));
        let start = position + name + opens;
        let is_list = name > 0 && slice(bytes, position..start).trim_ascii() == b"[";
        let is_open = opens > 0 || is_list;
        is_open.then(|| self.quoted_at(start))?
    }

    fn quoted_at(&self, position: usize) -> Option<Value> {
        self.value_at(position).filter(|(_, is_quoted)| *is_quoted)
    }

    /// The value at a position, and whether it is quoted.
    pub(super) fn value_at(&self, position: usize) -> Option<Value> {
        let bytes = self.bytes;
        // Prefixes of string literals, and the backslash of a quote within a quoted text.
        let prefix = count_while(bytes, position, 2, |b| {
            matches!(b, b'b' | b'r' | b'u' | b'f' | b'L' | b'R' | b'@' | b'\\')
        });
        if is_quote(at(bytes, position + prefix)) {
            return quoted(bytes, position + prefix);
        }
        if slice(bytes, position..position + 2) == b"[[" {
            let content = slice(bytes, position + 2..position + 2 + VALUE_BYTES_MAX);
            let length = memchr::memmem::find(content, b"]]")?;
            return Some((position + 2..position + 2 + length, true));
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

/// Whether a command that sets a variable stands before a key: `ENV TOKEN …`, `setx TOKEN …`.
fn is_command(bytes: &[u8], key: usize) -> bool {
    let commands: [&[u8]; 5] = [b"ENV ", b"setx ", b"setenv ", b"-gx ", b"-x "];
    let text = slice(bytes, key.saturating_sub(8)..key);
    commands.iter().any(|command| text.ends_with(command))
}

/// What a key looks like.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    /// `API_TOKEN`.
    Constant,
    /// `api_token`, `apiToken`.
    Identifier,
    /// `token`, `API-Token`.
    Word,
}

// === impl Name ===

impl Name {
    fn of(key: &[u8]) -> Self {
        let has_capital = key.iter().skip(1).any(u8::is_ascii_uppercase);
        let has_small = key.iter().any(u8::is_ascii_lowercase);
        match (key.contains(&b'_'), has_capital, has_small) {
            (true, true, false) => Self::Constant,
            (true, ..) | (_, true, true) => Self::Identifier,
            _ => Self::Word,
        }
    }
}

fn explicit((value, is_quoted): Value) -> (Range<usize>, bool, Notation) {
    (value, is_quoted, Notation::Explicit)
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The text between the quotes of which the first is at `open`; also `"\"…\""`.
fn quoted(bytes: &[u8], open: usize) -> Option<Value> {
    let mut quote = at(bytes, open);
    let mut start = open + 1;
    if at(bytes, start) == b'\\' && is_quote(at(bytes, start + 1)) {
        quote = at(bytes, start + 1);
        start += 2;
    }
    let content = slice(bytes, start..start + VALUE_BYTES_MAX);
    let length = content
        .iter()
        .position(|&b| b == quote || b == b'\n')
        .unwrap_or(content.len());
    let escaped = usize::from(length > 0 && at(content, length - 1) == b'\\');
    let end = start + length - escaped;
    // A quote that nothing closes may be one that closes.
    let is_quoted = at(content, length) == quote || at(content, 0).is_ascii_alphanumeric();
    (end > start).then_some((start..end, is_quoted))
}

/// The text of an XML element.
pub(super) fn element(bytes: &[u8], start: usize) -> Option<Value> {
    let length = count_while(bytes, start, VALUE_BYTES_MAX, |b| b != b'<' && b != b'\n');
    let is_closed = slice(bytes, start + length..start + length + 2) == b"</";
    (length > 0 && is_closed).then_some((start..start + length, true))
}

/// Passes over the words that may stand between a key and its value.
fn after_words(bytes: &[u8], position: usize) -> usize {
    const WORDS: [&[u8]; 9] = [
        b"is: ",
        b"is ",
        b"was ",
        b"to ",
        b"as ",
        b"value ",
        b"of ",
        b"-> ",
        "→ ".as_bytes(),
    ];
    let rest = slice(bytes, position..position + 8);
    let length = WORDS
        .iter()
        .find(|word| rest.starts_with(word))
        .map_or(0, |word| word.len());
    position + length
}

/// Whether a key of which no operator says what it is given says that it is a secret.
fn names_secret(key: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [
        b"key", b"token", b"secret", b"pass", b"pwd", b"auth", b"cred", b"pat",
    ];
    WORDS.iter().any(|word| {
        key.windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word))
    })
}

/// Where a value would begin after an operator: `=`, `:`, `:=`, `=>`, `?=`, `||=`, and those that
/// give a value where there is none: `||`, `??`, `or`, `:-`. Nothing where there is none, or it is a
/// comparison.
fn after_operator(bytes: &[u8], position: usize) -> Option<usize> {
    let [a, b, c] = [0, 1, 2].map(|index| at(bytes, position + index));
    match (a, b) {
        (b'=', b'=') | (b':', b':') => None,
        (b'=', b'>') | (b':', b'=' | b'-') | (b'?' | b'+', b'=') => Some(position + 2),
        (b'|', b'|') | (b'?', b'?') => Some(position + 2 + usize::from(c == b'=')),
        (b'o', b'r') if c == b' ' => Some(position + 3),
        (b'A' | b'a', b's') if c == b' ' => {
            let value = after_annotation(bytes, position + 2);
            (value > position + 2).then_some(value)
        }
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
