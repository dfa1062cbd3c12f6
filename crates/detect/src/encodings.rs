//! Encodings beside base64, hexadecimal digits and percent-escapes: base32, base58, Ascii85,
//! uuencode, quoted-printable, octal and `%u` escapes, numbers of characters, UTF-7, UTF-16, UTF-32. Each is looked for in
//! one fast pass; all that one of them gives is one view, a line for each place.

mod ascii85;
mod base32;
mod base58;
mod escapes;
mod numbers;
mod sample;
mod uuencode;
mod wide;

/// What one encoding hid.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    /// From each `(position here, position in the original)` on, both advance together, or as much
    /// as they can: what is encoded is longer.
    pub(crate) marks: Vec<(usize, usize)>,
    pub(crate) label: &'static str,
}

/// Everything that these encodings hide in some bytes.
pub(crate) fn decoded(bytes: &[u8]) -> Vec<Decoded> {
    [
        base32::capitals,
        base32::small,
        base58::find,
        ascii85::find,
        uuencode::find,
        numbers::find,
        escapes::quoted_printable,
        escapes::octal,
        escapes::percent_u,
        escapes::utf7,
    ]
    .into_iter()
    .filter_map(|find| find(bytes))
    .chain(wide_text(bytes))
    .collect()
}

/// What text of two or four bytes a character says; looked for in any data.
pub(crate) fn wide_text(bytes: &[u8]) -> impl Iterator<Item = Decoded> + '_ {
    [
        wide::utf16_le,
        wide::utf16_be,
        wide::utf32_le,
        wide::utf32_be,
    ]
    .into_iter()
    .filter_map(|find| find(bytes))
}

/// Whether decoded bytes hold a stretch of text as long as the shortest secret, or text in another
/// form. Random bytes rarely do.
fn is_worth_scanning(bytes: &[u8], stretch_min: usize) -> bool {
    let is_text = |byte: &u8| matches!(byte, 0x20..=0x7E | b'\n' | b'\t' | b'\r');
    crate::decode::is_hidden_text(bytes)
        || bytes
            .split(|byte| !is_text(byte))
            .any(|stretch| stretch.len() >= stretch_min)
}

// === impl Decoded ===

impl Decoded {
    const fn new(label: &'static str) -> Self {
        Self {
            bytes: Vec::new(),
            marks: Vec::new(),
            label,
        }
    }

    /// Takes what was found at a position, on a line of its own.
    fn push(&mut self, bytes: &[u8], position: usize) {
        self.marks.push((self.bytes.len(), position));
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(b'\n');
    }

    fn into_option(self) -> Option<Self> {
        (!self.marks.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_texts_hide_nothing() {
        for text in [
            "The quick brown fox jumps over the lazy dog, and a = b + c in [1, 2, 3].",
            "https://example.com/a%20b?x=1&y=AB&z=0123456789 sha256:9f86d081884c7d659a2feaa0c55ad015",
            "INTERNATIONALIZATIONANDLOCALIZATION internationalizationandlocalization",
            "begin 644 words; end. C:\\new\\test\\077 <~ not ~ really",
            "coordinates: 12, 55, 101, 7, 33, 21, 90, 18, 27, 64, 200, 300, 17, 3, 1, 2",
        ] {
            assert_eq!(decoded(text.as_bytes()), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn marks_rise(pieces in proptest::collection::vec(prop_oneof![
            Just(b"=41=4B=49".to_vec()), Just(b"\\101".to_vec()), Just(b"%u0041".to_vec()),
            Just(b"begin 644 x\n".to_vec()), Just(b"<~87cURDZ~>".to_vec()), Just(b"65, 75, ".to_vec()),
            Just(b"JBSWY3DPEBLW64TMMQQQ".to_vec()), Just(b"01000001 ".to_vec()), Just(b"=\n".to_vec()), Just(b"A\0K\0I\0A\0".to_vec()), Just(b"\0\0\0A".to_vec()), Just(b"+AEE-".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20)], 0..60)) {
            let bytes = pieces.concat();
            for view in decoded(&bytes) {
                prop_assert!(view.marks.is_sorted(), "{:?}", view);
                prop_assert!(view.bytes.len() <= 2 * bytes.len() + 1);
                for &(here, there) in &view.marks {
                    prop_assert!(here <= view.bytes.len() && there <= bytes.len());
                }
            }
        }
    }
}
