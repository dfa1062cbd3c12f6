//! Reads the case files of `testdata/policy`; the format is described in the README there.

use oktsec_model::{AgentName, Origin};

use crate::{
    AgentSource, EgressSource, Entry, GlobalSource, Mode, ResolveTo, Set, Source, UnknownAgents,
};

/// One policy with what is expected of it.
#[derive(Default)]
pub(super) struct Case {
    pub(super) source: Source,
    pub(super) expect: Vec<String>,
    pub(super) errors: Option<Vec<String>>,
    pub(super) warnings: Option<Vec<String>>,
}

/// Which part of a case a line belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Policy,
    Expect,
    Errors,
    Warnings,
}

/// The cases of a file.
pub(super) fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut part = Part::Policy;
    let mut line_number = 0;
    for line in text.lines() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        if word == "policy" {
            cases.push(Case::default());
            part = Part::Policy;
            line_number = 0;
            continue;
        }
        line_number += 1;
        let case = cases.last_mut().expect("a case begins with `policy`");
        match (word, part) {
            ("expect", _) => part = Part::Expect,
            ("errors", _) => {
                part = Part::Errors;
                case.errors = Some(Vec::new());
            }
            ("warnings", _) => {
                part = Part::Warnings;
                case.warnings = Some(Vec::new());
            }
            (_, Part::Policy) => setting(&mut case.source, word, line_number),
            (_, Part::Expect) => case.expect.push(word.to_owned()),
            (_, Part::Errors) => case.errors.as_mut().unwrap().push(word.to_owned()),
            (_, Part::Warnings) => case.warnings.as_mut().unwrap().push(word.to_owned()),
        }
    }
    cases
}

/// The place of an entry in a file of the case's own.
pub(super) fn origin(entry: &str, line: u32) -> Origin {
    Origin {
        entry: entry.into(),
        file: "case".into(),
        line,
    }
}

fn setting(source: &mut Source, word: &str, line: u32) {
    if let Some(name) = word.strip_prefix("agent ") {
        source.agents.push(AgentSource {
            name: AgentName::parse(name).unwrap(),
            origin: origin(&format!("agents.{name}"), line),
            suspended: None,
            egress: None,
            can_message: Vec::new(),
        });
        return;
    }
    let (key, items) = word.split_once(':').unwrap_or((word, ""));
    if let Some(key) = key.strip_prefix("dlp.") {
        super::content::setting(&mut source.content, key, items, line);
        return;
    }
    match source.agents.last_mut() {
        Some(agent) => agent_setting(agent, key, items, line),
        None if key == "custom_categories" => source.custom_categories = words(items),
        None => global_setting(&mut source.global, key, items, line),
    }
}

fn global_setting(global: &mut GlobalSource, key: &str, items: &str, line: u32) {
    let path = format!("forward_proxy.{key}");
    let list = || entries(&path, items, line);
    match key {
        "allowed_domains" => global.allowed_domains = list(),
        "blocked_domains" => global.blocked_domains = list(),
        "blocked_categories" => global.blocked_categories = list(),
        "allow_private" => global.allow_private = list(),
        "allowed_ports" => global.allowed_ports = set(&path, numbers(items), line),
        "own_ports" => global.own_ports = numbers(items),
        "unknown_agents" => {
            let value = match items.trim() {
                "global" => UnknownAgents::Global,
                "deny" => UnknownAgents::Deny,
                other => panic!("unknown_agents: {other}"),
            };
            global.unknown_agents = Some(set(&path, value, line));
        }
        "scan_requests" => global.scan_requests = set(&path, flag(items), line),
        "rate_limit" => global.rate_limit = set(&path, number(items), line),
        "rate_window" => global.rate_window_s = set(&path, number(items), line),
        "uninspectable" => {
            global.uninspectable_block = set(&path, items.trim() == "block", line);
        }
        "mode" => global.mode = set("mode", mode(items), line),
        "resolve" => {
            let pairs = list().into_iter().map(resolve);
            global.resolve = pairs.collect();
        }
        other => panic!("no global setting `{other}`"),
    }
}

fn agent_setting(agent: &mut AgentSource, key: &str, items: &str, line: u32) {
    let name = &agent.name;
    let path = format!("agents.{name}.egress.{key}");
    match key {
        "can_message" => {
            agent.can_message = entries(&format!("agents.{name}.can_message"), items, line);
            return;
        }
        "suspended" => {
            agent.suspended = Some(origin(&format!("agents.{name}.suspended"), line));
            return;
        }
        _ => {}
    }
    let block = origin(&format!("agents.{name}.egress"), line);
    let egress = agent
        .egress
        .get_or_insert_with(|| EgressSource::empty(block));
    let list = || entries(&path, items, line);
    match key {
        "egress" => {}
        "allowed_domains" => egress.allowed_domains = list(),
        "blocked_domains" => egress.blocked_domains = list(),
        "blocked_categories" => egress.blocked_categories = list(),
        "scan_requests" => egress.scan_requests = Some(set(&path, flag(items), line)),
        "rate_limit" => egress.rate_limit = Some(set(&path, number(items), line)),
        "rate_window" => egress.rate_window_s = Some(set(&path, number(items), line)),
        "mode" => egress.mode = Some(set(&path, mode(items), line)),
        "homes" => {
            egress.homes = super::content::homes(&path, items, line);
        }
        "methods" => egress.methods = list().into_iter().map(methods).collect(),
        other => panic!("no agent setting `{other}`"),
    }
}

/// `host=GET,HEAD`.
fn methods(entry: Entry) -> (Entry, Vec<Entry>) {
    let Entry { text, origin } = entry;
    let (host, methods) = text.split_once('=').unwrap();
    let words = methods.split(',').filter(|word| !word.is_empty());
    let methods = words.map(|word| Entry {
        text: word.to_owned(),
        origin: origin.clone(),
    });
    let methods = methods.collect();
    (
        Entry {
            text: host.to_owned(),
            origin,
        },
        methods,
    )
}

/// `key=ip` or `key=ip:port`.
fn resolve(entry: Entry) -> (Entry, ResolveTo) {
    let Entry { text, origin } = entry;
    let (key, to) = text.split_once('=').unwrap();
    let to = match to.rsplit_once(':') {
        Some((ip, port)) => ResolveTo {
            ip: ip.parse().unwrap(),
            port: port.parse().ok(),
        },
        None => ResolveTo {
            ip: to.parse().unwrap(),
            port: None,
        },
    };
    (
        Entry {
            text: key.to_owned(),
            origin,
        },
        to,
    )
}

pub(super) fn entries(path: &str, items: &str, line: u32) -> Vec<Entry> {
    let texts = words(items).into_iter().enumerate();
    texts
        .map(|(at, text)| Entry {
            text,
            origin: origin(&format!("{path}[{at}]"), line),
        })
        .collect()
}

/// Words between spaces; quotes hold spaces together.
pub(super) fn words(items: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, piece) in items.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn set<T>(path: &str, value: T, line: u32) -> Set<T> {
    Set {
        value,
        origin: origin(path, line),
    }
}

fn numbers(items: &str) -> Vec<u16> {
    words(items)
        .iter()
        .map(|word| word.parse().unwrap())
        .collect()
}

fn number(item: &str) -> u32 {
    item.trim().parse().unwrap()
}

fn flag(item: &str) -> bool {
    item.trim().parse().unwrap()
}

fn mode(item: &str) -> Mode {
    match item.trim() {
        "enforce" => Mode::Enforce,
        "observe" => Mode::Observe,
        other => panic!("mode: {other}"),
    }
}
