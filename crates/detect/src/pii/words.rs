//! The words that speak for kinds, and where they stand in a text. Words are looked for where words can
//! begin, eight bytes at a time; three bytes tell whether it is worth comparing.

use crate::bytes::{at, before, count_while, slice};

/// All words, folded to lower case. A space in a word stands for any one separator, or none.
pub(super) struct Words {
    /// Which hashes of three bytes begin a word.
    begins: Box<[u64]>,
    /// The words by that hash.
    words: Vec<Word>,
}

struct Word {
    hash: u16,
    text: Vec<u8>,
    kinds: u128,
}

/// A word in a text.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kinds: u128,
}

/// Shorter words must stand by themselves; longer ones may begin compounds.
const COMPOUND_BYTES_MIN: usize = 6;

// === impl Words ===

impl Words {
    pub(super) fn new(list: impl Iterator<Item = (&'static str, u128)>) -> Self {
        let mut begins = vec![0_u64; 1024].into_boxed_slice();
        let mut words: Vec<Word> = list
            .flat_map(|(text, kinds)| {
                beginnings(text.as_bytes())
                    .into_iter()
                    .map(move |begin| Word {
                        hash: hash(fold3(&begin)),
                        text: text.as_bytes().to_vec(),
                        kinds,
                    })
            })
            .collect();
        for word in &words {
            if let Some(bits) = begins.get_mut(usize::from(word.hash >> 6)) {
                *bits |= 1 << (word.hash & 63);
            }
        }
        words.sort_by_key(|word| word.hash);
        Self { begins, words }
    }

    fn may_begin(&self, hash: u16) -> bool {
        let bits = self.begins.get(usize::from(hash >> 6)).copied();
        bits.unwrap_or(0) >> (hash & 63) & 1 != 0
    }

    /// Calls back with every word that begins in a range.
    pub(super) fn find(&self, bytes: &[u8], from: usize, to: usize, mut found: impl FnMut(Seen)) {
        let text = slice(bytes, from..to);
        let (words, rest) = text.as_chunks::<8>();
        let mut last = before(bytes, from);
        let mut position = from;
        for word in words {
            let mut begins = word_begins(*word, last);
            while begins != 0 {
                self.look(
                    bytes,
                    position + begins.trailing_zeros() as usize / 8,
                    &mut found,
                );
                begins &= begins - 1;
            }
            let [.., end] = *word;
            last = end;
            position += 8;
        }
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        let mut begins = word_begins(word, last);
        while begins != 0 {
            self.look(
                bytes,
                position + begins.trailing_zeros() as usize / 8,
                &mut found,
            );
            begins &= begins - 1;
        }
    }

    fn look(&self, bytes: &[u8], start: usize, found: &mut impl FnMut(Seen)) {
        let four = bytes.get(start..).and_then(|rest| rest.first_chunk::<4>());
        let three = match four {
            Some(four) => (u32::from_le_bytes(*four) | 0x0020_2020) & 0x00FF_FFFF,
            None => fold3(slice(bytes, start..start + 3)),
        };
        let hash = hash(three);
        if self.may_begin(hash) {
            self.verify(bytes, start, hash, found);
        }
    }

    #[cold]
    fn verify(&self, bytes: &[u8], start: usize, hash: u16, found: &mut impl FnMut(Seen)) {
        let first = self.words.partition_point(|word| word.hash < hash);
        let same = self.words.get(first..).unwrap_or_default();
        for word in same.iter().take_while(|word| word.hash == hash) {
            if let Some(end) = word.end_at(bytes, start) {
                let kinds = word.kinds;
                found(Seen { start, end, kinds });
            }
        }
    }

    /// What the words in a name or a column's head speak for.
    pub(super) fn kinds_in(&self, name: &[u8]) -> u128 {
        let mut kinds = 0;
        self.find(name, 0, name.len(), |seen| kinds |= seen.kinds);
        kinds
    }
}

/// Where in eight bytes words begin, as the high bits of these bytes: at a letter after something
/// else, at a capital after a small letter, at a character that is not ASCII.
fn word_begins(word: [u8; 8], last: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let bytes = u64::from_le_bytes(word);
    let plain = bytes & !HIGH;
    let is_ascii = !bytes & HIGH;
    // The high bit of a sum tells whether a byte reaches a bound.
    let between = |low: u64, high: u64| {
        (plain + ONES * (0x80 - low)) & !(plain + ONES * (0x7F - high)) & is_ascii
    };
    let (upper, lower) = (between(0x41, 0x5A), between(0x61, 0x7A));
    let letters = upper | lower;
    let before_letters = letters << 8 | u64::from(last.is_ascii_alphabetic()) << 7;
    let before_lower = lower << 8 | u64::from(last.is_ascii_lowercase()) << 7;
    let leads = bytes & bytes << 1 & HIGH;
    letters & !before_letters | upper & before_lower | leads
}

/// How a word may begin: its first three bytes are what it is found by, and a separator among them
/// may be any, or none.
fn beginnings(word: &[u8]) -> Vec<Vec<u8>> {
    const AFTER: &[u8] = b" _-./:=\"'#,";
    match word.iter().take(3).position(|byte| *byte == b' ') {
        None if word.len() >= 3 => vec![word.to_vec()],
        None => (AFTER.iter())
            .map(|after| [word, &[*after]].concat())
            .collect(),
        Some(gap) => {
            let (head, tail) = (slice(word, 0..gap), slice(word, gap + 1..word.len()));
            let joined = std::iter::once([head, tail].concat());
            let separated = b" _-./'".iter().map(|gap| [head, &[*gap], tail].concat());
            joined.chain(separated).collect()
        }
    }
}

fn fold3(text: &[u8]) -> u32 {
    u32::from_le_bytes([at(text, 0), at(text, 1), at(text, 2), 0]) | 0x0020_2020
}

fn hash(folded: u32) -> u16 {
    let [.., low, high] = folded.wrapping_mul(0x9E37_79B1).to_le_bytes();
    u16::from_le_bytes([low, high])
}

// === impl Word ===

impl Word {
    /// Where the word ends, if it stands at a position.
    fn end_at(&self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut position = start;
        for &letter in &self.text {
            if letter == b' ' {
                position += count_while(bytes, position, 2, is_separator);
            } else if at(bytes, position).to_ascii_lowercase() == letter {
                position += 1;
            } else {
                return None;
            }
        }
        let is_free = self.text.len() >= COMPOUND_BYTES_MIN || ends_word(bytes, position);
        is_free.then_some(position)
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'\'')
}

/// `ssn`, `ssns`, `ssnNumber`; not `ssnake`.
fn ends_word(bytes: &[u8], end: usize) -> bool {
    let right = at(bytes, end);
    !right.is_ascii_alphabetic()
        || right.eq_ignore_ascii_case(&b's') && !at(bytes, end + 1).is_ascii_alphabetic()
        || right.is_ascii_uppercase() && before(bytes, end).is_ascii_lowercase()
}
