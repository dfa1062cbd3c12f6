//! How a pattern is looked for: the literals of which every match holds one, where they lie in a
//! match, and what must follow them. Worked out once from the pattern's syntax tree, so that the
//! scanner runs a pattern only where its literal stands, anchored, over a bounded span.

mod literals;
mod strength;

use regex_syntax::hir::{Class, Hir, HirKind};

use literals::required;
pub(crate) use strength::strength;

/// What the scanner needs to know of a pattern.
pub(crate) struct Plan {
    /// At least one of them lies in every match.
    pub(crate) literals: Vec<Literal>,
    /// The longest match, in bytes.
    pub(crate) length_max: usize,
    /// What a match may begin with.
    pub(crate) first: Tail,
    /// How improbable it is that random base64url text matches, in bits.
    pub(crate) strength_bits: u32,
}

/// Bytes to look for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Word {
    /// The bytes; a letter that may have either case is lower.
    pub(crate) bytes: Vec<u8>,
    /// For each byte, the bits that must agree: all, or all but the one of the case.
    pub(crate) masks: Vec<u8>,
}

/// A literal of a pattern and its place in a match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Literal {
    pub(crate) word: Word,
    /// The fewest bytes of a match before it.
    pub(crate) before_min: usize,
    /// The most bytes of a match before it.
    pub(crate) before_max: usize,
    /// What the bytes behind it may be, and how many there must be.
    pub(crate) tail: Tail,
}

/// A superset of the bytes that may follow a literal in a match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tail {
    set: [u64; 4],
    bytes_min: u8,
}

/// Shorter literals are extended by the class behind them, or refused.
pub(crate) const LITERAL_BYTES_MIN: usize = 4;
const LITERAL_BYTES_MAX: usize = 24;
const TAIL_BYTES_MAX: usize = 16;
/// A literal may lie this far from the place where its match begins.
pub(crate) const LOOKBACK_MAX: usize = 256;
/// The longest match that is looked at.
pub(crate) const SPAN_BYTES_MAX: usize = 16 * 1024;
/// Tells case from other differences of ASCII letters.
const CASE: u8 = 0x20;

// === impl Plan ===

impl Plan {
    /// The plan for a pattern.
    ///
    /// # Errors
    /// What to change, where there is no literal to look for.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let hir = parse(pattern)?;
        let best = required(&hir)
            .ok_or("holds no literal of four bytes at a bounded distance from its beginning")?;
        Ok(Self {
            literals: best.literals,
            length_max: length_max(&hir),
            strength_bits: strength(&hir),
            first: first_bytes(&hir),
        })
    }

    /// The plan for a pattern that begins with one of the stated literals.
    ///
    /// # Errors
    /// What to change, where a literal is too short.
    pub(crate) fn stated(
        pattern: &str,
        literals: &[String],
        lookback: usize,
    ) -> Result<Self, String> {
        let hir = parse(pattern)?;
        if literals.iter().any(|text| text.len() < LITERAL_BYTES_MIN) {
            return Err("has `literals` of less than four bytes".to_owned());
        }
        let literals = literals
            .iter()
            .map(|text| Literal {
                word: Word::ignoring_case(text),
                before_min: 0,
                before_max: lookback,
                tail: Tail::ANY,
            })
            .collect();
        Ok(Self {
            literals,
            length_max: length_max(&hir),
            strength_bits: strength(&hir),
            first: first_bytes(&hir),
        })
    }
}

/// The bytes that a match of the pattern may begin with.
pub(crate) fn first_bytes(hir: &Hir) -> Tail {
    let mut tail = Tail {
        set: [0; 4],
        bytes_min: 1,
    };
    if add_first_bytes(hir, &mut tail) {
        tail
    } else {
        Tail::ANY
    }
}

/// Adds them, and answers whether the part always matches at least one byte.
fn add_first_bytes(hir: &Hir, tail: &mut Tail) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => {
            literal.0.iter().take(1).for_each(|&byte| tail.insert(byte));
            true
        }
        HirKind::Class(_) => {
            add_bytes(hir, tail);
            true
        }
        HirKind::Repetition(repetition) => {
            add_first_bytes(&repetition.sub, tail) && repetition.min > 0
        }
        HirKind::Capture(capture) => add_first_bytes(&capture.sub, tail),
        HirKind::Concat(parts) => parts.iter().any(|part| add_first_bytes(part, tail)),
        HirKind::Alternation(branches) => {
            // All of them add theirs, also behind one that may be empty.
            let always: Vec<bool> = branches
                .iter()
                .map(|branch| add_first_bytes(branch, tail))
                .collect();
            always.into_iter().all(|one| one)
        }
    }
}

/// Parses a pattern as bytes, without Unicode.
pub(crate) fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern)
        .map_err(|error| match error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            error => error.to_string(),
        })
}

/// How long a match may be; patterns without an end are cut off.
pub(crate) fn length_max(hir: &Hir) -> usize {
    hir.properties()
        .maximum_len()
        .unwrap_or(SPAN_BYTES_MAX)
        .min(SPAN_BYTES_MAX)
}

// === impl Word ===

impl Word {
    /// A text, in either case.
    pub(crate) fn ignoring_case(text: &str) -> Self {
        Self {
            bytes: text.to_ascii_lowercase().into_bytes(),
            masks: text.bytes().map(case_mask).collect(),
        }
    }

    /// The beginning of a value.
    pub(crate) fn beginning(value: &[u8]) -> Self {
        let bytes = value
            .get(..value.len().min(LITERAL_BYTES_MAX))
            .unwrap_or_default();
        Self {
            bytes: bytes.to_vec(),
            masks: vec![0xFF; bytes.len()],
        }
    }

    /// Whether the word stands at the beginning of `bytes`.
    pub(crate) fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.bytes.len()
            && self
                .bytes
                .iter()
                .zip(&self.masks)
                .zip(bytes)
                .all(|((literal, mask), byte)| (literal ^ byte) & mask == 0)
    }
}

// === impl Literal ===

impl Literal {
    fn new(word: &[(u8, u8)], before: (usize, usize), tail: Tail) -> Self {
        // What follows the part of a long word that is looked for is the rest of it.
        let is_cut = word.len() > LITERAL_BYTES_MAX;
        let tail = if is_cut { Tail::ANY } else { tail };
        let word = word
            .get(..word.len().min(LITERAL_BYTES_MAX))
            .unwrap_or_default();
        Self {
            word: Word {
                bytes: word.iter().map(|&(byte, _)| byte).collect(),
                masks: word.iter().map(|&(_, mask)| mask).collect(),
            },
            before_min: before.0,
            before_max: before.1,
            tail,
        }
    }
}

// === impl Tail ===

impl Tail {
    /// Anything, or nothing.
    pub(crate) const ANY: Self = Self {
        set: [u64::MAX; 4],
        bytes_min: 0,
    };

    /// Whether what follows a literal can be the rest of a match.
    pub(crate) fn fits(&self, rest: &[u8]) -> bool {
        let wanted = usize::from(self.bytes_min);
        rest.len() >= wanted && rest.iter().take(wanted).all(|&byte| self.holds(byte))
    }

    fn holds(&self, byte: u8) -> bool {
        self.set
            .get(usize::from(byte >> 6))
            .is_some_and(|bits| bits >> (byte & 63) & 1 == 1)
    }

    fn insert(&mut self, byte: u8) {
        if let Some(bits) = self.set.get_mut(usize::from(byte >> 6)) {
            *bits |= 1 << (byte & 63);
        }
    }

    /// From the parts of a concatenation behind the literal.
    fn of(parts: &[&Hir]) -> Self {
        let bytes_min: usize = parts.iter().map(|part| length_min(part)).sum();
        let mut tail = Self {
            set: [0; 4],
            bytes_min: u8::try_from(bytes_min.min(TAIL_BYTES_MAX)).unwrap_or(0),
        };
        let mut known = 0;
        for part in parts {
            add_bytes(part, &mut tail);
            known += length_min(part);
            if known >= TAIL_BYTES_MAX {
                break;
            }
        }
        tail
    }
}

fn length_min(hir: &Hir) -> usize {
    hir.properties().minimum_len().unwrap_or(0)
}

/// Every byte that a part of a pattern can match.
fn add_bytes(hir: &Hir, tail: &mut Tail) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|&byte| tail.insert(byte)),
        HirKind::Class(Class::Bytes(class)) => class
            .ranges()
            .iter()
            .for_each(|range| (range.start()..=range.end()).for_each(|byte| tail.insert(byte))),
        HirKind::Class(Class::Unicode(_)) => {
            *tail = Tail {
                bytes_min: tail.bytes_min,
                ..Tail::ANY
            }
        }
        HirKind::Repetition(repetition) => add_bytes(&repetition.sub, tail),
        HirKind::Capture(capture) => add_bytes(&capture.sub, tail),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| add_bytes(part, tail));
        }
    }
}

const fn case_mask(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() {
        !CASE
    } else {
        0xFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(pattern: &str) -> Vec<(String, usize, usize)> {
        Plan::new(pattern)
            .map(|plan| {
                plan.literals
                    .iter()
                    .map(|one| {
                        (
                            String::from_utf8_lossy(&one.word.bytes).into_owned(),
                            one.before_min,
                            one.before_max,
                        )
                    })
                    .collect()
            })
            .unwrap_or_default()
    }

    fn text(list: &[(&str, usize, usize)]) -> Vec<(String, usize, usize)> {
        list.iter()
            .map(|&(text, min, max)| (text.to_owned(), min, max))
            .collect()
    }

    #[test]
    fn the_rarest_literal_at_a_bounded_place_is_chosen() {
        assert_eq!(
            literals("glpat-[A-Za-z0-9_-]{20}"),
            text(&[("glpat-", 0, 0)])
        );
        assert_eq!(
            literals(r"[a-z0-9]{14}\.atlasv1\.[a-z0-9=_-]{60,70}"),
            text(&[(".atlasv1.", 14, 14)])
        );
        assert_eq!(
            literals("(?:sk|rk)_live_[a-z0-9]{10,99}"),
            text(&[("sk_live_", 0, 0), ("rk_live_", 0, 0)])
        );
        assert_eq!(literals("(?i:basic) x"), text(&[("basic x", 0, 0)]));
        assert_eq!(literals("r8_[0-9]{3}").len(), 10);
        assert_eq!(literals("hf_[A-Za-z]{34}").len(), 26);
        assert_eq!(literals("BSA[a-c]{0,3}[0-9]").len(), 13);
        assert_eq!(
            literals("[0-9]{4}:fx"),
            (0..10)
                .map(|n| (format!("{n}:fx"), 3, 3))
                .collect::<Vec<_>>()
        );
        assert_eq!(literals("[a-z]{1,3}-suffix"), text(&[("-suffix", 1, 3)]));
    }

    #[test]
    fn a_pattern_without_a_literal_is_refused() {
        assert!(Plan::new("[a-z]+").is_err());
        assert!(Plan::new("[a-z]+suffix").is_err());
        assert!(Plan::new("S[0-9a-f]{32}").is_err());
        assert!(Plan::new("(").is_err());
        assert!(Plan::new("(?:a{0,3}){0,2}").is_err());
    }

    #[test]
    fn tails_refuse_what_cannot_go_on() {
        let plan = Plan::new("ghp_[A-Za-z0-9]{36}")
            .map(|plan| plan.literals)
            .unwrap_or_default();
        let [literal] = plan.as_slice() else {
            panic!("one literal")
        };
        assert!(!literal.tail.fits(b"ghp_ghp_ghp_ghp_ghp_"));
        assert!(!literal.tail.fits(b"abc"));
        assert!(literal.tail.fits(b"0123456789abcdefghij"));
        let short = Plan::new("r8_[0-9]{3}")
            .map(|plan| plan.literals)
            .unwrap_or_default();
        assert!(short.iter().all(|literal| literal.tail.fits(b"12")));
    }

    #[test]
    fn strength_counts_what_a_pattern_excludes() {
        let bits = |pattern: &str| {
            Plan::new(pattern)
                .map(|plan| plan.strength_bits)
                .unwrap_or(0)
        };
        assert_eq!(bits("AKIA[A-Z0-9]{16}"), 24 + 12);
        assert_eq!(bits("AIza[A-Za-z0-9_-]{35}"), 24);
        assert!(bits(r"SG\.[a-z0-9]{22}\.[a-z0-9]{43}") > 40);
    }
}
