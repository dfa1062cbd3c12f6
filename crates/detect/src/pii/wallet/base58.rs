//! Base 58, in the alphabets of Bitcoin and of Ripple, and in the blocks of Monero.

use sha2::{Digest, Sha256};

use crate::bytes::slice;

#[derive(Clone, Copy)]
pub(super) enum Alphabet {
    Bitcoin,
    Ripple,
}

/// The bytes that a text stands for.
pub(super) struct Decoded {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

/// Enough for an extended key: 82 bytes, in whole limbs.
const LIMBS_MAX: usize = 22;
const BYTES_MAX: usize = LIMBS_MAX * 4;

const BITCOIN: [u8; 128] = values(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");
const RIPPLE: [u8; 128] = values(b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz");
const NONE: u8 = 0xFF;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
const fn values(alphabet: &[u8; 58]) -> [u8; 128] {
    let mut table = [NONE; 128];
    let mut index = 0;
    while index < alphabet.len() {
        table[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    table
}

// === impl Alphabet ===

impl Alphabet {
    fn value(self, byte: u8) -> Option<u32> {
        let table = match self {
            Self::Bitcoin => &BITCOIN,
            Self::Ripple => &RIPPLE,
        };
        let value = *table.get(usize::from(byte))?;
        (value != NONE).then_some(u32::from(value))
    }
}

// === impl Decoded ===

impl Decoded {
    /// Five characters at a time into limbs of 32 bits: the texts are short.
    pub(super) fn new(text: &[u8], alphabet: Alphabet) -> Option<Self> {
        let mut limbs = [0_u32; LIMBS_MAX];
        let mut used = 0;
        for part in text.chunks(5) {
            let (mut carry, mut factor) = (0_u64, 1_u64);
            for &byte in part {
                carry = carry * 58 + u64::from(alphabet.value(byte)?);
                factor *= 58;
            }
            for limb in limbs.iter_mut().take(used) {
                carry += u64::from(*limb) * factor;
                *limb = low(carry);
                carry >>= 32;
            }
            if carry != 0 {
                *limbs.get_mut(used)? = low(carry);
                used += 1;
            }
        }
        let zeros = text
            .iter()
            .take_while(|byte| alphabet.value(**byte) == Some(0))
            .count();
        let big_endian = limbs
            .iter()
            .take(used)
            .rev()
            .flat_map(|limb| limb.to_be_bytes());
        let significant = big_endian.skip_while(|byte| *byte == 0);
        let mut decoded = Self {
            bytes: [0; BYTES_MAX],
            length: zeros,
        };
        for byte in significant {
            *decoded.bytes.get_mut(decoded.length)? = byte;
            decoded.length += 1;
        }
        Some(decoded)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        slice(&self.bytes, 0..self.length)
    }

    /// Whether the last four bytes are the beginning of the double digest of the others.
    pub(super) fn has_checksum(&self) -> bool {
        let Some((body, checksum)) = self.bytes().split_last_chunk::<4>() else {
            return false;
        };
        Sha256::digest(Sha256::digest(body)).starts_with(checksum)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
const fn low(value: u64) -> u32 {
    value as u32
}

/// Monero's blocks: eleven characters are eight bytes, the seven at the end are five.
pub(super) fn monero_blocks(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(77);
    for block in text.chunks(11) {
        let mut value = 0_u128;
        for &byte in block {
            value = value * 58 + u128::from(Alphabet::Bitcoin.value(byte)?);
        }
        let size = match block.len() {
            11 => 8,
            7 => 5,
            _ => return None,
        };
        let big_endian = value.to_be_bytes();
        let (above, kept) = big_endian.split_at_checked(16 - size)?;
        if above.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}
