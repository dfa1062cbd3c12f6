//! Bech32 and its successor (BIP 173, BIP 350): `bc1…`, `ltc1…`, `addr1…`.

use crate::bytes::slice;
use crate::pii::kind::Kind;

const CHARACTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BECH32M: u32 = 0x2BC8_30A3;
const CHECKSUM_BYTES: usize = 6;

/// The kind of an address of either form.
pub(super) fn address(text: &[u8]) -> Option<Kind> {
    const PREFIXES: [(&[u8], Kind); 3] = [
        (b"addr", Kind::Cardano),
        (b"bc", Kind::Bitcoin),
        (b"ltc", Kind::Litecoin),
    ];
    let (prefix, kind) = PREFIXES.iter().find(|(prefix, _)| {
        let head = slice(text, 0..prefix.len() + 1);
        head.split_last() == Some((&b'1', *prefix))
            || head.split_last() == Some((&b'1', prefix.to_ascii_uppercase().as_slice()))
    })?;
    let data = slice(text, prefix.len() + 1..text.len());
    let is_one_case =
        !(text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase));
    (is_one_case && data.len() > CHECKSUM_BYTES && is_checked(prefix, data)).then_some(*kind)
}

fn is_checked(prefix: &[u8], data: &[u8]) -> bool {
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let mut sum = high.chain(std::iter::once(0)).chain(low).fold(1, step);
    for byte in data {
        let byte = byte.to_ascii_lowercase();
        let Some(value) = CHARACTERS.iter().position(|character| *character == byte) else {
            return false;
        };
        sum = step(sum, u32::try_from(value).unwrap_or(0));
    }
    sum == 1 || sum == BECH32M
}

fn step(sum: u32, value: u32) -> u32 {
    const GENERATORS: [u32; 5] = [
        0x3B6A_57B2,
        0x2650_8E6D,
        0x1EA1_19FA,
        0x3D42_33DD,
        0x2A14_62B3,
    ];
    let top = sum >> 25;
    let shifted = (sum & 0x01FF_FFFF) << 5 ^ value;
    GENERATORS
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(shifted, |sum, (_, generator)| sum ^ generator)
}
