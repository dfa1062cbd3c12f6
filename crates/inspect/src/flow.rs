//! A body that is judged while it flows: in windows, each with the end of the one before it. Only
//! what was looked at is released, and its end only once what follows was looked at too, so that no
//! part of a secret leaves before all of it was seen.

use std::collections::HashSet;
use std::sync::Arc;

use http::HeaderMap;
use oktsec_detect::{BodyDecoder, Scan};
use oktsec_model::{Action, Decision, Finding, Fingerprint, Reason, RequestHead, RuleId};

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
    /// What the text has lost at its beginning, so that places can be named.
    passed: usize,
    known: HashSet<(RuleId, Fingerprint)>,
    is_uninspectable: bool,
    /// How much of what was looked at is looked at again.
    context_bytes: usize,
    has_begun: bool,
    decision: Decision,
    /// Findings that the first decision of a request has not; of a response, all.
    later: Vec<Finding>,
}

/// How the text relates to the bytes that leave.
enum Coding {
    /// It is those bytes; so many of them, at the beginning, have left.
    Plain { released: usize },
    /// It was decoded from them. Those of the last window wait until the next one was looked at.
    Coded {
        decoder: BodyDecoder,
        before: Vec<u8>,
        now: Vec<u8>,
    },
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
const WINDOW_BYTES_MIN: usize = 4 * OVERLAP_BYTES;
/// How much is decoded at a time, so that a bomb is noticed early.
const PIECE_BYTES: usize = 16 * 1024;
const LATER_MAX: usize = 64;

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
        let is_uninspectable = decoder.is_err() || head_scan.uninspectable.is_some();
        let coding = match decoder {
            Ok(Some(decoder)) => Coding::Coded {
                decoder,
                before: Vec::new(),
                now: Vec::new(),
            },
            Ok(None) | Err(_) => Coding::Plain { released: 0 },
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
            passed: 0,
            known: HashSet::new(),
            is_uninspectable,
            context_bytes: OVERLAP_BYTES,
            has_begun: false,
            later: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        let Coding::Coded { decoder, now, .. } = &mut self.coding else {
            self.text.extend_from_slice(chunk);
            return;
        };
        now.extend_from_slice(chunk);
        for piece in chunk.chunks(PIECE_BYTES) {
            match decoder.push(piece) {
                Ok(text) => self.text.extend(text),
                // Where the policy lets it pass, it is at least looked at as it came.
                Err(_) => {
                    self.is_uninspectable = true;
                    self.text.extend_from_slice(piece);
                }
            }
        }
    }

    /// Whether a window is full: call `judge` before more is pushed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let window = self.snapshot.scope.body_bytes_max.max(WINDOW_BYTES_MIN);
        let waiting = match &self.coding {
            Coding::Plain { .. } => 0,
            Coding::Coded { now, .. } => now.len(),
        };
        self.text.len() - self.seen >= window || waiting >= window
    }

    /// Whether anything was pushed that has not been released.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        match &self.coding {
            Coding::Plain { released } => *released < self.text.len(),
            Coding::Coded { before, now, .. } => !before.is_empty() || !now.is_empty(),
        }
    }

    /// Judges what was pushed, with everything before it; answers what may leave.
    ///
    /// # Errors
    /// The refusal: nothing more may leave.
    pub fn judge(&mut self, moment: Moment) -> Result<Vec<u8>, Box<Decision>> {
        if self.text.len() > self.seen || self.is_uninspectable || !self.has_begun {
            self.look();
        }
        if self.decision.action == Action::Block {
            return Err(Box::new(self.decision.clone()));
        }
        Ok(self.release(moment))
    }

    fn look(&mut self) {
        let Snapshot {
            detector, policies, ..
        } = &*self.snapshot;
        let scan = match &self.response {
            None => detector.scan_window(&self.head, &self.text),
            Some(headers) => detector.scan_response_window(headers, &self.text),
        };
        self.is_uninspectable |= scan.uninspectable.is_some();
        let mut findings = self.head_scan.findings.clone();
        findings.extend(scan.findings.into_iter().map(|mut finding| {
            finding.span.start = finding.span.start.saturating_add(self.passed);
            finding.span.end = finding.span.end.saturating_add(self.passed);
            finding
        }));
        let mut decision = policies.decide(
            &self.head,
            self.admitted.clone(),
            findings,
            self.is_uninspectable,
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
                && self.later.len() < LATER_MAX
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
            Coding::Plain { released } => {
                let end = match moment {
                    Moment::Full => context.max(*released),
                    Moment::Pause | Moment::End => self.text.len(),
                };
                let out = self.text.get(*released..end).unwrap_or_default().to_vec();
                *released = end - context.min(end);
                out
            }
            Coding::Coded { before, now, .. } => {
                let mut out = std::mem::replace(before, std::mem::take(now));
                if moment != Moment::Full {
                    out.append(before);
                }
                out
            }
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
