//! One request, judged: policy, rate, scan. Asks `oktsec_inspect` for every answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use oktsec_inspect::{Begin, Inspection, Judged, Moment, Snapshot};
use oktsec_limit::{Admit, LimitKey};
use oktsec_model::{Action, Decision, Principal, Reason, RequestHead, Target};

use crate::account::Timing;
use crate::body::{HOLD_PAUSE, HoldError, Holding, MESSAGE_PAUSE, RequestBody, drain, hold};
use crate::context::{Context, State};
use crate::exchange::Refused;
use crate::flow::{self, Begun, Filled, FlowState, Side, Source};
use crate::headers::is_grpc;
use crate::load::{Held, Share};
use crate::respond::LimitState;
use crate::via::Via;

/// A judged request: what was decided, and the body that may leave.
pub(crate) struct Judgement {
    pub(crate) decision: Decision,
    pub(crate) body: RequestBody,
    /// Body bytes; shared with a body that is still flowing.
    pub(crate) bytes: Arc<AtomicU64>,
    /// How a body that is judged as it flows ends.
    pub(crate) flow: Option<Arc<FlowState>>,
    pub(crate) timing: Timing,
    /// Its place among what is under way.
    pub(crate) share: Share,
}

/// One request, and what it is judged by.
pub(crate) struct Case<'a> {
    pub(crate) head: &'a Arc<RequestHead>,
    pub(crate) via: &'a Via,
    pub(crate) state: &'a State,
    pub(crate) cx: &'a Context,
}

/// A refusal, and what of the body nobody has read.
struct Stop {
    refused: Box<Refused>,
    body: Option<Incoming>,
    /// Whether it was asked for.
    has_begun: bool,
}

// === impl Case ===

impl Case<'_> {
    /// Policy, rate, scan, in this order: what the policy refuses uses no quota, what the rate refuses
    /// is not scanned.
    pub(crate) async fn judge(
        &self,
        body: Incoming,
        expects_continue: bool,
    ) -> Result<Judgement, Box<Refused>> {
        let (head, clock) = (self.head, &self.cx.clock);
        let began = clock.monotonic_us();
        let snapshot = &self.state.snapshot;
        let admitted = snapshot.admit(&head.principal, &head.target, &head.method);
        let decided = clock.monotonic_us();
        let policy_us = decided - began;
        match self.judge_admitted(body, admitted).await {
            Ok(mut judgement) => {
                judgement.timing.policy_us = policy_us;
                Ok(judgement)
            }
            Err(Stop {
                mut refused,
                body,
                has_begun,
            }) => {
                // A client that still waits for our word has sent nothing; it would be told to go on.
                if let Some(body) = body.filter(|_| has_begun || !expects_continue) {
                    tokio::spawn(drain(body));
                }
                let scan_us = clock.monotonic_us() - decided;
                refused.timing = Timing { policy_us, scan_us };
                Err(refused)
            }
        }
    }

    async fn judge_admitted(&self, body: Incoming, admitted: Decision) -> Result<Judgement, Stop> {
        let (head, snapshot) = (self.head, &self.state.snapshot);
        if admitted.action == Action::Block {
            let decision = snapshot.with_head_findings(head, admitted);
            return Err(Stop::before(Refused::boxed(decision), body));
        }
        let tunnel = self.via.tunnel.as_ref();
        if tunnel.is_some_and(|tunnel| !same_authority(&tunnel.target, &head.target)) {
            let decision = Decision {
                reason: Reason::HostMismatch,
                action: Action::Block,
                ..admitted
            };
            let decision = snapshot.with_head_findings(head, decision);
            return Err(Stop::before(Refused::boxed(decision), body));
        }
        let share = match enter(&head.principal, &admitted, snapshot, self.cx) {
            Ok(share) => share,
            Err(mut refused) => {
                refused.decision = snapshot.with_head_findings(head, refused.decision);
                return Err(Stop::before(refused, body));
            }
        };
        match Inspection::begin(snapshot, head, admitted) {
            Begin::Decided(decision) => Err(Stop::before(Refused::boxed(decision), body)),
            Begin::NeedBody(inspection) => self.scan(body, inspection, share).await,
            Begin::Unscanned(decision) => {
                let bytes = Arc::new(AtomicU64::new(0));
                Ok(Judgement {
                    decision,
                    body: RequestBody::Streamed(body, Arc::clone(&bytes)),
                    bytes,
                    flow: None,
                    timing: Timing::default(),
                    share,
                })
            }
        }
    }

    /// Holds the body and judges the whole request; what cannot be held is judged as it flows.
    async fn scan(
        &self,
        mut body: Incoming,
        mut inspection: Inspection,
        share: Share,
    ) -> Result<Judgement, Stop> {
        let (snapshot, timeouts) = (&self.state.snapshot, self.state.settings.timeouts);
        let limit = snapshot.body_bytes_max();
        let length = body.size_hint().exact();
        let announced = body.size_hint().lower();
        if announced > limit as u64 && !snapshot.streams_oversize() {
            let refused = too_large(&inspection, Some(announced), limit);
            return Err(Stop::before(refused, body));
        }
        let likely = body
            .size_hint()
            .upper()
            .map_or(limit, |upper| usize::try_from(upper).unwrap_or(limit));
        let Some(held) = share.hold(likely.min(limit)) else {
            return Err(Stop::before(overloaded(&inspection), body));
        };
        let pause = if is_grpc(&self.head.headers) {
            MESSAGE_PAUSE
        } else {
            HOLD_PAUSE
        };
        let pause = Some(pause).filter(|_| length.is_none() && snapshot.streams_oversize());
        let holding = hold(&mut body, &mut inspection, pause, timeouts.body);
        let (chunk, moment) = match holding.await {
            Err(error) => return Err(not_held(&inspection, &error).into()),
            Ok(Holding::All) => {
                let judging = judge_whole(inspection, held, share, self.cx);
                return judging.await.map_err(Stop::from);
            }
            Ok(Holding::Paused) => (Bytes::new(), Moment::Pause),
            Ok(Holding::TooMuch(chunk)) if snapshot.streams_oversize() => (chunk, Moment::Full),
            Ok(Holding::TooMuch(_)) => {
                let refused = too_large(&inspection, None, limit);
                return Err(Stop::during(refused, body));
            }
        };
        // What is read while a window waits, and what is decoded; who pauses sends little at a time.
        let more = if moment == Moment::Pause { 0 } else { 2 };
        let Some(more) = share.hold(limit.saturating_mul(more)) else {
            return Err(Stop::during(overloaded(&inspection), body));
        };
        let flow = Flowing {
            chunk,
            moment,
            body,
            length,
            pause,
            held: vec![held, more],
            share,
        };
        Box::pin(flow.begin(inspection, timeouts.idle, self.cx)).await
    }
}

// === impl Stop ===

impl Stop {
    /// The body has not been read to its end: many clients look at an answer only once they have sent
    /// it, and a connection closed under them takes the answer with it.
    const fn before(refused: Box<Refused>, body: Incoming) -> Self {
        Self {
            refused,
            body: Some(body),
            has_begun: false,
        }
    }

    /// The same of a body of which some was read.
    const fn during(refused: Box<Refused>, body: Incoming) -> Self {
        Self {
            refused,
            body: Some(body),
            has_begun: true,
        }
    }
}

impl From<Box<Refused>> for Stop {
    fn from(refused: Box<Refused>) -> Self {
        Self {
            refused,
            body: None,
            has_begun: true,
        }
    }
}

fn overloaded(inspection: &Inspection) -> Box<Refused> {
    Refused::boxed(inspection.refuse(Reason::Overloaded))
}

fn same_authority(tunnel: &Target, request: &Target) -> bool {
    tunnel.host == request.host && tunnel.port == request.port
}

/// Takes one request off the caller's quota, and gives it a place among what is under way.
pub(crate) fn enter(
    principal: &Principal,
    admitted: &Decision,
    snapshot: &Snapshot,
    cx: &Context,
) -> Result<Share, Box<Refused>> {
    let key = match snapshot.policies().configured(principal) {
        Some(agent) => LimitKey::Agent(agent.clone()),
        None => LimitKey::Anonymous,
    };
    admit_rate(&key, principal, admitted, snapshot, cx)?;
    cx.load.enter(&key).ok_or_else(|| {
        Refused::boxed(Decision {
            action: Action::Block,
            reason: Reason::Overloaded,
            ..admitted.clone()
        })
    })
}

fn admit_rate(
    key: &LimitKey,
    principal: &Principal,
    admitted: &Decision,
    snapshot: &Snapshot,
    cx: &Context,
) -> Result<(), Box<Refused>> {
    let Some(quota) = snapshot.quota(principal) else {
        return Ok(());
    };
    match cx.limiter.admit(key, quota, cx.clock.monotonic_us()) {
        Admit::Granted { .. } => Ok(()),
        Admit::Refused {
            retry_after_us,
            used,
        } => {
            let reason = Reason::RateLimited;
            let decision = Decision {
                action: Action::Block,
                reason,
                ..admitted.clone()
            };
            let mut refused = Refused::boxed(decision);
            refused.limit = Some(LimitState {
                requests_max: quota.requests_max,
                window_s: quota.window_s,
                used,
                retry_after_s: retry_after_us.div_ceil(1_000_000).max(1),
            });
            Err(refused)
        }
    }
}

/// A body that cannot be held to its end.
struct Flowing {
    /// What came last and is not held yet.
    chunk: Bytes,
    moment: Moment,
    body: Incoming,
    length: Option<u64>,
    pause: Option<Duration>,
    held: Vec<Held>,
    share: Share,
}

impl Flowing {
    /// Judges what is there, and lets the rest flow.
    async fn begin(
        self,
        inspection: Inspection,
        idle_max: Duration,
        cx: &Context,
    ) -> Result<Judgement, Stop> {
        let began = cx.clock.monotonic_us();
        let mut flow = inspection.flow();
        flow.push(&self.chunk);
        let (flow, first) = match flow::judge(flow, self.moment, &self.share).await {
            Ok(judged) => judged,
            Err((_, decision)) => {
                return Err(Stop::during(Refused::boxed(*decision), self.body));
            }
        };
        let timing = Timing {
            policy_us: 0,
            scan_us: cx.clock.monotonic_us() - began,
        };
        let decision = flow.decision().clone();
        let source = Source {
            body: self.body,
            side: Side::Client,
            idle_max,
            pause: self.pause,
        };
        let begun = Begun {
            flow,
            first: (first, Filled::Up(self.moment)),
            source,
            length: self.length,
            held: self.held,
            share: self.share.clone(),
        };
        let (released, state, bytes) = begun.start();
        Ok(Judgement {
            decision,
            body: RequestBody::Flowing(released),
            bytes,
            flow: Some(state),
            timing,
            share: self.share,
        })
    }
}

async fn judge_whole(
    inspection: Inspection,
    held: Held,
    share: Share,
    cx: &Context,
) -> Result<Judgement, Box<Refused>> {
    let began = cx.clock.monotonic_us();
    let (judged, held) = finish(inspection, held, &share).await?;
    let timing = Timing {
        policy_us: 0,
        scan_us: cx.clock.monotonic_us() - began,
    };
    if judged.decision.action == Action::Block {
        let mut refused = Refused::boxed(judged.decision);
        refused.bytes = Some(judged.body.len() as u64);
        return Err(refused);
    }
    let bytes = Arc::new(AtomicU64::new(judged.body.len() as u64));
    let body = RequestBody::held(judged.body, held);
    Ok(Judgement {
        decision: judged.decision,
        body,
        bytes,
        flow: None,
        timing,
        share,
    })
}

/// Judges; what is held for the body stays with it, wherever it is.
async fn finish(
    inspection: Inspection,
    held: Held,
    share: &Share,
) -> Result<(Judged, Held), Box<Refused>> {
    /// Larger bodies are scanned off the threads that move bytes.
    const INLINE_BYTES_MAX: usize = 64 * 1024;
    if inspection.body_bytes() <= INLINE_BYTES_MAX {
        return Ok((inspection.finish(), held));
    }
    let unjudged = inspection.refuse(Reason::ScanError);
    let turn = share.turn().await;
    let judging = move || {
        let _turn = turn;
        (inspection.finish(), held)
    };
    tokio::task::spawn_blocking(judging)
        .await
        .map_err(|_| Refused::boxed(unjudged))
}

fn not_held(inspection: &Inspection, error: &HoldError) -> Box<Refused> {
    let mut refused = Refused::boxed(inspection.refuse(error.reason()));
    if matches!(error, HoldError::Malformed) {
        refused.detail =
            Some("The body does not follow the framing that its head declares.".into());
    }
    refused
}

fn too_large(inspection: &Inspection, announced: Option<u64>, limit: usize) -> Box<Refused> {
    let size = announced.map_or_else(|| format!("more than {limit}"), |bytes| bytes.to_string());
    let mut refused = Refused::boxed(inspection.refuse(Reason::BodyTooLarge));
    refused.detail = Some(format!(
        "The body is {size} bytes; up to {limit} can be inspected."
    ));
    refused
}
