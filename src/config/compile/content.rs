//! The settings below `dlp` that judge findings, as the policy's compiler reads them.

use oktsec_model::Severity;
use oktsec_policy::{ContentSource, Entry, IgnoreSource, RuleAction, RuleSource};

use super::{Known, Places};
use crate::config::raw::RawConfig;
use crate::config::value::{Setting, Value};

pub(super) fn source(raw: &RawConfig, known: Known, places: &mut Places) -> ContentSource {
    const EXPECTED: &str = "dlp.expected_credentials";
    let expected = raw.at(EXPECTED);
    let rules = raw.at("dlp.rules").items().iter().enumerate();
    let rules = rules.map(|(index, item)| rule(&format!("dlp.rules[{index}]"), item, places));
    let rules = rules.collect();
    let ignore = raw.at("dlp.ignore").items().iter().enumerate();
    let ignore = ignore.map(|(index, item)| review(&format!("dlp.ignore[{index}]"), item, places));
    let ignore = ignore.collect();
    ContentSource {
        builtin_homes: expected.text() != Some("off"),
        homes: homes(EXPECTED, expected, places),
        rules,
        ignore,
        rule_ids: known.rule_ids,
        now: known.now,
        is_strict: known.is_strict,
    }
}

/// Rule ids and host patterns.
pub(super) fn homes(
    path: &str,
    setting: &Setting,
    places: &mut Places,
) -> Vec<(Entry, Vec<Entry>)> {
    let fields = setting.fields().iter();
    fields
        .map(|field| {
            let path = format!("{path}.{}", field.name);
            let hosts = places.entries(&path, &field.setting);
            let origin = places.origin(&path, &field.name_span);
            let text = field.name.clone();
            (Entry { text, origin }, hosts)
        })
        .collect()
}

fn rule(path: &str, item: &Setting, places: &mut Places) -> RuleSource {
    let word = |name: &str| item.field(name).and_then(Setting::text);
    RuleSource {
        action: word("action").and_then(|word| match word {
            "block" => Some(RuleAction::Block),
            "flag" => Some(RuleAction::Flag),
            "ignore" => Some(RuleAction::Ignore),
            "observe" => Some(RuleAction::Observe),
            _ => None,
        }),
        severity: word("severity").and_then(Severity::parse),
        id: entry(path, item, "id", places),
        origin: places.origin(path, &item.span),
    }
}

fn review(path: &str, item: &Setting, places: &mut Places) -> IgnoreSource {
    let mut part = |name: &str| entry(path, item, name, places);
    let (fingerprint, rule) = (part("fingerprint"), part("rule"));
    let (agent, host) = (part("agent"), part("host"));
    let (until, reason) = (part("until"), part("reason"));
    IgnoreSource {
        fingerprint,
        rule,
        agent,
        host,
        until,
        reason,
        origin: places.origin(path, &item.span),
    }
}

/// One part of an entry, where it is written.
fn entry(path: &str, item: &Setting, name: &str, places: &mut Places) -> Option<Entry> {
    let setting = item.field(name)?;
    if matches!(setting.value, Value::Null) {
        return None;
    }
    places.entry(&format!("{path}.{name}"), setting)
}
