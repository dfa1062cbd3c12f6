//! UTF-16 and UTF-32 of either byte order, with or without a byte order mark, at any position, also
//! within other bytes. A text is told by its ASCII characters; others may stand between them.

use super::Decoded;
use crate::bytes::{at, before, slice};

/// How the bytes of a unit are ordered.
#[derive(Clone, Copy)]
struct Order {
    width: usize,
    is_little: bool,
    label: &'static str,
}

/// The fewest ASCII characters of a text.
const ASCII_MIN: usize = 8;
/// So many other characters in a row end it: plain ASCII reads as ideographs.
const OTHERS_MAX: usize = 16;
/// Every so many characters of a long text its position is noted.
const MARK_EVERY: usize = 8;
const EXACT_CHARS_MAX: usize = 16 * 1024;

/// The texts in UTF-16, low byte first.
pub(super) fn utf16_le(bytes: &[u8]) -> Option<Decoded> {
    find(
        bytes,
        Order {
            width: 2,
            is_little: true,
            label: "utf-16",
        },
    )
}

/// The texts in UTF-16, high byte first.
pub(super) fn utf16_be(bytes: &[u8]) -> Option<Decoded> {
    find(
        bytes,
        Order {
            width: 2,
            is_little: false,
            label: "utf-16",
        },
    )
}

/// The texts in UTF-32, low byte first.
pub(super) fn utf32_le(bytes: &[u8]) -> Option<Decoded> {
    find(
        bytes,
        Order {
            width: 4,
            is_little: true,
            label: "utf-32",
        },
    )
}

/// The texts in UTF-32, high byte first.
pub(super) fn utf32_be(bytes: &[u8]) -> Option<Decoded> {
    find(
        bytes,
        Order {
            width: 4,
            is_little: false,
            label: "utf-32",
        },
    )
}

fn find(bytes: &[u8], order: Order) -> Option<Decoded> {
    let mut decoded = Decoded::new(order.label);
    let (mut zero, mut after) = (0, 0);
    while let Some(&byte) = bytes.get(zero) {
        // Zeros often come in long rows.
        if byte != 0 {
            let Some(found) = memchr::memchr(0, slice(bytes, zero..bytes.len())) else {
                break;
            };
            zero += found;
        }
        // The ASCII character is the first byte of its unit, or the last.
        let (start, ascii) = if order.is_little {
            (zero.wrapping_sub(1), before(bytes, zero))
        } else {
            (zero, at(bytes, zero + order.width - 1))
        };
        zero += 1;
        if is_ascii_text(char::from(ascii)) && start >= after {
            let character = order.char_at(bytes, start);
            if character.is_some_and(|(character, _)| is_ascii_text(character)) {
                after = push_text(bytes, start, order, &mut decoded);
                zero = zero.max(after);
            }
        }
    }
    decoded.into_option()
}

/// Takes a text, where it is one. Answers where it ends.
fn push_text(bytes: &[u8], start: usize, order: Order, decoded: &mut Decoded) -> usize {
    let begin = (decoded.bytes.len(), decoded.marks.len());
    let (mut ascii, mut others, mut chars) = (0, 0, 0);
    let mut position = start;
    let mut end = (begin.0, begin.1, start);
    while let Some((character, width)) = order.char_at(bytes, position).filter(|(c, _)| is_text(*c))
    {
        if chars < EXACT_CHARS_MAX || chars % MARK_EVERY == 0 {
            decoded.marks.push((decoded.bytes.len(), position));
        }
        decoded
            .bytes
            .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        position += width;
        chars += 1;
        if is_ascii_text(character) {
            (ascii, others) = (ascii + 1, 0);
            end = (decoded.bytes.len(), decoded.marks.len(), position);
        } else {
            others += 1;
        }
        if others > OTHERS_MAX {
            break;
        }
    }
    let (text_end, marks_end, position) = end;
    if ascii < ASCII_MIN {
        decoded.bytes.truncate(begin.0);
        decoded.marks.truncate(begin.1);
    } else {
        decoded.bytes.truncate(text_end);
        decoded.marks.truncate(marks_end);
        decoded.bytes.push(b'\n');
    }
    position
}

const fn is_ascii_text(character: char) -> bool {
    matches!(character, '\u{20}'..='\u{7E}' | '\n' | '\r' | '\t')
}

/// Assigned to something that is written, as far as ranges tell.
const fn is_text(character: char) -> bool {
    is_ascii_text(character)
        || matches!(character, '\u{A0}'..='\u{D7FF}' | '\u{F900}'..='\u{FFEF}' | '\u{1_0000}'..='\u{3_FFFF}')
}

// === impl Order ===

impl Order {
    /// The character at a position, and how many bytes it is.
    fn char_at(self, bytes: &[u8], position: usize) -> Option<(char, usize)> {
        let unit = self.unit(bytes, position)?;
        let is_high = self.width == 2 && (0xD800..0xDC00).contains(&unit);
        if !is_high {
            return char::from_u32(unit).map(|character| (character, self.width));
        }
        let low = self.unit(bytes, position + 2)?;
        if !(0xDC00..0xE000).contains(&low) {
            return None;
        }
        let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        char::from_u32(code).map(|character| (character, 4))
    }

    fn unit(self, bytes: &[u8], position: usize) -> Option<u32> {
        let rest = bytes.get(position..)?;
        Some(match (self.width, self.is_little) {
            (2, true) => u32::from(u16::from_le_bytes(*rest.first_chunk()?)),
            (2, false) => u32::from(u16::from_be_bytes(*rest.first_chunk()?)),
            (_, true) => u32::from_le_bytes(*rest.first_chunk()?),
            (_, false) => u32::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    #[test]
    fn texts_are_found_at_any_position() {
        let text = format!("clé: {KEY} \u{1F511}; ключ и ещё {KEY}");
        let wide = |little: bool| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect()
        };
        let wider = |little: bool| -> Vec<u8> {
            text.chars()
                .map(u32::from)
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect()
        };
        for (find, data) in [
            (utf16_le as fn(&[u8]) -> Option<Decoded>, wide(true)),
            (utf16_be, wide(false)),
            (utf32_le, wider(true)),
            (utf32_be, wider(false)),
        ] {
            for prefix in [
                &b""[..],
                b"\xFF\xFE",
                b"name=",
                b"odd",
                b"\x01\x02\x03\x04\x05",
            ] {
                let body = [
                    prefix,
                    &data,
                    b" and plain ASCII after it, which is no part of it",
                ]
                .concat();
                let found = find(&body).expect("a view");
                let found_text = String::from_utf8(found.bytes.clone()).expect("valid");
                assert_eq!(found_text.matches(KEY).count(), 2, "{found_text}");
                let here = found_text.find(KEY).expect("there");
                let mark = found
                    .marks
                    .iter()
                    .find(|mark| mark.0 == here)
                    .expect("a mark");
                let width = data.len() / text.chars().count();
                assert!(slice(&body, mark.1..mark.1 + width).contains(&b'A'));
            }
        }
        assert_eq!(utf16_le(&[0; 1000]), None);
        assert_eq!(utf16_be(b"\0short\0bits\0of text"), None);
    }
}
