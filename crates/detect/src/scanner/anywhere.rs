//! Rules of the operator's own whose patterns hold no literal to look for, or of whose patterns each must
//! match: their patterns run over whole views. Slower than everything else, and linear all the same:
//! each byte is read once on the way to the nearest end of a match, and following matches to their far
//! ends has a budget.

use std::ops::Range;

use regex_automata::{Anchored, Input};

use super::{Candidate, Scanner, Verified};
use crate::bytes::slice;
use crate::collect::{Hit, Hits};
use crate::rule::{Matcher, Pattern, Rule};

/// How far a match is followed at first; only one that is no shorter is followed further.
const NEAR_BYTES: usize = 512;
/// How many bytes may be read in following matches, for each byte of the view and at least.
const FOLLOWED_PER_BYTE: usize = 8;
const FOLLOWED_BYTES_MIN: usize = 1024 * 1024;

/// One pattern of a rule, and a view.
struct Search<'a> {
    rule: &'a Rule,
    index: usize,
    pattern: &'a Pattern,
    bytes: &'a [u8],
    budget: usize,
}

// === impl Scanner ===

impl Scanner {
    pub(super) fn scan_anywhere(&self, rules: &[Rule], bytes: &[u8], hits: &mut Hits) {
        for &index in &self.anywhere_rules {
            if let Some(rule) = rules.get(index)
                && let Matcher::Anywhere(patterns) = &rule.matcher
            {
                scan_rule(rule, index, patterns, bytes, hits);
            }
        }
    }
}

/// The hits of a rule, if each of its patterns has one.
fn scan_rule(rule: &Rule, index: usize, patterns: &[Pattern], bytes: &[u8], hits: &mut Hits) {
    let mut found = Vec::new();
    for pattern in patterns {
        let mut search = Search {
            rule,
            index,
            pattern,
            bytes,
            budget: FOLLOWED_BYTES_MIN.max(FOLLOWED_PER_BYTE.saturating_mul(bytes.len())),
        };
        let list = search.hits().list;
        if list.is_empty() {
            return;
        }
        found.extend(list);
    }
    for hit in found {
        hits.push(hit);
    }
}

// === impl Search ===

impl Search<'_> {
    /// Every match that passes the rule's tests.
    fn hits(&mut self) -> Hits {
        let mut hits = Hits::default();
        let Some(regex) = self.pattern.regex() else {
            return hits;
        };
        let mut position = 0;
        while position < self.bytes.len() && !hits.is_full(self.index) {
            let rest = Input::new(self.bytes)
                .span(position..self.bytes.len())
                .earliest(true);
            let Some(nearest) = regex.search(&rest) else {
                break;
            };
            let end = match self.follow(nearest.range(), &mut hits) {
                Verified::Hit { end } => end,
                Verified::No => nearest.end(),
            };
            // Patterns that match the empty text are not loaded; this holds if one were.
            position = end.max(position + 1);
        }
        hits
    }

    /// Follows a match to its far end and takes it, if it passes the rule's tests. Without budget it
    /// is taken as it is, untested: doubt is a finding.
    fn follow(&mut self, nearest: Range<usize>, hits: &mut Hits) -> Verified {
        let candidate = Candidate {
            rule: self.rule,
            index: self.index,
            pattern: self.pattern,
            strength_bits: u32::MAX,
        };
        let start = nearest.start;
        let near = self.span(start, nearest.len().saturating_add(NEAR_BYTES));
        let far = self.span(start, self.pattern.length_max().max(nearest.len()));
        let span = if near.len() < far.len() && self.is_cut(&near) {
            far
        } else {
            near
        };
        let Some(left) = self.budget.checked_sub(span.len()) else {
            hits.push(Hit {
                rule: self.index,
                span: nearest.clone(),
                secret: slice(self.bytes, nearest.clone()).to_vec(),
                confidence: self.rule.confidence,
            });
            return Verified::Hit { end: nearest.end };
        };
        self.budget = left;
        candidate.verify(self.bytes, span, hits)
    }

    fn span(&self, start: usize, length: usize) -> Range<usize> {
        start..start.saturating_add(length).min(self.bytes.len())
    }

    /// Whether a match fills a span, so that it may go on behind it.
    fn is_cut(&self, span: &Range<usize>) -> bool {
        let input = Input::new(self.bytes)
            .span(span.clone())
            .anchored(Anchored::Yes);
        (self.pattern.regex())
            .and_then(|regex| regex.search_half(&input))
            .is_some_and(|half| half.offset() == span.end)
    }
}
