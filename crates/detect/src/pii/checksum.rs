//! Check digits and dates: the arithmetic that tells an issued number from a chance one. Inputs are
//! ASCII digits, and letters where a function says so; anything else counts as some digit and is for
//! the caller's shape to refuse.

use std::ops::Range;

use crate::bytes::slice;

/// What a check says of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    /// It cannot have been issued.
    Fails,
    /// It could have been; so could an ordinary number. Only context decides.
    Weak,
    /// As good as its shape.
    Holds,
}

// === impl Proof ===

impl Proof {
    pub(super) const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }

    /// Demoted where something ordinary looks the same.
    pub(super) const fn weak_if(self, looks_ordinary: bool) -> Self {
        match self {
            Self::Holds if looks_ordinary => Self::Weak,
            other => other,
        }
    }
}

/// The value of a digit.
pub(super) fn digit(text: &[u8], index: usize) -> u32 {
    u32::from(crate::bytes::at(text, index).wrapping_sub(b'0') & 15)
}

/// The number that a range of digits is.
pub(super) fn number(text: &[u8], range: Range<usize>) -> u64 {
    slice(text, range).iter().fold(0_u64, |number, &byte| {
        number
            .wrapping_mul(10)
            .wrapping_add(u64::from(byte.wrapping_sub(b'0') & 15))
    })
}

/// The sum of the leading digits, each times its weight.
pub(super) fn weighted(text: &[u8], weights: &[u32]) -> u32 {
    text.iter()
        .zip(weights)
        .map(|(&byte, weight)| u32::from(byte.wrapping_sub(b'0') & 15) * weight)
        .sum()
}

/// Whether all bytes are the same: `000000000`, `1111111111`.
pub(super) fn is_repeated(text: &[u8]) -> bool {
    text.iter().all(|byte| Some(byte) == text.first())
}

/// The check digit of ISO/IEC 7812.
pub(super) fn luhn(text: &[u8]) -> bool {
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let sum: u32 = text
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &byte)| {
            let value = byte.wrapping_sub(b'0');
            if place % 2 == 0 {
                u32::from(value)
            } else {
                DOUBLED.get(usize::from(value)).copied().unwrap_or(0)
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO/IEC 7064, MOD 11,10: the hybrid system of German, Croatian and other tax numbers.
pub(super) fn iso_11_10(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let product = body.iter().fold(10_u32, |product, &byte| {
        let sum = (u32::from(byte.wrapping_sub(b'0') & 15) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(check.wrapping_sub(b'0') & 15)
}

/// ISO/IEC 7064, MOD 97-10, over digits and capital letters: the remainder.
pub(super) fn remainder_97(text: impl Iterator<Item = u8>) -> u32 {
    text.fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (remainder * 100 + u32::from(byte - b'A' + 10)) % 97,
        _ => remainder,
    })
}

/// Verhoeff's check digit: multiplication in the dihedral group of order 10.
pub(super) fn verhoeff(text: &[u8]) -> bool {
    const PERMUTED: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let product = text
        .iter()
        .rev()
        .enumerate()
        .fold(0, |left, (place, byte)| {
            let row = PERMUTED.get(place % 8);
            let right = row.and_then(|row| row.get(usize::from(byte.wrapping_sub(b'0') & 15)));
            dihedral(left, right.copied().unwrap_or(0))
        });
    product == 0
}

/// The product in the group of the pentagon: rotations 0 to 4, reflections 5 to 9.
const fn dihedral(left: u8, right: u8) -> u8 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right - 5) % 5,
        (false, true) => 5 + (left + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    }
}

/// The check digit of EAN: weights 1 and 3 from the left, for 13 digits.
pub(super) fn ean_13(text: &[u8]) -> bool {
    text.len() == 13 && weighted(text, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// Whether there is such a day in some year.
pub(super) const fn is_date(day: u64, month: u64) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    day >= 1 && day <= last
}

/// `DDMM` at the beginning of the range.
pub(super) fn is_day_month(text: &[u8], from: usize) -> bool {
    is_date(
        number(text, from..from + 2),
        number(text, from + 2..from + 4),
    )
}

/// `MMDD` at the beginning of the range.
pub(super) fn is_month_day(text: &[u8], from: usize) -> bool {
    is_date(
        number(text, from + 2..from + 4),
        number(text, from..from + 2),
    )
}

/// `YYYYMMDD` of our times, at the beginning.
pub(super) fn is_calendar_day(text: &[u8]) -> bool {
    matches!(number(text, 0..2), 19 | 20) && is_month_day(text, 4)
}

/// Whether four digits can be a time of day: what follows a date in the names of files.
pub(super) fn is_time(text: &[u8], from: usize) -> bool {
    number(text, from..from + 2) < 24 && number(text, from + 2..from + 4) < 60
}

/// Milliseconds since 1970 of our times.
pub(super) fn is_epoch_millis(text: &[u8]) -> bool {
    text.len() == 13 && matches!(number(text, 0..2), 12..=19)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        assert!(luhn(b"4111111111111111") && !luhn(b"4111111111111112"));
        // The product's row of Verhoeff's own example: 236 has the check digit 3.
        assert!(verhoeff(b"2363") && !verhoeff(b"2364") && !verhoeff(b"2633"));
        // 0794 has the check digit 5 by the standard's own example.
        assert!(iso_11_10(b"07945") && !iso_11_10(b"07946"));
        assert!(ean_13(b"4006381333931") && !ean_13(b"4006381333930"));
        assert_eq!(
            remainder_97(b"3214282912345698765432161182".iter().copied()),
            1
        );
    }

    #[test]
    fn every_single_error_changes_the_verdict() {
        let valid = b"2363";
        for place in 0..valid.len() {
            for digit in b'0'..=b'9' {
                let mut text = *valid;
                text[place] = digit;
                assert_eq!(verhoeff(&text), text == *valid);
            }
        }
    }

    #[test]
    fn dates() {
        assert!(is_day_month(b"2902", 0) && !is_day_month(b"3002", 0) && !is_day_month(b"0113", 0));
        assert!(is_month_day(b"1231", 0) && !is_month_day(b"0000", 0));
        assert!(is_time(b"2359", 0) && !is_time(b"2400", 0));
    }
}
