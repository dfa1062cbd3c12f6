//! Text as a reader sees it: characters that nobody sees left out, characters that look like ASCII
//! as the ASCII they look like. Ordinary prose of any script is left as it is; what counts is a word
//! in which ASCII and its look-alikes are mixed, or hidden characters between visible ones.
//! [`cleaned`] gives that text; [`hidden`] gives what invisible characters spell.

pub(crate) mod class;
mod confusables;
mod hidden;

use std::ops::Range;

use crate::bytes::{at, before, count_back, slice};
use class::{Ascii, Class};

/// A rewritten text.
#[derive(Debug)]
pub(crate) struct Cleaned {
    pub(crate) bytes: Vec<u8>,
    /// From each `(position here, position in the original)` on, both advance together.
    pub(crate) marks: Vec<(usize, usize)>,
}

/// The text so far.
struct Cleaner<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
    marks: Vec<(usize, usize)>,
    /// Up to where the original was taken over.
    copied: usize,
    /// Whether anything was changed that prose does not have.
    is_suspicious: bool,
    /// How many characters stood for ASCII by their decomposition.
    compatible: usize,
    /// Where a letter of another script ended: what follows at once is a part of its word.
    letter_end: usize,
    pieces: Vec<Piece>,
}

/// A part of a word: a character beyond ASCII.
struct Piece {
    range: Range<usize>,
    class: Class,
}

/// What a word is made of.
#[derive(Default)]
struct Word {
    end: usize,
    /// How long it is when it is folded.
    length: usize,
    ascii: usize,
    digits: usize,
    compatible: usize,
    look_alikes: usize,
    prose: usize,
    removed: usize,
    is_cut_by_letter: bool,
}

/// So many characters in other clothes are no ornament, wherever they are.
const COMPATIBLE_MIN: usize = 8;
/// The shortest word in which a mixture of scripts counts.
const MIXED_MIN: usize = 4;
/// The shortest word of look-alikes only that counts; also beside letters of their own script.
const LOOK_ALIKES_MIN: usize = 12;
/// The shortest word with digits in which letters with diacritics are folded.
const TOKEN_MIN: usize = 16;

const KEY_CAP: char = '\u{20E3}';

/// The text with invisible characters removed and look-alikes folded; nothing where that changes
/// nothing of interest. Bytes that are not UTF-8 stay as they are.
pub(crate) fn cleaned(bytes: &[u8]) -> Option<Cleaned> {
    if bytes.is_ascii() {
        return None;
    }
    let mut cleaner = Cleaner {
        bytes,
        out: Vec::new(),
        marks: Vec::new(),
        copied: 0,
        is_suspicious: false,
        compatible: 0,
        letter_end: usize::MAX,
        pieces: Vec::new(),
    };
    let mut base = 0;
    for chunk in bytes.utf8_chunks() {
        cleaner.text(base..base + chunk.valid().len());
        base += chunk.valid().len() + chunk.invalid().len();
    }
    let is_worth_it = cleaner.is_suspicious || cleaner.compatible >= COMPATIBLE_MIN;
    (is_worth_it && !cleaner.marks.is_empty()).then(|| cleaner.finish())
}

/// The texts that invisible characters spell: none, or a few.
pub(crate) fn hidden(bytes: &[u8]) -> Vec<Cleaned> {
    hidden::texts(bytes)
}

/// The length of the ASCII that a text begins with.
pub(crate) fn ascii_prefix(bytes: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = bytes
        .chunks(BLOCK)
        .take_while(|block| block.is_ascii())
        .count();
    let from = (blocks * BLOCK).min(bytes.len());
    let rest = slice(bytes, from..from + BLOCK);
    from + rest.iter().take_while(|byte| byte.is_ascii()).count()
}

/// The character at a position of a valid text.
pub(crate) fn char_at(bytes: &[u8], position: usize) -> Option<char> {
    let byte = |offset: usize| u32::from(at(bytes, position + offset) & 0x3F);
    let lead = u32::from(at(bytes, position));
    let code = match lead {
        0..0x80 => lead,
        0x80..0xE0 => (lead & 0x1F) << 6 | byte(1),
        0xE0..0xF0 => (lead & 0x0F) << 12 | byte(1) << 6 | byte(2),
        _ => (lead & 0x07) << 18 | byte(1) << 12 | byte(2) << 6 | byte(3),
    };
    char::from_u32(code)
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

// === impl Cleaner ===

impl Cleaner<'_> {
    /// One stretch of valid text.
    fn text(&mut self, range: Range<usize>) {
        let mut position = range.start;
        while position < range.end {
            let found = position + ascii_prefix(slice(self.bytes, position..range.end));
            if found >= range.end {
                break;
            }
            let start = found - count_back(self.bytes, found, found - position, is_word_byte);
            let word = self.read_word(start, range.end);
            position = if word.end > found && word.length > 0 {
                self.write_word(start, &word);
                word.end
            } else {
                self.single(found)
            };
        }
    }

    /// Reads a word: ASCII letters and digits, and what may stand for them.
    fn read_word(&mut self, start: usize, limit: usize) -> Word {
        let mut word = Word {
            end: start,
            ..Word::default()
        };
        self.pieces.clear();
        let mut after_letter = false;
        while word.end < limit {
            let byte = at(self.bytes, word.end);
            if byte.is_ascii() {
                if !is_word_byte(byte) {
                    break;
                }
                word.add_ascii(byte);
                word.ascii += 1;
                after_letter = byte.is_ascii_alphanumeric();
                word.end += 1;
                continue;
            }
            let Some(character) = char_at(self.bytes, word.end) else {
                break;
            };
            let class = class::of(character);
            match class {
                Class::Compatible(ascii) if ascii.as_bytes().iter().all(|&b| is_word_byte(b)) => {
                    ascii
                        .as_bytes()
                        .iter()
                        .for_each(|&byte| word.add_ascii(byte));
                    word.compatible += 1;
                    after_letter = true;
                }
                Class::LookAlike(byte) => {
                    word.add_ascii(byte);
                    word.look_alikes += 1;
                    after_letter = true;
                }
                Class::Prose(byte) => {
                    word.add_ascii(byte);
                    word.prose += 1;
                    after_letter = true;
                }
                // A digit on a key cap is an ornament.
                Class::Mark if character == KEY_CAP && after_letter => word.compatible += 1,
                Class::Mark if after_letter => word.removed += 1,
                Class::Invisible => {
                    // Emoji have selectors after them, texts a byte order mark at their start.
                    let next = word.end + character.len_utf8();
                    let is_ornament =
                        word.length == 0 || char_at(self.bytes, next) == Some(KEY_CAP);
                    let is_usual = is_ornament && class::is_selector(character)
                        || character == '\u{FEFF}' && word.end == 0;
                    word.removed += usize::from(!is_usual);
                }
                Class::OtherLetter => {
                    word.is_cut_by_letter = true;
                    break;
                }
                Class::Compatible(_) | Class::Mark | Class::Other | Class::Space => break,
            }
            let end = word.end + character.len_utf8();
            self.pieces.push(Piece {
                range: word.end..end,
                class,
            });
            word.end = end;
        }
        word.is_cut_by_letter |= self.letter_end == start;
        word
    }

    fn write_word(&mut self, start: usize, word: &Word) {
        let length_min = if word.is_cut_by_letter || word.ascii + word.compatible == 0 {
            LOOK_ALIKES_MIN
        } else {
            MIXED_MIN
        };
        let folds_look_alikes = word.look_alikes > 0 && word.length >= length_min;
        let folds_prose = word.length >= TOKEN_MIN && word.digits > 0 && word.prose > 0;
        self.compatible += word.compatible;
        self.is_suspicious |= folds_look_alikes
            || folds_prose
            || (word.removed > 0 && word.ascii + word.compatible > 0)
            || (word.compatible > 0 && word.ascii > 0 && word.length >= MIXED_MIN)
            || (word.removed > 0 && folds_look_alikes);
        if word.length == 0 || self.pieces.is_empty() {
            return;
        }
        debug_assert!(start <= word.end);
        let pieces = std::mem::take(&mut self.pieces);
        for piece in &pieces {
            let range = piece.range.clone();
            match piece.class {
                Class::Compatible(ascii) => self.replace(range, ascii.as_bytes()),
                Class::LookAlike(byte) if folds_look_alikes => self.replace(range, &[byte]),
                Class::Prose(byte) if folds_prose => self.replace(range, &[byte]),
                Class::Invisible | Class::Mark => self.replace(range, b""),
                _ => {}
            }
        }
        self.pieces = pieces;
    }

    /// A character that is no part of a word. Answers where it ends.
    fn single(&mut self, position: usize) -> usize {
        let Some(character) = char_at(self.bytes, position) else {
            return position + 1;
        };
        let end = position + character.len_utf8();
        let (left, right) = (before(self.bytes, position), at(self.bytes, end));
        match class::of(character) {
            Class::Space => {
                self.is_suspicious |= left.is_ascii_graphic() && right.is_ascii_alphanumeric();
                self.replace(position..end, b" ");
            }
            Class::Compatible(ascii) => {
                self.is_suspicious |= is_glue(ascii, left, right);
                self.replace(position..end, ascii.as_bytes());
            }
            Class::OtherLetter => self.letter_end = end,
            // Between punctuation: what cuts words is removed with them.
            Class::Invisible if position > 0 && left.is_ascii() => {
                self.is_suspicious |= left.is_ascii_graphic() && right.is_ascii_graphic();
                self.replace(position..end, b"");
            }
            _ => {}
        }
        end
    }

    fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.out
            .extend_from_slice(slice(self.bytes, self.copied..range.start));
        self.out.extend_from_slice(with);
        self.copied = range.end;
        self.marks.push((self.out.len(), self.copied));
    }

    fn finish(mut self) -> Cleaned {
        self.out
            .extend_from_slice(slice(self.bytes, self.copied..self.bytes.len()));
        Cleaned {
            bytes: self.out,
            marks: self.marks,
        }
    }
}

/// Whether punctuation in other clothes joins what a rule would look at as a whole: `key：value`,
/// a quoted value, a host, an address.
fn is_glue(ascii: Ascii, left: u8, right: u8) -> bool {
    let quoted = |byte: u8| matches!(byte, b'"' | b'\'' | b'`');
    match ascii.as_bytes() {
        [b'"' | b'\''] => matches!(left, b'=' | b':') && right.is_ascii_alphanumeric(),
        [b':' | b'=' | b'@' | b'.' | b'/' | b'+' | b'$' | b'%' | b'&' | b'\\'] => {
            (left.is_ascii_alphanumeric() || quoted(left))
                && (right.is_ascii_alphanumeric() || quoted(right) || right == b' ')
        }
        _ => false,
    }
}

// === impl Word ===

impl Word {
    fn add_ascii(&mut self, byte: u8) {
        self.length += 1;
        self.digits += usize::from(byte.is_ascii_digit());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str) -> Option<String> {
        let cleaned = cleaned(text.as_bytes())?;
        Some(String::from_utf8(cleaned.bytes).expect("it stays valid"))
    }

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    #[test]
    fn disguises_are_undone() {
        let with = |separator: &str| -> String {
            let letters: Vec<String> = KEY.chars().map(String::from).collect();
            letters.join(separator)
        };
        let mapped = |base: u32, from: char| -> String {
            let shift = |c: char| char::from_u32(base + u32::from(c) - u32::from(from));
            KEY.chars()
                .map(|c| {
                    if c >= from {
                        shift(c).expect("a letter")
                    } else {
                        c
                    }
                })
                .collect()
        };
        for text in [
            KEY.replacen('A', "\u{0410}", 1),
            KEY.replace('A', "\u{0391}").replace('K', "\u{041A}"),
            format!("\u{044F}{}", KEY.replace('A', "\u{0410}")),
            with("\u{200B}"),
            with("\u{00AD}"),
            with("\u{FE0F}"),
            with("\u{E0041}"),
            with("\u{3164}"),
            with("\u{202E}\u{202C}"),
            with("\u{0301}") + "\u{0301}",
            mapped(0xFF21, 'A'),
            mapped(0x1D400, 'A'),
            mapped(0x24B6, 'A'),
            mapped(0x1F130, 'A'),
            mapped(0x1F170, 'A'),
            KEY.replace('A', "\u{00C1}").replace('K', "\u{1E32}"),
        ] {
            let clean = clean(&format!("x {text} y")).unwrap_or_default();
            assert!(clean.contains(KEY), "{text:?}: {clean:?}");
        }
        let cases = [
            ("password\u{FF1A}hunter2", "password:hunter2"),
            ("password\u{FF1A} hunter2", "password: hunter2"),
            ("password=\u{201C}hunter2\u{201D}", "password=\"hunter2\""),
            ("password:\u{00A0}hunter2", "password: hunter2"),
            (
                "4111\u{2013}1111\u{2013}1111\u{2013}1111",
                "4111-1111-1111-1111",
            ),
            (
                "\u{FF14}\u{FF11}\u{FF11}\u{FF11} \u{FF11}\u{FF11}\u{FF11}\u{FF11}",
                "4111 1111",
            ),
            ("\u{0440}\u{0430}\u{0455}sword", "password"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn prose_is_left_alone() {
        for text in [
            "plain ASCII",
            "Он сказал, что в IT-компании всё хорошо: 30 человек, 2\u{2013}3 проекта \u{2014} и всё.",
            "Η τιμή του α1 είναι 5 μm, και β2 επίσης.",
            "L\u{2019}élève a dit : \u{AB}\u{A0}c\u{2019}est l\u{2019}été\u{A0}\u{BB}\u{2026} déjà vu, où, naïve café",
            "Zażółć gęślą jaźń; Größenwahn, Überfluß; Çağdaş ışık",
            "\u{4F7F}\u{7528}Python\u{FF0C}\u{7136}\u{540E}\u{FF08}\u{6CE8}\u{610F}\u{FF09}\u{3002}",
            "Done \u{2764}\u{FE0F} 1\u{FE0F}\u{20E3} \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{1F1E9}\u{1F1EA} \u{2014} \u{201C}quoted\u{201D} word\u{2014}word",
            "\u{FEFF}name,value",
            "5 m\u{B2}, 20\u{B0}C, \u{BD} cup, Foo\u{2122}",
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645} \u{5E9}\u{5DC}\u{5D5}\u{5DD}",
        ] {
            assert_eq!(clean(text), None, "{text:?}");
        }
        assert!(cleaned(b"caf\xE9 \xFF\xFE latin-1").is_none());
    }

    #[test]
    fn marks_lead_back() {
        let text = "\u{4E2D} pass\u{200B}word=\u{FF41}b";
        let cleaned = cleaned(text.as_bytes()).expect("it is cleaned");
        assert_eq!(cleaned.bytes, "\u{4E2D} password=ab".as_bytes());
        assert_eq!(cleaned.marks, [(8, 11), (14, 19)]);
    }

    proptest! {
        #[test]
        fn marks_rise_and_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200),
                                         text in "[a-zA-Z0-9\u{80}-\u{2FF}\u{400}-\u{45F}\u{2000}-\u{206F}\u{FE00}-\u{FF5E}]{0,60}") {
            for bytes in [bytes, text.into_bytes()] {
                if let Some(cleaned) = cleaned(&bytes) {
                    prop_assert!(cleaned.marks.is_sorted());
                    for &(here, there) in &cleaned.marks {
                        prop_assert!(here <= cleaned.bytes.len() && there <= bytes.len());
                    }
                    prop_assert!(cleaned.bytes.len() <= bytes.len());
                }
                hidden(&bytes);
            }
        }
    }
}
