//! Joined views: what a receiver gets who puts pieces together. A secret can be cut into labels of a
//! host, segments of a path, values of a query, a form, a JSON text or repeated header fields, into
//! single characters, or be written backwards. Only pieces that could be parts of a token are
//! joined, so that prose costs next to nothing; numbers that become neighbours mean nothing, which
//! is why only credentials should be looked for in these views.

pub(crate) mod json;
pub(crate) mod spaced;

use std::ops::Range;

use http::HeaderMap;
use http::header::{COOKIE, HeaderName};

use crate::bytes::{hex_pair, slice};

/// A view that was put together; all of it stands for one range of the original.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Joined {
    pub(crate) bytes: Vec<u8>,
    /// Where the pieces begin: what begins or ends there stands as free as it does in its piece.
    pub(crate) seams: Vec<usize>,
    pub(crate) range: Range<usize>,
    pub(crate) label: &'static str,
}

/// Pieces, one after the other.
#[derive(Default)]
struct Pieces {
    bytes: Vec<u8>,
    seams: Vec<usize>,
}

/// The shortest view that could hold a secret.
const JOINED_BYTES_MIN: usize = 16;
/// What is joined at most.
const JOINED_BYTES_MAX: usize = 64 * 1024;
/// Shorter hosts hold no key beside the name of somebody's domain.
const HOST_BYTES_MIN: usize = 24;
const PATH_BYTES_MIN: usize = 20;

/// The labels of a host without dots, and without hyphens where there are any, each as it is and in
/// capitals: hosts arrive in lower case. The last two labels name the receiver: they are left out,
/// so that a key ends where it ends.
pub(crate) fn of_host(host: &[u8]) -> Vec<Joined> {
    let labels: Vec<&[u8]> = host.split(|&byte| byte == b'.').collect();
    let own = labels
        .get(..labels.len().saturating_sub(2))
        .unwrap_or_default();
    if host.len() < HOST_BYTES_MIN || own.len() < 2 && !host.contains(&b'-') {
        return Vec::new();
    }
    let mut views = vec![Pieces::of(own.iter().copied())];
    if own.iter().any(|label| label.contains(&b'-')) {
        let parts = own
            .iter()
            .flat_map(|label| label.split(|&byte| byte == b'-'));
        views.push(Pieces::of(parts));
    }
    let capitals: Vec<Pieces> = views.iter().map(Pieces::in_capitals).collect();
    (views.into_iter().chain(capitals))
        .filter_map(|pieces| pieces.joined(0..host.len(), "labels"))
        .collect()
}

/// The segments of a path without slashes, percent-escapes undone, but for those that are known to
/// hold something whole.
pub(crate) fn of_path(path: &[u8], whole: &[Range<usize>]) -> Option<Joined> {
    let segments = pieces(path, 0, b'/', whole).filter(|segment| !segment.is_empty());
    if path.len() < PATH_BYTES_MIN || segments.clone().nth(1).is_none() {
        return None;
    }
    let mut joined = Pieces::default();
    segments.for_each(|segment| joined.push_whole(segment));
    joined.joined(0..path.len(), "segments")
}

/// The values of a query or a form in order, without names and separators, percent-escapes undone.
/// A field without a name is a value. Fields that are known to hold something whole are left out: what
/// stands beside it would only make it look like something else.
pub(crate) fn of_form(form: &[u8], from: usize, whole: &[Range<usize>]) -> Option<Joined> {
    memchr::memchr(b'&', slice(form, from..form.len()))?;
    let mut joined = Pieces::default();
    for field in pieces(form, from, b'&', whole) {
        let value =
            memchr::memchr(b'=', field).map_or(field, |at| slice(field, at + 1..field.len()));
        joined.push(value);
        if joined.bytes.len() > JOINED_BYTES_MAX {
            break;
        }
    }
    joined.joined(from..form.len(), "values")
}

/// The pieces between separators that share no byte with what is known to be whole.
fn pieces<'a>(
    text: &'a [u8],
    from: usize,
    separator: u8,
    whole: &'a [Range<usize>],
) -> impl Iterator<Item = &'a [u8]> + Clone + 'a {
    let mut start = from;
    slice(text, from..text.len())
        .split(move |&byte| byte == separator)
        .filter(move |piece| {
            let range = start..start + piece.len();
            start = range.end + 1;
            !(whole.iter()).any(|known| known.start < range.end && range.start < known.end)
        })
}

/// The values of fields of the same name, in order; also of names that differ in a number at their
/// end. And the values of cookies. Each with the name of its first field.
pub(crate) fn of_headers(headers: &HeaderMap) -> Vec<(HeaderName, Joined)> {
    let mut names: Vec<(&str, u32, &HeaderName)> = headers
        .keys()
        .map(|name| {
            let (stem, number) = numbered(name.as_str());
            (stem, number, name)
        })
        .collect();
    names.sort_unstable_by_key(|&(stem, number, _)| (stem, number));
    let mut views = Vec::new();
    for group in names.chunk_by(|(one, ..), (other, ..)| one == other) {
        let Some((_, _, first)) = group.first() else {
            continue;
        };
        let mut joined = Pieces::default();
        for value in group.iter().flat_map(|(_, _, name)| headers.get_all(*name)) {
            joined.push(value.as_bytes());
        }
        let view = joined.of_several().joined(0..usize::MAX, "values");
        views.extend(view.map(|view| ((*first).clone(), view)));
    }
    for cookies in headers.get_all(COOKIE) {
        let mut joined = Pieces::default();
        for cookie in cookies.as_bytes().split(|&byte| byte == b';') {
            let value = memchr::memchr(b'=', cookie)
                .map_or(cookie, |at| slice(cookie, at + 1..cookie.len()));
            joined.push(value);
        }
        let view = joined.of_several().joined(0..cookies.len(), "values");
        views.extend(view.map(|view| (COOKIE, view)));
    }
    views
}

/// A name without the number at its end, and the number.
fn numbered(name: &str) -> (&str, u32) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name
        .strip_prefix(stem)
        .and_then(|digits| digits.parse().ok());
    (stem.trim_end_matches(['-', '_']), number.unwrap_or(0))
}

// === impl Pieces ===

impl Pieces {
    fn of<'a>(list: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut pieces = Self::default();
        for piece in list {
            pieces.seams.push(pieces.bytes.len());
            pieces.bytes.extend_from_slice(piece);
        }
        pieces
    }

    /// Takes a value as far as it can be a part of a token.
    fn push(&mut self, value: &[u8]) {
        self.seams.push(self.bytes.len());
        push_piece(value, &mut self.bytes);
    }

    /// Takes all of a value, percent-escapes undone.
    fn push_whole(&mut self, value: &[u8]) {
        self.seams.push(self.bytes.len());
        push_decoded(value, &mut self.bytes);
    }

    /// Begins a line.
    fn append(&mut self, other: &Self) {
        self.bytes.push(b'\n');
        let offset = self.bytes.len();
        self.seams
            .extend(other.seams.iter().map(|seam| seam + offset));
        self.bytes.extend_from_slice(&other.bytes);
    }

    fn in_capitals(&self) -> Self {
        Self {
            bytes: self.bytes.to_ascii_uppercase(),
            seams: self.seams.clone(),
        }
    }

    /// Nothing of a single one.
    fn of_several(self) -> Self {
        if self.seams.len() > 1 {
            self
        } else {
            Self::default()
        }
    }

    /// The view, unless it is too short to hold a secret.
    fn joined(self, range: Range<usize>, label: &'static str) -> Option<Joined> {
        (self.bytes.len() >= JOINED_BYTES_MIN).then_some(Joined {
            bytes: self.bytes,
            seams: self.seams,
            range,
            label,
        })
    }
}

/// Takes a value, percent-escapes undone, as far as it can be a part of a token: of a value with
/// spaces or of some length, only its ends can.
fn push_piece(value: &[u8], out: &mut Vec<u8>) {
    const WHOLE_BYTES_MAX: usize = 256;
    const END_BYTES: usize = 64;
    let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
    let value = value.trim_ascii();
    if value.len() <= WHOLE_BYTES_MAX && !value.iter().any(space) {
        push_decoded(value, out);
        return;
    }
    let head = slice(value, 0..END_BYTES);
    let tail = slice(value, value.len().saturating_sub(END_BYTES)..value.len());
    push_decoded(head.split(space).next().unwrap_or_default(), out);
    out.push(b'\n');
    push_decoded(tail.rsplit(space).next().unwrap_or_default(), out);
}

fn push_decoded(encoded: &[u8], out: &mut Vec<u8>) {
    if memchr::memchr(b'%', encoded).is_none() {
        out.extend_from_slice(encoded);
        return;
    }
    let mut position = 0;
    while let Some(&byte) = encoded.get(position) {
        match hex_pair(encoded, position + 1) {
            Some(value) if byte == b'%' => {
                out.push(value);
                position += 3;
            }
            _ => {
                out.push(byte);
                position += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn has_key(views: impl IntoIterator<Item = Joined>) -> bool {
        views
            .into_iter()
            .any(|view| memchr::memmem::find(&view.bytes, KEY.as_bytes()).is_some())
    }

    #[test]
    fn hosts_are_joined() {
        assert!(has_key(of_host(b"akia7q2m.zk4xw5.ldpn3r.example.com")));
        assert!(has_key(of_host(b"akia-7q2m-zk4x-w5ld-pn3r.example.com")));
        assert!(of_host(b"api.example.com").is_empty());
        assert!(of_host(b"console.cloud.example.com").is_empty());
        assert!(of_host(b"").is_empty());
    }

    #[test]
    fn paths_queries_and_forms_are_joined() {
        assert!(has_key(of_path(b"/AKIA7Q2M/ZK4XW5/LDP%4E3R", &[])));
        assert_eq!(of_path(b"/a-single-segment-of-some-length", &[]), None);
        assert_eq!(of_path(b"/v1/chat", &[]), None);
        let query = b"/x?a=AKIA7Q2M&b=ZK4X&W5&c=%4C%44PN3R";
        assert!(has_key(of_form(query, 3, &[])));
        assert_eq!(
            of_form(query, 3, &[]).map(|view| view.range),
            Some(3..query.len())
        );
        assert_eq!(of_form(b"a=1&b=2", 0, &[]), None);
        assert_eq!(of_form(b"q=one+long+value+and+no+other", 0, &[]), None);
    }

    #[test]
    fn headers_are_joined() {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &'static str| {
            headers.append(name, value.parse().expect("a value"));
        };
        add("x-part-2", "XW5LDPN3R");
        add("x-part-1", "AKIA7Q2MZK4");
        assert!(has_key(
            of_headers(&headers).into_iter().map(|(_, view)| view)
        ));
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &'static str| {
            headers.append(name, value.parse().expect("a value"));
        };
        add("x-data", "AKIA7Q2MZK4");
        add("x-data", "XW5LDPN3R");
        let views = of_headers(&headers);
        assert_eq!(views[0].0, "x-data");
        assert!(has_key(views.into_iter().map(|(_, view)| view)));
        let mut headers = HeaderMap::new();
        headers.append(
            "cookie",
            "a=AKIA7Q2MZK4; b=XW5LDPN3R".parse().expect("a value"),
        );
        headers.append(
            "accept",
            "application/json; q=0.9, text/plain"
                .parse()
                .expect("a value"),
        );
        let views = of_headers(&headers);
        assert_eq!(views.len(), 1);
        assert!(has_key(views.into_iter().map(|(_, view)| view)));
    }
}
