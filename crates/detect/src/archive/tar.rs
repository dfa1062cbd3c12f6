//! Tar archives: ustar and pax (POSIX.1-2024, pax), and GNU's long names.

use memchr::memmem;

use super::{Content, Member, Members, label};
use crate::bytes::{at, finder, slice};

const BLOCK: usize = 512;
const MAGIC_AT: usize = 257;
const NAME_BYTES_MAX: usize = 4096;

/// Adds the members of all tar archives in the bytes.
pub(super) fn find(bytes: &[u8], members: &mut Members) {
    let mut after = 0;
    for magic in finder!(b"ustar").find_iter(bytes) {
        let Some(start) = magic.checked_sub(MAGIC_AT).filter(|&start| start >= after) else {
            continue;
        };
        if is_header(bytes, start) {
            after = archive(bytes, start, members);
        }
    }
}

/// One archive. Answers where it ends.
fn archive(bytes: &[u8], start: usize, members: &mut Members) -> usize {
    let mut position = start;
    let mut long_name: Option<&[u8]> = None;
    while is_header(bytes, position) && members.has_room() {
        let data = position + BLOCK;
        let size = number(slice(bytes, position + 124..position + 136))
            .min(bytes.len().saturating_sub(data));
        let content = slice(bytes, data..data + size);
        match at(bytes, position + 156) {
            b'L' => long_name = Some(until_nul(slice(content, 0..NAME_BYTES_MAX))),
            b'x' => long_name = pax_path(slice(content, 0..NAME_BYTES_MAX)).or(long_name),
            b'0' | b'7' | 0 if size > 0 => {
                let own = until_nul(slice(bytes, position..position + 100));
                let name = long_name.take().unwrap_or(own);
                members.list.push(Member {
                    content: Content::Stored,
                    range: data..data + size,
                    label: label("tar", name),
                    is_cut: false,
                    is_open: false,
                });
            }
            _ => long_name = None,
        }
        position = data + size.next_multiple_of(BLOCK);
    }
    position
}

/// Whether a header's checksum is right: the sum of its bytes, those of the checksum as spaces.
fn is_header(bytes: &[u8], position: usize) -> bool {
    let header = slice(bytes, position..position + BLOCK);
    let stated = slice(header, 148..156);
    let stated_sum = number(stated);
    if stated_sum == 0 {
        return false;
    }
    let sum: usize = header.iter().map(|&byte| usize::from(byte)).sum();
    let own: usize = stated.iter().map(|&byte| usize::from(byte)).sum();
    header.len() == BLOCK && at(header, 0) != 0 && sum + 8 * usize::from(b' ') - own == stated_sum
}

/// An octal number, or GNU's base 256 where the first bit is set.
fn number(field: &[u8]) -> usize {
    if at(field, 0) & 0x80 != 0 {
        let (_, low) = field.split_at(field.len().saturating_sub(7));
        return low
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte));
    }
    field
        .iter()
        .skip_while(|&&byte| byte == b' ')
        .map_while(|&byte| {
            (b'0'..b'8')
                .contains(&byte)
                .then(|| usize::from(byte - b'0'))
        })
        .fold(0, |number, digit| number << 3 | digit)
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The path in the records of an extended header: `27 path=some/long/name`, each with its length.
fn pax_path(records: &[u8]) -> Option<&[u8]> {
    let start = memmem::find(records, b" path=")? + 6;
    slice(records, start..records.len())
        .split(|&byte| byte == b'\n')
        .next()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::members;
    use super::*;

    pub(crate) fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header.extend_from_slice(content);
        header.resize(header.len().next_multiple_of(BLOCK), 0);
        header
    }

    #[test]
    fn members_are_named() {
        let archive = [
            entry("dir/", b'5', b""),
            entry("dir/a.json", b'0', b"{\"a\":1}"),
            entry("././@LongLink", b'L', b"very/long/b.txt\0"),
            entry("very/lon", b'0', &b"x".repeat(600)),
            entry("pax", b'x', b"20 path=other/c.env\n"),
            entry("other/c", b'0', b"KEY=1"),
            vec![0; 1024],
        ]
        .concat();
        for prefix in [&b""[..], b"prefix"] {
            let bytes = [prefix, &archive].concat();
            let found = members(&bytes, 0);
            let names: Vec<&str> = found
                .list
                .iter()
                .map(|member| member.label.as_str())
                .collect();
            assert_eq!(names, ["tar a.json", "tar b.txt", "tar c.env"]);
            assert_eq!(&bytes[found.list[2].range.clone()], b"KEY=1");
            assert!(found.opaque.is_empty() && !found.has_more);
        }
        assert!(members(&b"ustar".repeat(10_000), 0).list.is_empty());
    }
}
