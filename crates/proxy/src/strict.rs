//! What hyper lets pass and we refuse: requests that two readers could understand differently.
//!
//! Sources: RFC 9112, sections 3.2 (Host), 6.1 and 6.3 (framing); RFC 9113, section 8.3.1.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Version, request};
use oktsec_model::{InvalidTarget, Scheme, Target};

/// Why a request is refused before anything is asked of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Malformed {
    /// The fields together are longer than is accepted.
    HeadTooLong,
    /// More than one Host field, or none where one is required.
    Host,
    /// Several or contradictory length declarations.
    Length,
    /// A method that has no meaning here.
    Method,
    /// A field that says how the body is to be read stands more than once.
    Repeated,
    /// The target is not one.
    Target(InvalidTarget),
    /// The request target is neither absolute nor an authority.
    TargetForm,
    /// The request target is longer than is accepted.
    TargetTooLong,
    /// A transfer coding other than chunked.
    TransferCoding,
    /// The connection asks to become something else.
    Upgrade,
}

/// The fields of a head together; hyper holds to it only roughly.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest request target, in bytes: RFC 9110, section 4.1 asks for 8,000 at least.
pub(crate) const TARGET_BYTES_MAX: usize = 16 * 1024;

impl Malformed {
    /// The HTTP status of the refusal.
    pub(crate) const fn http_status(self) -> u16 {
        match self {
            Self::Host | Self::Length | Self::Repeated | Self::Target(_) | Self::TargetForm => 400,
            Self::Method => 405,
            Self::TargetTooLong => 414,
            Self::HeadTooLong => 431,
            Self::TransferCoding | Self::Upgrade => 501,
        }
    }

    /// One sentence for the caller; says nothing that the caller wrote.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::Host => "The request must carry exactly one Host field.".into(),
            Self::HeadTooLong => "The header fields are longer than 64 KiB.".into(),
            Self::Length => "The request declares its length more than once.".into(),
            Self::Repeated => "The request carries more than one Content-Type field.".into(),
            Self::Method => "This method is not accepted here.".into(),
            Self::Target(error) => format!("The request target is not acceptable: {error}."),
            Self::TargetForm => {
                "This is a forward proxy: send the absolute URL (http://host/path) or CONNECT host:port."
                    .into()
            }
            Self::TargetTooLong => "The request target is longer than 16 KiB.".into(),
            Self::TransferCoding => "The only transfer coding accepted is chunked.".into(),
            Self::Upgrade => {
                "The only upgrade accepted is a WebSocket of version 13 (RFC 6455): GET with Connection: Upgrade and one Sec-WebSocket-Key."
                    .into()
            }
        }
    }
}

/// Checks what holds for every request, inside a tunnel or not.
pub(crate) fn check_message(parts: &request::Parts) -> Result<(), Malformed> {
    if parts
        .uri
        .path_and_query()
        .is_some_and(|path| path.as_str().len() > TARGET_BYTES_MAX)
    {
        return Err(Malformed::TargetTooLong);
    }
    let fields = parts.headers.iter();
    let head_bytes: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if head_bytes > HEAD_BYTES_MAX {
        return Err(Malformed::HeadTooLong);
    }
    check_framing(&parts.headers, parts.version)?;
    if parts.headers.get_all(HOST).iter().count() > 1 {
        return Err(Malformed::Host);
    }
    if parts.headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        return Err(Malformed::Repeated);
    }
    if parts.method == Method::TRACE || !is_method(parts.method.as_str()) {
        return Err(Malformed::Method);
    }
    let asks = parts.headers.contains_key(UPGRADE) && parts.version != Version::HTTP_2;
    if asks && !is_websocket(parts) {
        return Err(Malformed::Upgrade);
    }
    Ok(())
}

/// Whether a request is the handshake of a WebSocket (RFC 6455, section 4.1).
pub(crate) fn is_websocket(parts: &request::Parts) -> bool {
    let has_token = |name: HeaderName, token: &str| {
        let values = parts.headers.get_all(name);
        let mut tokens = (values.iter())
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        tokens.any(|one| one.trim().eq_ignore_ascii_case(token))
    };
    let is_one = |name: HeaderName| parts.headers.get_all(name).iter().count() == 1;
    parts.version == Version::HTTP_11
        && parts.method == Method::GET
        && parts
            .headers
            .get(UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && has_token(CONNECTION, "upgrade")
        && is_one(UPGRADE)
        && is_one(SEC_WEBSOCKET_KEY)
        && parts
            .headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_some_and(|value| value == "13")
}

/// Methods are tokens of any length and could carry data; those in use are short words in capitals
/// (IANA HTTP Method Registry).
fn is_method(method: &str) -> bool {
    const BYTES_MAX: usize = 17;
    method.len() <= BYTES_MAX && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

fn check_framing(headers: &HeaderMap, version: Version) -> Result<(), Malformed> {
    // Servers that pass fields on as variables read these as the framing fields.
    if headers.contains_key("transfer_encoding") || headers.contains_key("content_length") {
        return Err(Malformed::Length);
    }
    let codings = headers.get_all(TRANSFER_ENCODING);
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let coded = codings.iter().next().is_some();
    if lengths > 1 || (coded && lengths > 0) || (coded && version < Version::HTTP_11) {
        return Err(Malformed::Length);
    }
    let mut values = codings.iter();
    if let Some(first) = values.next()
        && (!first.as_bytes().eq_ignore_ascii_case(b"chunked") || values.next().is_some())
    {
        return Err(Malformed::TransferCoding);
    }
    Ok(())
}

/// The target and path of a request that came to the proxy port itself.
pub(crate) fn absolute_target(parts: &request::Parts) -> Result<(Target, String), Malformed> {
    let (Some(scheme), Some(authority)) = (parts.uri.scheme_str(), parts.uri.authority()) else {
        return Err(Malformed::TargetForm);
    };
    if parts.version == Version::HTTP_11 && !parts.headers.contains_key(HOST) {
        return Err(Malformed::Host);
    }
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(Malformed::Target(InvalidTarget::Scheme)),
    };
    let target = Target::parse_host_field(authority.as_str(), scheme).map_err(Malformed::Target)?;
    Ok((target, path_and_query(parts)))
}

/// The target of a request inside a tunnel: its own authority, to be held against the tunnel's.
pub(crate) fn inner_target(
    parts: &request::Parts,
    scheme: Scheme,
) -> Result<(Target, String), Malformed> {
    let field = match parts.headers.get(HOST) {
        Some(value) => Some(value.to_str().map_err(|_| Malformed::Host)?),
        None => None,
    };
    let field = field
        .map(|text| Target::parse_host_field(text, scheme))
        .transpose();
    let field = field.map_err(Malformed::Target)?;
    let pseudo = parts
        .uri
        .authority()
        .map(|a| Target::parse_host_field(a.as_str(), scheme));
    let pseudo = pseudo.transpose().map_err(Malformed::Target)?;
    let target = match (pseudo, field) {
        (Some(pseudo), Some(field)) if pseudo != field => return Err(Malformed::Host),
        (Some(target), _) | (None, Some(target)) => target,
        (None, None) => return Err(Malformed::Host),
    };
    Ok((target, path_and_query(parts)))
}

fn path_and_query(parts: &request::Parts) -> String {
    let text = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    if parts.method == Method::OPTIONS && text == "*" || text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    }
}
