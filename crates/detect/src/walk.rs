//! The walk over a segment's views: scan, derive, descend. Bounded in depth and bytes; what exceeds
//! a bound makes the segment uninspectable, it is never passed over in silence.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use http::HeaderMap;
use oktsec_model::{Confidence, Finding, Treatment};

use crate::bytes::{before, slice};
use crate::collect::{Findings, Hit, Hits};
use crate::decode::{self, Child};
use crate::derive;
use crate::detector::{Detector, Scan, Uninspectable};
use crate::exfiltration::{self, Encoded};
use crate::fingerprint::Mask;
use crate::form;
use crate::home;
use crate::joined;
use crate::llm;
use crate::multipart;
use crate::rule::{Finder, Matcher, Rule, Validator};
use crate::runs;
use crate::segment::Origin;
use crate::view::{Shape, View, is_notation};

/// The state of one walk.
pub(crate) struct Walk<'d> {
    detector: &'d Detector,
    origin: &'d Origin,
    /// The host of the request, where it is known.
    host: Option<&'d str>,
    /// Whether that is a language model's interface.
    is_llm: bool,
    /// Where what is looked at again with what follows begins, where more follows.
    again_from: Option<usize>,
    findings: Findings,
    uninspectable: Option<Uninspectable>,
    /// Bytes of views that are larger than what they came from.
    decoded_bytes: usize,
    /// Bytes of all others.
    rewritten_bytes: usize,
    seen: HashSet<u64>,
}

/// Longer runs are rare, and bounded by the budget: they are decoded as often as they come.
const SEEN_BYTES_MAX: usize = 64 * 1024;

/// The views that are files, or parts, within others.
const FILE_LABELS: [&str; 3] = ["part ", "tar ", "zip "];

/// How many files within files are no layer.
const FILES_MAX: u8 = 3;

/// How many notations count as one layer.
const REPEATS_MAX: u8 = 3;

// === impl Walk ===

impl<'d> Walk<'d> {
    pub(crate) fn new(detector: &'d Detector, origin: &'d Origin) -> Self {
        Self {
            detector,
            origin,
            host: None,
            is_llm: false,
            again_from: None,
            findings: Findings::default(),
            uninspectable: None,
            decoded_bytes: 0,
            rewritten_bytes: 0,
            seen: HashSet::new(),
        }
    }

    /// The same, of a request to a host.
    pub(crate) fn towards(mut self, host: &'d str) -> Self {
        self.host = Some(host);
        self.is_llm = llm::is_host(host);
        self
    }

    /// The same, of a window that more follows; what lies behind a place is looked at again with it.
    pub(crate) const fn before_more(mut self, again_from: usize) -> Self {
        self.again_from = Some(again_from);
        self
    }

    /// The answer.
    pub(crate) fn finish(self) -> Scan {
        Scan {
            findings: self.findings.into_vec(),
            uninspectable: self.uninspectable,
        }
    }

    /// Records why something could not be looked at; the first reason stands.
    pub(crate) fn fail(&mut self, reason: Uninspectable) {
        self.uninspectable.get_or_insert(reason);
    }

    /// Scans a body's outermost view, and what its type says it is made of.
    pub(crate) fn visit_body(&mut self, view: &View<'_>, headers: &HeaderMap) {
        if form::is_form(headers, view.bytes) {
            let view = View {
                shape: Shape::Form,
                ..view.clone()
            };
            self.visit(&view);
            self.form_fields(&view, 0);
            if let Some(values) = joined::of_form(view.bytes, 0, &[]) {
                self.descend(&view, derive::piece(values));
            }
            return;
        }
        // Parts first: what they hold has a better name there.
        self.multipart(view, headers);
        self.visit(view);
    }

    /// Scans the parts of a multipart body; parts may be multipart themselves.
    fn multipart(&mut self, view: &View<'_>, headers: &HeaderMap) {
        let (children, has_more) = multipart::parts(headers, view.bytes);
        for child in children {
            self.descend(view, child);
        }
        if has_more {
            self.fail(Uninspectable::DecodeBudget);
        }
    }

    /// Scans the fields of a form that need decoding.
    pub(crate) fn form_fields(&mut self, view: &View<'_>, from: usize) {
        for child in form::fields(view.bytes, from) {
            self.descend(view, child);
        }
    }

    /// Scans a view and every view that can be derived from it.
    pub(crate) fn visit(&mut self, view: &View<'_>) {
        let rewrites = decode::rewrites(view, self.budget_left());
        let runs = runs::find(view.bytes);
        let mut hits = Hits::default();
        let Detector { scanner, rules, .. } = self.detector;
        if rewrites.unescaped.is_some() {
            // The unescaped view shows the rest.
            scanner.scan_literals(rules, view, &mut hits);
        } else {
            scanner.scan(rules, view, &runs, &mut hits);
        }
        // In a head, one of many may lie at home and another not.
        if hits.has_more && !matches!(self.origin, Origin::Body | Origin::Response) {
            self.fail(Uninspectable::TooMany);
        }
        // In the order of their places, which is the cheapest to name them in.
        let mut list = hits.list;
        list.sort_by_key(|hit| hit.span.start);
        for hit in list {
            self.keep(view, hit);
        }
        // Files first: what they hold has a better name there.
        self.files(view);
        let follows_escape = |run: &&Range<usize>| before(view.bytes, run.start) == b'\\';
        let is_wanted = |run: &&Range<usize>| rewrites.unescaped.is_none() || follows_escape(run);
        for run in runs.hex.iter().filter(is_wanted) {
            self.descend_run(view, run, decode::HEX);
        }
        for run in runs.base64.iter().filter(is_wanted) {
            self.descend_run(view, run, decode::BASE64);
        }
        for child in rewrites.unescaped.into_iter().chain(rewrites.others) {
            self.descend(view, child);
        }
    }

    /// Scans the files in a view.
    fn files(&mut self, view: &View<'_>) {
        let (files, reason) = derive::files(view, self.budget_left());
        for child in files {
            self.descend(view, child);
        }
        if let Some(reason) = reason {
            self.fail(reason);
        }
    }

    /// A host as a whole: its labels put together, and data in them.
    pub(crate) fn host(&mut self, root: &View<'_>) {
        for piece in joined::of_host(root.bytes) {
            self.descend(root, derive::piece(piece));
        }
        let found = exfiltration::in_host(root.bytes);
        self.keep_encoded(root, self.detector.scanner.encoded_host_rule, found);
    }

    /// Path and query: the fields, their values put together, the segments put together, and data in
    /// them.
    pub(crate) fn target(&mut self, root: &View<'_>, query_at: usize) {
        self.form_fields(root, query_at);
        let path_end = query_at.saturating_sub(usize::from(query_at < root.bytes.len()));
        let path = slice(root.bytes, 0..path_end);
        // A key on its way home is no piece of another, whatever stands beside it.
        let whole = self.findings.issued();
        let pieces = joined::of_path(path, &whole)
            .into_iter()
            .chain(joined::of_form(root.bytes, query_at, &whole));
        for piece in pieces {
            self.descend(root, derive::piece(piece));
        }
        let found = exfiltration::in_path(path).into_iter();
        let found = found.filter(|encoded| encoded.confidence > Confidence::Low);
        self.keep_encoded(root, self.detector.scanner.encoded_path_rule, found);
    }

    fn keep_encoded(
        &mut self,
        root: &View<'_>,
        rule: Option<usize>,
        found: impl IntoIterator<Item = Encoded>,
    ) {
        let Some(rule) = rule else { return };
        for encoded in found {
            let secret = slice(root.bytes, encoded.range.clone()).to_vec();
            let hit = Hit {
                rule,
                span: encoded.range,
                secret,
                confidence: encoded.confidence,
            };
            self.keep(root, hit);
        }
    }

    fn keep(&mut self, view: &View<'_>, hit: Hit) {
        let Some(rule) = self.detector.rules.get(hit.rule) else {
            return;
        };
        let Hit {
            span,
            secret,
            confidence,
            ..
        } = hit;
        let (span, views) = view.trace(span);
        let (location, span) = self.origin.locate(view.root().bytes, span, views);
        let home = home::of_value(&self.detector.rules, rule, self.host, &location, &secret);
        self.findings.push(Finding {
            rule: rule.id.clone(),
            category: rule.category.clone(),
            severity: rule.severity,
            confidence,
            home,
            location,
            span,
            redacted: mask_of(rule).apply(&secret).into(),
            fingerprint: self.detector.key.fingerprint(&secret),
            treatment: Treatment::default(),
        });
    }

    /// A run of characters that may be encoded data: decoded once per request, wherever else it
    /// shows up again.
    fn descend_run(&mut self, view: &View<'_>, run: &Range<usize>, kind: u8) {
        let encoded = slice(view.bytes, run.clone());
        if self.is_llm && llm::is_opaque(view.bytes, run) {
            return;
        }
        if encoded.len() <= SEEN_BYTES_MAX
            && !self.seen.insert(self.detector.key.seen(kind, encoded))
        {
            return;
        }
        for child in decode::run(kind, encoded, run) {
            self.descend(view, child);
        }
    }

    /// Whether a child shows nothing new: other steps, or the same in another order, led to the same
    /// bytes; or escapes were undone once, and what is left of them hides nothing.
    fn is_known(&mut self, parent: &View<'_>, child: &Child) -> bool {
        if parent.depth == 0 && is_notation(child.label.as_deref()) {
            return false;
        }
        let is_rewritten = matches!(parent.label.as_deref(), Some("escapes" | "percent"));
        let is_rewrite = child.is_rewrite() || child.label.is_none();
        if is_rewritten && is_rewrite && !child.is_telling(parent.bytes) {
            return true;
        }
        !self
            .seen
            .insert(self.detector.key.seen(decode::CHILD, &child.bytes))
    }

    fn budget_left(&self) -> usize {
        self.detector
            .limits
            .decode_bytes_max
            .saturating_sub(self.decoded_bytes)
    }

    /// Takes a child off the budget, if it fits. Text that is written in another way is about as long as
    /// before: of that there may be so many times as much as there is in one view, which keeps the work linear.
    fn takes(&mut self, parent: &View<'_>, child: &Child) -> bool {
        const REWRITES_MAX: usize = 16;
        const REWRITTEN_BYTES_MIN: usize = 1024 * 1024;
        let bytes = child.bytes.len();
        let (taken, room) = if bytes > parent.bytes.len() {
            let max = self.detector.limits.decode_bytes_max;
            (&mut self.decoded_bytes, max)
        } else {
            let whole = parent.bytes_max();
            let max = whole.saturating_mul(REWRITES_MAX).max(REWRITTEN_BYTES_MIN);
            (&mut self.rewritten_bytes, max)
        };
        *taken = taken.saturating_add(bytes);
        *taken <= room && !child.is_cut
    }

    /// Whether compressed data goes on behind the window, and will not be seen again from its beginning:
    /// what follows could not be undone.
    fn goes_on(&self, parent: &View<'_>, child: &Child) -> bool {
        let Some(again_from) = self.again_from.filter(|_| child.is_open) else {
            return false;
        };
        let own = child.map.outward(0..child.bytes.len(), parent.bytes);
        let (span, _) = parent.trace(own);
        span.start < again_from && span.end >= parent.root().bytes.len()
    }

    fn descend(&mut self, parent: &View<'_>, child: Child) {
        if self.goes_on(parent, &child) {
            self.fail(Uninspectable::CutOff);
        }
        if self.is_known(parent, &child) {
            return;
        }
        // Notations within notations are one layer up to a point: `%2525`, source text in JSON.
        let is_repeated = is_notation(child.label.as_deref())
            && parent.parent.is_some()
            && is_notation(parent.label.as_deref());
        let repeats = if is_repeated { parent.repeats + 1 } else { 0 };
        // Nor are files within files, up to a point: they hide nothing from anybody.
        let label = child.label.as_deref().unwrap_or_default();
        let is_file = FILE_LABELS.iter().any(|kind| label.starts_with(kind));
        let files = parent.files + u8::from(is_file);
        // Pieces put together are no layer: nothing is put together from them again.
        let is_layer = child.seams.is_none()
            && (!is_repeated || repeats > REPEATS_MAX)
            && (!is_file || files > FILES_MAX);
        let depth = parent.depth + u8::from(is_layer);
        if depth > self.detector.limits.decode_depth_max {
            if child.is_telling(parent.bytes) {
                self.fail(Uninspectable::DecodeDepth);
            }
            return;
        }
        if !self.takes(parent, &child) {
            self.fail(Uninspectable::DecodeBudget);
            return;
        }
        let is_part = child
            .label
            .as_deref()
            .is_some_and(|label| label.starts_with("part "));
        let view = View {
            bytes: &child.bytes,
            parent: Some(parent),
            map: child.map,
            label: child.label,
            shape: child.shape,
            depth,
            repeats,
            files,
            seams: child.seams,
            way: RefCell::default(),
        };
        if is_part {
            self.multipart(&view, &HeaderMap::new());
        }
        self.visit(&view);
    }
}

fn mask_of(rule: &Rule) -> Mask {
    match (&rule.matcher, rule.validator) {
        (Matcher::Finder(Finder::Pii(kind)), _) => kind.mask(),
        (_, Some(Validator::Pem)) => Mask::Nothing,
        _ => Mask::Token,
    }
}
