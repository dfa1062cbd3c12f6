//! The forms of text. Host patterns are judged by the policy's compiler, which owns their grammar;
//! here only what is plainly something else is told apart.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use oktsec_model::{AgentName, Host};
use oktsec_proxy::Chain;

use crate::config::diagnostic::{Diagnostic, code};
use crate::config::node::Span;
use crate::config::schema::Text;

/// What is wrong with a text, if anything is.
pub(super) fn check(form: Text, text: &str, span: &Span, name: &str) -> Option<Diagnostic> {
    let malformed = |expected: &str, help: &str| {
        let shown = oktsec_model::truncate_chars(text, 60);
        let message = format!("{name} takes {expected}, found `{}`", shown.escape_debug());
        Some(
            Diagnostic::at(code::MALFORMED, span, message)
                .label(format!("not {expected}"))
                .help(help),
        )
    };
    match form {
        Text::Agent => agent_name(text, span),
        Text::AgentOrAll if text == "*" => None,
        Text::AgentOrAll => agent_name(text, span),
        Text::SecretPlace if !is_secret_place(text) => Some(no_secret_place(span, name)),
        Text::SecretName if !is_secret_name(text) => malformed(
            "names of secrets",
            "names are shown in the trail: write up to 40 letters, `-` and `_`, with few digits",
        ),
        Text::HeaderName if !is_token(text) => {
            malformed("the name of a header", "write for example `X-Oktsec-Agent`")
        }
        Text::ListenAddress if text != "localhost" && text.parse::<IpAddr>().is_err() => malformed(
            "`localhost` or IP addresses",
            "write for example `127.0.0.1`, `0.0.0.0` or `\"::1\"`; the port has a key of its own",
        ),
        Text::Method if !is_method(text) => {
            malformed("a method in capitals", "write for example `GET`")
        }
        Text::Network if parse_network(text).is_none() => malformed(
            "a network or an address",
            "write for example `10.0.0.0/8` or `\"::1\"`",
        ),
        Text::ResolveName if !is_resolve_name(text) => malformed(
            "`host`, `host:port` or `*:port`",
            "write for example `api.example.com`, `api.example.com:443` or `\"*:443\"`",
        ),
        Text::SocketAddress if parse_answer(text).is_none() => malformed(
            "an IP address, or one with a port",
            "write for example `127.0.0.1` or `\"127.0.0.1:8443\"`",
        ),
        // Shown nowhere: it may hold a password.
        Text::Proxy => proxy(text, span, name),
        Text::Url if !text.starts_with("http://") && !text.starts_with("https://") => malformed(
            "a URL",
            "write for example `https://proxy.example.com:3128`",
        ),
        Text::Any
        | Text::Category
        | Text::HeaderName
        | Text::HostPattern
        | Text::ListenAddress
        | Text::Method
        | Text::Network
        | Text::NetworkOrHost
        | Text::Path
        | Text::ResolveName
        | Text::RuleId
        | Text::Secret
        | Text::SecretName
        | Text::SecretPlace
        | Text::SocketAddress
        | Text::Url => None,
    }
}

/// Shown nowhere: somebody may have written the secret itself.
fn no_secret_place(span: &Span, name: &str) -> Diagnostic {
    let message = format!("{name} takes the place of a secret, and this is none");
    Diagnostic::at(code::MALFORMED, span, message)
        .quiet()
        .help("write `env:VARIABLE`, `file:PATH` or `dotenv:PATH`; never the secret itself")
}

/// What is wrong with the address of a proxy, if anything is.
fn proxy(text: &str, span: &Span, name: &str) -> Option<Diagnostic> {
    if text == "env" {
        return None;
    }
    let error = Chain::parse(text, "").err()?;
    let diagnostic = Diagnostic::at(code::MALFORMED, span, format!("{name}: {error}")).quiet();
    Some(diagnostic.help("write for example `http://proxy.example.com:3128`, or `env`"))
}

/// What is wrong with an agent's name, if anything is.
pub(super) fn agent_name(text: &str, span: &Span) -> Option<Diagnostic> {
    let error = AgentName::parse(text).err()?;
    let shown = oktsec_model::truncate_chars(text, 60);
    let message = format!("`{}` is not a name for an agent", shown.escape_debug());
    Some(
        Diagnostic::at(code::AGENT_NAME, span, message)
            .label("not a name")
            .help(error.to_string()),
    )
}

/// A network, or an address as the network that holds only it.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .map(|network| network.trunc())
}

/// An address, with a port or without.
pub(crate) fn parse_answer(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() != 0).then(|| (address.ip(), Some(address.port())));
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse::<IpAddr>().ok().map(|address| (address, None))
}

/// The host (`None` is every host) and the port (`None` is every port) of a resolve override.
pub(crate) fn parse_resolve_name(text: &str) -> Option<(Option<Host>, Option<u16>)> {
    let whole = || Some((Some(Host::parse(text).ok()?), None));
    if text.parse::<IpAddr>().is_ok() {
        return whole();
    }
    let Some((host, port)) = text
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
    else {
        return whole();
    };
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    let host = if host == "*" {
        None
    } else {
        Some(Host::parse(host).ok()?)
    };
    Some((host, Some(port)))
}

fn is_resolve_name(text: &str) -> bool {
    parse_resolve_name(text).is_some()
}

/// `env:VAR`, `file:PATH` or `dotenv:PATH`.
fn is_secret_place(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, place)| {
        matches!(kind, "env" | "file" | "dotenv") && !place.trim().is_empty()
    })
}

/// What findings show of a secret must be fit to be shown.
fn is_secret_name(text: &str) -> bool {
    oktsec_model::safe_name(text) == text && !text.contains('.')
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(in_token)
}

fn is_method(text: &str) -> bool {
    is_token(text)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}
