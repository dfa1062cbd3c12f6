//! The tests that a match has to pass after its pattern: checksums and structure, all offline.

use std::ops::Range;

use memchr::memmem;
use oktsec_model::Confidence;

use crate::bytes::{at, before};
use crate::decode;
use crate::rule::{Rule, Validator};
use crate::secret;

/// A match that passed.
pub(crate) struct Verdict {
    /// The secret in the form that is fingerprinted.
    pub(crate) secret: Vec<u8>,
    pub(crate) confidence: Confidence,
}

/// Runs the rule's validator, if it has one.
pub(crate) fn validate(
    rule: &Rule,
    bytes: &[u8],
    found: &Range<usize>,
    secret: &[u8],
) -> Option<Verdict> {
    let plain = |confidence| {
        Some(Verdict {
            secret: secret.to_vec(),
            confidence,
        })
    };
    match rule.validator {
        None => plain(rule.confidence),
        Some(Validator::AwsKeyId) => plain(aws_key_id(bytes, found, secret)),
        Some(Validator::BasicAuth) => {
            is_user_and_password(&decode::base64(secret)).then(|| plain(rule.confidence))?
        }
        Some(Validator::Jwt) => is_jwt(secret).then(|| plain(rule.confidence))?,
        Some(Validator::Pem) => Some(Verdict {
            secret: pem_normalised(secret),
            confidence: rule.confidence,
        }),
        Some(Validator::UrlPassword) => (!secret::is_placeholder(secret)
            && !is_usual_password(secret))
        .then(|| plain(rule.confidence))?,
    }
}

/// Any capital letter or digit may follow the prefix; the real alphabet is that of base32, and a
/// key stands by itself.
fn aws_key_id(bytes: &[u8], found: &Range<usize>, secret: &[u8]) -> Confidence {
    let is_free = !before(bytes, found.start).is_ascii_alphanumeric()
        && !at(bytes, found.end).is_ascii_alphanumeric();
    let is_base32 = secret
        .iter()
        .skip(4)
        .all(|b| b.is_ascii_uppercase() || matches!(b, b'2'..=b'7'));
    if is_free && is_base32 {
        Confidence::High
    } else {
        Confidence::Medium
    }
}

/// `user:password`, both printable.
fn is_user_and_password(decoded: &[u8]) -> bool {
    let is_text =
        std::str::from_utf8(decoded).is_ok_and(|text| !text.chars().any(char::is_control));
    let colon = decoded.iter().position(|&byte| byte == b':');
    is_text && colon.is_some_and(|colon| colon + 1 < decoded.len())
}

/// The header is a JSON object that names an algorithm.
fn is_jwt(token: &[u8]) -> bool {
    let header = token.split(|&byte| byte == b'.').next().unwrap_or_default();
    let header = decode::base64(header);
    header.starts_with(b"{")
        && header.ends_with(b"}")
        && memmem::find(&header, b"\"alg\"").is_some()
        && std::str::from_utf8(&header).is_ok()
}

/// The key without what depends on how it was written down.
fn pem_normalised(key: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = key
        .iter()
        .copied()
        .filter(|byte| byte.is_ascii_graphic() && *byte != b'\\')
        .collect();
    text.get(..text.len().min(2048))
        .unwrap_or_default()
        .to_vec()
}

/// What stands in every example of a database's address.
fn is_usual_password(password: &[u8]) -> bool {
    const USUAL: [&[u8]; 9] = [
        b"guest",
        b"mysql",
        b"pass",
        b"password",
        b"postgres",
        b"pwd",
        b"redis",
        b"root",
        b"secret",
    ];
    USUAL
        .iter()
        .any(|usual| password.eq_ignore_ascii_case(usual))
}
