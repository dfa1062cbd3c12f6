//! The prefilter: where in a text one of many words stands. The gram of four bytes that begins at each
//! position is looked up in a table of bits that fits the nearest cache; nearly all of a text falls
//! out there. Only where both of its bits are set is a bucket searched and are words compared.
//!
//! Bounded by throughput rather than by latency, it is several times faster than an automaton, which
//! has to know one state before it can look up the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::plan::Word;

/// The literals, compiled.
pub(crate) struct Grams {
    words: Vec<Word>,
    /// Two bits for each folded gram, both in the same word of these.
    bits: Box<[u32; BITS_WORDS]>,
    slots: Slots,
}

/// From a gram to the words that are looked for by it: a hash table with linear probing, at most half
/// full.
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
    /// How many bytes of the word stand before the gram.
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

const BITS_LOG: u32 = 20;
const BITS_WORDS: usize = 1 << (BITS_LOG - 5);
/// Knuth's multiplier, from the golden ratio.
const MULTIPLIER: u32 = 0x9E37_79B1;
const FOLD: u64 = 0x2020_2020_2020_2020;
const FOLD_FOUR: u32 = 0x2020_2020;
const GRAM_BYTES: usize = 4;
/// A block is looked at as a whole; the grams that end in it begin up to three bytes before it.
const BLOCK_BYTES: usize = 16;
const BLOCK_BITS: u32 = 16;
/// How many blocks are looked at before what was noted is looked up.
const BLOCKS_PER_STEP: usize = 256;

// === impl Grams ===

impl Grams {
    /// Compiles words of at least four bytes.
    pub(crate) fn new(words: Vec<Word>) -> Self {
        let mut bits = Box::new([0; BITS_WORDS]);
        let mut grams: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        let common = Common::new();
        for (index, word) in words.iter().enumerate() {
            let folded: Vec<u8> = word.bytes.iter().map(|byte| byte | 0x20).collect();
            let Some((before, gram)) = common.rarest(&folded) else {
                continue;
            };
            let (held, bit) = bit_of(gram);
            if let Some(held) = bits.get_mut(held) {
                *held |= 1 << bit;
            }
            grams.entry(gram).or_default().push(Entry {
                word: index,
                before,
                head: Head::of(word),
            });
        }
        Self {
            words,
            bits,
            slots: Slots::new(grams),
        }
    }

    /// Calls `found` with the word's number and position for each word that stands in the text,
    /// in the order of the positions, give or take the length of a word.
    ///
    /// In two steps: the first only notes where bits are set and never branches on it, since nobody
    /// can predict that; the second looks those places up.
    pub(crate) fn scan(&self, bytes: &[u8], mut found: impl FnMut(usize, usize)) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        let mut last = 0;
        let mut position = 0;
        let mut noted = [0_u32; BLOCKS_PER_STEP];
        for step in blocks.chunks(BLOCKS_PER_STEP) {
            let mut count = 0;
            for (index, block) in (0_u32..).zip(step) {
                let (mask, high) = self.block(block, last);
                last = high;
                if let Some(note) = noted.get_mut(count) {
                    *note = index << BLOCK_BITS | mask;
                }
                count += usize::from(mask != 0);
            }
            for note in noted.iter().take(count) {
                self.note(bytes, position, *note, &mut found);
            }
            position += step.len() * BLOCK_BYTES;
        }
        let mut block = [0; BLOCK_BYTES];
        block
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = *from);
        let (mask, _) = self.block(&block, last);
        self.note(bytes, position, mask, &mut found);
    }

    /// Looks at the grams that end in a block; `last` is the second half of the one before it. Answers
    /// with a bit for each that may belong to a word, and with this block's second half.
    #[inline(always)]
    fn block(&self, block: &[u8; BLOCK_BYTES], last: u64) -> (u32, u64) {
        let both = u128::from_le_bytes(*block);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "halves, and the low parts of them"
        )]
        {
            let (low, high) = (both as u64 | FOLD, (both >> 64) as u64 | FOLD);
            // Each holds seven bytes or more: four grams.
            let sevens = [
                last >> 40 | low << 24,
                low >> 8,
                low >> 40 | high << 24,
                high >> 8,
            ];
            let mut mask = 0;
            for (index, seven) in (0..).zip(sevens) {
                for shift in 0..4 {
                    let gram = (seven >> (8 * shift)) as u32;
                    mask |= self.has(gram) << (4 * index + shift);
                }
            }
            (mask, high)
        }
    }

    /// Looks up what was noted of a block.
    #[inline]
    fn note(&self, bytes: &[u8], step: usize, note: u32, found: &mut impl FnMut(usize, usize)) {
        let block = step + (note >> BLOCK_BITS) as usize * BLOCK_BYTES;
        let mut mask = note & ((1 << BLOCK_BITS) - 1);
        while mask != 0 {
            let index = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            // Before the text there is nothing.
            if let Some(start) = (block + index).checked_sub(GRAM_BYTES - 1) {
                self.candidate(bytes, start, found);
            }
        }
    }

    /// Looks for the words of the gram that begins at `start`.
    #[inline]
    fn candidate(&self, bytes: &[u8], start: usize, found: &mut impl FnMut(usize, usize)) {
        let Some(four) = bytes.get(start..).and_then(<[u8]>::first_chunk) else {
            return;
        };
        for entry in self.slots.get(u32::from_le_bytes(*four) | FOLD_FOUR) {
            let Some(start) = start.checked_sub(entry.before) else {
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

    /// 1 where the bit of a gram is set.
    #[inline]
    fn has(&self, gram: u32) -> u32 {
        let (held, bit) = bit_of(gram);
        self.bits.get(held).copied().unwrap_or(0) >> bit & 1
    }
}

/// Where a gram's bit is: the word that holds it, and its number there. The table's length is part of
/// its type, so that no bounds are checked.
#[inline]
const fn bit_of(gram: u32) -> (usize, u32) {
    let hash = gram.wrapping_mul(MULTIPLIER) >> (32 - BITS_LOG);
    ((hash >> 5) as usize, hash & 31)
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

/// The grams that are common in ordinary text, most common first; made by `scripts/common-grams`.
struct Common(HashMap<u32, usize>);

// === impl Common ===

impl Common {
    fn new() -> Self {
        let text = include_str!("common_grams.txt");
        let folded = |byte: &u8| if *byte == b'~' { b' ' } else { byte | 0x20 };
        let grams = text
            .lines()
            .flat_map(|line| line.as_bytes().as_chunks::<GRAM_BYTES>().0)
            .map(|gram| u32::from_le_bytes(gram.each_ref().map(folded)));
        Self(grams.zip(0..).collect())
    }

    /// The rarest gram of a word in lower case, and where in it; of equally rare ones the first.
    fn rarest(&self, folded: &[u8]) -> Option<(usize, u32)> {
        let rank = |gram: &u32| self.0.get(gram).copied().unwrap_or(usize::MAX);
        let score = |gram: &u32| gram.to_le_bytes().map(rarity).iter().sum::<u32>();
        folded
            .windows(GRAM_BYTES)
            .filter_map(<[u8]>::first_chunk)
            .map(|gram| u32::from_le_bytes(*gram))
            .enumerate()
            .max_by_key(|(start, gram)| (rank(gram), score(gram), Reverse(*start)))
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
