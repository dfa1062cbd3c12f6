//! The strings of a JSON text: joined in the order of the text, and joined by name.

use std::collections::HashMap;

use super::{Joined, Pieces};
use crate::bytes::{at, slice};
use crate::entropy::changes;
use crate::escape::unescape_json;

/// What all strings of a text give together at most.
const STRINGS_BYTES_MAX: usize = 256 * 1024;
const NAMES_MAX: usize = 256;

/// A string of the text.
struct Text<'a> {
    content: &'a [u8],
    after: usize,
    has_escapes: bool,
}

/// The values of a JSON text one after the other: a secret cut into items of an array, consecutive
/// fields, or the same field of consecutive objects. Bounded; prose gives only its first and last
/// words.
pub(crate) fn of_json(bytes: &[u8]) -> Vec<Joined> {
    let mut in_order = Pieces::default();
    let mut by_name: HashMap<&[u8], Pieces> = HashMap::new();
    let mut name: &[u8] = b"";
    let mut position = 0;
    while let Some(text) = next_string(bytes, position) {
        position = text.after;
        if is_name(bytes, position) {
            name = text.content;
            continue;
        }
        push_text(&text, &mut in_order);
        if !name.is_empty() && (by_name.len() < NAMES_MAX || by_name.contains_key(name)) {
            push_text(&text, by_name.entry(name).or_default());
        }
        if in_order.bytes.len() > STRINGS_BYTES_MAX {
            break;
        }
    }
    let mut groups: Vec<(&[u8], Pieces)> = by_name
        .into_iter()
        .filter(|(_, values)| values.seams.len() > 1 && values.bytes.len() < in_order.bytes.len())
        .collect();
    // The order of a map is not the same twice.
    groups.sort_unstable_by_key(|&(name, _)| name);
    let mut grouped = Pieces::default();
    for (_, values) in &groups {
        grouped.append(values);
    }
    [in_order.of_several(), grouped]
        .into_iter()
        .filter(|pieces| may_hold_secret(&pieces.bytes))
        .filter_map(|pieces| pieces.joined(0..bytes.len(), "strings"))
        .collect()
}

/// Whether a line is long enough for a secret, and not of words alone: no secret across a seam is.
fn may_hold_secret(bytes: &[u8]) -> bool {
    const CHANGES_MIN: usize = 2;
    bytes
        .split(|&byte| byte == b'\n')
        .any(|line| line.len() >= super::JOINED_BYTES_MIN && changes(line) >= CHANGES_MIN)
}

fn next_string(bytes: &[u8], from: usize) -> Option<Text<'_>> {
    let start = from + memchr::memchr(b'"', slice(bytes, from..bytes.len()))? + 1;
    let mut position = start;
    let mut has_escapes = false;
    loop {
        position += memchr::memchr2(b'"', b'\\', slice(bytes, position..bytes.len()))?;
        if at(bytes, position) == b'"' {
            return Some(Text {
                content: slice(bytes, start..position),
                after: position + 1,
                has_escapes,
            });
        }
        has_escapes = true;
        position += 2;
    }
}

/// Whether a string that ends here is the name of a field.
fn is_name(bytes: &[u8], after: usize) -> bool {
    const SPACES_MAX: usize = 16;
    slice(bytes, after..after + SPACES_MAX)
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|&byte| byte == b':')
}

fn push_text(text: &Text<'_>, out: &mut Pieces) {
    const UNESCAPED_BYTES_MAX: usize = 1024;
    if text.has_escapes && text.content.len() <= UNESCAPED_BYTES_MAX {
        let mut unescaped = Vec::new();
        unescape_json(
            text.content,
            0..text.content.len(),
            &mut unescaped,
            &mut Vec::new(),
        );
        out.push(&unescaped);
    } else {
        out.push(text.content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn has_key(text: &str) -> bool {
        of_json(text.as_bytes())
            .iter()
            .any(|view| memchr::memmem::find(&view.bytes, KEY.as_bytes()).is_some())
    }

    #[test]
    fn strings_are_joined() {
        assert!(has_key(r#"{"a":["AKIA7Q2M","ZK4XW5LDPN3R"]}"#));
        assert!(has_key(
            r#"{"a":"AKIA7Q2M","b":"ZK4XW5","c" : "LDPN3R","d":1}"#
        ));
        assert!(has_key(
            r#"[{"n":"one","p":"AKIA7Q2MZK"},{"n":"two","p":"4XW5LDPN3R"}]"#
        ));
        assert!(has_key(r#"[["AKIA7Q2MZK"],["4XW5LDPN3R"]]"#));
        assert!(has_key(
            r#"["here it comes: AKIA7Q2MZK","\u0034XW5LDPN3R was it"]"#
        ));
        assert!(has_key(&format!(
            r#"["{}AKIA7Q2MZK","4XW5LDPN3R"]"#,
            "x".repeat(1000)
        )));
        assert!(!has_key(r#"["AKIA7Q2MZK", "and", "4XW5LDPN3R"]"#));
    }

    #[test]
    fn little_is_joined_of_prose() {
        let text = r#"{"messages":[{"role":"user","content":"a long sentence of many words"},
            {"role":"assistant","content":"another such sentence"}]}"#;
        let bytes: usize = of_json(text.as_bytes())
            .iter()
            .map(|view| view.bytes.len())
            .sum();
        assert!(bytes < 80, "{bytes}");
        assert!(of_json(b"\"one\"").is_empty());
        assert!(of_json(b"{\"unclosed").is_empty());
        let many = format!("[{}\"\"]", "\"abcdefgh\",".repeat(100_000));
        let bytes: usize = of_json(many.as_bytes())
            .iter()
            .map(|view| view.bytes.len())
            .sum();
        assert!(bytes <= 2 * STRINGS_BYTES_MAX + 1024);
    }
}
