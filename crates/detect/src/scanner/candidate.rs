//! A rule's pattern at a place where it may match: the match, its boundary, the rule's tests.

use std::ops::Range;

use regex_automata::{Anchored, Input};

use crate::bytes::{at, before, count_back, count_while, slice};
use crate::collect::{Hit, Hits};
use crate::entropy::{is_name_like, is_not_words, is_random_looking, shannon_bits};
use crate::pattern::Pattern;
use crate::rule::Rule;
use crate::validate::{self, Verdict};
use crate::view::View;

/// The match itself, and the groups of which the first that matched is the secret.
const GROUPS_MAX: usize = 6;
/// Patterns that exclude less than this, in bits, match in random data by chance now and then.
const STRENGTH_BITS_MIN: u32 = 40;

/// A secret is random enough as a whole, or as far as this.
const ENTROPY_BYTES: usize = 64;

/// What is scanned: bytes, and where in them pieces begin that were put together.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    seams: &'a [usize],
}

/// A rule's pattern at a place where it may match.
pub(super) struct Candidate<'a> {
    pub(super) rule: &'a Rule,
    pub(super) index: usize,
    pub(super) pattern: &'a Pattern,
    pub(super) strength_bits: u32,
}

/// What became of a candidate.
pub(super) enum Verified {
    Hit {
        end: usize,
    },
    /// It matched and was too uniform: what begins in the first quarter of what was judged is no better,
    /// since most of that was judged.
    Dull {
        until: usize,
    },
    No,
}

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn of(view: &'a View<'_>) -> Self {
        Self {
            bytes: view.bytes,
            seams: view.seams.as_deref().unwrap_or_default(),
        }
    }

    /// Whether it was put together.
    pub(super) const fn is_joined(self) -> bool {
        !self.seams.is_empty()
    }

    /// Whether a range reaches from one piece into another.
    fn crosses_seam(self, range: &Range<usize>) -> bool {
        let after = self.seams.partition_point(|&seam| seam <= range.start);
        self.seams.get(after).is_some_and(|&seam| seam < range.end)
    }

    /// The byte before a place; none where a piece begins there.
    fn before(self, place: usize) -> u8 {
        if self.seams.binary_search(&place).is_ok() {
            return 0;
        }
        before(self.bytes, place)
    }

    /// The byte at a place, seen from before it; none where a piece begins there.
    fn after(self, place: usize) -> u8 {
        if self.seams.binary_search(&place).is_ok() {
            return 0;
        }
        at(self.bytes, place)
    }
}

// === impl Candidate ===

impl Candidate<'_> {
    /// Runs the pattern over a span and takes what passes the rule's tests.
    pub(super) fn verify(&self, text: Text<'_>, span: Range<usize>, hits: &mut Hits) -> Verified {
        let bytes = text.bytes;
        let left = text.before(span.start);
        let right = self
            .pattern
            .length()
            .map_or(0, |length| text.after(span.start + length));
        if !self.rule.boundary.admits(left, right) {
            return Verified::No;
        }
        let Some(regex) = self.pattern.regex() else {
            return Verified::No;
        };
        let input = Input::new(bytes).span(span).anchored(Anchored::Yes);
        // Where the match and its groups begin and end.
        let mut slots = [None; 2 * GROUPS_MAX];
        let wanted = 2 * regex.captures_len().min(GROUPS_MAX);
        let slots = slots.get_mut(..wanted).unwrap_or_default();
        if regex.search_slots(&input, slots).is_none() {
            return Verified::No;
        }
        let mut groups = slots.chunks(2).filter_map(|pair| match pair {
            [Some(start), Some(end)] => Some(start.get()..end.get()),
            _ => None,
        });
        let Some(found) = groups.next() else {
            return Verified::No;
        };
        let secret_span = groups.next().unwrap_or_else(|| found.clone());
        if !self.stands_free(text, &found) {
            return Verified::No;
        }
        let secret = slice(bytes, secret_span.clone());
        // Words that became neighbours look like many a token.
        if text.crosses_seam(&found) && !is_not_words(secret) {
            return Verified::No;
        }
        if self.may_be_name(bytes, &found, secret) {
            return Verified::No;
        }
        if self.rule.excludes(slice(bytes, found.clone())) {
            return Verified::No;
        }
        // What is appended to a secret does not make it less of one.
        let judged = slice(secret, 0..ENTROPY_BYTES);
        let entropy_min = self.rule.entropy_min;
        if entropy_min > 0.0
            && shannon_bits(secret) < entropy_min
            && shannon_bits(judged) < entropy_min
        {
            return Verified::Dull {
                until: found.start + judged.len() / 4,
            };
        }
        let verdict = validate::validate(self.rule, bytes, &found, secret);
        let Some(Verdict { secret, confidence }) = verdict else {
            return Verified::No;
        };
        hits.push(Hit {
            rule: self.index,
            span: secret_span,
            secret,
            confidence,
        });
        Verified::Hit { end: found.end }
    }

    /// Whether a match stands by itself as far as the rule wants it, and is no chance match within
    /// random data.
    fn stands_free(&self, text: Text<'_>, found: &Range<usize>) -> bool {
        let bytes = text.bytes;
        let left = text.before(found.start);
        if !self.rule.boundary.admits(left, text.after(found.end)) {
            return false;
        }
        if !left.is_ascii_alphanumeric() || self.strength_bits >= STRENGTH_BITS_MIN {
            return true;
        }
        const RUN_BYTES: usize = 24;
        const DATA_BYTES: usize = 64;
        let is_run = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
        let length = count_back(bytes, found.start, DATA_BYTES, is_run);
        // Zeros make data look less random; then it is told by its length.
        let is_data =
            length == DATA_BYTES && count_while(bytes, found.end, DATA_BYTES, is_run) == DATA_BYTES;
        let near = found.start - length.min(RUN_BYTES)..found.start;
        length < RUN_BYTES || !is_data && !is_random_looking(slice(bytes, near))
    }

    /// Whether a match may be the rest of a name, or all of one, that a program has: `highs_getBasis…`.
    fn may_be_name(&self, bytes: &[u8], found: &Range<usize>, secret: &[u8]) -> bool {
        let goes_on = before(bytes, found.start).is_ascii_lowercase()
            && at(bytes, found.start).is_ascii_lowercase();
        (goes_on || self.rule.entropy_min > 0.0) && is_name_like(secret)
    }
}
