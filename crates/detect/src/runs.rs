//! Runs of characters that could be encoded data: base64 of either alphabet, hexadecimal digits.
//! One pass over a view finds them; the decoders and the rules anchored at runs use them.

use std::ops::Range;

use crate::bytes::{at, before, count_back, count_while, hex_pair, slice};

/// The runs of one view.
#[derive(Default)]
pub(crate) struct Runs {
    /// Base64 runs; line breaks inside them are included.
    pub(crate) base64: Vec<Range<usize>>,
    /// Unbroken runs of base64 characters.
    pub(crate) words: Vec<Range<usize>>,
    /// Runs of hexadecimal digits, with or without single separators.
    pub(crate) hex: Vec<Range<usize>>,
}

const BASE64_BYTES_MIN: usize = 20;
const HEX_BYTES_MIN: usize = 32;
const INDENT_BYTES_MAX: usize = 16;

const BASE64: u8 = 1;
const HEX: u8 = 2;
const JOIN: u8 = 4;
const TOKEN: u8 = 8;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
        let byte = index as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_') {
            class |= BASE64;
        }
        if byte.is_ascii_hexdigit() {
            class |= HEX;
        }
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b':' | b'@')
        {
            class |= TOKEN;
        }
        if matches!(byte, b' ' | b':' | b'-' | b',') {
            class |= JOIN;
        }
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[index] = class;
        }
        index += 1;
    }
    table
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The runs of a view.
pub(crate) fn find(bytes: &[u8]) -> Runs {
    let mut runs = Runs {
        words: long_runs(bytes, 0..bytes.len(), BASE64, BASE64_BYTES_MIN),
        ..Runs::default()
    };
    let joined = joined_lines(bytes);
    let mut later = joined.into_iter().peekable();
    for word in &runs.words {
        while let Some(run) = later.next_if(|run| run.start <= word.start) {
            runs.base64.push(run);
        }
        if runs.base64.last().is_none_or(|run| run.end < word.end) {
            runs.base64.push(word.clone());
        }
    }
    runs.base64.extend(later);
    for word in runs.words.iter().filter(|word| word.len() >= HEX_BYTES_MIN) {
        runs.hex
            .extend(long_runs(bytes, word.clone(), HEX, HEX_BYTES_MIN));
    }
    spaced_hex(bytes, &mut runs.hex);
    runs
}

/// The words that could be tokens of any kind: at least `min` bytes of letters, digits and what stands
/// between them.
pub(crate) fn tokens(bytes: &[u8], min: usize) -> Vec<Range<usize>> {
    long_runs(bytes, 0..bytes.len(), TOKEN, min)
}

/// The runs of a class with at least `min` bytes. Only every `min`th byte of a text without runs is
/// looked at, and a few before it: a run that is long enough must cover one of them.
fn long_runs(bytes: &[u8], within: Range<usize>, of: u8, min: usize) -> Vec<Range<usize>> {
    let is_in = |position: usize| {
        bytes
            .get(position)
            .is_some_and(|&byte| class(byte) & of != 0)
    };
    let mut found = Vec::new();
    // No run that began before `start` reaches it.
    let mut start = within.start;
    while start + min <= within.end {
        let last = start + min - 1;
        let outside = (start..=last).rev().find(|&position| !is_in(position));
        match outside {
            Some(position) => start = position + 1,
            None => {
                let rest = slice(bytes, last + 1..within.end);
                let more = rest.iter().position(|&byte| class(byte) & of == 0);
                let end = last + 1 + more.unwrap_or(rest.len());
                found.push(start..end);
                start = end + 1;
            }
        }
    }
    found
}

/// Runs that line breaks cut: the last word of a line, whole lines, the first word of a line.
fn joined_lines(bytes: &[u8]) -> Vec<Range<usize>> {
    const WORD_BYTES_MAX: usize = 4096;
    let is_base64 = |byte: u8| class(byte) & BASE64 != 0;
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(gap) = memchr::memchr(b'\n', slice(bytes, position..bytes.len())) {
        let newline = position + gap;
        let tail_end = newline - usize::from(before(bytes, newline) == b'\r').min(gap);
        let tail_room = WORD_BYTES_MAX.min(tail_end - position);
        let start = tail_end - count_back(bytes, tail_end, tail_room, is_base64);
        position = newline + 1;
        if start == tail_end {
            continue;
        }
        let (mut end, mut next) = (tail_end, newline + 1);
        loop {
            next += count_while(bytes, next, INDENT_BYTES_MAX, |b| b == b' ' || b == b'\t');
            let length = count_while(bytes, next, usize::MAX, is_base64);
            if length == 0 {
                break;
            }
            end = next + length;
            let carriage = usize::from(at(bytes, end) == b'\r');
            if at(bytes, end + carriage) != b'\n' {
                break;
            }
            next = end + carriage + 1;
        }
        if end > tail_end && end - start >= BASE64_BYTES_MIN {
            found.push(start..end);
        }
        position = position.max(end);
    }
    found
}

/// `41:4b:49` and the like: at least 16 pairs with the same separator.
fn spaced_hex(bytes: &[u8], found: &mut Vec<Range<usize>>) {
    const PAIRS_MIN: usize = 16;
    const STRIDE: usize = 32;
    let mut position = 0;
    while position + 8 < bytes.len() {
        let Some(separator_at) = separator_of_pairs(bytes, position) else {
            position += STRIDE;
            continue;
        };
        let separator = at(bytes, separator_at);
        let is_pair = |start: usize| hex_pair(bytes, start).is_some();
        let mut start = separator_at - 2;
        while start >= 3 && at(bytes, start - 1) == separator && is_pair(start - 3) {
            start -= 3;
        }
        let mut end = separator_at;
        while at(bytes, end) == separator && is_pair(end + 1) {
            end += 3;
        }
        if (end - start).div_ceil(3) >= PAIRS_MIN {
            found.push(start..end);
        }
        position = end.max(position + STRIDE);
    }
}

/// The separator between pairs of hexadecimal digits that a position lies among.
fn separator_of_pairs(bytes: &[u8], position: usize) -> Option<usize> {
    let candidate =
        (position..position + 3).find(|&at| class(crate::bytes::at(bytes, at)) & JOIN != 0)?;
    // The pair before it may lie before the position.
    let start = candidate.checked_sub(2)?;
    let is_pair = |start: usize| hex_pair(bytes, start).is_some();
    let repeats = at(bytes, candidate + 3) == at(bytes, candidate);
    (is_pair(start) && is_pair(candidate + 1) && repeats).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_are_found() {
        let text = b"x QUtJQTEyMzQ1Njc4OTBB\nQkNERUY= y 414b494131323334353637383930414243444546 z";
        let runs = find(text);
        assert_eq!(runs.base64, vec![2..30, 34..74]);
        assert_eq!(runs.words, vec![2..22, 34..74]);
        assert_eq!(runs.hex, vec![34..74]);
        let short = b"key: QUtJ\nQTEyMzQ1\r\n  Njc4OTBB\nQkNERUY= end";
        assert_eq!(find(short).base64, vec![5..38]);
        let spaced = b"-> 41:4b:49:41:31:32:33:34:35:36:37:38:39:30:41:42:43 <-";
        assert_eq!(find(spaced).hex, vec![3..53]);
    }

    proptest! {
        #[test]
        fn no_run_is_missed(text in "[a-c .]{0,200}|([a-z]{15,25}[ .]{1,3}){0,8}") {
            let runs = find(text.as_bytes());
            let expected: Vec<Range<usize>> = text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| word.len() >= BASE64_BYTES_MIN)
                .map(|word| {
                    let start = word.as_ptr() as usize - text.as_ptr() as usize;
                    start..start + word.len()
                })
                .collect();
            prop_assert_eq!(runs.words, expected);
        }
    }
}
