//! Escapes in a text that is otherwise plain: `=41` of quoted-printable (RFC 2045, section 6.7) also
//! where no header announces it, `\101` of C and of shells, `%u0041` of old browsers.

use super::Decoded;
use crate::bytes::{at, finder, hex_pair, hex_value, slice};

/// How many escapes are no accident.
const ESCAPES_MIN: usize = 4;

/// Quoted-printable undone, where there are several escapes one after the other, or lines that go on
/// as soft breaks let them.
pub(super) fn quoted_printable(bytes: &[u8]) -> Option<Decoded> {
    let mut in_a_row = 0;
    let mut last = 0;
    let mut is_quoted = false;
    let decoded = rewrite(bytes, b'=', "quoted-printable", |bytes, position, out| {
        if let Some(byte) = hex_pair(bytes, position + 1) {
            in_a_row = if position == last { in_a_row + 1 } else { 1 };
            last = position + 3;
            is_quoted |= in_a_row >= ESCAPES_MIN;
            out.push(byte);
            return Some(3);
        }
        let breaks = match slice(bytes, position + 1..position + 3) {
            b"\r\n" => 2,
            [b'\n', ..] => 1,
            _ => return None,
        };
        let goes_on = at(bytes, position + 1 + breaks).is_ascii_alphanumeric()
            && position > 0
            && at(bytes, position - 1).is_ascii_alphanumeric();
        is_quoted |= goes_on;
        goes_on.then_some(1 + breaks)
    });
    decoded.filter(|_| is_quoted)
}

/// Octal escapes undone, where there are several.
pub(super) fn octal(bytes: &[u8]) -> Option<Decoded> {
    let decoded = rewrite(bytes, b'\\', "octal", |bytes, position, out| {
        let digit = |offset: usize| {
            let byte = at(bytes, position + offset);
            (b'0'..b'8').contains(&byte).then(|| byte - b'0')
        };
        let high = digit(1).filter(|&digit| digit < 4)?;
        out.push(high << 6 | digit(2)? << 3 | digit(3)?);
        Some(4)
    });
    decoded.filter(|decoded| decoded.marks.len() >= ESCAPES_MIN)
}

/// `%u0041` undone, where there are several.
pub(super) fn percent_u(bytes: &[u8]) -> Option<Decoded> {
    let decoded = rewrite(bytes, b'%', "percent-u", |bytes, position, out| {
        if !at(bytes, position + 1).eq_ignore_ascii_case(&b'u') {
            return None;
        }
        let code = (2..6).try_fold(0_u32, |code, offset| {
            Some(code << 4 | u32::from(hex_value(at(bytes, position + offset))?))
        })?;
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(6)
    });
    decoded.filter(|decoded| decoded.marks.len() >= ESCAPES_MIN)
}

/// UTF-7 (RFC 2152) undone where it stands for ASCII that needs no disguise, several times.
pub(super) fn utf7(bytes: &[u8]) -> Option<Decoded> {
    // The first six bits of an ASCII character are zero.
    finder!(b"+A").find(bytes)?;
    let mut count = 0;
    let decoded = rewrite(bytes, b'+', "utf-7", |bytes, position, out| {
        if at(bytes, position + 1) != b'A' {
            return None;
        }
        let (mut held, mut bits, mut length) = (0_u32, 0, 0);
        while let Some(value) = sextet(at(bytes, position + 1 + length)) {
            held = (held << 6 | u32::from(value)) & 0x3F_FFFF;
            bits += 6;
            length += 1;
            if bits >= 16 {
                bits -= 16;
                let [.., high, low] = (held >> bits).to_be_bytes();
                if high != 0 || !low.is_ascii_graphic() {
                    return None;
                }
                out.push(low);
            }
        }
        let is_padded = bits < 6 && held & ((1 << bits) - 1) == 0 && !out.is_empty();
        count += out.len();
        let dash = usize::from(at(bytes, position + 1 + length) == b'-');
        is_padded.then_some(1 + length + dash)
    });
    decoded.filter(|_| count >= ESCAPES_MIN)
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Copies a text, with each escape that begins with `lead` replaced. `undo` pushes what the escape
/// stands for and answers how long it was.
fn rewrite(
    bytes: &[u8],
    lead: u8,
    label: &'static str,
    mut undo: impl FnMut(&[u8], usize, &mut Vec<u8>) -> Option<usize>,
) -> Option<Decoded> {
    let mut decoded = Decoded::new(label);
    let mut copied = 0;
    let mut undone = Vec::new();
    for position in memchr::memchr_iter(lead, bytes) {
        if position < copied {
            continue;
        }
        undone.clear();
        if let Some(length) = undo(bytes, position, &mut undone) {
            decoded
                .bytes
                .extend_from_slice(slice(bytes, copied..position));
            decoded.bytes.extend_from_slice(&undone);
            copied = position + length;
            decoded.marks.push((decoded.bytes.len(), copied));
        }
    }
    if decoded.marks.is_empty() {
        return None;
    }
    decoded
        .bytes
        .extend_from_slice(slice(bytes, copied..bytes.len()));
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!("AKIA", "7Q2MZK4XW5LDPN3R");

    fn escaped(escape: impl Fn(u8) -> String) -> String {
        let escapes: String = KEY.bytes().map(escape).collect();
        format!("key is {escapes}, really")
    }

    #[test]
    fn escapes_are_undone() {
        let plain = format!("key is {KEY}, really");
        for (find, text) in [
            (
                quoted_printable as fn(&[u8]) -> Option<Decoded>,
                escaped(|byte| format!("={byte:02X}")),
            ),
            (octal, escaped(|byte| format!("\\{byte:03o}"))),
            (percent_u, escaped(|byte| format!("%u{byte:04x}"))),
        ] {
            let decoded = find(text.as_bytes()).expect("a view");
            assert_eq!(decoded.bytes, plain.as_bytes());
            assert!(decoded.marks.contains(&(plain.len() - 8, text.len() - 8)));
        }
        let utf7 = "key is +AEEASwBJAEE-7Q2M+AFo-K4X+AFcANQ-LDPN3R";
        let decoded = super::utf7(utf7.as_bytes()).expect("a view");
        assert_eq!(decoded.bytes, format!("key is {KEY}").as_bytes());
        assert_eq!(super::utf7(b"a+Abc-d+AB+AEE C++A+AA"), None);
        let broken = "first AKIA7Q2MZK=\r\n4XW5LDPN3R=2E";
        assert_eq!(
            quoted_printable(broken.as_bytes()).expect("a view").bytes,
            format!("first {KEY}.").as_bytes()
        );
        assert_eq!(quoted_printable(b"a=1&b=AB&c=42"), None);
        assert_eq!(octal(b"C:\\101\\dir"), None);
        assert_eq!(percent_u(b"100%user"), None);
    }
}
