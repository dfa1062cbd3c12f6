//! Bodies that flow: a task reads the client, has each window judged, and hands on what may leave.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use oktsec_inspect::{Flow, Moment};
use oktsec_model::{Action, Decision, Finding, Reason};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::body::{BodyError, HOLD_PAUSE, HoldError, drain, hold_error};

/// The part of a body that may leave, as it becomes known.
pub(crate) struct Released {
    windows: mpsc::Receiver<Bytes>,
    state: Arc<FlowState>,
    /// What the head of the request announced.
    length: Option<u64>,
    bytes: Arc<AtomicU64>,
}

/// How a flow ended, once it has.
#[derive(Default)]
pub(crate) struct FlowState(OnceLock<Outcome>);

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
    body: Incoming,
    windows: mpsc::Sender<Bytes>,
    state: Arc<FlowState>,
    /// Longer silence ends it, of the client and of the upstream.
    idle_max: Duration,
    /// Whether the client may wait for an answer before its body is complete.
    may_pause: bool,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// Windows on their way to the upstream beside the one that is read.
const WINDOWS_MAX: usize = 1;

/// A flow that was begun.
pub(crate) struct Begun {
    pub(crate) flow: Flow,
    /// What the first window released.
    pub(crate) first: Vec<u8>,
    pub(crate) body: Incoming,
    pub(crate) length: Option<u64>,
    pub(crate) idle_max: Duration,
    pub(crate) permits: Vec<OwnedSemaphorePermit>,
}

// === impl Begun ===

impl Begun {
    /// Lets the rest of the body flow.
    pub(crate) fn start(self) -> (Released, Arc<FlowState>, Arc<AtomicU64>) {
        let (sender, windows) = mpsc::channel(WINDOWS_MAX);
        let state = Arc::new(FlowState::default());
        let bytes = Arc::new(AtomicU64::new(0));
        let task = Task {
            body: self.body,
            windows: sender,
            state: Arc::clone(&state),
            idle_max: self.idle_max,
            may_pause: self.length.is_none(),
            _permits: self.permits,
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

/// Judges off the threads that move bytes.
///
/// # Errors
/// The refusal, with the flow where it is still there.
pub(crate) async fn judge(
    mut flow: Flow,
    moment: Moment,
) -> Result<(Flow, Vec<u8>), (Option<Flow>, Box<Decision>)> {
    let unjudged = Box::new(flow.refuse(Reason::ScanError));
    let judging = tokio::task::spawn_blocking(move || {
        let judged = flow.judge(moment);
        (flow, judged)
    });
    match judging.await {
        Ok((flow, Ok(released))) => Ok((flow, released)),
        Ok((flow, Err(decision))) => Err((Some(flow), decision)),
        Err(_) => Err((None, unjudged)),
    }
}

// === impl Task ===

impl Task {
    async fn run(mut self, mut flow: Flow, first: Vec<u8>) {
        let mut released = first;
        loop {
            if !self.release(&mut released).await {
                return;
            }
            let moment = match self.fill(&mut flow).await {
                Ok(moment) => moment,
                Err(error) => {
                    let decision = flow.refuse(error.reason());
                    return self.end(decision, flow.later(), false);
                }
            };
            match judge(flow, moment).await {
                Ok((judged, out)) => (flow, released) = (judged, out),
                Err((judged, decision)) => {
                    let later = judged.as_ref().map_or(&[][..], Flow::later);
                    self.end(*decision, later, false);
                    drop(self.windows);
                    return drain(self.body).await;
                }
            }
            if moment == Moment::End {
                if self.release(&mut released).await {
                    self.end(flow.decision().clone(), flow.later(), true);
                }
                return;
            }
        }
    }

    /// Hands on what may leave. False where nobody takes it any more: the exchange has ended without us.
    async fn release(&self, released: &mut Vec<u8>) -> bool {
        if released.is_empty() {
            return true;
        }
        let sending = self.windows.send(Bytes::from(std::mem::take(released)));
        matches!(
            tokio::time::timeout(self.idle_max, sending).await,
            Ok(Ok(()))
        )
    }

    /// Reads until there is something to judge.
    async fn fill(&mut self, flow: &mut Flow) -> Result<Moment, HoldError> {
        while !flow.is_full() {
            let is_waited_for = self.may_pause && flow.holds_any();
            let patience = if is_waited_for {
                HOLD_PAUSE
            } else {
                self.idle_max
            };
            match tokio::time::timeout(patience, self.body.frame()).await {
                Err(_) if is_waited_for => return Ok(Moment::Pause),
                Err(_) => return Err(HoldError::Timeout),
                Ok(None) => return Ok(Moment::End),
                Ok(Some(Err(error))) => return Err(hold_error(&error)),
                // Trailers are dropped: nothing that was not judged leaves.
                Ok(Some(Ok(frame))) => {
                    if let Some(chunk) = frame.data_ref() {
                        flow.push(chunk);
                    }
                }
            }
        }
        Ok(Moment::Full)
    }

    fn end(&self, decision: Decision, later: &[Finding], is_whole: bool) {
        // Nobody else ends it.
        let _ = self.state.0.set(Outcome {
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
        self.0.get()
    }

    /// The refusal that stopped it.
    pub(crate) fn stopped(&self) -> Option<&Decision> {
        let outcome = self.outcome().filter(|outcome| !outcome.is_whole)?;
        (outcome.decision.action == Action::Block).then_some(&outcome.decision)
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
            Poll::Ready(Some(window)) => {
                self.bytes.fetch_add(window.len() as u64, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(window))))
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

    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }
}
