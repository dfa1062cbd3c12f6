//! How a pattern is looked for: the literals of which every match holds one, where they lie in a
//! match, and what must follow them. Worked out once from the pattern's syntax tree, so that the
//! scanner runs a pattern only where its literal stands, anchored, over a bounded span.

use regex_syntax::hir::{Class, Hir, HirKind};

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

/// A finite set of byte strings, with the case bit's mask for each byte.
type Words = Vec<Vec<(u8, u8)>>;

/// A candidate for the set of literals.
struct Candidate {
    literals: Vec<Literal>,
    bits: f32,
}

/// Shorter literals are extended by the class behind them, or refused.
pub(crate) const LITERAL_BYTES_MIN: usize = 4;
const LITERAL_BYTES_MAX: usize = 24;
const WORDS_MAX: usize = 96;
const EXTENDED_WORDS_MAX: usize = 640;
const EXACT_CLASS_MAX: usize = 10;
const EXTENSION_CLASS_MAX: usize = 40;
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

/// The best set of literals of which every match holds one.
fn required(hir: &Hir) -> Option<Candidate> {
    match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Repetition(_) | HirKind::Look(_) | HirKind::Empty => None,
        HirKind::Alternation(branches) => {
            let all: Option<Vec<Candidate>> = branches.iter().map(required).collect();
            let all = all?;
            let bits = all.iter().map(|one| one.bits).fold(f32::MAX, f32::min);
            let literals: Vec<Literal> = all.into_iter().flat_map(|one| one.literals).collect();
            (literals.len() <= 4 * WORDS_MAX).then_some(Candidate { literals, bits })
        }
        HirKind::Concat(parts) => required_of_parts(&flattened(parts)),
        _ => required_of_parts(&[hir]),
    }
}

/// Captures within a concatenation, opened: they do not change what matches.
fn flattened(parts: &[Hir]) -> Vec<&Hir> {
    let mut flat = Vec::new();
    for part in parts {
        let mut part = part;
        while let HirKind::Capture(capture) = part.kind() {
            part = &capture.sub;
        }
        match part.kind() {
            HirKind::Concat(inner) => flat.extend(flattened(inner)),
            _ => flat.push(part),
        }
    }
    flat
}

fn required_of_parts(parts: &[&Hir]) -> Option<Candidate> {
    let mut best: Option<Candidate> = None;
    let mut offer = |candidate: Option<Candidate>| {
        if let Some(candidate) = candidate
            && best.as_ref().is_none_or(|held| candidate.bits > held.bits)
        {
            best = Some(candidate);
        }
    };
    let mut before = (0_usize, Some(0_usize));
    let mut index = 0;
    while let Some(part) = parts.get(index) {
        let Some(max) = before.1.filter(|&max| max <= LOOKBACK_MAX) else {
            break;
        };
        // The longest run of exact parts from here on.
        let mut words: Words = vec![Vec::new()];
        let mut end = index;
        while let Some(more) = parts.get(end).and_then(|part| exact(part, EXACT_CLASS_MAX)) {
            let Some(crossed) = crossed(&words, &more) else {
                break;
            };
            words = crossed;
            end += 1;
        }
        offer(candidate_of(
            words,
            (before.0, max),
            index.checked_sub(1).and_then(|at| parts.get(at)).copied(),
            parts.get(end..).unwrap_or_default(),
        ));
        if end == index && !matches!(part.kind(), HirKind::Literal(_) | HirKind::Class(_)) {
            offer(required(part).map(|inner| shifted(inner, (before.0, max))));
        }
        let next = end.max(index + 1);
        for part in parts.get(index..next).unwrap_or_default() {
            before.0 += length_min(part);
            before.1 = before
                .1
                .and_then(|max| part.properties().maximum_len().map(|more| max + more));
        }
        index = next;
    }
    best
}

/// The words of a run as literals; short ones are extended by what stands behind or before them.
fn candidate_of(
    words: Words,
    before: (usize, usize),
    previous: Option<&Hir>,
    rest: &[&Hir],
) -> Option<Candidate> {
    let is_short = |words: &Words| words.iter().any(|word| word.len() < LITERAL_BYTES_MIN);
    let (mut words, mut before, mut rest, mut eaten) = (words, before, rest, 0);
    while is_short(&words) {
        let Some((next, behind)) = rest.split_first() else {
            break;
        };
        let Some(byte) = byte_of(next, eaten) else {
            // What is optional may be left out: any first byte of what follows will do, once.
            if eaten == 0 && words.iter().all(|word| word.len() + 1 >= LITERAL_BYTES_MIN) {
                words = crossed_up_to(&words, &first_words(rest)?, EXTENDED_WORDS_MAX)?;
                rest = &[];
            }
            break;
        };
        words = crossed_up_to(&words, &byte, EXTENDED_WORDS_MAX)?;
        eaten += 1;
        if next.properties().maximum_len() == Some(eaten) {
            (rest, eaten) = (behind, 0);
        }
    }
    if is_short(&words) && words.iter().all(|word| word.len() + 1 >= LITERAL_BYTES_MIN) {
        let last = previous.and_then(last_byte_of)?;
        words = crossed_up_to(&last, &words, EXTENDED_WORDS_MAX)?;
        before = (before.0.checked_sub(1)?, before.1.checked_sub(1)?);
    }
    if is_short(&words) {
        return None;
    }
    let mut tail = Tail::of(rest);
    tail.bytes_min = tail
        .bytes_min
        .saturating_sub(u8::try_from(eaten).unwrap_or(u8::MAX));
    let bits = words
        .iter()
        .map(|word| {
            word.iter()
                .map(|&(byte, mask)| rarity_bits(byte, mask))
                .sum::<f32>()
        })
        .fold(f32::MAX, f32::min);
    #[expect(clippy::cast_precision_loss, reason = "at most some hundred words")]
    let count = words.len() as f32;
    let window = if before.0 == before.1 { 0.0 } else { 4.0 };
    let literals = words
        .iter()
        .map(|word| Literal::new(word, before, tail))
        .collect();
    Some(Candidate {
        literals,
        bits: bits.min(48.0) - count.log2() - window,
    })
}

fn shifted(inner: Candidate, before: (usize, usize)) -> Candidate {
    let literals = inner
        .literals
        .into_iter()
        .map(|literal| Literal {
            before_min: literal.before_min + before.0,
            before_max: literal.before_max + before.1,
            tail: Tail::ANY,
            ..literal
        })
        .collect();
    Candidate {
        literals,
        bits: inner.bits,
    }
}

/// All words of the part, where there are few.
fn exact(hir: &Hir, class_max: usize) -> Option<Words> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            Some(vec![literal.0.iter().map(|&byte| (byte, 0xFF)).collect()])
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut bytes: Vec<(u8, u8)> = Vec::new();
            for byte in class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
            {
                let lower = (byte | CASE, !CASE);
                let is_pair = byte.is_ascii_alphabetic() && class_holds(class, byte ^ CASE);
                let entry = if is_pair { lower } else { (byte, 0xFF) };
                if !bytes.contains(&entry) {
                    bytes.push(entry);
                }
                if bytes.len() > class_max {
                    return None;
                }
            }
            (!bytes.is_empty()).then(|| bytes.into_iter().map(|byte| vec![byte]).collect())
        }
        HirKind::Capture(capture) => exact(&capture.sub, class_max),
        HirKind::Concat(parts) => parts.iter().try_fold(vec![Vec::new()], |words, part| {
            crossed(&words, &exact(part, class_max)?)
        }),
        HirKind::Alternation(branches) => {
            let mut words = Words::new();
            for branch in branches {
                words.extend(exact(branch, class_max)?);
                if words.len() > WORDS_MAX {
                    return None;
                }
            }
            Some(words)
        }
        HirKind::Repetition(repetition)
            if repetition.max == Some(repetition.min) && repetition.min <= 4 =>
        {
            let one = exact(&repetition.sub, class_max)?;
            (0..repetition.min).try_fold(vec![Vec::new()], |words, _| crossed(&words, &one))
        }
        _ => None,
    }
}

/// The byte at an index of a class, of its repetition or of a literal, as words of one byte;
/// nothing where a match need not have that byte.
fn byte_of(hir: &Hir, index: usize) -> Option<Words> {
    match hir.kind() {
        HirKind::Class(_) if index == 0 => exact(hir, EXTENSION_CLASS_MAX),
        HirKind::Repetition(repetition) if repetition.min as usize > index => {
            byte_of(&repetition.sub, 0)
                .filter(|_| repetition.sub.properties().maximum_len() == Some(1))
        }
        HirKind::Literal(literal) => Some(vec![vec![(*literal.0.get(index)?, 0xFF)]]),
        _ => None,
    }
}

/// The last byte of a class or of its repetition, as words of one byte.
fn last_byte_of(hir: &Hir) -> Option<Words> {
    match hir.kind() {
        HirKind::Class(_) => exact(hir, EXTENSION_CLASS_MAX),
        HirKind::Repetition(repetition) if repetition.min > 0 => last_byte_of(&repetition.sub),
        HirKind::Capture(capture) => last_byte_of(&capture.sub),
        _ => None,
    }
}

/// The bytes that a sequence may begin with, as words of one byte; nothing where it may be empty, or
/// where they are too many.
fn first_words(parts: &[&Hir]) -> Option<Words> {
    let mut tail = Tail {
        set: [0; 4],
        bytes_min: 1,
    };
    if !parts.iter().any(|part| add_first_bytes(part, &mut tail)) {
        return None;
    }
    let mut words = Words::new();
    for byte in (0..=u8::MAX).filter(|&byte| tail.holds(byte)) {
        let is_pair = byte.is_ascii_alphabetic() && tail.holds(byte ^ CASE);
        let word = vec![if is_pair {
            (byte | CASE, !CASE)
        } else {
            (byte, 0xFF)
        }];
        if !words.contains(&word) {
            words.push(word);
        }
    }
    (words.len() <= EXTENSION_CLASS_MAX).then_some(words)
}

fn class_holds(class: &regex_syntax::hir::ClassBytes, byte: u8) -> bool {
    class
        .ranges()
        .iter()
        .any(|range| (range.start()..=range.end()).contains(&byte))
}

fn crossed(left: &Words, right: &Words) -> Option<Words> {
    crossed_up_to(left, right, WORDS_MAX)
}

fn crossed_up_to(left: &Words, right: &Words, max: usize) -> Option<Words> {
    if left.len() * right.len() > max {
        return None;
    }
    let words = left
        .iter()
        .flat_map(|head| {
            right
                .iter()
                .map(move |tail| [head.as_slice(), tail].concat())
        })
        .collect();
    Some(words)
}

const fn case_mask(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() {
        !CASE
    } else {
        0xFF
    }
}

/// How rare a byte is in ordinary text, in bits, roughly: what makes a literal a good one.
fn rarity_bits(byte: u8, mask: u8) -> f32 {
    let folded = match byte | CASE {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 3.5,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' | b'p' => 4.5,
        b'f' | b'g' | b'w' | b'y' | b'b' | b'v' | b'k' => 6.0,
        b'x' | b'j' | b'q' | b'z' => 8.0,
        _ => 6.0,
    };
    match byte {
        b' ' => 2.5,
        b'A'..=b'Z' if mask == 0xFF => folded + 3.0,
        b'0'..=b'9' | b'=' | b':' | b'"' | b'/' | b'.' => 5.0,
        _ => folded,
    }
}

/// How improbable a match is in random text of 64 characters, in bits: what each byte of the
/// shortest match excludes.
pub(crate) fn strength(hir: &Hir) -> u32 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => 6 * u32::try_from(literal.0.len()).unwrap_or(u32::MAX / 6),
        HirKind::Class(Class::Bytes(class)) => {
            let size = (0..=255_u8)
                .filter(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                .filter(|&byte| class_holds(class, byte))
                .count();
            // A class without any of the 64 cannot match there at all.
            if size == 0 {
                64
            } else {
                tenths_of_bits(size) / 10
            }
        }
        HirKind::Class(Class::Unicode(_)) => 0,
        HirKind::Repetition(repetition) => match repetition.sub.kind() {
            HirKind::Class(Class::Bytes(class)) => {
                let size = (0..=255_u8)
                    .filter(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                    .filter(|&byte| class_holds(class, byte))
                    .count();
                let tenths = if size == 0 { 640 } else { tenths_of_bits(size) };
                repetition.min.saturating_mul(tenths) / 10
            }
            _ => repetition.min.saturating_mul(strength(&repetition.sub)),
        },
        HirKind::Capture(capture) => strength(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(strength).fold(0, u32::saturating_add),
        HirKind::Alternation(branches) => branches.iter().map(strength).min().unwrap_or(0),
    }
}

/// `10 · log2(64 / size)`, rounded down.
fn tenths_of_bits(size: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the size is 1 to 64, the result 0 to 60"
    )]
    let tenths = ((64.0 / size as f32).log2() * 10.0) as u32;
    tenths
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
