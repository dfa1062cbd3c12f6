//! Where to: scheme, canonical host and port. A `Target` cannot hold a host in two spellings.
//!
//! Hosts follow the WHATWG URL host parser (UTS 46, IPv4 in every spelling, IPv6), which is what
//! clients use, so that what we judge is what they meant. Stricter than it in three points: no
//! percent-escapes, no userinfo, one trailing dot is dropped.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

/// The scheme of a target.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// A host in its one canonical form.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// An address. IPv4-mapped IPv6 addresses are held as IPv4.
    Ip(IpAddr),
    /// A name: lower case, ASCII (punycode), without a trailing dot.
    Name(Arc<str>),
}

/// Where a request wants to go.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

/// Why a text names no target.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum InvalidTarget {
    #[error("the authority is empty")]
    Empty,
    #[error("the host is not a valid name or address")]
    Host,
    #[error("the port is missing")]
    MissingPort,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("the target must begin with http:// or https://")]
    Scheme,
    #[error("the target carries a user name or password")]
    Userinfo,
}

// === impl Scheme ===

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port used when none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

// === impl Host ===

impl Host {
    /// The longest host text that is looked at: 253 is the longest name (RFC 1035, section 2.3.4),
    /// and Unicode forms may be longer than their punycode.
    pub const TEXT_BYTES_MAX: usize = 1024;

    /// The canonical form of a host as written in an authority or a configuration; IPv6 addresses
    /// with or without brackets.
    ///
    /// # Errors
    /// [`InvalidTarget`] when the text is no host.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        if text.is_empty() {
            return Err(InvalidTarget::Empty);
        }
        if text.len() > Self::TEXT_BYTES_MAX || text.contains('%') {
            return Err(InvalidTarget::Host);
        }
        if let Ok(IpAddr::V6(v6)) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(canonical_ip(IpAddr::V6(v6))));
        }
        match url::Host::parse(text).map_err(|_| InvalidTarget::Host)? {
            url::Host::Domain(name) => Self::from_domain(&name),
            url::Host::Ipv4(v4) => Ok(Self::Ip(IpAddr::V4(v4))),
            url::Host::Ipv6(v6) => Ok(Self::Ip(canonical_ip(IpAddr::V6(v6)))),
        }
    }

    fn from_domain(name: &str) -> Result<Self, InvalidTarget> {
        const NAME_BYTES_MAX: usize = 253;
        const LABEL_BYTES_MAX: usize = 63;
        let name = name.strip_suffix('.').unwrap_or(name);
        // Narrower than the WHATWG's forbidden code points: what no resolver and no certificate
        // knows (commas, quotes, `$`) is refused.
        let fits = |label: &str| {
            !label.is_empty()
                && label.len() <= LABEL_BYTES_MAX
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(fits) {
            return Err(InvalidTarget::Host);
        }
        Ok(Self::Name(name.into()))
    }

    /// The address, when the host is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Host {
    /// The canonical text, without brackets around IPv6 addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

// === impl Target ===

impl Target {
    /// `host:port` of a CONNECT request; the port is required (RFC 9110, section 9.3.6).
    ///
    /// # Errors
    /// [`InvalidTarget`] when the text is no authority with a port.
    pub fn parse_authority(text: &str, scheme: Scheme) -> Result<Self, InvalidTarget> {
        let (host, port) = split_authority(text)?;
        let port = port.ok_or(InvalidTarget::MissingPort)?;
        Ok(Self {
            scheme,
            host: Host::parse(host)?,
            port: parse_port(port)?,
        })
    }

    /// `host` or `host:port` of a Host field; the scheme's port where none is written.
    ///
    /// # Errors
    /// [`InvalidTarget`] when the text is no authority.
    pub fn parse_host_field(text: &str, scheme: Scheme) -> Result<Self, InvalidTarget> {
        let (host, port) = split_authority(text)?;
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(port) => parse_port(port)?,
        };
        Ok(Self {
            scheme,
            host: Host::parse(host)?,
            port,
        })
    }

    /// The target of an absolute-form request (RFC 9112, section 3.2.2) and its path with query.
    ///
    /// # Errors
    /// [`InvalidTarget`] when the text is no absolute http or https URI.
    pub fn parse_absolute_form(text: &str) -> Result<(Self, &str), InvalidTarget> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidTarget::Scheme)?;
        let scheme = if scheme.eq_ignore_ascii_case("http") {
            Scheme::Http
        } else if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else {
            return Err(InvalidTarget::Scheme);
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(InvalidTarget::Host)?;
        Ok((Self::parse_host_field(authority, scheme)?, path))
    }

    /// The value of the Host field: brackets around IPv6, no default port.
    #[must_use]
    pub fn host_field(&self) -> String {
        let host = match &self.host {
            Host::Ip(IpAddr::V6(v6)) => format!("[{v6}]"),
            host => host.to_string(),
        };
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host_field())
    }
}

/// Host and port as written, brackets kept.
fn split_authority(text: &str) -> Result<(&str, Option<&str>), InvalidTarget> {
    if text.is_empty() {
        return Err(InvalidTarget::Empty);
    }
    if text.contains('@') {
        return Err(InvalidTarget::Userinfo);
    }
    if text.starts_with('[') {
        let (host, rest) = text
            .find(']')
            .and_then(|end| text.split_at_checked(end + 1))
            .ok_or(InvalidTarget::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(InvalidTarget::Host),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(InvalidTarget::Host),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, InvalidTarget> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(InvalidTarget::Port),
    }
}

fn canonical_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        let cases = [
            ("EXAMPLE.com", "example.com"),
            ("example.com.", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("ＥＸＡＭＰＬＥ.com", "example.com"),
            ("exa\u{ad}mple.com", "example.com"),
            ("127.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
            ("[0:0:0:0:0:ffff:0a00:0001]", "10.0.0.1"),
        ];
        for (written, canonical) in cases {
            let host = Host::parse(written).unwrap();
            assert_eq!(host.to_string(), canonical, "{written}");
            assert_eq!(
                Host::parse(&host.to_string()),
                Ok(host),
                "not idempotent: {written}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            "a b",
            "ex%61mple.com",
            "a/b",
            "[::1",
            "1.2.3.4.5",
            "256.1.1.1",
            "xn--",
            "a,b",
            &"a".repeat(64),
            &"a.".repeat(200),
        ] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn authorities_and_absolute_forms() {
        let target = Target::parse_authority("API.arxiv.org.:443", Scheme::Https).unwrap();
        assert_eq!(target.to_string(), "https://api.arxiv.org");
        for bad in [
            "api.arxiv.org",
            "a:0",
            "a:65536",
            "a:+1",
            "a:",
            "u@a:1",
            "::1:443",
            "[::1]x:1",
        ] {
            assert!(
                Target::parse_authority(bad, Scheme::Https).is_err(),
                "{bad}"
            );
        }
        let (target, path) = Target::parse_absolute_form("HTTP://a.example:8080/x?y").unwrap();
        assert_eq!(
            (target.to_string().as_str(), path),
            ("http://a.example:8080", "/x?y")
        );
        let (target, path) = Target::parse_absolute_form("http://[::1]?q").unwrap();
        assert_eq!((target.host_field().as_str(), path), ("[::1]", "?q"));
        for bad in ["ftp://a/", "http:/a", "http://", "http://u:p@a/", "/path"] {
            assert!(Target::parse_absolute_form(bad).is_err(), "{bad}");
        }
    }
}
