//! Passports and vehicles: the machine readable lines of travel documents (ICAO 9303), and the
//! identification number of a vehicle (ISO 3779).

use std::ops::Range;

use super::checksum::Proof;
use super::kind::Kind;
use super::shape::Recogniser;
use super::sweep::Sweep;
use crate::bytes::{at, count_back, count_while, slice};

pub(super) const RECOGNISERS: &[Recogniser] = &[Recogniser {
    kind: Kind::Vin,
    strong: &[],
    weak: &["XXXXXXXXXXXXXXXXX"],
    words: &[
        "vin",
        "vehicle",
        "chassis",
        "fahrgestellnummer",
        "fin nr",
        "bastidor",
        "telaio",
    ],
    check: vin,
}];

/// The weights of ISO 3779's check digit, which stands in the ninth place.
fn vin(text: &[u8]) -> Proof {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let mut sum = 0;
    for (&byte, weight) in text.iter().zip(WEIGHTS) {
        let Some(value) = vin_value(byte) else {
            return Proof::Fails;
        };
        sum += value * weight;
    }
    let check = match at(text, 8) {
        b'X' => 10,
        byte => u32::from(byte.wrapping_sub(b'0')),
    };
    Proof::of(sum % 11 == check)
}

/// Letters count as digits; I, O and Q do not occur.
fn vin_value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'H' => byte - b'A' + 1,
        b'J'..=b'N' => byte - b'J' + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => byte - b'S' + 2,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Takes the machine readable line of which a token is a part.
pub(super) fn machine_readable(sweep: &mut Sweep<'_>, token: Range<usize>) {
    const LINE_BYTES_MAX: usize = 44;
    let bytes = sweep.bytes;
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<';
    let start = token.start - count_back(bytes, token.start, LINE_BYTES_MAX, is_part);
    let end = token.end + count_while(bytes, token.end, LINE_BYTES_MAX, is_part);
    let line = slice(bytes, start..end);
    let holds = match line.len() {
        44 => is_passport(line),
        36 => is_two_line_card(line),
        30 => is_three_line_card(line),
        _ => false,
    };
    if holds {
        sweep.take(Kind::PassportMrz, start..end, line, false);
        sweep.skip_to(end);
    }
}

/// The second line of a passport (part 4 of ICAO 9303).
fn is_passport(line: &[u8]) -> bool {
    has_check(line, 0..9) && has_dates(line, 13, 21) && {
        let parts = [0..10, 13..20, 21..43];
        composite(line, &parts) == u32::from(at(line, 43).wrapping_sub(b'0'))
    }
}

/// The second line of a card of two lines (part 6).
fn is_two_line_card(line: &[u8]) -> bool {
    has_check(line, 0..9) && has_dates(line, 13, 21) && {
        let parts = [0..10, 13..20, 21..35];
        composite(line, &parts) == u32::from(at(line, 35).wrapping_sub(b'0'))
    }
}

/// The first or the second of three lines (part 5); each has check digits of its own.
fn is_three_line_card(line: &[u8]) -> bool {
    let is_first = matches!(at(line, 0), b'A' | b'C' | b'I')
        && slice(line, 2..5).iter().all(u8::is_ascii_uppercase)
        && has_check(line, 5..14);
    is_first || has_dates(line, 0, 8) && slice(line, 15..18).iter().all(|b| !b.is_ascii_digit())
}

/// Birth and expiry, each with its check digit.
fn has_dates(line: &[u8], birth: usize, expiry: usize) -> bool {
    let is_date = |from: usize| {
        slice(line, from..from + 6).iter().all(u8::is_ascii_digit)
            && super::checksum::is_month_day(line, from + 2)
            && has_check(line, from..from + 6)
    };
    is_date(birth) && is_date(expiry)
}

fn has_check(line: &[u8], range: Range<usize>) -> bool {
    let check = at(line, range.end);
    check.is_ascii_digit()
        && composite(line, std::slice::from_ref(&range)) == u32::from(check - b'0')
}

/// The weights 7, 3 and 1 over all parts.
fn composite(line: &[u8], parts: &[Range<usize>]) -> u32 {
    let bytes = parts.iter().flat_map(|part| slice(line, part.clone()));
    let sum: u32 = bytes
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(&byte, weight)| weight * mrz_value(byte))
        .sum();
    sum % 10
}

fn mrz_value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_icao_9303() {
        assert!(is_passport(b"L898902C36UTO7408122F1204159ZE184226B<<<<<10"));
        assert!(!is_passport(
            b"L898902C36UTO7408122F1204159ZE184226B<<<<<11"
        ));
        assert!(is_three_line_card(b"I<UTOD231458907<<<<<<<<<<<<<<<"));
        assert!(is_three_line_card(b"7408122F1204159UTO<<<<<<<<<<<6"));
        assert!(!is_three_line_card(b"7408121F1204159UTO<<<<<<<<<<<6"));
    }

    #[test]
    fn vehicles() {
        assert_eq!(vin(b"1M8GDM9AXKP042788"), Proof::Holds);
        assert_eq!(vin(b"1M8GDM9A1KP042788"), Proof::Fails);
    }
}
