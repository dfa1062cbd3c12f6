//! Bytes on sockets: what no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::authority::client_config;
use super::gateway::Gateway;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
}

pub(crate) type TlsTunnel = StreamOwned<ClientConnection, TcpStream>;

/// How long the other side may be silent.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

// === impl Answer ===

impl Answer {
    /// 0 where the connection was closed without an answer.
    pub(crate) fn status(&self) -> u16 {
        self.text
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or("");
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn reason(&self) -> &str {
        self.header("x-oktsec-reason").unwrap_or("")
    }
}

pub(crate) fn connect(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(gateway.address()).expect("the gateway listens");
    stream
        .set_read_timeout(Some(READ_TIME_MAX))
        .expect("the time is not zero");
    stream.set_nodelay(true).expect("it is TCP");
    stream
}

/// A connection from an address of loopback.
pub(crate) fn connect_from(gateway: &Gateway, address: &str) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system has sockets");
    let from: std::net::SocketAddr = format!("{address}:0").parse().expect("an address");
    socket.bind(&from.into()).expect("all of loopback is ours");
    socket
        .connect(&gateway.address().into())
        .expect("the gateway listens");
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(READ_TIME_MAX))
        .expect("the time is not zero");
    stream
}

/// Writes all, reads until the other side closes.
pub(crate) fn ask(mut stream: impl Read + Write, request: &str) -> Answer {
    stream
        .write_all(request.as_bytes())
        .expect("the connection stands");
    let mut bytes = Vec::new();
    // Closing without a TLS goodbye, or by a reset, is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    Answer {
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// Opens a tunnel; the answer's head, and the stream behind it.
pub(crate) fn tunnel(gateway: &Gateway, authority: &str, fields: &str) -> (Answer, TcpStream) {
    let mut stream = connect(gateway);
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("the connection stands");
    let text = read_head(&mut stream);
    (Answer { text }, stream)
}

/// Reads to the end of a head and no further.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// TLS inside a tunnel, as someone who trusts the gateway's authority.
pub(crate) fn tls(gateway: &Gateway, stream: TcpStream, name: &str) -> TlsTunnel {
    let pem =
        std::fs::read_to_string(gateway.home.data().join("ca/ca.pem")).expect("the CA is made");
    let name = ServerName::try_from(name.to_owned()).expect("the test names a host");
    let config = client_config(&pem, &["http/1.1"]);
    let connection = ClientConnection::new(Arc::clone(&config), name).expect("the config is whole");
    StreamOwned::new(connection, stream)
}

/// A request inside a fresh TLS tunnel.
pub(crate) fn ask_inside(gateway: &Gateway, host: &str, request: &str) -> Answer {
    let (opened, stream) = tunnel(gateway, &format!("{host}:443"), "");
    assert_eq!(opened.status(), 200, "{opened:?}");
    ask(tls(gateway, stream, host), request)
}
