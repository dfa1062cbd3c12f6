//! Towards the upstream: dial an address that was judged, verify TLS always, send, and replay once
//! where that is safe.

mod message;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use oktsec_inspect::Snapshot;
use oktsec_model::{Host, Reason, RequestHead, Scheme, Target};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::body::RequestBody;
use crate::chain::{Chain, Wire};
use crate::headers::ask_websocket;
use crate::pool::{Checkin, Connection, Pool, PoolKey, Sender};
use crate::resolve::resolve;

use self::message::{build, copy, dress};

/// How long upstreams may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the head of a response has come.
    pub response_header: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For the body of a request that is held until it is judged.
    pub body: Duration,
    /// For a connection of an agent, however busy; a request under way is carried to its end.
    pub connection: Duration,
}

/// Connections to upstreams.
pub(crate) struct Upstream {
    pool: Arc<Pool>,
    tls: TlsConnector,
    /// For what HTTP/2 cannot do: upgrades.
    tls_h1: TlsConnector,
}

/// A response and the connection that it comes on.
pub(crate) struct Sent {
    pub(crate) response: Response<Incoming>,
    pub(crate) address: SocketAddr,
    pub(crate) checkin: Option<Checkin>,
}

/// What a request is sent by.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) timeouts: Timeouts,
    /// The proxy behind this one.
    pub(crate) chain: Option<&'a Chain>,
}

/// Why there is no response.
pub(crate) struct SendError {
    pub(crate) reason: Reason,
    pub(crate) address: Option<SocketAddr>,
}

/// The largest response head, in bytes, and its fields.
const RESPONSE_HEAD_BYTES_MAX: usize = 256 * 1024;
const RESPONSE_FIELDS_MAX: usize = 200;
/// How much of a response may be under way over HTTP/2, of one and of all on a connection.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// A connection that does not answer for so long is given up.
const PING_INTERVAL: Duration = Duration::from_secs(20);

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(tls: &ClientConfig) -> Self {
        Self {
            pool: Arc::new(Pool::default()),
            tls_h1: with_protocols(tls, &[b"http/1.1"]),
            tls: with_protocols(tls, &[b"h2", b"http/1.1"]),
        }
    }

    /// Drops connections that have been idle for too long.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }

    /// Sends the handshake of a WebSocket, on a connection of its own.
    pub(crate) async fn upgrade(
        &self,
        head: &RequestHead,
        body: RequestBody,
        route: Route<'_>,
    ) -> Result<Sent, SendError> {
        let timeouts = route.timeouts;
        let mut connection = Box::pin(self.open(&head.target, &self.tls_h1, route)).await?;
        let address = connection.address;
        let mut request = build(head, body, false);
        dress(&mut request, head, false)?;
        ask_websocket(request.headers_mut());
        let sending = connection.sender.send(request);
        let failed = |reason| SendError {
            reason,
            address: Some(address),
        };
        let response = tokio::time::timeout(timeouts.response_header, sending)
            .await
            .map_err(|_| failed(Reason::UpstreamTimeout))?
            .map_err(|_| failed(Reason::UpstreamRefused))?;
        Ok(Sent {
            response,
            address,
            checkin: None,
        })
    }

    /// Sends a judged request with its whole body.
    pub(crate) async fn send(
        &self,
        head: &RequestHead,
        body: RequestBody,
        framed: bool,
        route: Route<'_>,
    ) -> Result<Sent, SendError> {
        let timeouts = route.timeouts;
        let key = PoolKey {
            agent: head.principal.agent().cloned(),
            target: head.target.clone(),
            generation: route.snapshot.generation,
        };
        let mut request = build(head, body, framed);
        if let Some(connection) = self.pool.take(&key) {
            let address = connection.address;
            dress(&mut request, head, connection.sender.is_h2())?;
            // A kept connection may die under the request; what was not sent, and what may safely
            // be sent twice (RFC 9110, section 9.2.2), is tried once more on a fresh one.
            let replay = head
                .method
                .is_idempotent()
                .then(|| copy(&request))
                .flatten();
            match try_send(connection, request, timeouts).await {
                Ok((response, connection)) => {
                    return Ok(self.sent(key, response, connection, address));
                }
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Broken) => match replay {
                    Some(again) => request = again,
                    None => {
                        return Err(SendError {
                            reason: Reason::UpstreamRefused,
                            address: Some(address),
                        });
                    }
                },
                Err(Failure::Timeout) => {
                    return Err(SendError {
                        reason: Reason::UpstreamTimeout,
                        address: Some(address),
                    });
                }
            }
        }
        // Boxed: most requests find a connection, and carry no room for making one.
        let connection = Box::pin(self.open(&head.target, &self.tls, route)).await?;
        let address = connection.address;
        self.pool.share(&key, &connection);
        dress(&mut request, head, connection.sender.is_h2())?;
        match try_send(connection, request, timeouts).await {
            Ok((response, connection)) => Ok(self.sent(key, response, connection, address)),
            Err(failure) => Err(SendError {
                reason: failure.reason(),
                address: Some(address),
            }),
        }
    }

    /// Opens a connection for a tunnel whose bytes are not looked into.
    pub(crate) async fn dial(
        &self,
        target: &Target,
        route: Route<'_>,
    ) -> Result<(Box<dyn Wire>, SocketAddr), SendError> {
        let time_max = route.timeouts.connect;
        let addresses = resolve(target, route.snapshot).await;
        if let Some(chain) = route.chain.filter(|chain| chain.covers(&target.host)) {
            // A name that only the proxy knows is its to look up; what is known here is judged here.
            if let Err(reason) = addresses
                && reason != Reason::UpstreamDns
            {
                return Err(SendError {
                    reason,
                    address: None,
                });
            }
            let opened = chain.open(target, &self.tls_h1, time_max).await;
            return opened.map_err(|error| SendError {
                reason: chain_reason(&error),
                address: None,
            });
        }
        let addresses = addresses.map_err(|reason| SendError {
            reason,
            address: None,
        })?;
        let stream = connect(&addresses, time_max).await?;
        let address = stream.peer_addr().map_err(|_| SendError::refused(None))?;
        Ok((Box::new(stream), address))
    }

    async fn open(
        &self,
        target: &Target,
        tls: &TlsConnector,
        route: Route<'_>,
    ) -> Result<Connection, SendError> {
        let timeouts = route.timeouts;
        let (stream, address) = self.dial(target, route).await?;
        let failed = |reason| SendError {
            reason,
            address: Some(address),
        };
        let sender = match target.scheme {
            Scheme::Http => handshake_h1(TokioIo::new(stream)).await,
            Scheme::Https => {
                let name = server_name(&target.host).ok_or_else(|| failed(Reason::UpstreamTls))?;
                let connecting = tls.connect(name, stream);
                let stream = tokio::time::timeout(timeouts.connect, connecting)
                    .await
                    .map_err(|_| failed(Reason::UpstreamTimeout))?
                    .map_err(|error| failed(tls_reason(&error)))?;
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    handshake_h2(TokioIo::new(stream)).await
                } else {
                    handshake_h1(TokioIo::new(stream)).await
                }
            }
        };
        let sender = sender.map_err(|_| failed(Reason::UpstreamRefused))?;
        Ok(Connection::new(sender, address))
    }

    fn sent(
        &self,
        key: PoolKey,
        response: Response<Incoming>,
        connection: Connection,
        address: SocketAddr,
    ) -> Sent {
        let checkin = Checkin {
            pool: Arc::clone(&self.pool),
            key,
            connection,
        };
        Sent {
            response,
            address,
            checkin: Some(checkin),
        }
    }
}

enum Failure {
    /// Written at least in part, then broken.
    Broken,
    Timeout,
    /// Nothing was written.
    Unsent(Box<Request<RequestBody>>),
}

impl Failure {
    const fn reason(&self) -> Reason {
        match self {
            Self::Broken | Self::Unsent(_) => Reason::UpstreamRefused,
            Self::Timeout => Reason::UpstreamTimeout,
        }
    }
}

impl SendError {
    const fn refused(address: Option<SocketAddr>) -> Self {
        Self {
            reason: Reason::UpstreamRefused,
            address,
        }
    }
}

async fn try_send(
    mut connection: Connection,
    request: Request<RequestBody>,
    timeouts: Timeouts,
) -> Result<(Response<Incoming>, Connection), Failure> {
    let moved = request.body().moved();
    let sending = connection.sender.send(request);
    match while_moving(sending, moved.as_deref(), timeouts.response_header).await {
        None => Err(Failure::Timeout),
        // We never ask for another protocol, so that an upstream that switches is broken.
        Some(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Err(Failure::Broken)
        }
        Some(Ok(response)) => Ok((response, connection)),
        Some(Err(mut error)) => match error.take_message() {
            Some(request) => Err(Failure::Unsent(Box::new(request))),
            None => Err(Failure::Broken),
        },
    }
}

/// Waits for an answer as long as the body moves, and then for `time_max`.
async fn while_moving<F: Future>(
    answer: F,
    moved: Option<&AtomicU64>,
    time_max: Duration,
) -> Option<F::Output> {
    tokio::pin!(answer);
    let bytes = || moved.map_or(0, |moved| moved.load(Ordering::Relaxed));
    let mut before = bytes();
    loop {
        if let Ok(answer) = tokio::time::timeout(time_max, answer.as_mut()).await {
            return Some(answer);
        }
        if bytes() == before {
            return None;
        }
        before = bytes();
    }
}

fn with_protocols(config: &ClientConfig, protocols: &[&[u8]]) -> TlsConnector {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn handshake_h2<S>(io: TokioIo<S>) -> hyper::Result<Sender>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(RESPONSE_HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .handshake(io)
        .await?;
    // Its errors reach the requests that were under way.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Sender::H2(sender))
}

async fn handshake_h1<S>(io: TokioIo<S>) -> hyper::Result<Sender>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(RESPONSE_FIELDS_MAX)
        .max_buf_size(RESPONSE_HEAD_BYTES_MAX)
        .handshake(io)
        .await?;
    // Its errors reach the request that was under way; an idle connection may end as it likes.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(Sender::H1(sender))
}

/// Why the proxy behind this one did not open a connection.
fn chain_reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::TimedOut => Reason::UpstreamTimeout,
        _ => tls_reason(error),
    }
}

async fn connect(addresses: &[SocketAddr], time_max: Duration) -> Result<TcpStream, SendError> {
    let trying = async {
        let mut last = SendError::refused(None);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream
                        .set_nodelay(true)
                        .map_err(|_| SendError::refused(Some(*address)))?;
                    return Ok(stream);
                }
                Err(error) => {
                    let reason = match error.kind() {
                        io::ErrorKind::TimedOut => Reason::UpstreamTimeout,
                        _ => Reason::UpstreamRefused,
                    };
                    last = SendError {
                        reason,
                        address: Some(*address),
                    };
                }
            }
        }
        Err(last)
    };
    tokio::time::timeout(time_max, trying)
        .await
        .unwrap_or_else(|_| {
            Err(SendError {
                reason: Reason::UpstreamTimeout,
                address: addresses.first().copied(),
            })
        })
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Ip(ip) => Some(ServerName::from(*ip)),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}

/// A handshake that failed on the certificate or the protocol is the upstream's fault; one that
/// was cut off is a broken connection.
fn tls_reason(error: &io::Error) -> Reason {
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
    {
        Reason::UpstreamTls
    } else {
        Reason::UpstreamRefused
    }
}
