//! What hyper puts in order before anybody sees it: a request that declares its length twice. It merges
//! equal lengths, and drops a length beside a transfer coding (RFC 9112, section 6.3, allows both). Others
//! on the way may read such a request differently, and it is refused here: the colon of the second
//! declaration is overwritten, which makes it no field, so that hyper refuses the request. So is what
//! would have hyper and us disagree on where a message ends: a byte of it is overwritten.
//!
//! The framing of messages is followed only to know where heads are. Where a message breaks it hyper
//! refuses the message and closes the connection, and nothing is followed any further.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of HTTP/1 requests, as hyper reads it.
pub(crate) struct Framed<S> {
    stream: S,
    framing: Framing,
}

/// How far the requests of a connection were followed.
#[derive(Default)]
pub(crate) struct Framing {
    state: State,
    /// The line under way, as far as it matters.
    line: Vec<u8>,
    /// Whether what came last could begin a line end.
    is_after_cr: bool,
    head: Head,
}

#[derive(Default)]
enum State {
    /// In the lines of a head.
    #[default]
    Head,
    /// In the body, so many bytes of it left.
    Body(u64),
    /// In the line before a chunk.
    Size,
    /// In the data of a chunk and its line end, so many bytes of them left.
    Chunk(u64),
    /// In the lines after the last chunk.
    Trailers,
    /// Not HTTP/1 any more, or broken.
    Over,
}

/// What a head has said so far.
#[derive(Default)]
struct Head {
    has_begun: bool,
    opens_tunnel: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// Of a line so much is looked at: the names that matter and their values are shorter.
const LINE_BYTES_MAX: usize = 256;
const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";
const UPGRADE: &[u8] = b"upgrade";
const TUNNEL: &[u8] = b"CONNECT ";

// === impl Framing ===

impl Framing {
    /// Follows the next bytes.
    fn follow(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = match self.state {
                State::Over => return,
                State::Body(left) => self.skip(left, rest.len(), State::Body, State::Head),
                State::Chunk(left) => self.skip(left, rest.len(), State::Chunk, State::Size),
                State::Head | State::Size | State::Trailers => self.line(rest),
            };
            rest = rest.get_mut(count..).unwrap_or_default();
        }
    }

    /// Passes over counted bytes.
    fn skip(&mut self, left: u64, there: usize, same: fn(u64) -> State, next: State) -> usize {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(there);
        let left = left - count as u64;
        self.state = if left == 0 { next } else { same(left) };
        count
    }

    /// Takes a line, or the part of it that is there.
    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let count = end.map_or(bytes.len(), |end| end + 1);
        let part = bytes.get_mut(..count).unwrap_or_default();
        if matches!(self.state, State::Head) {
            self.name(part);
        }
        let is_bare = match end {
            None => false,
            Some(0) => !self.is_after_cr,
            Some(end) => part.get(end - 1) != Some(&b'\r'),
        };
        self.is_after_cr = part.last() == Some(&b'\r');
        // Of trailers hyper takes a bare LF to be a part, not the end.
        if is_bare && matches!(self.state, State::Trailers) {
            self.spoil(part, count - 1);
            return count;
        }
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend(part.iter().take(room));
        // hyper reads on where we do not: leading zeros may be any number.
        if part.len() > room && self.is_length() {
            self.spoil(part, room);
        }
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.take(line.trim_ascii_end());
            self.line = line;
            self.line.clear();
        }
        count
    }

    /// Whether the line under way says how long something is, and could still say more of it.
    fn is_length(&self) -> bool {
        match self.state {
            State::Size => self.line.iter().all(u8::is_ascii_hexdigit),
            State::Head => self
                .line
                .split_at_checked(LENGTH.len())
                .is_some_and(|(name, rest)| {
                    name.eq_ignore_ascii_case(LENGTH) && rest.starts_with(b":")
                }),
            _ => false,
        }
    }

    /// Overwrites a byte, which nothing can follow: hyper accepts it nowhere in a line.
    fn spoil(&mut self, part: &mut [u8], place: usize) {
        if let Some(byte) = part.get_mut(place) {
            *byte = 0;
            self.state = State::Over;
        }
    }

    /// Looks at the name of a field once its colon is there, and spoils the colon of one that says
    /// again how long the message is.
    fn name(&mut self, part: &mut [u8]) {
        if self.line.contains(&b':') {
            return;
        }
        let Some(colon) = memchr::memchr(b':', part) else {
            return;
        };
        let (before, name) = (self.line.as_slice(), part.get(..colon).unwrap_or_default());
        let is = |wanted: &[u8]| {
            before.len() + name.len() == wanted.len()
                && before
                    .iter()
                    .chain(name)
                    .zip(wanted)
                    .all(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        let is_framed = self.head.length.is_some() || self.head.is_chunked;
        if is_framed && (is(LENGTH) || is(CODING)) {
            self.spoil(part, colon);
        }
    }

    fn take(&mut self, line: &[u8]) {
        match self.state {
            State::Head => self.head_line(line),
            State::Size => {
                let digits = line
                    .iter()
                    .take_while(|byte| byte.is_ascii_hexdigit())
                    .count();
                let text = line
                    .get(..digits)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                // With the line end behind the data.
                self.state = match text.and_then(|text| u64::from_str_radix(text, 16).ok()) {
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size.saturating_add(2)),
                    None => State::Over,
                };
            }
            State::Trailers if line.is_empty() => self.state = State::Head,
            State::Trailers | State::Body(_) | State::Chunk(_) | State::Over => {}
        }
    }

    fn head_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            // Empty lines before a request line are no head (RFC 9112, section 2.2).
            if self.head.has_begun {
                self.state = self.head.body();
                self.head = Head::default();
            }
            return;
        }
        if !std::mem::replace(&mut self.head.has_begun, true) {
            self.head.opens_tunnel = line.starts_with(TUNNEL);
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(LENGTH) {
            let text = std::str::from_utf8(value).unwrap_or_default();
            match text.parse() {
                Ok(length) => self.head.length = Some(length),
                Err(_) => self.state = State::Over,
            }
        } else if name.eq_ignore_ascii_case(CODING) {
            self.head.is_chunked = true;
        } else if name.eq_ignore_ascii_case(UPGRADE) {
            self.head.opens_tunnel = true;
        }
    }
}

// === impl Head ===

impl Head {
    /// What follows a head.
    const fn body(&self) -> State {
        match self.length {
            _ if self.opens_tunnel => State::Over,
            _ if self.is_chunked => State::Size,
            None | Some(0) => State::Head,
            Some(length) => State::Body(length),
        }
    }
}

// === impl Framed ===

impl<S> Framed<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::default(),
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// How much of a line is held.
    #[cfg(feature = "fuzzing")]
    pub(crate) const fn line_bytes(&self) -> usize {
        self.framing.line.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(task, buffer);
        let fresh = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        self.framing.follow(fresh);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is left of a stream that comes in pieces.
    fn followed(text: &[u8], piece: usize) -> Vec<u8> {
        let mut framing = Framing::default();
        let mut out = text.to_vec();
        out.chunks_mut(piece)
            .for_each(|piece| framing.follow(piece));
        out
    }

    #[test]
    fn a_length_that_is_declared_twice_is_spoiled() {
        for head in [
            "Content-Length: 5\r\nContent-Length!: 5",
            "Content-Length: 5\r\nX: y\r\ncontent-length!:5",
            "Content-Length: 5\r\nTransfer-Encoding!: chunked",
            "transfer-encoding: chunked\r\nCONTENT-LENGTH!: 0",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding!: chunked",
        ] {
            for before in [
                "",
                "GET http://a/ HTTP/1.1\r\n\r\n",
                "POST http://a/ HTTP/1.1\r\nContent-Length: 21\r\n\r\nContent-Length: 5\r\n\r\n",
                "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n15;x=y\r\nContent-Length: 5\r\n\r\n\r\n0\r\nX: y\r\n\r\n\r\n",
            ] {
                let text = format!("{before}POST http://b/ HTTP/1.1\r\nHost: b\r\n{head}\r\n\r\n");
                let sent = text.replace('!', "");
                let expected = text.replace("!:", "\0");
                for piece in [1, 2, 7, 1000] {
                    let out = followed(sent.as_bytes(), piece);
                    assert_eq!(String::from_utf8_lossy(&out), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_framed_once_is_left_alone() {
        for text in [
            "POST http://a/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET http://a/ HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET http://a/ HTTP/1.1\r\nX-Content-Length: 3\r\nContent-Length: 0\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nContent-Length: 55\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        ] {
            for piece in [1, 3, 1000] {
                assert_eq!(followed(text.as_bytes(), piece), text.as_bytes());
            }
        }
    }

    #[test]
    fn a_length_that_goes_on_beyond_what_is_kept_is_spoiled() {
        let zeros = "0".repeat(LINE_BYTES_MAX);
        let spaces = " ".repeat(LINE_BYTES_MAX);
        for (head, number) in [
            ("POST / HTTP/1.1\r\nContent-Length:", format!("{zeros}5")),
            ("POST / HTTP/1.1\r\nContent-Length:", format!("{spaces}5")),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                format!("{zeros}5"),
            ),
        ] {
            let text = format!("{head}{number}\r\n\r\nhello");
            let line = text.rfind(&number).unwrap();
            let start = text[..line].rfind('\n').unwrap() + 1;
            for piece in [1, 2, 7, 1000] {
                let mut expected = text.clone().into_bytes();
                expected[start + LINE_BYTES_MAX] = 0;
                let out = followed(text.as_bytes(), piece);
                assert_eq!(out, expected, "{head:?}");
            }
        }
    }

    #[test]
    fn trailers_end_where_hyper_ends_them() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        for (trailers, expected) in [
            (
                "X: y\n\r\nCONNECT a:1 HTTP/1.1\r\n\r\n",
                "X: y\0\r\nCONNECT a:1 HTTP/1.1\r\n\r\n",
            ),
            ("\nX: y\r\n\r\n", "\0X: y\r\n\r\n"),
            ("X: y\r\n\r\n", "X: y\r\n\r\n"),
        ] {
            for piece in [1, 2, 7, 1000] {
                let out = followed(format!("{head}{trailers}").as_bytes(), piece);
                assert_eq!(String::from_utf8_lossy(&out), format!("{head}{expected}"));
            }
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_followed(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1..40_usize) {
            prop_assert_eq!(followed(&bytes, piece).len(), bytes.len());
        }

        #[test]
        fn bodies_are_never_touched(body in proptest::collection::vec(any::<u8>(), 0..600), piece in 1..700_usize) {
            let mut text = format!("POST http://a/ HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
            text.extend_from_slice(&body);
            prop_assert_eq!(followed(&text, piece), text);
        }
    }
}
