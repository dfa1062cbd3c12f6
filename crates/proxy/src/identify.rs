//! Who asks: every identity that came with a request, joined to one [`Principal`].
//!
//! Identity comes from how the connection arrived; a claim in the request is believed only from
//! addresses that may claim, and only for agents that have nothing stronger of their own. Several
//! identities must agree.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use oktsec_model::{AgentName, Caller, IdentitySource, Principal};

/// How callers are told apart.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The header that carries a claim.
    pub header: HeaderName,
    /// Addresses from which a claim is believed.
    pub trust_header_from: Vec<IpNet>,
    /// Addresses that belong to an agent.
    pub addresses: Vec<(IpNet, AgentName)>,
    /// Who a caller is that presents nothing.
    pub default_agent: Option<AgentName>,
}

/// The claims of a CONNECT request, which hold for every request inside its tunnel.
///
/// Not `Debug`: a claim is what a client wrote, and clients write secrets into the wrong places.
#[derive(Clone, Default)]
pub(crate) struct Claims {
    names: Vec<Box<str>>,
}

/// The longest claim that is looked at, in bytes.
const CLAIM_BYTES_MAX: usize = 1024;
/// Distinct claims that are looked at; the second one already decides.
const CLAIMS_MAX: usize = 4;

// === impl Claims ===

impl Claims {
    /// The claims in `headers`, joined to those that came before.
    pub(crate) fn read(mut self, headers: &HeaderMap, settings: &IdentitySettings) -> Self {
        let from_header = headers.get_all(&settings.header).iter().map(text_of);
        let from_user = headers
            .get_all(PROXY_AUTHORIZATION)
            .iter()
            .filter_map(user_of);
        for claim in from_header.chain(from_user) {
            if self.names.len() < CLAIMS_MAX && !self.names.contains(&claim) {
                self.names.push(claim);
            }
        }
        self
    }

    /// The one caller that these claims and the client's address amount to.
    pub(crate) fn principal(&self, client: SocketAddr, settings: &IdentitySettings) -> Principal {
        let ip = client.ip().to_canonical();
        let by_address = settings
            .addresses
            .iter()
            .find(|(net, _)| net.contains(&ip))
            .map(|(_, a)| a);
        let claimed = self.names.first().map(|name| shown(name));
        let (caller, source) = match (self.names.as_slice(), by_address) {
            ([], Some(agent)) => (Caller::Named(agent.clone()), IdentitySource::Address),
            ([], None) => match &settings.default_agent {
                Some(agent) => (Caller::Named(agent.clone()), IdentitySource::Listener),
                None => (Caller::Anonymous, IdentitySource::Anonymous),
            },
            ([name], Some(agent)) if **name == *agent.as_str() => {
                (Caller::Named(agent.clone()), IdentitySource::Address)
            }
            ([_], Some(_)) | ([_, _, ..], _) => (Caller::Conflicted, IdentitySource::Header),
            ([name], None) => (claimed_caller(name, ip, settings), IdentitySource::Header),
        };
        let source = if caller == Caller::Anonymous {
            IdentitySource::Anonymous
        } else {
            source
        };
        Principal {
            caller,
            source,
            claimed,
            client,
        }
    }
}

/// What a single claim without a stronger identity beside it amounts to.
fn claimed_caller(name: &str, ip: IpAddr, settings: &IdentitySettings) -> Caller {
    let trusted = settings
        .trust_header_from
        .iter()
        .any(|net| net.contains(&ip));
    let Ok(agent) = AgentName::parse(name) else {
        return Caller::Malformed;
    };
    // An agent that has an address of its own cannot be claimed from elsewhere.
    let owned = settings.addresses.iter().any(|(_, owner)| *owner == agent);
    if trusted && !owned {
        Caller::Named(agent)
    } else {
        Caller::Anonymous
    }
}

/// The claim for the record: clients put tokens into the wrong header, so that only what looks
/// like a name is shown.
fn shown(name: &str) -> Arc<str> {
    if AgentName::parse(name).is_ok() {
        oktsec_model::safe_name(name).into()
    } else {
        "*".into()
    }
}

fn text_of(value: &HeaderValue) -> Box<str> {
    let bytes = value.as_bytes();
    if bytes.len() > CLAIM_BYTES_MAX {
        return "\u{fffd}".into();
    }
    String::from_utf8_lossy(bytes.trim_ascii()).into()
}

/// The user name of Basic credentials (RFC 7617). An empty one is no claim; credentials that name
/// nobody we could know are a claim that nobody has, so that they agree with no other.
fn user_of(value: &HeaderValue) -> Option<Box<str>> {
    let named = value.to_str().ok().and_then(|text| {
        let (scheme, encoded) = text.trim().split_once(' ')?;
        let is_basic = scheme.eq_ignore_ascii_case("basic") && encoded.len() <= CLAIM_BYTES_MAX;
        let decoded = is_basic.then(|| STANDARD.decode(encoded.trim()).ok())??;
        let user = decoded.split(|byte| *byte == b':').next()?;
        Some(String::from_utf8_lossy(user).into_owned())
    });
    match named {
        Some(user) if user.is_empty() => None,
        Some(user) => Some(user.into()),
        None => Some("\u{fffd}".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> IdentitySettings {
        IdentitySettings {
            header: HeaderName::from_static("x-oktsec-agent"),
            trust_header_from: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            addresses: vec![(
                "10.0.3.7/32".parse().unwrap(),
                AgentName::parse("boxed").unwrap(),
            )],
            default_agent: None,
        }
    }

    fn caller(client: &str, fields: &[(&'static str, &str)]) -> Principal {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let settings = settings();
        Claims::default()
            .read(&headers, &settings)
            .principal(format!("{client}:5000").parse().unwrap(), &settings)
    }

    #[test]
    fn a_claim_is_believed_only_where_it_may_be_made() {
        let named = |name: &str| Caller::Named(AgentName::parse(name).unwrap());
        let basic = format!("Basic {}", STANDARD.encode("coder:x"));
        type Fields<'a> = &'a [(&'static str, &'a str)];
        let cases: &[(&str, Fields<'_>, Caller)] = &[
            ("127.0.0.1", &[("x-oktsec-agent", "coder")], named("coder")),
            (
                "127.0.0.1",
                &[("proxy-authorization", &basic)],
                named("coder"),
            ),
            (
                "127.0.0.1",
                &[("x-oktsec-agent", "coder"), ("proxy-authorization", &basic)],
                named("coder"),
            ),
            ("127.0.0.1", &[], Caller::Anonymous),
            (
                "127.0.0.1",
                &[("x-oktsec-agent", "coder"), ("x-oktsec-agent", "coder")],
                named("coder"),
            ),
            (
                "127.0.0.1",
                &[("x-oktsec-agent", "a"), ("x-oktsec-agent", "b")],
                Caller::Conflicted,
            ),
            (
                "127.0.0.1",
                &[("x-oktsec-agent", "a"), ("proxy-authorization", &basic)],
                Caller::Conflicted,
            ),
            ("127.0.0.1", &[("x-oktsec-agent", "a b")], Caller::Malformed),
            (
                "127.0.0.1",
                &[("proxy-authorization", "Bearer coder")],
                Caller::Malformed,
            ),
            (
                "127.0.0.1",
                &[("x-oktsec-agent", "boxed")],
                Caller::Anonymous,
            ),
            (
                "192.0.2.9",
                &[("x-oktsec-agent", "coder")],
                Caller::Anonymous,
            ),
            ("10.0.3.7", &[], named("boxed")),
            ("10.0.3.7", &[("x-oktsec-agent", "boxed")], named("boxed")),
            (
                "10.0.3.7",
                &[("x-oktsec-agent", "coder")],
                Caller::Conflicted,
            ),
        ];
        for (client, fields, expected) in cases {
            assert_eq!(
                caller(client, fields).caller,
                *expected,
                "{client} {fields:?}"
            );
        }
    }

    #[test]
    fn a_claim_that_could_be_a_secret_is_not_kept() {
        let principal = caller("127.0.0.1", &[("x-oktsec-agent", "AKIA1234567890ABCDEF")]);
        assert_eq!(principal.claimed.as_deref(), Some("*"));
    }
}
