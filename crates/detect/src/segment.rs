//! The parts of a request's head, each a segment that is scanned by itself.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::header::{self, HeaderName};
use oktsec_model::{Host, Location, Place, RequestHead, safe_name};

use crate::form;
use crate::joined::Joined;

/// A part of a request.
pub(crate) struct Segment<'a> {
    pub(crate) origin: Origin,
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Where pieces begin, of what was put together from some.
    pub(crate) seams: Option<Vec<usize>>,
}

/// Which part.
pub(crate) enum Origin {
    Body,
    Response,
    /// Fields, a line each, as they are sent: a field's name says what its value is.
    Headers(Arc<[Line]>),
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
            seams: None,
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
        seams: None,
    });
    segments.push(of_fields(head));
    segments
}

/// All fields as one text; names with long runs once more, in capitals.
fn of_fields(head: &RequestHead) -> Segment<'_> {
    let mut text = Vec::with_capacity(1024);
    let mut lines = Vec::with_capacity(head.headers.len());
    let mut add = |shown: Arc<str>, name: &[u8], value: &[u8]| {
        let start = text.len();
        text.extend_from_slice(name);
        text.extend_from_slice(b": ");
        lines.push(Line {
            start,
            value: text.len(),
            name: shown,
        });
        text.extend_from_slice(value);
        // An empty line between two keeps encoded data of one from being joined with the next.
        text.extend_from_slice(b"\n\n");
    };
    for name in head
        .headers
        .keys()
        .filter(|name| has_long_run(name.as_str().as_bytes()))
    {
        add(
            "*".into(),
            b"",
            name.as_str().to_ascii_uppercase().as_bytes(),
        );
    }
    for (name, value) in &head.headers {
        if !is_framing(name) {
            let shown = safe_name(name.as_str()).into();
            add(shown, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    Segment {
        origin: Origin::Headers(lines.into()),
        bytes: Cow::Owned(text),
        seams: None,
    }
}

/// A secret that was cut into several fields, put together; it is reported at the first of them.
pub(crate) fn of_pieces(name: &HeaderName, pieces: Joined) -> Segment<'static> {
    let line = Line {
        start: 0,
        value: 0,
        name: safe_name(name.as_str()).into(),
    };
    Segment {
        origin: Origin::Headers([line].into()),
        bytes: Cow::Owned(pieces.bytes),
        seams: Some(pieces.seams),
    }
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

/// A field of the head within the text of all of them.
pub(crate) struct Line {
    start: usize,
    /// Where its value begins.
    value: usize,
    name: Arc<str>,
}

// === impl Segment ===

impl<'a> Segment<'a> {
    pub(crate) fn new(origin: Origin, bytes: &'a [u8]) -> Self {
        Self {
            origin,
            bytes: Cow::Borrowed(bytes),
            seams: None,
        }
    }
}

// === impl Origin ===

impl Origin {
    /// The location of a finding in this part, and its span there: in the value, for a field.
    pub(crate) fn locate(
        &self,
        part: &[u8],
        span: Range<usize>,
        views: Vec<Arc<str>>,
    ) -> (Location, Range<usize>) {
        let at = |place, name| Location { place, name, views };
        match self {
            Self::Body => (at(Place::Body, None), span),
            Self::Response => (at(Place::Response, None), span),
            Self::Host => (at(Place::Host, None), span),
            Self::Headers(lines) => {
                let after = lines.partition_point(|line| line.start <= span.start);
                let line = after.checked_sub(1).and_then(|index| lines.get(index));
                let value = line.map_or(0, |line| line.value);
                let span = span.start.saturating_sub(value)..span.end.saturating_sub(value);
                (
                    at(Place::Header, line.map(|line| Arc::clone(&line.name))),
                    span,
                )
            }
            Self::Target { query_at } if span.start < *query_at => (at(Place::Path, None), span),
            Self::Target { query_at } => {
                let query = part.get(*query_at..).unwrap_or_default();
                let name = form::field_name(query, span.start - query_at);
                (at(Place::Query, name), span)
            }
        }
    }
}
