//! Where in a text digits stand close enough together to be a number of a person. The text is read
//! in blocks of 64 bytes; a block without digits costs a few instructions, one with digits becomes a
//! mask, and the mask is searched for the rhythms of [`Marks`] all at once.

/// The digits of a block and of the one before it, lowest bit first.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    /// 64 bits of the block before, then 64 of this one.
    digits: u128,
}

/// What may begin or end at a digit.
#[derive(Clone, Copy)]
pub(super) struct Candidates {
    /// The second digit of a run: the check digits of an IBAN.
    pub(super) pairs: u64,
    /// The fourth digit of a run, or a third short group: a number of some kind.
    pub(super) numbers: u64,
    /// The last digit of a rhythm that only the Medicare beneficiary identifier has, in one piece.
    pub(super) medicare: u64,
    /// The same with dashes.
    pub(super) medicare_dashed: u64,
}

pub(super) const BLOCK_BYTES: usize = 64;

/// Whether a block has any digit.
pub(super) fn has_digit(block: &[u8; BLOCK_BYTES]) -> bool {
    // No early exit: the compiler makes vector instructions of it.
    block
        .iter()
        .fold(false, |any, &byte| any | (byte.wrapping_sub(b'0') < 10))
}

/// The digits of a block as a mask.
pub(super) fn digit_mask(block: &[u8; BLOCK_BYTES]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
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

    /// What may be in the last block, or end in it.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half is taken")]
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
            pairs: (pairs >> 64) as u64,
            numbers: ((four | groups) >> 64) as u64,
            medicare: (medicare >> 64) as u64,
            medicare_dashed: (dashed >> 64) as u64,
        }
    }
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
    fn rhythms() {
        let candidates = |text: &[u8]| {
            let mut marks = Marks::default();
            marks.push(0);
            marks.push(digit_mask(&block(text)));
            marks.candidates()
        };
        assert_eq!(candidates(b"x1234567").numbers, 0b1111_0000);
        assert_eq!(candidates(b"AB 12 34 56 C").numbers, 1 << 10);
        assert_eq!(candidates(b"123.456.789").numbers, 1 << 9);
        assert_eq!(candidates(b"123 1 23 v1.2.3 1-2-3-4").numbers, 0);
        assert_eq!(candidates(b"1EG4TE5MK73").medicare, 1 << 10);
        assert_eq!(candidates(b"1EG4-TE5-MK73").medicare_dashed, 1 << 12);
        assert_eq!(candidates(b"DE89 1 23").pairs, 1 << 3 | 1 << 8);
    }
}
