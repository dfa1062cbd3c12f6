//! A body that is judged while it flows: in windows, each with the end of the one before it. Only
//! what was looked at is released, and its end only once what follows was looked at too, so that no
//! part of a secret leaves before all of it was seen.

use std::collections::HashSet;
use std::sync::Arc;

use http::HeaderMap;
use oktsec_detect::{BodyDecoder, Scan, Uninspectable};
use oktsec_model::{Action, Decision, Finding, Fingerprint, Reason, RequestHead, RuleId};

use crate::inspection::told;
use crate::snapshot::Snapshot;

/// A request, or a response, whose body flows.
pub struct Flow {
    snapshot: Arc<Snapshot>,
    head: Arc<RequestHead>,
    /// The head of the response, where it is that which flows.
    response: Option<HeaderMap>,
    admitted: Decision,
    head_scan: Scan,
    /// The body without its codings: first what was looked at and is the context of what follows.
    text: Vec<u8>,
    /// How much of the text was looked at.
    seen: usize,
    coding: Coding,
    /// What has come and is not part of the text yet.
    pending: Vec<u8>,
    /// What the text has lost at its beginning, so that places can be named.
    passed: usize,
    known: HashSet<(RuleId, Fingerprint)>,
    unopened: Option<Uninspectable>,
    /// How much of what was looked at is looked at again.
    context_bytes: usize,
    has_begun: bool,
    decision: Decision,
    /// Findings that the first decision of a request has not; of a response, all.
    later: Vec<Finding>,
}

/// How the text relates to the bytes that leave.
enum Coding {
    /// Too little has come to tell.
    Untold,
    /// It is those bytes; so many of them, at the beginning, have left.
    Plain { released: usize },
    /// It was decoded from them.
    Coded(Coded),
}

/// Bytes in a coding. Those of the last window wait until the next one was looked at, since a decoder does
/// not say which of them it has used.
struct Coded {
    decoder: BodyDecoder,
    /// Whether the headers say so, rather than its first bytes.
    is_announced: bool,
    before: Vec<u8>,
    now: Vec<u8>,
    /// The end of what was looked at as it came.
    context: Vec<u8>,
    /// How many bytes came before the context.
    passed: usize,
}

/// When a flow is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// A window is full; more comes.
    Full,
    /// The client waits for something: what it has sent so far has to arrive.
    Pause,
    /// The body is complete.
    End,
}

/// The longest match with its encodings: how much of a window is looked at again with the next one.
const OVERLAP_BYTES: usize = 64 * 1024;
/// Smaller windows would be looked at mostly twice.
pub(crate) const WINDOW_BYTES_MIN: usize = 4 * OVERLAP_BYTES;
/// How much is decoded at a time, so that a bomb is noticed early.
const PIECE_BYTES: usize = 4 * 1024;
/// What the beginning of a compressed file is told by.
const MAGIC_BYTES: usize = 4;
const LATER_MAX: usize = 64;

/// Whether a content coding of that name can be undone.
#[must_use]
pub fn undoes_coding(name: &str) -> bool {
    BodyDecoder::undoes(name)
}

// === impl Flow ===

impl Flow {
    /// A response to a request that was admitted.
    #[must_use]
    pub fn response(
        snapshot: &Arc<Snapshot>,
        head: &Arc<RequestHead>,
        headers: HeaderMap,
        admitted: Decision,
    ) -> Self {
        let (snapshot, head) = (Arc::clone(snapshot), Arc::clone(head));
        Self::new(snapshot, head, Some(headers), admitted, Scan::default())
    }

    /// Messages of an agent, one after the other; so much of the earlier ones is looked at with each.
    #[must_use]
    pub fn messages(
        snapshot: &Arc<Snapshot>,
        head: &Arc<RequestHead>,
        admitted: Decision,
        context_bytes: usize,
    ) -> Self {
        let (snapshot, head) = (Arc::clone(snapshot), Arc::clone(head));
        let flow = Self::new(snapshot, head, None, admitted, Scan::default());
        Self {
            context_bytes,
            coding: Coding::Plain { released: 0 },
            // What was decided of the handshake has been told.
            has_begun: true,
            ..flow
        }
    }

    /// The same of messages to an agent.
    #[must_use]
    pub fn answers(
        snapshot: &Arc<Snapshot>,
        head: &Arc<RequestHead>,
        admitted: Decision,
        context_bytes: usize,
    ) -> Self {
        Self {
            context_bytes,
            coding: Coding::Plain { released: 0 },
            ..Self::response(snapshot, head, HeaderMap::new(), admitted)
        }
    }

    /// How much is looked at when it is judged next.
    #[must_use]
    pub const fn text_bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        head: Arc<RequestHead>,
        response: Option<HeaderMap>,
        admitted: Decision,
        head_scan: Scan,
    ) -> Self {
        let decoder = BodyDecoder::new(response.as_ref().unwrap_or(&head.headers));
        let unknown = decoder.as_ref().err().cloned();
        let unopened = unknown.or_else(|| head_scan.uninspectable.clone());
        let coding = match decoder {
            Ok(Some(decoder)) => Coding::Coded(Coded::new(decoder, true)),
            Ok(None) => Coding::Untold,
            Err(_) => Coding::Plain { released: 0 },
        };
        Self {
            decision: admitted.clone(),
            snapshot,
            head,
            response,
            admitted,
            head_scan,
            text: Vec::new(),
            seen: 0,
            coding,
            pending: Vec::new(),
            passed: 0,
            known: HashSet::new(),
            unopened,
            context_bytes: OVERLAP_BYTES,
            has_begun: false,
            later: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        self.pending.extend_from_slice(chunk);
        self.read(false);
    }

    /// Makes text of what is pending, until a window is full.
    fn read(&mut self, is_all: bool) {
        if matches!(self.coding, Coding::Untold) {
            if self.pending.len() < MAGIC_BYTES && !is_all {
                return;
            }
            // A file is looked into like a body whose coding was announced.
            self.coding = match BodyDecoder::by_magic(&self.pending) {
                Some(decoder) => Coding::Coded(Coded::new(decoder, false)),
                None => Coding::Plain { released: 0 },
            };
        }
        let Coding::Coded(coded) = &mut self.coding else {
            self.text.append(&mut self.pending);
            return;
        };
        let window = self.snapshot.window_bytes();
        let mut used = 0;
        for piece in self.pending.chunks(PIECE_BYTES) {
            if self.text.len() - self.seen >= window || coded.now.len() >= window {
                break;
            }
            used += piece.len();
            coded.now.extend_from_slice(piece);
            match coded.decoder.push(piece) {
                Ok(text) => self.text.extend(text),
                // What an answer only happens to begin like proves nothing.
                Err(why) if coded.is_announced || self.response.is_none() => {
                    self.unopened.get_or_insert(why);
                }
                Err(_) => {}
            }
        }
        self.pending.drain(..used);
    }

    /// Whether a window is full: call `judge` before more is pushed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let window = self.snapshot.window_bytes();
        let is_waiting = matches!(&self.coding, Coding::Coded(coded) if coded.now.len() >= window);
        self.text.len() - self.seen >= window || is_waiting
    }

    /// Whether anything was pushed that has not been released.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        let is_unread = !self.pending.is_empty();
        is_unread
            || match &self.coding {
                Coding::Untold => false,
                Coding::Plain { released } => *released < self.text.len(),
                Coding::Coded(coded) => !coded.before.is_empty() || !coded.now.is_empty(),
            }
    }

    /// Judges what was pushed, with everything before it; answers what may leave.
    ///
    /// # Errors
    /// The refusal: nothing more may leave.
    pub fn judge(&mut self, moment: Moment) -> Result<Vec<u8>, Box<Decision>> {
        let mut out = Vec::new();
        loop {
            self.read(moment != Moment::Full);
            // What a little compressed data says may fill many windows.
            let has_more = !self.pending.is_empty();
            let moment = if has_more { Moment::Full } else { moment };
            if self.text.len() > self.seen || self.unopened.is_some() || !self.has_begun {
                self.look(moment);
            }
            if self.decision.action == Action::Block {
                return Err(Box::new(self.decision.clone()));
            }
            out.append(&mut self.release(moment));
            if !has_more {
                return Ok(out);
            }
        }
    }

    /// What is seen now, places counted from the beginning of the body, and what could not be.
    fn seen_now(&self, moment: Moment) -> (Vec<Finding>, Option<Uninspectable>) {
        let detector = &self.snapshot.detector;
        let moved = |scan: Scan, by: usize| {
            scan.findings.into_iter().map(move |mut finding| {
                finding.span.start = finding.span.start.saturating_add(by);
                finding.span.end = finding.span.end.saturating_add(by);
                finding
            })
        };
        if let Some(headers) = &self.response {
            // Nothing leaves in an answer: what cannot be opened there is looked at as it comes.
            let scan = detector.scan_response_window(headers, &self.text);
            return (moved(scan, self.passed).collect(), None);
        }
        let again_from = self.text.len().saturating_sub(self.context_bytes);
        let again_from = (moment != Moment::End).then_some(again_from);
        let scan = detector.scan_window(&self.head, &self.text, again_from);
        let mut unopened = scan.uninspectable.clone();
        let mut findings: Vec<Finding> = moved(scan, self.passed).collect();
        if let Coding::Coded(coded) = &self.coding {
            let bytes = [coded.context.as_slice(), &coded.now].concat();
            let scan = detector.scan_coded_window(&self.head, &bytes);
            unopened = unopened.or_else(|| scan.uninspectable.clone());
            findings.extend(moved(scan, coded.passed));
        }
        (findings, unopened)
    }

    fn look(&mut self, moment: Moment) {
        let (seen, unopened) = self.seen_now(moment);
        self.unopened = self.unopened.take().or(unopened);
        let mut findings = self.head_scan.findings.clone();
        findings.extend(seen);
        let mut decision = self.snapshot.policies.decide(
            &self.head,
            self.admitted.clone(),
            findings,
            self.unopened.as_ref().map(told),
        );
        if self.response.is_some() && decision.reason == Reason::BlockedContent {
            decision.reason = Reason::BlockedResponse;
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        for finding in &decision.findings {
            let key = (finding.rule.clone(), finding.fingerprint);
            if self.known.len() < LATER_MAX
                && self.known.insert(key)
                && (!is_first || self.response.is_some())
            {
                self.later.push(finding.clone());
            }
        }
        // What was only noted earlier stays noted.
        if is_first || decision.action == Action::Block || self.decision.action == Action::Allow {
            self.decision = decision;
        }
        self.seen = self.text.len();
    }

    fn release(&mut self, moment: Moment) -> Vec<u8> {
        let context = self.text.len().saturating_sub(self.context_bytes);
        let out = match &mut self.coding {
            Coding::Untold => Vec::new(),
            Coding::Plain { released } => {
                let end = match moment {
                    Moment::Full => context.max(*released),
                    Moment::Pause | Moment::End => self.text.len(),
                };
                let out = self.text.get(*released..end).unwrap_or_default().to_vec();
                *released = end - context.min(end);
                out
            }
            Coding::Coded(coded) => coded.release(moment),
        };
        self.text.drain(..context);
        self.seen = self.text.len();
        self.passed = self.passed.saturating_add(context);
        out
    }

    /// What stands by now.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What was found after the first window; of a response, all.
    #[must_use]
    pub fn later(&self) -> &[Finding] {
        &self.later
    }

    /// Ends a flow that cannot be judged to its end.
    #[must_use]
    pub fn refuse(&self, reason: Reason) -> Decision {
        Decision {
            action: Action::Block,
            reason,
            ..self.decision.clone()
        }
    }
}

// === impl Coded ===

impl Coded {
    const fn new(decoder: BodyDecoder, is_announced: bool) -> Self {
        Self {
            decoder,
            is_announced,
            before: Vec::new(),
            now: Vec::new(),
            context: Vec::new(),
            passed: 0,
        }
    }

    fn release(&mut self, moment: Moment) -> Vec<u8> {
        self.context.extend_from_slice(&self.now);
        let passed = self.context.len().saturating_sub(OVERLAP_BYTES);
        self.context.drain(..passed);
        self.passed = self.passed.saturating_add(passed);
        let mut out = std::mem::replace(&mut self.before, std::mem::take(&mut self.now));
        if moment != Moment::Full {
            out.append(&mut self.before);
        }
        out
    }
}
