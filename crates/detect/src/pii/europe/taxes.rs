//! The checks of European numbers that tax offices give.

use crate::bytes::{at, slice};
use crate::pii::checksum::{
    Proof, digit, is_repeated, iso_11_10, luhn, number, remainder_97, weighted,
};

use super::persons;

/// The first digit is the check digit of the others (HMRC).
pub(super) fn utr(text: &[u8]) -> Proof {
    const CHECKS: [u32; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let rest = weighted(slice(text, 1..10), &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    Proof::of(CHECKS.get(rest as usize) == Some(&digit(text, 0)) && !is_repeated(text))
}

/// One of the first ten digits occurs twice or three times, the others once at most; the last is the
/// check digit of ISO 7064 (Bundeszentralamt für Steuern).
pub(super) fn steuer_id(text: &[u8]) -> Proof {
    let mut counts = [0_u8; 10];
    for &byte in text.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(byte.wrapping_sub(b'0'))) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let is_usual = repeated == 1 && counts.iter().all(|count| *count <= 3);
    Proof::of(at(text, 0) != b'0' && is_usual && iso_11_10(text))
}

/// The kind of company, and a check digit or letter (Agencia Tributaria).
pub(super) fn cif(text: &[u8]) -> Proof {
    let sum: u32 = (1..8)
        .map(|index| {
            let value = digit(text, index) * if index % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    let check = (10 - sum % 10) % 10;
    let letter = b"JABCDEFGHI".get(check as usize).copied().unwrap_or(0);
    let given = at(text, 8);
    let is_digit = u32::from(given.wrapping_sub(b'0')) == check;
    Proof::of(match at(text, 0) {
        b'A' | b'B' | b'E' | b'H' => is_digit,
        b'K' | b'N' | b'P' | b'Q' | b'R' | b'S' | b'W' => given == letter,
        b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => is_digit || given == letter,
        _ => false,
    })
}

/// Luhn and the office (Agenzia delle Entrate).
pub(super) fn partita_iva(text: &[u8]) -> Proof {
    let is_office = matches!(number(text, 7..10), 1..=100 | 120 | 121 | 888 | 999);
    Proof::of(is_office && luhn(text))
}

/// Modulo 11 (Ministerstwo Finansów).
pub(super) fn nip(text: &[u8]) -> Proof {
    let rest = weighted(text, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
    Proof::of(rest == digit(text, 9) && !is_repeated(text))
}

/// Modulo 11 and the kinds of taxpayers (Autoridade Tributária).
pub(super) fn nif_of_portugal(text: &[u8]) -> Proof {
    let check = match weighted(text, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let is_kind =
        matches!(number(text, 0..2), 10..=39 | 45 | 50..=69 | 70..=72 | 74..=79 | 80..=99);
    Proof::of(is_kind && check == digit(text, 8) && !is_repeated(text))
}

/// A VAT number with the prefix of its country (the European Commission's VIES).
pub(super) fn vat(text: &[u8]) -> Proof {
    let (country, rest) = (slice(text, 0..2), slice(text, 2..text.len()));
    let is_digits = rest.iter().all(u8::is_ascii_digit);
    let holds = match (country, rest.len()) {
        (b"AT", 9) => at(rest, 0) == b'U' && austrian(slice(rest, 1..9)),
        (b"NL", 12) => at(rest, 9) == b'B' && dutch(text),
        (b"ES", 9) => [persons::nif, persons::nie, cif]
            .iter()
            .any(|check| check(rest) != Proof::Fails),
        (b"IE", 8 | 9) => persons::pps(rest) == Proof::Holds,
        _ if !is_digits => false,
        (b"BE", 10) => 97 - number(rest, 0..8) % 97 == number(rest, 8..10),
        (b"DE", 9) | (b"HR", 11) => at(rest, 0) != b'0' && iso_11_10(rest),
        (b"DK", 8) => weighted(rest, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
        (b"EE", 9) => weighted(rest, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10),
        (b"EL" | b"GR", 9) => greek(rest),
        (b"FI", 8) => weighted(rest, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11),
        (b"FR", 11) => (12 + 3 * (number(rest, 2..11) % 97)) % 97 == number(rest, 0..2),
        (b"GB" | b"XI", 9) => british(rest),
        (b"HU", 8) => weighted(rest, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10),
        (b"IT", 11) => partita_iva(rest) == Proof::Holds,
        (b"LU", 8) => number(rest, 0..6) % 89 == number(rest, 6..8),
        (b"MT", 8) => weighted(rest, &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37),
        (b"PL", 10) => nip(rest) == Proof::Holds,
        (b"PT", 9) => nif_of_portugal(rest) == Proof::Holds,
        (b"SE", 12) => luhn(slice(rest, 0..10)) && rest.ends_with(b"01"),
        (b"SI", 8) => weighted(rest, &[8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
        (b"SK", 10) => number(rest, 0..10).is_multiple_of(11),
        _ => false,
    };
    Proof::of(holds && !is_repeated(rest))
}

fn austrian(digits: &[u8]) -> bool {
    let sum: u32 = (0..7)
        .map(|index| digit(digits, index) * if index % 2 == 1 { 2 } else { 1 })
        .map(|value| value / 10 + value % 10)
        .sum();
    digits.iter().all(u8::is_ascii_digit) && (10 - (sum + 4) % 10) % 10 == digit(digits, 7)
}

/// Modulo 97 over the whole for persons, the test of eleven for the rest.
fn dutch(text: &[u8]) -> bool {
    let digits = slice(text, 2..11);
    remainder_97(text.iter().copied()) == 1 || persons::bsn(digits) == Proof::Holds
}

fn greek(digits: &[u8]) -> bool {
    weighted(digits, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == digit(digits, 8)
}

fn british(digits: &[u8]) -> bool {
    let sum = u64::from(weighted(digits, &[8, 7, 6, 5, 4, 3, 2])) + number(digits, 7..9);
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}
