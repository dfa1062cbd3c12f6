//! The cases of `testdata/policy`, all through one check.

use std::sync::Arc;

use http::Method;
use oktsec_model::{
    AgentName, Caller, Category, Confidence, Decision, Finding, Fingerprint, Home, Host,
    IdentitySource, Location, Place, Principal, RuleId, Severity, Target, Treatment,
};

use super::content;
use super::reader::{Case, read};
use crate::{Line, PolicyError, PolicySet, Source, compile};

const FILES: [(&str, &str); 6] = [
    (
        "content",
        include_str!("../../../../testdata/policy/content.txt"),
    ),
    (
        "guard",
        include_str!("../../../../testdata/policy/guard.txt"),
    ),
    (
        "merge",
        include_str!("../../../../testdata/policy/merge.txt"),
    ),
    (
        "mistakes",
        include_str!("../../../../testdata/policy/mistakes.txt"),
    ),
    (
        "modes",
        include_str!("../../../../testdata/policy/modes.txt"),
    ),
    ("seed", include_str!("../../../../testdata/policy/seed.txt")),
];

#[test]
fn every_case_is_decided_as_written() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, text) in FILES {
        for (at, case) in read(text).into_iter().enumerate() {
            count += case.expect.len() + case.errors.as_ref().map_or(0, Vec::len);
            wrong.extend(
                check(case)
                    .into_iter()
                    .map(|line| format!("{file} #{at}: {line}")),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(count > 150, "only {count} cases were read");
}

/// What differs from what the case expects.
fn check(case: Case) -> Vec<String> {
    let Case {
        source,
        expect,
        errors,
        warnings,
    } = case;
    let compiled = match (compile(source), errors) {
        (Ok(_), Some(_)) => return vec!["compiled, but errors are expected".to_owned()],
        (Err(found), None) => return found.iter().map(|error| format!("{error:?}")).collect(),
        (Err(found), Some(expected)) => return check_messages(&found, &expected),
        (Ok(compiled), None) => compiled,
    };
    let mut wrong = Vec::new();
    for line in expect {
        let (asked, expected) = line.split_once(" = ").unwrap();
        let mut found = ask(&compiled.policies, asked);
        if !expected.contains(" | ") {
            // What is made of each finding is said where it is expected.
            found.truncate(found.find(" | ").unwrap_or(found.len()));
        }
        let expected = expand(expected, asked);
        if found != expected {
            wrong.push(format!(
                "{asked}\n  expected {expected}\n  found    {found}"
            ));
        }
    }
    let warnings = warnings.expect("a case lists its warnings");
    wrong.extend(check_messages(&compiled.warnings, &warnings));
    wrong
}

/// Every message is expected and every expected one is there, in any order.
fn check_messages(found: &[PolicyError], expected: &[String]) -> Vec<String> {
    let mut left: Vec<&PolicyError> = found.iter().collect();
    let mut wrong = Vec::new();
    for line in expected {
        let mut parts = line.splitn(3, ' ');
        let code = parts.next().unwrap();
        let number: u32 = parts.next().unwrap().parse().unwrap();
        let words = parts.next().unwrap();
        let at = left.iter().position(|error| {
            error.code == code && error.origin.line == number && shown(error).contains(words)
        });
        match at {
            Some(at) => drop(left.remove(at)),
            None => wrong.push(format!("missing: {line}")),
        }
    }
    let unexpected = left
        .iter()
        .map(|e| format!("not expected: {} {} {e}", e.code, e.origin.line));
    wrong.extend(unexpected);
    wrong
}

fn shown(error: &PolicyError) -> String {
    match &error.help {
        Some(help) => format!("{error} (help: {help})"),
        None => error.to_string(),
    }
}

fn ask(policies: &PolicySet, asked: &str) -> String {
    let words: Vec<&str> = asked.split_whitespace().collect();
    match words[..] {
        ["dial", url, address] => {
            match policies.admit_address(&target(url), address.parse().unwrap()) {
                Ok(()) => "ok".to_owned(),
                Err(decision) => reason(&decision),
            }
        }
        ["quota", who] => match policies.quota(&principal(who)) {
            Some(quota) => format!("{}/{}", quota.requests_max, quota.window_s),
            None => "none".to_owned(),
        },
        ["scan", who] => if policies.scan_requests(&principal(who)) {
            "on"
        } else {
            "off"
        }
        .to_owned(),
        ["near", who, host] => {
            let host = Host::parse(host).unwrap();
            policies
                .nearest_allowed(&principal(who), &host)
                .unwrap_or_else(|| "none".to_owned())
        }
        [who, method, url, ref seen @ ..] => decide(policies, who, method, url, seen),
        _ => panic!("cannot ask `{asked}`"),
    }
}

fn decide(policies: &PolicySet, who: &str, method: &str, url: &str, seen: &[&str]) -> String {
    let who = principal(who);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let target = target(url);
    let admitted = policies.admit(&who, &target, &method);
    let uninspectable = seen.contains(&"+?");
    let words = seen.iter().filter_map(|word| word.strip_prefix('+'));
    let findings = words.filter(|word| *word != "?").map(content::finding);
    let findings: Vec<Finding> = findings.collect();
    let head = content::head(who, &target, method, seen);
    let unopened = uninspectable.then(|| "a riddle".into());
    let decision = policies.decide(&head, admitted, findings.clone(), unopened);
    assert_eq!(
        decision.findings.len(),
        findings.len(),
        "findings are kept whatever is decided"
    );
    let entry = decision
        .entry
        .as_ref()
        .expect("every decision names its entry");
    let treatments: Vec<&str> = (decision.findings.iter())
        .map(|finding| finding.treatment.as_str())
        .collect();
    format!(
        "{} {} {} {}{} | {}",
        decision.action.as_str(),
        reason(&decision),
        entry.list.map_or("-", |list| list.as_str()),
        if entry.origin.line == 0 {
            "default:"
        } else {
            ""
        },
        entry.origin.entry,
        treatments.join(" "),
    )
}

/// The expectation with its abbreviations written out.
fn expand(expected: &str, asked: &str) -> String {
    let who = asked.split_whitespace().next().unwrap();
    let expanded = expected.replace('…', &format!("agents.{who}.egress"));
    expanded
        .replace(" fp.", " forward_proxy.")
        .replace("default:fp.", "default:forward_proxy.")
}

fn reason(decision: &Decision) -> String {
    decision
        .reason
        .code()
        .trim_start_matches("proxy_")
        .to_owned()
}

pub(super) fn principal(who: &str) -> Principal {
    let anonymous = Principal::anonymous("127.0.0.1:50000".parse().unwrap());
    let caller = match who {
        "-" => return anonymous,
        "!" => Caller::Conflicted,
        "?" => Caller::Malformed,
        name => Caller::Named(AgentName::parse(name).unwrap()),
    };
    Principal {
        caller,
        source: IdentitySource::Header,
        ..anonymous
    }
}

pub(super) fn target(url: &str) -> Target {
    let (target, _) = Target::parse_absolute_form(url).unwrap();
    target
}

pub(super) fn finding(category: &str) -> Finding {
    let text: Arc<str> = category.into();
    Finding {
        rule: RuleId("test-rule".into()),
        category: Category(text),
        severity: Severity::Low,
        confidence: Confidence::Low,
        location: Location {
            place: Place::Body,
            name: None,
            views: Vec::new(),
        },
        span: 0..1,
        redacted: "•".into(),
        fingerprint: Fingerprint([0; 16]),
        home: Home::Elsewhere,
        treatment: Treatment::default(),
    }
}

#[test]
fn an_agent_is_described_with_the_place_of_each_line() {
    let (_, text) = FILES.iter().find(|(name, _)| *name == "merge").unwrap();
    let case = read(text).remove(0);
    let policies = compile(case.source).unwrap().policies;
    assert_eq!(
        policies.agents().map(AgentName::as_str).collect::<Vec<_>>(),
        ["coder", "plain"]
    );
    assert_eq!(
        policies.describe(&AgentName::parse("nobody").unwrap()),
        None
    );
    let coder = policies
        .describe(&AgentName::parse("coder").unwrap())
        .unwrap();
    let show = |lines: &[Line]| -> Vec<String> {
        let show = |line: &Line| {
            let place = format!("{}:{}", line.origin.entry, line.origin.line);
            format!("{} [{}] {place}", line.text, line.notes.join("; "))
        };
        lines.iter().map(show).collect()
    };
    assert_eq!(
        show(&coder.allowed),
        [
            "api.github.com [] agents.coder.egress.allowed_domains[0]:5",
            "*.evil.com [] agents.coder.egress.allowed_domains[1]:5",
            ".t.example [+subdomains] agents.coder.egress.allowed_domains[2]:5",
            "evil.com [] agents.coder.egress.allowed_domains[3]:5",
            "internal-api.company.com [global] forward_proxy.allowed_domains[0]:1",
        ]
    );
    assert_eq!(
        show(&coder.blocked),
        [
            "pastebin.com [+subdomains; global, wins always] forward_proxy.blocked_domains[0]:2",
            "evil.com [+subdomains; global, wins always] forward_proxy.blocked_domains[1]:2",
            "raw.githubusercontent.com [+subdomains] agents.coder.egress.blocked_domains[0]:6",
            "bad.t.example [+subdomains] agents.coder.egress.blocked_domains[1]:6",
        ]
    );
    assert_eq!(
        show(&coder.categories),
        [
            "credentials [] agents.coder.egress.blocked_categories[0]:7",
            "exfiltration [global] forward_proxy.blocked_categories[0]:3",
        ]
    );
    let single = [coder.limit, coder.scan, coder.mode];
    assert_eq!(
        show(&single),
        [
            "none [inherited] forward_proxy.rate_limit:0",
            "on [inherited] forward_proxy.scan_requests:0",
            "enforce [inherited] mode:0",
        ]
    );
    assert_eq!(coder.suspended, None);
}

#[test]
fn only_configured_agents_are_counted_by_name() {
    let policies = compile(Source::default()).unwrap().policies;
    assert_eq!(policies.configured(&principal("made-up")), None);
    let case = read(FILES[5].1).remove(0);
    let policies = compile(case.source).unwrap().policies;
    let name = |who| policies.configured(&principal(who)).map(AgentName::as_str);
    assert_eq!(
        (name("coder"), name("Coder"), name("-")),
        (Some("coder"), None, None)
    );
    assert!(policies.describes(&AgentName::parse("coder").unwrap()));
    assert!(!policies.describes(&AgentName::parse("Coder").unwrap()));
}
