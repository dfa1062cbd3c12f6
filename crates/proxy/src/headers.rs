//! Which header fields belong to the message and which to the hop.
//!
//! Sources: RFC 9110, section 7.6.1 (Connection), RFC 9113, section 8.2.2.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, PROXY_AUTHENTICATE,
    SEC_WEBSOCKET_EXTENSIONS, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Ours alone: what an upstream writes there could be taken for our word.
const OURS: [HeaderName; 4] = [
    HeaderName::from_static("proxy-status"),
    HeaderName::from_static("x-oktsec-event"),
    HeaderName::from_static("x-oktsec-reason"),
    HeaderName::from_static("x-should-retry"),
];

/// Removes what concerns the hop, and what identifies the agent, from a request.
pub(crate) fn strip_request(headers: &mut HeaderMap, identity: &HeaderName) {
    strip_hop(headers);
    for name in [identity, &HOST, &EXPECT] {
        headers.remove(name);
    }
    let reserved: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_reserved(name))
        .cloned()
        .collect();
    for name in reserved {
        headers.remove(name);
    }
}

/// Removes what concerns the hop, and what only we may say, from a response.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    // With both, the length is not that of the message (RFC 9112, section 6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop(headers);
    headers.remove(PROXY_AUTHENTICATE);
    for name in &OURS {
        headers.remove(name);
    }
}

/// Takes the wish for extensions out of a handshake.
pub(crate) fn without_extensions(headers: &mut HeaderMap) {
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
}

/// Writes the wish to upgrade, which belongs to the hop, into a handshake.
pub(crate) fn ask_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether a message is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// What is said to a proxy or by us, also in the spelling that some servers take for the same
/// (underscores, CGI).
fn is_reserved(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 2] = ["x-oktsec-", "proxy-"];
    let folded = name.as_str().replace('_', "-");
    PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

fn strip_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .filter(|name| !is_end_to_end(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in [
        &CONNECTION,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &TE,
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Fields that a Connection field cannot make hop-by-hop: deleting them would change what the
/// message means.
fn is_end_to_end(name: &HeaderName) -> bool {
    const PROTECTED: [&str; 6] = [
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "host",
    ];
    PROTECTED.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_hop_fields_never_leave() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-oktsec-agent", "researcher"),
            ("x-oktsec-agent", "coder"),
            ("x-oktsec-session", "s"),
            ("x-custom-agent", "researcher"),
            ("proxy-authorization", "Basic cjp4"),
            ("connection", "close, X-Drop, cookie"),
            ("x-drop", "1"),
            ("cookie", "a=b"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
            ("x-oktsec-token", "t"),
            ("x_oktsec_agent", "researcher"),
            ("proxy-foo", "1"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        strip_request(&mut headers, &HeaderName::from_static("x-custom-agent"));
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "cookie"]);
    }

    #[test]
    fn an_upstream_cannot_speak_for_us() {
        let mut headers = HeaderMap::new();
        headers.insert("x-oktsec-reason", "proxy_allowed".parse().unwrap());
        headers.insert("proxy-status", "oktsec".parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());
        strip_response(&mut headers);
        assert_eq!(headers.len(), 1);
    }
}
