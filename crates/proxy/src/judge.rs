//! One request, judged: policy, rate, scan. Asks `oktsec_inspect` for every answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hyper::body::{Body, Incoming};
use oktsec_inspect::{Begin, Inspection, Judged, Snapshot};
use oktsec_limit::{Admit, LimitKey};
use oktsec_model::{Action, Decision, Principal, Reason, RequestHead, Target};
use tokio::sync::OwnedSemaphorePermit;

use crate::account::Timing;
use crate::body::{HoldError, RequestBody, drain, hold};
use crate::context::{Context, State};
use crate::exchange::Refused;
use crate::respond::LimitState;
use crate::via::Via;

/// A judged request: what was decided, and the body that may leave.
pub(crate) struct Judgement {
    pub(crate) decision: Decision,
    pub(crate) body: RequestBody,
    /// Body bytes; shared with a body that is still flowing.
    pub(crate) bytes: Arc<AtomicU64>,
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
                timing: Timing::default(),
            });
        }
    };
    scan(body, inspection, expects_continue, snapshot, cx).await
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

/// Holds the body and judges the whole request.
async fn scan(
    body: Incoming,
    mut inspection: Inspection,
    expects_continue: bool,
    snapshot: &Snapshot,
    cx: &Context,
) -> Result<Judgement, Box<Refused>> {
    let limit = snapshot.body_bytes_max();
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        if !expects_continue {
            drain(body).await;
        }
        return Err(too_large(&inspection, Some(announced), limit));
    }
    let likely = body
        .size_hint()
        .upper()
        .map_or(limit, |upper| usize::try_from(upper).unwrap_or(limit));
    let kib = u32::try_from(likely.min(limit).div_ceil(1024)).unwrap_or(u32::MAX);
    let Ok(permit) = Arc::clone(&cx.held_kib).try_acquire_many_owned(kib) else {
        return Err(Refused::boxed(inspection.refuse(Reason::Overloaded)));
    };
    if let Err(error) = hold(body, &mut inspection).await {
        return Err(not_held(&inspection, &error, limit));
    }
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

fn not_held(inspection: &Inspection, error: &HoldError, limit: usize) -> Box<Refused> {
    match error {
        HoldError::TooLarge => too_large(inspection, None, limit),
        HoldError::Gone => Refused::boxed(inspection.refuse(Reason::ClientGone)),
        HoldError::Timeout => Refused::boxed(inspection.refuse(Reason::ClientTimeout)),
        HoldError::Malformed => {
            let mut refused = Refused::boxed(inspection.refuse(Reason::BadRequest));
            refused.detail =
                Some("The body does not follow the framing that its head declares.".into());
            refused
        }
    }
}

fn too_large(inspection: &Inspection, announced: Option<u64>, limit: usize) -> Box<Refused> {
    let size = announced.map_or_else(|| format!("more than {limit}"), |bytes| bytes.to_string());
    let mut refused = Refused::boxed(inspection.refuse(Reason::BodyTooLarge));
    refused.detail = Some(format!(
        "The body is {size} bytes; up to {limit} can be inspected."
    ));
    refused
}
