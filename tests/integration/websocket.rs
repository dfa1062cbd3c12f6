//! Sockets (RFC 6455) inside tunnels and in the clear: messages are judged one by one.

use std::io::{Read, Write};

use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use super::support::AWS_KEY;
use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::raw::{Answer, connect, read_head, tls, tunnel};

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

type Socket = WebSocket<Box<dyn Wire>>;

const SCHEMES: [&str; 2] = ["ws", "wss"];

/// A socket to the test upstream.
fn open(gateway: &Gateway, scheme: &str, path: &str) -> Socket {
    let host = "api.arxiv.org";
    let agent = "X-Oktsec-Agent: researcher\r\n";
    let stream: Box<dyn Wire> = match scheme {
        "wss" => {
            let (_, stream) = tunnel(gateway, &format!("{host}:443"), agent);
            Box::new(tls(gateway, stream, host))
        }
        _ => Box::new(tunnel(gateway, &format!("{host}:80"), agent).1),
    };
    let request = http::Request::builder()
        .uri(format!("{scheme}://{host}{path}"))
        .header("Host", host)
        .header("X-Oktsec-Agent", "researcher")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Extensions", "permessage-deflate")
        .body(())
        .expect("the headers are well formed");
    let (socket, response) = client(request, stream).expect("the upstream agrees");
    assert_eq!(response.status(), 101);
    socket
}

/// What the socket is closed with.
fn closed(socket: &mut Socket) -> Option<CloseFrame> {
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => return frame,
            Ok(_) => {}
            Err(error) => panic!("no farewell: {error}"),
        }
    }
}

#[test]
fn s35_messages_pass_as_they_are() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let mut socket = open(&gateway, scheme, "/socket");
        for message in [
            Message::text("hello"),
            Message::text("a long message ".repeat(10_000)),
            Message::binary([0, 255, 7].repeat(50_000)),
        ] {
            socket.send(message.clone()).expect("the socket stands");
            assert_eq!(socket.read().expect("an echo"), message);
        }
        socket
            .send(Message::text("say 3000000"))
            .expect("the socket stands");
        assert_eq!(socket.read().expect("an answer").len(), 3_000_000);
        socket.close(None).expect("the socket stands");
        while socket.read().is_ok() {}
    }
    for received in gateway.upstream.received() {
        assert!(received.values("sec-websocket-extensions").is_empty());
        assert!(received.values("x-oktsec-agent").is_empty());
    }
    let rows = gateway.logs(&["--agent", "researcher", "--status", "forwarded"]);
    let row = rows
        .iter()
        .find(|row| row["request"]["path"] == "/socket")
        .expect("a row");
    assert_eq!(row["http_status"], 101, "{row}");
    assert!(row["request"]["bytes"].as_u64() > Some(300_000), "{row}");
    assert!(row["response"]["bytes"].as_u64() > Some(3_000_000), "{row}");
}

#[test]
fn s35_a_secret_in_a_message_is_stopped() {
    let gateway = Gateway::seed();
    let (first, second) = AWS_KEY.split_at(11);
    let in_json = format!("{{\"type\": \"input\", \"text\": \"\\nuse {AWS_KEY}\"}}");
    let messages: [&[Message]; 4] = [
        &[Message::text(in_json.clone())],
        &[Message::binary(in_json.into_bytes())],
        &[
            Message::text(format!("the key is {first}")),
            Message::text(second.to_owned()),
        ],
        &[Message::Ping(format!("key {AWS_KEY}").into_bytes().into())],
    ];
    for scheme in SCHEMES {
        for list in messages {
            let mut socket = open(&gateway, scheme, "/socket");
            for message in list {
                socket.send(message.clone()).expect("the socket stands");
            }
            let frame = closed(&mut socket).expect("a reason");
            assert_eq!(u16::from(frame.code), 1008);
            assert_eq!(frame.reason.as_str(), "proxy_blocked_content");
        }
    }
    let rows = gateway.logs(&["--reason", "proxy_blocked_content"]);
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert_eq!(row["findings"][0]["rule"], "aws-access-key-id", "{row}");
        assert_eq!(row["http_status"], 101, "{row}");
    }
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s35_fragments_are_put_together() {
    let gateway = Gateway::seed();
    let mut socket = open(&gateway, "wss", "/socket");
    let fragment = |text: &str, code, is_last| {
        Message::Frame(Frame::message(text.to_owned(), OpCode::Data(code), is_last))
    };
    let (first, second) = AWS_KEY.split_at(5);
    for message in [
        fragment("so: ", Data::Text, false),
        fragment(first, Data::Continue, false),
        fragment(second, Data::Continue, true),
    ] {
        socket.send(message).expect("the socket stands");
    }
    assert_eq!(
        closed(&mut socket).map(|frame| u16::from(frame.code)),
        Some(1008)
    );
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s10_messages_to_an_agent_are_scanned_where_the_operator_says_so() {
    let config = Config::seed()
        .with("forward_proxy.scan_responses", "true")
        .with("agents.researcher.egress.scan_requests", "false");
    let gateway = Gateway::start(&config);
    let mut socket = open(&gateway, "wss", "/socket");
    socket
        .send(Message::text("hello"))
        .expect("the socket stands");
    assert_eq!(socket.read().expect("an echo"), Message::text("hello"));
    socket
        .send(Message::text(AWS_KEY))
        .expect("the socket stands");
    let frame = closed(&mut socket).expect("a reason");
    assert_eq!(frame.reason.as_str(), "proxy_blocked_response");
    let rows = gateway.logs(&["--reason", "proxy_blocked_response"]);
    assert_eq!(rows.len(), 1);
}

#[test]
fn an_agent_may_only_listen() {
    let timeouts = "{connect: 5s, response_header: 5s, idle: 1s}";
    let config = Config::seed().with("forward_proxy.timeouts", timeouts);
    let gateway = Gateway::start(&config);
    let mut socket = open(&gateway, "wss", "/socket");
    socket
        .send(Message::text("tick"))
        .expect("the socket stands");
    for _ in 0..8 {
        assert_eq!(socket.read().expect("it stands"), Message::text("tock"));
    }
    // Silence of both ends it.
    assert!(socket.read().is_err());
    let row = gateway.row_of("/socket");
    assert_eq!(row["reason"], "proxy_upstream_timeout", "{row}");
}

#[test]
fn what_is_no_websocket_is_closed() {
    let gateway = Gateway::seed();
    let mut socket = open(&gateway, "wss", "/socket");
    let mut frame = Frame::message("compressed", OpCode::Data(Data::Text), true);
    frame.header_mut().rsv1 = true;
    socket
        .send(Message::Frame(frame))
        .expect("the socket stands");
    assert_eq!(
        closed(&mut socket).map(|frame| u16::from(frame.code)),
        Some(1002)
    );
    let mut socket = open(&gateway, "wss", "/socket");
    socket
        .send(Message::text("leave"))
        .expect("the socket stands");
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
}

#[test]
fn other_upgrades_are_refused() {
    let gateway = Gateway::seed();
    for fields in [
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 1337\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ] {
        let request = format!(
            "GET http://api.arxiv.org/socket HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n{fields}\r\n"
        );
        let mut stream = connect(&gateway);
        stream
            .write_all(request.as_bytes())
            .expect("the connection stands");
        let text = read_head(&mut stream);
        let answer = Answer { text };
        assert_eq!(
            (answer.status(), answer.reason()),
            (501, "proxy_bad_request"),
            "{fields}"
        );
    }
    gateway.upstream.assert_untouched();
}
