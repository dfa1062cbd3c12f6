//! WebSocket frames, and the two ways that messages are carried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use oktsec_inspect::Flow;
use oktsec_inspect::fuzzing::judging;
use oktsec_limit::LimitKey;

use super::{Client, Input, piece, run};
use crate::flow::Side;
use crate::load::{Limits, Load};
use crate::websocket::flows;
use crate::websocket::frames::{CloseCode, Frame, FrameHead, HEAD_BYTES_MAX};
use crate::websocket::relay::{End, Way};

const PAYLOAD_BYTES_MAX: usize = 4096;

/// Frames, and what ended them.
type Taken = (Vec<Frame>, Result<(), CloseCode>);

/// What a way has carried: the bytes, the payload among them, whether the last ended a frame, and how
/// it ended.
#[derive(Debug, Eq, PartialEq)]
struct Carried {
    out: Vec<u8>,
    payload: u64,
    is_between: bool,
    end: Result<(), CloseCode>,
}

/// The frames of a stream are the same in whatever pieces it comes, and their bytes are those that came.
pub fn frames(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let side = side(&mut input);
    let whole = taken(input.0, &[], side);
    assert_eq!(whole, taken(input.0, pieces, side));
    let (frames, end) = whole;
    let raw: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.clone()).collect();
    assert!(input.0.starts_with(&raw));
    for frame in &frames {
        assert_frame(frame, side);
    }
    let rest = &input.0[raw.len()..];
    match FrameHead::parse(rest, side) {
        Ok(Some(head)) if head.length > PAYLOAD_BYTES_MAX as u64 => {
            assert_eq!(end, Err(CloseCode::TooBig));
        }
        Ok(Some(head)) => assert!((rest.len() as u64) < head.length + head.bytes as u64),
        Ok(None) => assert!(end.is_ok() && rest.len() < HEAD_BYTES_MAX),
        Err(code) => assert_eq!(end, Err(code)),
    }
}

/// Messages leave as they came, judged or not, in whatever pieces they come.
pub fn messages(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let side = side(&mut input);
    let passed = carried(input.0, &[], side, None);
    assert_eq!(passed, carried(input.0, pieces, side, None));
    assert!(input.0.starts_with(&passed.out));
    let judged = carried(input.0, &[], side, flow(side));
    assert_eq!(judged, carried(input.0, pieces, side, flow(side)));
    // Only whole messages pass there, and no more of them; what stands between their parts does not wait
    // for them (section 5.4).
    let [messages, controls] = kinds(&passed.out, side);
    let [whole, told] = kinds(&judged.out, side);
    assert!(judged.is_between);
    assert!(messages.starts_with(&whole) && controls.starts_with(&told));
    let frames = || whole.iter().chain(&told);
    let bytes: usize = frames().map(|frame| frame.raw.len()).sum();
    let payload: usize = frames().map(|frame| frame.payload.len()).sum();
    assert_eq!(bytes, judged.out.len());
    assert_eq!(payload as u64, judged.payload);
}

/// The frames of messages, and the others.
fn kinds(bytes: &[u8], side: Side) -> [Vec<Frame>; 2] {
    let (mut buffer, mut kinds) = (bytes.to_vec(), [Vec::new(), Vec::new()]);
    while let Ok(Some(frame)) = Frame::take(&mut buffer, side, usize::MAX) {
        kinds[usize::from(frame.head.opcode.is_control())].push(frame);
    }
    kinds
}

fn side(input: &mut Input<'_>) -> Side {
    if input.byte() & 1 == 0 {
        Side::Client
    } else {
        Side::Upstream
    }
}

fn taken(bytes: &[u8], pieces: &[u8], side: Side) -> Taken {
    let (mut rest, mut turn, mut buffer) = (bytes, 0, Vec::new());
    let mut frames = Vec::new();
    loop {
        match Frame::take(&mut buffer, side, PAYLOAD_BYTES_MAX) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) if rest.is_empty() => return (frames, Ok(())),
            Ok(None) => {
                let (now, later) = rest.split_at(piece(pieces, &mut turn, rest.len()));
                buffer.extend_from_slice(now);
                rest = later;
            }
            Err(code) => return (frames, Err(code)),
        }
    }
}

fn assert_frame(frame: &Frame, side: Side) {
    let Frame { head, payload, raw } = frame;
    assert_eq!(FrameHead::parse(raw, side), Ok(Some(*head)));
    assert!(head.bytes <= HEAD_BYTES_MAX && raw.len() == head.bytes + payload.len());
    assert_eq!(payload.len() as u64, head.length);
    assert_eq!(head.mask.is_some(), side == Side::Client);
    assert!(!head.opcode.is_control() || head.is_last && payload.len() <= 125);
    let mask = head.mask.unwrap_or_default();
    let masked = payload
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, key)| byte ^ key);
    assert!(masked.eq(raw[head.bytes..].iter().copied()));
}

/// What judges one way, and finds nothing that would stop it.
fn flow(side: Side) -> Option<Flow> {
    let (snapshot, head, decision) = judging()?;
    let [up, down] = flows(&snapshot, &head, &decision);
    if side == Side::Client { up } else { down }
}

fn carried(bytes: &[u8], pieces: &[u8], side: Side, flow: Option<Flow>) -> Carried {
    let (payload, arrivals) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_between = AtomicBool::new(true);
    let load = Arc::new(Load::new(Limits::default()));
    let share = load.enter(&LimitKey::Anonymous);
    let share = share.expect("nobody else is there");
    let way = Way {
        side,
        flow,
        bytes: &payload,
        is_between: &is_between,
        idle_max: Duration::from_secs(60),
        arrivals: &arrivals,
        share: &share,
    };
    let mut to = Client::new(&[], &[]);
    let end = match run(way.carry(Client::new(bytes, pieces), &mut to)) {
        End::Violation(code) => Err(code),
        End::Closed => Ok(()),
        End::Silent | End::Refused(..) | End::Stopped => unreachable!("nothing stops it"),
    };
    assert_eq!(load.held_bytes(), 0, "what was held is given back");
    Carried {
        out: to.received,
        payload: payload.into_inner(),
        is_between: is_between.into_inner(),
        end,
    }
}
