//! Phrases of 12 to 24 words that restore a wallet (BIP 39, English list): told by the list and by the
//! checksum in the last word. Most of a text is passed over: a phrase is long, so that one look in
//! every [`STRIDE`] bytes meets it.

use std::collections::HashSet;

use bip39::Language;
use sha2::{Digest, Sha256};

use crate::bytes::{at, slice};
use crate::collect::{Hit, Hits};
use crate::pii::Speaker;
use crate::pii::digits::{HIGH, alphabetic};

/// The words, by a hash for the quick look and in order for the slow one.
pub(in crate::pii) struct SeedWords {
    hashes: Box<[u64]>,
    /// By that hash as well, from its last bits on: the folded word and its number.
    table: Box<[(u64, u16)]>,
}

/// Words of the list with little between them.
struct Chain {
    /// Where each begins and ends, and its number in the list.
    words: Vec<(usize, usize, u16)>,
    /// Where the chain ends, also where it was too long to be remembered.
    end: usize,
}

/// Twice as many slots as words.
const TABLE_SIZE: usize = 4096;
const STRIDE: usize = 40;
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=8;
/// Between the words of a list in JSON lie quotes, commas, indentation.
const GAP_BYTES_MAX: usize = 16;
const PHRASE_WORDS: [usize; 5] = [24, 21, 18, 15, 12];
/// Longer chains are lists of words.
const CHAIN_WORDS_MAX: usize = 40;

// === impl SeedWords ===

impl SeedWords {
    pub(in crate::pii) fn new() -> Self {
        let mut hashes = vec![0_u64; 1024].into_boxed_slice();
        let mut table = vec![(0_u64, 0_u16); TABLE_SIZE].into_boxed_slice();
        for (number, word) in (0_u16..).zip(Language::English.word_list()) {
            let folded = fold(word.as_bytes());
            let hash = hash(folded);
            if let Some(bits) = hashes.get_mut(hash >> 6) {
                *bits |= 1 << (hash & 63);
            }
            let slots = (0..TABLE_SIZE).map(|step| (hash + step) % TABLE_SIZE);
            for slot in slots {
                if let Some(entry) = table.get_mut(slot)
                    && entry.0 == 0
                {
                    *entry = (folded, number);
                    break;
                }
            }
        }
        Self { hashes, table }
    }

    /// Takes the phrases of a view.
    pub(in crate::pii) fn find(&self, bytes: &[u8], speaker: Speaker, hits: &mut Hits) {
        let mut position = 0;
        let mut done = 0;
        while position + STRIDE / 2 <= bytes.len() {
            match self.word_after(bytes, position, done) {
                // One word of the list is no chain yet.
                Some(start) if !self.has_neighbours(bytes, start) => position += STRIDE,
                Some(start) => {
                    let chain = self.chain(bytes, start, done);
                    done = chain.end;
                    self.judge(bytes, &chain, speaker, hits);
                    position = (position + STRIDE).max(done);
                }
                None => position += STRIDE,
            }
        }
    }

    /// The word that begins in the few bytes after a position, if it is on the list. This is asked of
    /// every text, so that it looks at eight bytes at a time.
    fn word_after(&self, bytes: &[u8], position: usize, done: usize) -> Option<usize> {
        let sample = |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk::<8>());
        let letters = alphabetic(*sample(position)?);
        let begins = position == done;
        let within = if begins {
            0
        } else {
            (!letters & HIGH).trailing_zeros() / 8
        };
        // Longer words than the list's are passed over, as is what has no word near.
        let rest = letters.checked_shr(within * 8)?;
        let gap = (rest.trailing_zeros() / 8).min(8 - within);
        let start = position + (within + gap) as usize;
        if gap == 0 && !begins {
            return None;
        }
        let word = *sample(start)?;
        let others = !alphabetic(word) & HIGH;
        let length = others.trailing_zeros() as usize / 8;
        let is_longer = length == 8 && at(bytes, start + 8).is_ascii_alphabetic();
        let kept = u64::MAX.checked_shr(64 - 8 * u32::try_from(length).ok()?)?;
        let folded = (u64::from_le_bytes(word) | 0x2020_2020_2020_2020) & kept;
        (!is_longer && self.number_of(folded).is_some()).then_some(start)
    }

    /// Whether the words after one are on the list too; near the end of a phrase, those before.
    fn has_neighbours(&self, bytes: &[u8], start: usize) -> bool {
        let mut position = start;
        for _ in 0..3 {
            let rest = slice(bytes, position..position + 9 + GAP_BYTES_MAX);
            let letters = (rest.iter())
                .take_while(|byte| byte.is_ascii_alphabetic())
                .count();
            if self.number(slice(rest, 0..letters)).is_none() {
                return self.has_words_before(bytes, start);
            }
            let gap = rest
                .iter()
                .skip(letters)
                .take_while(|byte| is_gap(**byte))
                .count();
            position += letters + gap;
        }
        true
    }

    fn has_words_before(&self, bytes: &[u8], start: usize) -> bool {
        let mut position = start;
        for _ in 0..3 {
            let gap = back_while(bytes, position, 0, GAP_BYTES_MAX, is_gap);
            let end = position - gap;
            let letters = back_while(bytes, end, 0, 9, |byte| byte.is_ascii_alphabetic());
            if gap == 0 || self.number(slice(bytes, end - letters..end)).is_none() {
                return false;
            }
            position = end - letters;
        }
        true
    }

    fn number(&self, word: &[u8]) -> Option<u16> {
        if !WORD_BYTES.contains(&word.len()) {
            return None;
        }
        self.number_of(fold(word))
    }

    fn number_of(&self, folded: u64) -> Option<u16> {
        let hash = hash(folded);
        let bits = self.hashes.get(hash >> 6)?;
        if bits >> (hash & 63) & 1 == 0 {
            return None;
        }
        let mut slots = (0..TABLE_SIZE).map(|step| (hash + step) % TABLE_SIZE);
        slots
            .find_map(|slot| match self.table.get(slot) {
                Some((0, _)) | None => Some(None),
                Some((entry, number)) if *entry == folded => Some(Some(*number)),
                _ => None,
            })
            .flatten()
    }

    /// All words of the list around one, none of them before `floor`.
    fn chain(&self, bytes: &[u8], start: usize, floor: usize) -> Chain {
        let mut first = start;
        for _ in 0..CHAIN_WORDS_MAX {
            let gap = back_while(bytes, first, floor, GAP_BYTES_MAX, is_gap);
            let end = first - gap;
            let length = back_while(bytes, end, floor, 9, |byte| byte.is_ascii_alphabetic());
            if gap == 0 || self.number(slice(bytes, end - length..end)).is_none() {
                break;
            }
            first = end - length;
        }
        let mut chain = Chain {
            words: Vec::new(),
            end: start,
        };
        let mut position = first;
        loop {
            let length = (slice(bytes, position..position.saturating_add(9)).iter())
                .take_while(|byte| byte.is_ascii_alphabetic())
                .count();
            let end = position + length;
            let Some(number) = self.number(slice(bytes, position..end)) else {
                return chain;
            };
            chain.end = end;
            if chain.words.len() <= CHAIN_WORDS_MAX {
                chain.words.push((position, end, number));
            }
            let gap = (slice(bytes, end..end + GAP_BYTES_MAX).iter())
                .take_while(|byte| is_gap(**byte))
                .count();
            if gap == 0 {
                return chain;
            }
            position = end + gap;
        }
    }

    fn judge(&self, bytes: &[u8], chain: &Chain, speaker: Speaker, hits: &mut Hits) {
        if chain.words.len() > CHAIN_WORDS_MAX {
            return;
        }
        for size in PHRASE_WORDS {
            for words in chain.words.windows(size) {
                let is_sorted = words.is_sorted_by(|one, other| one.2 < other.2);
                let is_one = words
                    .iter()
                    .all(|word| Some(word.2) == words.first().map(|one| one.2));
                if is_sorted || is_one || repeats(words) || !has_checksum(words) {
                    continue;
                }
                let (Some(first), Some(last)) = (words.first(), words.last()) else {
                    continue;
                };
                let parts: Vec<Vec<u8>> = words
                    .iter()
                    .map(|(start, end, _)| slice(bytes, *start..*end).to_ascii_lowercase())
                    .collect();
                hits.push(Hit {
                    rule: speaker.rule,
                    span: first.0..last.1,
                    secret: parts.join(&b' '),
                    confidence: speaker.confidence,
                });
                return;
            }
        }
    }
}

/// Whether few words come again and again, as in a table. One word but for the last is what the first
/// keys of a test are made of.
fn repeats(words: &[(usize, usize, u16)]) -> bool {
    let distinct: HashSet<u16> = words.iter().map(|word| word.2).collect();
    distinct.len() > 2 && distinct.len() * 2 < words.len()
}

/// Eleven bits a word; of every 33 bits one is the checksum.
fn has_checksum(words: &[(usize, usize, u16)]) -> bool {
    let mut bits = [0_u8; 33];
    for (place, (_, _, number)) in words.iter().enumerate() {
        for bit in 0..11 {
            let index = place * 11 + bit;
            if number >> (10 - bit) & 1 == 1
                && let Some(byte) = bits.get_mut(index / 8)
            {
                *byte |= 0x80 >> (index % 8);
            }
        }
    }
    let checksum_bits = words.len() / 3;
    let entropy_bytes = checksum_bits * 4;
    let digest = Sha256::digest(slice(&bits, 0..entropy_bytes));
    let mask = 0xFF00_u16
        .wrapping_shr(u32::try_from(checksum_bits).unwrap_or(8))
        .to_le_bytes()[0];
    at(&bits, entropy_bytes) & mask == at(&digest, 0) & mask
}

fn back_while(
    bytes: &[u8],
    to: usize,
    floor: usize,
    max: usize,
    test: impl Fn(u8) -> bool,
) -> usize {
    crate::bytes::count_back(bytes, to, max.min(to.saturating_sub(floor)), test)
}

fn is_gap(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'.' | b')' | b'0'..=b'9'
    )
}

/// A word of at most eight letters in lower case, as a number.
fn fold(word: &[u8]) -> u64 {
    let letters = word.iter().rev();
    letters.fold(0, |packed, byte| packed << 8 | u64::from(byte | 0x20))
}

fn hash(folded: u64) -> usize {
    usize::try_from(folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_bip_39() {
        let words = SeedWords::new();
        let is_valid = |phrase: &str| {
            let chain = words.chain(phrase.as_bytes(), 0, 0);
            has_checksum(&chain.words)
        };
        // Entropy of zeros and of ones.
        let zeros = format!("{}about", "abandon ".repeat(11));
        assert!(is_valid(&zeros));
        assert!(is_valid(&format!("{}art", "abandon ".repeat(23))));
        assert!(is_valid(&format!("{}wrong", "zoo ".repeat(11))));
        assert!(!is_valid(&"abandon ".repeat(12)));
    }
}
