//! Cards and bank accounts.

use std::ops::Range;

use super::Speaker;
use super::checksum::{Proof, luhn, number, remainder_97, weighted};
use super::kind::Kind;
use super::shape::Recogniser;
use super::sweep::{Sweep, is_free};
use crate::bytes::{at, before, count_while, slice};
use crate::collect::{Hit, Hits};

pub(super) const RECOGNISERS: &[Recogniser] = &[
    Recogniser {
        kind: Kind::PaymentCard,
        strong: &[
            "00000000000000",
            "000000000000000",
            "0000000000000000",
            "0000 0000 0000 0000",
            "0000-0000-0000-0000",
            "0000.0000.0000.0000",
            "0000 000000 00000",
            "0000-000000-00000",
            "0000 000000 0000",
            "0000-000000-0000",
            "0000 0000 0000 0000 000",
            "0000-0000-0000-0000-000",
            "0000 0000 0000 0000 00",
            "000000 0000000000000",
        ],
        weak: &[
            "0000000000000",
            "00000000000000000",
            "000000000000000000",
            "0000000000000000000",
        ],
        words: &[
            "card",
            "cc number",
            "ccnum",
            "cc no",
            "pan",
            "visa",
            "mastercard",
            "maestro",
            "amex",
            "kreditkarte",
            "kartennummer",
            "tarjeta",
            "carte bancaire",
            "carta di credito",
            "cartao",
            "credit",
            "debit",
            "unionpay",
            "mir",
            "discover",
        ],
        check: card,
    },
    Recogniser {
        kind: Kind::UkBankAccount,
        strong: &[],
        weak: &["00-00-00 00000000", "000000 00000000"],
        words: &["sort code"],
        check: |_| Proof::Holds,
    },
    Recogniser {
        kind: Kind::UsRouting,
        strong: &[],
        weak: &["000000000", "0000-0000-0", "0000 0000 0"],
        words: &["routing", "aba", "aba rtn", "rtn", "transit number"],
        check: routing,
    },
];

/// Ranges of the first six digits, and the lengths that they give, from the issuers' own pages.
const ISSUERS: [(u64, u64, Range<usize>); 37] = [
    (220_000, 220_499, 16..20), // Mir
    (222_100, 272_099, 16..17), // Mastercard
    (300_000, 305_999, 14..17), // Diners Club
    (309_500, 309_599, 14..17), // Diners Club
    (340_000, 349_999, 15..16), // American Express
    (352_800, 358_999, 16..20), // JCB, with RuPay's 353 and 356
    (360_000, 369_999, 14..20), // Diners Club
    (370_000, 379_999, 15..16), // American Express
    (380_000, 399_999, 14..17), // Diners Club
    (400_000, 499_999, 16..17), // Visa, with Elo's ranges
    (400_000, 499_999, 13..14), // Visa
    (400_000, 499_999, 19..20), // Visa
    (501_800, 501_899, 16..20), // Maestro
    (501_900, 501_999, 16..17), // Dankort
    (502_000, 502_099, 16..20), // Maestro
    (503_800, 503_899, 16..20), // Maestro
    (504_175, 504_175, 16..17), // Elo
    (506_099, 506_198, 16..20), // Verve
    (506_699, 506_778, 16..17), // Elo
    (507_865, 507_964, 16..20), // Verve
    (508_500, 508_999, 16..17), // RuPay
    (509_000, 509_999, 16..17), // Elo
    (510_000, 559_999, 16..17), // Mastercard
    (589_300, 589_399, 16..20), // Maestro
    (601_100, 601_199, 16..20), // Discover
    (606_282, 606_282, 16..17), // Hipercard
    (606_985, 608_500, 16..17), // RuPay
    (620_000, 629_999, 16..20), // UnionPay
    (630_400, 630_499, 16..20), // Maestro
    (636_297, 636_368, 16..17), // Elo
    (639_000, 639_099, 16..20), // Maestro
    (644_000, 659_999, 16..20), // Discover, with RuPay, Elo, Troy and Verve
    (675_900, 676_399, 16..20), // Maestro
    (810_000, 829_999, 16..17), // UnionPay, RuPay
    (860_000, 860_099, 16..17), // Uzcard
    (970_400, 970_499, 16..20), // Napas
    (979_200, 979_299, 16..17), // Troy
];

/// The issuer's range and the length that it gives, and the check digit.
fn card(text: &[u8]) -> Proof {
    let prefix = number(text, 0..6);
    let is_issued = ISSUERS.iter().any(|(first, last, lengths)| {
        *first <= prefix && prefix <= *last && lengths.contains(&text.len())
    });
    // Fifteen digits of 1 to 5 are keys of a collation, not an account.
    let is_code = text.len() == 15 && text.iter().all(|byte| matches!(byte, b'1'..=b'5'));
    Proof::of(is_issued && luhn(text)).weak_if(is_code)
}

/// The routing number of the American Bankers Association: the district and the weights 3, 7, 1.
fn routing(text: &[u8]) -> Proof {
    let district = number(text, 0..2);
    let is_district = matches!(district, 1..=12 | 21..=32 | 61..=72 | 80);
    Proof::of(is_district && weighted(text, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10))
}

/// Takes an IBAN whose second check digit stands at a position. Answers whether there is one.
pub(super) fn iban_at(sweep: &mut Sweep<'_>, position: usize) -> bool {
    let bytes = sweep.bytes;
    let Some(start) = position.checked_sub(3) else {
        return false;
    };
    let is_country = at(bytes, start).is_ascii_alphabetic()
        && at(bytes, start + 1).is_ascii_alphabetic()
        && !before(bytes, start).is_ascii_alphanumeric();
    if !is_country {
        return false;
    }
    let country = [
        at(bytes, start).to_ascii_uppercase(),
        at(bytes, start + 1).to_ascii_uppercase(),
    ];
    let Some(structure) = structure_of(country) else {
        return false;
    };
    let length = 4 + structure
        .iter()
        .map(|(_, count)| usize::from(*count))
        .sum::<usize>();
    let mut text = [0_u8; IBAN_BYTES_MAX];
    let mut end = start;
    let mut has_lower = false;
    for index in 0..length {
        if index > 0 && index % 4 == 0 && matches!(at(bytes, end), b' ' | b'-') {
            end += 1;
        }
        let byte = at(bytes, end);
        if !byte.is_ascii_alphanumeric() {
            return false;
        }
        has_lower |= byte.is_ascii_lowercase();
        if let Some(to) = text.get_mut(index) {
            *to = byte.to_ascii_uppercase();
        }
        end += 1;
    }
    let text = slice(&text, 0..length);
    if at(bytes, end).is_ascii_alphanumeric() || !is_iban(text, structure) {
        return false;
    }
    if has_lower && sweep.context.kinds_at(start) & Kind::Iban.bit() == 0 {
        return false;
    }
    sweep.take(Kind::Iban, start..end, text, false);
    sweep.skip_to(end);
    true
}

/// What an account's number of a country is made of, and the remainder modulo 97 (ISO 13616).
fn is_iban(text: &[u8], structure: Structure) -> bool {
    let mut position = 4;
    let fits = structure.iter().all(|&(class, count)| {
        let count = usize::from(count);
        let fits = count_while(text, position, count, |byte| match class {
            Class::Digits => byte.is_ascii_digit(),
            Class::Letters => byte.is_ascii_uppercase(),
            Class::Both => true,
        }) == count;
        position += count;
        fits
    });
    let moved = text.iter().skip(4).chain(text.iter().take(4));
    fits && remainder_97(moved.copied()) == 1
}

/// Takes the business identifier codes (ISO 9362) that follow a word that announces them. They have
/// no check digits and need no digits, so that the sweep does not see them; only short texts are
/// looked through.
pub(super) fn bics(bytes: &[u8], field: &str, speaker: Speaker, hits: &mut Hits) {
    const TEXT_BYTES_MAX: usize = 16 * 1024;
    if bytes.len() > TEXT_BYTES_MAX {
        return;
    }
    if ends_of_bic_words(field.as_bytes()).next().is_some() {
        bic_after(bytes, 0, speaker, hits);
    }
    for end in ends_of_bic_words(bytes) {
        bic_after(bytes, end, speaker, hits);
    }
}

/// Where the words end that announce such a code; they are looked for by their rarest letters.
fn ends_of_bic_words(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let of = |word: &'static [u8], letter: usize| {
        let (small, capital) = (at(word, letter), at(word, letter).to_ascii_uppercase());
        memchr::memchr2_iter(small, capital, bytes).filter_map(move |found| {
            let start = found.checked_sub(letter)?;
            let end = start + word.len();
            let stands_free =
                !before(bytes, start).is_ascii_alphabetic() && !at(bytes, end).is_ascii_lowercase();
            let is_word = slice(bytes, start..end).eq_ignore_ascii_case(word);
            (is_word && stands_free).then_some(end)
        })
    };
    of(b"bic", 0).chain(of(b"swift", 1))
}

/// The first code within reach of its word.
fn bic_after(bytes: &[u8], from: usize, speaker: Speaker, hits: &mut Hits) {
    const REACH_BYTES: usize = 40;
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let mut position = from;
    while position < (from + REACH_BYTES).min(bytes.len()) {
        let length = count_while(bytes, position, 12, is_part);
        let span = position..position + length;
        if matches!(length, 8 | 11) && is_free(bytes, &span) && is_bic(slice(bytes, span.clone())) {
            hits.push(Hit {
                rule: speaker.rule,
                secret: slice(bytes, span.clone()).to_vec(),
                span,
                confidence: speaker.confidence,
            });
            return;
        }
        position += length.max(1);
    }
}

/// Four letters, a country with an IBAN or one of the great ones without, a place.
fn is_bic(text: &[u8]) -> bool {
    const OTHERS: [&[u8]; 16] = [
        b"AU", b"CA", b"CN", b"HK", b"ID", b"IN", b"JP", b"KR", b"MX", b"MY", b"NG", b"NZ", b"SG",
        b"TH", b"US", b"ZA",
    ];
    let country = slice(text, 4..6);
    let has_iban = country
        .first_chunk::<2>()
        .is_some_and(|country| structure_of(*country).is_some());
    text.iter().take(6).all(u8::is_ascii_uppercase) && (has_iban || OTHERS.contains(&country))
}

fn structure_of(country: [u8; 2]) -> Option<Structure> {
    let found = COUNTRIES.binary_search_by(|(code, _)| code.as_bytes().cmp(&country));
    COUNTRIES.get(found.ok()?).map(|(_, structure)| *structure)
}

/// Parts of an account's number: what they consist of, and how much of it.
type Structure = &'static [(Class, u8)];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    Both,
    Digits,
    Letters,
}

use Class::{Both as C, Digits as N, Letters as A};

const IBAN_BYTES_MAX: usize = 34;

/// The registry of ISO 13616, as published by SWIFT, in the order of the codes.
const COUNTRIES: &[(&str, Structure)] = &[
    ("AD", &[(N, 8), (C, 12)]),
    ("AE", &[(N, 19)]),
    ("AL", &[(N, 8), (C, 16)]),
    ("AT", &[(N, 16)]),
    ("AZ", &[(A, 4), (C, 20)]),
    ("BA", &[(N, 16)]),
    ("BE", &[(N, 12)]),
    ("BG", &[(A, 4), (N, 6), (C, 8)]),
    ("BH", &[(A, 4), (C, 14)]),
    ("BI", &[(N, 23)]),
    ("BR", &[(N, 23), (A, 1), (C, 1)]),
    ("BY", &[(C, 4), (N, 4), (C, 16)]),
    ("CH", &[(N, 5), (C, 12)]),
    ("CR", &[(N, 18)]),
    ("CY", &[(N, 8), (C, 16)]),
    ("CZ", &[(N, 20)]),
    ("DE", &[(N, 18)]),
    ("DJ", &[(N, 23)]),
    ("DK", &[(N, 14)]),
    ("DO", &[(C, 4), (N, 20)]),
    ("EE", &[(N, 16)]),
    ("EG", &[(N, 25)]),
    ("ES", &[(N, 20)]),
    ("FI", &[(N, 14)]),
    ("FK", &[(A, 2), (N, 12)]),
    ("FO", &[(N, 14)]),
    ("FR", &[(N, 10), (C, 11), (N, 2)]),
    ("GB", &[(A, 4), (N, 14)]),
    ("GE", &[(A, 2), (N, 16)]),
    ("GI", &[(A, 4), (C, 15)]),
    ("GL", &[(N, 14)]),
    ("GR", &[(N, 7), (C, 16)]),
    ("GT", &[(C, 24)]),
    ("HN", &[(A, 4), (N, 20)]),
    ("HR", &[(N, 17)]),
    ("HU", &[(N, 24)]),
    ("IE", &[(A, 4), (N, 14)]),
    ("IL", &[(N, 19)]),
    ("IQ", &[(A, 4), (N, 15)]),
    ("IS", &[(N, 22)]),
    ("IT", &[(A, 1), (N, 10), (C, 12)]),
    ("JO", &[(A, 4), (N, 4), (C, 18)]),
    ("KW", &[(A, 4), (C, 22)]),
    ("KZ", &[(N, 3), (C, 13)]),
    ("LB", &[(N, 4), (C, 20)]),
    ("LC", &[(A, 4), (C, 24)]),
    ("LI", &[(N, 5), (C, 12)]),
    ("LT", &[(N, 16)]),
    ("LU", &[(N, 3), (C, 13)]),
    ("LV", &[(A, 4), (C, 13)]),
    ("LY", &[(N, 21)]),
    ("MC", &[(N, 10), (C, 11), (N, 2)]),
    ("MD", &[(C, 20)]),
    ("ME", &[(N, 18)]),
    ("MK", &[(N, 3), (C, 10), (N, 2)]),
    ("MN", &[(N, 16)]),
    ("MR", &[(N, 23)]),
    ("MT", &[(A, 4), (N, 5), (C, 18)]),
    ("MU", &[(A, 4), (N, 19), (A, 3)]),
    ("NI", &[(A, 4), (N, 20)]),
    ("NL", &[(A, 4), (N, 10)]),
    ("NO", &[(N, 11)]),
    ("OM", &[(N, 3), (C, 16)]),
    ("PK", &[(A, 4), (C, 16)]),
    ("PL", &[(N, 24)]),
    ("PS", &[(A, 4), (C, 21)]),
    ("PT", &[(N, 21)]),
    ("QA", &[(A, 4), (C, 21)]),
    ("RO", &[(A, 4), (C, 16)]),
    ("RS", &[(N, 18)]),
    ("RU", &[(N, 14), (C, 15)]),
    ("SA", &[(N, 2), (C, 18)]),
    ("SC", &[(A, 4), (N, 20), (A, 3)]),
    ("SD", &[(N, 14)]),
    ("SE", &[(N, 20)]),
    ("SI", &[(N, 15)]),
    ("SK", &[(N, 20)]),
    ("SM", &[(A, 1), (N, 10), (C, 12)]),
    ("SO", &[(N, 19)]),
    ("ST", &[(N, 21)]),
    ("SV", &[(A, 4), (N, 20)]),
    ("TL", &[(N, 19)]),
    ("TN", &[(N, 20)]),
    ("TR", &[(N, 6), (C, 16)]),
    ("UA", &[(N, 6), (C, 19)]),
    ("VA", &[(N, 18)]),
    ("VG", &[(A, 4), (N, 16)]),
    ("XK", &[(N, 16)]),
    ("YE", &[(A, 4), (N, 4), (C, 18)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_told_by_prefix_and_length() {
        for valid in [
            "4111111111111111",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
        ] {
            assert_eq!(card(valid.as_bytes()), Proof::Holds, "{valid}");
        }
        for invalid in ["4111111111111112", "1700000000000000", "3782822463100050"] {
            assert_eq!(card(invalid.as_bytes()), Proof::Fails, "{invalid}");
        }
    }

    #[test]
    fn the_registry_is_in_order() {
        assert!(COUNTRIES.is_sorted_by_key(|(code, _)| *code));
        assert!(COUNTRIES.len() >= 80);
        for (code, structure) in COUNTRIES {
            let length = 4 + structure
                .iter()
                .map(|(_, count)| usize::from(*count))
                .sum::<usize>();
            assert!((15..=IBAN_BYTES_MAX).contains(&length), "{code}");
        }
    }
}
