//! SOCKS5 on the proxy's port (RFC 1928, with the passwords of RFC 1929): another way to say CONNECT.
//! Nothing is looked up or dialled before a request inside has been judged, so that a name is as good
//! as an address. SOCKS4 and commands other than CONNECT are refused.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderValue, Method, Request, request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use oktsec_model::Reason;

use crate::account::Arrival;
use crate::client::ClientStream;
use crate::context::Context;
use crate::tunnel;
use crate::via::Via;

/// The first byte of the protocol.
pub(crate) const VERSION: u8 = 5;

/// The greeting, the password and the request together may take this long.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

const NO_PASSWORD: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xFF;
const COMMAND_CONNECT: u8 = 1;

/// What a request is answered with (RFC 1928, section 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Succeeded = 0,
    NotAllowed = 2,
    Refused = 5,
    Command = 7,
    AddressType = 8,
}

/// Why a client gets no tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It is told.
    Told(Reply),
    /// It speaks something else.
    Strange,
    /// It is not there.
    Gone,
}

impl Failure {
    const fn reason(&self) -> Reason {
        match self {
            Self::Told(_) | Self::Strange => Reason::BadRequest,
            Self::Gone => Reason::ClientGone,
        }
    }
}

/// Serves a connection whose first byte is that of SOCKS5.
pub(crate) async fn serve(mut stream: ClientStream, via: Via, cx: Arc<Context>) {
    let asking = ask(&mut stream);
    match tokio::time::timeout(HANDSHAKE_TIME_MAX, asking).await {
        Ok(Ok(parts)) => tunnel::socks(stream, parts, via, cx).await,
        Ok(Err(failure)) => {
            Arrival::unreadable(&cx, &via, failure.reason()).await;
            if let Failure::Told(reply) = failure {
                // Whoever is gone needs no answer.
                let _ = answer(&mut stream, reply).await;
            }
        }
        Err(_) => Arrival::unreadable(&cx, &via, Reason::ClientTimeout).await,
    }
}

/// Answers a request; the address that was bound is nobody's business.
pub(crate) async fn answer(stream: &mut ClientStream, reply: Reply) -> io::Result<()> {
    let answer = [VERSION, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0];
    stream.write_all(&answer).await
}

/// Reads to the end of the request, as the CONNECT that it stands for.
pub(crate) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<request::Parts, Failure> {
    let [_, count] = read(stream).await?;
    let methods = read_some(stream, count).await?;
    let method = if methods.contains(&PASSWORD) {
        PASSWORD
    } else if methods.contains(&NO_PASSWORD) {
        NO_PASSWORD
    } else {
        NO_METHOD
    };
    stream.write_all(&[VERSION, method]).await?;
    let credentials = match method {
        PASSWORD => {
            let [_, length] = read(stream).await?;
            let user = read_some(stream, length).await?;
            let [length] = read(stream).await?;
            let password = read_some(stream, length).await?;
            // Whether it is right is said later, by the policy.
            stream.write_all(&[1, 0]).await?;
            Some([user, password].join(&b':'))
        }
        NO_PASSWORD => None,
        _ => return Err(Failure::Strange),
    };
    let [version, command, _, kind] = read(stream).await?;
    if version != VERSION {
        return Err(Failure::Strange);
    }
    let host = match kind {
        1 => IpAddr::from(Ipv4Addr::from(read::<4>(stream).await?)).to_string(),
        3 => {
            let [length] = read(stream).await?;
            let name = read_some(stream, length).await?;
            String::from_utf8(name).map_err(|_| Failure::Told(Reply::NotAllowed))?
        }
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(stream).await?)),
        _ => return Err(Failure::Told(Reply::AddressType)),
    };
    let port = u16::from_be_bytes(read(stream).await?);
    if command != COMMAND_CONNECT {
        return Err(Failure::Told(Reply::Command));
    }
    connect_of(&format!("{host}:{port}"), credentials.as_deref())
        .ok_or(Failure::Told(Reply::NotAllowed))
}

/// The CONNECT request that says the same.
fn connect_of(authority: &str, credentials: Option<&[u8]>) -> Option<request::Parts> {
    let request = Request::builder().method(Method::CONNECT).uri(authority);
    let (mut parts, ()) = request.body(()).ok()?.into_parts();
    // A name says no more than a name: neither a URL nor a path.
    parts
        .uri
        .authority()
        .filter(|read| read.as_str() == authority)?;
    if let Some(credentials) = credentials {
        let text = format!("Basic {}", STANDARD.encode(credentials));
        let value = HeaderValue::try_from(text).ok()?;
        parts.headers.insert(PROXY_AUTHORIZATION, value);
    }
    Some(parts)
}

async fn read<const COUNT: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; COUNT], Failure> {
    let mut bytes = [0; COUNT];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn read_some(stream: &mut (impl AsyncRead + Unpin), count: u8) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; usize::from(count)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_connect() {
        let parts = connect_of("api.example.com:443", Some(b"a:b")).expect("it is one");
        assert_eq!(parts.method, Method::CONNECT);
        let authority = parts.uri.authority().map(ToString::to_string);
        assert_eq!(authority.as_deref(), Some("api.example.com:443"));
        assert_eq!(parts.headers[PROXY_AUTHORIZATION], "Basic YTpi");
        assert!(connect_of("[::1]:80", None).is_some());
        for wrong in [
            "two words:80",
            "a/b:80",
            "a@b:80\r\n:1",
            "/x:80",
            "http://h:81/:80",
        ] {
            assert!(connect_of(wrong, None).is_none(), "{wrong:?}");
        }
    }
}
