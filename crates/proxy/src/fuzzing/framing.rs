//! The follower of messages.

use tokio::io::AsyncReadExt;

use super::{Client, Input, run};
use crate::framing::Framed;

/// What is followed passes as it came but for one byte that is overwritten, wherever it is cut.
pub fn framing(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let whole = followed(input.0, &[]);
    assert_eq!(whole, followed(input.0, pieces));
    assert_eq!(whole.len(), input.0.len());
    let changed: Vec<(u8, u8)> = (input.0.iter().copied())
        .zip(whole)
        .filter(|(before, after)| before != after)
        .collect();
    // Nothing is followed behind what was spoiled.
    assert!(changed.len() <= 1, "{changed:?}");
    assert!(changed.iter().all(|&(_, after)| after == 0));
}

fn followed(bytes: &[u8], pieces: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut framed = Framed::new(Client::new(bytes, pieces));
    let read = run(framed.read_to_end(&mut out));
    assert_eq!(read.ok(), Some(bytes.len()));
    assert!(framed.line_bytes() <= 256);
    out
}
