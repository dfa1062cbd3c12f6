//! Hits become findings: merged where they say the same, bounded, never hiding another rule's.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use oktsec_model::{Confidence, Finding, Home};

/// What the scanner saw in one view. Holds the secret: not `Debug`.
pub(crate) struct Hit {
    pub(crate) rule: usize,
    pub(crate) span: Range<usize>,
    pub(crate) secret: Vec<u8>,
    pub(crate) confidence: Confidence,
}

/// The hits of one view.
#[derive(Default)]
pub(crate) struct Hits {
    pub(crate) list: Vec<Hit>,
    counts: HashMap<usize, usize>,
    seen: HashSet<(usize, usize)>,
    /// Whether a rule saw more than it may list.
    pub(crate) has_more: bool,
}

/// The findings of one request.
#[derive(Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
}

const HITS_PER_RULE_MAX: usize = 64;
const FINDINGS_MAX: usize = 256;

// === impl Hits ===

impl Hits {
    /// Takes a hit, unless the rule spoke of the same place already, or has had its share.
    pub(crate) fn push(&mut self, hit: Hit) {
        if self.is_full(hit.rule) {
            self.has_more = true;
            return;
        }
        if !self.seen.insert((hit.rule, hit.span.start)) {
            return;
        }
        *self.counts.entry(hit.rule).or_default() += 1;
        self.list.push(hit);
    }

    /// Drops the hits of a general rule where another rule names the very same bytes.
    pub(crate) fn prefer_others(&mut self, general: usize) {
        let named: HashSet<(usize, usize)> = (self.list.iter())
            .filter(|hit| hit.rule != general)
            .map(|hit| (hit.span.start, hit.span.end))
            .collect();
        self.list
            .retain(|hit| hit.rule != general || !named.contains(&(hit.span.start, hit.span.end)));
    }

    /// Whether the rule needs no more verification in this view.
    pub(crate) fn is_full(&self, rule: usize) -> bool {
        self.counts
            .get(&rule)
            .is_some_and(|&count| count >= HITS_PER_RULE_MAX)
    }
}

// === impl Findings ===

impl Findings {
    /// Takes a finding. One that says the same of the same bytes as an earlier one is merged with
    /// it: the one that names the place better stays.
    pub(crate) fn push(&mut self, finding: Finding) {
        let same = self
            .list
            .iter_mut()
            .find(|other| says_the_same(other, &finding));
        if let Some(other) = same {
            if is_better_placed(&finding, other) {
                *other = finding;
            }
            return;
        }
        let has_room = self.list.len() < FINDINGS_MAX
            || !self.list.iter().any(|other| other.rule == finding.rule);
        if has_room {
            self.list.push(finding);
        }
    }

    /// Where keys lie that go to those who issue them.
    pub(crate) fn issued(&self) -> Vec<Range<usize>> {
        (self.list.iter())
            .filter(|finding| finding.home == Home::Issuer)
            .map(|finding| finding.span.clone())
            .collect()
    }

    /// All of them, in the order of their places.
    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.list
    }
}

fn says_the_same(one: &Finding, other: &Finding) -> bool {
    one.rule == other.rule
        && one.fingerprint == other.fingerprint
        && one.location.place == other.location.place
        && one.location.name == other.location.name
        && one.span.start < other.span.end
        && other.span.start < one.span.end
}

fn is_better_placed(new: &Finding, old: &Finding) -> bool {
    let structure = |finding: &Finding| {
        let named = |view: &&std::sync::Arc<str>| {
            ["json ", "form ", "part "]
                .iter()
                .any(|word| view.starts_with(word))
        };
        finding.location.views.iter().filter(named).count()
    };
    let (new_names, old_names) = (structure(new), structure(old));
    new_names > old_names
        || (new_names == old_names && new.location.views.len() < old.location.views.len())
}
