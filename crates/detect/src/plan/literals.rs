//! The choice of literals: of all sets of which every match of a pattern holds one, the one that is
//! rarest in ordinary text and nearest to the match's beginning.

use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind};

use super::{CASE, LITERAL_BYTES_MIN, LOOKBACK_MAX, Literal, Tail, add_first_bytes, length_min};

/// A finite set of byte strings, with the case bit's mask for each byte.
type Words = Vec<Vec<(u8, u8)>>;

/// A candidate for the set of literals.
pub(super) struct Candidate {
    pub(super) literals: Vec<Literal>,
    bits: f32,
}

const WORDS_MAX: usize = 96;
const EXTENDED_WORDS_MAX: usize = 640;
const EXACT_CLASS_MAX: usize = 10;
const EXTENSION_CLASS_MAX: usize = 40;

/// The best set of literals of which every match holds one.
pub(super) fn required(hir: &Hir) -> Option<Candidate> {
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

pub(super) fn class_holds(class: &ClassBytes, byte: u8) -> bool {
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
