//! Base32 (RFC 4648, section 6): runs of capitals and digits 2 to 7, or all in lower case, padded or
//! not, in lines or not.

use std::ops::Range;

use super::sample::{Alphabet, alphabet, is_in, runs};
use super::{Decoded, is_worth_scanning};
use crate::bytes::{at, count_while, slice};

const CHARS_MIN: usize = 24;
/// In longer runs only the beginning decides where groups begin.
const SHIFTED_CHARS_MAX: usize = 4096;
const STRETCH_MIN: usize = 8;
const SHIFTED_STRETCH_MIN: usize = 12;

const CAPITALS: Alphabet = alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
const SMALL: Alphabet = alphabet(b"abcdefghijklmnopqrstuvwxyz234567");

/// The texts in capitals.
pub(super) fn capitals(bytes: &[u8]) -> Option<Decoded> {
    find(bytes, &CAPITALS)
}

/// The texts in lower case.
pub(super) fn small(bytes: &[u8]) -> Option<Decoded> {
    find(bytes, &SMALL)
}

fn find(bytes: &[u8], letters: &Alphabet) -> Option<Decoded> {
    let mut decoded = Decoded::new("base32");
    let mut after = 0;
    for run in runs(bytes, letters, CHARS_MIN) {
        if run.start >= after {
            let run = with_lines(bytes, letters, run);
            after = run.end;
            push_run(bytes, letters, &run, &mut decoded);
        }
    }
    decoded.into_option()
}

/// A run and the lines of it that follow.
fn with_lines(bytes: &[u8], letters: &Alphabet, run: Range<usize>) -> Range<usize> {
    let mut end = run.end;
    loop {
        let breaks = count_while(bytes, end, 2, |byte| matches!(byte, b'\r' | b'\n'));
        let next = count_while(bytes, end + breaks, bytes.len(), |byte| {
            is_in(letters, byte)
        });
        let is_line = breaks > 0 && (next >= CHARS_MIN || at(bytes, end + breaks + next) == b'=');
        if !is_line {
            return run.start..end;
        }
        end += breaks + next;
    }
}

/// Characters that only happen to be of the alphabet may stand before the data: all alignments of a
/// group are tried.
fn push_run(bytes: &[u8], letters: &Alphabet, run: &Range<usize>, decoded: &mut Decoded) {
    let encoded: Vec<u8> = slice(bytes, run.clone())
        .iter()
        .copied()
        .filter(|&byte| is_in(letters, byte))
        .collect();
    let shifts = if encoded.len() > SHIFTED_CHARS_MAX {
        1
    } else {
        8
    };
    let mut data = Vec::with_capacity(encoded.len());
    for skip in 0..shifts {
        data.clear();
        decode(slice(&encoded, skip..encoded.len()), &mut data);
        let stretch_min = if skip == 0 {
            STRETCH_MIN
        } else {
            SHIFTED_STRETCH_MIN
        };
        if is_worth_scanning(&data, stretch_min) {
            decoded.push(&data, run.start);
        }
    }
}

fn decode(encoded: &[u8], out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in encoded {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit => digit.wrapping_sub(b'2').wrapping_add(26) & 31,
        };
        held = (held << 5 | u32::from(value)) & 0xFFFF;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            let [.., low] = (held >> bits).to_be_bytes();
            out.push(low);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn encode(text: &str) -> String {
        let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
        bits.as_bytes()
            .chunks(5)
            .map(|group| {
                let digits = String::from_utf8_lossy(group);
                let value = usize::from_str_radix(&format!("{digits:0<5}"), 2).expect("bits");
                char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
            })
            .collect()
    }

    #[test]
    fn runs_are_decoded() {
        assert_eq!(encode("foobar"), "MZXW6YTBOI");
        let text = format!("the key is {KEY}");
        let encoded = encode(&text);
        let lines = format!(
            "{}\n{}\r\n{}===",
            encoded.get(..24).expect("long"),
            encoded.get(24..48).expect("long"),
            encoded.get(48..).expect("long")
        );
        for body in [
            format!("x {encoded} y"),
            encoded.to_lowercase(),
            format!("KEY{encoded}======"),
            lines,
        ] {
            let found = capitals(body.as_bytes())
                .or_else(|| small(body.as_bytes()))
                .expect("a view");
            assert!(
                String::from_utf8_lossy(&found.bytes).contains(&text),
                "{body}"
            );
            assert_eq!(found.label, "base32");
        }
        assert_eq!(capitals(b"MZXW6YTBOI"), None);
    }
}
