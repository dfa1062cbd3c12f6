//! Where in a text digits stand close enough together to be a number of a person. The text is read
//! in blocks of 64 bytes; a block without digits costs a few instructions, one with digits becomes a
//! mask, and the mask is searched for the rhythms of [`Marks`] all at once.

use std::ops::Range;

use crate::bytes::{count_back, count_while, slice};

/// The digits of a block and of the one before it, lowest bit first.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    /// 64 bits of the block before, then 64 of this one.
    digits: u128,
    /// Where this block begins.
    base: usize,
}

/// What may begin or end at a digit.
#[derive(Clone, Copy)]
pub(super) struct Candidates {
    /// The second digit of a run: the check digits of an IBAN.
    pub(super) pairs: u64,
    /// The fourth digit of a run.
    pub(super) fours: u64,
    /// The second digit of a third short group.
    pub(super) groups: u64,
    /// The last digit of a rhythm that only the Medicare beneficiary identifier has, in one piece and
    /// with dashes.
    pub(super) medicare: (u64, u64),
}

pub(super) const BLOCK_BYTES: usize = 64;

/// The lowest and the highest bit of each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = ONES * 0x80;

/// Whether a block has any digit.
pub(super) fn has_digit(block: &[u8; BLOCK_BYTES]) -> bool {
    // No early exit: the compiler makes vector instructions of it.
    block
        .iter()
        .fold(false, |any, &byte| any | (byte.wrapping_sub(b'0') < 10))
}

/// How many letters and digits stand from a position on, eight at a time.
pub(super) fn count_alphanumeric(bytes: &[u8], from: usize) -> usize {
    let mut position = from;
    while let Some(sample) = bytes
        .get(position..)
        .and_then(|rest| rest.first_chunk::<8>())
    {
        let others = !alphanumeric(*sample) & HIGH;
        if others != 0 {
            return position + others.trailing_zeros() as usize / 8 - from;
        }
        position += 8;
    }
    position + count_while(bytes, position, 8, |byte| byte.is_ascii_alphanumeric()) - from
}

/// Which of eight bytes are letters, as the high bits of these bytes.
pub(super) const fn alphabetic(sample: [u8; 8]) -> u64 {
    let bytes = u64::from_le_bytes(sample);
    let folded = bytes & !HIGH | (ONES * 0x20);
    (folded + ONES * (0x80 - 0x61)) & !(folded + ONES * (0x80 - 0x7B)) & !bytes & HIGH
}

/// Which of eight bytes are letters and digits, as the high bits of these bytes.
pub(super) const fn alphanumeric(sample: [u8; 8]) -> u64 {
    let bytes = u64::from_le_bytes(sample);
    let plain = bytes & !HIGH;
    let folded = plain | (ONES * 0x20);
    // The high bit of a sum tells whether a byte reaches a bound.
    let letters = (folded + ONES * (0x80 - 0x61)) & !(folded + ONES * (0x80 - 0x7B));
    let digits = (plain + ONES * (0x80 - 0x30)) & !(plain + ONES * (0x80 - 0x3A));
    (letters | digits) & !bytes & HIGH
}

/// The digits of a block as a mask.
pub(super) fn digit_mask(block: &[u8; BLOCK_BYTES]) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    let mut mask = 0;
    for (index, word) in words.iter().enumerate() {
        // A digit differs from `0` by at most nine.
        let offset = u64::from_le_bytes(*word) ^ (ONES * 0x30);
        let others = ((offset & (ONES * 0x7F)) + ONES * 0x76) | offset;
        let digits = (!others & (ONES * 0x80)) >> 7;
        // Gathers the lowest bits of eight bytes in the highest byte.
        let gathered = digits.wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= gathered << (index * 8);
    }
    mask
}

// === impl Marks ===

impl Marks {
    /// Moves on by a block.
    pub(super) const fn push(&mut self, digits: u64) {
        self.digits = self.digits >> 64 | (digits as u128) << 64;
    }

    /// The same, of the block that begins at a position.
    pub(super) const fn at(self, base: usize) -> Self {
        Self { base, ..self }
    }

    /// The run of digits around a position of the last block, none of it before `floor`.
    pub(super) fn run_at(self, bytes: &[u8], position: usize, floor: usize) -> Range<usize> {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let Some(bit) = (position + BLOCK_BYTES)
            .checked_sub(self.base)
            .filter(|bit| *bit < 128)
        else {
            // Past this block: a row of groups may be long.
            let back = count_back(bytes, position, position - floor, is_digit);
            let end = position + count_while(bytes, position, usize::MAX, is_digit);
            return position - back..end;
        };
        let [_, block] = split(self.digits);
        if let Some(inside) = bit.checked_sub(BLOCK_BYTES) {
            let back = (block << (63 - inside)).leading_ones() as usize;
            let ahead = (block >> inside).trailing_ones() as usize;
            // Most runs neither come from the block before nor go on in the next.
            if back <= inside && inside + ahead < BLOCK_BYTES {
                return (position + 1 - back).max(floor)..position + ahead;
            }
        }
        let known_back = (self.digits << (127 - bit)).leading_ones() as usize - 1;
        let known = (self.digits >> bit).trailing_ones() as usize;
        let start = (position - known_back.min(position)).max(floor);
        let mut end = position + known;
        if bit + known == 128 {
            end += count_while(bytes, end, usize::MAX, is_digit);
        }
        start..end
    }

    /// Which bytes of a short range are digits.
    pub(super) fn digits_in(self, bytes: &[u8], range: &Range<usize>) -> u64 {
        let is_covered =
            range.start + BLOCK_BYTES >= self.base && range.end <= self.base + BLOCK_BYTES;
        if is_covered {
            let below = range.start + BLOCK_BYTES - self.base;
            let [low, ..] = split(self.digits >> below);
            return low & ((1 << range.len().min(63)) - 1);
        }
        (slice(bytes, range.clone()).iter().take(64).enumerate()).fold(0, |mask, (index, byte)| {
            mask | u64::from(byte.is_ascii_digit()) << index
        })
    }

    /// What may be in the last block, or end in it.
    pub(super) const fn candidates(self) -> Candidates {
        let digits = self.digits;
        // Every mask says of a position what lies at or before it.
        let two = digits & digits << 1;
        let pairs = two & !(digits << 2);
        let four = two & two << 2;
        let short =
            two << 3 & (two << 6 & !(digits << 5) | two << 7 & digits << 5 & !(digits << 6));
        let groups = pairs & short;
        let medicare = two
            & digits << 4
            & digits << 7
            & digits << 10
            & !(digits << 2 | digits << 3 | digits << 6 | digits << 9);
        let dashed = two
            & digits << 5
            & digits << 9
            & digits << 12
            & !(digits << 2 | digits << 3 | digits << 4 | digits << 7 | digits << 8 | digits << 11);
        Candidates {
            pairs: split(pairs)[1],
            fours: split(four & !(four << 1))[1],
            groups: split(groups)[1],
            medicare: (split(medicare)[1], split(dashed)[1]),
        }
    }
}

/// The lower and the upper half.
#[expect(clippy::cast_possible_truncation, reason = "the halves are taken")]
const fn split(bits: u128) -> [u64; 2] {
    [bits as u64, (bits >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &[u8]) -> [u8; BLOCK_BYTES] {
        let mut block = [b' '; BLOCK_BYTES];
        block[..text.len()].copy_from_slice(text);
        block
    }

    #[test]
    fn masks_hold_digits_and_nothing_else() {
        let all: Vec<u8> = (0..=255).collect();
        for part in all.chunks(BLOCK_BYTES) {
            let block = block(part);
            let mask = digit_mask(&block);
            for (index, byte) in block.iter().enumerate() {
                assert_eq!(mask >> index & 1 == 1, byte.is_ascii_digit(), "{byte}");
            }
            assert_eq!(has_digit(&block), mask != 0);
        }
    }

    #[test]
    fn runs_of_letters_and_digits() {
        for byte in 0..=255_u8 {
            let mut sample = *b"azAZ09mM";
            sample[3] = byte;
            let all = alphanumeric(sample) == HIGH;
            assert_eq!(all, byte.is_ascii_alphanumeric(), "{byte}");
            let letter = alphabetic(sample) >> 31 & 1 == 1;
            assert_eq!(letter, byte.is_ascii_alphabetic(), "{byte}");
        }
        for length in 0..40 {
            let text = format!("-{}-tail of it", "a9Z".repeat(length));
            assert_eq!(count_alphanumeric(text.as_bytes(), 1), length * 3);
            assert_eq!(
                count_alphanumeric(&text.as_bytes()[..1 + length * 3], 1),
                length * 3
            );
        }
    }

    #[test]
    fn rhythms() {
        let candidates = |text: &[u8]| {
            let mut marks = Marks::default();
            marks.push(0);
            marks.push(digit_mask(&block(text)));
            marks.candidates()
        };
        let numbers = |text: &[u8]| candidates(text).fours | candidates(text).groups;
        assert_eq!(numbers(b"x1234567"), 0b1_0000);
        assert_eq!(numbers(b"AB 12 34 56 C"), 1 << 10);
        assert_eq!(numbers(b"123.456.789"), 1 << 9);
        assert_eq!(numbers(b"123 1 23 v1.2.3 1-2-3-4"), 0);
        assert_eq!(candidates(b"1EG4TE5MK73").medicare.0, 1 << 10);
        assert_eq!(candidates(b"1EG4-TE5-MK73").medicare.1, 1 << 12);
        assert_eq!(candidates(b"DE89 1 23").pairs, 1 << 3 | 1 << 8);
    }
}
