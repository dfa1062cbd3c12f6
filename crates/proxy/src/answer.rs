//! Answers that are judged on their way to the agent: held as long as that delays nothing, so that a
//! refusal can still be told; then scanned as they flow.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, response};
use hyper::body::{Body, Incoming};
use oktsec_inspect::Flow;
use oktsec_model::{Action, Decision, Reason, RequestHead};

use crate::account::OpenExchange;
use crate::body::{Answer, ResponseBody};
use crate::exchange::{Answering, Refused, refusal};
use crate::flow::{self, Begun, Side, Source};
use crate::pool::Checkin;

/// An answer whose length is not known, and that pauses for so long, may be waited for: events, a
/// stream of tokens.
const ANSWER_PAUSE: Duration = Duration::from_millis(5);

/// What a stream of events is likely to hold at a time.
const EVENTS_BYTES: usize = 256 * 1024;

/// An answer to be judged.
pub(crate) struct Judging<'a> {
    pub(crate) parts: response::Parts,
    pub(crate) body: Incoming,
    pub(crate) exchange: OpenExchange,
    pub(crate) checkin: Option<Checkin>,
    pub(crate) context: Answering<'a>,
}

// === impl Judging ===

impl Judging<'_> {
    /// The answer, as far as it may reach the agent.
    pub(crate) async fn respond(mut self) -> Response<ResponseBody> {
        let snapshot = &self.context.state.snapshot;
        let idle_max = self.context.state.settings.timeouts.idle;
        let length = self.body.size_hint().exact();
        let likely = length.map_or(usize::MAX, |bytes| {
            usize::try_from(bytes).unwrap_or(usize::MAX)
        });
        let held = likely.min(if is_events(&self.parts.headers) {
            EVENTS_BYTES
        } else {
            snapshot.body_bytes_max()
        });
        let Some(held) = self.context.share.hold(held) else {
            return self.refuse(Reason::Overloaded).await;
        };
        let can_be_held = length.is_some_and(|bytes| bytes <= snapshot.body_bytes_max() as u64);
        let admitted = Decision {
            findings: Vec::new(),
            ..self.context.decision.clone()
        };
        let headers = self.parts.headers.clone();
        let mut flow = Flow::response(snapshot, self.context.head, headers, admitted);
        let mut source = Source {
            body: self.body,
            side: Side::Upstream,
            idle_max,
            pause: (!can_be_held).then_some(ANSWER_PAUSE),
        };
        let filled = match source.fill(&mut flow).await {
            Ok(filled) => filled,
            Err(reason) => {
                let failed = self.exchange.failed(reason).await;
                return failed.response(self.context.head, self.context.dialect);
            }
        };
        let (flow, first) = match flow::judge(flow, filled.moment(), &self.context.share).await {
            Ok(judged) => judged,
            Err((flow, decision)) => {
                let later = flow.map_or_else(Vec::new, |flow| flow.later().to_vec());
                self.exchange.refused(&decision, &later).await;
                let refused = Refused::boxed(*decision);
                return refusal(&refused, self.context.head, self.context.dialect);
            }
        };
        let begun = Begun {
            flow,
            first: (first, filled),
            source,
            length,
            held: vec![held],
            share: self.context.share.clone(),
        };
        let (released, outcome, _) = begun.start();
        self.exchange.responds(outcome);
        let answer = Answer::Flowing(released);
        let body = ResponseBody::relayed(answer, self.exchange, self.checkin, idle_max);
        Response::from_parts(self.parts, body)
    }

    async fn refuse(self, reason: Reason) -> Response<ResponseBody> {
        let decision = Decision {
            action: Action::Block,
            reason,
            findings: Vec::new(),
            ..self.context.decision
        };
        self.exchange.refused(&decision, &[]).await;
        refusal(
            &Refused::boxed(decision),
            self.context.head,
            self.context.dialect,
        )
    }
}

/// Leaves of the codings that an agent accepts those that can be undone here.
pub(crate) fn limit_codings(headers: &mut HeaderMap) {
    let values: Vec<String> = (headers.get_all(ACCEPT_ENCODING).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|item| item.trim().to_owned())
        .filter(|item| {
            let name = item.split(';').next().unwrap_or_default();
            oktsec_inspect::undoes_coding(name.trim())
        })
        .collect();
    let text = if values.is_empty() {
        "identity".to_owned()
    } else {
        values.join(", ")
    };
    if headers.contains_key(ACCEPT_ENCODING)
        && let Ok(value) = HeaderValue::try_from(text)
    {
        headers.insert(ACCEPT_ENCODING, value);
    }
}

fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}

/// Whether an answer has anything to judge.
pub(crate) fn has_body(head: &RequestHead, body: &Incoming) -> bool {
    head.method != Method::HEAD && !body.is_end_stream()
}
