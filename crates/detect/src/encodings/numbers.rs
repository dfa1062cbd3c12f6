//! Characters as numbers: `65, 75, 73, 65` as programs print byte arrays, and `01000001 01001011`.

use std::ops::Range;

use super::Decoded;
use super::sample::{Alphabet, alphabet, runs};
use crate::bytes::slice;

const RUN_BYTES_MIN: usize = 32;
const NUMBERS_MIN: usize = 16;
const ALPHABET: Alphabet = alphabet(b"0123456789, \r\n\t");

/// The texts that numbers spell.
pub(super) fn find(bytes: &[u8]) -> Option<Decoded> {
    let mut decoded = Decoded::new("numbers");
    for run in runs(bytes, &ALPHABET, RUN_BYTES_MIN) {
        let digits = slice(bytes, run.clone());
        if digits.iter().all(|byte| !matches!(byte, b'2'..=b'9')) {
            push_bits(digits, run.start, &mut decoded);
        } else {
            push_numbers(bytes, &run, &mut decoded);
        }
    }
    decoded.into_option()
}

/// Octets of bits, separated or not.
fn push_bits(digits: &[u8], position: usize, decoded: &mut Decoded) {
    let bits: Vec<u8> = digits
        .iter()
        .filter_map(|byte| byte.checked_sub(b'0').filter(|bit| *bit < 2))
        .collect();
    let (octets, _) = bits.as_chunks::<8>();
    let text: Vec<u8> = octets
        .iter()
        .map(|octet| octet.iter().fold(0, |byte: u8, bit| byte << 1 | bit))
        .collect();
    if text.len() >= NUMBERS_MIN / 2 && text.iter().all(|&byte| is_text(byte)) {
        decoded.push(&text, position);
    }
}

/// Numbers of characters, as long as one follows the other.
fn push_numbers(bytes: &[u8], run: &Range<usize>, decoded: &mut Decoded) {
    let mut text = Vec::new();
    let mut start = run.start;
    let mut position = run.start;
    for word in slice(bytes, run.clone()).split(|byte| !byte.is_ascii_digit()) {
        let number = word.iter().try_fold(0_u8, |number, digit| {
            number.checked_mul(10)?.checked_add(digit - b'0')
        });
        match number.filter(|&number| is_text(number)) {
            _ if word.is_empty() => {}
            Some(number) => {
                if text.is_empty() {
                    start = position;
                }
                text.push(number);
            }
            None => keep(&mut text, start, decoded),
        }
        position += word.len() + 1;
    }
    keep(&mut text, start, decoded);
}

/// Keeps a text that has letters: small numbers are spaces and punctuation.
fn keep(text: &mut Vec<u8>, start: usize, decoded: &mut Decoded) {
    let letters = text
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count();
    if text.len() >= NUMBERS_MIN && 3 * letters >= 2 * text.len() {
        decoded.push(text, start);
    }
    text.clear();
}

const fn is_text(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    #[test]
    fn numbers_spell() {
        for separator in [",", ", ", " ", ",\n  "] {
            let numbers: Vec<String> = KEY.bytes().map(|byte| byte.to_string()).collect();
            let body = format!("{{\"data\":[{}]}}", numbers.join(separator));
            let found = find(body.as_bytes()).expect("a view");
            assert_eq!(found.bytes, format!("{KEY}\n").as_bytes());
            assert_eq!(found.marks, [(0, 9)]);
        }
        for separator in ["", " "] {
            let bits: Vec<String> = KEY.bytes().map(|byte| format!("{byte:08b}")).collect();
            let found = find(bits.join(separator).as_bytes()).expect("a view");
            assert_eq!(found.bytes, format!("{KEY}\n").as_bytes());
        }
        assert_eq!(
            find(b"10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150"),
            None
        );
        assert_eq!(
            find(b"2024-01-01 00:00:00 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"),
            None
        );
    }
}
