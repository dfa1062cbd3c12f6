//! HTTP/2 towards upstreams, whatever the client speaks; streams both ways, with trailers.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::support::AWS_KEY;
use super::support::authority::client_config;
use super::support::config::Config;
use super::support::gateway::Gateway;

const HOST: &str = "h2.test";

type Body = Channel<Bytes, std::convert::Infallible>;

/// A client that speaks HTTP/2 inside a tunnel.
async fn client(gateway: &Gateway) -> http2::SendRequest<Body> {
    let mut stream = TcpStream::connect(gateway.address())
        .await
        .expect("it listens");
    let request = format!(
        "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nX-Oktsec-Agent: coordinator\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the connection stands");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 200"));
    let pem = std::fs::read_to_string(gateway.home.data().join("ca/ca.pem")).expect("it is made");
    let connector = TlsConnector::from(client_config(&pem, &["h2"]));
    let name = ServerName::try_from(HOST).expect("a name");
    let stream = connector.connect(name, stream).await.expect("we trust it");
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    sender
}

/// Opens a stream of messages.
async fn talk(gateway: &Gateway) -> (Sender<Bytes, std::convert::Infallible>, Response<Incoming>) {
    let mut client = client(gateway).await;
    let (mut sender, body) = Body::new(4);
    let request = Request::post(format!("https://{HOST}/talk"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-oktsec-agent", "coordinator")
        .body(body)
        .expect("the headers are well formed");
    sender
        .send_data(message("hello"))
        .await
        .expect("the stream stands");
    let response = client.send_request(request).await.expect("an answer");
    (sender, response)
}

/// A message with its length before it, as gRPC has them.
fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).expect("it is short");
    [&[0], &length.to_be_bytes()[..], text.as_bytes()]
        .concat()
        .into()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("the system gives threads").block_on(test);
}

#[test]
fn requests_of_either_kind_go_over_http2() {
    let gateway = Gateway::seed();
    for version in ["--http1.1", "--http2"] {
        for number in 0..5 {
            let url = format!("https://{HOST}/{number}?q=1");
            let curl = gateway.curl(&url).agent("coordinator");
            let reply = curl.args(&[version]).body("some text").send();
            reply.assert_passed();
            let echo = reply.json();
            assert_eq!(echo["body"], "some text");
            assert_eq!(echo["path"], format!("/{number}?q=1"));
        }
    }
    for received in gateway.upstream.received() {
        assert_eq!(received.host, HOST);
        for name in ["x-oktsec-agent", "connection", "te", "host"] {
            assert!(received.values(name).is_empty(), "{name}: {received:?}");
        }
    }
    assert_eq!(gateway.upstream.connections(), 1, "one connection for all");
}

#[test]
fn s35_streams_flow_both_ways_with_trailers() {
    let gateway = Arc::new(Gateway::seed());
    run(async move {
        let (mut sender, response) = talk(&gateway).await;
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        for text in ["hello", "second", "third"] {
            if text != "hello" {
                sender
                    .send_data(message(text))
                    .await
                    .expect("the stream stands");
            }
            let frame = body.frame().await.expect("an echo").expect("it is whole");
            assert_eq!(frame.into_data().expect("data"), message(text));
        }
        drop(sender);
        let frame = body.frame().await.expect("an end").expect("it is whole");
        let trailers = frame.into_trailers().expect("trailers");
        assert_eq!(trailers["grpc-status"], "0");
        let received = gateway.upstream.received();
        assert_eq!(received[0].values("te"), ["trailers"]);
    });
}

#[test]
fn s35_a_secret_in_a_stream_is_stopped() {
    let config = Config::seed().with("forward_proxy.blocked_categories", "[credentials]");
    let gateway = Arc::new(Gateway::start(&config));
    run(async move {
        let (mut sender, response) = talk(&gateway).await;
        let mut body = response.into_body();
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        let text = format!("the key is {AWS_KEY}");
        sender
            .send_data(message(&text))
            .await
            .expect("the stream stands");
        while let Some(Ok(frame)) = body.frame().await {
            let data = frame.into_data().unwrap_or_default();
            assert!(!data.windows(4).any(|window| window == b"AKIA"));
        }
        let rows = gateway.logs(&["--reason", "proxy_blocked_content"]);
        assert_eq!(rows.len(), 1);
        assert_eq!(
            rows[0]["findings"][0]["rule"], "aws-access-key-id",
            "{}",
            rows[0]
        );
        gateway.assert_nowhere(AWS_KEY);
    });
}
