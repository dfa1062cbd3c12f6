//! Every disguise alone, and every two of them one within the other, of keys and of personal data.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use oktsec_detect::{Detector, FingerprintKey, Limits};

/// Another way to write some bytes; nothing where they cannot be written so.
type Disguise = (&'static str, fn(&[u8]) -> Option<Vec<u8>>);

const VALUES: [&str; 9] = [
    concat!("gh", "p_q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9"),
    concat!("AKIA", "Q3EGRVT5YLNZ2WXC"),
    concat!(
        "xox",
        "b-402398123456-583920184756-q3EGrVT5yLNz2WxCd8Kf0Hs6"
    ),
    concat!("sk_li", "ve_q3EGrVT5yLNz2WxCd8Kf0Hs6"),
    concat!(
        "postgres://app:",
        "q3EGrVT5yLNz2W@db.internal.example.net:5432/app"
    ),
    concat!("pass", "word=\"q3EGrVT5!yLNz2Wx\""),
    "card 4929 1234 5678 9015",
    "GB82 WEST 1234 5698 7654 32",
    "SSN: 219-45-6781",
];

const TEXTS: [Disguise; 14] = [
    ("json", |bytes| {
        Some(format!("{{\"a\":\"{}\"}}", escaped(text(bytes)?)).into_bytes())
    }),
    ("json escapes", |bytes| {
        let units: String = text(bytes)?
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        Some(format!("{{\"a\":\"{units}\"}}").into_bytes())
    }),
    ("entities", |bytes| {
        Some(
            text(bytes)?
                .chars()
                .map(|c| format!("&#{};", u32::from(c)))
                .collect::<String>()
                .into_bytes(),
        )
    }),
    ("entities in hexadecimal", |bytes| {
        Some(
            text(bytes)?
                .chars()
                .map(|c| format!("&#x{:x};", u32::from(c)))
                .collect::<String>()
                .into_bytes(),
        )
    }),
    ("UTF-16", |bytes| {
        Some(
            text(bytes)?
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
        )
    }),
    ("UTF-16, big end first", |bytes| {
        Some(
            text(bytes)?
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect(),
        )
    }),
    ("zero width", |bytes| {
        Some(between(ascii(bytes)?, "\u{200B}"))
    }),
    ("soft hyphens", |bytes| {
        Some(between(ascii(bytes)?, "\u{AD}"))
    }),
    ("full width", |bytes| Some(shifted(ascii(bytes)?, 0xFEE0))),
    ("tags", |bytes| Some(shifted(ascii(bytes)?, 0xE0000))),
    ("a fence", |bytes| {
        Some(format!("```\n{}\n```\n", text(bytes)?).into_bytes())
    }),
    ("an excuse", |bytes| {
        Some(format!("{} # nosec, allow this line\n", text(bytes)?).into_bytes())
    }),
    ("a form", |bytes| {
        Some(format!("ok=1&q={}&z=2", String::from_utf8(percent(bytes)).ok()?).into_bytes())
    }),
    ("a part", |bytes| {
        let head = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n";
        Some(format!("{head}{}\r\n--B--\r\n", text(bytes)?).into_bytes())
    }),
];

const BYTES: [Disguise; 15] = [
    ("base64", |bytes| Some(STANDARD.encode(bytes).into_bytes())),
    ("base64 without padding", |bytes| {
        Some(STANDARD_NO_PAD.encode(bytes).into_bytes())
    }),
    ("base64url", |bytes| {
        Some(URL_SAFE_NO_PAD.encode(bytes).into_bytes())
    }),
    ("base64 in JSON", |bytes| {
        Some(format!("{{\"d\":\"{}\"}}", STANDARD.encode(bytes)).into_bytes())
    }),
    ("base64 in lines", |bytes| {
        let encoded = STANDARD.encode(bytes);
        Some(
            encoded
                .as_bytes()
                .chunks(76)
                .collect::<Vec<_>>()
                .join(&b'\n'),
        )
    }),
    ("base64 one later", |bytes| {
        Some(STANDARD.encode([b" ", bytes].concat()).into_bytes())
    }),
    ("base64 two later", |bytes| {
        Some(STANDARD.encode([b"- ", bytes].concat()).into_bytes())
    }),
    ("hexadecimal", |bytes| {
        Some(joined(bytes, "", |byte| format!("{byte:02x}")))
    }),
    ("capital hexadecimal", |bytes| {
        Some(joined(bytes, "", |byte| format!("{byte:02X}")))
    }),
    ("hexadecimal with colons", |bytes| {
        Some(joined(bytes, ":", |byte| format!("{byte:02x}")))
    }),
    ("escapes", |bytes| {
        Some(joined(bytes, "", |byte| format!("\\x{byte:02x}")))
    }),
    ("percent", |bytes| Some(percent(bytes))),
    ("percent twice", |bytes| {
        Some(joined(bytes, "", |byte| format!("%25{byte:02X}")))
    }),
    ("numbers", |bytes| {
        Some(joined(bytes, ",", |byte| byte.to_string()))
    }),
    ("gzip", |bytes| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).ok()?;
        encoder.finish().ok()
    }),
];

fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(text)
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    text(bytes).filter(|text| text.is_ascii())
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n").replace('\r', "\\r")
}

fn between(text: &str, separator: &str) -> Vec<u8> {
    let letters: Vec<String> = text.chars().map(String::from).collect();
    letters.join(separator).into_bytes()
}

fn shifted(text: &str, by: u32) -> Vec<u8> {
    let shift = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + by).unwrap_or(c),
        _ => c,
    };
    text.chars().map(shift).collect::<String>().into_bytes()
}

fn joined(bytes: &[u8], separator: &str, write: impl Fn(u8) -> String) -> Vec<u8> {
    let parts: Vec<String> = bytes.iter().map(|&byte| write(byte)).collect();
    parts.join(separator).into_bytes()
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    joined(bytes, "", |byte| format!("%{byte:02X}"))
}

/// Pairs that make no sense: nobody reads the second as the first any more.
fn is_lost(inner: &str, outer: &str) -> bool {
    let is_wide = |name: &str| name.starts_with("UTF-16");
    // What looks like capitals from another script, again in another script.
    let is_script =
        |name: &str| matches!(name, "full width" | "tags" | "zero width" | "soft hyphens");
    is_wide(outer) && is_script(inner) || is_wide(inner) && is_wide(outer)
}

#[test]
fn disguises_hide_nothing() {
    let detector = Detector::builtin(FingerprintKey::new([7; 32]), Limits::default())
        .unwrap_or_else(|errors| panic!("{} mistakes", errors.len()));
    let finds = |bytes: &[u8]| !detector.scan_text(bytes).findings.is_empty();
    let mut missed = Vec::new();
    let mut count = 0;
    for value in VALUES {
        for (inner, disguise) in TEXTS.iter().chain(&BYTES) {
            let Some(once) = disguise(value.as_bytes()) else {
                continue;
            };
            count += 1;
            if !finds(&once) {
                missed.push(format!("{inner}: {value}"));
            }
            for (outer, again) in TEXTS.iter().chain(&BYTES) {
                let Some(twice) = again(&once).filter(|_| !is_lost(inner, outer)) else {
                    continue;
                };
                count += 1;
                if !finds(&twice) {
                    missed.push(format!("{inner} in {outer}: {value}"));
                }
            }
        }
    }
    assert!(count > 5000, "{count} were tried");
    assert!(
        missed.is_empty(),
        "{} of {count}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}
