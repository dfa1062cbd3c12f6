//! Zip archives (APPNOTE.TXT 6.3.10), and what is built on them: documents, packages, wheels.
//!
//! Readers disagree about which headers to believe: some read local headers one after the other,
//! some the central directory. Every local header and every entry of a directory is followed, and
//! sizes are believed only where nothing else tells where data ends.

use std::collections::BTreeMap;
use std::ops::Range;

use flate2::Decompress;
use memchr::memmem;

use super::{Content, Inflated, Member, Members, inflate, label};
use crate::bytes::{at, finder, slice};
use crate::coding::{Coding, InflateError};

/// What a header says of a member.
#[derive(Clone)]
struct Entry {
    /// Where its local header is.
    header: usize,
    flags: u16,
    method: u16,
    size: usize,
    name: Range<usize>,
    /// Whether a central directory points to it.
    is_listed: bool,
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// How many headers of either kind are read.
const ENTRIES_MAX: usize = 2 * super::MEMBERS_MAX;

const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZSTD: u16 = 93;

/// Adds the members of all zip archives in the bytes.
pub(super) fn find(bytes: &[u8], members: &mut Members) {
    let mut entries: BTreeMap<(usize, u16), Entry> = BTreeMap::new();
    for header in finder!(LOCAL).find_iter(bytes) {
        if let Some(entry) = local(bytes, header) {
            entries.insert((header, entry.method), entry);
        }
        if entries.len() > ENTRIES_MAX {
            members.has_more = true;
            break;
        }
    }
    // What directories list is counted even where they list the same again.
    let listed = finder!(END)
        .find_iter(bytes)
        .flat_map(|end| central(bytes, end));
    for (index, entry) in listed.enumerate() {
        if index > ENTRIES_MAX {
            members.has_more = true;
            break;
        }
        entries.insert((entry.header, entry.method), entry);
    }
    if entries.is_empty() {
        return;
    }
    let mut decoder = Decompress::new(false);
    let mut taken = 0..0;
    for entry in entries.into_values() {
        if taken.contains(&entry.header) && entry.header > taken.start {
            // What lies within a member is found there; a directory that points there anyway
            // makes one byte part of many members.
            if entry.is_listed {
                members.opaque("overlapping-zip");
            }
            continue;
        }
        if !members.has_room() {
            break;
        }
        if let Some(range) = take(bytes, &entry, &mut decoder, members) {
            taken = entry.header..range.end;
        }
    }
}

/// Adds a member. Answers where its data was, if that is sure.
fn take(
    bytes: &[u8],
    entry: &Entry,
    decoder: &mut Decompress,
    members: &mut Members,
) -> Option<Range<usize>> {
    let start = data_start(bytes, entry.header);
    if entry.flags & ENCRYPTED != 0 {
        members.opaque("encrypted-zip");
        return None;
    }
    let label = label("zip", slice(bytes, entry.name.clone()));
    let rest = slice(bytes, start..bytes.len());
    match entry.method {
        STORED => {
            let size = stored_size(rest, entry);
            if size > 0 {
                members.list.push(Member {
                    content: Content::Stored,
                    range: start..start + size,
                    label,
                    is_cut: false,
                    is_open: false,
                });
            }
            Some(start..start + size)
        }
        DEFLATED => {
            let inflated = inflate(decoder, rest, false, members.budget);
            let is_sound = inflated.error.is_none();
            let is_broken = matches!(
                inflated.error,
                Some(InflateError::Corrupt | InflateError::CutOff)
            );
            if is_broken && entry.is_listed {
                members.opaque("corrupt-zip");
            }
            let used = members.push_inflated(inflated, start, label);
            is_sound.then_some(start..start + used)
        }
        ZSTD => {
            let (out, error) =
                Coding::Zstd.inflate_start(slice(rest, 0..entry.size), members.budget);
            let inflated = Inflated {
                bytes: out,
                used: entry.size.min(rest.len()),
                error,
            };
            members.push_inflated(inflated, start, label);
            None
        }
        _ => {
            members.opaque("zip-method");
            None
        }
    }
}

/// How long stored data is. Where only a descriptor behind it says so: to the next signature.
fn stored_size(rest: &[u8], entry: &Entry) -> usize {
    if entry.size > 0 || entry.flags & HAS_DESCRIPTOR == 0 {
        return entry.size.min(rest.len());
    }
    memmem::find_iter(rest, b"PK")
        .find(|&found| {
            let signature = slice(rest, found..found + 4);
            [DESCRIPTOR, CENTRAL, LOCAL].contains(&signature)
        })
        .unwrap_or(rest.len())
}

/// A local header (section 4.3.7), where there plausibly is one.
fn local(bytes: &[u8], header: usize) -> Option<Entry> {
    let name_start = header + LOCAL_BYTES;
    let name = name_start..name_start + usize::from(short(bytes, header + 26));
    let entry = Entry {
        header,
        flags: short(bytes, header + 6),
        method: short(bytes, header + 8),
        size: long(bytes, header + 18),
        name,
        is_listed: false,
    };
    let is_whole = data_start(bytes, header) <= bytes.len();
    (is_whole && is_known(entry.method)).then_some(entry)
}

/// The entries of the central directory (section 4.3.12) before the record of its end (4.3.16).
/// Positions count from the archive's start, which is where they would make the directory end here.
fn central(bytes: &[u8], end: usize) -> impl Iterator<Item = Entry> + '_ {
    let (size, offset) = (long(bytes, end + 12), long(bytes, end + 16));
    let begin = end.saturating_sub(size);
    let base = begin.saturating_sub(offset);
    let mut position = begin;
    std::iter::from_fn(move || {
        if position >= end || slice(bytes, position..position + 4) != CENTRAL {
            return None;
        }
        let variable = |place: usize| usize::from(short(bytes, position + place));
        let name_start = position + CENTRAL_BYTES;
        let name = name_start..name_start + variable(28);
        let entry = Entry {
            header: base + long(bytes, position + 42),
            flags: short(bytes, position + 8),
            method: short(bytes, position + 10),
            size: long(bytes, position + 20),
            is_listed: true,
            name,
        };
        position = entry.name.end + variable(30) + variable(32);
        Some(entry)
    })
}

/// Where a member's data begins: behind the local header's name and extra field.
fn data_start(bytes: &[u8], header: usize) -> usize {
    let variable = |place: usize| usize::from(short(bytes, header + place));
    header + LOCAL_BYTES + variable(26) + variable(28)
}

/// Section 4.4.5.
const fn is_known(method: u16) -> bool {
    matches!(method, 0..=10 | 12 | 14 | 16 | 18..=20 | 93..=99)
}

fn short(bytes: &[u8], position: usize) -> u16 {
    u16::from_le_bytes([at(bytes, position), at(bytes, position + 1)])
}

fn long(bytes: &[u8], position: usize) -> usize {
    usize::from(short(bytes, position)) | usize::from(short(bytes, position + 2)) << 16
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{Opaque, members};
    use super::*;

    struct Sample {
        name: &'static str,
        data: Vec<u8>,
        method: u16,
        flags: u16,
    }

    fn sample(name: &'static str, text: &[u8], method: u16) -> Sample {
        let data = if method == DEFLATED {
            let mut encoder =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).expect("memory");
            encoder.finish().expect("memory")
        } else {
            text.to_vec()
        };
        Sample {
            name,
            data,
            method,
            flags: 0,
        }
    }

    fn fields(sample: &Sample, with_size: bool) -> Vec<u8> {
        let size = u32::try_from(if with_size { sample.data.len() } else { 0 }).expect("small");
        let name = u16::try_from(sample.name.len()).expect("short");
        [
            &20_u16.to_le_bytes()[..],
            &sample.flags.to_le_bytes(),
            &sample.method.to_le_bytes(),
            &[0; 8],
            &size.to_le_bytes(),
            &[0; 4],
            &name.to_le_bytes(),
            &[0; 2],
        ]
        .concat()
    }

    fn zip(samples: &[Sample]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for sample in samples {
            let header = u32::try_from(out.len()).expect("small");
            let has_descriptor = sample.flags & HAS_DESCRIPTOR != 0;
            out.extend(
                [
                    LOCAL,
                    &fields(sample, !has_descriptor),
                    sample.name.as_bytes(),
                    &sample.data,
                ]
                .concat(),
            );
            if has_descriptor {
                out.extend([DESCRIPTOR, &[0; 12]].concat());
            }
            directory.extend(
                [
                    CENTRAL,
                    &[20, 0],
                    &fields(sample, true),
                    &[0; 10],
                    &header.to_le_bytes(),
                    sample.name.as_bytes(),
                ]
                .concat(),
            );
        }
        let offset = u32::try_from(out.len()).expect("small");
        let size = u32::try_from(directory.len()).expect("small");
        out.extend(directory);
        out.extend(
            [
                END,
                &[0; 8],
                &size.to_le_bytes(),
                &offset.to_le_bytes(),
                &[0; 2],
            ]
            .concat(),
        );
        out
    }

    fn contents(bytes: &[u8], members: &Members) -> Vec<(String, Vec<u8>)> {
        members
            .list
            .iter()
            .map(|member| {
                let content = match &member.content {
                    Content::Inflated(content) => content.clone(),
                    Content::Stored => bytes[member.range.clone()].to_vec(),
                };
                (member.label.clone(), content)
            })
            .collect()
    }

    #[test]
    fn members_are_found_wherever_the_archive_begins() {
        let text = b"some text that is long enough to be deflated, deflated, deflated".repeat(3);
        let samples = [
            sample("dir/config.json", &text, DEFLATED),
            Sample {
                flags: HAS_DESCRIPTOR,
                ..sample("two.txt", &text, DEFLATED)
            },
            sample("three.txt", b"stored", STORED),
            Sample {
                flags: HAS_DESCRIPTOR,
                ..sample("four.txt", b"stored too", STORED)
            },
        ];
        for prefix in [&b""[..], b"file="] {
            let bytes = [prefix, &zip(&samples), b"tail"].concat();
            let members = members(&bytes, 1 << 20);
            assert!(members.opaque.is_empty() && !members.has_more);
            let expected = [
                ("zip config.json".to_owned(), text.clone()),
                ("zip two.txt".to_owned(), text.clone()),
                ("zip three.txt".to_owned(), b"stored".to_vec()),
                ("zip four.txt".to_owned(), b"stored too".to_vec()),
            ];
            assert_eq!(contents(&bytes, &members), expected);
        }
        let cut = zip(&samples);
        assert_eq!(members(&cut[..cut.len() - 80], 1 << 20).list.len(), 4);
    }

    #[test]
    fn local_headers_that_lie_hide_nothing() {
        let mut bytes = zip(&[sample("a.txt", &b"secret ".repeat(20), DEFLATED)]);
        bytes[8] = 0;
        bytes[18..22].fill(0);
        let found = members(&bytes, 1 << 20);
        assert!(
            contents(&bytes, &found)
                .iter()
                .any(|(_, content)| content.starts_with(b"secret secret"))
        );
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        let with = |sample: Sample| members(&zip(&[sample]), 1 << 20).opaque;
        let encrypted = Sample {
            flags: ENCRYPTED,
            ..sample("a", b"xxxxxxxx", STORED)
        };
        assert_eq!(with(encrypted), [Opaque("encrypted-zip")]);
        assert_eq!(with(sample("a", b"xxxxxxxx", 14)), [Opaque("zip-method")]);
        let corrupt = Sample {
            data: vec![0xFF; 20],
            ..sample("a", b"", DEFLATED)
        };
        assert_eq!(with(corrupt), [Opaque("corrupt-zip")]);
    }

    #[test]
    fn bombs_are_bounded() {
        let zeros = vec![0; 1 << 20];
        let many: Vec<Sample> = (0..20).map(|_| sample("z", &zeros, DEFLATED)).collect();
        let found = members(&zip(&many), 4 << 20);
        let total: usize = found
            .list
            .iter()
            .map(|member| match &member.content {
                Content::Inflated(bytes) => bytes.len(),
                Content::Stored => 0,
            })
            .sum();
        assert!(total <= 4 << 20 && found.list.iter().any(|member| member.is_cut));
        // Two entries, one within the other's data.
        let inner = zip(&[sample("inner", b"text", STORED)]);
        let mut bytes = zip(&[
            sample("outer", &inner, STORED),
            sample("next", b"more", STORED),
        ]);
        let second = memmem::rfind(&bytes, CENTRAL).expect("a directory");
        bytes[second + 42..second + 46].copy_from_slice(&35_u32.to_le_bytes());
        assert_eq!(members(&bytes, 1 << 20).opaque, [Opaque("overlapping-zip")]);
        let hostile = [LOCAL, &[20, 0, 0, 0, 8, 0], &[0; 20], b"x"]
            .concat()
            .repeat(100_000);
        assert!(members(&hostile, 1 << 20).list.len() <= super::super::MEMBERS_MAX);
    }
}
