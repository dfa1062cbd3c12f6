//! The parsers, opened to the fuzzer: each entry takes bytes and checks what must hold for any. What is
//! read from a stream must not depend on the pieces that it comes in.

mod balancer;
mod framing;
mod heads;
mod hello;
mod requests;
mod socks;
mod websocket;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use self::balancer::balancer;
pub use self::framing::framing;
pub use self::heads::heads;
pub use self::hello::hello;
pub use self::requests::requests;
pub use self::socks::socks;
pub use self::websocket::{frames, messages};

/// What the fuzzer chose, taken from its beginning.
struct Input<'a>(&'a [u8]);

/// A client in memory: what it sends comes in pieces, what it is sent is kept.
struct Client<'a> {
    rest: &'a [u8],
    pieces: &'a [u8],
    turn: usize,
    received: Vec<u8>,
}

// === impl Input ===

impl<'a> Input<'a> {
    /// Zero where nothing is left.
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// So many bytes as the next byte says.
    fn short(&mut self) -> &'a [u8] {
        let count = self.byte();
        self.take(count.into())
    }

    /// The sizes of pieces: up to eight, and again from the first.
    fn pieces(&mut self) -> &'a [u8] {
        let count = self.byte() % 9;
        self.take(count.into())
    }
}

/// The next piece of bytes, never an empty one; all of them where no sizes were chosen.
fn piece(pieces: &[u8], turn: &mut usize, left: usize) -> usize {
    let size = pieces.get(*turn % pieces.len().max(1)).copied();
    *turn += 1;
    size.map_or(left, |size| usize::from(size.max(1)).min(left))
}

// === impl Client ===

impl<'a> Client<'a> {
    const fn new(bytes: &'a [u8], pieces: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            pieces,
            turn: 0,
            received: Vec::new(),
        }
    }
}

impl AsyncRead for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = self.rest.len().min(buffer.remaining());
        let pieces = self.pieces;
        let count = piece(pieces, &mut self.turn, room);
        let (now, rest) = self.rest.split_at(count.min(room));
        buffer.put_slice(now);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.received.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what reads from memory to its end.
fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Option<tokio::runtime::Runtime> =
            tokio::runtime::Builder::new_current_thread().enable_time().build().ok();
    }
    RUNTIME.with(|runtime| {
        let runtime = runtime.as_ref().expect("a runtime without sockets");
        runtime.block_on(future)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn anything_holds(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for entry in [balancer, framing, heads, hello, requests, socks, frames, messages] {
                entry(&bytes);
            }
        }
    }
}
