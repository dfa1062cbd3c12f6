//! The hash chain: what binds each record to all before it. Pure.
//!
//! A line is `{"event":…,"hash":"…","seq":…}` and a newline. The hash covers the bytes of the event
//! as they are stored, so that nothing has to be serialised again to check it. The envelope has one
//! spelling only: a line that could be written in another way is not a record.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation
)]

use std::borrow::Cow;
use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A link of the chain: SHA-256.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hash(pub [u8; 32]);

/// Whose chain it is: 128 random bits, made with the first record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InstanceId(pub [u8; 16]);

/// The last record of a chain, or of a part of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// The record's number; 0 before the first.
    pub seq: u64,
    /// The record's hash; zeros before the first.
    pub hash: Hash,
}

/// One line, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'line> {
    /// Its place and its hash.
    pub(crate) head: Head,
    /// The event's bytes.
    pub(crate) event: &'line [u8],
}

// === impl Head ===

impl Head {
    /// The head after one more event.
    pub(crate) fn next(self, instance: InstanceId, event: &[u8]) -> Self {
        let seq = self.seq.saturating_add(1);
        let mut digest = Sha256::new();
        digest.update(DOMAIN);
        digest.update(instance.0);
        digest.update(seq.to_be_bytes());
        digest.update(self.hash.0);
        // Events are far below 4 GiB; a length that did not fit would not verify.
        digest.update(u32::try_from(event.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(event);
        Self {
            seq,
            hash: Hash(digest.finalize().into()),
        }
    }

    /// Appends the line of the next event to `out`.
    pub(crate) fn seal(self, instance: InstanceId, event: &[u8], out: &mut Vec<u8>) -> Self {
        let next = self.next(instance, event);
        out.extend_from_slice(BEFORE_EVENT);
        out.extend_from_slice(event);
        out.extend_from_slice(BEFORE_HASH);
        out.extend_from_slice(&next.hash.digits());
        out.extend_from_slice(BEFORE_SEQ);
        out.extend_from_slice(next.seq.to_string().as_bytes());
        out.extend_from_slice(AFTER_SEQ);
        next
    }
}

// === impl Record ===

impl<'line> Record<'line> {
    /// Takes a line (without its newline) apart. `None` when it is not one.
    pub(crate) fn parse(line: &'line [u8]) -> Option<Self> {
        let rest = line.strip_prefix(BEFORE_EVENT)?.strip_suffix(b"}")?;
        let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let (rest, seq) = rest.split_at_checked(rest.len() - digits)?;
        let seq_text = std::str::from_utf8(seq).ok()?;
        let seq: u64 = seq_text.parse().ok()?;
        let rest = rest.strip_suffix(BEFORE_SEQ)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HASH_DIGITS)?)?;
        let hash = Hash::parse(std::str::from_utf8(hash).ok()?)?;
        let event = rest.strip_suffix(BEFORE_HASH)?;
        (!seq_text.starts_with('0')).then_some(Self {
            head: Head { seq, hash },
            event,
        })
    }

    /// Whether the record follows `previous` in the instance's chain.
    pub(crate) fn follows(&self, previous: Head, instance: InstanceId) -> bool {
        previous.next(instance, self.event) == self.head
    }
}

// === impl Hash ===

impl Hash {
    /// 64 hexadecimal digits, lower case.
    fn digits(&self) -> [u8; HASH_DIGITS] {
        let mut digits = [0; HASH_DIGITS];
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
        }
        digits
    }

    fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        parse_hex(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("not a hash"))
    }
}

// === impl InstanceId ===

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        parse_hex(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("not an instance id"))
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

/// Lower case only: each value has one spelling.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

/// Separates these hashes from all others, and names their version.
const DOMAIN: &[u8] = b"oktsec-audit-v1\0";
const HASH_DIGITS: usize = 64;
const BEFORE_EVENT: &[u8] = b"{\"event\":";
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const BEFORE_SEQ: &[u8] = b"\",\"seq\":";
const AFTER_SEQ: &[u8] = b"}\n";
