//! One view against all rules. The prefilter finds the rules' literals in one pass; each runs its
//! rule's pattern at that place only, anchored, over a bounded span; then validators.

mod anywhere;
mod candidate;
#[cfg(test)]
mod gates;

use std::collections::BTreeMap;
use std::ops::Range;

use oktsec_model::Confidence;
use regex_automata::{Anchored, Input};

use self::candidate::{Candidate, Text, Verified};
use crate::assignment::{self, Assignment, Key};
use crate::bytes::slice;
use crate::collect::{Hit, Hits};
use crate::detector::KnownSecret;
use crate::entropy::shannon_bits;
use crate::grams::Grams;
use crate::pii;
use crate::plan::{Tail, Word};
use crate::rule::{Finder, Matcher, Rule};
use crate::runs::Runs;
use crate::secret;
use crate::view::View;

/// The rules, compiled into what is looked for.
pub(crate) struct Scanner {
    grams: Grams,
    /// What each word of the prefilter belongs to.
    targets: Vec<Vec<Target>>,
    /// The rules that are tried at the beginning of runs, with the bytes that they begin with.
    run_rules: Vec<(usize, Tail)>,
    /// The rules that look at whole views.
    anywhere_rules: Vec<usize>,
    generic_rule: Option<usize>,
    /// The rules of data in names of hosts, and in paths.
    pub(crate) encoded_host_rule: Option<usize>,
    pub(crate) encoded_path_rule: Option<usize>,
    pub(crate) pii: pii::Rules,
    /// The values of the operator's own secrets.
    secrets: Vec<KnownSecret>,
}

/// What a word is an anchor of.
enum Target {
    /// A key of assignments that a general rule looks into.
    GenericKey,
    /// A key of assignments, in the form in which keys are compared.
    Key { rule: usize, word: String },
    /// The beginning of one of the operator's own secrets.
    Secret { rule: usize, secret: usize },
    /// The rule's pattern.
    Rule { rule: usize, place: Place },
}

/// Where a literal lies in the matches of its rule, and what follows it there.
#[derive(Clone, Copy)]
struct Place {
    length: usize,
    before_min: usize,
    before_max: usize,
    tail: Tail,
}

/// How far the scan of one view has got: nothing behind it is verified again.
struct Progress {
    /// For each rule, up to where it has been tried; empty until there is something to say.
    done: Vec<usize>,
    /// The assignment that was looked at last.
    key: Option<Key>,
}

/// One view that is scanned.
struct Sight<'a> {
    rules: &'a [Rule],
    text: Text<'a>,
    /// Whether keys and values belong together.
    is_one: bool,
    progress: Progress,
    hits: &'a mut Hits,
}

/// The shortest run that a rule may be anchored at.
const RUN_BYTES_MIN: usize = 20;

// === impl Scanner ===

impl Scanner {
    /// Compiles all rules.
    pub(crate) fn new(rules: &[Rule], secrets: &[KnownSecret]) -> Self {
        let mut anchors: BTreeMap<Word, Vec<Target>> = BTreeMap::new();
        for text in assignment::KEY_WORDS
            .iter()
            .flat_map(|word| assignment::spellings(word))
        {
            let word = Word::ignoring_case(&text);
            anchors.entry(word).or_default().push(Target::GenericKey);
        }
        let mut run_rules = Vec::new();
        let mut anywhere_rules = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            match &rule.matcher {
                Matcher::Anywhere(_) => anywhere_rules.push(index),
                Matcher::Assignment { keys, .. } => add_keys(index, keys, &mut anchors),
                Matcher::Literal { plan, .. } => {
                    for literal in &plan.literals {
                        let place = Place {
                            length: literal.word.bytes.len(),
                            before_min: literal.before_min,
                            before_max: literal.before_max,
                            tail: literal.tail,
                        };
                        let target = Target::Rule { rule: index, place };
                        anchors
                            .entry(literal.word.clone())
                            .or_default()
                            .push(target);
                    }
                }
                Matcher::Run { first, .. } => run_rules.push((index, *first)),
                Matcher::Secret(number) => {
                    let value = secrets.get(*number).map_or(&[][..], |secret| &secret.value);
                    let secret = *number;
                    let target = Target::Secret {
                        rule: index,
                        secret,
                    };
                    anchors
                        .entry(Word::beginning(value))
                        .or_default()
                        .push(target);
                }
                Matcher::Finder(_) => {}
            }
        }
        let finder = |wanted: Finder| {
            rules.iter().position(
                |rule| matches!(rule.matcher, Matcher::Finder(finder) if finder == wanted),
            )
        };
        let (words, targets) = anchors.into_iter().unzip();
        Self {
            grams: Grams::new(words),
            targets,
            run_rules,
            anywhere_rules,
            generic_rule: finder(Finder::GenericAssignment),
            encoded_host_rule: finder(Finder::EncodedHost),
            encoded_path_rule: finder(Finder::EncodedPath),
            pii: pii::Rules::new(rules),
            secrets: secrets.to_vec(),
        }
    }

    /// Everything that the rules see in a view.
    pub(crate) fn scan(&self, rules: &[Rule], view: &View<'_>, runs: &Runs, hits: &mut Hits) {
        let bytes = view.bytes;
        self.scan_literals(rules, view, hits);
        self.scan_runs(rules, Text::of(view), runs, hits);
        // Numbers that became neighbours mean nothing.
        if !view.follows_join() {
            self.pii.find(bytes, view.field(), hits);
        }
        self.scan_anywhere(rules, Text::of(view), hits);
        if let Some(general) = self.generic_rule {
            hits.prefer_others(general);
        }
    }

    /// What the rules with literals see in a view.
    pub(crate) fn scan_literals(&self, rules: &[Rule], view: &View<'_>, hits: &mut Hits) {
        let bytes = view.bytes;
        let mut sight = Sight {
            rules,
            text: Text::of(view),
            is_one: view.is_one(),
            progress: Progress {
                done: Vec::new(),
                key: None,
            },
            hits,
        };
        self.grams.scan(bytes, |word, position| {
            for target in self.targets.get(word).into_iter().flatten() {
                sight.target(target, position, self);
            }
        });
    }

    fn scan_runs(&self, rules: &[Rule], text: Text<'_>, runs: &Runs, hits: &mut Hits) {
        let bytes = text.bytes;
        // Pieces of equal shape, such as ids, make many a longer shape.
        if self.run_rules.is_empty() || text.is_joined() {
            return;
        }
        for start in runs.words.iter().flat_map(|run| starts_of(bytes, run)) {
            let rest = slice(bytes, start..start + 1);
            for (index, first) in &self.run_rules {
                if !first.fits(rest) || hits.is_full(*index) {
                    continue;
                }
                let Some(rule) = rules.get(*index) else {
                    continue;
                };
                let Matcher::Run { pattern, .. } = &rule.matcher else {
                    continue;
                };
                let end = start.saturating_add(pattern.length_max()).min(bytes.len());
                let candidate = Candidate {
                    rule,
                    index: *index,
                    pattern,
                    strength_bits: u32::MAX,
                };
                candidate.verify(text, start..end, hits);
            }
        }
    }
}

/// Registers every spelling of a rule's keys.
fn add_keys(rule: usize, keys: &[String], anchors: &mut BTreeMap<Word, Vec<Target>>) {
    for key in keys {
        let word = assignment::normalised(key);
        for text in assignment::anchors(key) {
            let word = word.clone();
            let anchor = Word::ignoring_case(&text);
            anchors
                .entry(anchor)
                .or_default()
                .push(Target::Key { rule, word });
        }
    }
}

/// Where a token may begin in a run: at its start and after a separator of the alphabet; within long
/// runs, which are data, at the start only.
fn starts_of<'a>(bytes: &'a [u8], run: &Range<usize>) -> impl Iterator<Item = usize> + 'a {
    const TOKENS_BYTES_MAX: usize = 1024;
    let (start, end) = (run.start, run.end);
    let inside = if run.len() <= TOKENS_BYTES_MAX {
        run.clone()
    } else {
        0..0
    };
    let after_separators =
        memchr::memchr3_iter(b'/', b'+', b'-', slice(bytes, inside)).map(move |at| start + at + 1);
    std::iter::once(start)
        .chain(after_separators)
        .filter(move |&at| at + RUN_BYTES_MIN <= end)
}

// === impl Sight ===

impl Sight<'_> {
    fn target(&mut self, target: &Target, position: usize, scanner: &Scanner) {
        match target {
            Target::GenericKey if self.is_one => self.generic_key(position, scanner.generic_rule),
            Target::Key { rule, word } if self.is_one => self.key(*rule, word, position),
            Target::GenericKey | Target::Key { .. } => {}
            Target::Secret { rule, secret } => {
                if let Some(secret) = scanner.secrets.get(*secret) {
                    self.secret(*rule, secret, position);
                }
            }
            Target::Rule { rule, place } => self.literal(*rule, position, place),
        }
    }

    /// A literal of a rule with a pattern: the pattern is tried at each place where a match with this
    /// literal may begin, at no place twice.
    fn literal(&mut self, index: usize, position: usize, place: &Place) {
        let bytes = self.text.bytes;
        if !place
            .tail
            .fits(bytes.get(position + place.length..).unwrap_or_default())
        {
            return;
        }
        let Some(rule) = self.rules.get(index) else {
            return;
        };
        let Matcher::Literal { plan, pattern } = &rule.matcher else {
            return;
        };
        let Some(latest) = position.checked_sub(place.before_min) else {
            return;
        };
        let done = self.progress.done(index);
        if latest < done || self.hits.is_full(index) {
            return;
        }
        let candidate = Candidate {
            rule,
            index,
            pattern,
            strength_bits: plan.strength_bits,
        };
        let earliest = position.saturating_sub(place.before_max).max(done);
        let mut next = latest + 1;
        for start in earliest..=latest {
            if !plan.first.fits(bytes.get(start..).unwrap_or_default()) {
                continue;
            }
            let end = start.saturating_add(plan.length_max).min(bytes.len());
            match candidate.verify(self.text, start..end, self.hits) {
                Verified::Hit { end } => {
                    next = end.max(next);
                    break;
                }
                Verified::Dull { until } => next = until.max(next),
                Verified::No => {}
            }
        }
        // A fixed place is only looked at once anyway.
        if place.before_min < place.before_max || next > latest + 1 {
            self.progress.advance(index, next, self.rules.len());
        }
    }

    /// The beginning of one of the operator's own secrets.
    fn secret(&mut self, index: usize, secret: &KnownSecret, position: usize) {
        let rest = self.text.bytes.get(position..).unwrap_or_default();
        if rest.starts_with(&secret.value) {
            self.hits.push(Hit {
                rule: index,
                span: position..position + secret.value.len(),
                secret: secret.value.clone(),
                confidence: Confidence::High,
            });
        }
    }

    /// A word that belongs to the keys of a rule.
    fn key(&mut self, index: usize, word: &str, position: usize) {
        let Some(rule) = self.rules.get(index) else {
            return;
        };
        let Matcher::Assignment { value: pattern, .. } = &rule.matcher else {
            return;
        };
        let Some(assignment) = self.assignment_at(position) else {
            return;
        };
        if !assignment.key_contains(word) {
            return;
        }
        let span = assignment.value.clone();
        let value = slice(self.text.bytes, span.clone());
        let fits = pattern.fits(value.len())
            && !self.hits.is_full(index)
            && pattern
                .regex()
                .is_some_and(|regex| regex.is_match(Input::new(value).anchored(Anchored::Yes)))
            && (rule.entropy_min == 0.0 || shannon_bits(value) >= rule.entropy_min)
            && !secret::is_placeholder(value);
        if fits {
            self.hits.push(Hit {
                rule: index,
                span,
                secret: value.to_vec(),
                confidence: rule.confidence,
            });
        }
    }

    /// A word that keys of secrets of any kind contain.
    fn generic_key(&mut self, position: usize, generic: Option<usize>) {
        let bytes = self.text.bytes;
        let Some(index) = generic.filter(|&index| !self.hits.is_full(index)) else {
            return;
        };
        let Some(assignment) = self.assignment_at(position) else {
            return;
        };
        let span = assignment.value.clone();
        let value = slice(bytes, span.clone());
        if assignment.is_generic_secret(value) {
            self.hits.push(Hit {
                rule: index,
                span,
                secret: value.to_vec(),
                confidence: Confidence::Medium,
            });
        }
    }

    /// The assignment whose key holds a position; looked for once for all words of the key.
    fn assignment_at(&mut self, position: usize) -> Option<&Assignment> {
        let last = self.progress.key.as_ref();
        if !last.is_some_and(|key| key.range.contains(&position)) {
            self.progress.key = Some(Key::around(self.text.bytes, position, last));
        }
        self.progress.key.as_ref()?.assignment.as_ref()
    }
}

// === impl Progress ===

impl Progress {
    fn done(&self, rule: usize) -> usize {
        self.done.get(rule).copied().unwrap_or(0)
    }

    fn advance(&mut self, rule: usize, end: usize, rules: usize) {
        self.done.resize(rules, 0);
        if let Some(entry) = self.done.get_mut(rule) {
            *entry = end;
        }
    }
}
