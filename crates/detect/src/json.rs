//! JSON as a view: strings unescaped in place, strings that hold JSON themselves, and the path of a
//! position. No tree is built: a finding's path is worked out when there is a finding.

use std::ops::Range;
use std::sync::Arc;

use oktsec_model::safe_name;

use crate::bytes::{at, slice};
use crate::decode::Child;
use crate::escape;
use crate::view::{Map, Shape};

/// What a JSON text gives.
pub(crate) struct Derived {
    /// The text with every string unescaped, where any needs it.
    pub(crate) text: Option<Child>,
    /// Those strings that look like JSON, each by itself.
    pub(crate) nested: Vec<Child>,
    /// Whether the text was JSON to its end.
    pub(crate) is_valid: bool,
}

/// An open object or array on the way to a position.
#[derive(Clone)]
enum Frame {
    Array { index: usize },
    Object { key: Range<usize> },
}

const DEPTH_MAX: usize = 128;
const PATH_BYTES_MAX: usize = 200;
const NESTED_MAX: usize = 1024;

/// The shape of bytes that may be JSON: decided by the first character, corrected by the walk.
pub(crate) fn shape_of(bytes: &[u8]) -> Shape {
    let start = skip_space(bytes, 0);
    match at(bytes, start) {
        b'{' | b'[' | b'"' => Shape::Json,
        _ => Shape::Text,
    }
}

/// Unescapes a text of one or more JSON values.
pub(crate) fn derive(bytes: &[u8]) -> Derived {
    let mut text: Vec<u8> = Vec::new();
    let mut marks = Vec::new();
    let mut copied = 0;
    let mut nested: Vec<Child> = Vec::new();
    let mut is_valid = true;
    let mut position = 0;
    while let Some(quote) = memchr::memchr(b'"', slice(bytes, position..bytes.len())) {
        let open = position + quote;
        is_valid &= slice(bytes, position..open)
            .iter()
            .all(|&byte| is_between_strings(byte));
        let string = string_at(bytes, open);
        if string.has_escapes {
            if text.capacity() == 0 {
                text.reserve_exact(bytes.len());
            }
            text.extend_from_slice(slice(bytes, copied..string.content.start));
            let begin = text.len();
            escape::unescape_json(bytes, string.content.clone(), &mut text, &mut marks);
            copied = string.content.end;
            let unescaped = text.get(begin..).unwrap_or_default();
            if shape_of(unescaped) == Shape::Json && nested.len() < NESTED_MAX {
                let mut own = (Vec::new(), vec![(0, string.content.start)]);
                escape::unescape_json(bytes, string.content.clone(), &mut own.0, &mut own.1);
                nested.push(Child {
                    bytes: own.0,
                    map: Map::Marks(own.1),
                    label: None,
                    shape: Shape::Json,
                    is_cut: false,
                    is_open: false,
                    seams: None,
                });
            }
        }
        is_valid &= string.is_closed;
        position = string.after;
    }
    is_valid &= slice(bytes, position..bytes.len())
        .iter()
        .all(|&byte| is_between_strings(byte));
    let text = (copied > 0).then(|| {
        text.extend_from_slice(slice(bytes, copied..bytes.len()));
        Child {
            bytes: text,
            map: Map::Marks(marks),
            label: None,
            shape: Shape::Text,
            is_cut: false,
            is_open: false,
            seams: None,
        }
    });
    Derived {
        text,
        nested,
        is_valid,
    }
}

/// The way to a position in a JSON text. It is remembered, so that asking for one position after
/// another costs one walk over the text.
#[derive(Clone, Default)]
pub(crate) struct Way {
    frames: Vec<Frame>,
    /// What is before it has been walked.
    position: usize,
    last_string: Range<usize>,
}

// === impl Way ===

impl Way {
    /// `json $.notes[2]` for a position; nothing where the path is no more than `$`.
    pub(crate) fn path_to(&mut self, bytes: &[u8], target: usize) -> Option<Arc<str>> {
        if target + 1 < self.position {
            *self = Self::default();
        }
        self.walk(bytes, target);
        let path: String = self.frames.iter().map(|frame| frame.step(bytes)).collect();
        let cut = oktsec_model::truncate_chars(&path, PATH_BYTES_MAX);
        (!cut.is_empty()).then(|| format!("json ${cut}").into())
    }

    fn walk(&mut self, bytes: &[u8], target: usize) {
        while self.position <= target {
            let Some(byte) = bytes.get(self.position) else {
                return;
            };
            match byte {
                b'"' => {
                    let string = string_at(bytes, self.position);
                    if string.after > target {
                        return;
                    }
                    self.last_string = string.content;
                    self.position = string.after;
                    continue;
                }
                b'{' if self.frames.len() < DEPTH_MAX => {
                    self.frames.push(Frame::Object { key: 0..0 });
                }
                b'[' if self.frames.len() < DEPTH_MAX => {
                    self.frames.push(Frame::Array { index: 0 });
                }
                b'}' | b']' => {
                    self.frames.pop();
                }
                b':' => {
                    if let Some(Frame::Object { key }) = self.frames.last_mut() {
                        key.clone_from(&self.last_string);
                    }
                }
                b',' => match self.frames.last_mut() {
                    Some(Frame::Array { index }) => *index += 1,
                    Some(Frame::Object { key }) => *key = 0..0,
                    None => {}
                },
                _ => {}
            }
            self.position += 1;
        }
    }
}

// === impl Frame ===

impl Frame {
    fn step(&self, bytes: &[u8]) -> String {
        match self {
            Self::Array { index } => format!("[{index}]"),
            Self::Object { key } if key.is_empty() => String::new(),
            Self::Object { key } => {
                let name = std::str::from_utf8(slice(bytes, key.clone())).unwrap_or_default();
                format!(".{}", safe_name(name))
            }
        }
    }
}

/// A string of a JSON text.
pub(crate) struct JsonString {
    pub(crate) content: Range<usize>,
    pub(crate) after: usize,
    has_escapes: bool,
    is_closed: bool,
}

pub(crate) fn string_at(bytes: &[u8], open: usize) -> JsonString {
    let start = open + 1;
    let rest = slice(bytes, start..bytes.len());
    let end = memchr::memchr_iter(b'"', rest)
        .map(|quote| start + quote)
        .find(|&quote| {
            let escapes = slice(bytes, start..quote).iter().rev();
            escapes.take_while(|&&byte| byte == b'\\').count() % 2 == 0
        });
    let content = start..end.unwrap_or(bytes.len());
    JsonString {
        after: end.map_or(bytes.len(), |quote| quote + 1),
        has_escapes: memchr::memchr(b'\\', slice(bytes, content.clone())).is_some(),
        is_closed: end.is_some(),
        content,
    }
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let bom = usize::from(from == 0 && bytes.starts_with(b"\xEF\xBB\xBF")) * 3;
    let start = from + bom;
    start
        + slice(bytes, start..bytes.len())
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count()
}

const fn is_between_strings(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || byte.is_ascii_digit()
        || matches!(
            byte,
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b'-' | b'+' | b'.' | b'E'
        )
        || byte.is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_the_value() {
        let text = br#"{"a": {"notes": ["x", "y\"z", "KEY"]}, "b": 17, "c": [[1, 2], [3]]}"#;
        let position = |needle: &[u8]| memchr::memmem::find(text, needle).unwrap();
        let mut way = Way::default();
        for (needle, path) in [
            (&b"KEY"[..], "json $.a.notes[2]"),
            (b"EY", "json $.a.notes[2]"),
            (b"17", "json $.b"),
            (b"3]", "json $.c[1][0]"),
            (b"z", "json $.a.notes[1]"),
            (b"KEY", "json $.a.notes[2]"),
        ] {
            let found = way.path_to(text, position(needle));
            assert_eq!(found.as_deref(), Some(path));
        }
        assert_eq!(Way::default().path_to(b"{\"a\"", 1), None);
        assert_eq!(
            Way::default()
                .path_to(&b"[".repeat(10_000), 9_999)
                .unwrap()
                .len(),
            "json $".len() + 203
        );
    }

    #[test]
    fn strings_are_unescaped_in_place() {
        let derived = derive(br#"{"a":"x\ny","b":"plain","c":"{\"d\":\"\\u0041\"}"}"#);
        assert!(derived.is_valid);
        let texts: Vec<&[u8]> = derived
            .text
            .iter()
            .chain(&derived.nested)
            .map(|child| child.bytes.as_slice())
            .collect();
        assert_eq!(
            texts,
            [
                &b"{\"a\":\"x\ny\",\"b\":\"plain\",\"c\":\"{\"d\":\"\\u0041\"}\"}"[..],
                br#"{"d":"\u0041"}"#,
            ]
        );
        assert!(!derive(b"{ this is not JSON \\n }").is_valid);
    }
}
