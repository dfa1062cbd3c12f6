//! Long runs of an alphabet, found by samples: most of a text is never looked at.

use std::ops::Range;

use crate::bytes::{at, count_back, count_while};

/// A table of the bytes of an alphabet.
pub(super) type Alphabet = [bool; 256];

/// The table for some bytes.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const fn alphabet(bytes: &[u8]) -> Alphabet {
    let mut table = [false; 256];
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
}

/// Whether a byte is of the alphabet.
pub(super) fn is_in(alphabet: &Alphabet, byte: u8) -> bool {
    alphabet.get(usize::from(byte)).copied().unwrap_or(false)
}

/// The runs of at least `min` bytes. A run holds two samples at half that distance, at least.
pub(super) fn runs<'a>(
    bytes: &'a [u8],
    alphabet: &'a Alphabet,
    min: usize,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let stride = (min / 2).max(1);
    let fits = move |byte: u8| is_in(alphabet, byte);
    let mut sample = stride - 1;
    let mut after = 0;
    std::iter::from_fn(move || {
        while sample < bytes.len() {
            let here = sample;
            sample += stride;
            if !fits(at(bytes, here)) || !fits(at(bytes, here + stride)) {
                continue;
            }
            let start = here - count_back(bytes, here, here - after, fits);
            let end = here + count_while(bytes, here, bytes.len(), fits);
            sample = sample.max(end + stride);
            after = end;
            if end - start >= min {
                return Some(start..end);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_long_run_is_found(bytes in proptest::collection::vec(prop_oneof![9 => Just(b'a'), 1 => Just(b' ')], 0..400)) {
            const LETTERS: Alphabet = alphabet(b"a");
            let mut expected = Vec::new();
            let mut start = 0;
            for end in 0..=bytes.len() {
                if end == bytes.len() || bytes[end] != b'a' {
                    if end - start >= 24 { expected.push(start..end); }
                    start = end + 1;
                }
            }
            prop_assert_eq!(runs(&bytes, &LETTERS, 24).collect::<Vec<_>>(), expected);
        }
    }
}
