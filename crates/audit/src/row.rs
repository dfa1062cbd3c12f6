//! A row: one exchange, decision and end together, as the views show it.

use oktsec_model::{ExchangeId, Reason, Timestamp};
use serde_json::{Value, json};

use crate::chain::Head;
use crate::event::{
    Decided, Ended, FindingRecord, Identity, Inspection, Policy, Request, TunnelClosed,
    TunnelOpened,
};

/// One exchange, or a tunnel that no exchange speaks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The exchange or tunnel.
    pub id: ExchangeId,
    /// When it began.
    pub time: Timestamp,
    /// The session, where the client named one.
    pub session: Option<String>,
    /// The agent, when there is exactly one.
    pub agent: Option<String>,
    /// Who asked.
    pub identity: Identity,
    /// The request.
    pub request: Request,
    /// The status, as far as it is known.
    pub status: String,
    /// The reason code, as far as it is known.
    pub reason: String,
    /// The HTTP status that the client was given.
    pub http_status: Option<u16>,
    /// False where the decision was only observed.
    pub enforced: bool,
    /// How the request could be read.
    pub inspection: Inspection,
    /// What decided.
    pub policy: Policy,
    /// What was seen.
    pub findings: Vec<FindingRecord>,
    /// Body bytes that came back, once it has ended.
    pub response_bytes: Option<u64>,
    /// The address that was dialled.
    pub upstream: Option<String>,
    /// How long it took.
    pub timing: Timing,
    /// The tunnel it came through.
    pub tunnel: Option<ExchangeId>,
    /// Whether this is a tunnel and not an exchange.
    pub is_tunnel: bool,
    /// Whether nothing can change any more.
    pub is_final: bool,
    /// The record of the decision.
    pub decided: Head,
    /// The record of the end, where there is one of its own.
    pub ended: Option<Head>,
}

/// How long an exchange took, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timing {
    /// In the policy.
    pub policy_us: u64,
    /// In the scan.
    pub scan_us: u64,
    /// From the head of the request to the end.
    pub total_us: Option<u64>,
    /// Waiting for the upstream.
    pub upstream_us: Option<u64>,
}

// === impl Row ===

impl Row {
    /// The row of an exchange as it was decided.
    pub(crate) fn decided(event: Decided, head: Head) -> Self {
        let timing = event.timing_us;
        Self {
            id: event.id,
            time: event.at,
            session: event.session.map(|session| session.as_str().to_owned()),
            agent: event.agent.map(|agent| agent.as_str().to_owned()),
            identity: event.identity,
            request: event.request,
            status: event.status.as_str().to_owned(),
            reason: event.reason.as_str().to_owned(),
            http_status: event.http_status,
            enforced: event.enforced,
            inspection: event.inspection,
            policy: event.policy,
            findings: event.findings,
            response_bytes: None,
            upstream: None,
            timing: Timing {
                policy_us: timing.policy,
                scan_us: timing.scan,
                total_us: event.last.then_some(timing.policy + timing.scan),
                upstream_us: None,
            },
            tunnel: event.tunnel,
            is_tunnel: false,
            is_final: event.last,
            decided: head,
            ended: None,
        }
    }

    /// The row of a tunnel as it was opened.
    pub(crate) fn tunnel(event: TunnelOpened, head: Head) -> Self {
        Self {
            id: event.id,
            time: event.at,
            session: None,
            agent: event.agent.map(|agent| agent.as_str().to_owned()),
            identity: event.identity,
            request: Request {
                host: event.host,
                method: "CONNECT".into(),
                port: event.port,
                scheme: "https".into(),
                ..Request::default()
            },
            status: event.status.as_str().to_owned(),
            reason: event.reason.as_str().to_owned(),
            http_status: None,
            enforced: true,
            inspection: event.inspection,
            policy: Policy::default(),
            findings: Vec::new(),
            response_bytes: None,
            upstream: None,
            timing: Timing::default(),
            tunnel: None,
            is_tunnel: true,
            is_final: false,
            decided: head,
            ended: None,
        }
    }

    /// Adds the end of the exchange.
    pub(crate) fn end(&mut self, event: &Ended, head: Head) {
        self.status = event.status.as_str().to_owned();
        self.reason = event.reason.as_str().to_owned();
        self.http_status = event.http_status.or(self.http_status);
        // The gateway that was interrupted could not say what it had carried.
        if self.reason != Reason::Interrupted.code() {
            self.request.bytes = Some(event.request_bytes);
            self.response_bytes = Some(event.response_bytes);
            self.timing.total_us = Some(event.timing_us.total);
        }
        let room = Decided::FINDINGS_MAX.saturating_sub(self.findings.len());
        let later = event.findings.iter().take(room).cloned();
        self.findings.extend(later);
        self.upstream = event
            .upstream
            .as_ref()
            .map(|upstream| upstream.address.to_string());
        self.timing.upstream_us = event.timing_us.upstream;
        self.is_final = true;
        self.ended = Some(head);
    }

    /// Adds the end of the tunnel.
    pub(crate) fn close(&mut self, event: &TunnelClosed, head: Head) {
        self.status = event.status.as_str().to_owned();
        self.reason = event.reason.as_str().to_owned();
        self.http_status = event.http_status;
        if self.reason != Reason::Interrupted.code() {
            self.request.bytes = Some(event.bytes_up);
            self.response_bytes = Some(event.bytes_down);
            self.timing.total_us = Some(event.duration_us);
        }
        self.is_final = true;
        self.ended = Some(head);
    }

    /// The JSON row, schema 1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let link = |head: &Head| json!({"seq": head.seq, "hash": head.hash.to_string()});
        let policy = &self.policy;
        json!({
            "schema": 1,
            "id": self.id.to_string(),
            "time": self.time.to_millis_string(),
            "session": self.session,
            "agent": self.agent,
            "identity": {
                "source": self.identity.source,
                "claimed": self.identity.claimed,
                "client": self.identity.client,
            },
            "request": self.request,
            "status": self.status,
            "reason": self.reason,
            "http_status": self.http_status,
            "enforced": self.enforced,
            "inspection": self.inspection,
            "policy": {
                "hash": policy.hash,
                "source": policy.entry,
                "list": policy.list,
                "file": policy.file,
                "line": policy.line,
            },
            "findings": self.findings,
            "response": self.response_bytes.map(|bytes| json!({"bytes": bytes})),
            "upstream": self.upstream.as_ref().map(|address| json!({"address": address})),
            "timing_ms": {
                "total": self.timing.total_us.map(millis),
                "policy": millis(self.timing.policy_us),
                "scan": millis(self.timing.scan_us),
                "upstream": self.timing.upstream_us.map(millis),
            },
            "chain": {
                "decided": link(&self.decided),
                "ended": self.ended.as_ref().map(link),
            },
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations are far below 2^53 microseconds"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
