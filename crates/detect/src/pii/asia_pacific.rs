//! Identity and tax numbers of Asia, the Pacific, the Middle East and Africa.

use super::checksum::{
    Proof, digit, is_date, is_epoch_millis, is_month_day, is_repeated, luhn, number, verhoeff,
    weighted,
};
use super::kind::Kind;
use super::shape::Recogniser;
use crate::bytes::{at, slice};

pub(super) const RECOGNISERS: &[Recogniser] = &[
    Recogniser {
        kind: Kind::TrTckn,
        strong: &[],
        weak: &["00000000000"],
        words: &[
            "tckn",
            "tc kimlik",
            "t.c. kimlik",
            "kimlik no",
            "kimlik numarasi",
            "kimlik numarası",
        ],
        check: tckn,
    },
    Recogniser {
        kind: Kind::IlTeudatZehut,
        strong: &[],
        weak: &["000000000", "00000000-0"],
        words: &["teudat zehut", "zehut", "israeli id", "תעודת זהות", "ת.ז"],
        check: |text| Proof::of(luhn(text) && !is_repeated(text)),
    },
    Recogniser {
        kind: Kind::AeEmiratesId,
        strong: &["000-0000-0000000-0", "000000000000000"],
        weak: &["000 0000 0000000 0"],
        words: &["emirates id", "eid", "الهوية"],
        check: emirates,
    },
    Recogniser {
        kind: Kind::AuTfn,
        strong: &[],
        weak: &["000000000", "000 000 000", "000-000-000"],
        words: &["tfn", "tax file"],
        check: tfn,
    },
    Recogniser {
        kind: Kind::AuAbn,
        strong: &["00 000 000 000"],
        weak: &["00000000000"],
        words: &["abn", "australian business"],
        check: abn,
    },
    Recogniser {
        kind: Kind::AuMedicare,
        strong: &["0000 00000 0", "0000-00000-0"],
        weak: &["0000000000", "00000000000"],
        words: &["medicare"],
        check: australian_medicare,
    },
    Recogniser {
        kind: Kind::NzIrd,
        strong: &[],
        weak: &["00000000", "000000000", "00-000-000", "000-000-000"],
        words: &["ird", "inland revenue"],
        check: ird,
    },
    Recogniser {
        kind: Kind::NzNhi,
        strong: &[],
        weak: &["AAA0000"],
        words: &["nhi", "national health index"],
        check: nhi,
    },
    Recogniser {
        kind: Kind::InAadhaar,
        strong: &["0000 0000 0000", "0000-0000-0000"],
        weak: &["000000000000"],
        words: &["aadhaar", "aadhar", "adhaar", "uidai", "आधार"],
        check: aadhaar,
    },
    Recogniser {
        kind: Kind::InPan,
        strong: &["AAAAA0000A"],
        weak: &[],
        words: &["pan", "permanent account"],
        check: |text| Proof::of(is_pan(text)),
    },
    Recogniser {
        kind: Kind::InGstin,
        strong: &["00AAAAA0000AXAX"],
        weak: &[],
        words: &["gstin", "gst"],
        check: gstin,
    },
    Recogniser {
        kind: Kind::InVoterId,
        strong: &[],
        weak: &["AAA0000000"],
        words: &["voter", "epic", "electoral"],
        check: |text| Proof::of(!is_repeated(slice(text, 3..10))),
    },
    Recogniser {
        kind: Kind::KrRrn,
        strong: &["000000-0000000"],
        weak: &["0000000000000"],
        words: &["rrn", "resident registration", "주민등록번호", "주민번호"],
        check: rrn,
    },
    Recogniser {
        kind: Kind::JpMyNumber,
        strong: &[],
        weak: &["000000000000", "0000 0000 0000", "0000-0000-0000"],
        words: &[
            "my number",
            "individual number",
            "マイナンバー",
            "個人番号",
            "kojin bango",
        ],
        check: my_number,
    },
    Recogniser {
        kind: Kind::CnResidentId,
        strong: &["000000000000000000", "00000000000000000A"],
        weak: &[],
        words: &[
            "resident id",
            "身份证",
            "身份証",
            "id card",
            "identity card",
            "shenfenzheng",
        ],
        check: resident,
    },
    Recogniser {
        kind: Kind::TwNationalId,
        strong: &[],
        weak: &["A000000000"],
        words: &["taiwan", "national id", "身分證", "身份證", "統一編號"],
        check: taiwanese,
    },
    Recogniser {
        kind: Kind::HkId,
        strong: &["A000000(X)"],
        weak: &["A000000X", "AA000000(X)", "AA000000X"],
        words: &["hkid", "hong kong id", "identity card", "身份證"],
        check: hkid,
    },
    Recogniser {
        kind: Kind::SgNric,
        strong: &["A0000000A"],
        weak: &[],
        words: &["nric", "fin", "singapore"],
        check: nric,
    },
    Recogniser {
        kind: Kind::MyMykad,
        strong: &[],
        weak: &["000000-00-0000", "000000000000"],
        words: &[
            "mykad",
            "ic no",
            "ic number",
            "nric",
            "kad pengenalan",
            "no kp",
        ],
        check: mykad,
    },
    Recogniser {
        kind: Kind::ThNationalId,
        strong: &["0-0000-00000-00-0"],
        weak: &["0000000000000", "0 0000 00000 00 0"],
        words: &[
            "thai id",
            "thai national",
            "national id",
            "บัตรประชาชน",
            "เลขประจำตัว",
        ],
        check: thai,
    },
    Recogniser {
        kind: Kind::IdNik,
        strong: &[],
        weak: &["0000000000000000", "000000.000000.0000"],
        words: &["nik", "nomor induk", "ktp", "kependudukan"],
        check: nik,
    },
    Recogniser {
        kind: Kind::ZaId,
        strong: &["0000000000000", "000000 0000 000", "000000 0000 00 0"],
        weak: &[],
        words: &[
            "south african",
            "rsa id",
            "sa id",
            "id number",
            "identity number",
            "id no",
        ],
        check: south_african,
    },
    Recogniser {
        kind: Kind::NgNin,
        strong: &[],
        weak: &["00000000000", "0000 000 0000", "0000-000-0000"],
        words: &["nin", "national identification", "nimc"],
        check: |text| Proof::of(!is_repeated(text)),
    },
];

/// Two check digits (Nüfus ve Vatandaşlık İşleri).
fn tckn(text: &[u8]) -> Proof {
    let odd = weighted(text, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(text, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 100 - even) % 10;
    let eleventh = (odd + even + tenth) % 10;
    Proof::of(at(text, 0) != b'0' && tenth == digit(text, 9) && eleventh == digit(text, 10))
}

/// The country's number 784, the year of birth, Luhn.
fn emirates(text: &[u8]) -> Proof {
    let year = number(text, 3..7);
    Proof::of(text.starts_with(b"784") && matches!(year, 1900..=2099) && luhn(text))
}

/// Modulo 11 (Australian Taxation Office).
fn tfn(text: &[u8]) -> Proof {
    let sum = weighted(text, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    Proof::of(sum.is_multiple_of(11) && !is_repeated(text))
}

/// Modulo 89, the first digit less one (Australian Business Register).
fn abn(text: &[u8]) -> Proof {
    let sum = weighted(text, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    Proof::of(at(text, 0) != b'0' && (sum - 10).is_multiple_of(89))
}

/// The ninth digit is the check digit, the tenth the issue, an eleventh the person.
fn australian_medicare(text: &[u8]) -> Proof {
    let sum = weighted(slice(text, 0..8), &[1, 3, 7, 9, 1, 3, 7, 9]);
    let is_card = matches!(at(text, 0), b'2'..=b'6') && at(text, 9) != b'0';
    Proof::of(is_card && sum % 10 == digit(text, 8))
}

/// Modulo 11 with a second attempt (Inland Revenue).
fn ird(text: &[u8]) -> Proof {
    let value = number(text, 0..text.len());
    let body = value / 10;
    let sum = |weights: [u64; 8]| {
        let mut rest = body;
        weights.iter().rev().fold(0, |sum, weight| {
            let product = rest % 10 * weight;
            rest /= 10;
            sum + product
        })
    };
    let check = |sum: u64| match sum % 11 {
        0 => 0,
        rest => 11 - rest,
    };
    let first = check(sum([3, 2, 7, 6, 5, 4, 3, 2]));
    let expected = if first == 10 {
        check(sum([7, 4, 3, 2, 5, 2, 7, 6]))
    } else {
        first
    };
    Proof::of((10_000_000..=150_000_000).contains(&value) && expected == value % 10)
}

/// Modulo 11 over letters without I and O (Health New Zealand).
fn nhi(text: &[u8]) -> Proof {
    const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut sum = 0;
    for (&byte, weight) in text.iter().take(6).zip([7, 6, 5, 4, 3, 2]) {
        let letter = LETTERS.iter().position(|letter| *letter == byte);
        let value = match letter {
            Some(place) => u32::try_from(place).unwrap_or(0) + 1,
            None if byte.is_ascii_digit() => u32::from(byte - b'0'),
            None => return Proof::Fails,
        };
        sum += value * weight;
    }
    let rest = sum % 11;
    Proof::of(rest != 0 && (11 - rest) % 10 == digit(text, 6))
}

/// The first digit and the check digit (UIDAI). Rows of numbers repeat themselves.
fn aadhaar(text: &[u8]) -> Proof {
    let group = |index: usize| slice(text, index * 4..index * 4 + 4);
    let repeats = group(0) == group(1) || group(1) == group(2) || group(0) == group(2);
    Proof::of(at(text, 0) >= b'2' && verhoeff(text)).weak_if(repeats)
}

/// The fourth letter says whose number it is (Income Tax Department).
fn is_pan(text: &[u8]) -> bool {
    b"ABCFGHJLPT".contains(&at(text, 3)) && number(text, 5..9) != 0
}

/// The state, the PAN inside, and a check character modulo 36 (GST Network).
fn gstin(text: &[u8]) -> Proof {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    };
    let sum: u32 = text
        .iter()
        .take(14)
        .zip([1, 2].into_iter().cycle())
        .map(|(&byte, weight)| value(byte) * weight)
        .map(|product| product / 36 + product % 36)
        .sum();
    let is_state = matches!(number(text, 0..2), 1..=38 | 97 | 99);
    let is_checked = (36 - sum % 36) % 36 == value(at(text, 14));
    Proof::of(is_state && is_pan(slice(text, 2..12)) && is_checked)
}

/// The date, the century and sex, the check digit of numbers given before October 2020.
fn rrn(text: &[u8]) -> Proof {
    let sum = weighted(text, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    let is_checked = (11 - sum % 11) % 10 == digit(text, 12);
    Proof::of(is_month_day(text, 2) && is_checked)
}

/// Modulo 11 from the right (Digital Agency).
fn my_number(text: &[u8]) -> Proof {
    let rest = weighted(text, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest <= 1 { 0 } else { 11 - rest };
    Proof::of(check == digit(text, 11) && !is_repeated(text))
}

/// The province, the date, and ISO 7064 MOD 11-2 (GB 11643).
fn resident(text: &[u8]) -> Proof {
    let sum = weighted(text, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check = b"10X98765432".get((sum % 11) as usize).copied();
    let is_province = matches!(
        number(text, 0..2),
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
    );
    let is_day = matches!(number(text, 6..8), 19 | 20) && is_month_day(text, 10);
    Proof::of(is_province && is_day && check == text.last().copied())
}

/// The county's letter counts as two digits (Ministry of the Interior).
fn taiwanese(text: &[u8]) -> Proof {
    const VALUES: [u32; 26] = [
        10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32,
        30, 31, 33,
    ];
    let place = usize::from(at(text, 0).wrapping_sub(b'A'));
    let letter = VALUES.get(place).copied().unwrap_or(0);
    let sum =
        letter / 10 + letter % 10 * 9 + weighted(slice(text, 1..10), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    let is_person = matches!(at(text, 1), b'1' | b'2' | b'8' | b'9');
    // Programs write I before integers.
    let is_integer = matches!(at(text, 0), b'I' | b'O');
    Proof::of(is_person && sum.is_multiple_of(10)).weak_if(is_integer)
}

/// Modulo 11, a missing first letter counting as 36 (Immigration Department).
fn hkid(text: &[u8]) -> Proof {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    };
    let has_two = at(text, 1).is_ascii_uppercase();
    let body = text.len().saturating_sub(1);
    let start = if has_two { 9 } else { 8 };
    let sum: u32 = text
        .iter()
        .take(body)
        .zip((2..=start).rev())
        .map(|(&byte, weight)| value(byte) * weight)
        .sum();
    let sum = if has_two { sum } else { sum + 36 * 9 };
    let check = match (11 - sum % 11) % 11 {
        10 => b'A',
        value => b"0123456789".get(value as usize).copied().unwrap_or(b'0'),
    };
    Proof::of(text.last() == Some(&check))
}

/// The series' letter decides which letters check (ICA).
fn nric(text: &[u8]) -> Proof {
    let (offset, letters): (u32, &[u8; 11]) = match at(text, 0) {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return Proof::Fails,
    };
    let sum = weighted(slice(text, 1..8), &[2, 7, 6, 5, 4, 3, 2]) + offset;
    Proof::of(letters.get((sum % 11) as usize) == text.get(8))
}

/// The date and the place of birth (Jabatan Pendaftaran Negara); there is no check digit.
fn mykad(text: &[u8]) -> Proof {
    let is_place = matches!(
        number(text, 6..8),
        1..=16 | 21..=59 | 60..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99
    );
    Proof::of(is_month_day(text, 2) && is_place)
}

/// Modulo 11 (Department of Provincial Administration).
fn thai(text: &[u8]) -> Proof {
    let sum = weighted(text, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let is_kind = matches!(at(text, 0), b'1'..=b'8');
    Proof::of(is_kind && (11 - sum % 11) % 10 == digit(text, 12))
}

/// The province and the date, on which women's days are 40 more; there is no check digit.
fn nik(text: &[u8]) -> Proof {
    let day = number(text, 6..8);
    let is_day = is_date(if day > 40 { day - 40 } else { day }, number(text, 8..10));
    Proof::of(matches!(number(text, 0..2), 11..=94) && is_day && number(text, 12..16) != 0)
}

/// The date, the status, Luhn (Department of Home Affairs). Milliseconds since 1970 look alike.
fn south_african(text: &[u8]) -> Proof {
    let is_person = is_month_day(text, 2)
        && matches!(at(text, 10), b'0'..=b'2')
        && matches!(at(text, 11), b'8' | b'9');
    Proof::of(is_person && luhn(text)).weak_if(is_epoch_millis(text))
}
