//! One request, judged: policy, rate, scan. Asks `oktsec_inspect` for every answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use oktsec_inspect::{Begin, Inspection, Judged, Moment, Snapshot};
use oktsec_limit::{Admit, LimitKey};
use oktsec_model::{Action, Decision, Principal, Reason, RequestHead, Target};
use tokio::sync::OwnedSemaphorePermit;

use crate::account::Timing;
use crate::body::{HOLD_PAUSE, Held, HoldError, MESSAGE_PAUSE, RequestBody, drain, hold};
use crate::context::{Context, State};
use crate::exchange::Refused;
use crate::flow::{self, Begun, Filled, FlowState, Side, Source};
use crate::headers::is_grpc;
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
}

/// Policy, rate, scan, in this order: what the policy refuses uses no quota, what the rate refuses
/// is not scanned.
pub(crate) async fn judge(
    body: Incoming,
    expects_continue: bool,
    head: &Arc<RequestHead>,
    via: &Via,
    state: &State,
    cx: &Context,
) -> Result<Judgement, Box<Refused>> {
    let began = cx.clock.monotonic_us();
    let admitted = state
        .snapshot
        .admit(&head.principal, &head.target, &head.method);
    let decided = cx.clock.monotonic_us();
    let policy_us = decided - began;
    judge_admitted(body, expects_continue, head, via, state, cx, admitted)
        .await
        .map_or_else(
            |mut refused| {
                let scan_us = cx.clock.monotonic_us() - decided;
                refused.timing = Timing { policy_us, scan_us };
                Err(refused)
            },
            |mut judgement| {
                judgement.timing.policy_us = policy_us;
                Ok(judgement)
            },
        )
}

async fn judge_admitted(
    body: Incoming,
    expects_continue: bool,
    head: &Arc<RequestHead>,
    via: &Via,
    state: &State,
    cx: &Context,
    admitted: Decision,
) -> Result<Judgement, Box<Refused>> {
    let snapshot = &state.snapshot;
    if admitted.action == Action::Block {
        return Err(Refused::boxed(snapshot.with_head_findings(head, admitted)));
    }
    if via
        .tunnel
        .as_ref()
        .is_some_and(|tunnel| !same_authority(&tunnel.target, &head.target))
    {
        let decision = Decision {
            reason: Reason::HostMismatch,
            action: Action::Block,
            ..admitted
        };
        return Err(Refused::boxed(snapshot.with_head_findings(head, decision)));
    }
    if let Err(mut refused) = admit_rate(&head.principal, &admitted, snapshot, cx) {
        refused.decision = snapshot.with_head_findings(head, refused.decision);
        return Err(refused);
    }

    let inspection = match Inspection::begin(snapshot, head, admitted) {
        Begin::Decided(decision) => return Err(Refused::boxed(decision)),
        Begin::NeedBody(inspection) => inspection,
        Begin::Unscanned(decision) => {
            let bytes = Arc::new(AtomicU64::new(0));
            let body = RequestBody::Streamed(body, Arc::clone(&bytes));
            return Ok(Judgement {
                decision,
                body,
                bytes,
                flow: None,
                timing: Timing::default(),
            });
        }
    };
    scan(body, inspection, head, expects_continue, state, cx).await
}

fn same_authority(tunnel: &Target, request: &Target) -> bool {
    tunnel.host == request.host && tunnel.port == request.port
}

/// Takes one request off the caller's quota.
pub(crate) fn admit_rate(
    principal: &Principal,
    admitted: &Decision,
    snapshot: &Snapshot,
    cx: &Context,
) -> Result<(), Box<Refused>> {
    let Some(quota) = snapshot.quota(principal) else {
        return Ok(());
    };
    let key = match snapshot.policies().configured(principal) {
        Some(agent) => LimitKey::Agent(agent.clone()),
        None => LimitKey::Anonymous,
    };
    match cx.limiter.admit(&key, quota, cx.clock.monotonic_us()) {
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

/// Holds the body and judges the whole request; what cannot be held is judged as it flows.
async fn scan(
    mut body: Incoming,
    mut inspection: Inspection,
    head: &RequestHead,
    expects_continue: bool,
    state: &State,
    cx: &Context,
) -> Result<Judgement, Box<Refused>> {
    let snapshot = &state.snapshot;
    let limit = snapshot.body_bytes_max();
    let length = body.size_hint().exact();
    let announced = body.size_hint().lower();
    if announced > limit as u64 && !snapshot.streams_oversize() {
        if !expects_continue {
            drain(body).await;
        }
        return Err(too_large(&inspection, Some(announced), limit));
    }
    let likely = body
        .size_hint()
        .upper()
        .map_or(limit, |upper| usize::try_from(upper).unwrap_or(limit));
    let Some(permit) = permit(likely.min(limit), cx) else {
        return Err(Refused::boxed(inspection.refuse(Reason::Overloaded)));
    };
    let pause = if is_grpc(&head.headers) {
        MESSAGE_PAUSE
    } else {
        HOLD_PAUSE
    };
    let pause = Some(pause).filter(|_| length.is_none() && snapshot.streams_oversize());
    let (chunk, moment) = match hold(&mut body, &mut inspection, pause).await {
        Err(error) => return Err(not_held(&inspection, &error)),
        Ok(Held::All) => return judge_whole(inspection, permit, cx).await,
        Ok(Held::Paused) => (Bytes::new(), Moment::Pause),
        Ok(Held::TooMuch(chunk)) if snapshot.streams_oversize() => (chunk, Moment::Full),
        Ok(Held::TooMuch(_)) => {
            drain(body).await;
            return Err(too_large(&inspection, None, limit));
        }
    };
    // What is read while a window waits, and what is decoded; who pauses sends little at a time.
    let more = if moment == Moment::Pause { 0 } else { 2 };
    let Some(more) = self::permit(limit.saturating_mul(more), cx) else {
        return Err(Refused::boxed(inspection.refuse(Reason::Overloaded)));
    };
    let flow = Flowing {
        chunk,
        moment,
        body,
        length,
        pause,
        permits: vec![permit, more],
    };
    flow.begin(inspection, state.settings.timeouts.idle, cx)
        .await
}

/// The right to hold so many bytes, if there is room.
pub(crate) fn permit(bytes: usize, cx: &Context) -> Option<OwnedSemaphorePermit> {
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    Arc::clone(&cx.held_kib).try_acquire_many_owned(kib).ok()
}

/// A body that cannot be held to its end.
struct Flowing {
    /// What came last and is not held yet.
    chunk: Bytes,
    moment: Moment,
    body: Incoming,
    length: Option<u64>,
    pause: Option<Duration>,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Flowing {
    /// Judges what is there, and lets the rest flow.
    async fn begin(
        self,
        inspection: Inspection,
        idle_max: Duration,
        cx: &Context,
    ) -> Result<Judgement, Box<Refused>> {
        let began = cx.clock.monotonic_us();
        let mut flow = inspection.flow();
        flow.push(&self.chunk);
        let (flow, first) = match flow::judge(flow, self.moment).await {
            Ok(judged) => judged,
            Err((_, decision)) => {
                drain(self.body).await;
                return Err(Refused::boxed(*decision));
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
            permits: self.permits,
        };
        let (released, state, bytes) = begun.start();
        Ok(Judgement {
            decision,
            body: RequestBody::Flowing(released),
            bytes,
            flow: Some(state),
            timing,
        })
    }
}

async fn judge_whole(
    inspection: Inspection,
    permit: OwnedSemaphorePermit,
    cx: &Context,
) -> Result<Judgement, Box<Refused>> {
    let began = cx.clock.monotonic_us();
    let (judged, permit) = finish(inspection, permit).await?;
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
    let body = RequestBody::held(judged.body, permit);
    Ok(Judgement {
        decision: judged.decision,
        body,
        bytes,
        flow: None,
        timing,
    })
}

/// Judges; the permit stays with the body, wherever it is.
async fn finish(
    inspection: Inspection,
    permit: OwnedSemaphorePermit,
) -> Result<(Judged, OwnedSemaphorePermit), Box<Refused>> {
    /// Larger bodies are scanned off the threads that move bytes.
    const INLINE_BYTES_MAX: usize = 64 * 1024;
    if inspection.body_bytes() <= INLINE_BYTES_MAX {
        return Ok((inspection.finish(), permit));
    }
    let unjudged = inspection.refuse(Reason::ScanError);
    tokio::task::spawn_blocking(move || (inspection.finish(), permit))
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
