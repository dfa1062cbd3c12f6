//! One view against all rules. An automaton over the rules' literals finds candidates in one pass;
//! each candidate runs its rule's pattern at that place only, over a bounded span; then validators.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use oktsec_model::Confidence;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use crate::assignment::{self, Assignment};
use crate::bytes::{before, slice};
use crate::collect::{Hit, Hits};
use crate::entropy::shannon_bits;
use crate::pii;
use crate::rule::{Finder, Matcher, Rule};
use crate::runs::Runs;
use crate::validate::{self, Verdict};

/// The rules' anchors, compiled.
pub(crate) struct Scanner {
    automaton: AhoCorasick,
    /// What each literal of the automaton belongs to.
    targets: Vec<Vec<Target>>,
    /// The rules of assignments, each with the words of its keys, normalised.
    assignment_rules: Vec<(usize, Vec<String>)>,
    generic_rule: Option<usize>,
    pub(crate) pii: pii::Rules,
    run_rules: Vec<usize>,
}

/// What a literal is an anchor of.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Target {
    /// The key of an assignment.
    Key,
    /// The rule's pattern.
    Rule(usize),
}

/// How far each rule has got in one view: nothing behind it is verified again.
struct Progress {
    /// Where the rule's last match ended.
    match_end: Vec<usize>,
    /// Where the rule's last literal ended: looking back never crosses it, which keeps the sum of
    /// all look-backs below the length of the view.
    literal_end: Vec<usize>,
    /// Up to where the rule is known to have no match: a failed search is not repeated for the next
    /// literal in the same span.
    searched_end: Vec<usize>,
    /// Where the last key of an assignment ended.
    key_end: usize,
}

/// The longest match that is looked at.
const SPAN_BYTES_MAX: usize = 16 * 1024;
/// The shortest run that a rule may be anchored at.
const RUN_BYTES_MIN: usize = 20;

// === impl Scanner ===

impl Scanner {
    /// Compiles the anchors of all rules.
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, String> {
        let mut anchors: BTreeMap<String, Vec<Target>> = BTreeMap::new();
        for word in assignment::KEY_WORDS {
            anchors
                .entry((*word).to_owned())
                .or_default()
                .push(Target::Key);
        }
        let (mut assignment_rules, mut run_rules) =
            (Vec::<(usize, Vec<String>)>::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            let (words, target) = match &rule.matcher {
                Matcher::Assignment { keys, .. } => {
                    let words = keys.iter().map(|key| assignment::normalised(key)).collect();
                    assignment_rules.push((index, words));
                    (keys.as_slice(), Target::Key)
                }
                Matcher::Literal { literals, .. } => (literals.as_slice(), Target::Rule(index)),
                Matcher::Run { .. } => {
                    run_rules.push(index);
                    continue;
                }
                Matcher::Finder(_) => continue,
            };
            for word in words {
                anchors
                    .entry(word.to_ascii_lowercase())
                    .or_default()
                    .push(target);
            }
        }
        let finder = |wanted: Finder| {
            rules.iter().position(
                |rule| matches!(rule.matcher, Matcher::Finder(finder) if finder == wanted),
            )
        };
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(anchors.keys())
            .map_err(|error| error.to_string())?;
        let mut targets: Vec<Vec<Target>> = anchors.into_values().collect();
        for list in &mut targets {
            list.sort_unstable();
            list.dedup();
        }
        Ok(Self {
            automaton,
            targets,
            assignment_rules,
            generic_rule: finder(Finder::GenericAssignment),
            pii: pii::Rules::new(rules),
            run_rules,
        })
    }

    /// Everything that the rules see in a view.
    pub(crate) fn scan(&self, rules: &[Rule], bytes: &[u8], runs: &Runs, hits: &mut Hits) {
        let mut progress = Progress {
            match_end: vec![0; rules.len()],
            literal_end: vec![0; rules.len()],
            searched_end: vec![0; rules.len()],
            key_end: 0,
        };
        for found in self.automaton.find_overlapping_iter(bytes) {
            let literal = found.start()..found.end();
            for target in self
                .targets
                .get(found.pattern().as_usize())
                .into_iter()
                .flatten()
            {
                match *target {
                    Target::Key => self.key(rules, bytes, &literal, &mut progress, hits),
                    Target::Rule(index) => {
                        literal_rule(rules, index, bytes, &literal, &mut progress, hits);
                    }
                }
            }
        }
        for &index in &self.run_rules {
            let Some(rule) = rules.get(index) else {
                continue;
            };
            let Matcher::Run { pattern } = &rule.matcher else {
                continue;
            };
            for start in runs.words.iter().flat_map(|run| starts_of(bytes, run)) {
                if hits.is_full(index) {
                    break;
                }
                let end = start.saturating_add(SPAN_BYTES_MAX).min(bytes.len());
                verify(rule, index, pattern, bytes, start..end, true, hits);
            }
        }
        if let Some(general) = self.generic_rule {
            hits.prefer_others(general);
        }
        self.pii.find(bytes, "", hits);
    }

    /// A word that often is, or is part of, the key of an assignment.
    fn key(
        &self,
        rules: &[Rule],
        bytes: &[u8],
        word: &Range<usize>,
        progress: &mut Progress,
        hits: &mut Hits,
    ) {
        if word.start < progress.key_end {
            return;
        }
        let Some(assignment) = Assignment::around(bytes, word) else {
            return;
        };
        progress.key_end = assignment.key.end;
        let key = assignment.normalised_key(bytes);
        let value = slice(bytes, assignment.value.clone());
        let mut is_known = false;
        for (index, words) in &self.assignment_rules {
            let index = *index;
            if !words.iter().any(|word| key.contains(word.as_str())) {
                continue;
            }
            let Some(rule) = rules.get(index) else {
                continue;
            };
            let Matcher::Assignment { value: pattern, .. } = &rule.matcher else {
                continue;
            };
            let fits = pattern
                .search(&Input::new(value).anchored(Anchored::Yes))
                .is_some_and(|found| found.end() == value.len())
                && shannon_bits(value) >= rule.entropy_min
                && !assignment::is_placeholder(value);
            if fits {
                is_known = true;
                hits.push(Hit {
                    rule: index,
                    span: assignment.value.clone(),
                    secret: value.to_vec(),
                    confidence: rule.confidence,
                });
            }
        }
        if let Some(index) = self.generic_rule
            && !is_known
            && assignment.is_generic_secret(&key, value)
        {
            hits.push(Hit {
                rule: index,
                span: assignment.value,
                secret: value.to_vec(),
                confidence: Confidence::Medium,
            });
        }
    }
}

/// Where a token may begin in a run: at its start and after a separator of the alphabet.
fn starts_of<'a>(bytes: &'a [u8], run: &Range<usize>) -> impl Iterator<Item = usize> + 'a {
    let (start, end) = (run.start, run.end);
    let after_separators = memchr::memchr3_iter(b'/', b'+', b'-', slice(bytes, run.clone()))
        .map(move |at| start + at + 1);
    std::iter::once(start)
        .chain(after_separators)
        .filter(move |&at| at + RUN_BYTES_MIN <= end)
}

/// A literal of a rule with a pattern.
fn literal_rule(
    rules: &[Rule],
    index: usize,
    bytes: &[u8],
    literal: &Range<usize>,
    progress: &mut Progress,
    hits: &mut Hits,
) {
    let Some(rule) = rules.get(index) else { return };
    let Matcher::Literal {
        lookback, pattern, ..
    } = &rule.matcher
    else {
        return;
    };
    let (Some(match_end), Some(literal_end), Some(searched_end)) = (
        progress.match_end.get_mut(index),
        progress.literal_end.get_mut(index),
        progress.searched_end.get_mut(index),
    ) else {
        return;
    };
    if literal.start < (*match_end).max(*searched_end) || hits.is_full(index) {
        return;
    }
    let earliest = literal
        .start
        .saturating_sub(*lookback)
        .max(*match_end)
        .max(*literal_end);
    let start = earliest.min(literal.start);
    if *lookback > 0 {
        *literal_end = literal.end;
    }
    let is_anchored = *lookback == 0;
    let span_bytes = if is_anchored {
        SPAN_BYTES_MAX
    } else {
        4 * SPAN_BYTES_MAX
    };
    let end = literal.end.saturating_add(span_bytes).min(bytes.len());
    match verify(rule, index, pattern, bytes, start..end, is_anchored, hits) {
        Verified::Hit { end } => *match_end = end,
        Verified::NoMatch if is_anchored => {}
        // A match that begins in the last part could have been cut off.
        Verified::NoMatch => *searched_end = end.saturating_sub(SPAN_BYTES_MAX),
        Verified::Refused => {}
    }
}

/// What became of a candidate.
enum Verified {
    Hit { end: usize },
    NoMatch,
    Refused,
}

/// Runs a pattern over a span and takes what passes the rule's tests.
fn verify(
    rule: &Rule,
    index: usize,
    pattern: &Regex,
    bytes: &[u8],
    span: Range<usize>,
    is_anchored: bool,
    hits: &mut Hits,
) -> Verified {
    let anchored = if is_anchored {
        Anchored::Yes
    } else {
        Anchored::No
    };
    let input = Input::new(bytes).span(span).anchored(anchored);
    let Some(found) = pattern.search(&input) else {
        return Verified::NoMatch;
    };
    if rule.left_boundary && before(bytes, found.start()).is_ascii_alphanumeric() {
        return Verified::Refused;
    }
    let mut secret_span = found.range();
    if pattern.captures_len() > 1 {
        let mut captures = pattern.create_captures();
        pattern.search_captures(&input, &mut captures);
        if let Some(group) = captures.get_group(1) {
            secret_span = group.range();
        }
    }
    let secret = slice(bytes, secret_span);
    if shannon_bits(secret) < rule.entropy_min {
        return Verified::Refused;
    }
    let verdict = validate::validate(rule, bytes, &found.range(), secret);
    let Some(Verdict { secret, confidence }) = verdict else {
        return Verified::Refused;
    };
    hits.push(Hit {
        rule: index,
        span: found.range(),
        secret,
        confidence,
    });
    Verified::Hit { end: found.end() }
}
