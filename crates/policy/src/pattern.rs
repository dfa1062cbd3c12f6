//! One entry of a host list, read: `host`, `*.host`, `.host`, an address or a network, each
//! optionally with a port.
//!
//! What an entry without a wildcard covers depends on its list: in an allowlist the host alone, in
//! a blocklist the host and everything below it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use oktsec_model::Host;

use crate::source::{Entry, PolicyError};

/// What an entry names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Subject {
    /// Every address of a network; a single address is a network of one.
    Network(IpNet),
    /// A name, or names below it, or both.
    Name {
        /// The canonical name.
        name: Arc<str>,
        /// Which part of the tree.
        cover: Cover,
    },
}

/// Which part of the tree below a name is meant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Cover {
    /// The name alone.
    Apex,
    /// Everything below the name, at any depth, but not the name.
    Below,
    /// The name and everything below it.
    Tree,
}

/// An entry, read.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Pattern {
    /// What it names.
    pub(crate) subject: Subject,
    /// The only port it speaks of, where it is restricted to one.
    pub(crate) port: Option<u16>,
}

/// The kind of list that an entry stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ListKind {
    /// Opens hosts: exact, and wildcards only over names that one party holds.
    Allow,
    /// Closes hosts and what is below them; networks may be named.
    Block,
    /// Opens private places: exact names and networks.
    Private,
}

/// Follows an entry that means a wildcard over a public suffix.
const PUBLIC_SUFFIX_MARK: &str = "!public-suffix";

const CODE_HOST: &str = "E012";

// === impl Pattern ===

impl Pattern {
    /// Reads an entry of a list.
    pub(crate) fn parse(entry: &Entry, kind: ListKind) -> Result<Self, PolicyError> {
        let error = |message: String| PolicyError::new(CODE_HOST, &entry.origin, message);
        let written = entry.text.trim();
        let (text, marked) = match written.strip_suffix(PUBLIC_SUFFIX_MARK) {
            Some(rest) if rest.ends_with(char::is_whitespace) => (rest.trim_end(), true),
            _ => (written, false),
        };
        let list = list_name(entry);
        if text.is_empty() {
            return Err(error(format!("{list} has an empty entry")));
        }
        if let Some(network) = parse_network(text) {
            return Self::network(network, kind).ok_or_else(|| {
                error(format!(
                    "{list} takes host names and addresses, not networks"
                ))
            });
        }
        if text.contains(['/', '\\', '?', '#', '@']) || text.contains("://") {
            let error = error(format!("{list} takes host names, not URLs"));
            return Err(match host_in_url(text) {
                Some(host) => error.help(format!("write `{host}`")),
                None => error,
            });
        }
        let (host, port) = split_port(text)
            .map_err(|()| error(format!("`{text}` does not end in a port from 1 to 65535")))?;
        let subject = parse_subject(host, kind).map_err(|(message, help)| {
            let error = error(message);
            match help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        let pattern = Self { subject, port };
        match pattern.public_suffix() {
            Some(suffix) if kind != ListKind::Block && !marked => Err(error(format!(
                "`{text}` would open every site under the public suffix `{suffix}`"
            ))
            .help(format!(
                "name the sites, or write \"{text} {PUBLIC_SUFFIX_MARK}\""
            ))),
            _ => Ok(pattern),
        }
    }

    fn network(network: IpNet, kind: ListKind) -> Option<Self> {
        let single = network.prefix_len() == network.max_prefix_len();
        let fits = single || kind != ListKind::Allow;
        fits.then_some(Self {
            subject: Subject::Network(network),
            port: None,
        })
    }

    /// Whether it names one host.
    pub(crate) fn is_exact(&self) -> bool {
        match &self.subject {
            Subject::Network(network) => network.prefix_len() == network.max_prefix_len(),
            Subject::Name { cover, .. } => *cover == Cover::Apex,
        }
    }

    /// The public suffix that a wildcard stands directly over, if it does.
    fn public_suffix(&self) -> Option<&str> {
        match &self.subject {
            Subject::Name {
                name,
                cover: Cover::Below | Cover::Tree,
            } => {
                let suffix = psl::suffix(name.as_bytes())?;
                (suffix.is_known() && suffix.as_bytes() == name.as_bytes()).then_some(&**name)
            }
            Subject::Name { .. } | Subject::Network(_) => None,
        }
    }
}

impl fmt::Display for Pattern {
    /// The canonical text of an allow entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Name { name, cover } => {
                let prefix = match cover {
                    Cover::Apex => "",
                    Cover::Below => "*.",
                    Cover::Tree => ".",
                };
                write!(f, "{prefix}{name}")?;
            }
            Subject::Network(net) if net.prefix_len() == net.max_prefix_len() => {
                match (net.addr(), self.port) {
                    (IpAddr::V6(v6), Some(_)) => write!(f, "[{v6}]")?,
                    (ip, _) => write!(f, "{ip}")?,
                }
            }
            Subject::Network(net) => write!(f, "{net}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The list that an entry stands in, by the last part of its path: `allowed_domains`.
pub(crate) fn list_name(entry: &Entry) -> &str {
    let path = &*entry.origin.entry;
    let list = path.rsplit_once('[').map_or(path, |(list, _)| list);
    list.rsplit_once('.').map_or(list, |(_, name)| name)
}

/// `10.0.0.0/8`, with the host bits cleared; `None` for what is no network in this notation.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok()?.trunc();
    // ::ffff:10.0.0.0/104 is 10.0.0.0/8: addresses are compared in their IPv4 form.
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(length) = v6.prefix_len().checked_sub(96)
    {
        return IpNet::new(IpAddr::V4(v4), length)
            .ok()
            .map(|net| net.trunc());
    }
    Some(network)
}

/// The host and the port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), ()> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => return Ok((text, None)),
    };
    let digits = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok((host, Some(number))),
        _ => Err(()),
    }
}

fn parse_subject(host: &str, kind: ListKind) -> Result<Subject, (String, Option<String>)> {
    let (rest, cover) = match (host.strip_prefix("*."), host.strip_prefix('.')) {
        (Some(rest), _) => (rest, Cover::Below),
        (None, Some(rest)) => (rest, Cover::Tree),
        (None, None) => match kind {
            ListKind::Block => (host, Cover::Tree),
            ListKind::Allow | ListKind::Private => (host, Cover::Apex),
        },
    };
    if host == "*" {
        let help = (kind == ListKind::Allow).then(|| "an empty list allows every host".to_owned());
        return Err(("`*` alone is no host pattern".to_owned(), help));
    }
    if rest.contains('*') {
        let help = rest.rsplit_once('*').and_then(|(_, tail)| {
            let tail = tail.split_once('.')?.1;
            Host::parse(tail)
                .ok()
                .map(|tail| format!("write `*.{tail}`"))
        });
        let message = format!("`{host}` has a wildcard in the middle; only a leading `*.` is one");
        return Err((message, help));
    }
    let wild = rest.len() != host.len();
    match Host::parse(rest) {
        Ok(Host::Name(name)) => Ok(Subject::Name { name, cover }),
        Ok(Host::Ip(ip)) if !wild => Ok(Subject::Network(IpNet::from(ip))),
        Ok(Host::Ip(_)) => Err((format!("`{host}` has a wildcard before an address"), None)),
        Err(_) => Err((
            format!("`{host}` is not a valid host name or address"),
            None,
        )),
    }
}

/// The host inside something that looks like a URL.
fn host_in_url(text: &str) -> Option<Host> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, _) = split_port(host).ok()?;
    Host::parse(host).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::default_origin;

    fn parse(text: &str, kind: ListKind) -> Result<Pattern, PolicyError> {
        let origin = default_origin("forward_proxy.allowed_domains[0]");
        Pattern::parse(
            &Entry {
                text: text.to_owned(),
                origin,
            },
            kind,
        )
    }

    #[test]
    fn entries_have_one_canonical_text() {
        let cases = [
            ("API.Example.com.", "api.example.com"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            (".example.com", ".example.com"),
            ("example.com:8443", "example.com:8443"),
            ("0x7f.1", "127.0.0.1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
            ("::1", "::1"),
            ("[2606:4700::1]:8443", "[2606:4700::1]:8443"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("*.github.io !public-suffix", "*.github.io"),
            ("*.corp.internal", "*.corp.internal"),
            ("github.io", "github.io"),
        ];
        for (written, canonical) in cases {
            let pattern = parse(written, ListKind::Allow).unwrap();
            assert_eq!(pattern.to_string(), canonical, "{written}");
        }
    }

    /// Text, part of the message, part of the help.
    const REFUSED: &[(&str, &str, Option<&str>)] = &[
        ("", "has an empty entry", None),
        (
            "https://api.arxiv.org/search",
            "host names, not URLs",
            Some("write `api.arxiv.org`"),
        ),
        (
            "api.arxiv.org/search",
            "host names, not URLs",
            Some("write `api.arxiv.org`"),
        ),
        (
            "https://u:p@a.example:80/",
            "host names, not URLs",
            Some("write `a.example`"),
        ),
        (
            "*",
            "no host pattern",
            Some("an empty list allows every host"),
        ),
        (
            "api.*.example.com",
            "wildcard in the middle",
            Some("write `*.example.com`"),
        ),
        (
            "*api.example.com",
            "wildcard in the middle",
            Some("write `*.example.com`"),
        ),
        (
            "*.*.example.com",
            "wildcard in the middle",
            Some("write `*.example.com`"),
        ),
        ("*.10.0.0.1", "before an address", None),
        (
            "*.co.uk",
            "public suffix `co.uk`",
            Some("*.co.uk !public-suffix"),
        ),
        (
            "*.公司.cn",
            "public suffix `xn--55qx5d.cn`",
            Some("!public-suffix"),
        ),
        (
            "*.GitHub.io",
            "public suffix `github.io`",
            Some("!public-suffix"),
        ),
        (".com", "public suffix `com`", Some("!public-suffix")),
        ("a.example:0", "port from 1 to 65535", None),
        ("a b.example", "not a valid host name", None),
        ("10.0.0.0/8", "not networks", None),
    ];

    #[test]
    fn what_is_no_pattern_is_refused_with_help() {
        for &(written, message, help) in REFUSED {
            let error = parse(written, ListKind::Allow).unwrap_err();
            assert_eq!(error.code, "E012", "{written}");
            assert!(
                error.message.contains(message),
                "{written}: {}",
                error.message
            );
            match help {
                Some(help) => assert!(error.help.unwrap().contains(help), "{written}"),
                None => assert_eq!(error.help, None, "{written}"),
            }
        }
    }

    #[test]
    fn blocklists_take_suffixes_and_networks() {
        for (written, canonical) in [
            ("zip", ".zip"),
            ("*.github.io", "*.github.io"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ] {
            assert_eq!(
                parse(written, ListKind::Block).unwrap().to_string(),
                canonical
            );
        }
    }
}
