//! Reading bytes without panicking: what lies outside reads as NUL or as nothing.

use std::ops::Range;

/// The byte at a position, NUL past the end.
pub(crate) fn at(bytes: &[u8], index: usize) -> u8 {
    bytes.get(index).copied().unwrap_or(0)
}

/// The byte before a position, NUL at the beginning.
pub(crate) fn before(bytes: &[u8], index: usize) -> u8 {
    index.checked_sub(1).map_or(0, |index| at(bytes, index))
}

/// The part of the range that exists.
pub(crate) fn slice(bytes: &[u8], range: Range<usize>) -> &[u8] {
    let end = range.end.min(bytes.len());
    bytes.get(range.start.min(end)..end).unwrap_or_default()
}

/// A word to look for in many texts, prepared once.
macro_rules! finder {
    ($word:expr) => {{
        static FINDER: std::sync::LazyLock<memchr::memmem::Finder<'static>> =
            std::sync::LazyLock::new(|| memchr::memmem::Finder::new($word));
        &*FINDER
    }};
}
pub(crate) use finder;

/// How many bytes from `from` on satisfy the test, at most `max`.
pub(crate) fn count_while(
    bytes: &[u8],
    from: usize,
    max: usize,
    test: impl Fn(u8) -> bool,
) -> usize {
    slice(bytes, from..from.saturating_add(max))
        .iter()
        .take_while(|&&byte| test(byte))
        .count()
}

/// How many bytes before `to` satisfy the test, at most `max`, going backwards.
pub(crate) fn count_back(bytes: &[u8], to: usize, max: usize, test: impl Fn(u8) -> bool) -> usize {
    slice(bytes, to.saturating_sub(max)..to)
        .iter()
        .rev()
        .take_while(|&&byte| test(byte))
        .count()
}

/// Whether any byte passes a test; written like [`count_of`].
pub(crate) fn has_any(bytes: &[u8], test: impl Fn(u8) -> bool) -> bool {
    const BLOCK_BYTES: usize = 1024;
    bytes
        .chunks(BLOCK_BYTES)
        .any(|block| block.iter().fold(false, |any, &byte| any | test(byte)))
}

/// How many bytes pass a test; written so that the compiler can look at many at once.
pub(crate) fn count_of(bytes: &[u8], test: impl Fn(u8) -> bool) -> usize {
    const BLOCK_BYTES: usize = 128;
    bytes
        .chunks(BLOCK_BYTES)
        .map(|block| usize::from(block.iter().map(|&byte| u8::from(test(byte))).sum::<u8>()))
        .sum()
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that two hexadecimal digits at a position stand for.
pub(crate) fn hex_pair(bytes: &[u8], index: usize) -> Option<u8> {
    let high = hex_value(*bytes.get(index)?)?;
    let low = hex_value(*bytes.get(index + 1)?)?;
    Some(high << 4 | low)
}
