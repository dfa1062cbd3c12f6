//! `name = value` in any notation: shell, source code, YAML, JSON, XML, INI, query, a call. The scanner
//! finds a key's word; this finds the key around it, and the value that the key is given. Whether
//! that is a secret is for others to judge (`secret.rs`, the rules).

use std::ops::Range;

use crate::bytes::{at, before, count_back, count_while, slice};
use crate::secret;

/// A key in a text, and what it is given.
pub(crate) struct Key {
    pub(crate) range: Range<usize>,
    pub(crate) assignment: Option<Assignment>,
}

/// A key's value.
pub(crate) struct Assignment {
    pub(crate) value: Range<usize>,
    pub(crate) notation: Notation,
    pub(crate) is_quoted: bool,
    /// The key in lower case, without separators.
    key: String,
}

/// How sure it is that the value belongs to the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Notation {
    /// An operator, an argument, an element says so.
    Explicit,
    /// The value stands behind the key, with a space between them.
    Prose,
}

/// Words that keys of secrets contain. A hyphen stands where a separator may be.
pub(crate) const KEY_WORDS: &[&str] = &[
    "access-key",
    "account-key",
    "admin-key",
    "api-key",
    "app-key",
    "application-key",
    "auth-key",
    "authorization",
    "client-key",
    "consumer-key",
    "credential",
    "crypt-key",
    "deploy-key",
    "encryption-key",
    "hmac-key",
    "jwt-key",
    "license-key",
    "master-key",
    "pass-code",
    "pass-phrase",
    "passwd",
    "password",
    "private-key",
    "pwd",
    "secret",
    "server-key",
    "service-key",
    "shared-key",
    "signing-key",
    "storage-key",
    "subscription-key",
    "token",
    "webhook-key",
    "write-key",
];

const KEY_BYTES_MAX: usize = 64;
const SPACE_BYTES_MAX: usize = 8;
const INDENT_BYTES_MAX: usize = 32;
const VALUE_BYTES_MAX: usize = 512;

// === impl Key ===

impl Key {
    /// The key that holds a position. `last` is the one that was looked at before: where one value
    /// holds many keys, its end is not looked for each time.
    pub(crate) fn around(bytes: &[u8], position: usize, last: Option<&Self>) -> Self {
        let start = position - count_back(bytes, position, KEY_BYTES_MAX, is_key);
        let mut end = position + count_while(bytes, position, KEY_BYTES_MAX, is_key);
        // `api key`: the words of a key that is written as prose.
        for word in [b"key", b"Key", b"KEY"] {
            let next = slice(bytes, end + 1..end + 4);
            if at(bytes, end) == b' ' && next == word && !is_key(at(bytes, end + 4)) {
                end += 4;
            }
        }
        let open = last
            .and_then(|key| key.assignment.as_ref())
            .filter(|assignment| !assignment.is_quoted)
            .map_or(0..0, |assignment| assignment.value.clone());
        let reader = Reader { bytes, open };
        let assignment = reader
            .value_of(&(start..end))
            .map(|(value, is_quoted, notation)| {
                let key = String::from_utf8_lossy(slice(bytes, start..end));
                Assignment {
                    value: without_scheme(bytes, value),
                    notation,
                    is_quoted,
                    key: normalised(&key),
                }
            });
        Self {
            range: start..end,
            assignment,
        }
    }
}

// === impl Assignment ===

impl Assignment {
    /// Whether the key contains a normalised word.
    pub(crate) fn key_contains(&self, word: &str) -> bool {
        self.key.contains(word)
    }

    /// Whether this is a secret although no provider's name says so.
    pub(crate) fn is_generic_secret(&self, value: &[u8]) -> bool {
        secret::is_secret(&self.key, value, self.is_quoted, self.notation)
    }
}

/// A key in lower case, without separators.
pub(crate) fn normalised(key: &str) -> String {
    key.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The ways to write a word: each hyphen in it may be any separator, or none. Words of three letters
/// get what may follow them, since the prefilter looks for four bytes.
pub(crate) fn spellings(word: &str) -> Vec<String> {
    if !word.contains('-') {
        if word.len() >= crate::plan::LITERAL_BYTES_MIN {
            return vec![word.to_owned()];
        }
        return ["=", ":", "\"", "'", " ", "_", "-", ".", "]"]
            .iter()
            .map(|next| format!("{word}{next}"))
            .collect();
    }
    ["", "-", "_", ".", " "]
        .iter()
        .map(|separator| word.replace('-', separator))
        .collect()
}

/// What to look for to find the keys that contain a rule's word: as much of its beginning as says
/// something, in every spelling. A hyphen in the word is where a separator may stand; in a word
/// without one, it may stand before an ending that many keys share.
pub(crate) fn anchors(word: &str) -> Vec<String> {
    const LETTERS_MIN: usize = 5;
    if word.contains('-') {
        let mut end = 0;
        let mut letters = 0;
        for part in word.split_inclusive('-') {
            end += part.len();
            letters += part.trim_end_matches('-').len();
            if letters >= LETTERS_MIN {
                break;
            }
        }
        let start = word.get(..end).unwrap_or(word).trim_end_matches('-');
        return spellings(start);
    }
    let stem = stem_of(word);
    match word.get(stem.len()..stem.len() + 1) {
        Some(next) if stem.len() < LETTERS_MIN + 1 => spellings(&format!("{stem}-{next}")),
        _ => spellings(stem),
    }
}

/// A word without the endings that many keys share.
fn stem_of(word: &str) -> &str {
    const SHARED: [&str; 32] = [
        "access",
        "account",
        "admin",
        "agent",
        "api",
        "app",
        "application",
        "auth",
        "channel",
        "client",
        "code",
        "consumer",
        "dsn",
        "event",
        "id",
        "key",
        "license",
        "master",
        "pass",
        "password",
        "private",
        "project",
        "public",
        "secret",
        "server",
        "service",
        "sid",
        "signing",
        "token",
        "user",
        "webhook",
        "write",
    ];
    const BYTES_MIN: usize = 4;
    // An ending of two letters may belong to a name: `plaid`.
    let strip = |text: &'_ str| {
        SHARED.iter().find_map(|ending| {
            let length = text.strip_suffix(ending)?.len();
            (length >= BYTES_MIN || length == 3 && ending.len() > 3).then_some(length)
        })
    };
    let mut stem = word;
    while let Some(length) = strip(stem) {
        stem = stem.get(..length).unwrap_or(stem);
    }
    stem
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Reads values; `open` is an unquoted one whose end is known.
struct Reader<'a> {
    bytes: &'a [u8],
    open: Range<usize>,
}

// === impl Reader ===

impl Reader<'_> {
    /// The value that a key is given, whether it is quoted, and how sure that is.
    fn value_of(&self, key: &Range<usize>) -> Option<(Range<usize>, bool, Notation)> {
        let bytes = self.bytes;
        let explicit = |(value, is_quoted)| (value, is_quoted, Notation::Explicit);
        // The quote that closes the key, and the bracket that closes an index.
        let quotes = count_while(bytes, key.end, 2, |b| {
            matches!(b, b'\\' | b'"' | b'\'' | b'`')
        });
        let mut position = key.end + quotes;
        position += count_while(bytes, position, 1, |b| b == b']');
        let spaces = count_while(bytes, position, SPACE_BYTES_MAX, is_space);
        let next = position + spaces;
        if let Some(value) = after_operator(bytes, next) {
            let start =
                value + count_while(bytes, value, SPACE_BYTES_MAX, |b| is_space(b) || b == b'\n');
            return self.value_at(start).map(explicit);
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
                is_word.then_some((value, is_quoted, Notation::Prose))
            }
        }
    }

    /// The value of `value: …`, where a list of pairs names its keys.
    fn named_value(&self, position: usize) -> Option<(Range<usize>, bool)> {
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
    fn value_at(&self, position: usize) -> Option<(Range<usize>, bool)> {
        let bytes = self.bytes;
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
fn element(bytes: &[u8], start: usize) -> Option<(Range<usize>, bool)> {
    let length = count_while(bytes, start, VALUE_BYTES_MAX, |b| b != b'<' && b != b'\n');
    let is_closed = slice(bytes, start + length..start + length + 2) == b"</";
    (length > 0 && is_closed).then_some((start..start + length, true))
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

/// The credential behind the name of an authentication scheme.
fn without_scheme(bytes: &[u8], value: Range<usize>) -> Range<usize> {
    const SCHEMES: [&[u8]; 6] = [b"bearer", b"token", b"basic", b"apikey", b"bot", b"ssws"];
    let text = slice(bytes, value.clone());
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let is_scheme = SCHEMES
        .iter()
        .any(|scheme| slice(text, 0..length).eq_ignore_ascii_case(scheme));
    if !is_scheme {
        return value;
    }
    let start = value.start + length;
    if at(bytes, start) != b' ' {
        return value;
    }
    let ends = |b: u8| b.is_ascii_whitespace() || b"\"'`,;<>\\".contains(&b);
    let end = start + 1 + count_while(bytes, start + 1, VALUE_BYTES_MAX, |byte| !ends(byte));
    start + 1..end
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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<&str> {
        let position = text.to_ascii_lowercase().find("token")?;
        let key = Key::around(text.as_bytes(), position, None);
        text.get(key.assignment?.value)
    }

    #[test]
    fn values_are_found_in_every_notation() {
        for text in [
            "TOKEN=abc",
            "export MY_TOKEN='abc'",
            "{\"token\": \"abc\"}",
            "{\\\"token\\\":\\\"abc\\\"}",
            "config['token'] = \"abc\"",
            "token: &str = \"abc\"",
            "token := `abc`",
            "'token' => 'abc'",
            "client.setToken(\"abc\")",
            ".header(\"X-Token\", \"abc\")",
            "--token abc",
            "--token=abc",
            "<token>abc</token>",
            "{\"name\": \"TOKEN\",\n  \"value\": \"abc\"}",
            "- name: TOKEN\n  value: abc",
            "<add key=\"Token\" value=\"abc\"/>",
            "token: Bearer abc",
            "\"token\": \"Bearer abc\"",
            "the token is abc",
            "?x=1&token=abc&y=2",
        ] {
            assert_eq!(value(text), Some("abc"), "{text}");
        }
        for text in [
            "token == other",
            "Token::new(abc)",
            "token)",
            "tokens (good)",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn anchors_leave_out_what_keys_share() {
        for (word, anchor) in [
            ("hubspotapikey", "hubspot"),
            ("twilioauthtoken", "twilio"),
            ("new-relic-license-key", "newrelic"),
            ("cmc-pro-api-key", "cmcpro"),
            ("braintree-merchant-id", "braintree"),
            ("datadog", "datadog"),
            ("plaid", "plaid"),
            ("wizclientsecret", "wizc"),
            ("hereapikey", "herea"),
            ("token", "token"),
        ] {
            assert_eq!(anchors(word).first().map(String::as_str), Some(anchor));
        }
        assert!(anchors("hereapikey").contains(&"here_a".to_owned()));
        assert_eq!(
            spellings("api-key"),
            ["apikey", "api-key", "api_key", "api.key", "api key"]
        );
        assert!(spellings("pwd").iter().all(|text| text.len() == 4));
    }
}
