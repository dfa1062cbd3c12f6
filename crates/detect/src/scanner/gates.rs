//! What the engine promises, held against the plain way: every pattern over the whole text. And how
//! often it runs a pattern on ordinary text.

use std::collections::HashMap;

use regex_automata::{Anchored, Input};

use super::candidate::{Candidate, Text, Verified};
use super::{Scanner, Target};
use crate::collect::{Hit, Hits};
use crate::rule::{Matcher, Rule};
use crate::view::View;
use crate::{Detector, FingerprintKey, Limits, Setup};

fn detector() -> Detector {
    let setup = Setup {
        key: FingerprintKey::new([7; 32]),
        limits: Limits::default(),
        rules: Vec::new(),
        secrets: Vec::new(),
    };
    Detector::with_examples(setup).unwrap_or_else(|errors| panic!("{} mistakes", errors.len()))
}

/// Ordinary text: this repository's own sources and documents.
const ORDINARY: [&str; 8] = [
    include_str!("../scanner.rs"),
    include_str!("../assignment/reader.rs"),
    include_str!("../unicode.rs"),
    include_str!("../loader.rs"),
    include_str!("../../../../README.md"),
    include_str!("../../../../docs/reference/rules.md"),
    include_str!("../../../../docs/reference/findings.md"),
    include_str!("../../../../Cargo.lock"),
];

/// What a rule's pattern finds, tried from every place where it matches.
fn plainly(index: usize, rule: &Rule, bytes: &[u8]) -> Vec<Hit> {
    let Matcher::Literal { plan, pattern } = &rule.matcher else {
        return Vec::new();
    };
    let regex = pattern.regex().expect("it compiles");
    let candidate = Candidate {
        rule,
        index,
        pattern,
        strength_bits: plan.strength_bits,
    };
    let view = View::of(bytes);
    let text = Text::of(&view);
    let mut hits = Hits::default();
    let mut from = 0;
    while let Some(found) = regex.search(
        &Input::new(bytes)
            .span(from..bytes.len())
            .anchored(Anchored::No),
    ) {
        let end = found
            .start()
            .saturating_add(plan.length_max)
            .min(bytes.len());
        from = match candidate.verify(text, found.start()..end, &mut hits) {
            Verified::Hit { end } => end.max(found.start() + 1),
            Verified::Dull { .. } | Verified::No => found.start() + 1,
        };
        if from > bytes.len() {
            break;
        }
    }
    hits.list
}

/// Fails where a pattern finds something in a text that the engine does not report for its rule.
fn compare(detector: &Detector, bytes: &[u8]) {
    let rules: Vec<&Rule> = detector.rules().collect();
    let mut found = Hits::default();
    detector
        .scanner
        .scan_literals(&detector.rules, &View::of(bytes), &mut found);
    let mut by_rule: HashMap<usize, Vec<&Hit>> = HashMap::new();
    for hit in &found.list {
        by_rule.entry(hit.rule).or_default().push(hit);
    }
    for (index, rule) in rules.iter().enumerate() {
        for hit in plainly(index, rule, bytes) {
            let is_reported = by_rule.get(&index).is_some_and(|list| {
                list.iter()
                    .any(|other| other.span.start < hit.span.end && hit.span.start < other.span.end)
            });
            assert!(
                is_reported,
                "{} at {:?} of {:?}",
                rule.id.as_str(),
                hit.span,
                String::from_utf8_lossy(bytes)
            );
        }
    }
}

#[test]
fn the_engine_finds_what_every_pattern_finds() {
    const STEP: usize = 9;
    let detector = detector();
    // Examples of rules among ordinary lines, glued to them in all ways.
    let examples: Vec<&str> = detector
        .rules()
        .flat_map(|rule| rule.examples.iter().chain(&rule.negative_examples))
        .map(String::as_str)
        .step_by(STEP)
        .collect();
    for (number, group) in examples.chunks(24).enumerate() {
        let glue = ["\n", " ", "", "x", "==", "\"", ": ", "/"];
        let text = group.join(glue[number % glue.len()]);
        compare(&detector, text.as_bytes());
    }
    for text in ORDINARY {
        compare(&detector, text.as_bytes());
    }
}

#[test]
fn patterns_are_rarely_run_on_ordinary_text() {
    /// How often a rule's pattern may be run on a megabyte of ordinary text.
    const RUNS_PER_MB_MAX: usize = 300;
    /// Any address may hold a password; and these sources speak of keys of wallets more than others.
    const OFTEN: [&str; 2] = ["http-url-password", "solana-keypair-array"];
    let detector = detector();
    let text = ORDINARY.concat();
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let Scanner { grams, targets, .. } = &detector.scanner;
    grams.scan(text.as_bytes(), |word, position| {
        for target in targets.get(word).into_iter().flatten() {
            // What may not follow the word refuses most, before any pattern is run.
            if let Target::Rule { rule, place } = target
                && place.tail.fits(&text.as_bytes()[position + place.length..])
            {
                *counts.entry(*rule).or_default() += 1;
            }
        }
    });
    let rules: Vec<&Rule> = detector.rules().collect();
    let mut often: Vec<String> = counts
        .into_iter()
        .map(|(rule, count)| (rule, count * 1_000_000 / text.len()))
        .filter(|(rule, rate)| {
            *rate > RUNS_PER_MB_MAX && !OFTEN.contains(&rules[*rule].id.as_str())
        })
        .map(|(rule, rate)| format!("{} {rate}", rules[rule].id.as_str()))
        .collect();
    often.sort();
    assert!(often.is_empty(), "{often:?}");
}
