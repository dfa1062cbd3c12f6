//! The checks of European numbers of persons.

use crate::bytes::{at, slice};
use crate::pii::checksum::{
    Proof, digit, ean_13, is_calendar_day, is_date, is_day_month, is_month_day, is_repeated,
    is_time, luhn, number, weighted,
};

/// Modulo 11 (NHS data dictionary). Groups of 3, 3 and 4 are also those of North American phones.
pub(super) fn nhs(text: &[u8]) -> Proof {
    let check = match 11 - weighted(text, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        value => value,
    };
    let is_phone = at(text, 0) >= b'2' && at(text, 3) >= b'2';
    Proof::of(check == digit(text, 9) && !is_repeated(text)).weak_if(is_phone)
}

/// The letters that HMRC's manual NIM39110 allows.
pub(super) fn nino(text: &[u8]) -> Proof {
    let (first, second) = (at(text, 0), at(text, 1));
    let is_prefix = !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&[first, second]);
    Proof::of(is_prefix && matches!(at(text, 8), b'A'..=b'D'))
}

/// Area, date of birth, initial, serial number, check digit (Deutsche Rentenversicherung).
pub(super) fn pension(text: &[u8]) -> Proof {
    let letter = u32::from(at(text, 8).wrapping_sub(b'A')) + 1;
    let mut digits = [0_u32; 12];
    for (index, value) in digits.iter_mut().enumerate() {
        *value = match index {
            0..=7 => digit(text, index),
            8 => letter / 10,
            9 => letter % 10,
            _ => digit(text, index - 1),
        };
    }
    let sum: u32 = digits
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(value, weight)| value * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    Proof::of(sum % 10 == digit(text, 11) && is_day_month(text, 2))
}

/// The serial number of a German card or passport, with its check digit where it is given.
pub(super) fn ausweis(text: &[u8]) -> Proof {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    };
    let is_issued = b"CFGHJKLMNPRTVWXYZ".contains(&at(text, 0))
        && text
            .iter()
            .all(|b| b.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(b));
    let sum: u32 = text
        .iter()
        .take(9)
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(&byte, weight)| value(byte) * weight)
        .sum();
    let is_checked = text.len() == 9 || sum % 10 == digit(text, 9);
    Proof::of(is_issued && is_checked && at(text, text.len() - 1).is_ascii_digit())
}

const NIF_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// The letter is the remainder modulo 23. Eight digits may be a date.
pub(super) fn nif(text: &[u8]) -> Proof {
    Proof::of(has_nif_letter(number(text, 0..8), at(text, 8))).weak_if(is_calendar_day(text))
}

/// X, Y and Z count as 0, 1 and 2.
pub(super) fn nie(text: &[u8]) -> Proof {
    let first = at(text, 0);
    let value = u64::from(first.wrapping_sub(b'X')) * 10_000_000 + number(text, 1..8);
    Proof::of(matches!(first, b'X'..=b'Z') && has_nif_letter(value, at(text, 8)))
}

fn has_nif_letter(value: u64, letter: u8) -> bool {
    let index = usize::try_from(value % 23).unwrap_or(0);
    NIF_LETTERS.get(index) == Some(&letter)
}

/// The month's letter, the day (plus 40 for women), the check character (Agenzia delle Entrate).
pub(super) fn codice_fiscale(text: &[u8]) -> Proof {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let place = |byte: u8| match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        _ => usize::from(byte.wrapping_sub(b'A')),
    };
    let sum: u32 = text
        .iter()
        .take(15)
        .enumerate()
        .map(|(index, &byte)| {
            let even = u32::try_from(place(byte)).unwrap_or(0);
            if index % 2 == 0 {
                ODD.get(place(byte)).copied().unwrap_or(0)
            } else {
                even
            }
        })
        .sum();
    let is_day = matches!(number(text, 9..11), 1..=31 | 41..=71);
    let is_month = b"ABCDEHLMPRST".contains(&at(text, 8));
    let check = u32::from(at(text, 15).wrapping_sub(b'A'));
    Proof::of(is_day && is_month && sum % 26 == check)
}

/// Sex, month, and the key modulo 97; the departments of Corsica count as 19 and 18 (INSEE).
pub(super) fn nir(text: &[u8]) -> Proof {
    let (department, corsica) = match at(text, 6) {
        b'A' if at(text, 5) == b'2' => (19, true),
        b'B' if at(text, 5) == b'2' => (18, true),
        b'0'..=b'9' => (number(text, 5..7), false),
        _ => return Proof::Fails,
    };
    let month = number(text, 3..5);
    let is_person = matches!(at(text, 0), b'1' | b'2' | b'3' | b'4' | b'7' | b'8')
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && (corsica || department != 0);
    let body = (number(text, 0..5) * 100 + department) * 1_000_000 + number(text, 7..13);
    // Fifteen digits of 1 to 5 are keys of a collation.
    let is_code = text.iter().all(|byte| matches!(byte, b'1'..=b'5'));
    // Rare: provisional numbers, and months that nobody knows.
    let is_rare = !matches!(at(text, 0), b'1' | b'2') || month > 42;
    Proof::of(is_person && 97 - body % 97 == number(text, 13..15)).weak_if(is_code || is_rare)
}

/// The date and the check character modulo 31 (Digital and Population Data Services Agency).
pub(super) fn hetu(text: &[u8]) -> Proof {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let has_letter = text.len() == 11;
    if has_letter && !b"ABCDEFUVWXY".contains(&at(text, 6)) {
        return Proof::Fails;
    }
    let serial = if has_letter { 7 } else { 6 };
    let value = number(text, 0..6) * 1000 + number(text, serial..serial + 3);
    let index = usize::try_from(value % 31).unwrap_or(0);
    let is_checked = CHECKS.get(index) == text.last();
    let looks_ordinary = at(text, 9).is_ascii_digit() && !has_letter && is_time(text, 6);
    let is_person = number(text, serial..serial + 3) >= 2;
    Proof::of(is_checked && is_person && is_day_month(text, 0)).weak_if(looks_ordinary)
}

/// Luhn over ten digits; the day may be 60 more. A date and a time of day look alike.
pub(super) fn personnummer(text: &[u8]) -> Proof {
    let is_long = text.len() == 12;
    let short = slice(text, text.len().saturating_sub(10)..text.len());
    let day = number(short, 4..6);
    let is_day = is_date(if day > 60 { day - 60 } else { day }, number(short, 2..4));
    let is_century = !is_long || matches!(number(text, 0..2), 19 | 20);
    Proof::of(is_day && is_century && luhn(short)).weak_if(is_time(short, 6))
}

/// Two check digits modulo 11 (Skatteetaten); D-numbers have 40 more days, others 40 more months.
pub(super) fn fodselsnummer(text: &[u8]) -> Proof {
    let (day, month) = (number(text, 0..2), number(text, 2..4));
    let is_day = is_date(
        if day > 40 { day - 40 } else { day },
        if month > 40 { month - 40 } else { month },
    );
    let first = weighted(text, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted(text, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    Proof::of(is_day && first.is_multiple_of(11) && second.is_multiple_of(11))
}

/// The date; the old check digit is no longer kept (CPR-kontoret).
pub(super) fn cpr(text: &[u8]) -> Proof {
    Proof::of(is_day_month(text, 0) && number(text, 6..10) != 0)
}

/// The date, whose month tells the century, and the check digit (gov.pl).
pub(super) fn pesel(text: &[u8]) -> Proof {
    let is_day = is_date(number(text, 4..6), number(text, 2..4) % 20);
    let sum = weighted(text, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    Proof::of(is_day && sum.is_multiple_of(10))
}

/// The test of eleven, in which the last digit counts minus one.
pub(super) fn bsn(text: &[u8]) -> Proof {
    let sum = weighted(text, &[9, 8, 7, 6, 5, 4, 3, 2, 10]);
    Proof::of(sum.is_multiple_of(11) && !is_repeated(text))
}

/// Modulo 97, with a 2 before it for those born since 2000; the month may be 20 or 40 more.
pub(super) fn belgian(text: &[u8]) -> Proof {
    let body = number(text, 0..9);
    let key = number(text, 9..11);
    let month = number(text, 2..4) % 20;
    let is_day = month <= 12 && number(text, 4..6) <= 31;
    let is_checked = 97 - body % 97 == key || 97 - (2_000_000_000 + body) % 97 == key;
    Proof::of(is_day && is_checked)
}

/// The check digit is the fourth (Österreichische Sozialversicherung).
pub(super) fn austrian(text: &[u8]) -> Proof {
    let sum = weighted(text, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let is_day = is_day_month(text, 4) || matches!(number(text, 6..8), 13..=15);
    Proof::of(at(text, 0) != b'0' && is_day && sum % 11 == digit(text, 3))
}

/// Modulo 23, in which a second letter counts nine times (Department of Social Protection).
pub(super) fn pps(text: &[u8]) -> Proof {
    let place = |byte: u8| match byte {
        b'W' | 0 => 0,
        _ => u32::from(byte.wrapping_sub(b'A')) + 1,
    };
    let sum = weighted(slice(text, 0..7), &[8, 7, 6, 5, 4, 3, 2]) + place(at(text, 8)) * 9;
    Proof::of(sum % 23 == place(at(text, 7)) && matches!(at(text, 8), 0 | b'A'..=b'I' | b'W'))
}

/// A multiple of 11; the month is 50 more for women, and may be 20 more.
pub(super) fn rodne_cislo(text: &[u8]) -> Proof {
    let month = number(text, 2..4) % 50;
    let month = if month > 20 { month - 20 } else { month };
    let value = number(text, 0..10);
    let is_old = number(text, 0..9) % 11 == 10 && at(text, 9) == b'0';
    Proof::of(is_date(number(text, 4..6), month) && (value.is_multiple_of(11) || is_old))
}

/// Odd places three times, even ones seven times (NEAK).
pub(super) fn taj(text: &[u8]) -> Proof {
    let sum = weighted(slice(text, 0..8), &[3, 7, 3, 7, 3, 7, 3, 7]);
    Proof::of(sum % 10 == digit(text, 8) && !is_repeated(text))
}

/// Sex and century, date, county, check digit.
pub(super) fn cnp(text: &[u8]) -> Proof {
    let rest = weighted(text, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if rest == 10 { 1 } else { rest };
    let is_person = matches!(at(text, 0), b'1'..=b'9')
        && is_month_day(text, 3)
        && matches!(number(text, 7..9), 1..=52 | 70);
    Proof::of(is_person && check == digit(text, 12) && !ean_13_of_retail(text))
}

/// Articles of trade have thirteen digits too; those with a prefix of books are surely no persons.
fn ean_13_of_retail(text: &[u8]) -> bool {
    matches!(number(text, 0..3), 978 | 979) && ean_13(text)
}

/// The month is 20 more before 1900 and 40 more since 2000 (GRAO).
pub(super) fn egn(text: &[u8]) -> Proof {
    let is_day = is_date(number(text, 4..6), number(text, 2..4) % 20);
    let rest = weighted(text, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    Proof::of(is_day && rest == digit(text, 9))
}

/// The date and Luhn (IDIKA).
pub(super) fn amka(text: &[u8]) -> Proof {
    Proof::of(is_day_month(text, 0) && luhn(text))
}

/// Estonia's and Lithuania's: sex and century, date, and a check digit in two attempts.
pub(super) fn baltic(text: &[u8]) -> Proof {
    let first = weighted(text, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(text, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = match (first, second) {
        (10, 10) => 0,
        (10, second) => second,
        (first, _) => first,
    };
    let is_person = matches!(at(text, 0), b'1'..=b'8') && is_month_day(text, 3);
    Proof::of(is_person && check == digit(text, 10))
}

/// The date, the century and the check digit; the codes since 2017 begin with 32 and have neither.
pub(super) fn latvian(text: &[u8]) -> Proof {
    let sum = weighted(text, &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let is_old = is_day_month(text, 0)
        && matches!(at(text, 6), b'0'..=b'2')
        && (1101 - sum) % 11 == digit(text, 10);
    if text.starts_with(b"32") {
        Proof::Weak
    } else {
        Proof::of(is_old)
    }
}

/// The date (companies: 40 more days), the check digit, the century (Registers Iceland).
pub(super) fn kennitala(text: &[u8]) -> Proof {
    let day = number(text, 0..2);
    let is_day = is_date(if day > 40 { day - 40 } else { day }, number(text, 2..4));
    let sum = weighted(text, &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let is_century = matches!(at(text, 9), b'0' | b'8' | b'9');
    Proof::of(is_day && is_century && sum.is_multiple_of(11)).weak_if(is_time(text, 6))
}
