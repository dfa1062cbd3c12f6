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

/// The check digit of ISO/IEC 7812.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            match (place % 2, value * 2) {
                (0, _) => value,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The issuer's range and the length that it gives.
pub(crate) fn is_card_issuer(digits: &[u8]) -> bool {
    let prefix = |count: usize| {
        digits.iter().take(count).fold(0_u32, |number, &digit| {
            number * 10 + u32::from(digit.wrapping_sub(b'0'))
        })
    };
    let (two, three, four, six) = (prefix(2), prefix(3), prefix(4), prefix(6));
    match digits.len() {
        13 => prefix(1) == 4,
        14 => matches!(three, 300..=305) || four == 3095 || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        16..=19 => {
            let visa = prefix(1) == 4 && digits.len() != 17 && digits.len() != 18;
            let mastercard =
                digits.len() == 16 && (matches!(two, 51..=55) || matches!(four, 2221..=2720));
            let discover = four == 6011
                || two == 65
                || matches!(three, 644..=649)
                || matches!(six, 622_126..=622_925);
            let others = matches!(four, 3528..=3589)
                || two == 62
                || matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763);
            visa || mastercard || discover || others
        }
        _ => false,
    }
}

/// ISO 13616: the country's length and the remainder modulo 97. Expects no spaces.
pub(crate) fn is_iban(text: &[u8]) -> bool {
    let country = text.get(..2).unwrap_or_default();
    let length = IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country);
    if length.is_none_or(|(_, length)| *length != text.len()) {
        return false;
    }
    let moved = text.iter().skip(4).chain(text.iter().take(4));
    let remainder = moved.fold(0_u32, |remainder, &byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (remainder * 100 + u32::from(byte - b'A' + 10)) % 97,
        _ => 0,
    });
    remainder == 1
}

/// The length of an IBAN of a country, by the registry of ISO 13616.
pub(crate) fn iban_length(country: &[u8]) -> Option<usize> {
    IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)
        .map(|(_, length)| *length)
}

const IBAN_LENGTHS: [(&str, usize); 46] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("KW", 30),
    ("KZ", 20),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("SA", 24),
    ("SE", 24),
    ("TR", 26),
    ("UA", 29),
];

/// The rules of the Social Security Administration for area, group and serial number.
pub(crate) fn is_us_ssn(digits: &[u8]) -> bool {
    let number = |range: Range<usize>| {
        crate::bytes::slice(digits, range)
            .iter()
            .fold(0_u32, |number, &digit| {
                number * 10 + u32::from(digit.wrapping_sub(b'0'))
            })
    };
    let (area, group, serial) = (number(0..3), number(3..5), number(5..9));
    digits.len() == 9 && !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        for valid in [
            "4111111111111111",
            "378282246310005",
            "6011111111111117",
            "5555555555554444",
        ] {
            assert!(
                luhn(valid.as_bytes()) && is_card_issuer(valid.as_bytes()),
                "{valid}"
            );
        }
        assert!(!luhn(b"4111111111111112"));
        assert!(!is_card_issuer(b"1700000000000000"));
        for valid in [
            "DE89370400440532013000",
            "GB82WEST12345698765432",
            "NO9386011117947",
        ] {
            assert!(is_iban(valid.as_bytes()), "{valid}");
        }
        assert!(!is_iban(b"DE89370400440532013001"));
        assert!(!is_iban(b"XX89370400440532013000"));
        assert!(is_us_ssn(b"123456789"));
        for invalid in [
            "000121234",
            "666121234",
            "900121234",
            "123001234",
            "123450000",
        ] {
            assert!(!is_us_ssn(invalid.as_bytes()), "{invalid}");
        }
    }
}
