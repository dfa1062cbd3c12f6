//! What a label or a segment is made of: a name, one of the things that are named by numbers
//! everywhere, or encoded data.

use crate::bytes::{hex_value, slice};
use crate::decode::base64;

/// What a label or segment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Base64 with both cases and digits.
    Base64,
    /// Hexadecimal digits of a length that no common hash has.
    Hex,
    /// Words, numbers and the like.
    Name,
    /// A hash, a UUID, an address of content, or one encoded part among words.
    Ordinary,
    /// Letters of one case and digits, too mixed for words.
    Random,
}

/// Shorter parts are ids at most.
const PART_CHARS_MIN: usize = 8;
/// Lengths of hashes in hexadecimal digits, and of object ids of databases; 60 is what a SHA-256 has
/// left behind two directories of two digits.
const HASH_CHARS: [usize; 9] = [24, 32, 36, 40, 56, 60, 64, 96, 128];

/// What a label is, and how many of its characters are encoded data.
pub(super) fn of_label(label: &[u8]) -> (Kind, usize) {
    if is_punycode_of_letters(label) {
        return (Kind::Name, 0);
    }
    if is_uuid(label) || is_content_address(label) {
        return (Kind::Ordinary, label.len());
    }
    let words = label.split(|&byte| byte == b'-');
    let kinds = words
        .filter(|word| !word.is_empty())
        .map(|word| (of_part(word), word.len()));
    let is_data = |kind: Kind| !matches!(kind, Kind::Name);
    let encoded = kinds.clone().filter(|&(kind, _)| is_data(kind));
    let total: usize = encoded.clone().map(|(_, length)| length).sum();
    let has_words = kinds
        .clone()
        .any(|(kind, length)| !is_data(kind) && length > 1);
    match (
        encoded.clone().count(),
        encoded.map(|(kind, _)| kind).next(),
    ) {
        (0, _) | (_, None) => (Kind::Name, 0),
        (1, Some(_)) if has_words => (Kind::Ordinary, total),
        (_, Some(kind)) => (kind, total),
    }
}

/// What a segment of a path is, and how many of its characters are encoded data.
pub(super) fn of_segment(segment: &[u8]) -> (Kind, usize) {
    const EXTENSION_CHARS_MAX: usize = 5;
    if segment.starts_with(b"eyJ") && segment.contains(&b'.') {
        return (Kind::Name, 0);
    }
    let dot = memchr::memrchr(b'.', segment).unwrap_or(segment.len());
    let is_extension = segment.len() - dot <= EXTENSION_CHARS_MAX + 1;
    let stem = if is_extension {
        slice(segment, 0..dot)
    } else {
        segment
    };
    let stem = stem.strip_prefix(b"sha256:").unwrap_or(stem);
    if is_uuid(stem) || is_content_address(stem) {
        return (Kind::Ordinary, stem.len());
    }
    let stem = stem.trim_ascii_end().strip_suffix(b"=").unwrap_or(stem);
    match of_part(stem.strip_suffix(b"=").unwrap_or(stem)) {
        Kind::Name => (Kind::Name, 0),
        kind => (kind, stem.len()),
    }
}

/// What a part without separators is.
pub(super) fn of_part(part: &[u8]) -> Kind {
    let mix = Mix::of(part);
    let length = part.len();
    if length < PART_CHARS_MIN || mix.others > 0 {
        return Kind::Name;
    }
    let is_one_case = mix.capitals == 0 || mix.small == 0;
    let letters = mix.capitals + mix.small;
    let is_hex = part.iter().all(u8::is_ascii_hexdigit) && mix.marks == 0;
    if is_hex && is_one_case {
        return match () {
            () if letters == 0 || mix.changes < length / 8 => hex_text_or(Kind::Name, part),
            () if HASH_CHARS.contains(&length) => hex_text_or(Kind::Ordinary, part),
            () => Kind::Hex,
        };
    }
    let words = wordness(part);
    if mix.capitals > 0 && mix.small > 0 {
        let is_mixed = mix.changes >= length / 4
            && mix.marks <= length / 8
            && (mix.digits > 0 || length >= 2 * PART_CHARS_MIN)
            && words < 40;
        return if is_mixed { Kind::Base64 } else { Kind::Name };
    }
    // The longer, the less chance has to say.
    let words_max = if length >= 5 * PART_CHARS_MIN { 42 } else { 35 };
    let is_random = if mix.digits > 0 {
        mix.marks == 0 && mix.changes >= length / 6 && mix.changes > 2 && words < words_max
    } else {
        mix.marks == 0 && length >= 4 * PART_CHARS_MIN && words < 22
    };
    if is_random { Kind::Random } else { Kind::Name }
}

/// Digits that spell text are data, whatever their number.
fn hex_text_or(kind: Kind, part: &[u8]) -> Kind {
    if part.len() >= 2 * PART_CHARS_MIN && is_text(&hex(part)) {
        Kind::Hex
    } else {
        kind
    }
}

/// How many characters of each class, and how often the class changes.
#[derive(Default)]
struct Mix {
    capitals: usize,
    small: usize,
    digits: usize,
    marks: usize,
    others: usize,
    changes: usize,
}

impl Mix {
    fn of(part: &[u8]) -> Self {
        let mut mix = Self::default();
        let mut last = None;
        for byte in part {
            let count = match byte {
                b'A'..=b'Z' => &mut mix.capitals,
                b'a'..=b'z' => &mut mix.small,
                b'0'..=b'9' => &mut mix.digits,
                b'-' | b'_' => &mut mix.marks,
                _ => &mut mix.others,
            };
            *count += 1;
            let class = (byte.is_ascii_uppercase(), byte.is_ascii_lowercase());
            mix.changes += usize::from(last.is_some_and(|last| last != class));
            last = Some(class);
        }
        mix
    }
}

/// Pairs of letters that English is made of: about half of all pairs in its words, a sixth of
/// random ones.
const PAIRS: &[u8] = b"thheineranreonatenndtiesorteofedisitalarsttontngsehaasouiolevecomedehiriroicneearacelichllbemasiomurcaeltalansdifohopeecprnoctusacotiltrlyncetutsssorsunlowagieewhemadolrtpoulnitsmoowpaimmiaishirsuidosiviaamfieiciviplgutuevrykemptysaayapspababblclogckegscexuiaufrodrdpireaponamiunteus";

const PAIR_TABLE: [u32; 26] = pair_table();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pair_table() -> [u32; 26] {
    let mut table = [0; 26];
    let mut index = 0;
    while index + 1 < PAIRS.len() {
        let (first, second) = (PAIRS[index] - b'a', PAIRS[index + 1] - b'a');
        table[first as usize] |= 1 << second;
        index += 2;
    }
    table
}

/// How many of the pairs of letters are those of words, in percent; 100 where there are few pairs.
fn wordness(part: &[u8]) -> usize {
    const PAIRS_MIN: usize = 4;
    let (mut pairs, mut common) = (0, 0);
    for pair in part.windows(2) {
        let [first, second] = pair else { continue };
        let letter = |byte: &u8| {
            byte.to_ascii_lowercase()
                .checked_sub(b'a')
                .filter(|l| *l < 26)
        };
        let (Some(first), Some(second)) = (letter(first), letter(second)) else {
            continue;
        };
        pairs += 1;
        let row = PAIR_TABLE.get(usize::from(first)).copied().unwrap_or(0);
        common += usize::from(row >> second & 1 == 1);
    }
    if pairs < PAIRS_MIN {
        // Digits everywhere: the changes of class decide.
        return if part.len() >= 2 * PART_CHARS_MIN {
            0
        } else {
            100
        };
    }
    common * 100 / pairs
}

/// RFC 9562: version and variant are part of it.
fn is_uuid(part: &[u8]) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    part.len() == 36
        && part.iter().enumerate().all(|(index, byte)| match index {
            _ if HYPHENS.contains(&index) => *byte == b'-',
            14 => (b'1'..=b'8').contains(byte),
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Content identifiers of IPFS (github.com/multiformats/cid): version 0, version 1 in base32, keys
/// in base36.
fn is_content_address(part: &[u8]) -> bool {
    part.len() == 46 && part.starts_with(b"Qm")
        || part.len() == 59 && (part.starts_with(b"bafy") || part.starts_with(b"bafk"))
        || part.len() == 62 && part.starts_with(b"k51q")
}

/// Whether a label is an internationalised one whose Punycode (RFC 3492) stands for letters.
fn is_punycode_of_letters(label: &[u8]) -> bool {
    let Some(encoded) = label.strip_prefix(b"xn--") else {
        return false;
    };
    let dash = memchr::memrchr(b'-', encoded);
    let (mut length, digits) = match dash {
        Some(dash) => (dash, slice(encoded, dash + 1..encoded.len())),
        None => (0, encoded),
    };
    let mut digits = digits.iter();
    let (mut code, mut index, mut bias) = (128_usize, 0_usize, 72_usize);
    while digits.len() > 0 {
        let before = index;
        let (mut weight, mut step) = (1_usize, 36_usize);
        loop {
            let digit = match digits.next() {
                Some(letter @ b'a'..=b'z') => usize::from(letter - b'a'),
                Some(digit @ b'0'..=b'9') => usize::from(digit - b'0') + 26,
                _ => return false,
            };
            index = index.saturating_add(digit.saturating_mul(weight));
            let threshold = step.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.saturating_mul(36 - threshold);
            step += 36;
        }
        length += 1;
        bias = adapted(index - before, length, before == 0);
        code = code.saturating_add(index / length);
        index = index % length + 1;
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        if !character.is_some_and(|character| character.is_alphabetic() || !is_rare(character)) {
            return false;
        }
    }
    length > 0
}

/// Beyond the planes of living scripts and of emoji.
const fn is_rare(character: char) -> bool {
    !matches!(character, '\u{80}'..='\u{33FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

fn adapted(delta: usize, length: usize, is_first: bool) -> usize {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / length.max(1);
    let mut step = 0;
    while delta > 455 {
        delta /= 35;
        step += 36;
    }
    step + 36 * delta / (delta + 38)
}

/// Whether characters are the encoding of a readable text.
pub(super) fn spells_text(encoded: &[u8]) -> bool {
    if encoded.iter().all(u8::is_ascii_hexdigit) {
        return is_text(&hex(encoded));
    }
    is_text(&base64(encoded)) || is_text(&base32(encoded))
}

/// Whether they are the encoding of an address, as image services and redirects have it.
pub(super) fn spells_address(encoded: &[u8]) -> bool {
    let text = base64(encoded);
    [&b"http://"[..], b"https://", b"s3://", b"gs://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// Nothing but text, and letters or digits for the most part.
fn is_text(bytes: &[u8]) -> bool {
    const BYTES_MIN: usize = 8;
    let words = bytes
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric() || **byte == b' ')
        .count();
    bytes.len() >= BYTES_MIN
        && bytes
            .iter()
            .all(|byte| matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t'))
        && words * 3 >= bytes.len() * 2
}

fn hex(digits: &[u8]) -> Vec<u8> {
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .filter_map(|[high, low]| Some(hex_value(*high)? << 4 | hex_value(*low)?))
        .collect()
}

fn base32(encoded: &[u8]) -> Vec<u8> {
    let (mut held, mut bits, mut out) = (0_u32, 0, Vec::new());
    for byte in encoded {
        let value = match byte.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            b'-' | b'=' => continue,
            _ => return Vec::new(),
        };
        held = (held << 5 | u32::from(value)) & 0xFFFF;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            let [.., low] = (held >> bits).to_be_bytes();
            out.push(low);
        }
    }
    out
}

// === impl Kind ===

impl Kind {
    /// Whether it is what many services name things by.
    pub(super) const fn is_ordinary(self) -> bool {
        matches!(self, Self::Name | Self::Ordinary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punycode_stands_for_letters() {
        for label in [
            "xn--bcher-kva",
            "xn--mnchen-3ya",
            "xn--fiqs8s",
            "xn--80ak6aa92e",
            "xn--i-7iq",
        ] {
            assert!(is_punycode_of_letters(label.as_bytes()), "{label}");
        }
        for label in [
            "bucher",
            "xn--",
            "xn--414b494137513257345a4b34",
            "xn--q3zk7vw2m5xt4jn6pd3hr7bq2yc",
        ] {
            assert!(!is_punycode_of_letters(label.as_bytes()), "{label}");
        }
    }

    #[test]
    fn words_are_told_from_random_letters() {
        for word in [
            "internationalization",
            "kubernetes",
            "donaudampfschifffahrt",
            "authentication",
        ] {
            assert!(
                wordness(word.as_bytes()) > 35,
                "{word}: {}",
                wordness(word.as_bytes())
            );
        }
        for random in ["qzkvwmxtjnpdhrbqycgk", "xkqjzvwbpfmghd"] {
            assert!(wordness(random.as_bytes()) < 22, "{random}");
        }
    }
}
