//! `multipart/*` bodies: each part by itself, with its transfer encoding undone.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, header};
use memchr::memmem;
use oktsec_model::safe_name;

use crate::bytes::{hex_pair, slice};
use crate::decode::{self, Child};
use crate::json;
use crate::view::Map;

const PARTS_MAX: usize = 1024;
const BOUNDARY_BYTES_MAX: usize = 200;
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// The parts of a body, where it has any, and whether it has more than are looked at.
pub(crate) fn parts(headers: &HeaderMap, body: &[u8]) -> (Vec<Child>, bool) {
    let Some(delimiter) = delimiter(headers, body) else {
        return (Vec::new(), false);
    };
    let mut found = memmem::find_iter(body, &delimiter);
    let starts: Vec<usize> = found
        .by_ref()
        .take(PARTS_MAX)
        .map(|at| at + delimiter.len())
        .collect();
    let has_more = found.next().is_some();
    let ends = starts
        .iter()
        .skip(1)
        .map(|start| start - delimiter.len())
        .chain([body.len()]);
    let children = starts
        .iter()
        .zip(ends)
        .filter_map(|(&start, end)| part(body, start..end))
        .collect();
    (children, has_more)
}

/// Two hyphens and the boundary, as the type says or as the body begins.
fn delimiter(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_multipart = |kind: &&str| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/")
    };
    if let Some(kind) = kind.filter(is_multipart)
        && let Some(boundary) = parameter(kind, "boundary")
    {
        return Some([b"--", boundary.as_bytes()].concat());
    }
    let line = slice(body, 0..BOUNDARY_BYTES_MAX)
        .split(|&byte| matches!(byte, b'\r' | b'\n'))
        .next()?;
    (line.len() > 2 && line.starts_with(b"--") && line.len() < BOUNDARY_BYTES_MAX)
        .then(|| line.to_vec())
}

/// The value of a parameter such as `boundary=…` or `name="…"`.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    // A semicolon between quotes belongs to the value.
    let mut quoted = false;
    let value = text
        .split(|char| {
            quoted ^= char == '"';
            char == ';' && !quoted
        })
        .skip(1)
        .find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })?;
    let value = value.trim_matches('"');
    (!value.is_empty()).then_some(value)
}

fn part(body: &[u8], range: Range<usize>) -> Option<Child> {
    let bytes = slice(body, range.clone());
    let head_end = memmem::find(slice(bytes, 0..PART_HEAD_BYTES_MAX), b"\r\n\r\n")
        .map(|at| (at, at + 4))
        .or_else(|| {
            memmem::find(slice(bytes, 0..PART_HEAD_BYTES_MAX), b"\n\n").map(|at| (at, at + 2))
        });
    let (head_end, content_start) = head_end?;
    let head = String::from_utf8_lossy(slice(bytes, 0..head_end)).into_owned();
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let disposition = field("content-disposition").unwrap_or_default();
    let name = parameter(&disposition, "name").map_or("*", safe_name);
    let label: Arc<str> = format!("part {name}").into();
    // The line break before the delimiter belongs to the delimiter (RFC 2046, section 5.1.1).
    let content = slice(bytes, content_start..bytes.len());
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let encoding = field("content-transfer-encoding")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let start = range.start + content_start;
    let (decoded, map) = match encoding.as_str() {
        "base64" => (decode::base64(content), Map::Whole(start..range.end)),
        "quoted-printable" => (quoted_printable(content), Map::Whole(start..range.end)),
        _ => (content.to_vec(), Map::offset(start)),
    };
    let shape = json::shape_of(&decoded);
    Some(Child {
        bytes: decoded,
        map,
        label: Some(label),
        shape,
        is_cut: false,
        is_open: false,
        seams: None,
    })
}

/// RFC 2045, section 6.7: `=41`, and `=` before a line break.
fn quoted_printable(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut position = 0;
    while let Some(&byte) = encoded.get(position) {
        let rest = slice(encoded, position + 1..encoded.len());
        if byte != b'=' {
            out.push(byte);
            position += 1;
        } else if let Some(value) = hex_pair(encoded, position + 1) {
            out.push(value);
            position += 3;
        } else if rest.starts_with(b"\r\n") {
            position += 3;
        } else if rest.starts_with(b"\n") {
            position += 2;
        } else {
            out.push(byte);
            position += 1;
        }
    }
    out
}
