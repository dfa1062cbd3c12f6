//! Texts written backwards, or letter by letter.

use std::ops::Range;

use super::{JOINED_BYTES_MAX, Joined};
use crate::bytes::{at, before, count_back, count_while, slice};
use crate::runs;

const WORD_BYTES_MIN: usize = 20;
const WORD_BYTES_MAX: usize = 512;

/// A short text backwards; of a long one, the words that could be a secret, each on its line.
pub(crate) fn reversed(bytes: &[u8]) -> Option<Joined> {
    const TEXT_BYTES_MAX: usize = 1024 * 1024;
    let backwards = |word: &[u8]| -> Vec<u8> { word.iter().rev().copied().collect() };
    let view = if bytes.len() <= WORD_BYTES_MAX {
        (bytes.len() >= WORD_BYTES_MIN).then(|| backwards(bytes))?
    } else {
        let text = slice(bytes, 0..TEXT_BYTES_MAX);
        let mut view = Vec::new();
        let words = runs::tokens(text, WORD_BYTES_MIN).into_iter();
        for word in words
            .map(|word| slice(text, word))
            .filter(|word| is_token(word))
        {
            view.extend(word.iter().rev());
            view.push(b'\n');
            if view.len() > JOINED_BYTES_MAX {
                break;
            }
        }
        view
    };
    (!view.is_empty()).then_some(Joined {
        bytes: view,
        seams: Vec::new(),
        range: 0..bytes.len(),
        label: "reversed",
    })
}

/// Whether a word could be a secret: long, of digits and letters.
fn is_token(word: &[u8]) -> bool {
    (WORD_BYTES_MIN..=WORD_BYTES_MAX).contains(&word.len())
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

/// The runs of a text in which single characters are separated (`A K I A`, `A-K-I-A`, one a line),
/// and, of a short text, runs of short groups with a digit among them, all without separators, each
/// run on its line.
pub(crate) fn spaced_out(bytes: &[u8]) -> Option<Joined> {
    const TEXT_BYTES_MAX: usize = 4096;
    let mut view = Vec::new();
    let mut range = bytes.len()..0;
    for period in [2, 3] {
        letters(bytes, period, &mut view, &mut range);
    }
    if bytes.len() <= TEXT_BYTES_MAX {
        groups(bytes, &mut view, &mut range);
    }
    (!view.is_empty()).then_some(Joined {
        bytes: view,
        seams: Vec::new(),
        range,
        label: "spaced",
    })
}

const fn is_separator(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'-'
            | b'_'
            | b'.'
            | b','
            | b';'
            | b':'
            | b'|'
            | b'/'
            | b'+'
            | b'*'
            | b'\t'
            | b'\r'
            | b'\n'
            | b'"'
            | b'\''
    )
}

/// The shortest run of single characters.
const LETTERS_MIN: usize = 12;

/// Single characters with the same separator of one or two bytes after each.
fn letters(bytes: &[u8], period: usize, view: &mut Vec<u8>, range: &mut Range<usize>) {
    let mut position = 0;
    while let Some(found) = next_rhythm(bytes, position, period) {
        let separator = slice(bytes, found..found + period - 1);
        let mut start = found;
        while start >= position + period && slice(bytes, start - period..start - 1) == separator {
            start -= period;
        }
        // A separator may be the first of all.
        start = match start.checked_sub(1) {
            Some(letter) if letter >= position && at(bytes, letter).is_ascii_graphic() => letter,
            _ => start + period - 1,
        };
        let mut end = start;
        let from = view.len();
        while at(bytes, end).is_ascii_graphic() && view.len() < JOINED_BYTES_MAX {
            view.push(at(bytes, end));
            end += 1;
            if slice(bytes, end..end + period - 1) != separator {
                break;
            }
            end += period - 1;
        }
        if view.len() - from < LETTERS_MIN {
            view.truncate(from);
            // The last character may be the first of another run.
            position = end.saturating_sub(1).max(found + 1);
            continue;
        }
        let is_in_word = [before(bytes, start), at(bytes, end)].map(|b| b.is_ascii_alphanumeric());
        without_ends(view, from, is_in_word);
        range.start = range.start.min(start);
        range.end = range.end.max(end.min(bytes.len()));
        position = end;
    }
}

/// Ends a line of single characters. Where the first or the last of them belongs to a word, it may be
/// one of them or not: the line comes again without it.
fn without_ends(view: &mut Vec<u8>, from: usize, is_in_word: [bool; 2]) {
    let line = slice(view, from..view.len()).to_vec();
    view.push(b'\n');
    for [first, last] in [[true, false], [false, true], [true, true]] {
        if first <= is_in_word[0] && last <= is_in_word[1] {
            view.extend_from_slice(slice(
                &line,
                usize::from(first)..line.len() - usize::from(last),
            ));
            view.push(b'\n');
        }
    }
}

/// A separator that comes again after one character, and again.
fn next_rhythm(bytes: &[u8], from: usize, period: usize) -> Option<usize> {
    const BLOCK_BYTES: usize = 512;
    let is_rhythm = |place: usize| {
        let byte = at(bytes, place);
        place > 0
            && byte == at(bytes, place + period)
            && byte == at(bytes, place + 2 * period)
            && is_separator(byte)
            && at(bytes, place + period - 1).is_ascii_alphanumeric()
            && (period == 2 || is_separator(at(bytes, place + 1)))
    };
    (from..bytes.len()).step_by(BLOCK_BYTES).find_map(|start| {
        let block = slice(bytes, start..start + BLOCK_BYTES + 2 * period);
        let mut places = start..start + BLOCK_BYTES;
        has_rhythm(block, period).then(|| places.find(|&place| is_rhythm(place)))?
    })
}

/// Whether any byte comes again after a letter or digit, and again; written so that the compiler can
/// look at many at once.
fn has_rhythm(block: &[u8], period: usize) -> bool {
    let later = |by: usize| slice(block, by..block.len());
    let is_letter =
        |byte: u8| ((byte | 0x20).wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'0') < 10);
    let again = later(period).iter().zip(later(2 * period));
    let places = block.iter().zip(later(period - 1)).zip(again);
    places.fold(false, |any, ((first, letter), (second, third))| {
        any | (first == second) & (second == third) & is_letter(*letter)
    })
}

/// Runs of short groups: `AKIA-7Q2M-ZK4X`. They have digits among them: only around those is there
/// anything to look at.
fn groups(bytes: &[u8], view: &mut Vec<u8>, range: &mut Range<usize>) {
    const BACK_BYTES_MAX: usize = 128;
    let mut position = 0;
    while let Some(gap) = slice(bytes, position..bytes.len())
        .iter()
        .position(u8::is_ascii_digit)
    {
        let digit = position + gap;
        let room = BACK_BYTES_MAX.min(digit - position);
        let is_run = |byte: u8| byte.is_ascii_alphanumeric() || is_gap(byte);
        let mut start = digit - count_back(bytes, digit, room, is_run);
        while start <= digit {
            start = group_run(bytes, start, view, range);
        }
        position = start;
    }
}

const fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'\r' | b'\n' | b'\t')
}

/// One run of short groups, joined where it could be a secret. Answers where to go on.
fn group_run(bytes: &[u8], start: usize, view: &mut Vec<u8>, range: &mut Range<usize>) -> usize {
    const GROUP_BYTES_MAX: usize = 8;
    const RUN_BYTES_MIN: usize = 16;
    let is_group = |byte: u8| byte.is_ascii_alphanumeric();
    let from = view.len();
    let (mut position, mut count) = (start, 0);
    loop {
        let length = count_while(bytes, position, usize::MAX, is_group);
        let next = position + length;
        let gap = count_while(bytes, next, 3, is_gap);
        let is_short = (1..=GROUP_BYTES_MAX).contains(&length);
        if is_short {
            view.extend_from_slice(slice(bytes, position..next));
            count += 1;
        }
        position = next + gap.max(1);
        if is_short && (1..=2).contains(&gap) && is_group(at(bytes, next + gap)) {
            continue;
        }
        let run = slice(view, from..view.len());
        let is_mixed =
            run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic);
        if run.len() >= RUN_BYTES_MIN && count > 2 && is_mixed {
            view.push(b'\n');
            range.start = range.start.min(start);
            range.end = range.end.max(next);
        } else {
            view.truncate(from);
        }
        return position;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn has_key(view: Option<Joined>) -> bool {
        view.is_some_and(|view| memchr::memmem::find(&view.bytes, KEY.as_bytes()).is_some())
    }

    #[test]
    fn backwards() {
        let key: String = KEY.chars().rev().collect();
        assert!(has_key(reversed(key.as_bytes())));
        assert!(has_key(reversed(
            format!("{} {key}, {}", "word ".repeat(99), "more ".repeat(99)).as_bytes()
        )));
        assert_eq!(reversed(b"short"), None);
        assert_eq!(
            reversed("only words of no interest ".repeat(99).as_bytes()),
            None
        );
    }

    #[test]
    fn letter_by_letter() {
        let letters: Vec<String> = KEY.chars().map(String::from).collect();
        for separator in [" ", "-", "\n", "\r\n", ", ", ".", "\t", "::", "\",\""] {
            let text = format!("the key is\n{}\n that is it", letters.join(separator));
            if separator.len() < 3 {
                assert!(has_key(spaced_out(text.as_bytes())), "{separator:?}");
                let long = format!("{}{text}", "some more words ".repeat(1000));
                assert!(has_key(spaced_out(long.as_bytes())), "{separator:?}");
            }
        }
        assert!(has_key(spaced_out(b"key: AKIA 7Q2M ZK4X W5LD PN3R.")));
        assert!(has_key(spaced_out(b"AKIA7-Q2MZK\n4XW5L-DPN3R")));
        let view = spaced_out(b"so: A-K-I-A-7-Q-2-M-Z-K-4-X-W-5-L-D-P-N-3-R!").expect("a view");
        assert_eq!(view.range, 4..43);
        assert_eq!(
            spaced_out(b"ordinary words, and some (more) of them: nothing else"),
            None
        );
    }

    proptest! {
        #[test]
        fn ranges_exist(bytes in proptest::collection::vec(prop_oneof![Just(b' '), Just(b'A'), Just(b'7'), any::<u8>()], 0..300)) {
            for view in [spaced_out(&bytes), reversed(&bytes)].into_iter().flatten() {
                prop_assert!(view.range.start <= view.range.end && view.range.end <= bytes.len());
                prop_assert!(view.bytes.len() <= 4 * bytes.len() + 4);
            }
        }
    }
}
