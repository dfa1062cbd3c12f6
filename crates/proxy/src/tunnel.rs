//! CONNECT: a tunnel is opened for inspection, spliced unseen where the operator says so, or
//! refused. Nothing is resolved or dialled before a request inside it has been judged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, request};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use oktsec_audit::Inspection;
use oktsec_model::{
    Action, Decision, ExchangeId, Host, HttpVersion, Principal, Reason, RequestHead, Scheme,
    Target, Timestamp,
};
use rustls::server::Acceptor;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::account::{Arrival, OpenTunnel};
use crate::blind::{Blind, Splice};
use crate::body::ResponseBody;
use crate::client::{ClientStream, Prefixed, TLS_HANDSHAKE, handshake_reason};
use crate::connection::{serve_h1, serve_h2};
use crate::context::{Context, State};
use crate::exchange::{FailedExchange, Refused, refuse, refuse_malformed};
use crate::framing::Framed;
use crate::identify::Claims;
use crate::respond::Dialect;
use crate::socks::{self, Reply};
use crate::strict::{self, Malformed};
use crate::via::{Tunnel, Via};

/// A client may take this long for its first byte, and for its handshake.
const SNIFF_TIME_MAX: Duration = Duration::from_secs(10);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers a CONNECT request and starts what follows it.
pub(crate) async fn connect(
    request: Request<Incoming>,
    via: Via,
    cx: Arc<Context>,
) -> Response<ResponseBody> {
    let (mut parts, _body) = request.into_parts();
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        let (arrival, _) = arrive(&parts, &via, &cx);
        return refuse_malformed(arrival, Malformed::TargetForm, Dialect::Problem).await;
    };
    match open(&parts, via, &cx).await {
        Ok(Opened::Blind(splice)) => {
            tokio::spawn(async move {
                match upgrade.await {
                    Ok(upgraded) => splice.carry(TokioIo::new(upgraded)).await,
                    Err(_) => splice.gone(),
                }
            });
        }
        Ok(Opened::Inspected(inspected)) => {
            tokio::spawn(async move {
                match taken(upgrade).await {
                    Ok(stream) => inspected.serve(stream, &cx).await,
                    Err(reason) => inspected.closed(reason),
                }
            });
        }
        Err(refusal) => return refusal,
    }
    Response::new(ResponseBody::full(""))
}

/// Answers a SOCKS request, told as the CONNECT that it stands for, and serves what follows it.
pub(crate) async fn socks(
    mut stream: ClientStream,
    parts: request::Parts,
    via: Via,
    cx: Arc<Context>,
) {
    let opened = match open(&parts, via, &cx).await {
        Ok(opened) => opened,
        Err(refusal) => {
            let is_upstream = refusal.status().is_server_error();
            let reply = if is_upstream {
                Reply::Refused
            } else {
                Reply::NotAllowed
            };
            // Whoever is gone needs no answer.
            return drop(socks::answer(&mut stream, reply).await);
        }
    };
    let is_there = socks::answer(&mut stream, Reply::Succeeded).await.is_ok();
    match opened {
        Opened::Blind(splice) if is_there => splice.carry(stream).await,
        Opened::Blind(splice) => splice.gone(),
        Opened::Inspected(inspected) if is_there => {
            let stream = Prefixed::new(Bytes::new(), stream);
            inspected.serve(stream, &cx).await;
        }
        Opened::Inspected(inspected) => inspected.closed(Reason::ClientGone),
    }
}

/// A tunnel that may be used.
enum Opened {
    Blind(Splice),
    Inspected(Inspected),
}

/// A tunnel that is looked into.
struct Inspected {
    open: OpenTunnel,
    tunnel: Arc<Tunnel>,
    via: Via,
}

// === impl Inspected ===

impl Inspected {
    async fn serve(self, stream: Prefixed<ClientStream>, cx: &Arc<Context>) {
        let reason = inspect(stream, &self.tunnel, self.via.clone(), cx).await;
        self.closed(reason);
    }

    fn closed(self, reason: Reason) {
        let exchanges = self.tunnel.exchanges.load(Ordering::Relaxed);
        let reason = if exchanges > 0 {
            Reason::Allowed
        } else {
            reason
        };
        self.open.closed(reason, exchanges, (0, 0));
    }
}

fn arrive(parts: &request::Parts, via: &Via, cx: &Arc<Context>) -> (Arrival, Arc<State>) {
    let now = cx.clock.now();
    let id = cx.clock.id(now);
    let state = cx.state();
    (Arrival::new(cx, id, now, via, parts, &state), state)
}

/// Judges whether a tunnel may be opened, and writes down that it is. Nothing is dialled for one that
/// will be looked into.
async fn open(
    parts: &request::Parts,
    via: Via,
    cx: &Arc<Context>,
) -> Result<Opened, Response<ResponseBody>> {
    let (mut arrival, state) = arrive(parts, &via, cx);
    let id = arrival.id();
    let target = match connect_target(parts) {
        Ok(target) => target,
        Err(malformed) => {
            return Err(refuse_malformed(arrival, malformed, Dialect::Problem).await);
        }
    };
    let identity = &state.settings.identity;
    let claims = Claims::default().read(&parts.headers, identity);
    let principal = claims.principal(via.client, identity);
    arrival.identified(&principal, &target);
    let decision = state.snapshot.admit(&principal, &target, &Method::CONNECT);

    if !state.snapshot.intercepts(&target) {
        let blind = Blind {
            arrival,
            principal,
            target,
            decision,
            via,
        };
        return blind.open(&state, cx).await.map(Opened::Blind);
    }
    if decision.action == Action::Block && !answers_inside(&decision, &target, &via, cx) {
        let refused = Refused::boxed(decision);
        return Err(refuse_connect(arrival, &principal, target, refused).await);
    }
    let open = arrival.tunnel_opened(Inspection::Tls, false).await;
    if !open.is_recorded() {
        return Err(unrecorded(id, &principal, target, open));
    }
    let tunnel = Arc::new(Tunnel {
        id,
        target,
        claims,
        exchanges: AtomicU64::new(0),
    });
    let via = Via {
        tunnel: Some(Arc::clone(&tunnel)),
        ..via
    };
    Ok(Opened::Inspected(Inspected { open, tunnel, via }))
}

fn connect_target(parts: &request::Parts) -> Result<Target, Malformed> {
    strict::check_message(parts)?;
    // The authority alone, without anything around it (RFC 9110, section 9.3.6).
    if parts.uri.scheme().is_some() || parts.uri.path_and_query().is_some() {
        return Err(Malformed::TargetForm);
    }
    let authority = parts.uri.authority().ok_or(Malformed::TargetForm)?;
    Target::parse_authority(authority.as_str(), Scheme::Https).map_err(Malformed::Target)
}

/// Whether a refusal can be read inside the tunnel: the client speaks first (HTTP and TLS ports),
/// and did not lately reject our certificates. A caller without a name may give it inside.
fn answers_inside(decision: &Decision, target: &Target, via: &Via, cx: &Context) -> bool {
    const HTTP_PORT: u16 = 80;
    const TLS_PORT_ENDING: u16 = 443;
    if decision.reason == Reason::UnknownAgent {
        return true;
    }
    let speaks_first = target.port == HTTP_PORT || target.port % 1000 == TLS_PORT_ENDING;
    speaks_first && !cx.distrust.knows(via.client.ip())
}

/// The stream of a client whose CONNECT was answered.
async fn taken(upgrade: OnUpgrade) -> Result<Prefixed<ClientStream>, Reason> {
    let upgraded = upgrade.await.map_err(|_| Reason::ClientGone)?;
    // Only our own listener makes these connections, so that the type is known.
    let Parts { io, read_buf, .. } = upgraded
        .downcast::<TokioIo<Framed<ClientStream>>>()
        .map_err(|_| Reason::ProtocolBlocked)?;
    Ok(Prefixed::new(read_buf, io.into_inner().into_inner()))
}

/// Serves what comes through the tunnel. The answer is what a tunnel without any request inside
/// ended for.
async fn inspect(
    mut stream: Prefixed<ClientStream>,
    tunnel: &Arc<Tunnel>,
    via: Via,
    cx: &Arc<Context>,
) -> Reason {
    let sniffed = tokio::select! {
        sniffed = tokio::time::timeout(SNIFF_TIME_MAX, stream.peek()) => sniffed,
        () = via.life.stopped() => return Reason::ClientGone,
    };
    let first = match sniffed {
        Ok(Ok(Some(first))) => first,
        Ok(Ok(None) | Err(_)) => return Reason::ClientGone,
        Err(_) => return Reason::ClientTimeout,
    };
    match first {
        TLS_HANDSHAKE => serve_tls(stream, tunnel, via, cx).await,
        // The first byte of an HTTP method.
        b'A'..=b'Z' => {
            let plain = Tunnel {
                id: tunnel.id,
                target: Target {
                    scheme: Scheme::Http,
                    ..tunnel.target.clone()
                },
                claims: tunnel.claims.clone(),
                exchanges: AtomicU64::new(0),
            };
            let plain = Arc::new(plain);
            let via = Via {
                tunnel: Some(Arc::clone(&plain)),
                ..via
            };
            let reason = Box::pin(serve_h1(stream, via, cx)).await;
            tunnel
                .exchanges
                .fetch_add(plain.exchanges.load(Ordering::Relaxed), Ordering::Relaxed);
            reason
        }
        _ => Reason::ProtocolBlocked,
    }
}

async fn serve_tls(
    stream: Prefixed<ClientStream>,
    tunnel: &Arc<Tunnel>,
    via: Via,
    cx: &Arc<Context>,
) -> Reason {
    let client = via.client.ip();
    // What is boxed takes no room once it is over.
    let handshake = Box::pin(accept(stream, &tunnel.target.host, cx));
    let stream = match tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(Rejected::Tls(error))) => {
            let reason = handshake_reason(&error);
            if reason == Reason::TlsClientRejected {
                cx.distrust.remember(client);
            }
            return reason;
        }
        Ok(Err(Rejected::Reason(reason))) => return reason,
        Err(_) => return Reason::ClientTimeout,
    };
    cx.distrust.forget(client);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(serve_h2(stream, via, cx)).await
    } else {
        Box::pin(serve_h1(stream, via, cx)).await
    }
}

enum Rejected {
    Reason(Reason),
    Tls(io::Error),
}

async fn accept(
    stream: Prefixed<ClientStream>,
    host: &Host,
    cx: &Context,
) -> Result<TlsStream<Prefixed<ClientStream>>, Rejected> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(Rejected::Tls)?;
    let hello = start.client_hello();
    if !is_meant(hello.server_name(), host) {
        return Err(Rejected::Reason(Reason::HostMismatch));
    }
    let config = cx
        .authority
        .server_config(host, cx.clock.now())
        .map_err(|error| {
            tracing::error!(error = %error, "leaf certificate not made");
            Rejected::Reason(Reason::ProtocolBlocked)
        })?;
    start.into_stream(config).await.map_err(Rejected::Tls)
}

/// Without a name the client means the address it asked for; with one it must mean our host.
pub(crate) fn is_meant(name: Option<&str>, host: &Host) -> bool {
    name.is_none_or(|name| Host::parse(name).ok().as_ref() == Some(host))
}

/// Nothing passes without a record, not even what is only opened.
pub(crate) fn unrecorded(
    id: ExchangeId,
    principal: &Principal,
    target: Target,
    open: OpenTunnel,
) -> Response<ResponseBody> {
    let reason = Reason::AuditUnavailable;
    open.failed(reason);
    FailedExchange { id, reason }.response(&connect_head(id, principal, target), Dialect::Problem)
}

/// Answers a CONNECT with a refusal, in the form that the few clients read that show it at all.
pub(crate) async fn refuse_connect(
    arrival: Arrival,
    principal: &Principal,
    target: Target,
    refused: Box<Refused>,
) -> Response<ResponseBody> {
    let head = connect_head(arrival.id(), principal, target);
    refuse(arrival, Some(&head), *refused, Dialect::Problem).await
}

/// The head that a CONNECT request has, for its answer.
pub(crate) fn connect_head(id: ExchangeId, principal: &Principal, target: Target) -> RequestHead {
    RequestHead {
        id,
        at: Timestamp::default(),
        principal: principal.clone(),
        target,
        method: Method::CONNECT,
        path_and_query: String::new(),
        headers: HeaderMap::new(),
        version: HttpVersion::Http11,
    }
}
