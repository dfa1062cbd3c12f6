//! The prefilter: where in a text one of many words stands. Every second position is looked at,
//! four bytes at a time, against tables of bits that fit the nearest caches; nearly all of a
//! text falls out there. Only where a bit is set are buckets searched and words compared.
//!
//! Bounded by throughput rather than by latency, it is several times faster than an automaton, which
//! has to know one state before it can look up the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::plan::Word;

/// The literals, compiled.
pub(crate) struct Grams {
    words: Vec<Word>,
    /// A bit for the hash of each folded gram of four bytes.
    fours: Box<[u32; FOURS_WORDS]>,
    /// A bit for the hash of each folded gram of three bytes: a word of four bytes fills only one of
    /// the two phases with four. In the other, its first three are looked for behind any byte.
    threes: Box<[u32; THREES_WORDS]>,
    /// The words of each gram of four bytes, and of three.
    slots: [Slots; 2],
}

/// From a gram to the words that hold it: a hash table with linear probing, at most half full.
struct Slots {
    bits: u32,
    table: Vec<Slot>,
    entries: Vec<Entry>,
}

/// A gram and which of the entries are its words; no folded gram is 0, which stands for none.
#[derive(Clone, Copy, Default)]
struct Slot {
    gram: u32,
    start: u32,
    end: u32,
}

/// A word that holds a gram, and where.
#[derive(Clone, Copy)]
struct Entry {
    word: usize,
    /// Where the word begins: this many bytes before the second one of the gram.
    before: usize,
    head: Head,
}

/// The first eight bytes of a word and the bits of them that must agree: enough to refuse most of
/// what only shares a gram with it, without a look at the word itself.
#[derive(Clone, Copy)]
struct Head {
    bytes: u64,
    mask: u64,
}

const FOURS_BITS: u32 = 20;
const FOURS_WORDS: usize = 1 << (FOURS_BITS - 5);
const THREES_BITS: u32 = 18;
const THREES_WORDS: usize = 1 << (THREES_BITS - 5);
/// Knuth's multiplier, from the golden ratio.
const MULTIPLIER: u32 = 0x9E37_79B1;
const FOLD: u64 = 0x2020_2020_2020_2020;
const FOLD_FOUR: u32 = 0x2020_2020;
const BLOCK_BYTES: usize = 16;
const GRAMS_PER_BLOCK: u32 = 8;
/// How many blocks are looked at before what was noted is looked up.
const BLOCKS_PER_STEP: usize = 256;

// === impl Grams ===

impl Grams {
    /// Compiles words of at least four bytes.
    pub(crate) fn new(words: Vec<Word>) -> Self {
        let mut fours = Box::new([0_u32; FOURS_WORDS]);
        let mut threes = Box::new([0_u32; THREES_WORDS]);
        let mut grams: [BTreeMap<u32, Vec<Entry>>; 2] = Default::default();
        let common = Common::new();
        let [of_four, of_three] = &mut grams;
        for (index, word) in words.iter().enumerate() {
            let folded: Vec<u8> = word.bytes.iter().map(|byte| byte | 0x20).collect();
            let window = common.rarest_window(&folded);
            let head = Head::of(word);
            for offset in [window, window + 1] {
                let Some([a, b, c, d]) = folded.get(offset..).and_then(<[u8]>::first_chunk) else {
                    continue;
                };
                let gram = u32::from_le_bytes([*a, *b, *c, *d]);
                set_bit(fours.as_mut_slice(), hash(gram, FOURS_BITS));
                let before = offset + 1;
                let entry = Entry {
                    word: index,
                    before,
                    head,
                };
                of_four.entry(gram).or_default().push(entry);
            }
            if let [a, b, c, _] = *folded.as_slice() {
                let gram = u32::from_le_bytes([a, b, c, 0]);
                set_bit(threes.as_mut_slice(), hash(gram, THREES_BITS));
                let entry = Entry {
                    word: index,
                    before: 0,
                    head,
                };
                of_three.entry(gram).or_default().push(entry);
            }
        }
        Self {
            words,
            fours,
            threes,
            slots: grams.map(Slots::new),
        }
    }

    /// Calls `found` with the word's number and position for each word that stands in the text,
    /// in the order of the positions, give or take the length of a word.
    ///
    /// In two steps: the first only notes where bits are set and never branches on it, since nobody
    /// can predict that; the second looks those places up.
    pub(crate) fn scan(&self, bytes: &[u8], mut found: impl FnMut(usize, usize)) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        let mut last = 0_u64;
        let mut position = 0;
        let mut noted = [0_u32; BLOCKS_PER_STEP];
        for step in blocks.chunks(BLOCKS_PER_STEP) {
            let mut count = 0;
            for (index, block) in (0_u32..).zip(step) {
                let (mask, high) = self.block(block, last);
                last = high;
                if let Some(note) = noted.get_mut(count) {
                    *note = index << GRAMS_PER_BLOCK | mask;
                }
                count += usize::from(mask != 0);
            }
            for note in noted.iter().take(count) {
                self.note(bytes, position, *note, &mut found);
            }
            position += step.len() * BLOCK_BYTES;
        }
        let mut block = [0_u8; BLOCK_BYTES];
        block
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = *from);
        let (mask, _) = self.block(&block, last);
        self.note(bytes, position, mask, &mut found);
    }

    /// Looks at the grams of a block: the one that began two bytes before it, and those that lie in
    /// it. Answers with a bit for each that may belong to a word, and with the block's second half,
    /// for the next one.
    #[inline]
    fn block(&self, block: &[u8; BLOCK_BYTES], last: u64) -> (u32, u64) {
        let both = u128::from_le_bytes(*block);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "halves, and the low parts of them"
        )]
        {
            let (low, high) = (both as u64 | FOLD, (both >> 64) as u64 | FOLD);
            let grams = [
                (last >> 48 | low << 16) as u32,
                low as u32,
                (low >> 16) as u32,
                (low >> 32) as u32,
                (low >> 48 | high << 16) as u32,
                high as u32,
                (high >> 16) as u32,
                (high >> 32) as u32,
            ];
            let mut mask = 0;
            for (index, gram) in (0..GRAMS_PER_BLOCK).zip(grams) {
                let four = bit(&self.fours, hash(gram, FOURS_BITS));
                let three = bit(&self.threes, hash(gram >> 8, THREES_BITS));
                mask |= (four | three) << index;
            }
            (mask, high)
        }
    }

    /// Looks up what was noted of a block.
    #[inline]
    fn note(&self, bytes: &[u8], step: usize, note: u32, found: &mut impl FnMut(usize, usize)) {
        let start = step + (note >> GRAMS_PER_BLOCK) as usize * BLOCK_BYTES;
        let mut mask = note & ((1 << GRAMS_PER_BLOCK) - 1);
        while mask != 0 {
            let index = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            self.candidate(bytes, start + 2 * index, found);
        }
    }

    /// Looks the gram up that ends two bytes behind `behind`.
    #[inline]
    fn candidate(&self, bytes: &[u8], behind: usize, found: &mut impl FnMut(usize, usize)) {
        let byte = |index: Option<usize>| {
            index
                .and_then(|index| bytes.get(index))
                .copied()
                .unwrap_or(0)
        };
        let gram = match behind
            .checked_sub(2)
            .and_then(|at| bytes.get(at..)?.first_chunk())
        {
            Some(four) => u32::from_le_bytes(*four),
            // At either end of the text.
            None => u32::from_le_bytes([
                byte(behind.checked_sub(2)),
                byte(behind.checked_sub(1)),
                byte(Some(behind)),
                byte(Some(behind + 1)),
            ]),
        } | FOLD_FOUR;
        let [fours, threes] = &self.slots;
        for entry in fours.get(gram).iter().chain(threes.get(gram >> 8).iter()) {
            // Before the text there is nothing.
            let Some(start) = behind.checked_sub(entry.before + 1) else {
                continue;
            };
            let rest = bytes.get(start..).unwrap_or_default();
            if entry.head.may_be_at(rest)
                && self
                    .words
                    .get(entry.word)
                    .is_some_and(|word| word.is_at(rest))
            {
                found(entry.word, start);
            }
        }
    }
}

// === impl Head ===

impl Head {
    fn of(word: &Word) -> Self {
        let first_eight = |list: &[u8]| {
            let mut bytes = [0; 8];
            bytes
                .iter_mut()
                .zip(list)
                .for_each(|(to, from)| *to = *from);
            u64::from_le_bytes(bytes)
        };
        Self {
            bytes: first_eight(&word.bytes),
            mask: first_eight(&word.masks),
        }
    }

    fn may_be_at(self, bytes: &[u8]) -> bool {
        bytes
            .first_chunk::<8>()
            .is_none_or(|first| (u64::from_le_bytes(*first) ^ self.bytes) & self.mask == 0)
    }
}

// === impl Slots ===

impl Slots {
    fn new(grams: BTreeMap<u32, Vec<Entry>>) -> Self {
        let size = (2 * grams.len()).next_power_of_two().max(2);
        let mut slots = Self {
            bits: size.ilog2(),
            table: vec![Slot::default(); size],
            entries: Vec::new(),
        };
        let position = |entries: &Vec<Entry>| u32::try_from(entries.len()).unwrap_or(u32::MAX);
        for (gram, entries) in grams {
            let start = position(&slots.entries);
            slots.entries.extend(entries);
            let end = position(&slots.entries);
            let index = slots.index_of(gram);
            if let Some(slot) = slots.table.get_mut(index) {
                *slot = Slot { gram, start, end };
            }
        }
        slots
    }

    /// Where a gram is, or would be.
    fn index_of(&self, gram: u32) -> usize {
        let mut index = hash(gram, self.bits) as usize;
        while self
            .table
            .get(index)
            .is_some_and(|slot| slot.gram != 0 && slot.gram != gram)
        {
            index = (index + 1) & (self.table.len() - 1);
        }
        index
    }

    fn get(&self, gram: u32) -> &[Entry] {
        let slot = self.table.get(self.index_of(gram));
        slot.and_then(|slot| self.entries.get(slot.start as usize..slot.end as usize))
            .unwrap_or_default()
    }
}

const fn hash(gram: u32, bits: u32) -> u32 {
    gram.wrapping_mul(MULTIPLIER) >> (32 - bits)
}

/// The bit of a hash. The table's length is part of its type, so that no bounds are checked.
#[inline]
fn bit<const N: usize>(table: &[u32; N], hash: u32) -> u32 {
    let word = table.get((hash >> 5) as usize).copied().unwrap_or(0);
    word >> (hash & 31) & 1
}

fn set_bit(table: &mut [u32], hash: u32) {
    if let Some(word) = table.get_mut((hash >> 5) as usize) {
        *word |= 1 << (hash & 31);
    }
}

/// Grams that are common in ordinary text; made by `scripts/common-grams`.
struct Common(HashSet<u32>);

// === impl Common ===

impl Common {
    fn new() -> Self {
        let text = include_str!("common_grams.txt");
        let folded = |byte: &u8| if *byte == b'~' { b' ' } else { byte | 0x20 };
        let grams = text
            .lines()
            .flat_map(|line| line.as_bytes().as_chunks::<4>().0);
        Self(
            grams
                .map(|gram| u32::from_le_bytes(gram.each_ref().map(folded)))
                .collect(),
        )
    }

    /// Where the five bytes of a word begin whose grams are rarest.
    fn rarest_window(&self, folded: &[u8]) -> usize {
        let is_common = |gram: &[u8]| {
            <[u8; 4]>::try_from(gram).is_ok_and(|gram| self.0.contains(&u32::from_le_bytes(gram)))
        };
        (0..folded.len().saturating_sub(4))
            .max_by_key(|&start| {
                let window = folded.get(start..start + 5).unwrap_or_default();
                let score: u32 = window.iter().map(|&byte| rarity(byte)).sum();
                let common = window.windows(4).filter(|gram| is_common(gram)).count();
                // Of equal ones the first.
                (Reverse(common), score, Reverse(start))
            })
            .unwrap_or(0)
    }
}

/// How rare a folded byte is in text and source code, in tenths of bits, roughly.
const fn rarity(folded: u8) -> u32 {
    match folded {
        b' ' => 25,
        b'e' => 32,
        b't' | b'a' | b'o' => 36,
        b'i' | b'n' | b's' | b'r' => 40,
        b'h' | b'd' | b'l' => 45,
        b'c' | b'u' => 50,
        b'm' | b'w' | b'f' | b'g' | b'y' | b'p' => 55,
        b'b' => 60,
        b'v' => 66,
        b'k' => 70,
        b'j' | b'q' | b'x' | b'z' => 95,
        b'0'..=b'9' | b'.' | b'"' | b':' | b'=' | b'/' => 55,
        // Folded, this is the underscore.
        b'-' | 0x7F => 60,
        _ => 70,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Plan;

    fn literal(text: &str) -> Word {
        Word {
            bytes: text.bytes().collect(),
            masks: vec![0xFF; text.len()],
        }
    }

    fn scan(grams: &Grams, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut hits = Vec::new();
        grams.scan(bytes, |literal, position| hits.push((position, literal)));
        hits.sort_unstable();
        hits
    }

    #[test]
    fn literals_are_found_at_every_position() {
        let grams = Grams::new(
            ["ghp_", "AKIA", "glpat-", "a longer literal, really"]
                .map(literal)
                .into(),
        );
        for (index, text) in ["ghp_", "AKIA", "glpat-", "a longer literal, really"]
            .iter()
            .enumerate()
        {
            for before in 0..40 {
                for after in [0, 1, 2, 17] {
                    let body = format!("{}{text}{}", ".".repeat(before), ".".repeat(after));
                    assert_eq!(scan(&grams, body.as_bytes()), [(before, index)], "{body}");
                }
            }
        }
        assert!(scan(&grams, b"GHP_ akia GLPAT-").is_empty(), "case matters");
    }

    #[test]
    fn case_is_ignored_where_the_pattern_ignores_it() {
        let literals = Plan::new("(?i:basic) [a-z]{4}")
            .map(|plan| plan.literals)
            .unwrap_or_default();
        let grams = Grams::new(literals.into_iter().map(|one| one.word).collect());
        assert_eq!(scan(&grams, b"BASIC Basic bAsIc basiC abcd").len(), 4);
    }

    proptest! {
        #[test]
        fn the_prefilter_misses_nothing(text in "[abAB_-]{0,120}") {
            let words = ["abab", "ab_ab", "AAAA", "b-b-b", "BaBaBa"];
            let grams = Grams::new(words.map(literal).into());
            let mut expected = Vec::new();
            for (index, word) in words.iter().enumerate() {
                expected.extend((0..text.len()).filter(|&at| text.as_bytes()[at..].starts_with(word.as_bytes())).map(|at| (at, index)));
            }
            expected.sort_unstable();
            prop_assert_eq!(scan(&grams, text.as_bytes()), expected);
        }
    }
}
