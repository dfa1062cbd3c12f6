//! Characters as numbers: `65, 75, 73, 65` and `0x41, 0x4B` as programs print byte arrays, and
//! `01000001 01001011`.

use std::ops::Range;

use super::Decoded;
use super::sample::{Alphabet, alphabet, runs};
use crate::bytes::{at, count_while, finder, hex_value, slice};
use crate::decode::is_hidden_text;

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
    push_hexadecimal(bytes, &mut decoded);
    decoded.into_option()
}

/// Numbers such as `0x41`, with little between them.
fn push_hexadecimal(bytes: &[u8], decoded: &mut Decoded) {
    const GAP_BYTES_MAX: usize = 16;
    let mut numbers = Numbers::default();
    let mut next = 0;
    for position in finder!(b"0x").find_iter(bytes) {
        let digits = slice(bytes, position + 2..position + 4);
        let length = digits
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let end = position + 2 + length;
        let is_byte = length > 0 && !at(bytes, end).is_ascii_hexdigit();
        if position != next || !is_byte {
            numbers.finish(decoded);
        }
        if is_byte {
            let digits = digits
                .iter()
                .take(length)
                .filter_map(|&byte| hex_value(byte));
            numbers.push(
                digits.fold(0, |number, digit| number << 4 | digit),
                position,
            );
        }
        let is_gap = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'b');
        next = end + count_while(bytes, end, GAP_BYTES_MAX, is_gap);
    }
    numbers.finish(decoded);
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

/// Numbers of bytes, as long as one follows the other.
fn push_numbers(bytes: &[u8], run: &Range<usize>, decoded: &mut Decoded) {
    let mut numbers = Numbers::default();
    let mut position = run.start;
    for word in slice(bytes, run.clone()).split(|byte| !byte.is_ascii_digit()) {
        let number = word.iter().try_fold(0_u8, |number, digit| {
            number.checked_mul(10)?.checked_add(digit - b'0')
        });
        match number {
            _ if word.is_empty() => {}
            Some(number) => numbers.push(number, position),
            None => numbers.finish(decoded),
        }
        position += word.len() + 1;
    }
    numbers.finish(decoded);
}

/// Bytes that numbers spelled, and where each stood.
#[derive(Default)]
struct Numbers {
    bytes: Vec<u8>,
    positions: Vec<usize>,
}

// === impl Numbers ===

impl Numbers {
    fn push(&mut self, number: u8, position: usize) {
        self.bytes.push(number);
        self.positions.push(position);
    }

    /// Keeps what is text in another form as a whole; else the texts that have letters: small numbers
    /// are spaces and punctuation.
    fn finish(&mut self, decoded: &mut Decoded) {
        if self.bytes.len() >= NUMBERS_MIN {
            if is_hidden_text(&self.bytes) {
                decoded.push(&self.bytes, self.positions.first().copied().unwrap_or(0));
            } else {
                self.keep_texts(decoded);
            }
        }
        self.bytes.clear();
        self.positions.clear();
    }

    fn keep_texts(&self, decoded: &mut Decoded) {
        let mut start = 0;
        for text in self.bytes.split(|&byte| !is_text(byte)) {
            let letters = text
                .iter()
                .filter(|byte| byte.is_ascii_alphanumeric())
                .count();
            if text.len() >= NUMBERS_MIN && 5 * letters >= 2 * text.len() {
                decoded.push(text, self.positions.get(start).copied().unwrap_or(0));
            }
            start += text.len() + 1;
        }
    }
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
        for separator in [",", ", ", " ", ",\n\t"] {
            let numbers: Vec<String> = KEY.bytes().map(|byte| format!("{byte:#04x}")).collect();
            let found = find(numbers.join(separator).as_bytes()).expect("a view");
            assert_eq!(found.bytes, format!("{KEY}\n").as_bytes());
        }
        assert_eq!(find(b"0x00, 0x01, 0x20, 0x7f, 0x80, 0xff"), None);
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
