//! Upstreams on loopback, one in the clear and one over TLS, that answer for every name. They say
//! back what they received, and keep it, so that a test can assert that nothing arrived.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::authority;
use super::process::hex_sha256;

/// Servers and what they received.
pub(crate) struct Upstream {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// Speaks HTTP/2 and nothing else, for names that begin with `h2`.
    pub(crate) h2: SocketAddr,
    shared: Arc<Shared>,
    accepting: Vec<AbortHandle>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    broken: Mutex<Vec<Vec<u8>>>,
    /// Type, coding and body, by path.
    pages: Mutex<HashMap<String, (String, &'static str, Bytes)>>,
    connections: Mutex<usize>,
    released: watch::Sender<bool>,
}

type Answer = BoxBody<Bytes, Infallible>;

/// Body bytes that are said back as text.
const ECHO_BYTES_MAX: usize = 64 * 1024;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the system gives threads")
});

// === impl Upstream ===

impl Upstream {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            broken: Mutex::default(),
            pages: Mutex::default(),
            connections: Mutex::default(),
            released: watch::channel(false).0,
        });
        let bind = || {
            RUNTIME
                .block_on(TcpListener::bind("127.0.0.1:0"))
                .expect("loopback has ports")
        };
        let (plain, tls, h2) = (bind(), bind(), bind());
        let address = |listener: &TcpListener| listener.local_addr().expect("it is bound");
        let (plain_address, tls_address, h2_address) =
            (address(&plain), address(&tls), address(&h2));
        let acceptor = |protocol| TlsAcceptor::from(authority::server_config(protocol));
        let accepting = vec![
            RUNTIME
                .spawn(accept(plain, None, Arc::clone(&shared)))
                .abort_handle(),
            RUNTIME
                .spawn(accept(tls, Some(acceptor("http/1.1")), Arc::clone(&shared)))
                .abort_handle(),
            RUNTIME
                .spawn(accept(h2, Some(acceptor("h2")), Arc::clone(&shared)))
                .abort_handle(),
        ];
        Self {
            plain: plain_address,
            tls: tls_address,
            h2: h2_address,
            shared,
            accepting,
        }
    }

    /// Answers this path, under any host, with a page instead of an echo.
    pub(crate) fn page(&self, path: &str, content_type: &str, body: impl Into<Bytes>) {
        let page = (content_type.to_owned(), "identity", body.into());
        lock(&self.shared.pages).insert(path.to_owned(), page);
    }

    /// The same, in a content coding.
    pub(crate) fn coded_page(&self, path: &str, coding: &'static str, body: impl Into<Bytes>) {
        let page = ("text/plain".to_owned(), coding, body.into());
        lock(&self.shared.pages).insert(path.to_owned(), page);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// What came of bodies that broke off.
    pub(crate) fn broken(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.broken).clone()
    }

    /// Connections that were ever opened.
    pub(crate) fn connections(&self) -> usize {
        *lock(&self.shared.connections)
    }

    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        let received = self.received();
        assert!(received.is_empty(), "something arrived: {received:?}");
        assert_eq!(self.connections(), 0, "a connection was opened");
    }

    /// Lets the second half of `/events` and the answer of `/held` go.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
        self.release();
    }
}

// === impl Received ===

impl Received {
    /// Every value of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().chain(&self.trailers);
        fields
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        *lock(&shared.connections) += 1;
        tokio::spawn(greet(stream, tls.clone(), Arc::clone(&shared)));
    }
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, shared).await,
        Some(tls) => {
            // A client that does not like the certificate leaves here.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_h2(stream, shared).await;
            } else {
                serve(stream, shared).await;
            }
        }
    }
}

async fn serve<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let _ = http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn serve_h2<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Says back each message of a stream as it comes, and trailers at its end.
fn talk(mut body: Incoming) -> Response<Answer> {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let _ = sender.send(Frame::data(data)).await;
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let _ = sender.send(Frame::trailers(trailers)).await;
    });
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Frames { receiver }.boxed())
        .expect("the header is well formed")
}

/// Agrees to a WebSocket, which says back every message; one that is "say" and a number is answered
/// with so many bytes, "leave" with a farewell, "tick" with eight messages over two seconds.
fn socket(mut request: Request<Incoming>) -> Response<Answer> {
    let key = request.headers().get("sec-websocket-key").cloned();
    let accept = key
        .map(|key| derive_accept_key(key.as_bytes()))
        .unwrap_or_default();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text == "tick") {
                for _ in 0..8 {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    let _ = socket.send(Message::text("tock")).await;
                }
                continue;
            }
            let answer = match message
                .to_text()
                .ok()
                .and_then(|text| text.strip_prefix("say "))
            {
                Some(number) => Message::text("x".repeat(number.parse().unwrap_or(0))),
                None if message.to_text().is_ok_and(|text| text == "leave") => {
                    let _ = socket.close(None).await;
                    continue;
                }
                None if message.is_text() || message.is_binary() => message,
                None => continue,
            };
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    });
    Response::builder()
        .status(101)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .body(Full::new(Bytes::new()).boxed())
        .expect("the headers are well formed")
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Answer>, &'static str> {
    if ["/socket", "/talk"].contains(&request.uri().path()) {
        lock(&shared.received).push(headed(&request));
        return Ok(if request.uri().path() == "/talk" {
            talk(request.into_body())
        } else {
            socket(request)
        });
    }
    let (parts, body) = request.into_parts();
    let (body, trailers) = match whole(body).await {
        Ok(whole) => whole,
        Err(part) => {
            lock(&shared.broken).push(part);
            return Err("the body broke off");
        }
    };
    let trailers = trailers.as_ref().map(pairs).unwrap_or_default();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let headers = pairs(&parts.headers);
    let field = headers.iter().find(|(name, _)| name == "host");
    let host = field
        .map(|(_, value)| value.clone())
        .or_else(|| parts.uri.authority().map(ToString::to_string));
    let received = Received {
        method: parts.method.to_string(),
        host: host.unwrap_or_default(),
        headers,
        trailers,
        body: body.into(),
        path,
    };
    lock(&shared.received).push(received.clone());
    let page = lock(&shared.pages).get(parts.uri.path()).cloned();
    if let Some((content_type, coding, body)) = page {
        let mut response = full(&content_type, body);
        let coding = HeaderValue::from_static(coding);
        response.headers_mut().insert(CONTENT_ENCODING, coding);
        return Ok(response);
    }
    match parts.uri.path() {
        "/broken" => Err("as asked"),
        "/silent" => std::future::pending().await,
        "/held" => {
            let _ = shared
                .released
                .subscribe()
                .wait_for(|released| *released)
                .await;
            Ok(echo(&received))
        }
        "/events" => Ok(events(&shared)),
        _ => Ok(echo(&received)),
    }
}

/// A request whose body has not come.
fn headed(request: &Request<Incoming>) -> Received {
    Received {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        host: request.uri().host().unwrap_or_default().to_owned(),
        headers: pairs(request.headers()),
        trailers: Vec::new(),
        body: Bytes::new(),
    }
}

/// All of a body and its trailers, or the part that came.
async fn whole(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), Vec<u8>> {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(_) => return Err(bytes),
        }
    }
    Ok((bytes, trailers))
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn echo(received: &Received) -> Response<Answer> {
    let text = &received.body[..received.body.len().min(ECHO_BYTES_MAX)];
    let body = json!({
        "method": received.method,
        "path": received.path,
        "headers": received.headers,
        "body_len": received.body.len(),
        "body_sha256": hex_sha256(&received.body),
        "body": String::from_utf8_lossy(text),
    });
    full("application/json", body.to_string().into())
}

fn full(content_type: &str, body: Bytes) -> Response<Answer> {
    Response::builder()
        .header("content-type", content_type)
        .body(Full::new(body).boxed())
        .expect("the header is well formed")
}

/// One event at once, the next only when the test says so.
fn events(shared: &Shared) -> Response<Answer> {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let frame = |text: &'static [u8]| Frame::data(Bytes::from_static(text));
    let mut released = shared.released.subscribe();
    tokio::spawn(async move {
        let _ = sender.send(frame(b"data: first\n\n")).await;
        let wait = released.wait_for(|released| *released);
        let _ = tokio::time::timeout(Duration::from_secs(30), wait).await;
        let _ = sender.send(frame(b"data: second\n\n")).await;
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Frames { receiver }.boxed())
        .expect("the header is well formed")
}

struct Frames {
    receiver: tokio::sync::mpsc::Receiver<Frame<Bytes>>,
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(task).map(|frame| frame.map(Ok))
    }
}
