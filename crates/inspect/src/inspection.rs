//! One request, judged: `begin`, `push`, `finish`.

use std::ops::Range;
use std::sync::Arc;

use oktsec_detect::{Passage, Scan, Uninspectable};
use oktsec_model::{Action, Decision, Reason, RequestHead, Treatment};

use crate::flow::Flow;
use crate::snapshot::Snapshot;

/// What `begin` answers.
pub enum Begin {
    /// The head decided: no byte of the body needs to be read.
    Decided(Decision),
    /// The body has to be seen first.
    NeedBody(Inspection),
    /// This caller's requests are not scanned: the body may flow as it comes.
    Unscanned(Decision),
}

/// What `push` answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Go on; nothing may be released yet.
    Hold,
    /// The body exceeds what is held, and the chunk was not taken: call `flow` and go on there, or
    /// `refuse`.
    TooLarge,
}

/// A request that is being judged. Holds the body until it is.
pub struct Inspection {
    snapshot: Arc<Snapshot>,
    head: Arc<RequestHead>,
    admitted: Decision,
    head_scan: Scan,
    body: Vec<u8>,
}

/// A judged request with the body that may now be forwarded.
pub struct Judged {
    /// The decision.
    pub decision: Decision,
    /// The body, byte for byte as it came.
    pub body: Vec<u8>,
}

// === impl Inspection ===

impl Inspection {
    /// Begins with what the policy admitted: scans the head.
    #[must_use]
    pub fn begin(snapshot: &Arc<Snapshot>, head: &Arc<RequestHead>, admitted: Decision) -> Begin {
        if !snapshot.policies.scan_requests(&head.principal) {
            return Begin::Unscanned(admitted);
        }
        let head_scan = snapshot.detector.scan_head(head);
        let inspection = Self {
            snapshot: Arc::clone(snapshot),
            head: Arc::clone(head),
            admitted,
            head_scan,
            body: Vec::new(),
        };
        if !inspection.head_scan.findings.is_empty() || inspection.head_scan.uninspectable.is_some()
        {
            let decision = inspection.decide(&inspection.head_scan);
            if decision.action == Action::Block {
                return Begin::Decided(decision);
            }
        }
        Begin::NeedBody(inspection)
    }

    /// Makes room for a body whose length is known.
    pub fn reserve(&mut self, bytes: usize) {
        self.body
            .reserve_exact(bytes.min(self.snapshot.scope.body_bytes_max));
    }

    /// Takes the next chunk of the body, unless that is too much.
    pub fn push(&mut self, chunk: &[u8]) -> Progress {
        if self.body.len().saturating_add(chunk.len()) > self.snapshot.scope.body_bytes_max {
            return Progress::TooLarge;
        }
        self.body.extend_from_slice(chunk);
        Progress::Hold
    }

    /// Bytes held so far.
    #[must_use]
    pub const fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// Judges the body as it flows, beginning with what is held.
    #[must_use]
    pub fn flow(self) -> Flow {
        let mut flow = Flow::new(
            self.snapshot,
            self.head,
            None,
            self.admitted,
            self.head_scan,
        );
        flow.push(&self.body);
        flow
    }

    /// Ends a request whose body cannot be judged, for example because it is too large: a refusal,
    /// whatever the mode, since nothing may leave unseen. What the head showed is kept.
    #[must_use]
    pub fn refuse(&self, reason: Reason) -> Decision {
        let decided = self.decide(&self.head_scan);
        Decision {
            action: Action::Block,
            reason,
            ..decided
        }
    }

    /// Ends the body and judges the whole request.
    #[must_use]
    pub fn finish(self) -> Judged {
        let Snapshot {
            detector, memory, ..
        } = &*self.snapshot;
        let (known, new): (Vec<Passage>, Vec<Passage>) = detector
            .passages(&self.head, &self.body)
            .into_iter()
            .partition(|passage| memory.knows(passage));
        let scan = if self.body.is_empty() {
            Scan::default()
        } else {
            let known: Vec<Range<usize>> = known.into_iter().map(|passage| passage.range).collect();
            detector.scan_request_body(&self.head, &self.body, &known)
        };
        let joined = Scan {
            findings: self
                .head_scan
                .findings
                .iter()
                .cloned()
                .chain(scan.findings)
                .collect(),
            uninspectable: scan
                .uninspectable
                .or_else(|| self.head_scan.uninspectable.clone()),
        };
        let decision = self.decide(&joined);
        if is_settled(&decision) {
            memory.add(new);
        }
        Judged {
            decision,
            body: self.body,
        }
    }

    fn decide(&self, scan: &Scan) -> Decision {
        self.snapshot.policies.decide(
            &self.head,
            self.admitted.clone(),
            scan.findings.clone(),
            scan.uninspectable.as_ref().map(told),
        )
    }
}

/// What could not be opened, in words.
pub(crate) fn told(what: &Uninspectable) -> Arc<str> {
    what.to_string().into()
}

/// Whether the same body would pass again whenever it came: it passed, and not because of a review,
/// which may end.
fn is_settled(decision: &Decision) -> bool {
    decision.action != Action::Block
        && decision
            .findings
            .iter()
            .all(|finding| finding.treatment != Treatment::Ignore)
}
