//! Messages between the two ends of a WebSocket: each is judged before any of it passes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use oktsec_inspect::{Flow, Moment};
use oktsec_model::{Decision, Finding, Reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::frames::{CloseCode, Frame, FrameHead, HEAD_BYTES_MAX, Opcode};
use crate::flow::{self, Side};
use crate::load::{Held, Share};

/// The longest message that is held until it is judged.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What the heads of its frames may add: empty ones are frames, too.
const HEADS_BYTES_MAX: usize = 1024 * 1024;
const BUFFER_BYTES: usize = 16 * 1024;

/// One way of a connection.
pub(crate) struct Way<'a> {
    pub(crate) side: Side,
    /// What judges; nothing where messages pass as they come.
    pub(crate) flow: Option<Flow>,
    /// Payload bytes that have passed.
    pub(crate) bytes: &'a AtomicU64,
    /// Whether what was written last ended with a frame.
    pub(crate) is_between: &'a AtomicBool,
    pub(crate) idle_max: Duration,
    /// Counts what comes, either way: a socket is idle when nothing does.
    pub(crate) arrivals: &'a AtomicU64,
    /// What all bodies and messages that are held share, in KiB.
    pub(crate) share: &'a Share,
}

/// How a way ended.
pub(crate) enum End {
    /// Its sender has closed it, or is gone.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// Something that may not pass.
    Refused(Box<Decision>, Vec<Finding>),
    /// Something that is no WebSocket.
    Violation(CloseCode),
    /// The gateway stops.
    Stopped,
}

/// A message of which not all has come.
#[derive(Default)]
struct Message {
    is_open: bool,
    payload: Vec<u8>,
    /// Its frames as they came.
    raw: Vec<u8>,
}

/// A message, or a control frame, with the frames that it came in.
struct Whole {
    payload: Vec<u8>,
    raw: Vec<u8>,
}

// === impl Way ===

impl Way<'_> {
    /// Carries messages until the way ends.
    pub(crate) async fn carry(
        mut self,
        mut from: impl AsyncRead + Unpin,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> End {
        let result = match self.flow.take() {
            Some(flow) => self.judged(flow, &mut from, to).await,
            None => self.passed(&mut from, to).await,
        };
        result.unwrap_or_else(|end| end)
    }

    /// Messages are held until they are whole, and judged with what came before them.
    async fn judged(
        &self,
        mut flow: Flow,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<End, End> {
        let (mut buffer, mut message) = (Vec::new(), Message::default());
        let mut held = None;
        loop {
            while let Some(frame) = Frame::take(&mut buffer, self.side, MESSAGE_BYTES_MAX)? {
                let is_close = frame.head.opcode == Opcode::Close;
                let Some(Whole { payload, raw }) = message.take(frame)? else {
                    continue;
                };
                flow = judge(flow, &payload, self.share).await?;
                self.write(&raw, true, to).await?;
                self.bytes
                    .fetch_add(payload.len() as u64, Ordering::Relaxed);
                if is_close {
                    return Ok(End::Closed);
                }
            }
            self.reserve(buffer.len() + 2 * message.raw.len(), &mut held)?;
            self.read(&mut buffer, from).await?;
        }
    }

    /// Asks for the memory of a message that is not small; gives it back once there is none.
    fn reserve(&self, bytes: usize, held: &mut Option<Held>) -> Result<(), CloseCode> {
        const FREE_BYTES: usize = 128 * 1024;
        const STEP_BYTES: usize = 1024 * 1024;
        if bytes <= FREE_BYTES {
            *held = None;
            return Ok(());
        }
        let wanted = bytes.next_multiple_of(STEP_BYTES);
        let missing = wanted.saturating_sub(held.as_ref().map_or(0, Held::bytes));
        if missing == 0 {
            return Ok(());
        }
        let is_there = match held {
            Some(held) => held.grow(missing),
            None => {
                *held = self.share.hold(missing);
                held.is_some()
            }
        };
        is_there.then_some(()).ok_or(CloseCode::Overloaded)
    }

    /// Frames pass as they come; only their borders are kept track of.
    async fn passed(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<End, End> {
        let mut buffer = Vec::new();
        let mut left = 0_u64;
        let mut is_close = false;
        loop {
            while !buffer.is_empty() {
                if left == 0 {
                    let Some(head) = FrameHead::parse(&buffer, self.side)? else {
                        break;
                    };
                    is_close = head.opcode == Opcode::Close;
                    left = head.length + head.bytes as u64;
                    self.bytes.fetch_add(head.length, Ordering::Relaxed);
                }
                let count = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                let rest = buffer.split_off(count);
                let part = std::mem::replace(&mut buffer, rest);
                left -= count as u64;
                self.write(&part, left == 0, to).await?;
                if is_close && left == 0 {
                    return Ok(End::Closed);
                }
            }
            self.read(&mut buffer, from).await?;
        }
    }

    async fn read(
        &self,
        buffer: &mut Vec<u8>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), End> {
        let most = MESSAGE_BYTES_MAX + HEAD_BYTES_MAX + BUFFER_BYTES;
        if buffer.len() > most {
            return Err(End::Violation(CloseCode::TooBig));
        }
        buffer.reserve(BUFFER_BYTES);
        loop {
            let before = self.arrivals.load(Ordering::Relaxed);
            match tokio::time::timeout(self.idle_max, from.read_buf(buffer)).await {
                Ok(Ok(0) | Err(_)) => return Err(End::Closed),
                Ok(Ok(_)) => {
                    self.arrivals.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                // The other way has carried something.
                Err(_) if self.arrivals.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(End::Silent),
            }
        }
    }

    /// Writes what may pass; `ends_frame` where a frame ends with it.
    async fn write(
        &self,
        raw: &[u8],
        ends_frame: bool,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), End> {
        self.is_between.store(false, Ordering::Relaxed);
        let writing = async {
            to.write_all(raw).await?;
            to.flush().await
        };
        match tokio::time::timeout(self.idle_max, writing).await {
            Ok(Ok(())) => {
                self.is_between.store(ends_frame, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Silent),
        }
    }
}

async fn judge(mut flow: Flow, payload: &[u8], share: &Share) -> Result<Flow, End> {
    if payload.is_empty() {
        return Ok(flow);
    }
    flow.push(payload);
    match flow::judge(flow, Moment::Pause, share).await {
        Ok((flow, _)) => Ok(flow),
        Err((flow, decision)) => {
            let later = flow.map_or_else(Vec::new, |flow| flow.later().to_vec());
            Err(End::Refused(decision, later))
        }
    }
}

// === impl Message ===

impl Message {
    /// Takes a frame; answers what is whole by it.
    fn take(&mut self, frame: Frame) -> Result<Option<Whole>, CloseCode> {
        if frame.head.opcode.is_control() {
            return Ok(Some(Whole {
                payload: frame.payload,
                raw: frame.raw,
            }));
        }
        let continues = frame.head.opcode == Opcode::Continuation;
        if continues != self.is_open {
            return Err(CloseCode::Protocol);
        }
        let raw_bytes = self.raw.len() + frame.raw.len();
        if self.payload.len() + frame.payload.len() > MESSAGE_BYTES_MAX
            || raw_bytes > MESSAGE_BYTES_MAX + HEADS_BYTES_MAX
        {
            return Err(CloseCode::TooBig);
        }
        self.payload.extend(frame.payload);
        self.raw.extend(frame.raw);
        self.is_open = !frame.head.is_last;
        if self.is_open {
            return Ok(None);
        }
        let Self { payload, raw, .. } = std::mem::take(self);
        Ok(Some(Whole { payload, raw }))
    }
}

// === impl End ===

impl End {
    /// The reason that the row of the exchange gives.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Closed | Self::Stopped => Reason::Allowed,
            Self::Silent => Reason::UpstreamTimeout,
            Self::Refused(..) => Reason::BlockedContent,
            Self::Violation(CloseCode::Overloaded) => Reason::Overloaded,
            Self::Violation(_) => Reason::ProtocolBlocked,
        }
    }
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        Self::Violation(code)
    }
}
