//! One HTTP exchange, top to bottom: identity, policy, rate, scan, record, upstream, answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, request};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use oktsec_model::{
    Decision, ExchangeId, Finding, HttpVersion, Reason, RequestHead, Timestamp, Treatment,
};

use crate::account::{Answered, Arrival, OpenExchange, Timing};
use crate::answer::{Judging, has_body, limit_codings};
use crate::body::{Answer, ResponseBody};
use crate::context::{Context, State};
use crate::headers::{strip_request, strip_response, without_extensions};
use crate::judge::{Case, Judgement};
use crate::load::Share;
use crate::respond::{Dialect, LimitState, Refusal, content_detail, detail, http_status};
use crate::strict::{self, Malformed};
use crate::upstream::Sent;
use crate::via::{Life, Via};
use crate::websocket::{self, Asked, Socket};

/// A refusal on its way to becoming a response.
pub(crate) struct Refused {
    pub(crate) decision: Decision,
    pub(crate) http_status: u16,
    pub(crate) detail: Option<String>,
    pub(crate) limit: Option<LimitState>,
    pub(crate) timing: Timing,
    /// Body bytes that were read, where they were.
    pub(crate) bytes: Option<u64>,
}

/// Carries one request. Whatever happens, there is one answer and one row.
pub(crate) async fn handle(
    request: Request<Incoming>,
    via: Via,
    cx: Arc<Context>,
) -> Response<ResponseBody> {
    let now = cx.clock.now();
    let id = cx.clock.id(now);
    let state = cx.state();
    let (mut parts, body) = request.into_parts();
    let asked = Asked::take(&mut parts);
    if asked.is_some() {
        without_extensions(&mut parts.headers);
    }
    let mut arrival = Arrival::new(&cx, id, now, &via, &parts, &state);
    if let Some(tunnel) = &via.tunnel {
        tunnel.exchanges.fetch_add(1, Ordering::Relaxed);
    }
    let dialect = Dialect::of(&parts.headers, parts.uri.path());
    let framed =
        parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING);
    // A client that waits for our word has sent nothing yet.
    let expects_continue = parts.headers.contains_key(EXPECT);
    let head = match read_head(parts, &via, &state, id, now) {
        Ok(head) => Arc::new(head),
        // Boxed, as all that few requests come to: the way of the others is copied about less.
        Err(malformed) => return Box::pin(refuse_malformed(arrival, malformed, dialect)).await,
    };
    arrival.identified(&head.principal, &head.target);
    let case = Case {
        head: &head,
        via: &via,
        state: &state,
        cx: &cx,
    };
    match case.judge(body, expects_continue).await {
        Ok(judgement) => {
            let context = Answering {
                head: &head,
                decision: judgement.decision.clone(),
                share: judgement.share.clone(),
                state: &state,
                cx: &cx,
                dialect,
                asked: asked.map(|asked| (asked, Arc::clone(&via.life))),
            };
            context.forward(judgement, arrival, framed).await
        }
        Err(refused) => Box::pin(refuse(arrival, Some(&head), *refused, dialect)).await,
    }
}

/// Principal, target and message, or why the request is none.
fn read_head(
    mut parts: request::Parts,
    via: &Via,
    state: &State,
    id: ExchangeId,
    at: Timestamp,
) -> Result<RequestHead, Malformed> {
    strict::check_message(&parts)?;
    let (target, path_and_query) = match &via.tunnel {
        None => strict::absolute_target(&parts)?,
        Some(_) if parts.method == Method::CONNECT => return Err(Malformed::Method),
        Some(tunnel) => strict::inner_target(&parts, tunnel.target.scheme)?,
    };
    let inherited = via
        .tunnel
        .as_ref()
        .map(|tunnel| tunnel.claims.clone())
        .unwrap_or_default();
    let identity = &state.settings.identity;
    let principal = inherited
        .read(&parts.headers, identity)
        .principal(via.client, identity);
    strip_request(&mut parts.headers, &identity.header);
    if state.snapshot.policies().scan_responses(&principal) {
        limit_codings(&mut parts.headers);
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    let version = match parts.version {
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_10 => HttpVersion::Http10,
        _ => HttpVersion::Http11,
    };
    let (method, headers) = (parts.method, parts.headers);
    Ok(RequestHead {
        id,
        at,
        principal,
        target,
        method,
        path_and_query,
        headers,
        version,
    })
}

/// What a judged request is carried with.
pub(crate) struct Answering<'a> {
    pub(crate) head: &'a Arc<RequestHead>,
    /// What was decided of the request.
    pub(crate) decision: Decision,
    /// Its place among what is under way.
    pub(crate) share: Share,
    pub(crate) state: &'a State,
    pub(crate) cx: &'a Context,
    pub(crate) dialect: Dialect,
    /// The wish for a WebSocket, and the connection that it lives on.
    pub(crate) asked: Option<(Asked, Arc<Life>)>,
}

// === impl Answering ===

impl Answering<'_> {
    /// Records the decision, sends, and relays the answer.
    async fn forward(
        self,
        judgement: Judgement,
        arrival: Arrival,
        framed: bool,
    ) -> Response<ResponseBody> {
        let (head, state, dialect) = (self.head, self.state, self.dialect);
        let Judgement {
            decision,
            body,
            bytes,
            flow,
            timing,
            share,
        } = judgement;
        let allowed = arrival.allowed(head, &decision, timing, &bytes, (flow.as_ref(), share));
        let (mut exchange, entry) = match allowed.await {
            Ok(recorded) => recorded,
            Err(refused) => return refusal(&refused, head, dialect),
        };
        let mut entry = Some(entry);
        if state.settings.sync_before_egress
            && let Some(entry) = entry.take()
            && entry.synced().await.is_err()
        {
            return exchange
                .failed(Reason::AuditUnavailable)
                .await
                .response(head, dialect);
        }
        let (upstream, route) = (&self.cx.upstream, state.route());
        let sent = if self.asked.is_some() {
            Box::pin(upstream.upgrade(head, body, route)).await
        } else {
            upstream.send(head, body, framed, route).await
        };
        exchange.answered(match &sent {
            Ok(sent) => Answered {
                address: Some(sent.address),
                http_status: Some(sent.response.status().as_u16()),
            },
            Err(error) => Answered {
                address: error.address,
                http_status: None,
            },
        });
        // The barrier ran beside the upstream's round trip; nothing reaches the agent before it.
        if let Some(entry) = entry
            && entry.synced().await.is_err()
        {
            return exchange
                .failed(Reason::AuditUnavailable)
                .await
                .response(head, dialect);
        }
        match sent {
            Ok(sent) => self.relay(sent, exchange).await,
            Err(error) => {
                let failed = exchange.failed(error.reason).await;
                match flow.as_ref().and_then(|flow| flow.stopped()) {
                    Some(decision) => refusal(&Refused::boxed(decision.clone()), head, dialect),
                    None => failed.response(head, dialect),
                }
            }
        }
    }

    async fn relay(mut self, mut sent: Sent, exchange: OpenExchange) -> Response<ResponseBody> {
        if sent.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let upstream = hyper::upgrade::on(&mut sent.response);
            return match self.asked.take() {
                Some(asked) => Box::pin(self.upgrade(sent, asked, upstream, exchange)).await,
                None => Box::pin(self.broken(exchange)).await,
            };
        }
        let (mut parts, incoming) = sent.response.into_parts();
        strip_response(&mut parts.headers);
        parts.extensions.clear();
        parts.version = Version::HTTP_11;
        let policies = self.state.snapshot.policies();
        if policies.scan_responses(&self.head.principal) && has_body(self.head, &incoming) {
            let judging = Judging {
                parts,
                body: incoming,
                exchange,
                checkin: sent.checkin,
                context: self,
            };
            return Box::pin(judging.respond()).await;
        }
        let idle_max = self.state.settings.timeouts.idle;
        let answer = Answer::Incoming(incoming);
        let body = ResponseBody::relayed(answer, exchange, sent.checkin, idle_max);
        Response::from_parts(parts, body)
    }

    async fn upgrade(
        self,
        sent: Sent,
        (agent, life): (Asked, Arc<Life>),
        upstream: OnUpgrade,
        exchange: OpenExchange,
    ) -> Response<ResponseBody> {
        let (mut parts, _) = sent.response.into_parts();
        if !websocket::is_agreed(&parts) {
            return self.broken(exchange).await;
        }
        strip_response(&mut parts.headers);
        parts.extensions.clear();
        let socket = Socket {
            agent,
            upstream,
            exchange,
            flows: websocket::flows(&self.state.snapshot, self.head, &self.decision),
            idle_max: self.state.settings.timeouts.idle,
            share: self.share,
            life,
        };
        socket.open(parts)
    }

    async fn broken(self, exchange: OpenExchange) -> Response<ResponseBody> {
        let failed = exchange.failed(Reason::UpstreamRefused).await;
        failed.response(self.head, self.dialect)
    }
}

/// The answer to an exchange that was allowed and then could not be carried out.
pub(crate) struct FailedExchange {
    pub(crate) id: ExchangeId,
    pub(crate) reason: Reason,
}

impl FailedExchange {
    pub(crate) fn response(&self, head: &RequestHead, dialect: Dialect) -> Response<ResponseBody> {
        let host = head.target.host.to_string();
        let refusal = Refusal {
            id: self.id,
            reason: self.reason,
            http_status: http_status(self.reason),
            agent: head.principal.agent(),
            detail: detail(self.reason, None, head.principal.agent(), &host),
            host: Some(host),
            findings: &[],
            limit: None,
        };
        refusal.response(dialect)
    }
}

/// Refuses what is no request, or is one that two readers could understand differently.
pub(crate) async fn refuse_malformed(
    arrival: Arrival,
    malformed: Malformed,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let refused = Refused {
        http_status: malformed.http_status(),
        detail: Some(malformed.detail()),
        ..*Refused::boxed(Decision::block(Reason::BadRequest))
    };
    refuse(arrival, None, refused, dialect).await
}

/// Records a refusal, on disk, then answers it.
pub(crate) async fn refuse(
    arrival: Arrival,
    head: Option<&RequestHead>,
    refused: Refused,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let id = arrival.id();
    let refused = arrival.refused(head, refused).await;
    match head {
        Some(head) => refusal(&refused, head, dialect),
        None => Refusal {
            id,
            reason: refused.decision.reason,
            http_status: refused.http_status,
            agent: None,
            host: None,
            detail: refused.detail.unwrap_or_default(),
            findings: &[],
            limit: None,
        }
        .response(dialect),
    }
}

/// The answer to a refused request.
pub(crate) fn refusal(
    refused: &Refused,
    head: &RequestHead,
    dialect: Dialect,
) -> Response<ResponseBody> {
    let Decision {
        reason,
        entry,
        findings,
        unopened,
        ..
    } = &refused.decision;
    let host = head.target.host.to_string();
    let agent = head.principal.agent();
    let list = entry.as_ref().and_then(|entry| entry.list);
    // Findings are named only where they decided: a refusal by host says nothing of the content, and
    // what was expected, reviewed or only noted is no reason.
    let named: Vec<&Finding> = (findings.iter())
        .filter(|finding| {
            matches!(reason, Reason::BlockedContent | Reason::BlockedResponse)
                && finding.treatment == Treatment::Block
        })
        .collect();
    let worst = named
        .iter()
        .max_by_key(|finding| (finding.severity, finding.confidence));
    let unopened = unopened
        .as_ref()
        .filter(|_| *reason == Reason::Uninspectable);
    let unopened = unopened.map(|what| format!("The request cannot be inspected: {what}."));
    let text = match (
        refused.detail.as_ref().or(unopened.as_ref()),
        worst,
        refused.limit,
    ) {
        (Some(text), _, _) => text.clone(),

        (None, Some(finding), _) => content_detail(*reason, &host, finding),
        (None, None, Some(limit)) => limit_detail(agent, limit),
        (None, None, None) => detail(*reason, list, agent, &host),
    };
    Refusal {
        id: head.id,
        reason: *reason,
        http_status: refused.http_status,
        agent,
        host: Some(host),
        detail: text,
        findings: &named,
        limit: refused.limit,
    }
    .response(dialect)
}

fn limit_detail(agent: Option<&oktsec_model::AgentName>, limit: LimitState) -> String {
    let who = agent.map_or_else(
        || "This caller".to_owned(),
        |agent| format!("Agent {agent}"),
    );
    format!(
        "{who} used {} of {} requests in {} s. More are accepted in {} s.",
        limit.used, limit.requests_max, limit.window_s, limit.retry_after_s
    )
}

// === impl Refused ===

impl Refused {
    pub(crate) fn boxed(decision: Decision) -> Box<Self> {
        let http_status = http_status(decision.reason);
        Box::new(Self {
            decision,
            http_status,
            detail: None,
            limit: None,
            timing: Timing::default(),
            bytes: None,
        })
    }
}

/// HTTP/2 clients may send a cookie in pieces; HTTP/1.1 knows one field (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut http::HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
