//! What one character beyond ASCII can stand for: nothing at all, a space, an ASCII text, or itself.

use unicode_normalization::char::{decompose_canonical, decompose_compatible};

use super::confusables::{LOOK_ALIKES, PROSE_LETTERS, ZEROS};

/// What a character stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// The same text in other clothes: fullwidth, mathematical, circled and the like.
    Compatible(Ascii),
    /// Invisible, and nothing to a reader.
    Invisible,
    /// It looks like ASCII, but is a letter or digit of its own.
    LookAlike(u8),
    /// A combining mark.
    Mark,
    /// Itself, and a letter of a script that shares shapes with Latin.
    OtherLetter,
    /// Itself.
    Other,
    /// A letter with a diacritic, or a dash, as ordinary prose has them.
    Prose(u8),
    /// A space of some width.
    Space,
}

/// A short ASCII text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ascii {
    bytes: [u8; ASCII_BYTES_MAX],
    length: u8,
}

const ASCII_BYTES_MAX: usize = 6;

/// The class of a character that is not ASCII.
pub(crate) fn of(character: char) -> Class {
    if let Some(known) = direct(character) {
        return known;
    }
    match character {
        // Ideographs, kana, Hangul syllables, private use: nothing there looks like ASCII.
        '\u{3001}'..='\u{3035}'
        | '\u{3041}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7FF}'
        | '\u{E000}'..='\u{F8FF}'
        | '\u{1F300}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFF}' => Class::Other,
        '\u{0300}'..='\u{034E}' | '\u{0350}'..='\u{036F}' => Class::Mark,
        '\u{FF01}'..='\u{FF5E}' => Class::Compatible(Ascii::nth(character, '\u{FF01}', b'!')),
        // Trade marks and the ellipsis are ordinary in prose.
        '\u{2026}' | '\u{2120}' | '\u{2122}' => Class::Other,
        '\u{1680}' | '\u{2028}' | '\u{2029}' => Class::Space,
        '\u{2018}'..='\u{201B}' => Class::Compatible(Ascii::one(b'\'')),
        '\u{201C}'..='\u{201F}' => Class::Compatible(Ascii::one(b'"')),
        '\u{2044}' | '\u{2215}' => Class::Compatible(Ascii::one(b'/')),
        '\u{2236}' | '\u{A789}' => Class::Compatible(Ascii::one(b':')),
        // Negative circled and squared letters, regional indicators: no decompositions.
        '\u{1F150}'..='\u{1F169}' => Class::Compatible(Ascii::nth(character, '\u{1F150}', b'A')),
        '\u{1F170}'..='\u{1F189}' => Class::Compatible(Ascii::nth(character, '\u{1F170}', b'A')),
        '\u{1F1E6}'..='\u{1F1FF}' => {
            Class::LookAlike(Ascii::nth(character, '\u{1F1E6}', b'A').first())
        }
        _ => compatible(character),
    }
}

/// Whether a receiver that draws or compares the text ignores the character: the
/// `Default_Ignorable_Code_Point`s of the Unicode Character Database, the bidirectional controls
/// among them, and the braille pattern without dots.
pub(crate) const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Whether the character selects a variant of the one before it, as emoji do.
pub(crate) const fn is_selector(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// The classes of the first code points, where most alphabets are.
const DIRECT_CHARS: usize = 0x1700;
const DIRECT: [u16; DIRECT_CHARS] = direct_table();

const LOOK_ALIKE: u16 = 0x100;
const PROSE: u16 = 0x200;
const OTHER_LETTER: u16 = 0x300;
const OTHER: u16 = 0x400;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
const fn direct_table() -> [u16; DIRECT_CHARS] {
    let mut table = [0; DIRECT_CHARS];
    let mut code = 0x250;
    while code < DIRECT_CHARS {
        // Modifier letters and Greek symbols have decompositions: they are worked out.
        table[code] = match code {
            0x2B0..=0x36F | 0x3D0..=0x3D6 | 0x3F0..=0x3F9 => 0,
            0x400..=0x482 | 0x48A..=0x52F => OTHER_LETTER,
            0x386..=0x3FF | 0x531..=0x587 | 0x13A0..=0x13FF => OTHER_LETTER,
            0x588..=0x167F | 0x1681..=0x16FF => OTHER,
            _ => 0,
        };
        code += 1;
    }
    let mut index = 0;
    while index < ZEROS.len() {
        let zero = ZEROS[index] as usize;
        let mut digit = 0;
        while digit < 10 && zero + digit < DIRECT_CHARS {
            table[zero + digit] = LOOK_ALIKE | (b'0' as u16 + digit as u16);
            digit += 1;
        }
        index += 1;
    }
    let mut index = 0;
    while index < LOOK_ALIKES.len() {
        let (code, byte) = (LOOK_ALIKES[index].0 as usize, LOOK_ALIKES[index].1);
        if code < DIRECT_CHARS {
            table[code] = LOOK_ALIKE | byte as u16;
        }
        index += 1;
    }
    let mut index = 0;
    while index < PROSE_LETTERS.len() {
        let (code, byte) = (PROSE_LETTERS[index].0 as usize, PROSE_LETTERS[index].1);
        if code < DIRECT_CHARS {
            table[code] = PROSE | byte as u16;
        }
        index += 1;
    }
    table
}

fn direct(character: char) -> Option<Class> {
    let index = usize::try_from(u32::from(character)).ok()?;
    let entry = *DIRECT.get(index)?;
    let [_, byte] = entry.to_be_bytes();
    match entry & 0xFF00 {
        LOOK_ALIKE => Some(Class::LookAlike(byte)),
        PROSE => Some(Class::Prose(byte)),
        OTHER_LETTER => Some(Class::OtherLetter),
        OTHER if !is_invisible(character) => Some(Class::Other),
        _ => None,
    }
}

/// The slow way: tables beyond the first, and decompositions.
fn compatible(character: char) -> Class {
    if is_invisible(character) {
        return Class::Invisible;
    }
    if is_mark(character) {
        return Class::Mark;
    }
    if let Some(byte) = beyond_direct(character) {
        return byte;
    }
    let mut base = Ascii::default();
    let mut rest = 0;
    decompose_compatible(character, |part| {
        if !base.push(part) {
            rest += usize::from(!is_mark(part)) + 1;
        }
    });
    match (base.as_bytes(), rest) {
        ([b' '], 0) => Class::Space,
        ([], _) => Class::Other,
        (_, 0) => Class::Compatible(base),
        _ => accented(character),
    }
}

fn beyond_direct(character: char) -> Option<Class> {
    if character < '\u{1700}' {
        return None;
    }
    let find = |table: &[(char, u8)]| {
        let index = table.binary_search_by_key(&character, |&(look, _)| look);
        index
            .ok()
            .and_then(|index| table.get(index))
            .map(|&(_, byte)| byte)
    };
    if let Some(byte) = find(&LOOK_ALIKES) {
        return Some(Class::LookAlike(byte));
    }
    if let Some(byte) = find(&PROSE_LETTERS) {
        return Some(Class::Prose(byte));
    }
    let zero = ZEROS
        .partition_point(|&zero| zero <= character)
        .checked_sub(1)?;
    let digit = u32::from(character) - u32::from(*ZEROS.get(zero)?);
    let digit = u8::try_from(digit).ok().filter(|&digit| digit < 10)?;
    Some(Class::LookAlike(b'0' + digit))
}

/// A letter that is an ASCII letter with marks.
fn accented(character: char) -> Class {
    let mut base = None;
    let mut is_plain = true;
    decompose_canonical(character, |part| {
        if base.is_none() {
            base = u8::try_from(part).ok().filter(u8::is_ascii_alphabetic);
        } else {
            is_plain &= is_mark(part);
        }
    });
    base.filter(|_| is_plain).map_or(Class::Other, Class::Prose)
}

const fn is_mark(character: char) -> bool {
    matches!(
        character,
        '\u{0300}'..='\u{036F}'
            | '\u{0483}'..='\u{0489}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}

// === impl Ascii ===

impl Ascii {
    fn one(byte: u8) -> Self {
        let mut ascii = Self::default();
        ascii.push(char::from(byte));
        ascii
    }

    /// What lies as far from `base` as the character from `first`.
    fn nth(character: char, first: char, base: u8) -> Self {
        let index = u32::from(character).saturating_sub(u32::from(first));
        Self::one(u8::try_from(index).map_or(b'?', |index| base.saturating_add(index)))
    }

    /// Takes a character; false where it is not ASCII or there is no more room.
    fn push(&mut self, character: char) -> bool {
        let byte = u8::try_from(character).ok().filter(u8::is_ascii);
        let place = self.bytes.get_mut(usize::from(self.length));
        let (Some(byte), Some(place)) = (byte, place) else {
            return false;
        };
        *place = byte;
        self.length += 1;
        true
    }

    fn first(self) -> u8 {
        let [first, ..] = self.bytes;
        first
    }

    /// The text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl Default for Ascii {
    fn default() -> Self {
        Self {
            bytes: [0; ASCII_BYTES_MAX],
            length: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(character: char) -> String {
        match of(character) {
            Class::Compatible(ascii) => String::from_utf8_lossy(ascii.as_bytes()).into_owned(),
            Class::LookAlike(byte) | Class::Prose(byte) => char::from(byte).to_string(),
            Class::Invisible => String::new(),
            Class::Space => " ".to_owned(),
            Class::Mark | Class::Other | Class::OtherLetter => character.to_string(),
        }
    }

    #[test]
    fn characters_stand_for_what_they_look_like() {
        for (character, text) in [
            ('\u{FF21}', "A"),
            ('\u{1D400}', "A"),
            ('\u{1D7F6}', "0"),
            ('\u{24B6}', "A"),
            ('\u{2474}', "(1)"),
            ('\u{00B2}', "2"),
            ('\u{FB01}', "fi"),
            ('\u{2167}', "VIII"),
            ('\u{0410}', "A"),
            ('\u{0430}', "a"),
            ('\u{0391}', "A"),
            ('\u{13AA}', "A"),
            ('\u{AB7A}', "a"),
            ('\u{A4EE}', "A"),
            ('\u{0664}', "4"),
            ('\u{1E950}', "0"),
            ('\u{1F170}', "A"),
            ('\u{1F1FF}', "Z"),
            ('\u{00E9}', "e"),
            ('\u{1E57}', "p"),
            ('\u{0142}', "l"),
            ('\u{2011}', "-"),
            ('\u{00A0}', " "),
            ('\u{3000}', " "),
            ('\u{200B}', ""),
            ('\u{115F}', ""),
            ('\u{180E}', ""),
            ('\u{E0041}', ""),
            ('\u{FF1A}', ":"),
            ('\u{0416}', "\u{0416}"),
            ('\u{4E2D}', "\u{4E2D}"),
            ('\u{00BD}', "\u{00BD}"),
            ('\u{0301}', "\u{0301}"),
            ('\u{0100}', "A"),
        ] {
            assert_eq!(folded(character), text, "{character:?}");
        }
    }

    #[test]
    fn tables_are_sorted_and_every_character_has_a_class() {
        assert!(LOOK_ALIKES.is_sorted_by_key(|&(look, _)| look));
        assert!(PROSE_LETTERS.is_sorted_by_key(|&(look, _)| look));
        assert!(ZEROS.is_sorted());
        for character in '\u{80}'..=char::MAX {
            if is_invisible(character) {
                assert_eq!(of(character), Class::Invisible, "{character:?}");
            }
        }
    }
}
