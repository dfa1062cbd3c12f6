//! `name = value` in any notation: shell, source code, YAML, JSON, XML, INI, query, a call. The scanner
//! finds a key's word; this finds the key around it, and the value that the key is given. Whether
//! that is a secret is for others to judge (`secret.rs`, the rules).

use std::ops::Range;

use crate::bytes::{at, count_back, count_while, slice};
use crate::secret;

mod apart;
mod reader;

use reader::Reader;

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
    "key",
    "license-key",
    "master-key",
    "pass-code",
    "pass-phrase",
    "passwd",
    "password",
    "pat",
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
const VALUE_BYTES_MAX: usize = 512;

// === impl Key ===

impl Key {
    /// The key that holds a position. `last` is the one that was looked at before: where one value
    /// holds many keys, its end is not looked for each time.
    pub(crate) fn around(bytes: &[u8], position: usize, last: Option<&Self>) -> Self {
        let start = position - count_back(bytes, position, KEY_BYTES_MAX, is_key);
        let mut end = position + count_while(bytes, position, KEY_BYTES_MAX, is_key);
        end += words_after(bytes, end);
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
        return ["=", ":", "\"", "'", " ", "_", "-", ".", "]", ",", "<", ">"]
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

/// The length of the words that belong to a key which is written as prose: `Acme access token`.
fn words_after(bytes: &[u8], start: usize) -> usize {
    const WORDS_MAX: usize = 3;
    const WORD_BYTES_MAX: usize = 8;
    const WORDS: [&[u8]; 13] = [
        b"access",
        b"account",
        b"api",
        b"app",
        b"auth",
        b"client",
        b"key",
        b"password",
        b"private",
        b"secret",
        b"service",
        b"signing",
        b"token",
    ];
    let mut end = start;
    for _ in 0..WORDS_MAX {
        if at(bytes, end) != b' ' {
            break;
        }
        let length = count_while(bytes, end + 1, WORD_BYTES_MAX + 1, is_key);
        let word = slice(bytes, end + 1..end + 1 + length);
        if !WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            break;
        }
        end += 1 + length;
    }
    end - start
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
    // `Token token=abc`, as some write it.
    let name = slice(bytes, start + 1..start + 7);
    let has_name = name.eq_ignore_ascii_case(b"token=");
    let start = start + 1 + if has_name { name.len() } else { 0 };
    let end = start + count_while(bytes, start, VALUE_BYTES_MAX, |byte| !ends(byte));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<&str> {
        let position = text.to_ascii_lowercase().find("token")?;
        let key = Key::around(text.as_bytes(), position, None);
        text.get(key.assignment?.value)
    }

    /// All give `token` the value `abc`.
    const NOTATIONS: &[&str] = &[
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
        "token: Token token=abc",
        "the token is abc",
        "x = env.TOKEN || 'abc'",
        "env(\"TOKEN\") ?? \"abc\"",
        "environ.get('TOKEN') or 'abc'",
        "$ENV{TOKEN} = 'abc';",
        "${TOKEN:-abc}",
        "Dim token As String = \"abc\"",
        "string Token { get; set; } = \"abc\";",
        "token = String::from(\"abc\")",
        "token: Some(\"abc\".to_string())",
        "token = []byte(\"abc\")",
        "\"token\": [\"abc\"]",
        "token{\"abc\"}",
        "token = [[abc]]",
        "*token = @\"abc\";",
        "field \"TOKEN\", \"\\\"abc\\\"\"",
        "<meta name=\"token\" content=\"abc\">",
        "Set `TOKEN` to `abc`",
        "| TOKEN | abc |",
        "token -> abc",
        "token [abc] rejected",
        "TOKEN,abc",
        "?x=1&token=abc&y=2",
        "ENV['TOKEN'] ||= 'abc'",
        "TOKEN ?= abc",
        "process.env.TOKEN || 'abc'",
        "process.env.TOKEN ?? \"abc\"",
        "buildConfigField(\"String\", \"TOKEN\", \"\\\"abc\\\"\")",
        "var Token string = `abc`",
        "variable \"token\" {\n  type = string\n  default = \"abc\"\n}",
        "resource \"x\" \"token\" {\n  type  = \"SecureString\"\n  value = \"abc\"\n}",
        "- {name: TOKEN, value: \"abc\"}",
        "<string name=\"token\">abc</string>",
        "<key>Token</key>\n\t<string>abc</string>",
        "<name>token</name><value>abc</value>",
        "- **Acme token**: abc",
        "**Token:** abc",
        "| Acme token | abc |",
        "name,token,created\nprod,abc,2026-01-02\n",
        "\"token\",\"id\"\r\n\"abc\",\"7\"",
        "INSERT INTO t (id, token) VALUES (7, 'abc');",
    ];

    #[test]
    fn values_are_found_in_every_notation() {
        for text in NOTATIONS {
            assert_eq!(value(text), Some("abc"), "{text}");
        }
        for text in [
            "token == other",
            "Token::new(abc)",
            "token)",
            "tokens, good",
            "token || other",
            "(token, other)\nabc, def",
            "    call(\n        token,\n        other,\n    )",
            "a, token, b\nc, d",
            "\"token\" {\n  value\n}",
            "a | token | b",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn short_words_are_looked_for_before_all_that_may_follow() {
        for text in ["pwd,id\n1,2\n", "<pwd>x</pwd>", "pwd=x", "\"pwd\": 1"] {
            let is_found = spellings("pwd").iter().any(|word| text.contains(word));
            assert!(is_found, "{text}");
        }
    }

    #[test]
    fn words_of_prose_belong_to_a_key() {
        for (text, key) in [
            ("Token api key: abc", "tokenapikey"),
            ("token Secret is abc", "tokensecret"),
            ("token keyword: abc", "token"),
        ] {
            let found = Key::around(text.as_bytes(), 0, None).assignment;
            let found = found.map(|assignment| assignment.key);
            assert_eq!(found.as_deref().unwrap_or("token"), key, "{text}");
        }
        let command = Key::around(b"ENV TOKEN abc", 4, None).assignment;
        assert_eq!(
            command.map(|found| found.notation),
            Some(Notation::Explicit)
        );
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
