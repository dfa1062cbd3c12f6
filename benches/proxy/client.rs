//! The client: HTTP/1.1 by hand over one kept-alive connection, straight to the upstream or
//! through a proxy, in the clear, through a tunnel, or both.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::HOST;
use crate::payload::Payload;
use crate::wire::{self, Framing};

/// How a request gets to the upstream.
#[derive(Clone)]
pub(crate) struct Way {
    /// The port that is dialled: the upstream's or the proxy's.
    pub(crate) port: u16,
    /// The upstream's port as a proxy is told it; `None` for the scheme's own.
    pub(crate) authority_port: Option<u16>,
    pub(crate) form: Form,
}

#[derive(Clone)]
pub(crate) enum Form {
    /// To the upstream itself, in the clear.
    Plain,
    /// To the upstream itself, over TLS.
    Tls(TlsConnector),
    /// Through a proxy, with the whole URL in the request line.
    Absolute,
    /// Through a proxy, CONNECT and TLS inside.
    Tunnel(TlsConnector),
}

/// One kept-alive connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the connection is of no more use.
    pub(crate) closes: bool,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

const AGENT: &str = "researcher";
const READ_BYTES: usize = 16 * 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HTTPS_PORT: u16 = 443;

// === impl Way ===

impl Way {
    /// The bytes of a whole request.
    pub(crate) fn request(&self, payload: Payload) -> Vec<u8> {
        let method = payload.method();
        let host = self.host();
        let path = "/submit?query=llm+safety";
        let target = match self.form {
            Form::Absolute => format!("http://{host}{path}"),
            Form::Plain | Form::Tls(_) | Form::Tunnel(_) => path.to_owned(),
        };
        let body = payload.body();
        let content = if body.is_empty() {
            String::new()
        } else {
            format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            )
        };
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Oktsec-Agent: {AGENT}\r\n\
             User-Agent: oktsec-bench\r\nAccept: */*\r\n{content}\r\n{body}"
        )
        .into_bytes()
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(HOST)?;
        let stream: Box<dyn Stream> = match &self.form {
            Form::Plain | Form::Absolute => Box::new(stream),
            Form::Tls(connector) => Box::new(connector.connect(name, stream).await?),
            Form::Tunnel(connector) => {
                let stream = self.tunnel(stream).await?;
                Box::new(connector.connect(name, stream).await?)
            }
        };
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(READ_BYTES),
        })
    }

    async fn tunnel(&self, stream: TcpStream) -> anyhow::Result<TcpStream> {
        let port = self.authority_port.unwrap_or(HTTPS_PORT);
        let mut stream = stream;
        let request = format!(
            "CONNECT {HOST}:{port} HTTP/1.1\r\nHost: {HOST}:{port}\r\nX-Oktsec-Agent: {AGENT}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::new();
        let head_bytes = read_head(&mut stream, &mut buffer).await?;
        match wire::status(&buffer[..head_bytes]) {
            Some(200) => Ok(stream),
            Some(status) => bail!("CONNECT answered {status}"),
            None => bail!("CONNECT answered no HTTP"),
        }
    }

    fn host(&self) -> String {
        self.authority_port
            .map_or_else(|| HOST.to_owned(), |port| format!("{HOST}:{port}"))
    }
}

// === impl Connection ===

impl Connection {
    /// Sends one request and reads all of its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let head_bytes = read_head(&mut self.stream, &mut self.buffer).await?;
        let head = &self.buffer[..head_bytes];
        let status = wire::status(head).context("the answer is not HTTP")?;
        let closes = wire::closes(head);
        let Framing::Length(body_bytes) = wire::framing(head) else {
            bail!("the answer has no Content-Length");
        };
        let mut left = (head_bytes + body_bytes).saturating_sub(self.buffer.len());
        while left > 0 {
            self.buffer.clear();
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 {
                bail!("the answer was cut off");
            }
            left = left.saturating_sub(read);
        }
        Ok(Answer { status, closes })
    }
}

async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> anyhow::Result<usize> {
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("closed before an answer");
        }
        if let Some(end) = wire::head_end(buffer) {
            return Ok(end);
        }
        if buffer.len() > HEAD_BYTES_MAX {
            bail!("the head of the answer is too long");
        }
    }
}
