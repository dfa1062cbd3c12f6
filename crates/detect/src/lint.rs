//! What there is to say about rule files before anyone relies on them: the loader's mistakes and
//! warnings, examples that do not match, counter-examples that do, patterns that say too little or cost
//! too much. It asks a detector with the rules; it changes none.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::builtin::{self, Examples};
use crate::detector::{Detector, Limits, RuleFile};
use crate::fingerprint::FingerprintKey;
use crate::issue::{IssueLevel, RuleIssue};
use crate::loader::{self, Loaded};
use crate::plan::{self, LITERAL_BYTES_MIN, Plan};
use crate::rule::{Boundary, Finder, Matcher, Rule};

/// Patterns that exclude less than this, in bits, match in random text of a megabyte now and then.
const STRENGTH_BITS_MIN: u32 = 30;
/// A literal that was extended by one character of a class becomes this many, at least.
const EXTENDED_LITERALS_MIN: usize = 10;
/// A class of so many bytes matches about anything.
const WIDE_CLASS_BYTES: usize = 128;

/// Looks at the operator's own rule files, as they would be loaded beside the embedded ones. What it
/// says is ordered by file and line.
#[must_use]
pub fn lint(files: &[RuleFile]) -> Vec<RuleIssue> {
    let Loaded { rules, mut issues } = loader::read(&builtin::FILES, files, Examples::Kept);
    let own = |rule: &&Rule| !rule.origin.is_builtin;
    if rules.iter().any(|rule| own(&rule)) {
        issues.extend(issues_of(rules, own));
    }
    let order: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    issues.retain(|issue| order.contains(&issue.file.as_str()));
    let place = |issue: &RuleIssue| {
        let file = order.iter().position(|name| *name == issue.file);
        (file, issue.line, std::cmp::Reverse(issue.level))
    };
    issues.sort_by_key(place);
    issues
}

/// Looks at the embedded rules.
#[must_use]
pub fn lint_builtin() -> Vec<RuleIssue> {
    let Loaded { rules, mut issues } = loader::read(&builtin::FILES, &[], Examples::Kept);
    issues.extend(issues_of(rules, |_| true));
    issues
}

/// What there is to say about loaded rules.
fn issues_of(rules: Vec<Rule>, is_wanted: impl Fn(&&Rule) -> bool) -> Vec<RuleIssue> {
    // Examples stand for themselves: nobody compares their fingerprints.
    let detector =
        Detector::from_rules(FingerprintKey::new([0; 32]), Limits::default(), rules, &[]);
    let mut issues = Vec::new();
    for rule in detector.rules().filter(is_wanted) {
        let mut review = Review {
            rule,
            issues: &mut issues,
        };
        review.examples(&detector);
        review.source();
        review.pattern();
    }
    issues
}

/// One rule, and what was said so far.
struct Review<'a> {
    rule: &'a Rule,
    issues: &'a mut Vec<RuleIssue>,
}

// === impl Review ===

impl Review<'_> {
    fn say(&mut self, level: IssueLevel, message: String) {
        self.issues.push(RuleIssue {
            file: self.rule.origin.file.clone(),
            line: self.rule.origin.line,
            rule: Some(self.rule.id.clone()),
            level,
            message,
        });
    }

    fn examples(&mut self, detector: &Detector) {
        for (number, example) in self.rule.examples.iter().enumerate() {
            if !self.rule.is_found_in(example, detector) {
                let message = format!("example {} is not found", number + 1);
                self.say(IssueLevel::Error, message);
            }
        }
        for (number, example) in self.rule.negative_examples.iter().enumerate() {
            if !self.rule.is_found_in(example, detector) {
                continue;
            }
            let message = format!("counter-example {} is found", number + 1);
            if self.rule.exclude.is_empty() {
                self.say(IssueLevel::Error, message);
            } else {
                let why = "exclude patterns see the match only, not its line";
                self.say(IssueLevel::Warning, format!("{message}: {why}"));
            }
        }
    }

    fn source(&mut self) {
        if self.rule.source.is_empty() && !self.rule.origin.is_aguara {
            let message = "names no `source`: the document that describes the format".to_owned();
            self.say(IssueLevel::Warning, message);
        }
    }

    fn pattern(&mut self) {
        for text in self.rule.patterns() {
            let Ok(hir) = plan::parse(text) else { continue };
            if self.is_weak(&hir) {
                let bits = plan::strength(&hir);
                let message = format!(
                    "says little ({bits} bits) and has no boundary: random text will match now and then"
                );
                self.say(IssueLevel::Warning, message);
            }
            if has_wide_end(&hir) {
                let message = "has a repetition of about anything without an upper bound: matches \
                               are cut at 16 KiB";
                self.say(IssueLevel::Warning, message.to_owned());
            }
        }
        if let Matcher::Literal { plan, .. } = &self.rule.matcher
            && is_short(plan)
        {
            let message = "has a literal of three characters or fewer: it is looked at often";
            self.say(IssueLevel::Warning, message.to_owned());
        }
    }

    fn is_weak(&self, hir: &Hir) -> bool {
        let properties = hir.properties();
        let looks = properties
            .look_set_prefix()
            .union(properties.look_set_suffix());
        let is_anchored = matches!(
            self.rule.matcher,
            Matcher::Assignment { .. } | Matcher::Run { .. }
        );
        let is_tested = self.rule.validator.is_some() || self.rule.entropy_min > 0.0;
        self.rule.boundary == Boundary::Any
            && looks.is_empty()
            && !is_anchored
            && !is_tested
            && plan::strength(hir) < STRENGTH_BITS_MIN
    }
}

// === impl Rule ===

impl Rule {
    /// Whether a detector that has this rule finds it in a text. Texts of rules about names of hosts
    /// and paths are such.
    #[must_use]
    pub fn is_found_in(&self, text: &str, detector: &Detector) -> bool {
        let scan = match self.matcher {
            Matcher::Finder(Finder::EncodedHost) => detector.scan_name(text.as_bytes()),
            Matcher::Finder(Finder::EncodedPath) => detector.scan_path(text.as_bytes()),
            _ => detector.scan_text(text.as_bytes()),
        };
        scan.findings.iter().any(|finding| finding.rule == self.id)
    }
}

/// Whether the literals of a plan became long enough only by the class behind a short one.
fn is_short(plan: &Plan) -> bool {
    let extended = |literal: &plan::Literal| literal.word.bytes.len() == LITERAL_BYTES_MIN;
    plan.literals.len() >= EXTENDED_LITERALS_MIN && plan.literals.iter().all(extended)
}

/// Whether a class of about any byte may be repeated for ever.
fn has_wide_end(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) | HirKind::Class(_) => false,
        HirKind::Repetition(repetition) => {
            repetition.max.is_none() && is_wide(&repetition.sub) || has_wide_end(&repetition.sub)
        }
        HirKind::Capture(capture) => has_wide_end(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_wide_end),
    }
}

fn is_wide(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => {
            let size: usize = class
                .ranges()
                .iter()
                .map(|range| usize::from(range.end()) - usize::from(range.start()) + 1)
                .sum();
            size >= WIDE_CLASS_BYTES
        }
        HirKind::Capture(capture) => is_wide(&capture.sub),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Setup;

    macro_rules! testdata {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../../testdata/rules/", $name)),
            )
        };
    }

    fn file((name, text): (&str, &str)) -> RuleFile {
        RuleFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    fn said(files: &[RuleFile]) -> String {
        lint(files).iter().fold(String::new(), |text, issue| {
            let rule = issue.rule.as_ref().map_or("-", |rule| rule.as_str());
            format!("{text}{issue} ({rule})\n")
        })
    }

    fn detector(files: &[RuleFile]) -> Detector {
        let setup = Setup {
            key: FingerprintKey::new([7; 32]),
            limits: Limits::default(),
            rules: files.to_vec(),
            secrets: Vec::new(),
        };
        match Detector::new(setup) {
            Ok(detector) => detector,
            Err(errors) => panic!("{errors:?}"),
        }
    }

    #[test]
    fn files_get_what_is_expected() {
        let cases = [
            (testdata!("aguara.yaml"), testdata!("aguara.expected")),
            (
                testdata!("aguara-single.yaml"),
                testdata!("aguara-single.expected"),
            ),
            (
                testdata!("aguara-mistakes.yaml"),
                testdata!("aguara-mistakes.expected"),
            ),
            (testdata!("own.yaml"), testdata!("own.expected")),
            (
                testdata!("own-mistakes.yaml"),
                testdata!("own-mistakes.expected"),
            ),
        ];
        for (rules, (name, expected)) in cases {
            assert_eq!(said(&[file(rules)]), expected, "{name}");
        }
    }

    #[test]
    fn what_is_loaded_is_what_was_written() {
        let detector = detector(&[file(testdata!("aguara.yaml")), file(testdata!("own.yaml"))]);
        let rule = detector.rule("acme-001").unwrap();
        assert_eq!(rule.title, "Acme deployment key");
        assert_eq!(
            rule.help,
            "A key that deploys to Acme.\nRevoke it in the console."
        );
        assert_eq!(rule.category.as_str(), "credentials");
        assert_eq!((rule.kind(), rule.origin.line), ("pattern", 3));
        assert_eq!(rule.exclude_patterns().len(), 1);
        let rule = detector.rule("acme-002").unwrap();
        assert_eq!(
            (rule.category.as_str(), rule.kind()),
            ("project-names", "anywhere")
        );
        assert_eq!(rule.patterns().len(), 2);
        let rule = detector.rule("acme-003").unwrap();
        assert_eq!(
            (rule.severity.as_str(), rule.category.as_str()),
            ("low", "pii")
        );
        assert_eq!(detector.rule("acme-badge").unwrap().kind(), "anywhere");
        assert!(!detector.rule("acme-badge").unwrap().origin.is_builtin);
    }

    #[test]
    fn surroundings_switch_no_rule_off() {
        let detector = detector(&[file(testdata!("aguara.yaml"))]);
        let found = |text: &str| {
            let scan = detector.scan_text(text.as_bytes());
            scan.findings
                .iter()
                .filter(|finding| finding.rule.as_str() == "acme-001")
                .count()
        };
        assert_eq!(
            found("acme_live_000000 acme_live_k3v9q2m7x1c5b8n4z6w0d2f1"),
            1
        );
        assert_eq!(found("acme_live_000000999999999999999999"), 0);
        let real = "acme_live_k3v9q2m7x1c5b8n4z6w0d2f1";
        let excluded = "acme_live_000000000000000000000000 ".repeat(5_000);
        assert_eq!(
            found(&format!("{excluded}{real}")),
            1,
            "behind many that are excluded"
        );
    }

    #[test]
    fn whole_views_are_searched_to_their_end() {
        let rules = r#"
- {id: WIDE, name: w, severity: low, category: pii, patterns: [{type: regex, value: "[A-Z]+[0-9]|.*QQQQ!"}]}
- {id: TAIL, name: w, severity: low, category: pii, patterns: [{type: regex, value: "[xyz](?:.*!!!)?"}],
   exclude_patterns: [{type: regex, value: "^x$"}]}
"#;
        let detector = detector(&[file(("hostile.yaml", rules))]);
        let found = |text: &str, rule: &str| {
            let scan = detector.scan_text(text.as_bytes());
            scan.findings
                .iter()
                .any(|finding| finding.rule.as_str() == rule)
        };
        assert!(found(&format!("{}Z9", "a".repeat(200_000)), "wide"));
        assert!(!found("nothing here", "wide"));
        // Every byte begins a match that is followed and then excluded; the budget ends, and doubt is
        // a finding.
        assert!(found(&"x".repeat(300_000), "tail"));
        assert!(!found("x ", "tail"));
        assert!(found("x y", "tail"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_file_may_be_given(text in "([-:?{}\\[\\]\"'|>#&*!, \n]|id|patterns|rules|name|type: regex|value: |[a-z0-9\\\\(){}*+]{1,8}){0,60}") {
            let Loaded { issues, .. } = loader::read(&[], &[file(("any.yaml", &text))], Examples::Kept);
            prop_assert!(issues.iter().all(|issue| issue.line <= text.lines().count() + 1));
        }

        #[test]
        fn any_pattern_may_be_given(pattern in "([a-c]|[\\[\\](){}?*+|^$.&~,-]|\\\\[QEwdbxpC<>\\]{}]|[0-9]|\\[:alpha:\\]){0,24}") {
            let quoted = pattern.replace('\'', "''");
            let text = format!("{{id: a, name: a, severity: low, category: pii, patterns: [{{type: regex, value: '{quoted}'}}]}}");
            let Loaded { rules, issues } = loader::read(&[], &[file(("any.yaml", &text))], Examples::Kept);
            let refused = issues.iter().any(|issue| issue.level == IssueLevel::Error);
            prop_assert_eq!(rules.is_empty(), refused);
        }
    }
}
