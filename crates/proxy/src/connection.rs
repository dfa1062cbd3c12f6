//! One client connection: HTTP/1.1 on the outside; inside a tunnel whatever the client negotiated.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use oktsec_model::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::account::Arrival;
use crate::balancer;
use crate::body::ResponseBody;
use crate::client::ClientStream;
use crate::context::Context;
use crate::exchange;
use crate::framing::Framed;
use crate::socks;
use crate::strict::HEAD_BYTES_MAX;
use crate::tunnel;
use crate::via::{Life, Via};

/// A request head may take this long, and a connection may be idle this long.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// A balancer sends its header at once.
const BALANCER_TIME_MAX: Duration = Duration::from_secs(5);
const FIELDS_MAX: usize = 100;
const STREAMS_MAX: u32 = 128;
const RESETS_PENDING_MAX: usize = 20;

/// Serves a connection that came to the listener, until it ends or `stop` is told.
pub(crate) async fn serve(mut stream: TcpStream, client: SocketAddr, cx: Arc<Context>, life: Life) {
    let mut via = Via {
        client,
        tunnel: None,
        life: Arc::new(life),
    };
    let named = tokio::select! {
        named = client_of(&mut stream, client, &cx) => named,
        () = via.life.stopped() => return,
    };
    match named {
        Some(client) => via.client = client,
        None => return Arrival::unreadable(&cx, &via, Reason::BadRequest).await,
    }
    match cx.load.connect(via.client.ip()) {
        Some(connected) => via.life.belongs(connected),
        None => return Arrival::unreadable(&cx, &via, Reason::Overloaded).await,
    }
    let life = Arc::clone(&via.life);
    let certificate = cx.state().settings.certificate.clone();
    let opened = tokio::select! {
        opened = ClientStream::accept(stream, certificate) => opened,
        () = life.stopped() => return,
    };
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(reason) => return Arrival::unreadable(&cx, &via, reason).await,
    };
    let first = tokio::select! {
        first = stream.first() => first,
        () = life.stopped() => return,
    };
    if first == Some(socks::VERSION) {
        // Boxed, as is all that most connections have no use for: it would take its room in each.
        return Box::pin(socks::serve(stream, via, cx)).await;
    }
    let service = {
        let (cx, via) = (Arc::clone(&cx), via.clone());
        service_fn(move |request| {
            let (cx, via) = (Arc::clone(&cx), via.clone());
            answered(request, |request| route(request, via, cx))
        })
    };
    let connection = h1_builder()
        .serve_connection(TokioIo::new(Framed::new(stream)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = life.stopped() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = life.idle() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        record_broken(&error, &via, &cx).await;
    }
}

/// Who is at the other end, or behind the balancer there. Nobody where a balancer does not say.
async fn client_of(stream: &mut TcpStream, client: SocketAddr, cx: &Context) -> Option<SocketAddr> {
    let ip = client.ip().to_canonical();
    let state = cx.state();
    if !state
        .settings
        .balancers
        .iter()
        .any(|network| network.contains(&ip))
    {
        return Some(client);
    }
    let reading = balancer::read(stream);
    match tokio::time::timeout(BALANCER_TIME_MAX, reading).await {
        Ok(Ok(named)) => Some(named.unwrap_or(client)),
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(client = %client, "no PROXY protocol header from a source in forward_proxy.proxy_protocol_from");
            None
        }
    }
}

/// A request on the proxy port: a tunnel, a page of our own, or an exchange.
async fn route(request: Request<Incoming>, via: Via, cx: Arc<Context>) -> Response<ResponseBody> {
    if request.method() == Method::CONNECT {
        return tunnel::connect(request, via, cx).await;
    }
    if request.uri().scheme().is_none()
        && let Some(page) = own_page(&request, &cx)
    {
        return page;
    }
    exchange::handle(request, via, cx).await
}

/// Serves HTTP/1.1 inside a tunnel. The answer is the reason for a tunnel that carried nothing.
pub(crate) async fn serve_h1<S>(stream: S, via: Via, cx: &Arc<Context>) -> Reason
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = inner_service(via.clone(), Arc::clone(cx));
    let connection = h1_builder()
        .serve_connection(TokioIo::new(Framed::new(stream)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let life = Arc::clone(&via.life);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = life.stopped() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = life.idle() => Ok(()),
            }
        }
    };
    match ended {
        Ok(()) => Reason::ClientGone,
        Err(error) => {
            record_broken(&error, &via, cx).await;
            if error.is_timeout() {
                Reason::ClientTimeout
            } else {
                Reason::ClientGone
            }
        }
    }
}

/// Serves HTTP/2 inside a tunnel.
pub(crate) async fn serve_h2<S>(stream: S, via: Via, cx: &Arc<Context>) -> Reason
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .keep_alive_interval(HEAD_TIME_MAX);
    let life = Arc::clone(&via.life);
    let service = inner_service(via, Arc::clone(cx));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = life.stopped() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = life.idle() => Ok(()),
            }
        }
    };
    match ended {
        Ok(()) => Reason::ClientGone,
        Err(error) if error.is_timeout() => Reason::ClientTimeout,
        Err(_) => Reason::ProtocolBlocked,
    }
}

fn inner_service(
    via: Via,
    cx: Arc<Context>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<ResponseBody>,
    Error = std::convert::Infallible,
    Future: Future<Output = Result<Response<ResponseBody>, std::convert::Infallible>> + Send,
> + Send {
    service_fn(move |request| {
        let (cx, via) = (Arc::clone(&cx), via.clone());
        answered(request, |request| exchange::handle(request, via, cx))
    })
}

/// Answers a request. Behind a tunnel that was asked for and not opened the connection closes: what
/// comes after such a head is not followed (see `framing`).
pub(crate) async fn answered<B, T, F: Future<Output = Response<T>>>(
    request: Request<B>,
    answer: impl FnOnce(Request<B>) -> F,
) -> Result<Response<T>, std::convert::Infallible> {
    let is_connect = request.method() == Method::CONNECT;
    let asks = is_connect || request.headers().contains_key(UPGRADE);
    let mut response = answer(request).await;
    let status = response.status();
    let is_open = status == StatusCode::SWITCHING_PROTOCOLS || is_connect && status.is_success();
    if asks && !is_open {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

pub(crate) fn h1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
}

/// hyper answers what it cannot parse by itself; the row is ours to write.
async fn record_broken(error: &hyper::Error, via: &Via, cx: &Arc<Context>) {
    if error.is_parse() {
        Arrival::unreadable(cx, via, Reason::BadRequest).await;
    } else if error.is_incomplete_message() {
        Arrival::unreadable(cx, via, Reason::ClientGone).await;
    }
}

/// The few pages of the proxy port: no data, only what a client needs to connect.
fn own_page(request: &Request<Incoming>, cx: &Context) -> Option<Response<ResponseBody>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let (content_type, body) = match request.uri().path() {
        "/" => ("text/html; charset=utf-8", INDEX.to_owned()),
        "/healthz" => ("text/plain; charset=utf-8", "ok\n".to_owned()),
        "/ca.pem" => ("application/x-pem-file", cx.ca_pem.to_string()),
        "/proxy.pac" => ("application/x-ns-proxy-autoconfig", pac(request)?),
        _ => return None,
    };
    let mut response = Response::new(ResponseBody::full(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(response)
}

fn pac(request: &Request<Incoming>) -> Option<String> {
    let host = request.headers().get(http::header::HOST)?.to_str().ok()?;
    let target = oktsec_model::Target::parse_host_field(host, oktsec_model::Scheme::Http).ok()?;
    let (field, port) = (target.host_field(), target.port);
    let authority = if field.ends_with(&format!(":{port}")) {
        field
    } else {
        format!("{field}:{port}")
    };
    Some(format!(
        "function FindProxyForURL(url, host) {{\n  if (isPlainHostName(host) || host === \"127.0.0.1\") return \"DIRECT\";\n  return \"PROXY {authority}\";\n}}\n"
    ))
}

const INDEX: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>oktsec</title>\
<h1>oktsec</h1><p>An egress DLP proxy for AI agents listens here. Set <code>HTTP_PROXY</code> and \
<code>HTTPS_PROXY</code> to this address, and trust <a href=\"/ca.pem\">its CA</a>.</p>\
<ul><li><a href=\"/healthz\">/healthz</a><li><a href=\"/ca.pem\">/ca.pem</a><li><a href=\"/proxy.pac\">/proxy.pac</a></ul></html>\n";

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// The targets of the requests that are delivered; none of them opens a tunnel.
    async fn delivered(text: &str) -> Vec<String> {
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(text.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let seen = Mutex::new(Vec::new());
        let service = service_fn(|request: Request<Incoming>| {
            seen.lock().unwrap().push(request.uri().to_string());
            answered(request, |_| async {
                let mut response = Response::new(ResponseBody::full(""));
                *response.status_mut() = StatusCode::FORBIDDEN;
                response
            })
        });
        let served = h1_builder().serve_connection(TokioIo::new(Framed::new(server)), service);
        // How it ends is hyper's.
        let _ = served.await;
        seen.into_inner().unwrap()
    }

    #[tokio::test]
    async fn nothing_follows_a_tunnel_that_was_not_opened() {
        let twice = "POST http://b/ HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n";
        for first in [
            "GET http://a/ HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\nGET http://a/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
        ] {
            let targets = delivered(&format!("{first}{twice}")).await;
            assert!(
                !targets.is_empty() && !targets.contains(&"http://b/".to_owned()),
                "{first:?}"
            );
        }
        let plain = "GET http://a/ HTTP/1.1\r\n\r\nGET http://b/ HTTP/1.1\r\n\r\n";
        assert_eq!(delivered(plain).await, ["http://a/", "http://b/"]);
    }
}
