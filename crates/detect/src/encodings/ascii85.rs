//! Ascii85 between `<~` and `~>`, as Adobe has it (PostScript Language Reference, third edition,
//! section 3.13.3).

use super::{Decoded, is_worth_scanning};
use crate::bytes::{finder, slice};

const STRETCH_MIN: usize = 8;

/// The texts in Ascii85.
pub(super) fn find(bytes: &[u8]) -> Option<Decoded> {
    let mut decoded = Decoded::new("ascii85");
    let mut after = 0;
    for open in finder!(b"<~").find_iter(bytes) {
        if open < after {
            continue;
        }
        let rest = slice(bytes, open + 2..bytes.len());
        let length = memchr::memchr(b'~', rest).unwrap_or(rest.len());
        after = open + 2 + length;
        let data = decode(slice(rest, 0..length));
        if is_worth_scanning(&data, STRETCH_MIN) {
            decoded.push(&data, open);
        }
    }
    decoded.into_option()
}

fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() / 5 * 4);
    let (mut held, mut count) = (0_u32, 0_usize);
    for &byte in encoded {
        match byte {
            b'z' if count == 0 => out.extend_from_slice(&[0; 4]),
            b'!'..=b'u' => {
                held = held.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                count += 1;
            }
            _ => {}
        }
        if count == 5 {
            out.extend_from_slice(&held.to_be_bytes());
            (held, count) = (0, 0);
        }
    }
    if count > 1 {
        for _ in count..5 {
            held = held.wrapping_mul(85).wrapping_add(84);
        }
        out.extend(held.to_be_bytes().iter().take(count - 1));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn encode(text: &[u8]) -> String {
        let mut out = String::new();
        for group in text.chunks(4) {
            let mut padded = [0; 4];
            padded[..group.len()].copy_from_slice(group);
            let mut number = u32::from_be_bytes(padded);
            let mut digits = [0; 5];
            for digit in digits.iter_mut().rev() {
                *digit = b'!' + u8::try_from(number % 85).expect("below 85");
                number /= 85;
            }
            out.extend(
                digits[..=group.len()]
                    .iter()
                    .map(|&digit| char::from(digit)),
            );
        }
        out
    }

    #[test]
    fn texts_are_decoded() {
        for text in [KEY, "and with a rest"] {
            let body = format!("data: <~{}~> end", encode(text.as_bytes()));
            assert_eq!(
                find(body.as_bytes()).expect("a view").bytes,
                format!("{text}\n").as_bytes()
            );
        }
        assert_eq!(find(b"if a <~ b then ~c"), None);
    }
}
