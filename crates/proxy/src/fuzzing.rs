//! The parsers of the wire, opened to the fuzzer: each entry takes bytes and checks what must hold for
//! any.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{HeaderName, HeaderValue, Request, Version};
use oktsec_model::{Scheme, Target};

use crate::flow::Side;
use crate::framing::Framing;
use crate::websocket::frames::Frame;
use crate::{balancer, socks, strict};

/// WebSocket frames: the same ones come out however they come in, and all of their bytes.
pub fn frames(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    for side in [Side::Client, Side::Upstream] {
        let whole = taken(bytes, side, bytes.len().max(1));
        let pieces = taken(bytes, side, usize::from(piece).max(1));
        assert_eq!(whole, pieces, "{side:?}");
        let raw: Vec<u8> = whole.0.iter().flat_map(|frame| frame.raw.clone()).collect();
        assert!(bytes.starts_with(&raw), "{side:?}");
    }
}

/// The frames of a stream that comes in pieces, and whether it broke.
fn taken(bytes: &[u8], side: Side, piece: usize) -> (Vec<Frame>, bool) {
    const PAYLOAD_MAX: usize = 100_000;
    let (mut buffer, mut frames) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match Frame::take(&mut buffer, side, PAYLOAD_MAX) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

/// The framing of HTTP/1: followed the same however it comes, and of all bytes only colons change.
pub fn framing(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let followed = |piece: usize| {
        let (mut framing, mut out) = (Framing::default(), bytes.to_vec());
        for piece in out.chunks_mut(piece) {
            framing.follow(piece);
        }
        out
    };
    let whole = followed(bytes.len().max(1));
    assert_eq!(whole, followed(usize::from(piece).max(1)));
    let mut changed = bytes.iter().zip(&whole).filter(|(was, is)| was != is);
    assert!(changed.all(|(was, _)| *was == b':'));
}

/// Headers of the PROXY protocol: no more is read than the longest may have.
pub fn balancer(bytes: &[u8]) {
    const BYTES_MAX: usize = 16 + 4096;
    let mut rest = bytes;
    // It never waits: all that will come is there.
    let _named = now(balancer::read(&mut rest));
    assert!(bytes.len() - rest.len() <= BYTES_MAX);
}

/// Requests of SOCKS5: what is understood is a CONNECT to a place that is one.
pub fn socks(bytes: &[u8]) {
    let mut rest = bytes;
    let mut stream = tokio::io::join(&mut rest, tokio::io::sink());
    if let Some(Ok(parts)) = now(socks::ask(&mut stream)) {
        assert_eq!(parts.method, http::Method::CONNECT);
        assert!(parts.uri.authority().is_some());
    }
}

/// Heads of requests, a line each: method, target, then fields. What is accepted has one host, and says
/// the same when it is written down and read again.
pub fn heads(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (Some(method), Some(target)) = (lines.next(), lines.next()) else {
        return;
    };
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let Some(at) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(at);
        let (name, value) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or_default()),
        );
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.version(Version::HTTP_11).body(()) else {
        return;
    };
    let (parts, ()) = request.into_parts();
    if strict::check_message(&parts).is_err() {
        return;
    }
    assert!(parts.headers.get_all(http::header::HOST).iter().count() <= 1);
    for (target, path) in [
        strict::absolute_target(&parts),
        strict::inner_target(&parts, Scheme::Https),
    ]
    .into_iter()
    .flatten()
    {
        let again = Target::parse_host_field(&target.host_field(), target.scheme);
        assert_eq!(again.as_ref(), Ok(&target));
        assert!(path.starts_with('/') || path == "*");
    }
}

/// The result of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
