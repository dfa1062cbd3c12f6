//! What can happen: the events that the ledger records.
//!
//! An event is stored as an object with one key, its kind: `{"decided":{…}}`. Fields are declared
//! in alphabetical order and hold no floats, so that what serde writes is canonical JSON (RFC 8785).

use oktsec_model::{ExchangeId, Finding, Origin, PolicyEntry, Timestamp};
use serde::{Deserialize, Serialize};

use crate::chain::{Hash, InstanceId};
use crate::text::{Text, exchange_id, micros};

/// One event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A policy took effect.
    ConfigApplied(ConfigApplied),
    /// A policy was refused; the one before stays.
    ConfigRejected(ConfigRejected),
    /// A request was judged.
    Decided(Box<Decided>),
    /// An exchange ended.
    Ended(Ended),
    /// Events could not be taken down.
    Lost(Lost),
    /// The ledger was repaired.
    Recovered(Recovered),
    /// A segment begins.
    Segment(Segment),
    /// The gateway started.
    Started(Started),
    /// The gateway stopped in good order.
    Stopped(Stopped),
    /// A tunnel ended.
    TunnelClosed(TunnelClosed),
    /// A tunnel was opened.
    TunnelOpened(TunnelOpened),
}

/// A notice that belongs to no exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// A policy took effect.
    ConfigApplied(ConfigApplied),
    /// A policy was refused.
    ConfigRejected(ConfigRejected),
}

/// A request was judged. Written before a byte goes upstream.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decided {
    /// `allow`, `block` or `flag`.
    pub action: Text,
    /// The agent, when there is exactly one.
    pub agent: Option<Text>,
    /// When the head of the request had been read.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// False where the decision was only observed.
    pub enforced: bool,
    /// What was seen; at most [`Decided::FINDINGS_MAX`].
    pub findings: Vec<FindingRecord>,
    /// The HTTP status of our refusal.
    pub http_status: Option<u16>,
    /// The exchange.
    #[serde(with = "exchange_id")]
    pub id: ExchangeId,
    /// Who asked.
    pub identity: Identity,
    /// How the request could be read.
    pub inspection: Inspection,
    /// Whether the exchange ended with this decision: no other record follows.
    pub last: bool,
    /// What decided.
    pub policy: Policy,
    /// The reason code.
    pub reason: Text,
    /// The request.
    pub request: Request,
    /// The session, where the client named one.
    pub session: Option<Text>,
    /// The status, if nothing fails later.
    pub status: Text,
    /// How long deciding took.
    pub timing_us: DecidedTiming,
    /// The tunnel the request came through.
    #[serde(with = "exchange_id::option")]
    pub tunnel: Option<ExchangeId>,
}

/// An exchange ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ended {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// What was found after the decision, in what flowed: at most [`Decided::FINDINGS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingRecord>,
    /// The HTTP status that the client was given, where it was given one.
    pub http_status: Option<u16>,
    /// The exchange.
    #[serde(with = "exchange_id")]
    pub id: ExchangeId,
    /// The reason that stands in the end.
    pub reason: Text,
    /// Body bytes that went upstream.
    pub request_bytes: u64,
    /// Body bytes that came back.
    pub response_bytes: u64,
    /// The status that stands in the end.
    pub status: Text,
    /// How long it took.
    pub timing_us: EndedTiming,
    /// Where the request went, where it got that far.
    pub upstream: Option<Upstream>,
}

/// A tunnel was opened (or refused, with a status of its own).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TunnelOpened {
    /// The agent, when there is exactly one.
    pub agent: Option<Text>,
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// The host of the CONNECT.
    pub host: Text,
    /// The tunnel.
    #[serde(with = "exchange_id")]
    pub id: ExchangeId,
    /// Who asked.
    pub identity: Identity,
    /// How far the tunnel can be looked into.
    pub inspection: Inspection,
    /// The port of the CONNECT.
    pub port: u16,
    /// The reason code.
    pub reason: Text,
    /// The status.
    pub status: Text,
}

/// A tunnel ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TunnelClosed {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// Bytes towards the client.
    pub bytes_down: u64,
    /// Bytes towards the upstream.
    pub bytes_up: u64,
    /// How long it was open.
    pub duration_us: u64,
    /// The exchanges inside it.
    pub exchanges: u64,
    /// The HTTP status that the CONNECT was given.
    pub http_status: Option<u16>,
    /// The tunnel.
    #[serde(with = "exchange_id")]
    pub id: ExchangeId,
    /// The reason code.
    pub reason: Text,
    /// The status.
    pub status: Text,
}

/// A policy took effect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConfigApplied {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// The digest of the policy.
    pub digest: Text,
    /// Its generation.
    pub generation: u64,
}

/// A policy was refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConfigRejected {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// What was wrong.
    pub error: Text,
}

/// Events could not be taken down, because more came than the queue holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lost {
    /// When that was noticed.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// How many.
    pub events: u64,
}

/// The ledger was repaired: at start, or after a failed write.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Recovered {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// What made it necessary.
    pub cause: Text,
    /// The bytes after the last whole valid line, which were cut off.
    pub cut_bytes: u64,
    /// The file they were kept in, where they were kept.
    pub kept_as: Option<Text>,
}

/// A segment begins. Always the first line of a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// Whose chain this is.
    pub instance: InstanceId,
    /// The exchanges under way.
    #[serde(with = "exchange_id::list")]
    pub open: Vec<ExchangeId>,
    /// The hash of the record before; zeros at the beginning.
    pub previous: Hash,
    /// The version of the records that follow: 1.
    pub schema: u32,
    /// The tunnels that are open.
    #[serde(with = "exchange_id::list")]
    pub tunnels: Vec<ExchangeId>,
}

/// The gateway started.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Started {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// Whether the last run stopped in good order.
    pub clean: bool,
    /// The digest of its configuration.
    pub config_digest: Text,
    /// The hash of the last record that was found.
    pub head_hash: Hash,
    /// Its number; 0 in a new ledger.
    pub head_seq: u64,
    /// The version of the program.
    pub version: Text,
}

/// The gateway stopped in good order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stopped {
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
}

/// Who asked, and how that is known.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// What the request claimed, believed or not.
    pub claimed: Option<Text>,
    /// The address the connection came from.
    pub client: Text,
    /// How the agent is known.
    pub source: Text,
}

/// How a request could be read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspection {
    /// Not at all: a tunnel that was not opened up.
    None,
    /// It came in the clear.
    Plain,
    /// It was decrypted.
    Tls,
}

/// What decided.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Policy {
    /// The entry, for example `agents.researcher.egress.allowed_domains`.
    pub entry: Option<Text>,
    /// The file it stands in.
    pub file: Option<Text>,
    /// The generation that judged.
    pub generation: u64,
    /// The digest of that generation.
    pub hash: Text,
    /// The line it stands on; none where it stands in no file.
    pub line: Option<u32>,
    /// The list that decided about the host.
    pub list: Option<Text>,
}

/// The request, its path already masked.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Request {
    /// Body bytes, as far as they are known.
    pub bytes: Option<u64>,
    /// The host.
    pub host: Text,
    /// The version the client spoke.
    pub http_version: Text,
    /// The method.
    pub method: Text,
    /// The path, query values masked.
    pub path: Text,
    /// The port.
    pub port: u16,
    /// The names in the query; at most [`Decided::QUERY_KEYS_MAX`].
    pub query_keys: Vec<Text>,
    /// The scheme.
    pub scheme: Text,
    /// The user agent, where there is one.
    pub user_agent: Option<Text>,
}

/// What was seen in a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FindingRecord {
    /// The category.
    pub category: Text,
    /// How sure the detector is.
    pub confidence: Text,
    /// The keyed digest of what matched.
    pub fingerprint: Text,
    /// Where it was seen.
    pub location: Text,
    /// What matched, its secret part masked.
    pub redacted: Text,
    /// The rule.
    pub rule: Text,
    /// The severity.
    pub severity: Text,
    /// The first byte and the byte after the last.
    pub span: [u64; 2],
    /// What the policy made of it; nothing in records that are older than the word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<Text>,
}

/// How long deciding took, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct DecidedTiming {
    /// In the policy.
    pub policy: u64,
    /// In the scan.
    pub scan: u64,
}

/// How long an exchange took, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndedTiming {
    /// From the head of the request to the end.
    pub total: u64,
    /// Of that, waiting for the upstream.
    pub upstream: Option<u64>,
}

/// Where a request went.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Upstream {
    /// The address that was dialled.
    pub address: Text,
}

// === impl Decided ===

impl Decided {
    /// The most findings in one record.
    pub const FINDINGS_MAX: usize = 64;
    /// The most query names in one record.
    pub const QUERY_KEYS_MAX: usize = 64;

    /// Cuts the lists to their limits.
    pub(crate) fn bound(&mut self) {
        self.findings.truncate(Self::FINDINGS_MAX);
        self.request.query_keys.truncate(Self::QUERY_KEYS_MAX);
    }
}

// === impl Event ===

impl From<Note> for Event {
    fn from(note: Note) -> Self {
        match note {
            Note::ConfigApplied(event) => Self::ConfigApplied(event),
            Note::ConfigRejected(event) => Self::ConfigRejected(event),
        }
    }
}

impl Event {
    /// The event's canonical bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENCODED_BYTES);
        serde_json::to_writer(&mut bytes, self)
            .expect("events hold only texts, whole numbers and lists, and a Vec takes every write");
        bytes
    }

    /// Reads an event back. `None` for kinds and shapes of a newer version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

// === impl Policy ===

impl Policy {
    /// The entry that decided, under a generation.
    #[must_use]
    pub fn new(entry: Option<&PolicyEntry>, generation: u64, hash: Text) -> Self {
        let origin: Option<&Origin> = entry.map(|entry| &entry.origin);
        Self {
            entry: origin.map(|origin| Text::from(&*origin.entry)),
            file: origin.map(|origin| Text::from(&*origin.file)),
            generation,
            hash,
            line: origin.map(|origin| origin.line).filter(|&line| line > 0),
            list: entry.and_then(|entry| entry.list).map(Text::from),
        }
    }
}

// === impl FindingRecord ===

impl From<&Finding> for FindingRecord {
    fn from(finding: &Finding) -> Self {
        Self {
            category: (&finding.category).into(),
            confidence: finding.confidence.into(),
            fingerprint: finding.fingerprint.into(),
            location: finding.location.to_string().into(),
            redacted: Text::from(&*finding.redacted),
            rule: (&finding.rule).into(),
            severity: finding.severity.into(),
            span: [finding.span.start as u64, finding.span.end as u64],
            treatment: Some(finding.treatment.into()),
        }
    }
}

/// Room for a usual event, so that encoding allocates once.
const ENCODED_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn findings_of_older_records_have_no_treatment() {
        let finding = sample::blocked(1).findings.remove(0);
        let text = serde_json::to_string(&finding).unwrap();
        assert!(
            text.ends_with(r#""span":[17,37],"treatment":"block"}"#),
            "{text}"
        );
        let older = text.replace(r#","treatment":"block""#, "");
        let read: FindingRecord = serde_json::from_str(&older).unwrap();
        assert_eq!(read.treatment, None);
        assert_eq!(serde_json::to_string(&read).unwrap(), older);
    }
}
