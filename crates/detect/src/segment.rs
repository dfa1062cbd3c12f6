//! The parts of a request's head, each a segment that is scanned by itself.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{self, HeaderName};
use oktsec_model::{Host, Location, Place, RequestHead, safe_name};

use crate::form;

/// A part of a request.
pub(crate) struct Segment<'a> {
    pub(crate) origin: Origin,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// Which part.
#[derive(Clone)]
pub(crate) enum Origin {
    Body,
    Header(Arc<str>),
    Host,
    /// Path and query as one text, so that nothing hides on the border between them.
    Target {
        query_at: usize,
    },
}

/// The segments of a host.
///
/// Hosts and field names arrive in lower case, whatever was typed: a key of capital letters is read
/// back by whoever receives it, so that names with long runs are looked at in capitals too.
pub(crate) fn of_host<'a>(host: &Host) -> Vec<Segment<'a>> {
    let host = host.to_string();
    let capitals = has_long_run(host.as_bytes()).then(|| host.to_ascii_uppercase());
    [Some(host), capitals]
        .into_iter()
        .flatten()
        .map(|text| Segment {
            origin: Origin::Host,
            bytes: Cow::Owned(text.into_bytes()),
        })
        .collect()
}

/// The segments of a head.
pub(crate) fn of_head(head: &RequestHead) -> Vec<Segment<'_>> {
    let path_and_query = head.path_and_query.as_bytes();
    let query_at = memchr::memchr(b'?', path_and_query).map_or(path_and_query.len(), |at| at + 1);
    let mut segments = of_host(&head.target.host);
    segments.push(Segment {
        origin: Origin::Target { query_at },
        bytes: Cow::Borrowed(path_and_query),
    });
    for name in head
        .headers
        .keys()
        .filter(|name| has_long_run(name.as_str().as_bytes()))
    {
        segments.push(Segment {
            origin: Origin::Header("*".into()),
            bytes: Cow::Owned(name.as_str().to_ascii_uppercase().into_bytes()),
        });
    }
    for (name, value) in &head.headers {
        if !is_framing(name) {
            segments.push(Segment {
                origin: Origin::Header(safe_name(name.as_str()).into()),
                bytes: Cow::Borrowed(value.as_bytes()),
            });
        }
    }
    segments
}

/// Whether a name holds a run that could be a key: names of hosts and fields are words.
fn has_long_run(name: &[u8]) -> bool {
    const RUN_BYTES_MIN: usize = 16;
    name.split(|byte| !byte.is_ascii_alphanumeric())
        .any(|run| run.len() >= RUN_BYTES_MIN)
}

/// Fields whose values say how the message is sent, not what is in it. Their grammars leave no
/// room for data of the agent's choice, or (Host) they are scanned as another part.
fn is_framing(name: &HeaderName) -> bool {
    [header::CONNECTION, header::CONTENT_LENGTH, header::HOST].contains(name)
}

// === impl Origin ===

impl Origin {
    /// The location of a finding in this part.
    pub(crate) fn location(&self, part: &[u8], position: usize, views: Vec<Arc<str>>) -> Location {
        let (place, name) = match self {
            Self::Body => (Place::Body, None),
            Self::Header(name) => (Place::Header, Some(Arc::clone(name))),
            Self::Host => (Place::Host, None),
            Self::Target { query_at } if position < *query_at => (Place::Path, None),
            Self::Target { query_at } => {
                let query = part.get(*query_at..).unwrap_or_default();
                (Place::Query, form::field_name(query, position - query_at))
            }
        };
        Location { place, name, views }
    }
}
