//! From the facts of an exchange to audit events: here, and nowhere else.
//!
//! What a caller wrote reaches an event only masked: the bytes of every finding are taken out of
//! host, path and user agent, query values are never kept, and every text has a limit. An exchange
//! always leaves a row: dropping one that has not ended records that the client left.

mod tunnel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Version, request};
use oktsec_audit::{
    AuditError, Decided, DecidedTiming, Ended, EndedTiming, Entry, FindingRecord, Identity,
    Inspection, Policy, Request as RequestRecord, Text, TunnelOpened, Upstream,
};
use oktsec_inspect::Snapshot;
use oktsec_model::{
    Action, Decision, ExchangeId, Finding, HttpVersion, IdentitySource, Principal, Reason,
    RequestHead, Scheme, Status, Target, Timestamp, Treatment, safe_name,
};
use tokio::runtime::Handle;

use crate::context::{Context, State};
use crate::exchange::{FailedExchange, Refused};
use crate::flow::{FlowState, Outcome};
use crate::load::Share;
use crate::mask::{fill, host_text, method_text};
use crate::via::{Running, Via};

pub(crate) use self::tunnel::OpenTunnel;

/// How long a row waits for the end of a body that was answered before.
const LATE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long the parts of a judgement took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Timing {
    pub(crate) policy_us: u64,
    pub(crate) scan_us: u64,
}

/// A request that has come and has no row yet.
pub(crate) struct Arrival {
    cx: Arc<Context>,
    snapshot: Arc<Snapshot>,
    id: ExchangeId,
    at: Timestamp,
    tunnel: Option<ExchangeId>,
    agent: Option<Text>,
    identity: Identity,
    request: RequestRecord,
    inspection: Inspection,
    began_us: u64,
    running: Running,
    /// Cleared once the row is written.
    open: bool,
}

/// An exchange whose row says that it was allowed, and not yet how it ended.
pub(crate) struct OpenExchange {
    cx: Arc<Context>,
    id: ExchangeId,
    began_us: u64,
    sent_us: u64,
    /// Status and reason, should all go well.
    decided: (Status, Reason),
    request_bytes: Arc<AtomicU64>,
    /// How the body ends, where it is judged as it flows.
    flow: Option<Arc<FlowState>>,
    /// The same of the answer's.
    response: Option<Arc<FlowState>>,
    answered: Answered,
    answered_us: Option<u64>,
    /// Kept until the last byte of the response.
    _running: Running,
    _share: Share,
    open: bool,
}

/// What the upstream answered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answered {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) http_status: Option<u16>,
}

// === impl Arrival ===

impl Arrival {
    pub(crate) fn new(
        cx: &Arc<Context>,
        id: ExchangeId,
        at: Timestamp,
        via: &Via,
        parts: &request::Parts,
        state: &State,
    ) -> Self {
        let mut arrival = Self::blank(cx, id, at, via, state);
        arrival.request.method = method_text(parts.method.as_str()).into();
        arrival.request.http_version = version_of(parts.version).into();
        if let Some(tunnel) = &via.tunnel {
            arrival.request.host = host_text(&tunnel.target.host, &state.snapshot);
            arrival.request.port = tunnel.target.port;
            arrival.request.scheme = tunnel.target.scheme.into();
        }
        arrival
    }

    fn blank(cx: &Arc<Context>, id: ExchangeId, at: Timestamp, via: &Via, state: &State) -> Self {
        let tls = via
            .tunnel
            .as_ref()
            .is_some_and(|tunnel| tunnel.target.scheme == Scheme::Https);
        Self {
            cx: Arc::clone(cx),
            snapshot: Arc::clone(&state.snapshot),
            id,
            at,
            tunnel: via.tunnel.as_ref().map(|tunnel| tunnel.id),
            agent: None,
            identity: Identity {
                claimed: None,
                client: via.client.to_string().into(),
                source: IdentitySource::Anonymous.into(),
            },
            request: RequestRecord::default(),
            inspection: if tls {
                Inspection::Tls
            } else {
                Inspection::Plain
            },
            began_us: cx.clock.monotonic_us(),
            running: via.life.run(),
            open: true,
        }
    }

    /// A connection that carried no readable request: hyper has answered 400, or nobody is left to
    /// answer.
    pub(crate) async fn unreadable(cx: &Arc<Context>, via: &Via, reason: Reason) {
        let now = cx.clock.now();
        let arrival = Self::blank(cx, cx.clock.id(now), now, via, &cx.state());
        arrival
            .refused(None, *Refused::boxed(Decision::block(reason)))
            .await;
    }

    pub(crate) const fn id(&self) -> ExchangeId {
        self.id
    }

    /// Notes who asks for what, before anything is judged.
    pub(crate) fn identified(&mut self, principal: &Principal, target: &Target) {
        self.agent = agent_text(principal, &self.snapshot);
        self.identity = Identity {
            claimed: principal.claimed.as_deref().map(Into::into),
            client: principal.client.to_string().into(),
            source: principal.source.into(),
        };
        self.request.scheme = target.scheme.into();
        self.request.host = host_text(&target.host, &self.snapshot);
        self.request.port = target.port;
    }

    /// Writes the refusal to disk. The answer is what may be said now: the refusal itself, or that
    /// the trail cannot be written.
    pub(crate) async fn refused(mut self, head: Option<&RequestHead>, refused: Refused) -> Refused {
        let ledger = self.cx.ledger.clone();
        let http_status = Some(refused.http_status);
        let event = self.event(head, &refused.decision, refused.timing, refused.bytes);
        let event = Decided {
            http_status,
            last: true,
            ..event
        };
        let written = match ledger.decided(event).await {
            Ok(entry) => entry.synced().await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => refused,
            Err(error) => unavailable(&error),
        }
    }

    /// Writes that the request may leave. Nothing has left before this returns.
    pub(crate) async fn allowed(
        mut self,
        head: &RequestHead,
        decision: &Decision,
        timing: Timing,
        request_bytes: &Arc<AtomicU64>,
        (flow, share): (Option<&Arc<FlowState>>, Share),
    ) -> Result<(OpenExchange, Entry), Refused> {
        let ledger = self.cx.ledger.clone();
        let bytes = Some(request_bytes.load(Ordering::Relaxed));
        let event = self.event(Some(head), decision, timing, bytes);
        let exchange = OpenExchange {
            cx: Arc::clone(&self.cx),
            id: self.id,
            began_us: self.began_us,
            sent_us: self.cx.clock.monotonic_us(),
            decided: (decision.status(), decision.reason),
            request_bytes: Arc::clone(request_bytes),
            flow: flow.cloned(),
            response: None,
            answered: Answered::default(),
            answered_us: None,
            _running: self.running.clone(),
            _share: share,
            open: true,
        };
        match ledger.decided(event).await {
            Ok(entry) => Ok((exchange, entry)),
            Err(error) => {
                exchange.abandon();
                Err(unavailable(&error))
            }
        }
    }

    /// Writes that a tunnel was opened; on disk where `sync` asks for it.
    pub(crate) async fn tunnel_opened(mut self, inspection: Inspection, sync: bool) -> OpenTunnel {
        self.open = false;
        let event = TunnelOpened {
            agent: self.agent.take(),
            at: self.at,
            host: std::mem::take(&mut self.request.host),
            id: self.id,
            identity: std::mem::take(&mut self.identity),
            inspection,
            port: self.request.port,
            reason: Reason::Allowed.into(),
            status: Status::Forwarded.into(),
        };
        // Before the wait: where it is not waited for to the end, the tunnel is closed all the same.
        let mut tunnel = OpenTunnel::new(&self.cx, self.id);
        let opened = self.cx.ledger.tunnel_opened(event).await;
        let is_recorded = match opened {
            Ok(entry) if sync => entry.synced().await.is_ok(),
            opened => opened.is_ok(),
        };
        tunnel.recorded(is_recorded);
        tunnel
    }

    /// The row. Takes the facts; the arrival is spent.
    fn event(
        &mut self,
        head: Option<&RequestHead>,
        decision: &Decision,
        timing: Timing,
        bytes: Option<u64>,
    ) -> Decided {
        self.open = false;
        let mut request = std::mem::take(&mut self.request);
        if let Some(head) = head {
            let scanned = self.snapshot.policies().scan_requests(&head.principal);
            fill(&mut request, head, &decision.findings, scanned, bytes);
        }
        let snapshot = &self.snapshot;
        let hash = Text::from(&*snapshot.digest);
        Decided {
            action: decision.action.into(),
            agent: self.agent.take(),
            at: self.at,
            enforced: decision.action != Action::Flag,
            findings: recorded(&decision.findings),
            http_status: None,
            id: self.id,
            identity: std::mem::take(&mut self.identity),
            inspection: self.inspection,
            last: false,
            policy: Policy::new(decision.entry.as_ref(), snapshot.generation, hash),
            reason: decision.reason.into(),
            request,
            session: None,
            status: decision.status().into(),
            timing_us: DecidedTiming {
                policy: timing.policy_us,
                scan: timing.scan_us,
            },
            tunnel: self.tunnel,
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.open {
            let event = self.event(
                None,
                &Decision::block(Reason::ClientGone),
                Timing::default(),
                None,
            );
            self.cx.ledger.decided_detached(Decided {
                last: true,
                ..event
            });
        }
    }
}

// === impl OpenExchange ===

impl OpenExchange {
    /// Notes what the upstream answered.
    pub(crate) fn answered(&mut self, answered: Answered) {
        self.answered = answered;
        self.answered_us = Some(self.cx.clock.monotonic_us() - self.sent_us);
    }

    /// The response has been relayed to its end, or will not be. Where the request's body still flows, its
    /// end belongs to the row: it is waited for, for a while.
    pub(crate) fn response_ended(self, reason: Reason, bytes: u64) {
        let flow = self.flow.clone().filter(|flow| !flow.is_over());
        match (flow, Handle::try_current()) {
            (Some(flow), Ok(runtime)) => {
                runtime.spawn(async move {
                    // After that the row says what is known by then.
                    let _ = tokio::time::timeout(LATE_TIME_MAX, flow.over()).await;
                    self.end(reason, bytes);
                });
            }
            _ => self.end(reason, bytes),
        }
    }

    fn end(mut self, reason: Reason, bytes: u64) {
        self.open = false;
        let event = self.event(reason, self.answered.http_status, bytes);
        self.cx.ledger.ended(event);
    }

    /// The answer may not reach the agent. Returns once the row says so.
    pub(crate) async fn refused(mut self, decision: &Decision, findings: &[Finding]) {
        self.open = false;
        let http_status = Some(crate::respond::http_status(decision.reason));
        let event = self.decided_late(decision, findings, http_status, 0);
        // As for what failed.
        let _ = self.cx.ledger.ended_written(event).await;
    }

    /// Notes how much the agent has sent in messages.
    pub(crate) fn sent(&self, bytes: u64) {
        self.request_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Something was found in what flowed after the answer had begun.
    pub(crate) fn broken_off(mut self, decision: &Decision, findings: &[Finding], bytes: u64) {
        self.open = false;
        let event = self.decided_late(decision, findings, self.answered.http_status, bytes);
        self.cx.ledger.ended(event);
    }

    fn decided_late(
        &self,
        decision: &Decision,
        findings: &[Finding],
        http_status: Option<u16>,
        bytes: u64,
    ) -> Ended {
        Ended {
            findings: recorded(findings),
            reason: decision.reason.into(),
            status: decision.status().into(),
            ..self.event(decision.reason, http_status, bytes)
        }
    }

    /// The answer is judged as it flows.
    pub(crate) fn responds(&mut self, state: Arc<FlowState>) {
        self.response = Some(state);
    }

    /// How the bodies that flow have ended, as far as they have.
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let flows = [self.flow.as_deref(), self.response.as_deref()];
        flows.into_iter().flatten().filter_map(FlowState::outcome)
    }

    fn broken(&self) -> Option<&Outcome> {
        self.outcomes().find(|outcome| !outcome.is_whole)
    }

    /// What is said of an exchange in which something was only noted.
    fn flagged(&self) -> Option<(Status, Reason)> {
        let mut outcomes = self.outcomes();
        let flagged = outcomes.find(|outcome| outcome.decision.action == Action::Flag)?;
        Some((flagged.decision.status(), flagged.decision.reason))
    }

    /// There is no response. Returns once the row says so.
    pub(crate) async fn failed(mut self, reason: Reason) -> FailedExchange {
        self.open = false;
        let answer = self
            .broken()
            .map_or(reason, |outcome| outcome.decision.reason);
        let http_status = crate::respond::http_status(answer);
        let event = self.event(reason, Some(http_status), 0);
        // Where the trail cannot be written the ledger refuses the next request; this one has
        // failed already.
        let _ = self.cx.ledger.ended_written(event).await;
        FailedExchange {
            id: self.id,
            reason,
        }
    }

    /// The decision was never written, so that there is nothing to end.
    fn abandon(mut self) {
        self.open = false;
    }

    fn event(&self, reason: Reason, http_status: Option<u16>, response_bytes: u64) -> Ended {
        let (status, reason) = match self.broken() {
            // Why it broke off is what counts, not what that looked like from the other side.
            Some(outcome) => (outcome.decision.status(), outcome.decision.reason),
            None if reason == Reason::Allowed => self.flagged().unwrap_or(self.decided),
            None => (reason.status(), reason),
        };
        let later: Vec<Finding> = self
            .outcomes()
            .flat_map(|outcome| outcome.later.clone())
            .collect();
        Ended {
            at: self.cx.clock.now(),
            findings: recorded(&later),
            http_status,
            id: self.id,
            reason: reason.into(),
            request_bytes: self.request_bytes.load(Ordering::Relaxed),
            response_bytes,
            status: status.into(),
            timing_us: EndedTiming {
                total: self.cx.clock.monotonic_us() - self.began_us,
                upstream: self.answered_us,
            },
            upstream: self.answered.address.map(|address| Upstream {
                address: address.to_string().into(),
            }),
        }
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        if self.open {
            let event = self.event(Reason::ClientGone, None, 0);
            self.cx.ledger.ended(event);
        }
    }
}

/// The findings of a row: those that decided first, so that no number of others displaces them.
fn recorded(findings: &[Finding]) -> Vec<FindingRecord> {
    let of = |wanted: bool| {
        findings.iter().filter(move |finding| {
            finding.treatment != Treatment::Drop
                && wanted == (finding.treatment == Treatment::Block)
        })
    };
    of(true)
        .chain(of(false))
        .take(Decided::FINDINGS_MAX)
        .map(FindingRecord::from)
        .collect()
}

fn unavailable(error: &AuditError) -> Refused {
    tracing::error!(error = %error, "audit trail unavailable, request refused");
    *Refused::boxed(Decision::block(Reason::AuditUnavailable))
}

/// The name a row is filed under: the one name that was presented. A name that no agent here has
/// is shown only where it cannot be something else.
fn agent_text(principal: &Principal, snapshot: &Snapshot) -> Option<Text> {
    match snapshot.policies().configured(principal) {
        Some(agent) => Some(agent.into()),
        None => principal
            .agent()
            .map(|name| safe_name(name.as_str()).into()),
    }
}

const fn version_of(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_2 => HttpVersion::Http2,
        _ => HttpVersion::Http11,
    }
}
