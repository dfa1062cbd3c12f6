//! Identity and tax numbers of the Americas.

use std::ops::Range;

use super::checksum::{
    Proof, digit, is_calendar_day, is_month_day, is_repeated, luhn, number, weighted,
};
use super::kind::Kind;
use super::shape::Recogniser;
use super::sweep::{Sweep, is_free};
use crate::bytes::{at, slice};

pub(super) const RECOGNISERS: &[Recogniser] = &[
    Recogniser {
        kind: Kind::UsSsn,
        strong: &["000-00-0000"],
        weak: &["000000000", "000 00 0000"],
        words: &[
            "ssn",
            "social security",
            "soc sec",
            "seguro social",
            "ss no",
            "ss number",
        ],
        check: ssn,
    },
    Recogniser {
        kind: Kind::UsItin,
        strong: &["000-00-0000"],
        weak: &["000000000", "000 00 0000"],
        words: &[
            "itin",
            "individual taxpayer",
            "taxpayer id",
            "tax id",
            "tin",
        ],
        check: itin,
    },
    Recogniser {
        kind: Kind::UsEin,
        strong: &[],
        weak: &["00-0000000", "000000000"],
        words: &[
            "ein",
            "fein",
            "employer identification",
            "employer id",
            "federal tax id",
        ],
        check: ein,
    },
    Recogniser {
        kind: Kind::UsNpi,
        strong: &[],
        weak: &["0000000000"],
        words: &["npi", "national provider", "provider id", "provider number"],
        check: npi,
    },
    Recogniser {
        kind: Kind::UsDea,
        strong: &[],
        weak: &["AA0000000"],
        words: &["dea", "prescriber"],
        check: dea,
    },
    Recogniser {
        kind: Kind::UsPassport,
        strong: &[],
        weak: &["000000000", "A00000000"],
        words: &["passport"],
        check: |text| Proof::of(!is_repeated(text)),
    },
    Recogniser {
        kind: Kind::UsDriverLicence,
        strong: &[],
        weak: &[
            "A0000000",
            "A000000000000",
            "A00000000000",
            "A000-0000-0000",
            "A000-000-00-000-0",
            "A0000-00000-00000",
        ],
        words: &[
            "driver license",
            "driver licence",
            "drivers license",
            "drivers licence",
            "driver's license",
            "driver's licence",
            "driving licence",
            "dl number",
            "dl no",
            "dln",
        ],
        check: |text| Proof::of(!is_repeated(text)),
    },
    // Answered by `medicare`; here for its words.
    Recogniser {
        kind: Kind::UsMbi,
        strong: &[],
        weak: &[],
        words: &["mbi", "medicare", "beneficiary"],
        check: |_| Proof::Fails,
    },
    Recogniser {
        kind: Kind::CaSin,
        strong: &["000-000-000"],
        weak: &["000000000", "000 000 000"],
        words: &["sin", "social insurance", "assurance sociale", "nas"],
        check: |text| Proof::of(luhn(text) && at(text, 0) != b'8' && !is_repeated(text)),
    },
    Recogniser {
        kind: Kind::BrCpf,
        strong: &["000.000.000-00"],
        weak: &["00000000000", "000000000-00"],
        words: &["cpf", "cadastro de pessoa"],
        check: cpf,
    },
    Recogniser {
        kind: Kind::BrCnpj,
        strong: &["00.000.000/0000-00", "00000000/0000-00"],
        weak: &[],
        words: &["cnpj", "cadastro nacional"],
        check: |text| Proof::of(cnpj(text)),
    },
    Recogniser {
        kind: Kind::BrCnpj,
        strong: &["00000000000000"],
        weak: &[],
        words: &[],
        check: bare_cnpj,
    },
    Recogniser {
        kind: Kind::MxCurp,
        strong: &["AAAA000000AAAAAAX0"],
        weak: &[],
        words: &["curp"],
        check: curp,
    },
    Recogniser {
        kind: Kind::MxRfc,
        strong: &["AAAA000000XXX", "AAA000000XXX"],
        weak: &["AAAA-000000-XXX", "AAA-000000-XXX"],
        words: &["rfc", "contribuyente"],
        check: rfc,
    },
    Recogniser {
        kind: Kind::ArCuit,
        strong: &["00-00000000-0"],
        weak: &["00000000000"],
        words: &["cuit", "cuil"],
        check: cuit,
    },
    Recogniser {
        kind: Kind::ClRut,
        strong: &["00.000.000-0", "0.000.000-0", "00.000.000-A", "0.000.000-A"],
        weak: &[
            "00000000-0",
            "0000000-0",
            "00000000-A",
            "0000000-A",
            "000000000",
            "00000000A",
        ],
        words: &["rut", "rol unico", "rol único"],
        check: rut,
    },
];

/// Area, group and serial number, by the Social Security Administration's page on randomisation.
fn ssn(text: &[u8]) -> Proof {
    let (area, group, serial) = (number(text, 0..3), number(text, 3..5), number(text, 5..9));
    Proof::of(!matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0)
}

/// The ranges of the fourth and fifth digit, by the Internal Revenue Manual 3.21.263.
fn itin(text: &[u8]) -> Proof {
    let group = number(text, 3..5);
    let is_group = matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    Proof::of(at(text, 0) == b'9' && is_group)
}

/// The prefixes that the Internal Revenue Service assigns.
fn ein(text: &[u8]) -> Proof {
    let is_unassigned = matches!(
        number(text, 0..2),
        0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97
    );
    Proof::of(!is_unassigned && !is_repeated(text))
}

/// Luhn over the number with the prefix 80840, which adds 24 to the sum.
fn npi(text: &[u8]) -> Proof {
    const PREFIXED: usize = 15;
    let mut full = *b"808400000000000";
    for (to, from) in full.iter_mut().skip(PREFIXED - 10).zip(text) {
        *to = *from;
    }
    Proof::of(matches!(at(text, 0), b'1' | b'2') && luhn(&full))
}

/// The registrant's letter, and the check digit: odd places plus twice the even ones.
fn dea(text: &[u8]) -> Proof {
    let is_registrant = b"ABCDEFGHJKLMPRSTUX".contains(&at(text, 0));
    let sum = weighted(slice(text, 2..8), &[1, 2, 1, 2, 1, 2]);
    Proof::of(is_registrant && sum % 10 == digit(text, 8))
}

/// Takes a Medicare beneficiary identifier. It has no check digit; its dashes, or a word, decide.
pub(super) fn medicare(sweep: &mut Sweep<'_>, span: Range<usize>) {
    // The letters S, L, O, I, B and Z do not occur.
    const LETTERS: &[u8] = b"ACDEFGHJKMNPQRTUVWXY";
    const PATTERN: &[u8] = b"0AX0AX0AA00";
    let bytes = sweep.bytes;
    let found = slice(bytes, span.clone());
    let is_dashed = found.len() > PATTERN.len();
    if is_dashed && !(matches!(at(found, 4), b'-' | b' ') && at(found, 8) == at(found, 4)) {
        return;
    }
    let mut text = [0; PATTERN.len()];
    let kept = found.iter().filter(|byte| byte.is_ascii_alphanumeric());
    for (to, from) in text.iter_mut().zip(kept) {
        *to = *from;
    }
    let fits = PATTERN.iter().zip(text).all(|(class, byte)| match class {
        b'0' => byte.is_ascii_digit(),
        b'A' => LETTERS.contains(&byte),
        _ => byte.is_ascii_digit() || LETTERS.contains(&byte),
    });
    if !fits || at(&text, 0) == b'0' || !is_free(bytes, &span) {
        return;
    }
    let is_explained = sweep.context.kinds_at(span.start) & Kind::UsMbi.bit() != 0;
    if is_dashed || is_explained {
        sweep.skip_to(span.end);
        sweep.take(Kind::UsMbi, span, &text, is_dashed && is_explained);
    }
}

/// Two check digits modulo 11 (Receita Federal).
fn cpf(text: &[u8]) -> Proof {
    let check = |weights: &[u32]| match weighted(text, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let first = check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text, 9);
    let second = check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text, 10);
    Proof::of(first && second && !is_repeated(text))
}

/// Two check digits modulo 11 (Receita Federal).
fn cnpj(text: &[u8]) -> bool {
    let check = |weights: &[u32]| match weighted(text, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let first = check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text, 12);
    let second = check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text, 13);
    first && second && !is_repeated(text)
}

/// In one piece, only the number of a first branch is unlike any other number.
fn bare_cnpj(text: &[u8]) -> Proof {
    let is_first_branch = matches!(number(text, 8..12), 1..=9);
    Proof::of(cnpj(text)).weak_if(!is_first_branch || is_calendar_day(text))
}

/// Places in the alphabet of the Mexican registries, in which a letter stands between N and O.
fn mexican(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        b'O'..=b'Z' => u32::from(byte - b'O') + 25,
        _ => 24,
    }
}

/// The date, the sex, and the check digit (RENAPO).
fn curp(text: &[u8]) -> Proof {
    let sum: u32 = text
        .iter()
        .take(17)
        .zip((2..=18).rev())
        .map(|(&byte, weight)| mexican(byte) * weight)
        .sum();
    let is_person = matches!(at(text, 10), b'H' | b'M' | b'X') && is_month_day(text, 6);
    Proof::of(is_person && (10 - sum % 10) % 10 == digit(text, 17))
}

/// The date and the check character (SAT); companies have three letters, counted after a space.
fn rfc(text: &[u8]) -> Proof {
    let Some((check, body)) = text.split_last() else {
        return Proof::Fails;
    };
    let date_at = body.len().saturating_sub(8);
    let space = if body.len() == 11 { 37 * 13 } else { 0 };
    let weights = (2..=13_u32).rev().skip(12 - body.len());
    let sum: u32 = body
        .iter()
        .zip(weights)
        .map(|(&byte, weight)| mexican(byte) * weight)
        .sum();
    let expected = match 11 - (sum + space) % 11 {
        11 => b'0',
        10 => b'A',
        value => b"0123456789".get(value as usize).copied().unwrap_or(b'0'),
    };
    Proof::of(is_month_day(body, date_at + 2) && *check == expected)
}

/// The type and the check digit modulo 11 (AFIP).
fn cuit(text: &[u8]) -> Proof {
    let is_type = matches!(number(text, 0..2), 20 | 23..=27 | 30 | 33 | 34);
    let check = match 11 - weighted(text, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        value => value,
    };
    Proof::of(is_type && check == digit(text, 10))
}

/// Modulo 11 with weights from the right, K for ten (Registro Civil).
fn rut(text: &[u8]) -> Proof {
    let Some((check, body)) = text.split_last() else {
        return Proof::Fails;
    };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(&byte, weight)| u32::from(byte.wrapping_sub(b'0') & 15) * weight)
        .sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        value => b"0123456789".get(value as usize).copied().unwrap_or(b'0'),
    };
    Proof::of(*check == expected && !is_repeated(body))
}
