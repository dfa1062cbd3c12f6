//! A proxy behind this one: the company's. Everything is judged here first, names are looked up and
//! addresses judged here, too, where they can be; then the connection goes through it.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use oktsec_model::{Host, Target};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A stream to an upstream, whatever carries it.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A proxy to go through, and who is reached without it.
pub struct Chain {
    kind: Kind,
    host: String,
    port: u16,
    /// User and password. Never shown.
    credentials: Option<(String, String)>,
    direct: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Http,
    Https,
    Socks5,
}

/// Why the text is no proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// The scheme is none of those known.
    #[error("a proxy is http://, https://, socks5:// or socks5h:// and a host")]
    Form,
    /// User and password are not percent-encoded text, or too long.
    #[error("user and password of a proxy are percent-encoded and up to 255 bytes each")]
    Credentials,
}

/// The longest answer to a CONNECT, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// What SOCKS5 gives user, password and name one byte of length for (RFC 1928, RFC 1929).
const SOCKS_TEXT_BYTES_MAX: usize = 255;

// === impl Chain ===

impl Chain {
    /// Reads the address of a proxy, and a list as in `NO_PROXY`: hosts that are reached without it,
    /// with everything below them, or `*`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(address: &str, no_proxy: &str) -> Result<Self, ChainError> {
        let (scheme, rest) = address.split_once("://").ok_or(ChainError::Form)?;
        let (kind, port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(ChainError::Form),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let uri: Uri = format!("http://{place}/")
            .parse()
            .map_err(|_| ChainError::Form)?;
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or(ChainError::Form)?;
        let direct = no_proxy
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(Self {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(port),
            credentials: user.map(credentials).transpose()?,
            direct: direct.map(str::to_ascii_lowercase).collect(),
        })
    }

    /// Where the proxy is, without credentials.
    #[must_use]
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether a host is reached through the proxy.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        let host = host.to_string();
        !self.direct.iter().any(|entry| {
            let domain = entry.trim_start_matches('.');
            let is_below = || {
                host.strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
            };
            entry == "*" || host == domain || is_below()
        })
    }

    /// Opens a connection to a target through the proxy.
    ///
    /// # Errors
    /// What the system, the proxy or its certificate says.
    pub(crate) async fn open(
        &self,
        target: &Target,
        tls: &TlsConnector,
        time_max: Duration,
    ) -> io::Result<(Box<dyn Wire>, SocketAddr)> {
        let opening = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let address = stream.peer_addr()?;
            let stream: Box<dyn Wire> = match self.kind {
                Kind::Http => self.connect(stream, target).await?,
                Kind::Https => {
                    let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                    self.connect(tls.connect(name, stream).await?, target)
                        .await?
                }
                Kind::Socks5 => self.socks(stream, target).await?,
            };
            Ok((stream, address))
        };
        tokio::time::timeout(time_max, opening)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// CONNECT (RFC 9110, section 9.3.6).
    async fn connect(
        &self,
        mut stream: impl Wire + 'static,
        target: &Target,
    ) -> io::Result<Box<dyn Wire>> {
        let authority = authority(target);
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(value) = self.authorization() {
            request.push_str("Proxy-Authorization: ");
            request.push_str(value.to_str().unwrap_or_default());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the head is the target's.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= ANSWER_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            answer.push(stream.read_u8().await?);
        }
        match answer.get(9..12) {
            Some([b'2', _, _]) => Ok(Box::new(stream)),
            Some(b"407") => {
                tracing::warn!("forward_proxy.upstream_proxy wants other credentials (407)");
                Err(io::ErrorKind::PermissionDenied.into())
            }
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// SOCKS5 (RFC 1928) with a user and a password (RFC 1929), where there are any.
    async fn socks(
        &self,
        mut stream: impl Wire + 'static,
        target: &Target,
    ) -> io::Result<Box<dyn Wire>> {
        const NO_METHOD: u8 = 0;
        const PASSWORD: u8 = 2;
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let methods: &[u8] = match &self.credentials {
            Some(_) => &[5, 2, NO_METHOD, PASSWORD],
            None => &[5, 1, NO_METHOD],
        };
        stream.write_all(methods).await?;
        stream.flush().await?;
        let mut choice = [0; 2];
        stream.read_exact(&mut choice).await?;
        match (choice, &self.credentials) {
            ([5, NO_METHOD], _) => {}
            ([5, PASSWORD], Some((user, password))) => {
                let mut request = vec![1];
                push_text(&mut request, user.as_bytes());
                push_text(&mut request, password.as_bytes());
                stream.write_all(&request).await?;
                stream.flush().await?;
                stream.read_exact(&mut choice).await?;
                if choice != [1, 0] {
                    tracing::warn!("forward_proxy.upstream_proxy refuses its credentials");
                    return Err(refused());
                }
            }
            _ => return Err(refused()),
        }
        stream.write_all(&socks_request(target)).await?;
        stream.flush().await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        let [5, 0, _, kind] = answer else {
            return Err(refused());
        };
        let rest = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(stream.read_u8().await?),
            _ => return Err(refused()),
        };
        let mut bound = vec![0; rest + 2];
        stream.read_exact(&mut bound).await?;
        Ok(Box::new(stream))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn authority(target: &Target) -> String {
    match &target.host {
        Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{}", target.port),
        host => format!("{host}:{}", target.port),
    }
}

/// The request to connect: an address as it is, a name as a name, which the proxy looks up.
fn socks_request(target: &Target) -> Vec<u8> {
    let mut request = vec![5, 1, 0];
    match &target.host {
        Host::Ip(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend(ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend(ip.octets());
        }
        Host::Name(name) => {
            request.push(3);
            push_text(&mut request, name.to_string().as_bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    request
}

/// A text with its length before it; longer ones were refused before.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let text = text
        .get(..SOCKS_TEXT_BYTES_MAX.min(text.len()))
        .unwrap_or_default();
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text);
}

fn credentials(text: &str) -> Result<(String, String), ChainError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |text: &str| {
        let decoded = percent_decoded(text).ok_or(ChainError::Credentials)?;
        if decoded.len() > SOCKS_TEXT_BYTES_MAX {
            return Err(ChainError::Credentials);
        }
        Ok(decoded)
    };
    Ok((decode(user)?, decode(password)?))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let chain = Chain::parse("http://us%40er:p%3Aw@proxy.corp.example:3128/", "").unwrap();
        assert_eq!(chain.place(), ("proxy.corp.example", 3128));
        let expected = ("us@er".to_owned(), "p:w".to_owned());
        assert_eq!(chain.credentials, Some(expected));
        assert!(!format!("{chain:?}").contains("p:w"));
        let chain = Chain::parse("socks5h://[::1]", "").unwrap();
        assert_eq!((chain.kind, chain.place()), (Kind::Socks5, ("::1", 1080)));
        for wrong in ["proxy:3128", "ftp://proxy", "http://", "http://:80"] {
            assert_eq!(
                Chain::parse(wrong, "").err(),
                Some(ChainError::Form),
                "{wrong}"
            );
        }
        let wrong = Chain::parse("http://a%zz:b@proxy", "");
        assert_eq!(wrong.err(), Some(ChainError::Credentials));
    }

    #[test]
    fn some_hosts_are_reached_without_it() {
        let chain = Chain::parse("http://proxy", "localhost, .corp.example,10.1.2.3").unwrap();
        let covers = |host: &str| chain.covers(&Host::parse(host).unwrap());
        for direct in ["localhost", "corp.example", "a.corp.example", "10.1.2.3"] {
            assert!(!covers(direct), "{direct}");
        }
        for through in ["example", "acorp.example", "api.example.com", "10.1.2.30"] {
            assert!(covers(through), "{through}");
        }
        let none = Chain::parse("http://proxy", "*").unwrap();
        assert!(!none.covers(&Host::parse("api.example.com").unwrap()));
    }

    #[test]
    fn names_are_left_to_the_proxy() {
        let target = Target::parse_authority("api.example.com:443", oktsec_model::Scheme::Https);
        let request = socks_request(&target.unwrap());
        assert_eq!(request.get(..5), Some(&[5, 1, 0, 3, 15][..]));
        assert!(request.ends_with(b"api.example.com\x01\xBB"));
    }
}
