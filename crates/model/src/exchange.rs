//! One request and what became of it.

use http::{HeaderMap, Method};

use crate::decision::{Reason, Status};
use crate::ids::{ExchangeId, Timestamp};
use crate::principal::Principal;
use crate::target::Target;

/// The protocol version the client spoke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

/// Everything that is known of a request before its body.
///
/// The headers are those of the request as the agent sent it, without the identity and hop-by-hop
/// fields, which never belong to the message. Not `Debug`: headers hold credentials.
#[derive(Clone)]
pub struct RequestHead {
    /// The id of this exchange.
    pub id: ExchangeId,
    /// When the head had been read.
    pub at: Timestamp,
    /// Who asks.
    pub principal: Principal,
    /// Where to.
    pub target: Target,
    /// The method.
    pub method: Method,
    /// Path and query exactly as sent, beginning with `/` (or `*` for OPTIONS).
    pub path_and_query: String,
    /// The fields that will be forwarded.
    pub headers: HeaderMap,
    /// The version the client spoke.
    pub version: HttpVersion,
}

/// How an exchange ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The status that stands in the end.
    pub status: Status,
    /// The reason that stands in the end.
    pub reason: Reason,
    /// The HTTP status that the client was given, where it was given one.
    pub http_status: Option<u16>,
    /// Body bytes that went upstream.
    pub request_bytes: u64,
    /// Body bytes that came back.
    pub response_bytes: u64,
}

// === impl RequestHead ===

impl RequestHead {
    /// The path without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query
            .split_once('?')
            .map_or(self.path_and_query.as_str(), |(path, _)| path)
    }

    /// The query, where there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path_and_query.split_once('?').map(|(_, query)| query)
    }
}

// === impl HttpVersion ===

impl HttpVersion {
    /// `1.0`, `1.1` or `2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}
