//! The upstream: a child process of the benchmark that answers every HTTP/1.1 request with the
//! same small body, over plain TCP and over TLS. It parses just enough to find where a request
//! ends, so that its cost stays small beside the gateway's.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority;
use crate::process::Process;
use crate::wire::{self, Framing};

/// The running child and where it listens.
pub(crate) struct Upstream {
    pub(crate) plain_port: u16,
    pub(crate) tls_port: u16,
    _process: Process,
}

const ANSWER_BODY_BYTES: usize = 1024;
const HEAD_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// A chunked body ends with these bytes; as nothing is pipelined, they are the last ones read.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

// === impl Upstream ===

impl Upstream {
    /// Starts this program again in the role of the upstream, with the leaf that lies in `dir`.
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--upstream")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn("upstream", &mut command)?;
        let stdout = process
            .take_stdout()
            .context("the upstream has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (plain, tls) = line
            .trim()
            .split_once(' ')
            .context("the upstream did not start")?;
        Ok(Self {
            plain_port: plain.parse()?,
            tls_port: tls.parse()?,
            _process: process,
        })
    }
}

/// The life of the child: prints its ports and serves until its stdin closes.
pub(crate) async fn serve(dir: &Path) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(authority::server_config(dir)?);
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let tls = TcpListener::bind("127.0.0.1:0").await?;
    let ports = format!(
        "{} {}\n",
        plain.local_addr()?.port(),
        tls.local_addr()?.port()
    );
    tokio::spawn(accept(plain, None));
    tokio::spawn(accept(tls, Some(acceptor)));
    std::io::Write::write_all(&mut std::io::stdout(), ports.as_bytes())?;
    // The parent holds the other end: when it is gone for whatever reason, so are we.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    Ok(())
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            match acceptor {
                Some(acceptor) => answer(acceptor.accept(stream).await?).await,
                None => answer(stream).await,
            }
        });
    }
}

/// Answers until the peer closes. Errors end the connection; the client's count shows them.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let response = response();
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        buffer.clear();
        let head_bytes = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if let Some(end) = wire::head_end(&buffer) {
                break end;
            }
            if buffer.len() > HEAD_BYTES_MAX {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
        };
        let framing = wire::framing(&buffer[..head_bytes]);
        let mut body_bytes = buffer.len() - head_bytes;
        while !complete(framing, body_bytes, &buffer) {
            // Only the tail matters from here on.
            let tail = buffer.len().saturating_sub(LAST_CHUNK.len());
            buffer.drain(..tail);
            let read = stream.read_buf(&mut buffer).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            body_bytes += read;
        }
        stream.write_all(&response).await?;
        stream.flush().await?;
    }
}

fn complete(framing: Framing, body_bytes: usize, buffer: &[u8]) -> bool {
    match framing {
        Framing::None => true,
        Framing::Length(length) => body_bytes >= length,
        Framing::Chunked => body_bytes >= LAST_CHUNK.len() && buffer.ends_with(LAST_CHUNK),
    }
}

fn response() -> Vec<u8> {
    let body = "x".repeat(ANSWER_BODY_BYTES);
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {ANSWER_BODY_BYTES}\r\n\r\n{body}"
    )
    .into_bytes()
}
