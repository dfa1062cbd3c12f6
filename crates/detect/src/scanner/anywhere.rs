//! Rules of the operator's own whose patterns hold no literal to look for, or of whose patterns each must
//! match: their patterns run over whole views. Slower than everything else, and linear all the same:
//! each byte is read once on the way to the nearest end of a match, and following matches to their far
//! ends has a budget. When that is spent, all that is left of the view is one finding.

use std::ops::Range;

use regex_automata::{Anchored, Input};

use super::{Candidate, Scanner, Text, Verified};
use crate::bytes::slice;
use crate::collect::{Hit, Hits};
use crate::pattern::Pattern;
use crate::rule::{Matcher, Rule};

/// How far a match is followed behind its nearest end; only one that fills this is followed further.
const NEAR_BYTES: usize = 32;
/// How much further, each time.
const FURTHER: usize = 4;
/// What a search costs beside the bytes that it reads, in bytes.
const SEARCH_COST: usize = 64;
/// How many bytes may be read in following matches, for each byte of the view and at least.
const FOLLOWED_PER_BYTE: usize = 16;
const FOLLOWED_BYTES_MIN: usize = 1024 * 1024;

/// One pattern of a rule, and a view.
struct Search<'a> {
    rule: &'a Rule,
    index: usize,
    pattern: &'a Pattern,
    text: Text<'a>,
    budget: usize,
}

// === impl Scanner ===

impl Scanner {
    pub(super) fn scan_anywhere(&self, rules: &[Rule], text: Text<'_>, hits: &mut Hits) {
        for &index in &self.anywhere_rules {
            if let Some(rule) = rules.get(index)
                && let Matcher::Anywhere(patterns) = &rule.matcher
            {
                scan_rule(rule, index, patterns, text, hits);
            }
        }
    }
}

/// The hits of a rule, if each of its patterns has one.
fn scan_rule(rule: &Rule, index: usize, patterns: &[Pattern], text: Text<'_>, hits: &mut Hits) {
    let mut found = Vec::new();
    for pattern in patterns {
        let mut search = Search {
            rule,
            index,
            pattern,
            text,
            budget: FOLLOWED_BYTES_MIN.max(FOLLOWED_PER_BYTE.saturating_mul(text.bytes.len())),
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
        while position < self.text.bytes.len() && !hits.is_full(self.index) {
            let rest = Input::new(self.text.bytes)
                .span(position..self.text.bytes.len())
                .earliest(true);
            let Some(nearest) = regex.search(&rest) else {
                break;
            };
            let end = match self.follow(nearest.range(), &mut hits) {
                Verified::Hit { end } => end,
                Verified::Dull { .. } | Verified::No => nearest.end(),
            };
            // Patterns that match the empty text are not loaded; this holds if one were.
            position = end.max(position + 1);
        }
        hits
    }

    /// Follows a match to its far end and takes it, if it passes the rule's tests. Without budget, all
    /// that is left is taken untested: doubt is a finding, and a value of its own.
    fn follow(&mut self, nearest: Range<usize>, hits: &mut Hits) -> Verified {
        let Some(span) = self.span_of(&nearest) else {
            let rest = nearest.start..self.text.bytes.len();
            let end = rest.end;
            hits.push(Hit {
                rule: self.index,
                secret: slice(self.text.bytes, rest.clone()).to_vec(),
                span: rest,
                confidence: self.rule.confidence,
            });
            return Verified::Hit { end };
        };
        let candidate = Candidate {
            rule: self.rule,
            index: self.index,
            pattern: self.pattern,
            strength_bits: u32::MAX,
        };
        candidate.verify(self.text, span, hits)
    }

    /// A span that holds a match and is not filled by it, unless matches cannot be longer. Nothing when
    /// the budget is spent.
    fn span_of(&mut self, nearest: &Range<usize>) -> Option<Range<usize>> {
        let longest = self.pattern.length_max().max(nearest.len());
        let mut length = nearest.len().saturating_add(NEAR_BYTES);
        loop {
            let end = nearest.start.saturating_add(length.min(longest));
            let span = nearest.start..end.min(self.text.bytes.len());
            // It is read here, and once more when it is verified.
            let cost = 2 * (span.len() + SEARCH_COST);
            self.budget = self.budget.checked_sub(cost)?;
            let is_last = length >= longest || span.end == self.text.bytes.len();
            if is_last || !self.is_filled(&span) {
                return Some(span);
            }
            length = length.saturating_mul(FURTHER);
        }
    }

    /// Whether a match fills a span, so that it may go on behind it.
    fn is_filled(&self, span: &Range<usize>) -> bool {
        let input = Input::new(self.text.bytes)
            .span(span.clone())
            .anchored(Anchored::Yes);
        (self.pattern.regex())
            .and_then(|regex| regex.search_half(&input))
            .is_some_and(|half| half.offset() == span.end)
    }
}
