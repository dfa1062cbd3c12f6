//! Base58 as Bitcoin has it: letters and digits without 0, O, I and l. The whole run is one number,
//! so that only runs of bounded length are tried, and only those of mixed classes.

use super::Decoded;
use super::sample::{Alphabet, alphabet, runs};
use crate::bytes::slice;

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const ALPHABET: Alphabet = alphabet(DIGITS);
const VALUES: [u8; 256] = values();
const CHARS_MIN: usize = 24;
const CHARS_MAX: usize = 256;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; the values are below 58"
)]
const fn values() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < DIGITS.len() {
        table[DIGITS[index] as usize] = index as u8;
        index += 1;
    }
    table
}

/// The texts in base58.
pub(super) fn find(bytes: &[u8]) -> Option<Decoded> {
    let mut decoded = Decoded::new("base58");
    for run in runs(bytes, &ALPHABET, CHARS_MIN) {
        let encoded = slice(bytes, run.clone());
        let is_mixed = encoded.iter().any(u8::is_ascii_digit)
            && encoded.iter().any(u8::is_ascii_uppercase)
            && encoded.iter().any(u8::is_ascii_lowercase);
        if is_mixed && encoded.len() <= CHARS_MAX {
            let data = decode(encoded);
            if data
                .iter()
                .all(|byte| matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t'))
            {
                decoded.push(&data, run.start);
            }
        }
    }
    decoded.into_option()
}

/// Five digits at a time into limbs of 32 bits, the lowest first.
fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut limbs: Vec<u32> = Vec::with_capacity(encoded.len() / 5 + 1);
    for group in encoded.chunks(5) {
        let (mut factor, mut carry) = (1_u64, 0_u64);
        for byte in group {
            let digit = VALUES.get(usize::from(*byte)).copied().unwrap_or(0);
            factor *= 58;
            carry = carry * 58 + u64::from(digit);
        }
        for limb in &mut limbs {
            let product = u64::from(*limb) * factor + carry;
            let [a, b, c, d, e, f, g, h] = product.to_be_bytes();
            *limb = u32::from_be_bytes([e, f, g, h]);
            carry = u64::from(u32::from_be_bytes([a, b, c, d]));
        }
        if carry > 0 {
            let [_, _, _, _, e, f, g, h] = carry.to_be_bytes();
            limbs.push(u32::from_be_bytes([e, f, g, h]));
        }
    }
    let out: Vec<u8> = limbs
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect();
    let zeros = out.iter().take_while(|&&byte| byte == 0).count();
    slice(&out, zeros..out.len()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn encode(text: &[u8]) -> String {
        let mut digits: Vec<usize> = Vec::new();
        for &byte in text {
            let mut carry = usize::from(byte);
            for digit in &mut digits {
                carry += *digit << 8;
                *digit = carry % 58;
                carry /= 58;
            }
            while carry > 0 {
                digits.push(carry % 58);
                carry /= 58;
            }
        }
        digits
            .iter()
            .rev()
            .map(|&digit| char::from(DIGITS[digit]))
            .collect()
    }

    #[test]
    fn runs_are_decoded() {
        // The example of draft-msporny-base58-03, section 5.
        assert_eq!(encode(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        for text in [
            KEY.to_owned(),
            format!("some more text around {KEY} and behind it"),
        ] {
            let body = format!("x={};", encode(text.as_bytes()));
            let found = find(body.as_bytes()).expect("a view");
            assert_eq!(found.bytes, format!("{text}\n").as_bytes());
            assert_eq!(found.marks, [(0, 2)]);
        }
        // An address of Bitcoin is a hash.
        assert_eq!(find(b"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"), None);
    }
}
