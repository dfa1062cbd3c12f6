//! PDF (ISO 32000-1): streams that are deflated, and the text that their operators show, with the
//! kerning between its pieces left out. Fonts with encodings of their own are beyond this.

use flate2::Decompress;
use memchr::memmem;

use super::{Content, Inflated, Member, Members, inflate};
use crate::bytes::{at, finder, slice};
use crate::coding::InflateError;

/// How much text is put together.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Adds the streams and the text of a PDF file.
pub(super) fn find(bytes: &[u8], members: &mut Members) {
    const HEADER_WITHIN: usize = 1024;
    if finder!(b"%PDF-")
        .find(slice(bytes, 0..HEADER_WITHIN))
        .is_none()
    {
        return;
    }
    if memmem::find(bytes, b"/Encrypt ").is_some() {
        members.opaque("encrypted-pdf");
    }
    let mut decoder = Decompress::new(true);
    let mut text = Vec::new();
    for found in memmem::find_iter(bytes, b"stream") {
        let start = match slice(bytes, found + 6..found + 8) {
            b"\r\n" => found + 8,
            [b'\n' | b'\r', _] => found + 7,
            _ => continue,
        };
        if slice(bytes, 0..found).ends_with(b"end") {
            continue;
        }
        if !members.has_room() {
            break;
        }
        let rest = slice(bytes, start..bytes.len());
        if at(rest, 0) & 0x0F == 8 {
            let inflated = inflate_stream(&mut decoder, rest, members.budget);
            push_text(&inflated.bytes, &mut text);
            members.push_inflated(inflated, start, "pdf stream".to_owned());
        } else {
            let length = memmem::find(rest, b"endstream").unwrap_or(rest.len());
            members.effort = members.effort.saturating_sub(length);
            push_text(slice(rest, 0..length), &mut text);
        }
    }
    if !text.is_empty() {
        let is_cut = text.len() > TEXT_BYTES_MAX;
        members.list.push(Member {
            content: Content::Inflated(text),
            range: 0..bytes.len(),
            label: "pdf text".to_owned(),
            is_cut,
            is_open: false,
        });
    }
}

fn inflate_stream(decoder: &mut Decompress, bytes: &[u8], max: usize) -> Inflated {
    let mut inflated = inflate(decoder, bytes, true, max);
    // A checksum that is wrong or missing does not keep a reader from the data.
    let is_broken = matches!(
        inflated.error,
        Some(InflateError::Corrupt | InflateError::CutOff)
    );
    if is_broken && !inflated.bytes.is_empty() {
        inflated.error = None;
    }
    inflated
}

/// The strings that a content stream shows (section 9.4.3): those of one array belong together.
fn push_text(stream: &[u8], out: &mut Vec<u8>) {
    // Only content streams have text objects.
    if memmem::find(stream, b"BT").is_none() {
        return;
    }
    let mut position = 0;
    let mut in_array = false;
    while let Some(found) = next_delimiter(stream, position) {
        position = found + 1;
        match at(stream, found) {
            b'(' => position = push_string(stream, position, out),
            b'[' => in_array = true,
            _ => in_array = false,
        }
        if !in_array && out.last().is_some_and(|&byte| byte != b'\n') {
            out.push(b'\n');
        }
        if out.len() > TEXT_BYTES_MAX {
            break;
        }
    }
}

fn next_delimiter(stream: &[u8], from: usize) -> Option<usize> {
    memchr::memchr3(b'(', b'[', b']', slice(stream, from..stream.len())).map(|found| from + found)
}

/// A literal string (section 7.3.4.2). Answers where it ends.
fn push_string(stream: &[u8], from: usize, out: &mut Vec<u8>) -> usize {
    let mut depth = 1;
    let mut position = from;
    while let Some(&byte) = stream.get(position) {
        position += 1;
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => {
                position = push_escape(stream, position, out);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        out.push(byte);
    }
    position
}

fn push_escape(stream: &[u8], position: usize, out: &mut Vec<u8>) -> usize {
    let digits = crate::bytes::count_while(stream, position, 3, |b| (b'0'..b'8').contains(&b));
    if digits > 0 {
        let number = slice(stream, position..position + digits)
            .iter()
            .fold(0_u16, |number, &digit| {
                number << 3 | u16::from(digit - b'0')
            });
        let [_, low] = number.to_be_bytes();
        out.push(low);
        return position + digits;
    }
    match at(stream, position) {
        b'n' => out.push(b'\n'),
        b'r' | b't' | b'b' | b'f' => out.push(b' '),
        b'\r' | b'\n' => {}
        other => out.push(other),
    }
    position + 1
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{Opaque, members};
    use super::*;

    #[test]
    fn text_is_put_together() {
        let content = b"BT /F1 12 Tf [(AKIA7Q2M) -20 (ZK4X\\0275LD)] TJ (PN3R \\(x\\)) Tj ET";
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).expect("memory");
        let deflated = encoder.finish().expect("memory");
        for (stream, filter) in [(&deflated[..], "/Filter /FlateDecode"), (content, "")] {
            let bytes = [
                b"%PDF-1.4\n1 0 obj << ",
                filter.as_bytes(),
                b" >>\nstream\r\n",
                stream,
                b"\nendstream\nendobj\n",
            ]
            .concat();
            let found = members(&bytes, 1 << 20);
            let text = found.list.last().expect("a text");
            let Content::Inflated(text) = &text.content else {
                panic!("not stored")
            };
            assert_eq!(text, b"AKIA7Q2MZK4X\x175LD\nPN3R (x)\n");
        }
        let locked = members(b"%PDF-1.4\ntrailer << /Encrypt 5 0 R >>", 0);
        assert_eq!(locked.opaque, [Opaque("encrypted-pdf")]);
    }
}
