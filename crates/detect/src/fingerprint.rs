//! Keyed digests and masks of what matched: what may be shown and stored instead of the value.

use std::hash::Hasher;

use hmac::{Hmac, KeyInit, Mac};
use oktsec_model::Fingerprint;
use sha2::Sha256;

/// The key of one installation's fingerprints. Never shown: it has no `Debug`.
#[derive(Clone)]
pub struct FingerprintKey([u8; 32]);

/// How much of a match may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mask {
    /// The last four bytes.
    LastFour,
    /// The last two bytes.
    LastTwo,
    /// Nothing.
    Nothing,
    /// Both ends, depending on the length.
    Token,
}

// === impl FingerprintKey ===

impl FingerprintKey {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 of a normalised secret, cut to 16 bytes. It does not depend on the rule, so that
    /// the same value has the same fingerprint whatever found it.
    pub(crate) fn fingerprint(&self, secret: &[u8]) -> Fingerprint {
        Fingerprint(self.digest(&[secret]))
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut digest = [0_u8; 16];
        // A key of any length is accepted; were it not, all digests would be zero, which says less
        // than it should, never more.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            parts.iter().for_each(|part| mac.update(part));
            for (to, from) in digest.iter_mut().zip(mac.finalize().into_bytes()) {
                *to = from;
            }
        }
        digest
    }

    /// A digest of a passage and of the way that it goes: HMAC-SHA-256, cut to 128 bits.
    pub(crate) fn passage(&self, way: &str, bytes: &[u8]) -> [u8; 16] {
        self.digest(&[way.as_bytes(), &[0], bytes])
    }

    /// A short digest for recognising input that was seen before in the same request. Keyed, so
    /// that nobody can make two inputs collide and hide one behind the other.
    pub(crate) fn seen(&self, kind: u8, bytes: &[u8]) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(&self.0);
        hasher.write_u8(kind);
        hasher.write(bytes);
        hasher.finish()
    }
}

// === impl Mask ===

impl Mask {
    /// The value with its secret part masked.
    pub(crate) fn apply(self, secret: &[u8]) -> String {
        const DOTS: &str = "••••";
        let (head, tail) = match self {
            Self::LastFour => (0, 4),
            Self::LastTwo => (0, 2),
            Self::Nothing => (0, 0),
            Self::Token if secret.len() >= 20 => (4, 4),
            Self::Token if secret.len() >= 12 => (2, 0),
            Self::Token => (0, 0),
        };
        let shown = |bytes: Option<&[u8]>| -> String {
            bytes
                .unwrap_or_default()
                .iter()
                .map(|&b| {
                    if b.is_ascii_graphic() {
                        char::from(b)
                    } else {
                        '•'
                    }
                })
                .collect()
        };
        let tail_from = secret.len().saturating_sub(tail);
        format!(
            "{}{DOTS}{}",
            shown(secret.get(..head)),
            shown(secret.get(tail_from..))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_show_little() {
        let cases: [(Mask, &[u8], &str); 6] = [
            (Mask::Token, b"AKIA1234567890ABCDEF", "AKIA••••CDEF"),
            (Mask::Token, b"hunter2hunter", "hu••••"),
            (Mask::Token, b"hunter2", "••••"),
            (Mask::LastFour, b"4111111111111111", "••••1111"),
            (Mask::LastTwo, b"123456789", "••••89"),
            (Mask::Nothing, b"anything", "••••"),
        ];
        for (mask, secret, shown) in cases {
            assert_eq!(mask.apply(secret), shown);
        }
    }

    #[test]
    fn fingerprints_depend_on_key_and_value() {
        let key = FingerprintKey::new([7; 32]);
        assert_eq!(key.fingerprint(b"a"), key.fingerprint(b"a"));
        assert_ne!(key.fingerprint(b"a"), key.fingerprint(b"b"));
        assert_ne!(
            key.fingerprint(b"a"),
            FingerprintKey::new([8; 32]).fingerprint(b"a")
        );
    }
}
