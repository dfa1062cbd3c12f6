//! Files within files: the members of zip and tar archives, the streams and the text of a PDF, and
//! the names of what we recognise but cannot look into. Archives in archives are left to whoever
//! looks at the members; what to do about what cannot be seen is not decided here.

mod pdf;
pub(crate) mod tar;
mod zip;

use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;
use oktsec_model::safe_name;

use crate::bytes::{has_any, slice};
use crate::coding::InflateError;

/// What was found in some bytes.
#[derive(Default)]
pub(crate) struct Members {
    pub(crate) list: Vec<Member>,
    /// What cannot be looked into, by name.
    pub(crate) opaque: Vec<Opaque>,
    /// Whether there is more than was looked at.
    pub(crate) has_more: bool,
    /// How many bytes may still be inflated.
    budget: usize,
    /// How many bytes may still be read, more than once or in vain.
    effort: usize,
}

/// A file in another.
pub(crate) struct Member {
    pub(crate) content: Content,
    /// Where its data is in the archive.
    pub(crate) range: Range<usize>,
    /// For example `zip config.json`.
    pub(crate) label: String,
    /// Whether it was cut off by the budget.
    pub(crate) is_cut: bool,
    /// Whether the data that it was made of ends before it is complete.
    pub(crate) is_open: bool,
}

/// The bytes of a member.
pub(crate) enum Content {
    Inflated(Vec<u8>),
    /// They are stored as they are, at the member's range.
    Stored,
}

/// Something that cannot be looked into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Opaque(pub(crate) &'static str);

/// What inflating gave.
struct Inflated {
    bytes: Vec<u8>,
    used: usize,
    error: Option<InflateError>,
}

const MEMBERS_MAX: usize = 4096;
/// How often all bytes may be read before archives are given up.
const EFFORT_FACTOR: usize = 4;

/// First bytes of formats that we cannot undo, from their specifications: 7zFormat.txt, the RAR 5.0
/// technical note, the .xz file format, bzip2's block magic, the LZ4 frame format, lzip's manual,
/// the age format, OpenSSL's `enc`, [MS-CAB].
const OPAQUE_MAGICS: [(&[u8], &str); 9] = [
    (b"7z\xBC\xAF\x27\x1C", "7z"),
    (b"Rar!\x1A\x07", "rar"),
    (b"\xFD7zXZ\x00", "xz"),
    (b"1AY&SY", "bzip2"),
    (b"\x04\x22\x4D\x18", "lz4"),
    (b"LZIP\x01", "lzip"),
    (b"age-encryption.org/v1\n", "age"),
    (b"Salted__", "openssl-enc"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
];

/// The members of an archive, wherever in the bytes it begins. At most `budget` bytes are inflated.
pub(crate) fn members(bytes: &[u8], budget: usize) -> Members {
    let mut members = Members {
        budget,
        effort: bytes.len().saturating_mul(EFFORT_FACTOR),
        ..Members::default()
    };
    // Their headers hold bytes that no text does.
    if has_any(bytes, |byte| byte < 9) {
        zip::find(bytes, &mut members);
        tar::find(bytes, &mut members);
    }
    pdf::find(bytes, &mut members);
    if !bytes.is_ascii() {
        for (magic, name) in OPAQUE_MAGICS {
            if memmem::find(bytes, magic).is_some_and(|at| is_plausible(bytes, at, name)) {
                members.opaque(name);
            }
        }
    }
    members
}

/// Short magics count at the beginning only, and the one of bzip2 after its header.
fn is_plausible(bytes: &[u8], at: usize, name: &str) -> bool {
    match name {
        "bzip2" => at >= 4 && slice(bytes, at - 4..at - 1) == b"BZh",
        "lz4" | "lzip" => at == 0,
        _ => true,
    }
}

/// Inflates the data that bytes begin with: raw, or in the zlib format.
fn inflate(decoder: &mut Decompress, bytes: &[u8], is_zlib: bool, max: usize) -> Inflated {
    const FIRST_BYTES: usize = 4096;
    decoder.reset(is_zlib);
    let mut out = Vec::with_capacity(FIRST_BYTES);
    let used = |decoder: &Decompress| usize::try_from(decoder.total_in()).unwrap_or(bytes.len());
    let error = loop {
        if out.len() == out.capacity() {
            out.reserve(out.len());
        }
        let rest = slice(bytes, used(decoder)..bytes.len());
        let (before, room) = (used(decoder), out.capacity() - out.len());
        let length = out.len();
        match decoder.decompress_vec(rest, &mut out, FlushDecompress::None) {
            Err(_) => break Some(InflateError::Corrupt),
            Ok(Status::StreamEnd) if out.len() <= max => break None,
            _ if out.len() > max => break Some(InflateError::TooLarge),
            _ if used(decoder) == bytes.len() && out.len() - length < room => {
                break Some(InflateError::CutOff);
            }
            // Nothing came although there was room.
            _ if used(decoder) == before && out.len() == length => {
                break Some(InflateError::Corrupt);
            }
            _ => {}
        }
    };
    out.truncate(max);
    Inflated {
        bytes: out,
        used: used(decoder),
        error,
    }
}

/// The last part of a path, made safe to show.
fn label(kind: &str, path: &[u8]) -> String {
    let name = path
        .rsplit(|&byte| matches!(byte, b'/' | b'\\'))
        .find(|part| !part.is_empty());
    let name = std::str::from_utf8(name.unwrap_or_default()).unwrap_or_default();
    format!("{kind} {}", safe_name(name))
}

// === impl Members ===

impl Members {
    fn opaque(&mut self, name: &'static str) {
        if !self.opaque.contains(&Opaque(name)) {
            self.opaque.push(Opaque(name));
        }
    }

    /// Whether another member may be added.
    fn has_room(&mut self) -> bool {
        let has_room = self.list.len() < MEMBERS_MAX && self.effort > 0;
        self.has_more |= !has_room;
        has_room
    }

    /// Takes what was inflated, where it is anything. Answers how many bytes it was made of.
    fn push_inflated(&mut self, inflated: Inflated, at: usize, label: String) -> usize {
        let Inflated { bytes, used, error } = inflated;
        self.budget = self.budget.saturating_sub(bytes.len());
        self.effort = self.effort.saturating_sub(used.max(1));
        let is_cut = error == Some(InflateError::TooLarge);
        let is_open = error == Some(InflateError::CutOff);
        if !bytes.is_empty() || is_cut {
            self.list.push(Member {
                content: Content::Inflated(bytes),
                range: at..at + used,
                label,
                is_cut,
                is_open,
            });
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_formats_are_named() {
        for (bytes, name) in [
            (&b"7z\xBC\xAF\x27\x1C\x00\x04"[..], "7z"),
            (b"x Rar!\x1A\x07\x01\x00\xFF", "rar"),
            (b"\xFD7zXZ\x00\x00\x04", "xz"),
            (b"BZh91AY&SY\xFF\x00", "bzip2"),
            (b"\x04\x22\x4D\x18\xFF", "lz4"),
            (b"age-encryption.org/v1\n-> X25519 \xFF", "age"),
            (b"Salted__\xFF\xFE", "openssl-enc"),
        ] {
            assert_eq!(members(bytes, 0).opaque, [Opaque(name)]);
        }
        assert!(
            members(b"1AY&SY and \xFF 7z, PK and Rar!", 0)
                .opaque
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(pieces in proptest::collection::vec(prop_oneof![
            Just(b"PK\x03\x04".to_vec()), Just(b"PK\x01\x02".to_vec()), Just(b"PK\x05\x06".to_vec()),
            Just(b"%PDF-".to_vec()), Just(b"stream\n".to_vec()), Just(b"ustar".to_vec()), Just(b"BT[(a)".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..64)], 0..30)) {
            let bytes = pieces.concat();
            let found = members(&bytes, 10_000);
            for member in &found.list {
                prop_assert!(member.range.end <= bytes.len());
            }
        }
    }
}
