//! `name = value` in any notation: shell, source code, YAML, JSON, INI, query. The scanner finds the
//! key's word; this finds the key, the operator and the value around it, and judges whether the
//! value is a secret or only stands for one.

use std::ops::Range;

use crate::bytes::{at, before, count_back, count_while, slice};
use crate::entropy::shannon_bits;

/// An assignment in a text.
pub(crate) struct Assignment {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
    is_quoted: bool,
}

/// Words that keys of secrets contain.
pub(crate) const KEY_WORDS: &[&str] = &[
    "access-key",
    "access_key",
    "accesskey",
    "account_key",
    "accountkey",
    "api-key",
    "api_key",
    "apikey",
    "credential",
    "encryption_key",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "privatekey",
    "pwd",
    "secret",
    "signing_key",
    "token",
];

/// The same words as a normalised key holds them.
const SECRET_WORDS: [&str; 13] = [
    "accesskey",
    "accountkey",
    "apikey",
    "credential",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "signingkey",
    "token",
];

/// Last parts of keys that name something about a secret, not the secret.
const HARMLESS_ENDINGS: [&str; 36] = [
    "algorithm",
    "arn",
    "class",
    "count",
    "created",
    "endpoint",
    "env",
    "error",
    "expires",
    "expiry",
    "field",
    "file",
    "format",
    "hash",
    "hint",
    "id",
    "index",
    "label",
    "length",
    "limit",
    "location",
    "max",
    "min",
    "name",
    "path",
    "placeholder",
    "policy",
    "ref",
    "size",
    "status",
    "ttl",
    "type",
    "uri",
    "url",
    "usage",
    "version",
];

/// Parts of keys whose tokens are no credentials.
const HARMLESS_PARTS: [&str; 10] = [
    "cancel",
    "continuation",
    "csrf",
    "cursor",
    "integrity",
    "nextpage",
    "nexttoken",
    "pagetoken",
    "public",
    "synctoken",
];

const KEY_BYTES_MAX: usize = 64;
const SPACE_BYTES_MAX: usize = 8;
const VALUE_BYTES_MAX: usize = 512;

// === impl Assignment ===

impl Assignment {
    /// The assignment whose key contains the word, if there is one.
    pub(crate) fn around(bytes: &[u8], word: &Range<usize>) -> Option<Self> {
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let start = word.start - count_back(bytes, word.start, KEY_BYTES_MAX, is_key);
        let end = word.end + count_while(bytes, word.end, KEY_BYTES_MAX, is_key);
        let is_space = |byte: u8| byte == b' ' || byte == b'\t';
        let mut position = end;
        // The quote that closes the key, and the bracket that closes an index.
        position += count_while(bytes, position, 2, |b| {
            matches!(b, b'\\' | b'"' | b'\'' | b'`')
        });
        position += count_while(bytes, position, 1, |b| b == b']');
        position += count_while(bytes, position, SPACE_BYTES_MAX, is_space);
        position = after_operator(bytes, position)?;
        position += count_while(bytes, position, SPACE_BYTES_MAX, |b| {
            is_space(b) || b == b'\n'
        });
        let (value, is_quoted) = value_at(bytes, position)?;
        Some(Self {
            key: start..end,
            value,
            is_quoted,
        })
    }

    /// The key in lower case, without separators.
    pub(crate) fn normalised_key(&self, bytes: &[u8]) -> String {
        normalised(&String::from_utf8_lossy(slice(bytes, self.key.clone())))
    }

    /// Whether this is a secret although no provider's name says so.
    pub(crate) fn is_generic_secret(&self, key: &str, value: &[u8]) -> bool {
        if !is_secret_key(key) {
            return false;
        }
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        let letters = value
            .iter()
            .filter(|byte| byte.is_ascii_alphabetic())
            .count();
        let is_password = ["password", "passwd", "pwd", "passphrase"]
            .iter()
            .any(|w| key.ends_with(w));
        if !self.is_quoted && is_code(value) {
            return false;
        }
        let is_graphic = value.iter().all(|byte| byte.is_ascii_graphic());
        if is_password {
            let symbols = value.len() - digits - letters;
            return is_graphic
                && value.len() >= 8
                && letters > 0
                && (digits > 0 || (symbols > 0 && self.is_quoted && !is_words(value)))
                && shannon_bits(value) >= 2.5
                && !is_placeholder(value);
        }
        is_graphic
            && value.len() >= 16
            && digits >= 2
            && letters >= 2
            && shannon_bits(value) >= 3.3
            && !is_words(value)
            && !is_structured(value)
            && !is_placeholder(value)
    }
}

/// A key in lower case, without separators.
pub(crate) fn normalised(key: &str) -> String {
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether a value only stands for a secret: a variable, a blank to fill in, a constant.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    const CONSTANTS: [&str; 8] = [
        "false",
        "nil",
        "none",
        "null",
        "redacted",
        "true",
        "undefined",
        "unset",
    ];
    const WORDS: [&str; 12] = [
        "change_me",
        "changeit",
        "changeme",
        "change-me",
        "dummy",
        "example",
        "insert",
        "placeholder",
        "redacted",
        "replace",
        "xxxx",
        "your",
    ];
    // Longer values stand for themselves; looking at all of them would make many assignments in
    // one text cost more than the text is long.
    const LOOKED_AT_BYTES_MAX: usize = 128;
    let value = slice(value, 0..value.len().min(LOOKED_AT_BYTES_MAX));
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let opens = [
        "$",
        "<",
        "{{",
        "%(",
        "%{",
        "#{",
        "[",
        "***",
        "...",
        "@@",
        "process.env",
        "os.environ",
    ];
    text.is_empty()
        || has_two_bytes_at_most(value)
        || CONSTANTS.contains(&text.as_str())
        || opens.iter().any(|open| text.starts_with(open))
        || WORDS.iter().any(|word| text.contains(word))
        || text.contains("${")
        || text.contains("{{")
        || text.contains("•")
}

fn has_two_bytes_at_most(value: &[u8]) -> bool {
    let first = value.first();
    let second = value.iter().find(|byte| Some(*byte) != first);
    value
        .iter()
        .all(|byte| Some(byte) == first || Some(byte) == second)
}

/// Where a value would begin after `=`, `:`, `:=` or `=>`; nothing where there is no operator, or
/// it is a comparison.
fn after_operator(bytes: &[u8], position: usize) -> Option<usize> {
    match (at(bytes, position), at(bytes, position + 1)) {
        (b'=', b'=') => None,
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

/// The value at a position, and whether it is quoted.
fn value_at(bytes: &[u8], position: usize) -> Option<(Range<usize>, bool)> {
    // Prefixes of string literals, and the backslash of a quote within a quoted text.
    let prefix = count_while(bytes, position, 2, |b| {
        matches!(b, b'b' | b'r' | b'u' | b'f' | b'\\')
    });
    let quote = at(bytes, position + prefix);
    if matches!(quote, b'"' | b'\'' | b'`') {
        let start = position + prefix + 1;
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
    let length = count_while(bytes, position, VALUE_BYTES_MAX, |byte| !ends(byte));
    // A call or an index is code.
    let is_code = matches!(at(bytes, position + length), b'(' | b'[' | b'{');
    (length > 0 && !is_code).then_some((position..position + length, false))
}

/// Whether a key says that its value is a secret.
fn is_secret_key(key: &str) -> bool {
    let has_word = SECRET_WORDS.iter().any(|word| {
        // What follows must not turn the word into another: `tokenizer`, `secretary`.
        key.match_indices(word).any(|(start, _)| {
            let rest = key.get(start + word.len()..).unwrap_or_default();
            rest.is_empty()
                || ["access", "key", "value", "prod", "dev", "live", "test"]
                    .iter()
                    .any(|next| rest.starts_with(next))
                || rest.bytes().all(|byte| byte.is_ascii_digit())
                || SECRET_WORDS.iter().any(|other| rest.starts_with(other))
        })
    });
    has_word
        && !HARMLESS_ENDINGS.iter().any(|ending| key.ends_with(ending))
        && !HARMLESS_PARTS.iter().any(|part| key.contains(part))
}

/// An unquoted value that is an expression: `self.password`, `config::TOKEN`, `a->b`.
fn is_code(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let is_path = |separator: &str| {
        text.contains(separator)
            && text.split(separator).all(|part| {
                !part.is_empty()
                    && !part.starts_with(|c: char| c.is_ascii_digit())
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
    };
    is_path(".") || is_path("::") || is_path("->") || text.ends_with('?') || text.contains('*')
}

/// Words joined by separators, such as a name or a path.
fn is_words(value: &[u8]) -> bool {
    value
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b' ' | b':' | b'@' | b','))
        .all(|part| {
            let letters = part
                .iter()
                .filter(|byte| byte.is_ascii_alphabetic())
                .count();
            letters == part.len() || (part.len() <= 4 && letters == 0)
        })
}

/// A date, an address, a path, a version.
fn is_structured(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.contains("://")
        || text.starts_with('/')
        || text.starts_with("./")
        || text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_word_has_its_normalised_form() {
        for word in KEY_WORDS {
            assert!(SECRET_WORDS.contains(&normalised(word).as_str()), "{word}");
        }
    }
}
