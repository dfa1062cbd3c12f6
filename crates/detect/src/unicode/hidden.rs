//! What invisible characters spell: tag characters stand for ASCII, variation selectors for bytes,
//! two kinds of zero-width characters for bits.

use super::{Cleaned, ascii_prefix, char_at};
use crate::bytes::slice;

/// The shortest text of variation selectors.
const SELECTORS_MIN: usize = 8;
/// The shortest text of zero-width characters, in bits.
const BITS_MIN: usize = 64;

/// The texts that invisible characters spell: none, or a few.
pub(crate) fn texts(bytes: &[u8]) -> Vec<Cleaned> {
    if bytes.is_ascii() {
        return Vec::new();
    }
    let mut tags = Cleaned::empty();
    let mut selectors = Cleaned::empty();
    let mut bits = Bits::default();
    let (mut copied, mut position) = (0, 0);
    while position < bytes.len() {
        position += ascii_prefix(slice(bytes, position..bytes.len()));
        // All of them begin with one of two bytes.
        let Some(&lead) = bytes.get(position) else {
            break;
        };
        if !matches!(lead, 0xE2 | 0xEF | 0xF3) {
            position += 1;
            continue;
        }
        let Some((character, end)) = valid_char(bytes, position) else {
            position += 1;
            continue;
        };
        if let Some(byte) = tag(character) {
            tags.bytes.extend_from_slice(slice(bytes, copied..position));
            tags.bytes.extend(byte);
            tags.marks.push((tags.bytes.len(), end));
            copied = end;
        }
        if let Some(byte) = selector(character) {
            selectors.marks.push((selectors.bytes.len(), position));
            selectors.bytes.push(byte);
        }
        bits.take(character, position);
        position = end;
    }
    let mut texts = Vec::new();
    if !tags.marks.is_empty() {
        tags.bytes
            .extend_from_slice(slice(bytes, copied..bytes.len()));
        texts.push(tags);
    }
    if selectors.bytes.len() >= SELECTORS_MIN {
        texts.push(selectors);
    }
    texts.extend(bits.texts());
    texts
}

/// The character at a position of bytes that may not be UTF-8, and where it ends.
fn valid_char(bytes: &[u8], position: usize) -> Option<(char, usize)> {
    let character = char_at(bytes, position)?;
    let end = position + character.len_utf8();
    let encoded = slice(bytes, position..end);
    std::str::from_utf8(encoded)
        .ok()?
        .chars()
        .eq([character])
        .then_some((character, end))
}

/// The ASCII that a tag character stands for; nothing for those that delimit.
fn tag(character: char) -> Option<Option<u8>> {
    let code = u32::from(character);
    (0xE_0000..0xE_0080).contains(&code).then(|| {
        let byte = u8::try_from(code & 0x7F).ok()?;
        (0x20..0x7F).contains(&byte).then_some(byte)
    })
}

/// Variation selectors 1 to 256 are as many as a byte has values.
fn selector(character: char) -> Option<u8> {
    let code = u32::from(character);
    let index = match code {
        0xFE00..=0xFE0F => code - 0xFE00,
        0xE_0100..=0xE_01EF => code - 0xE_0100 + 16,
        _ => return None,
    };
    u8::try_from(index).ok()
}

/// Zero-width characters as bits: the first kind that occurs is one value, every other kind of
/// space or joiner the other; which is which is not known, so that both are tried.
#[derive(Default)]
struct Bits {
    first: Option<char>,
    values: Vec<bool>,
    start: usize,
}

impl Bits {
    fn take(&mut self, character: char, position: usize) {
        const BITS_MAX: usize = 1024 * 1024;
        if !matches!(character, '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}') {
            return;
        }
        if self.values.is_empty() {
            self.start = position;
        }
        let first = *self.first.get_or_insert(character);
        if self.values.len() < BITS_MAX {
            self.values.push(character != first);
        }
    }

    fn texts(self) -> Vec<Cleaned> {
        if self.values.len() < BITS_MIN {
            return Vec::new();
        }
        let (octets, _) = self.values.as_chunks::<8>();
        let value = |octet: &[bool; 8]| {
            octet
                .iter()
                .fold(0, |byte: u8, &bit| byte << 1 | u8::from(bit))
        };
        let bytes: Vec<u8> = octets.iter().map(value).collect();
        let inverted = bytes.iter().map(|byte| !byte).collect();
        [bytes, inverted]
            .into_iter()
            .filter(|bytes: &Vec<u8>| {
                bytes
                    .iter()
                    .filter(|byte| (0x20..0x7F).contains(*byte))
                    .count()
                    * 2
                    > bytes.len()
            })
            .map(|bytes| Cleaned {
                bytes,
                marks: vec![(0, self.start)],
            })
            .collect()
    }
}

impl Cleaned {
    const fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            marks: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn spelled(text: &str) -> Vec<String> {
        texts(text.as_bytes())
            .into_iter()
            .map(|text| String::from_utf8_lossy(&text.bytes).into_owned())
            .collect()
    }

    #[test]
    fn invisible_characters_spell() {
        let shifted = |base: u32| -> String {
            KEY.chars()
                .filter_map(|c| char::from_u32(base + u32::from(c)))
                .collect()
        };
        let tags = format!("hi\u{E0001}{}\u{E007F}!", shifted(0xE_0000));
        assert_eq!(spelled(&tags), [format!("hi{KEY}!")]);
        assert_eq!(spelled(&format!("hi{}", shifted(0xE_0100 - 16))), [KEY]);
        let bits: String = KEY
            .bytes()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .map(|bit| if bit { '\u{200C}' } else { '\u{200B}' })
            .collect();
        assert_eq!(spelled(&format!("cover{bits}text")), [KEY]);
        assert!(texts(b"cut off \xF3\xA0\x81").is_empty());
        assert!(spelled("\u{2764}\u{FE0F} \u{1F468}\u{200D}\u{1F469} caf\u{E9}").is_empty());
    }
}
