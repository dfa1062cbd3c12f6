//! Bodies that flow: a task reads the client, has each window judged, and hands on what may leave.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use oktsec_inspect::{Flow, Moment};
use oktsec_model::{Action, Decision, Finding, Reason};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::body::{BodyError, Pace, drain, hold_error};
use crate::load::{Held, Share};

/// The part of a body that may leave, as it becomes known.
pub(crate) struct Released {
    windows: mpsc::Receiver<Frame<Bytes>>,
    state: Arc<FlowState>,
    /// What the head of the request announced.
    length: Option<u64>,
    bytes: Arc<AtomicU64>,
}

/// How a flow ended, once it has.
#[derive(Default)]
pub(crate) struct FlowState {
    outcome: OnceLock<Outcome>,
    /// Nothing more becomes of it.
    is_over: AtomicBool,
    over: Notify,
}

/// Says that a flow is over when it is dropped.
struct Until(Arc<FlowState>);

/// The end of a flow.
pub(crate) struct Outcome {
    /// What stands in the end.
    pub(crate) decision: Decision,
    /// What was found after the first decision.
    pub(crate) later: Vec<Finding>,
    /// Whether all of the body may leave.
    pub(crate) is_whole: bool,
}

/// What the task works with.
struct Task {
    source: Source,
    windows: mpsc::Sender<Frame<Bytes>>,
    state: Until,
    share: Share,
    _held: Vec<Held>,
}

/// Where a body comes from.
pub(crate) struct Source {
    pub(crate) body: Incoming,
    pub(crate) side: Side,
    /// Longer silence ends it, of this side and of the other.
    pub(crate) idle_max: Duration,
    /// After silence of this length the other side may wait for what has come so far.
    pub(crate) pause: Option<Duration>,
}

/// Who sends a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Upstream,
}

/// How far a body has come.
pub(crate) enum Filled {
    /// So far that it is to be judged.
    Up(Moment),
    /// To its trailers.
    Trailers(HeaderMap),
}

/// Windows on their way beside the one that is read.
const WINDOWS_MAX: usize = 1;

/// A flow that was begun.
pub(crate) struct Begun {
    pub(crate) flow: Flow,
    /// What was released first, and when.
    pub(crate) first: (Vec<u8>, Filled),
    pub(crate) source: Source,
    pub(crate) length: Option<u64>,
    pub(crate) held: Vec<Held>,
    pub(crate) share: Share,
}

// === impl Begun ===

impl Begun {
    /// Lets the rest of the body flow.
    pub(crate) fn start(self) -> (Released, Arc<FlowState>, Arc<AtomicU64>) {
        let (sender, windows) = mpsc::channel(WINDOWS_MAX);
        let state = Arc::new(FlowState::default());
        let bytes = Arc::new(AtomicU64::new(0));
        let task = Task {
            source: self.source,
            windows: sender,
            state: Until(Arc::clone(&state)),
            share: self.share,
            _held: self.held,
        };
        tokio::spawn(task.run(self.flow, self.first));
        let released = Released {
            windows,
            state: Arc::clone(&state),
            length: self.length,
            bytes: Arc::clone(&bytes),
        };
        (released, state, bytes)
    }
}

/// Judges what was pushed.
///
/// # Errors
/// The refusal, with the flow where it is still there.
pub(crate) async fn judge(
    mut flow: Flow,
    moment: Moment,
    share: &Share,
) -> Result<(Flow, Vec<u8>), (Option<Flow>, Box<Decision>)> {
    /// More is judged off the threads that move bytes.
    const INLINE_BYTES_MAX: usize = 64 * 1024;
    if flow.text_bytes() <= INLINE_BYTES_MAX {
        return match flow.judge(moment) {
            Ok(released) => Ok((flow, released)),
            Err(decision) => Err((Some(flow), decision)),
        };
    }
    let unjudged = Box::new(flow.refuse(Reason::ScanError));
    let turn = share.turn().await;
    let judging = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let judged = flow.judge(moment);
        (flow, judged)
    });
    match judging.await {
        Ok((flow, Ok(released))) => Ok((flow, released)),
        Ok((flow, Err(decision))) => Err((Some(flow), decision)),
        Err(_) => Err((None, unjudged)),
    }
}

// === impl Source ===

impl Source {
    /// Reads until there is something to judge.
    ///
    /// # Errors
    /// Why there is not.
    pub(crate) async fn fill(&mut self, flow: &mut Flow) -> Result<Filled, Reason> {
        let mut pace = Pace::begin();
        while !flow.is_full() {
            let pause = self.pause.filter(|_| flow.holds_any());
            let until = Instant::now() + pause.unwrap_or(self.idle_max);
            let until = if self.side == Side::Client && self.pause.is_none() {
                until.min(pace.deadline())
            } else {
                until
            };
            let frame = match tokio::time::timeout_at(until, self.body.frame()).await {
                Err(_) if pause.is_some() => return Ok(Filled::Up(Moment::Pause)),
                Err(_) => return Err(self.side.silent()),
                Ok(None) => return Ok(Filled::Up(Moment::End)),
                Ok(Some(frame)) => frame.map_err(|error| self.side.broken(&error))?,
            };
            match frame.into_data() {
                Ok(chunk) => {
                    pace.add(chunk.len());
                    flow.push(&chunk);
                }
                // A client's are dropped: nothing that was not judged leaves.
                Err(frame) if self.side == Side::Upstream => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return Ok(Filled::Trailers(trailers));
                    }
                }
                Err(_) => {}
            }
        }
        Ok(Filled::Up(Moment::Full))
    }
}

// === impl Side ===

impl Side {
    const fn silent(self) -> Reason {
        match self {
            Self::Client => Reason::ClientTimeout,
            Self::Upstream => Reason::UpstreamTimeout,
        }
    }

    fn broken(self, error: &hyper::Error) -> Reason {
        match self {
            Self::Client => hold_error(error).reason(),
            Self::Upstream => Reason::UpstreamRefused,
        }
    }
}

// === impl Filled ===

impl Filled {
    /// When this is.
    pub(crate) const fn moment(&self) -> Moment {
        match self {
            Self::Up(moment) => *moment,
            Self::Trailers(_) => Moment::End,
        }
    }
}

// === impl Task ===

impl Task {
    async fn run(mut self, mut flow: Flow, first: (Vec<u8>, Filled)) {
        let (mut released, mut filled) = first;
        loop {
            let is_last = filled.moment() == Moment::End;
            if is_last {
                // Before the last byte: whoever takes that may look no further.
                self.end(flow.decision().clone(), flow.later(), true);
            }
            if !self.release(released).await {
                return;
            }
            if is_last {
                return self.trailers(filled).await;
            }
            filled = match self.source.fill(&mut flow).await {
                Ok(filled) => filled,
                Err(reason) => return self.end(flow.refuse(reason), flow.later(), false),
            };
            match judge(flow, filled.moment(), &self.share).await {
                Ok((judged, out)) => (flow, released) = (judged, out),
                Err((judged, decision)) => {
                    let later = judged.as_ref().map_or(&[][..], Flow::later);
                    self.end(*decision, later, false);
                    drop(self.windows);
                    if self.source.side == Side::Client {
                        drain(self.source.body).await;
                    }
                    return;
                }
            }
        }
    }

    /// Hands on what may leave. False where nobody takes it any more: the exchange has ended without us.
    async fn release(&self, released: Vec<u8>) -> bool {
        released.is_empty() || self.send(Frame::data(Bytes::from(released))).await
    }

    async fn trailers(&self, filled: Filled) {
        if let Filled::Trailers(trailers) = filled {
            // The exchange has ended, or has them.
            let _ = self.send(Frame::trailers(trailers)).await;
        }
    }

    async fn send(&self, frame: Frame<Bytes>) -> bool {
        let sending = self.windows.send(frame);
        matches!(
            tokio::time::timeout(self.source.idle_max, sending).await,
            Ok(Ok(()))
        )
    }

    fn end(&self, decision: Decision, later: &[Finding], is_whole: bool) {
        // Nobody else ends it.
        let _ = self.state.0.outcome.set(Outcome {
            decision,
            later: later.to_vec(),
            is_whole,
        });
    }
}

// === impl FlowState ===

impl FlowState {
    /// How it ended.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Whether nothing more becomes of it.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Returns once nothing more becomes of it.
    pub(crate) async fn over(&self) {
        let over = self.over.notified();
        if !self.is_over() {
            over.await;
        }
    }

    /// The refusal that stopped it.
    pub(crate) fn stopped(&self) -> Option<&Decision> {
        let outcome = self.outcome().filter(|outcome| !outcome.is_whole)?;
        (outcome.decision.action == Action::Block).then_some(&outcome.decision)
    }
}

// === impl Until ===

impl Drop for Until {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.over.notify_waiters();
    }
}

// === impl Released ===

impl Released {
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.windows.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                let is_whole = self.state.outcome().is_some_and(|outcome| outcome.is_whole);
                Poll::Ready((!is_whole).then_some(Err(BodyError::Stopped)))
            }
        }
    }

    /// The bytes that have gone.
    pub(crate) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }

    /// Whether all that was announced has gone.
    pub(crate) fn is_over(&self) -> bool {
        self.length == Some(self.bytes.load(Ordering::Relaxed))
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }
}
