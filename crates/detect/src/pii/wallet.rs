//! Addresses of wallets, keys of wallets, and the phrases that restore them. Addresses carry
//! checksums; where one does not, a word beside it decides.

mod base58;
mod bech32;
mod seed;

use std::ops::Range;

use sha3::{Digest, Keccak256};

pub(super) use self::seed::SeedWords;

use self::base58::{Alphabet, Decoded};
use super::digits::{HIGH, alphanumeric, count_alphanumeric};
use super::kind::Kind;
use super::sweep::Sweep;
use crate::bytes::{count_back, hex_value, slice};

/// Words that speak for the kinds that have no shape in the table.
pub(super) const WORDS: &[(Kind, &[&str])] = &[
    (
        Kind::Ethereum,
        &[
            "ethereum",
            "eth",
            "erc20",
            "erc 20",
            "metamask",
            "evm address",
            "wallet",
        ],
    ),
    (
        Kind::Solana,
        &["solana", "sol address", "sol wallet", "phantom"],
    ),
    (Kind::Iban, &["iban"]),
];

/// Shorter runs are no address of any kind.
const ADDRESS_BYTES_MIN: usize = 25;
/// Longer ones neither: an extended key has 111 characters.
const ADDRESS_BYTES_MAX: usize = 111;
/// A run of at least 31 bytes covers one of the samples.
const SAMPLE_STRIDE: usize = 24;

/// Takes the addresses that overlap a block. Every address holds a digit, so that blocks without
/// digits are not asked for.
pub(super) fn find_in_block(sweep: &mut Sweep<'_>, base: usize) {
    let bytes = sweep.bytes;
    let first = base.saturating_sub(SAMPLE_STRIDE);
    for position in (first..base + 64).step_by(SAMPLE_STRIDE) {
        let sample = bytes
            .get(position..)
            .and_then(|rest| rest.first_chunk::<8>());
        if position < sweep.wallets_done
            || sample.is_none_or(|sample| alphanumeric(*sample) != HIGH)
        {
            continue;
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric();
        let back_max = position - sweep.wallets_done;
        let start = position - count_back(bytes, position, back_max, is_part);
        let end = position + count_alphanumeric(bytes, position);
        sweep.wallets_done = end;
        if (ADDRESS_BYTES_MIN..=ADDRESS_BYTES_MAX).contains(&(end - start)) {
            run(sweep, start..end);
        }
    }
}

/// An unbroken run of letters and digits.
fn run(sweep: &mut Sweep<'_>, span: Range<usize>) {
    let text = slice(sweep.bytes, span.clone());
    let found = match (text.first(), text.len()) {
        (Some(b'0'), 42) => ethereum(sweep, &span, text),
        (Some(b'1' | b'3' | b'D' | b'L' | b'M' | b'T' | b'r'), 25..=35) => versioned(text),
        (Some(b'5'), 51) | (Some(b'K' | b'L'), 52) | (Some(b'x'), 111) => private_key(text),
        (Some(b'4' | b'8'), 95 | 106) => monero(text),
        (Some(b'a' | b'b' | b'l' | b'B' | b'L'), _) => bech32::address(text),
        _ => None,
    };
    let found = found.or_else(|| solana(sweep, &span, text));
    if let Some(kind) = found {
        sweep.take(kind, span, text, false);
    }
}

/// An address of 20 bytes after a version, with its checksum.
fn versioned(text: &[u8]) -> Option<Kind> {
    let (alphabet, kind, version): (Alphabet, Kind, u8) = match text.first()? {
        b'1' => (Alphabet::Bitcoin, Kind::Bitcoin, 0),
        b'3' => (Alphabet::Bitcoin, Kind::Bitcoin, 5),
        b'D' => (Alphabet::Bitcoin, Kind::Dogecoin, 30),
        b'L' => (Alphabet::Bitcoin, Kind::Litecoin, 48),
        b'M' => (Alphabet::Bitcoin, Kind::Litecoin, 50),
        b'T' => (Alphabet::Bitcoin, Kind::Tron, 65),
        _ => (Alphabet::Ripple, Kind::Ripple, 0),
    };
    let decoded = Decoded::new(text, alphabet)?;
    let is_address = decoded.bytes().len() == 25 && decoded.bytes().first() == Some(&version);
    (is_address && decoded.has_checksum()).then_some(kind)
}

/// A private key in the import format, or an extended one (BIP 32).
fn private_key(text: &[u8]) -> Option<Kind> {
    const EXTENDED: [u8; 4] = [0x04, 0x88, 0xAD, 0xE4];
    let decoded = Decoded::new(text, Alphabet::Bitcoin)?;
    let is_key = match decoded.bytes().len() {
        37 | 38 => decoded.bytes().first() == Some(&0x80),
        82 => decoded.bytes().starts_with(&EXTENDED),
        _ => false,
    };
    (is_key && decoded.has_checksum()).then_some(Kind::BitcoinKey)
}

/// `0x` and 20 bytes. Capitals are the checksum (EIP-55); without them a word has to say so.
fn ethereum(sweep: &mut Sweep<'_>, span: &Range<usize>, text: &[u8]) -> Option<Kind> {
    let digits = text.strip_prefix(b"0x")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let has = |test: fn(&u8) -> bool| digits.iter().any(test);
    let is_address = if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
        let digest = Keccak256::digest(digits.to_ascii_lowercase());
        let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.iter().zip(nibbles).all(|(digit, nibble)| {
            digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
        })
    } else {
        let is_constant = digits.iter().all(|digit| Some(digit) == digits.first());
        !is_constant && sweep.context.kinds_at(span.start) & Kind::Ethereum.bit() != 0
    };
    is_address.then_some(Kind::Ethereum)
}

/// Blocks of eleven characters for eight bytes; the checksum is the beginning of a Keccak digest.
fn monero(text: &[u8]) -> Option<Kind> {
    let bytes = base58::monero_blocks(text)?;
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    let is_version = matches!(body.first(), Some(18 | 19 | 42));
    let is_checked = is_version && Keccak256::digest(body).starts_with(checksum);
    is_checked.then_some(Kind::Monero)
}

/// A public key of 32 bytes, without any checksum.
fn solana(sweep: &mut Sweep<'_>, span: &Range<usize>, text: &[u8]) -> Option<Kind> {
    let is_key = (32..=44).contains(&text.len())
        && text.iter().any(|byte| hex_value(*byte).is_none())
        && sweep.context.kinds_at(span.start) & Kind::Solana.bit() != 0
        && Decoded::new(text, Alphabet::Bitcoin).is_some_and(|key| key.bytes().len() == 32);
    is_key.then_some(Kind::Solana)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_specifications() {
        // The genesis block's, BIP 173's, Ripple's account zero, EIP-55's first.
        assert_eq!(
            versioned(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
            Some(Kind::Bitcoin)
        );
        assert_eq!(versioned(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"), None);
        assert_eq!(
            versioned(b"rrrrrrrrrrrrrrrrrrrrrhoLvTp"),
            Some(Kind::Ripple)
        );
        let segwit = b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
        assert_eq!(bech32::address(segwit), Some(Kind::Bitcoin));
        assert_eq!(
            bech32::address(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
            None
        );
    }
}
