//! The detector: compiled rules and what is asked of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, header};
use oktsec_model::{Finding, Host, RequestHead, RuleId, safe_name};

use crate::builtin::{self, Examples};
use crate::bytes::slice;
use crate::coding::{self, Coding};
use crate::collect::Hits;
use crate::fingerprint::FingerprintKey;
use crate::joined;
use crate::llm::{self, Passage};
use crate::rule::{Rule, RuleError};
use crate::scanner::Scanner;
use crate::segment::{self, Origin, Segment};
use crate::view::{Map, Shape, View};
use crate::walk::Walk;
use crate::{home, loader};

/// How much decoding one request is worth.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many decodings may lie on top of each other. Content codings have their own bound.
    pub decode_depth_max: u8,
    /// How many bytes those views of a request may have together that are larger than what they were
    /// decoded from, content codings aside.
    pub decode_bytes_max: usize,
}

/// A rule file, as read by whoever may read files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleFile {
    /// Its name, for messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A secret of the operator's own, matched exactly in every view. It has no `Debug`.
#[derive(Clone)]
pub struct KnownSecret {
    pub(crate) name: String,
    pub(crate) value: Vec<u8>,
}

/// What a detector is made of, besides the embedded rules.
pub struct Setup {
    /// The key of the fingerprints.
    pub key: FingerprintKey,
    /// The bounds of decoding.
    pub limits: Limits,
    /// Rules of the operator's own, added to the embedded ones.
    pub rules: Vec<RuleFile>,
    /// Secrets of the operator's own.
    pub secrets: Vec<KnownSecret>,
}

/// Compiled rules. Immutable; share it between threads.
pub struct Detector {
    pub(crate) key: FingerprintKey,
    pub(crate) limits: Limits,
    pub(crate) rules: Vec<Rule>,
    pub(crate) scanner: Scanner,
}

/// The answer to one scan.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// What was seen.
    pub findings: Vec<Finding>,
    /// Why not everything could be looked at, where that is so.
    pub uninspectable: Option<Uninspectable>,
}

/// Why something could not be looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Uninspectable {
    /// A content coding was announced, and the body is not in it.
    CorruptCoding,
    /// The body inflates beyond what is held.
    CodingBudget,
    /// More content codings lie on top of each other than are undone.
    CodingLayers,
    /// The views together exceed the decoding budget.
    DecodeBudget,
    /// There is encoded data below the deepest view.
    DecodeDepth,
    /// Compressed data goes on behind what is held.
    CutOff,
    /// A file of a kind that cannot be opened, or that is encrypted.
    Opaque(&'static str),
    /// A rule sees more in the head than is listed.
    TooMany,
    /// A content coding that we do not know.
    UnknownCoding(String),
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            decode_depth_max: 4,
            decode_bytes_max: 8 * 1024 * 1024,
        }
    }
}

// === impl KnownSecret ===

impl KnownSecret {
    /// The shortest value that is looked for, in bytes: shorter ones stand in ordinary text.
    pub const BYTES_MIN: usize = 8;
    /// The longest, in bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// A secret under the name that findings show; nothing where the value is too short or too long
    /// to be looked for. White space around the value is no part of it.
    #[must_use]
    pub fn new(name: &str, value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        (Self::BYTES_MIN..=Self::BYTES_MAX)
            .contains(&value.len())
            .then(|| Self {
                name: name.to_owned(),
                value: value.to_vec(),
            })
    }

    /// The id of the rule that speaks for the secret of that name.
    #[must_use]
    pub fn rule_id(name: &str) -> RuleId {
        Rule::for_secret(name, 0).id
    }
}

// === impl Detector ===

impl Detector {
    /// A detector with the embedded rules.
    ///
    /// # Errors
    /// All mistakes in the rules. The embedded ones have none, which a test holds.
    pub fn builtin(key: FingerprintKey, limits: Limits) -> Result<Self, Vec<RuleError>> {
        Self::new(Setup {
            key,
            limits,
            rules: Vec::new(),
            secrets: Vec::new(),
        })
    }

    /// The embedded rules and the operator's own, for questions that need no detector.
    ///
    /// # Errors
    /// All mistakes in the rules, each with its place.
    pub fn load_rules(own: &[RuleFile]) -> Result<Vec<Rule>, Vec<RuleError>> {
        loader::load(&builtin::FILES, own, Examples::Skipped)
    }

    /// A detector with the embedded rules and the operator's own. The embedded ones have no examples.
    ///
    /// # Errors
    /// All mistakes in the rules, each with its place.
    pub fn new(setup: Setup) -> Result<Self, Vec<RuleError>> {
        Self::load(setup, Examples::Skipped)
    }

    /// The same, whose embedded rules have their examples.
    ///
    /// # Errors
    /// All mistakes in the rules, each with its place.
    pub fn with_examples(setup: Setup) -> Result<Self, Vec<RuleError>> {
        Self::load(setup, Examples::Kept)
    }

    fn load(setup: Setup, examples: Examples) -> Result<Self, Vec<RuleError>> {
        let rules = loader::load(&builtin::FILES, &setup.rules, examples)?;
        Ok(Self::from_rules(
            setup.key,
            setup.limits,
            rules,
            &setup.secrets,
        ))
    }

    /// A detector with these rules, and one for each secret.
    pub(crate) fn from_rules(
        key: FingerprintKey,
        limits: Limits,
        mut rules: Vec<Rule>,
        secrets: &[KnownSecret],
    ) -> Self {
        let own = secrets.iter().enumerate();
        rules.extend(own.map(|(number, secret)| Rule::for_secret(&secret.name, number)));
        let scanner = Scanner::new(&rules, secrets);
        Self {
            key,
            limits,
            rules,
            scanner,
        }
    }

    /// Scans what is known before the body: host, path, query and header values.
    #[must_use]
    pub fn scan_head(&self, head: &RequestHead) -> Scan {
        let mut scan = Scan::default();
        let host = home::name_of(&head.target.host);
        for part in segment::of_head(head) {
            scan.add(self.scan_part(&part, Some(&host)));
        }
        let pieces = joined::of_headers(&head.headers).into_iter();
        for (name, piece) in pieces {
            let part = segment::of_pieces(&name, piece);
            scan.add(self.scan_part(&part, Some(&host)));
        }
        scan
    }

    /// Scans a host name alone.
    #[must_use]
    pub fn scan_host(&self, host: &Host) -> Scan {
        let mut scan = Scan::default();
        let name = home::name_of(host);
        for part in segment::of_host(host) {
            scan.add(self.scan_part(&part, Some(&name)));
        }
        scan
    }

    /// Scans a text as the name of a host.
    pub(crate) fn scan_name(&self, name: &[u8]) -> Scan {
        self.scan_part(&Segment::new(Origin::Host, name), None)
    }

    /// Scans a text as a path.
    pub(crate) fn scan_path(&self, path: &[u8]) -> Scan {
        let query_at = path.len();
        self.scan_part(&Segment::new(Origin::Target { query_at }, path), None)
    }

    /// Scans a part of the head: as it is, its pieces put together, and its names.
    fn scan_part(&self, part: &Segment<'_>, host: Option<&str>) -> Scan {
        let mut walk = Walk::new(self, &part.origin);
        if let Some(host) = host {
            walk = walk.towards(host);
        }
        let root = View {
            seams: part.seams.clone(),
            ..View::of(part.bytes.as_ref())
        };
        walk.visit(&root);
        match part.origin {
            Origin::Host => walk.host(&root),
            Origin::Target { query_at } => walk.target(&root, query_at),
            Origin::Body | Origin::Headers(_) | Origin::Response => {}
        }
        walk.finish()
    }

    /// The passages of a conversation with a language model, each with its digest; nothing where the
    /// request is no such thing.
    #[must_use]
    pub fn passages(&self, head: &RequestHead, body: &[u8]) -> Vec<Passage> {
        let is_coded = head.headers.contains_key(header::CONTENT_ENCODING);
        if is_coded || !llm::is_host(&home::name_of(&head.target.host)) {
            return Vec::new();
        }
        let way = llm::way(head);
        llm::passages(body)
            .into_iter()
            .map(|range| Passage {
                digest: self.key.passage(&way, slice(body, range.clone())),
                range,
            })
            .collect()
    }

    /// Scans the body of a request, but for passages that went the same way before.
    #[must_use]
    pub fn scan_request_body(
        &self,
        head: &RequestHead,
        body: &[u8],
        known: &[Range<usize>],
    ) -> Scan {
        let host = home::name_of(&head.target.host);
        let mut walk = Walk::new(self, &Origin::Body).towards(&host);
        if known.is_empty() {
            self.scan_with(&mut walk, &head.headers, body);
            return walk.finish();
        }
        let (rest, marks) = llm::without(body, known);
        // What is left tells the place of a finding by itself.
        let root = View {
            shape: Shape::Text,
            ..View::of(body)
        };
        let view = View {
            parent: Some(&root),
            map: Map::Marks(marks),
            ..View::of(&rest)
        };
        walk.visit_body(&view, &head.headers);
        walk.finish()
    }

    /// Scans a part of a request's body whose content codings were undone. Where more follows, that is
    /// scanned together with the bytes from `again_from` on.
    #[must_use]
    pub fn scan_window(&self, head: &RequestHead, text: &[u8], again_from: Option<usize>) -> Scan {
        let host = home::name_of(&head.target.host);
        let mut walk = Walk::new(self, &Origin::Body).towards(&host);
        if let Some(again_from) = again_from {
            walk = walk.before_more(again_from);
        }
        walk.visit_body(&View::of(text), &head.headers);
        walk.finish()
    }

    /// Scans a part of a request's body as it came, beside what it says once its content codings are
    /// undone: a receiver may read it so, and compressed files have room for remarks.
    #[must_use]
    pub fn scan_coded_window(&self, head: &RequestHead, bytes: &[u8]) -> Scan {
        let host = home::name_of(&head.target.host);
        let mut walk = Walk::new(self, &Origin::Body).towards(&host);
        walk.visit(&View {
            shape: Shape::Coded,
            ..View::of(bytes)
        });
        walk.finish()
    }

    /// The same of a response's body; `headers` are the response's.
    #[must_use]
    pub fn scan_response_window(&self, headers: &HeaderMap, text: &[u8]) -> Scan {
        let mut walk = Walk::new(self, &Origin::Response);
        walk.visit_body(&View::of(text), headers);
        walk.finish()
    }

    /// Scans a body; its content codings and its type are read from the headers.
    #[must_use]
    pub fn scan_body(&self, headers: &HeaderMap, body: &[u8]) -> Scan {
        let mut walk = Walk::new(self, &Origin::Body);
        self.scan_with(&mut walk, headers, body);
        walk.finish()
    }

    fn scan_with(&self, walk: &mut Walk<'_>, headers: &HeaderMap, body: &[u8]) {
        match coding::announced(headers) {
            Err(reason) => {
                walk.fail(reason);
                walk.visit_body(&View::of(body), headers);
            }
            Ok(codings) if codings.is_empty() => walk.visit_body(&View::of(body), headers),
            Ok(codings) => self.scan_coded(walk, headers, body, &codings),
        }
    }

    /// Scans a text that is no request.
    #[must_use]
    pub fn scan_text(&self, bytes: &[u8]) -> Scan {
        self.scan_body(&HeaderMap::new(), bytes)
    }

    /// How many kinds and values of personal data a text shows, for benchmarks: nothing is decoded.
    #[doc(hidden)]
    #[must_use]
    pub fn personal_data(&self, bytes: &[u8]) -> usize {
        let mut hits = Hits::default();
        self.scanner.pii.find(bytes, "", &mut hits);
        hits.list.len()
    }

    /// The rules, the embedded ones first.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// A rule by its id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id.as_str() == id)
    }

    fn scan_coded(
        &self,
        walk: &mut Walk<'_>,
        headers: &HeaderMap,
        body: &[u8],
        codings: &[Coding],
    ) {
        let raw = View::of(body);
        match coding::decode(codings, body) {
            Err(reason) => {
                walk.fail(reason);
                walk.visit_body(&raw, headers);
            }
            Ok(decoded) => {
                let names: Vec<&str> = codings.iter().rev().map(|coding| coding.as_str()).collect();
                let view = View {
                    parent: Some(&raw),
                    map: Map::Whole(0..body.len()),
                    label: Some(Arc::from(names.join(" > "))),
                    ..View::of(&decoded)
                };
                walk.visit_body(&view, headers);
                // A receiver that ignores the header, or what follows the coded part, sees the body
                // as it came.
                walk.visit(&View {
                    shape: Shape::Coded,
                    ..raw
                });
            }
        }
    }
}

// === impl Scan ===

impl Scan {
    fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        if self.uninspectable.is_none() {
            self.uninspectable = other.uninspectable;
        }
    }
}

// === impl Uninspectable ===

impl Uninspectable {
    /// The reason for a coding's name as a client wrote it.
    pub(crate) fn unknown_coding(name: &str) -> Self {
        Self::UnknownCoding(safe_name(name).to_owned())
    }
}

impl fmt::Display for Uninspectable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CorruptCoding => f.write_str("a content coding that its body does not follow"),
            Self::CutOff => f.write_str(
                "compressed data that is larger than what is held (forward_proxy.max_body_size)",
            ),
            Self::CodingBudget => f.write_str("a content coding that inflates too far"),
            Self::CodingLayers => f.write_str("too many content codings"),
            Self::DecodeBudget => {
                f.write_str("more encoded data than is decoded (dlp.decode_budget)")
            }
            Self::DecodeDepth => f.write_str("data encoded too many times (dlp.decode_depth)"),
            Self::Opaque(kind) => write!(f, "a file that cannot be opened ({kind})"),
            Self::TooMany => f.write_str("more findings than are listed"),
            Self::UnknownCoding(name) => {
                write!(
                    f,
                    "the content coding {name} (gzip, br, zstd and deflate can be opened)"
                )
            }
        }
    }
}
