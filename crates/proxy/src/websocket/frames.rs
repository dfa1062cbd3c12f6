//! The frames of RFC 6455, section 5.2: bytes in, values out.

use crate::flow::Side;

/// What stands before a frame's payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHead {
    pub(crate) is_last: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: Option<[u8; 4]>,
    /// Payload bytes.
    pub(crate) length: u64,
    /// Bytes of the head itself.
    pub(crate) bytes: usize,
}

/// What a frame is (section 11.8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Why a connection is closed (section 7.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CloseCode {
    GoingAway = 1001,
    Protocol = 1002,
    Policy = 1008,
    TooBig = 1009,
    /// Try again later.
    Overloaded = 1013,
}

/// A frame with its payload, unmasked, and as it came.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) head: FrameHead,
    pub(crate) payload: Vec<u8>,
    pub(crate) raw: Vec<u8>,
}

/// The longest payload of a control frame (section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// The longest payload that a head can announce (section 5.2).
const LENGTH_MAX: u64 = u64::MAX >> 1;
/// The longest head: two bytes, eight of length, four of the mask.
pub(crate) const HEAD_BYTES_MAX: usize = 14;

// === impl FrameHead ===

impl FrameHead {
    /// Reads a head; nothing until all of it has come.
    ///
    /// # Errors
    /// What no endpoint may send: bits of extensions that were not negotiated, unknown frames, control
    /// frames that are long or in pieces, lengths that are none, a mask where none belongs, none where one does.
    pub(crate) fn parse(bytes: &[u8], side: Side) -> Result<Option<Self>, CloseCode> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let is_last = first & 0x80 != 0;
        let opcode = Opcode::parse(first & 0x0F).ok_or(CloseCode::Protocol)?;
        let is_masked = second & 0x80 != 0;
        if first & 0x70 != 0 || is_masked != (side == Side::Client) {
            return Err(CloseCode::Protocol);
        }
        let (length, rest, extended) = match second & 0x7F {
            126 => match rest {
                &[a, b, ref rest @ ..] => (u64::from(u16::from_be_bytes([a, b])), rest, 2),
                _ => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest, 8),
                None => return Ok(None),
            },
            short => (u64::from(short), rest, 0),
        };
        // The highest bit is none of the length.
        if length > LENGTH_MAX {
            return Err(CloseCode::Protocol);
        }
        if opcode.is_control() && (!is_last || length > CONTROL_BYTES_MAX) {
            return Err(CloseCode::Protocol);
        }
        let mask = match (is_masked, rest.first_chunk()) {
            (false, _) => None,
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
        };
        Ok(Some(Self {
            is_last,
            opcode,
            mask,
            length,
            bytes: 2 + extended + mask.map_or(0, |mask| mask.len()),
        }))
    }
}

// === impl Opcode ===

impl Opcode {
    const fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

// === impl Frame ===

impl Frame {
    /// Takes the first frame off a buffer; nothing until all of it has come.
    ///
    /// # Errors
    /// As [`FrameHead::parse`], and a payload of more than `payload_max` bytes.
    pub(crate) fn take(
        buffer: &mut Vec<u8>,
        side: Side,
        payload_max: usize,
    ) -> Result<Option<Self>, CloseCode> {
        let Some(head) = FrameHead::parse(buffer, side)? else {
            return Ok(None);
        };
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if length > payload_max {
            return Err(CloseCode::TooBig);
        }
        let end = head.bytes + length;
        if buffer.len() < end {
            return Ok(None);
        }
        let rest = buffer.split_off(end);
        let raw = std::mem::replace(buffer, rest);
        let mut payload = raw.get(head.bytes..).unwrap_or_default().to_vec();
        if let Some(mask) = head.mask {
            let keys = mask.iter().cycle();
            payload
                .iter_mut()
                .zip(keys)
                .for_each(|(byte, key)| *byte ^= key);
        }
        Ok(Some(Self { head, payload, raw }))
    }
}

/// A frame that closes the connection, with a reason that people can read.
pub(crate) fn close(code: CloseCode, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    /// What a control frame has left beside the code.
    const REASON_BYTES_MAX: usize = 123;
    let reason = reason
        .get(..REASON_BYTES_MAX.min(reason.len()))
        .unwrap_or_default();
    let mut payload = (code as u16).to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    // At most 125.
    #[expect(clippy::cast_possible_truncation, reason = "see the limit above")]
    let length = payload.len() as u8;
    let mut frame = vec![0x88, length | if mask.is_some() { 0x80 } else { 0 }];
    if let Some(mask) = mask {
        frame.extend_from_slice(&mask);
        let keys = mask.iter().cycle();
        payload
            .iter_mut()
            .zip(keys)
            .for_each(|(byte, key)| *byte ^= key);
    }
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut out = vec![first];
        let bit = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            short @ 0..126 => out.push(bit | short as u8),
            middle @ 126..65_536 => {
                out.push(bit | 126);
                out.extend((middle as u16).to_be_bytes());
            }
            long => {
                out.push(bit | 127);
                out.extend((long as u64).to_be_bytes());
            }
        }
        out.extend(
            mask.unwrap_or_default()
                .iter()
                .take(if mask.is_some() { 4 } else { 0 }),
        );
        let keys = mask.unwrap_or_default();
        out.extend(
            payload
                .iter()
                .zip(keys.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        out
    }

    #[test]
    fn what_no_endpoint_may_send_is_refused() {
        let mask = Some([1, 2, 3, 4]);
        for (bytes, side) in [
            (frame(0xC1, b"compressed", mask), Side::Client),
            (frame(0x83, b"unknown", mask), Side::Client),
            (frame(0x09, b"a ping in pieces", mask), Side::Client),
            (frame(0x89, &[b'x'; 126], mask), Side::Client),
            (frame(0x81, b"not masked", None), Side::Client),
            (frame(0x81, b"masked", mask), Side::Upstream),
            // The highest bit of the length.
            ([&[0x82, 127][..], &[0xFF; 8]].concat(), Side::Upstream),
        ] {
            assert_eq!(
                FrameHead::parse(&bytes, side),
                Err(CloseCode::Protocol),
                "{bytes:?}"
            );
        }
        let mut long = frame(0x82, &[0; 1000], None);
        let taken = Frame::take(&mut long, Side::Upstream, 999);
        assert_eq!(taken, Err(CloseCode::TooBig));
    }

    #[test]
    fn closing_says_why() {
        let bytes = close(CloseCode::Policy, "proxy_blocked_content", None);
        assert_eq!(bytes.get(..4), Some(&[0x88, 23, 0x03, 0xF0][..]));
        let mut masked = close(CloseCode::Policy, &"x".repeat(300), Some([9, 8, 7, 6]));
        let taken = Frame::take(&mut masked, Side::Client, 125)
            .unwrap()
            .unwrap();
        assert_eq!(taken.payload.len(), 125);
        assert!(taken.payload.starts_with(&[0x03, 0xF0, b'x']));
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            payload in proptest::collection::vec(any::<u8>(), 0..70_000),
            mask in any::<[u8; 4]>(),
            is_client in any::<bool>(),
            cut in 0..70_014_usize,
        ) {
            let (side, mask) = if is_client { (Side::Client, Some(mask)) } else { (Side::Upstream, None) };
            let bytes = frame(0x82, &payload, mask);
            let cut = cut.min(bytes.len() - 1);
            let mut buffer = bytes[..cut].to_vec();
            prop_assert_eq!(Frame::take(&mut buffer, side, usize::MAX), Ok(None));
            prop_assert_eq!(&buffer, &bytes[..cut]);
            buffer.extend_from_slice(&bytes[cut..]);
            buffer.extend_from_slice(b"next");
            let taken = Frame::take(&mut buffer, side, usize::MAX).unwrap().unwrap();
            prop_assert_eq!(taken.payload, payload);
            prop_assert_eq!(taken.raw, bytes);
            prop_assert_eq!(buffer, b"next");
        }

        #[test]
        fn anything_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for side in [Side::Client, Side::Upstream] {
                let mut buffer = bytes.clone();
                let _ = Frame::take(&mut buffer, side, 1000);
            }
        }
    }
}
