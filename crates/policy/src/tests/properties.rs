//! What holds for every policy, not only for the written cases.

use http::Method;
use oktsec_model::{Action, AgentName, List, Reason, Target};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;

use super::cases::{finding, principal, target};
use super::content::head;
use super::reader::origin;
use crate::{AgentSource, EgressSource, Entry, GlobalSource, PolicySet, Source, compile};

/// Few names, so that lists and requests meet.
const HOSTS: [&str; 9] = [
    "a.example",
    "b.a.example",
    "c.b.a.example",
    "example",
    "b.example",
    "xa.example",
    "8.8.8.8",
    "xn--bcher-kva.example",
    "127.0.0.1",
];

#[derive(Clone, Debug)]
struct Lists {
    global_allow: Vec<String>,
    global_block: Vec<String>,
    own_allow: Vec<String>,
    own_block: Vec<String>,
}

fn pattern() -> impl Strategy<Value = String> {
    let host = select(HOSTS.to_vec());
    let prefix = prop_oneof![3 => Just(""), 1 => Just("*."), 1 => Just(".")];
    (
        prefix,
        host,
        prop_oneof![4 => Just(""), 1 => Just(":443"), 1 => Just(":80")],
    )
        .prop_map(|(prefix, host, port)| {
            let address = host.as_bytes()[0].is_ascii_digit();
            format!("{}{host}{port}", if address { "" } else { prefix })
        })
}

fn lists() -> impl Strategy<Value = Lists> {
    let list = || vec(pattern(), 0..4);
    (list(), list(), list(), list()).prop_map(
        |(global_allow, global_block, own_allow, own_block)| Lists {
            global_allow,
            global_block,
            own_allow,
            own_block,
        },
    )
}

fn request() -> impl Strategy<Value = Target> {
    let scheme = select(vec!["http", "https"]);
    (scheme, select(HOSTS.to_vec()))
        .prop_map(|(scheme, host)| target(&format!("{scheme}://{host}")))
}

fn policies(lists: &Lists) -> PolicySet {
    let entries = |key: &str, texts: &[String]| -> Vec<Entry> {
        let texts = texts.iter().enumerate();
        let entry = |(at, text): (usize, &String)| Entry {
            text: text.clone(),
            origin: origin(&format!("{key}[{at}]"), 1),
        };
        texts.map(entry).collect()
    };
    let egress = EgressSource {
        allowed_domains: entries("own.allowed_domains", &lists.own_allow),
        blocked_domains: entries("own.blocked_domains", &lists.own_block),
        ..EgressSource::empty(origin("own", 1))
    };
    let global = GlobalSource {
        allowed_domains: entries("global.allowed_domains", &lists.global_allow),
        blocked_domains: entries("global.blocked_domains", &lists.global_block),
        ..GlobalSource::default()
    };
    let agent = AgentSource {
        name: AgentName::parse("agent").unwrap(),
        origin: origin("agent", 1),
        suspended: None,
        egress: Some(egress),
        can_message: Vec::new(),
    };
    let source = Source {
        global,
        agents: vec![agent],
        ..Source::default()
    };
    compile(source)
        .expect("the lists hold patterns only")
        .policies
}

/// What one entry covers, said as plainly as possible.
fn covers(pattern: &str, block: bool, target: &Target) -> bool {
    let (pattern, port) = match pattern.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (pattern, None),
    };
    if port.is_some_and(|port| port != target.port) {
        return false;
    }
    let host = target.host.to_string();
    let below = |name: &str| host.ends_with(&format!(".{name}"));
    match (pattern.strip_prefix("*."), pattern.strip_prefix('.')) {
        (Some(name), _) => below(name),
        (None, Some(name)) => host == name || below(name),
        (None, None) => host == pattern || block && below(pattern),
    }
}

proptest! {
    /// The hash lookups decide as a walk over the lists would.
    #[test]
    fn the_lists_mean_what_they_say(lists in lists(), target in request()) {
        let decision = policies(&lists).admit(&principal("agent"), &target, &Method::GET);
        let any = |list: &[String], block| list.iter().any(|entry| covers(entry, block, &target));
        let no_allowlist = lists.global_allow.is_empty() && lists.own_allow.is_empty();
        let expected = if target.host.to_string() == "127.0.0.1" {
            (Reason::SsrfBlocked, None)
        } else if any(&lists.global_block, true) {
            (Reason::BlockedDomain, Some(List::GlobalBlock))
        } else if any(&lists.own_block, true) {
            (Reason::BlockedDomain, Some(List::AgentBlock))
        } else if any(&lists.global_allow, false) || any(&lists.own_allow, false) {
            (Reason::Allowed, Some(List::Allow))
        } else if no_allowlist {
            (Reason::Allowed, Some(List::Open))
        } else {
            (Reason::BlockedDomain, Some(List::NotAllowed))
        };
        prop_assert_eq!((decision.reason, decision.entry.and_then(|entry| entry.list)), expected);
    }

    /// One more global block entry never lets anything more through, and always closes its host.
    #[test]
    fn a_block_entry_never_widens(lists in lists(), more in select(HOSTS.to_vec()), target in request()) {
        let before = policies(&lists).admit(&principal("agent"), &target, &Method::GET);
        let mut narrower = lists;
        narrower.global_block.push(more.to_owned());
        let after = policies(&narrower).admit(&principal("agent"), &target, &Method::GET);
        prop_assert!(before.action == Action::Allow || after.action == Action::Block);
        if covers(more, true, &target) {
            prop_assert_eq!(after.action, Action::Block);
        }
    }

    /// Nothing an agent is given opens what the global blocklist closes.
    #[test]
    fn the_global_blocklist_wins(lists in lists(), closed in select(HOSTS.to_vec()), grants in vec(pattern(), 0..6)) {
        let mut lists = lists;
        lists.global_block.push(closed.to_owned());
        lists.own_allow.extend(grants);
        lists.own_allow.push(closed.to_owned());
        let decision = policies(&lists).admit(&principal("agent"), &target(&format!("https://{closed}")), &Method::GET);
        prop_assert_eq!(decision.action, Action::Block);
    }

    /// A host is decided on in the same way however it is written.
    #[test]
    fn spelling_changes_nothing(lists in lists(), host in select(HOSTS.to_vec()), upper in vec(proptest::bool::ANY, 24), dot in proptest::bool::ANY, port in proptest::bool::ANY) {
        let respelled: String = match host {
            "xn--bcher-kva.example" => "B\u{dc}cher。example".to_owned(),
            "8.8.8.8" => "0x8.010.2056".to_owned(),
            "127.0.0.1" => "[::ffff:7f00:1]".to_owned(),
            host => host.chars().zip(&upper).map(|(c, upper)| if *upper { c.to_ascii_uppercase() } else { c }).collect(),
        };
        let tail = if dot && !respelled.ends_with(']') { "." } else { "" };
        let port = if port { ":443" } else { "" };
        let policies = policies(&lists);
        let plain = policies.admit(&principal("agent"), &target(&format!("https://{host}")), &Method::GET);
        let other = policies.admit(&principal("agent"), &target(&format!("https://{respelled}{tail}{port}")), &Method::GET);
        prop_assert_eq!(plain, other);
    }

    /// Scanning only ever narrows, and what was admitted as a refusal stays one.
    #[test]
    fn content_never_widens(lists in lists(), target in request(), categories in vec(select(vec!["credentials", "pii"]), 0..4), uninspectable in proptest::bool::ANY) {
        let policies = policies(&lists);
        let admitted = policies.admit(&principal("agent"), &target, &Method::GET);
        let findings: Vec<_> = categories.iter().map(|category| finding(category)).collect();
        let head = head(principal("agent"), &target, Method::GET, &[]);
        let decision = policies.decide(&head, admitted.clone(), findings, uninspectable.then(|| "a riddle".into()));
        if admitted.action == Action::Block {
            prop_assert_eq!((decision.action, decision.reason), (Action::Block, admitted.reason));
        }
        prop_assert_eq!(decision.findings.len(), categories.len());
    }
}
