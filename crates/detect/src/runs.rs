//! Runs of characters that could be encoded data: base64 of either alphabet, hexadecimal digits.
//! One pass over a view finds them; the decoders and the rules anchored at runs use them.

use std::ops::Range;

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

const BASE64: u8 = 1;
const HEX: u8 = 2;
const BREAK: u8 = 4;
const JOIN: u8 = 8;

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
        if matches!(byte, b'\r' | b'\n') {
            class |= BREAK;
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
    let mut runs = Runs::default();
    let mut joined: Option<Range<usize>> = None;
    let mut position = 0;
    while let Some(rest) = bytes.get(position..) {
        let gap = rest.iter().position(|&byte| class(byte) & BASE64 != 0);
        let Some(gap) = gap else { break };
        let start = position + gap;
        let word = bytes.get(start..).unwrap_or_default();
        let length = word
            .iter()
            .position(|&b| class(b) & BASE64 == 0)
            .unwrap_or(word.len());
        let end = start + length;
        let breaks = gap > 0
            && gap <= 4
            && rest
                .iter()
                .take(gap)
                .all(|&byte| class(byte) & BREAK != 0 || byte == b'\t' || byte == b' ')
            && rest.first().is_some_and(|&byte| class(byte) & BREAK != 0);
        joined = match joined {
            Some(run) if breaks && run.end == position => Some(run.start..end),
            earlier => {
                keep_base64(&mut runs, earlier);
                Some(start..end)
            }
        };
        if length >= BASE64_BYTES_MIN {
            runs.words.push(start..end);
        }
        position = end;
    }
    keep_base64(&mut runs, joined);
    find_hex(bytes, &mut runs);
    runs
}

fn keep_base64(runs: &mut Runs, run: Option<Range<usize>>) {
    if let Some(run) = run
        && run.len() >= BASE64_BYTES_MIN
    {
        runs.base64.push(run);
    }
}

/// Hexadecimal runs lie within base64 words, or are pairs with separators; the latter are told by
/// their rhythm.
fn find_hex(bytes: &[u8], runs: &mut Runs) {
    for word in &runs.words {
        let mut start = word.start;
        for position in word.start..=word.end {
            let in_run = position < word.end
                && bytes
                    .get(position)
                    .is_some_and(|&byte| class(byte) & HEX != 0);
            if !in_run {
                if position - start >= HEX_BYTES_MIN {
                    runs.hex.push(start..position);
                }
                start = position + 1;
            }
        }
    }
    find_spaced_hex(bytes, runs);
}

/// `41:4b:49` and the like: at least 16 pairs with the same separator.
fn find_spaced_hex(bytes: &[u8], runs: &mut Runs) {
    const PAIRS_MIN: usize = 16;
    let mut position = 0;
    while let Some(found) = next_join(bytes, position) {
        let separator = crate::bytes::at(bytes, found);
        let first = found.saturating_sub(2).max(position);
        let mut pairs = 0;
        let mut end = first;
        while crate::bytes::hex_pair(bytes, end).is_some() {
            pairs += 1;
            end += 2;
            if crate::bytes::at(bytes, end) != separator {
                break;
            }
            end += 1;
        }
        if pairs >= PAIRS_MIN {
            runs.hex.push(first..end.min(bytes.len()));
        }
        position = end.max(found + 1);
    }
}

/// The next separator that stands between hexadecimal pairs.
fn next_join(bytes: &[u8], from: usize) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(6)
        .position(|window| {
            let [a, b, join, c, d, again] = window else {
                return false;
            };
            class(*join) & JOIN != 0
                && join == again
                && [a, b, c, d].iter().all(|&&byte| class(byte) & HEX != 0)
        })
        .map(|at| from + at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found() {
        let text = b"x QUtJQTEyMzQ1Njc4OTBB\nQkNERUY= y 414b494131323334353637383930414243444546 z";
        let runs = find(text);
        assert_eq!(runs.base64, vec![2..30, 34..74]);
        assert_eq!(runs.words, vec![2..22, 34..74]);
        assert_eq!(runs.hex, vec![34..74]);
        let spaced = b"-> 41:4b:49:41:31:32:33:34:35:36:37:38:39:30:41:42:43 <-";
        assert_eq!(find(spaced).hex, vec![3..53]);
    }
}
