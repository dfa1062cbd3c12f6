//! uuencode: `begin 644 name`, lines that state their length, `end` (POSIX.1-2024, uuencode). With
//! `begin-base64` the lines are base64, which is found anyway.

use super::{Decoded, is_worth_scanning};
use crate::bytes::{at, finder, slice};

const STRETCH_MIN: usize = 8;

/// The texts in uuencode.
pub(super) fn find(bytes: &[u8]) -> Option<Decoded> {
    let mut decoded = Decoded::new("uuencode");
    let mut after = 0;
    for begin in finder!(b"begin ").find_iter(bytes) {
        let mode = slice(bytes, begin + 6..begin + 9);
        if begin < after || mode.len() < 3 || !mode.iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Some(line_end) = memchr::memchr(b'\n', slice(bytes, begin..begin + 512)) else {
            continue;
        };
        let mut data = Vec::new();
        let start = begin + line_end + 1;
        after = push_lines(bytes, start, &mut data);
        if is_worth_scanning(&data, STRETCH_MIN) {
            decoded.push(&data, start);
        }
    }
    decoded.into_option()
}

/// Decodes lines up to one that is none. Answers where that is.
fn push_lines(bytes: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
    let mut position = start;
    loop {
        let length = usize::from(value(at(bytes, position)));
        let chars = length.div_ceil(3) * 4;
        let line = slice(bytes, position + 1..position + 1 + chars);
        let is_line = length > 0
            && line.len() == chars
            && line.iter().all(|byte| (b' '..=b'`').contains(byte));
        if !is_line {
            return position;
        }
        let before = out.len();
        for quad in line.as_chunks::<4>().0 {
            let [a, b, c, d] = quad.map(|byte| u32::from(value(byte)));
            let [_, x, y, z] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
            out.extend_from_slice(&[x, y, z]);
        }
        out.truncate(before + length);
        position += 1 + chars;
        // A checksum may follow, and the line break.
        let rest = slice(bytes, position..position + 4);
        let Some(line_break) = memchr::memchr(b'\n', rest) else {
            return position;
        };
        position += line_break + 1;
    }
}

const fn value(byte: u8) -> u8 {
    byte.wrapping_sub(b' ') & 0x3F
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn encode(text: &[u8]) -> String {
        let letter = |value: u32| {
            char::from(
                b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"
                    [value as usize & 63],
            )
        };
        let mut out = String::from("begin 644 file.txt\n");
        for line in text.chunks(45) {
            out.push(letter(u32::try_from(line.len()).expect("45 at most")));
            for group in line.chunks(3) {
                let byte = |index: usize| u32::from(at(group, index));
                let number = byte(0) << 16 | byte(1) << 8 | byte(2);
                out.extend([18, 12, 6, 0].map(|shift| letter(number >> shift)));
            }
            out.push('\n');
        }
        out + "`\nend\n"
    }

    #[test]
    fn files_are_decoded() {
        let text = format!("{KEY} in a file of more than one line, which is the case here");
        let body = format!("see:\n{}", encode(text.as_bytes()));
        assert!(body.contains("$04M)0") || body.contains("M04M)03=1"));
        assert_eq!(
            find(body.as_bytes()).expect("a view").bytes,
            format!("{text}\n").as_bytes()
        );
        assert_eq!(find(b"begin 644 words\nend"), None);
    }
}
