//! An agent's end of a connection: bare, or in TLS where the proxy's port has a certificate.

use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use oktsec_model::Reason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::respond::SPEAK_TLS;
use crate::tls::port::PortCertificate;

/// A stream with bytes in front that were read too early.
pub(crate) struct Prefixed<S> {
    prefix: Bytes,
    stream: S,
}

/// A connection that came to the listener.
pub(crate) enum ClientStream {
    /// As it came.
    Plain(TcpStream),
    /// In TLS.
    Tls(Box<Prefixed<TlsStream<TcpStream>>>),
}

/// The first byte of a TLS record that begins a handshake (RFC 8446, section 5.1).
pub(crate) const TLS_HANDSHAKE: u8 = 0x16;

/// A client may take this long for its first byte, and as long for its handshake.
const FIRST_TIME_MAX: Duration = Duration::from_secs(60);
const TELL_TIME_MAX: Duration = Duration::from_secs(1);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

// === impl ClientStream ===

impl ClientStream {
    /// Takes a connection: with a certificate, nothing but TLS.
    ///
    /// # Errors
    /// Why it is none that can be served.
    pub(crate) async fn accept(
        mut stream: TcpStream,
        certificate: Option<PortCertificate>,
    ) -> Result<Self, Reason> {
        let Some(PortCertificate(config)) = certificate else {
            return Ok(Self::Plain(stream));
        };
        match first_of(&stream).await {
            Some(TLS_HANDSHAKE) => {}
            Some(_) => {
                // Whoever does not read it knows no less than before.
                let _ = tokio::time::timeout(TELL_TIME_MAX, tell(&mut stream)).await;
                return Err(Reason::BadRequest);
            }
            None => return Err(Reason::ClientGone),
        }
        let handshake = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await {
            Ok(Ok(stream)) => Ok(Self::Tls(Box::new(Prefixed::new(Bytes::new(), stream)))),
            Ok(Err(error)) => Err(match handshake_reason(&error) {
                // It has not come so far as to a tunnel.
                Reason::ProtocolBlocked => Reason::BadRequest,
                reason => reason,
            }),
            Err(_) => Err(Reason::ClientTimeout),
        }
    }

    /// The first byte, which stays there; nothing where none comes.
    pub(crate) async fn first(&mut self) -> Option<u8> {
        match self {
            Self::Plain(stream) => first_of(stream).await,
            Self::Tls(stream) => tokio::time::timeout(FIRST_TIME_MAX, stream.peek())
                .await
                .ok()?
                .ok()?,
        }
    }
}

/// Says what the port speaks. What was sent is read first: a connection closed with bytes in it takes
/// the answer with it.
async fn tell(stream: &mut TcpStream) -> io::Result<()> {
    const BYTES_MAX: u64 = 64 * 1024;
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

/// What a handshake that broke says of the client: it does not trust our certificate, it speaks something
/// else, or it left.
pub(crate) fn handshake_reason(error: &io::Error) -> Reason {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateUnknown, UnknownCA,
        UnsupportedCertificate,
    };
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate,
        )) => Reason::TlsClientRejected,
        Some(_) => Reason::ProtocolBlocked,
        None => Reason::ClientGone,
    }
}

async fn first_of(stream: &TcpStream) -> Option<u8> {
    let mut first = [0];
    let peeking = stream.peek(&mut first);
    let peeked = tokio::time::timeout(FIRST_TIME_MAX, peeking).await;
    matches!(peeked, Ok(Ok(1))).then_some(first[0])
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(task, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(task, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(task, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(task, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(task, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(task),
            Self::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(task),
        }
    }
}

// === impl Prefixed ===

impl<S: AsyncRead + Unpin> Prefixed<S> {
    pub(crate) fn new(prefix: Bytes, stream: S) -> Self {
        // An empty one may still hold the buffer that it was read into, for as long as the tunnel lives.
        let prefix = if prefix.is_empty() {
            Bytes::new()
        } else {
            prefix
        };
        Self { prefix, stream }
    }

    /// The first byte, which stays there; `None` at the end of the stream.
    pub(crate) async fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.prefix.is_empty() {
            let mut first = [0];
            if self.stream.read(&mut first).await? == 0 {
                return Ok(None);
            }
            self.prefix = Bytes::copy_from_slice(&first);
        }
        Ok(self.prefix.first().copied())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(task, buffer);
        }
        let count = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix[..count]);
        self.prefix.advance(count);
        if self.prefix.is_empty() {
            self.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
