//! The WebSocket protocol (RFC 6455): the handshake is a request like any other; then messages are
//! judged one by one. Extensions are not negotiated, so that nothing is compressed and every message
//! can be read.

pub(crate) mod frames;
pub(crate) mod relay;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use http::header::{SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{Response, StatusCode, request, response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use oktsec_inspect::{Flow, Snapshot};
use oktsec_model::{Decision, Reason, RequestHead};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use self::frames::{CloseCode, close};
use self::relay::{End, Way};
use crate::account::OpenExchange;
use crate::body::ResponseBody;
use crate::flow::Side;
use crate::headers::ask_websocket;
use crate::load::Share;
use crate::strict::is_websocket;
use crate::via::Life;

/// An upgrade that was asked for, and the connection that it is asked on.
pub(crate) struct Asked(OnUpgrade);

/// Both ends of a connection that was upgraded, and what judges between them.
pub(crate) struct Socket {
    pub(crate) agent: Asked,
    pub(crate) upstream: OnUpgrade,
    pub(crate) exchange: OpenExchange,
    /// What judges what the agent sends, and what it is sent.
    pub(crate) flows: [Option<Flow>; 2],
    pub(crate) idle_max: Duration,
    /// What all bodies and messages that are held share, in KiB.
    pub(crate) share: Share,
    /// The connection counts until the socket has ended.
    pub(crate) life: Arc<Life>,
}

/// How long the other side may take to close once one has.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);
/// How much of what came before is looked at again with each message.
const CONTEXT_BYTES: usize = 8 * 1024;

// === impl Asked ===

impl Asked {
    /// Takes the wish for a WebSocket out of a request; nothing where it has none.
    pub(crate) fn take(parts: &mut request::Parts) -> Option<Self> {
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        upgrade.filter(|_| is_websocket(parts)).map(Self)
    }
}

/// Whether an upstream has agreed, to nothing but what it was asked for.
pub(crate) fn is_agreed(response: &response::Parts) -> bool {
    response.status == StatusCode::SWITCHING_PROTOCOLS
        && !response.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
        && response
            .headers
            .get(UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// What judges the two ways.
pub(crate) fn flows(
    snapshot: &Arc<Snapshot>,
    head: &Arc<RequestHead>,
    decision: &Decision,
) -> [Option<Flow>; 2] {
    let admitted = || Decision {
        findings: Vec::new(),
        ..decision.clone()
    };
    let policies = snapshot.policies();
    let up = policies
        .scan_requests(&head.principal)
        .then(|| Flow::messages(snapshot, head, admitted(), CONTEXT_BYTES));
    let down = policies
        .scan_responses(&head.principal)
        .then(|| Flow::answers(snapshot, head, admitted(), CONTEXT_BYTES));
    [up, down]
}

// === impl Socket ===

impl Socket {
    /// Answers the agent, and carries messages from then on.
    pub(crate) fn open(self, mut parts: response::Parts) -> Response<ResponseBody> {
        ask_websocket(&mut parts.headers);
        tokio::spawn(self.carry());
        Response::from_parts(parts, ResponseBody::full(""))
    }

    async fn carry(self) {
        let Ok((agent, upstream)) = tokio::try_join!(self.agent.0, self.upstream) else {
            return self.exchange.response_ended(Reason::ClientGone, 0);
        };
        let bytes = [AtomicU64::new(0), AtomicU64::new(0)];
        let [up, down] = self.flows;
        let ways = [
            (Side::Client, up, &bytes[0]),
            (Side::Upstream, down, &bytes[1]),
        ];
        let end = carry(
            agent,
            upstream,
            ways,
            (self.idle_max, &self.share),
            &self.life,
        )
        .await;
        drop(self.life);
        let [sent, received] = bytes.map(AtomicU64::into_inner);
        self.exchange.sent(sent);
        match end {
            End::Refused(decision, findings) => {
                self.exchange.broken_off(&decision, &findings, received);
            }
            end => self.exchange.response_ended(end.reason(), received),
        }
    }
}

/// Carries messages both ways until one has ended; what breaks a rule is answered with a close frame.
async fn carry(
    agent: Upgraded,
    upstream: Upgraded,
    ways: [(Side, Option<Flow>, &AtomicU64); 2],
    (idle_max, share): (Duration, &Share),
    life: &Life,
) -> End {
    let (agent_read, mut agent_write) = tokio::io::split(TokioIo::new(agent));
    let (upstream_read, mut upstream_write) = tokio::io::split(TokioIo::new(upstream));
    let between = [AtomicBool::new(true), AtomicBool::new(true)];
    let arrivals = AtomicU64::new(0);
    let [up, down] = ways;
    let way = |(side, flow, bytes), is_between| Way {
        side,
        flow,
        bytes,
        is_between,
        idle_max,
        arrivals: &arrivals,
        share,
    };
    let end = {
        let up = way(up, &between[0]).carry(agent_read, &mut upstream_write);
        let down = way(down, &between[1]).carry(upstream_read, &mut agent_write);
        tokio::pin!(up, down);
        let first = tokio::select! {
            end = &mut up => (end, true),
            end = &mut down => (end, false),
            () = life.stopped() => (End::Stopped, false),
        };
        match first {
            // The other side still has to say that it closes, too.
            (End::Closed, true) => tokio::time::timeout(CLOSING_TIME_MAX, down)
                .await
                .unwrap_or(End::Closed),
            (End::Closed, false) => tokio::time::timeout(CLOSING_TIME_MAX, up)
                .await
                .unwrap_or(End::Closed),
            (end, _) => end,
        }
    };
    let is_between = between.map(AtomicBool::into_inner);
    let said = match &end {
        End::Refused(decision, _) => Some((CloseCode::Policy, decision.reason.code())),
        End::Violation(code) => Some((*code, end.reason().code())),
        End::Stopped => Some((CloseCode::GoingAway, "the gateway stops")),
        End::Closed | End::Silent => None,
    };
    if let Some((code, reason)) = said {
        let mut mask = [0; 4];
        // Without randomness any mask will do: what it hides is our own sentence.
        let _ = getrandom::fill(&mut mask);
        let [to_upstream, to_agent] = is_between;
        say(&mut agent_write, to_agent, &close(code, reason, None)).await;
        say(
            &mut upstream_write,
            to_upstream,
            &close(code, "", Some(mask)),
        )
        .await;
    }
    // Whoever has left already needs no farewell.
    let _ = tokio::join!(agent_write.shutdown(), upstream_write.shutdown());
    end
}

async fn say(to: &mut (impl AsyncWrite + Unpin), is_between: bool, frame: &[u8]) {
    if is_between {
        // It is closed either way.
        let _ = tokio::time::timeout(CLOSING_TIME_MAX, to.write_all(frame)).await;
    }
}
