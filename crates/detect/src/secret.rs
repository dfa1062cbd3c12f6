//! Whether a value is a secret when only its key's name says so: tests of the name and of the value,
//! none of which a pattern could express.

use crate::assignment::Notation;
use crate::bytes::slice;
use crate::entropy::{is_random_looking, shannon_bits};

mod words;

use words::{BLANKS, HARMLESS_ENDINGS, HARMLESS_PARTS, OTHER_KEYS, SECRET_WORDS};

/// Longer values stand for themselves; looking at all of them would make many assignments in one
/// text cost more than the text is long.
const LOOKED_AT_BYTES_MAX: usize = 128;

/// Shorter values are taken for passwords only.
const SHORT_BYTES_MIN: usize = 12;

/// Whether a value is a secret by the name of its normalised key.
pub(crate) fn is_secret(key: &str, value: &[u8], is_quoted: bool, notation: Notation) -> bool {
    let value = slice(value, 0..value.len().min(LOOKED_AT_BYTES_MAX));
    if value.len() < 8 || !value.iter().all(u8::is_ascii_graphic) || has_escape(value) {
        return false;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    // What costs least and refuses most comes first.
    if letters == 0 || digits == 0 && !is_quoted && !is_random_looking(value) {
        return false;
    }
    let is_password = ["password", "passwd", "pwd", "passphrase", "passcode"]
        .iter()
        .any(|word| key.ends_with(word));
    let fits = match notation {
        Notation::Prose => {
            value.len() >= 20
                && digits >= 2
                && letters >= 3
                && is_random_looking(value)
                && !is_fingerprint(value)
        }
        Notation::Explicit if is_password => {
            let symbols = value.len() - digits - letters;
            (digits > 0 || symbols > 0 && is_quoted && !is_words(value) || is_random_looking(value))
                && shannon_bits(value) >= 2.5
        }
        Notation::Explicit => {
            let is_random = is_random_looking(value);
            let is_mixed = digits >= 2 && letters >= 2;
            let bits = shannon_bits(value);
            if value.len() >= 16 {
                // Few characters of hexadecimal digits repeat by chance.
                let is_plain = digits + letters == value.len();
                let bits_min = if is_random && is_plain { 3.0 } else { 3.3 };
                let is_even = digits == 0 || has_capitals(value);
                (is_mixed || is_random && is_even)
                    && bits >= bits_min
                    && (!is_words(value) || is_random)
            } else {
                value.len() >= SHORT_BYTES_MIN && is_mixed && bits >= 3.0 && is_random
            }
        }
    };
    fits && (is_password && notation == Notation::Explicit || !is_structured(value))
        && !is_version(value)
        && (is_quoted || !is_code(value))
        && (is_secret_key(key) || is_plain_key(key, value, notation))
        && !is_placeholder(value)
        && !names_secret(value, is_password)
}

/// Whether a letter of a value is written as an escape: what the value says is seen where that is undone.
fn has_escape(value: &[u8]) -> bool {
    let are_digits = |from: usize, count: usize| {
        let digits = slice(value, from..from + count);
        digits.len() == count && digits.iter().all(u8::is_ascii_hexdigit)
    };
    memchr::memchr_iter(b'\\', value).any(|at| match value.get(at + 1) {
        Some(b'u') => are_digits(at + 2, 4),
        Some(b'x') => are_digits(at + 2, 2),
        _ => false,
    })
}

/// Whether a value says, in lower case, whose signature a request to a cloud carries and what for:
/// `ID/20250101/region/service/aws4_request`. The id has rules of its own.
fn is_credential_scope(text: &str) -> bool {
    let text = text.replace("%2f", "/");
    let parts: Vec<&str> = text.split('/').collect();
    let [id, date, region, service, end] = parts[..] else {
        return false;
    };
    let is_name = |part: &str| {
        part.len() <= 24 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    matches!(end, "aws4_request" | "goog4_request")
        && date.len() == 8
        && date.bytes().all(|b| b.is_ascii_digit())
        && id.len() <= 64
        && [region, service].into_iter().all(is_name)
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
    const OPENS: [&str; 11] = [
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
    let value = slice(value, 0..value.len().min(LOOKED_AT_BYTES_MAX));
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    text.is_empty()
        || has_two_bytes_at_most(value)
        || CONSTANTS.contains(&text.as_str())
        || OPENS.iter().any(|open| text.starts_with(open))
        || is_variable(value)
        || is_credential_scope(&text)
        || text.contains("${")
        || text.contains("{{")
        || text.contains('•')
        || is_blank(value, &text)
}

/// `$NAME`, `${NAME}`, `$(command)`, `@NAME`, `%NAME%`: but not `$2b$10$…`, the hash of a password.
fn is_variable(value: &[u8]) -> bool {
    let is_template = matches!(value, [b'@' | b'%', rest @ ..]
        if rest.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'0'..=b'9' | b'_' | b'%' | b'@')));
    is_template
        || matches!(
            value,
            [b'$', b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'{' | b'(', ..]
        )
}

/// A word of a blank, with nothing random beside it: the word alone would let anyone pass a secret off
/// as an example.
fn is_blank(value: &[u8], text: &str) -> bool {
    const REST_BYTES_MIN: usize = 12;
    BLANKS.iter().any(|word| {
        text.find(word).is_some_and(|start| {
            let before = slice(value, 0..start);
            let after = slice(value, start + word.len()..value.len());
            [before, after]
                .iter()
                .all(|part| part.len() < REST_BYTES_MIN || !is_random_looking(part))
        })
    })
}

fn has_two_bytes_at_most(value: &[u8]) -> bool {
    let first = value.first();
    let second = value.iter().find(|byte| Some(*byte) != first);
    value
        .iter()
        .all(|byte| Some(byte) == first || Some(byte) == second)
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

/// The fingerprint of a public key in `OpenPGP`, as prose and plain keys name it.
fn is_fingerprint(value: &[u8]) -> bool {
    value.len() == 40
        && value
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

/// Whether a third of the letters at least are capitals: names in code have fewer.
fn has_capitals(value: &[u8]) -> bool {
    let letters = value
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let capitals = value
        .iter()
        .filter(|byte| byte.is_ascii_uppercase())
        .count();
    capitals * 3 >= letters
}

/// Whether a value that is only called a key, or ends in a word that may mean another thing, is random
/// enough to be one. Keys of tables and caches are mostly hashes and numbers of objects: where nothing
/// else is said of the key, its value must be neither.
fn is_plain_key(key: &str, value: &[u8], notation: Notation) -> bool {
    const BYTES_MIN: usize = 20;
    const DIGITS_MIN: usize = 3;
    // The beginnings of public keys and certificates: SSH's, and DER's in base64.
    const PUBLIC: [&[u8]; 6] = [b"AAAA", b"MFkw", b"MFYw", b"MCow", b"MIG", b"MII"];
    let Some(name) = key.strip_suffix("key").or_else(|| key.strip_suffix("pat")) else {
        return false;
    };
    let is_hash = || {
        value
            .iter()
            .all(|&byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    notation == Notation::Explicit
        && value.len() >= BYTES_MIN
        && is_random_looking(value)
        && (value.iter().filter(|byte| byte.is_ascii_digit()).count() >= DIGITS_MIN)
        && !PUBLIC.iter().any(|start| value.starts_with(start))
        && !is_fingerprint(value)
        && !OTHER_KEYS.iter().any(|other| name.ends_with(other))
        && (!name.is_empty() || !is_hash())
}

/// An unquoted value that is an expression: `self.password`, `config::TOKEN`, `a->b`.
fn is_code(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let is_path = |separator: &str| {
        text.contains(separator)
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && !text.split(separator).any(is_random_part)
            && text.split(separator).enumerate().all(|(index, part)| {
                let is_index =
                    index > 0 && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
                let is_name = !part.starts_with(|c: char| c.is_ascii_digit())
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                !part.is_empty() && (is_name || is_index)
            })
    };
    // A product, unless it looks like a password.
    let is_mixed = text.bytes().any(|b| b.is_ascii_uppercase())
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && text.bytes().any(|b| b.is_ascii_digit());
    let is_constant = || {
        text.contains('_')
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !is_random_looking(value)
    };
    is_path(".")
        || is_path("::")
        || is_path("->")
        || text.ends_with('?')
        || text.starts_with('.') && text.ends_with(')')
        || text.contains('*') && !is_mixed
        || is_constant()
        || text.contains('_') && is_words(value)
}

/// A part of a value that no name of a variable looks like.
fn is_random_part(part: &str) -> bool {
    const BYTES_MIN: usize = 16;
    part.len() >= BYTES_MIN && is_random_looking(part.as_bytes())
}

/// A name, a type, a variable of a program that says itself that it is one of a secret: `password1`,
/// `Ed25519PrivateKey`, `injectNpm2FaToken`. What is left of it is no secret.
fn names_secret(value: &[u8], is_password: bool) -> bool {
    const NAMES: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];
    const SHORT: [&str; 2] = ["auth", "key"];
    const REST_BYTES_MIN: usize = 12;
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    if !value.iter().all(is_name) {
        return false;
    }
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    // They are parts of ordinary words too, which people make passwords of: `Monkey2024`.
    let is_composed = !is_password || text.contains('_');
    let short = SHORT.iter().filter(|_| is_composed);
    NAMES.iter().chain(short).any(|name| {
        text.find(name).is_some_and(|start| {
            let before = slice(value, 0..start);
            let after = slice(value, start + name.len()..value.len());
            [before, after]
                .iter()
                .all(|part| part.len() < REST_BYTES_MIN || !is_random_looking(part))
        })
    }) && !is_random_looking(value)
}

/// `13.0.0-next.8`: a number of a version.
fn is_version(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b'.');
    let is_number =
        |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    is_number(parts.next())
        && is_number(parts.next())
        && parts
            .next()
            .is_some_and(|part| part.first().is_some_and(u8::is_ascii_digit))
}

/// Words joined by separators, such as a name or a path; a word may have a number in it.
fn is_words(value: &[u8]) -> bool {
    const WORD_BYTES_MAX: usize = 10;
    value
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b' ' | b':' | b'@' | b','))
        .all(|part| {
            let letters = part
                .iter()
                .filter(|byte| byte.is_ascii_alphabetic())
                .count();
            let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
            let is_numbered = (1..=4).contains(&digits)
                && letters >= 2
                && letters + digits == part.len()
                && part.len() <= WORD_BYTES_MAX
                && part
                    .split(|byte| !byte.is_ascii_digit())
                    .filter(|run| !run.is_empty())
                    .count()
                    == 1;
            letters == part.len() || (part.len() <= 4 && letters == 0) || is_numbered
        })
}

/// A date, an address, a path, a version.
fn is_structured(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    text.contains("://")
        || text.starts_with('/') && !text.split('/').any(is_random_part)
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
        for word in crate::assignment::KEY_WORDS {
            let normalised = crate::assignment::normalised(word);
            let is_plain = ["key", "pat"].contains(word);
            assert!(
                is_plain || SECRET_WORDS.contains(&normalised.as_str()),
                "{word}"
            );
        }
    }

    #[test]
    fn random_values_are_secrets_in_any_length_and_alphabet() {
        let is = |key, value: &str, is_quoted| {
            is_secret(key, value.as_bytes(), is_quoted, Notation::Explicit)
        };
        assert!(is("dbpassword", "WkNSExzIotFAliAm", false));
        assert!(!is("dbpassword", "somePasswordField", true));
        assert!(is("appsecret", "8j0ivsy9gYo5h4", false));
        assert!(!is("appsecret", "release-2026", true));
        assert!(is("apitoken", "v2.e50mTd356Lm0gDmzmnNm", false));
        assert!(!is("apitoken", "config2.token1", false));
        assert!(is("token", "/tmATHcoZ4i4L9FLTmQoX9cKq0cuuTIrJ", true));
        assert!(!is("token", "/usr/lib/x86_64-linux-gnu/v2", true));
        assert!(is("pushertoken", "d1614c9fb164644f67e8", true));
        assert!(is("token", "C7KsVtubUcZMydMywM-myvUiFhnSlo", false));
    }

    #[test]
    fn what_is_only_called_a_key_must_be_random() {
        let is = |key, value: &str| is_secret(key, value.as_bytes(), true, Notation::Explicit);
        assert!(is("splunkkey", "1074a38c-2e10-4175-84f9-22976fea7da3"));
        assert!(is("key", "hG3xWq81LmTz0vRk5NyBd2"));
        assert!(is(
            "azurepat",
            "qh1al4awqj2hpdnnt7krv24vf4m2q5njitfx0blmeoth4g4vdm0a"
        ));
        assert!(!is("key", "1074a38c-2e10-4175-84f9-22976fea7da3"));
        assert!(!is("key", "8f14e45fceea467fa6d52f1c1f3a9c11"));
        assert!(!is("cachekey", "8f14e45fceea467fa6d52f1c1f3a9c11"));
        assert!(!is(
            "releasekey",
            "19882D92DDA4C400C22C0D56CC2AF4472167BE03"
        ));
        assert!(!is("key", "PKCS7PrivateKeyTypes"));
        assert!(!is("key", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zM"));
        assert!(!is_secret(
            "signingkey",
            b"19882D92DDA4C400C22C0D56CC2AF4472167BE03",
            false,
            Notation::Prose
        ));
    }

    #[test]
    fn a_backslash_excuses_nothing() {
        let is = |value: &str| is_secret("apitoken", value.as_bytes(), true, Notation::Explicit);
        assert!(is(r"\uq3EGrVT5yLNz2WxCd8Kf"), "no escape");
        assert!(is(r"q3EGrVT5yLNz2W\nxCd8Kf0Hs6"), "no letter");
        assert!(!is(r"verschl\u00FCsselt1234"), "seen where it is undone");
    }

    #[test]
    fn names_are_no_secrets_and_words_with_a_key_in_them_are() {
        let is = |value: &str| is_secret("password", value.as_bytes(), true, Notation::Explicit);
        assert!(is("Monkey2024"));
        assert!(!is("password1"));
        assert!(!is("ssh2_auth_pubkey_file"));
    }

    #[test]
    fn blanks_do_not_excuse_what_stands_beside_them() {
        assert!(is_placeholder(b"your-api-key-here"));
        assert!(is_placeholder(b"xxxxxxxxxxxxxxxxxxxx"));
        assert!(!is_placeholder(b"example9f8Ka72LmQ0zXv81Ty"));
    }
}
