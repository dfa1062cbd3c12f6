//! What is said about findings: homes, settings of rules, reviews.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use oktsec_model::{AgentName, Fingerprint, Origin, RuleId, Timestamp};

use super::{Compiler, HostMap, ListKind, Pattern, PolicyError, nearest, with_suggestion};
use crate::evaluate::{Content, Exception, Homes, Reviewed, RuleSetting};
use crate::source::{ContentSource, Entry, IgnoreSource, RuleSource};

/// What time it is, and what that makes of what has ended.
#[derive(Clone, Copy)]
struct Clock {
    now: Timestamp,
    is_strict: bool,
}

impl Compiler {
    pub(super) fn content(&mut self, source: ContentSource, agents: &[AgentName]) -> Content {
        let homes = self.homes(&source.homes);
        let mut content = Content {
            builtin_homes: source.builtin_homes,
            homes,
            rules: HashMap::new(),
            reviewed: Reviewed::default(),
        };
        for rule in source.rules {
            self.rule_setting(rule, &mut content);
        }
        let clock = Clock {
            now: source.now,
            is_strict: source.is_strict,
        };
        for ignore in &source.ignore {
            self.review(ignore, agents, clock, &mut content.reviewed);
        }
        content
    }

    pub(super) fn homes(&mut self, written: &[(Entry, Vec<Entry>)]) -> Homes {
        let mut homes = Homes::default();
        for (rule, hosts) in written {
            let id = self.rule_id(rule);
            if hosts.is_empty() {
                let message = format!("`{}` names no host: the entry has no effect", rule.text);
                self.warning("W107", &rule.origin, message);
            }
            let map = homes.0.entry(id).or_default();
            for host in hosts {
                self.host_into(host, map);
            }
        }
        homes
    }

    fn host_into(&mut self, entry: &Entry, map: &mut HostMap<()>) {
        match Pattern::parse(entry, ListKind::Allow) {
            Ok(pattern) => {
                if !map.insert(&pattern, ()) {
                    self.warn_duplicate(entry);
                }
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn rule_setting(&mut self, source: RuleSource, content: &mut Content) {
        let RuleSource {
            id,
            action,
            severity,
            origin,
        } = source;
        let Some(entry) = id else {
            self.missing(&origin, "names no rule", "add `id: RULE`");
            return;
        };
        let id = self.rule_id(&entry);
        if action.is_none() && severity.is_none() {
            let message = format!("the entry for `{}` changes nothing", entry.text);
            self.warning("W107", &entry.origin, message);
        }
        let setting = RuleSetting {
            action,
            severity,
            origin,
        };
        match content.rules.entry(id) {
            Slot::Vacant(slot) => drop(slot.insert(setting)),
            Slot::Occupied(_) => {
                let message = format!("rules names `{}` twice", entry.text);
                self.error("E007", &entry.origin, message);
            }
        }
    }

    fn review(
        &mut self,
        source: &IgnoreSource,
        agents: &[AgentName],
        clock: Clock,
        reviewed: &mut Reviewed,
    ) {
        let fingerprint = source.fingerprint.as_ref().map(|e| self.fingerprint(e));
        let rule = source.rule.as_ref().map(|entry| self.rule_id(entry));
        let written_reason = source.reason.as_ref().map(|reason| reason.text.trim());
        if written_reason.is_none_or(str::is_empty) {
            self.missing(&source.origin, "gives no reason", "add `reason: WHY`");
        }
        let exception = Exception {
            rule: rule.clone(),
            agent: (source.agent.as_ref()).and_then(|entry| self.known_agent(entry, agents)),
            hosts: source.host.as_ref().map(|entry| {
                let mut hosts = HostMap::default();
                self.host_into(entry, &mut hosts);
                hosts
            }),
            until: (source.until.as_ref()).and_then(|entry| self.end(entry, clock)),
        };
        match (fingerprint, rule) {
            (Some(Some(fingerprint)), _) => {
                let filed = reviewed.by_fingerprint.entry(fingerprint).or_default();
                filed.push(exception);
            }
            (Some(None), _) => {}
            (None, Some(rule)) => {
                if source.until.is_none() {
                    let id = rule.as_str();
                    let message =
                        format!("all findings of the rule `{id}` are ignored without an end");
                    self.warnings.push(
                        PolicyError::new("W108", &source.origin, message)
                            .help("add `until: DATE`, or name the value with `fingerprint`"),
                    );
                }
                reviewed.by_rule.entry(rule).or_default().push(exception);
            }
            (None, None) => self.missing(
                &source.origin,
                "names neither a fingerprint nor a rule",
                "add `fingerprint: hmac:…` or `rule: RULE`",
            ),
        }
    }

    fn fingerprint(&mut self, entry: &Entry) -> Option<Fingerprint> {
        let fingerprint = Fingerprint::parse(entry.text.trim());
        if fingerprint.is_none() {
            let message = "fingerprint takes `hmac:` and 32 hexadecimal digits";
            self.errors.push(
                PolicyError::new("E013", &entry.origin, message)
                    .help("copy it from a row of `oktsec logs --json`"),
            );
        }
        fingerprint
    }

    fn known_agent(&mut self, entry: &Entry, agents: &[AgentName]) -> Option<AgentName> {
        let text = entry.text.as_str();
        let found = agents.iter().find(|name| name.as_str() == text);
        if found.is_none() {
            let message = format!("ignore names `{text}`, but no such agent is configured");
            let error = PolicyError::new("E022", &entry.origin, message);
            let near = nearest(text, agents.iter().map(AgentName::as_str));
            self.errors.push(with_suggestion(error, near));
        }
        found.cloned()
    }

    fn end(&mut self, entry: &Entry, clock: Clock) -> Option<Timestamp> {
        let text = entry.text.trim();
        let end = Timestamp::parse_end(text);
        match end {
            None => {
                let message = format!("until takes a date or a moment, found `{text}`");
                self.errors.push(
                    PolicyError::new("E013", &entry.origin, message)
                        .help("write for example `2027-06-30` or `2027-06-30T12:00:00Z`"),
                );
            }
            Some(end) if end <= clock.now => {
                let (code, list) = if clock.is_strict {
                    ("E042", &mut self.errors)
                } else {
                    ("W110", &mut self.warnings)
                };
                let message = format!("until `{text}` is in the past: the entry holds no more");
                list.push(
                    PolicyError::new(code, &entry.origin, message)
                        .help("remove the entry, or give it a later end"),
                );
            }
            Some(_) => {}
        }
        end
    }

    /// A rule's id, which must be one that there is.
    fn rule_id(&mut self, entry: &Entry) -> RuleId {
        let text = entry.text.as_str();
        if let Some(known) = &self.rule_ids
            && !known.contains(text)
        {
            let error =
                PolicyError::new("E023", &entry.origin, format!("there is no rule `{text}`"));
            let mut ids: Vec<&str> = known.iter().map(String::as_str).collect();
            ids.sort_unstable();
            let error = match nearest(text, ids.into_iter()) {
                None => error.help("`oktsec rules list` shows all"),
                near => with_suggestion(error, near),
            };
            self.errors.push(error);
        }
        RuleId(text.into())
    }

    fn missing(&mut self, origin: &Origin, what: &str, help: &str) {
        let message = format!("{} {what}", origin.entry);
        self.errors
            .push(PolicyError::new("E011", origin, message).help(help));
    }
}
