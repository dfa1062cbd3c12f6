//! Lists of hosts, matched by hash lookups: one per label of the host, never one per entry.
//!
//! A [`HostMap`] holds a value per pattern; the most specific pattern answers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use oktsec_model::Host;

use crate::pattern::{Cover, ListKind, Pattern, Subject, list_name};
use crate::source::{Entry, PolicyError};

/// Values by host pattern.
#[derive(Clone, Debug)]
pub(crate) struct HostMap<T> {
    any_port: Hosts<T>,
    by_port: HashMap<u16, Hosts<T>>,
}

/// Host patterns with nothing attached: a yes or a no.
#[derive(Clone, Debug, Default)]
pub struct HostPatterns(HostMap<()>);

#[derive(Clone, Debug)]
struct Hosts<T> {
    names: HashMap<Arc<str>, Slot<T>>,
    /// The longest of `names`: what is longer needs no lookup.
    name_bytes_max: usize,
    networks: HashMap<IpNet, T>,
    /// The prefix lengths that occur in `networks`, longest first.
    prefix_lengths: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    apex: Option<T>,
    below: Option<T>,
}

// === impl HostMap ===

impl<T: Clone> HostMap<T> {
    /// Adds a pattern. The first of two equal patterns stays; `false` when nothing was added.
    pub(crate) fn insert(&mut self, pattern: &Pattern, value: T) -> bool {
        match pattern.port {
            Some(port) => self
                .by_port
                .entry(port)
                .or_default()
                .insert(&pattern.subject, value),
            None => self.any_port.insert(&pattern.subject, value),
        }
    }

    /// The value of the most specific pattern that covers the host at this port. A pattern with a
    /// port is more specific than one without.
    pub(crate) fn find(&self, host: &Host, port: u16) -> Option<&T> {
        self.find_with_port(host, port)
            .or_else(|| self.any_port.find(host))
    }

    /// As [`HostMap::find`], among the patterns with a port only.
    pub(crate) fn find_with_port(&self, host: &Host, port: u16) -> Option<&T> {
        self.by_port.get(&port).and_then(|hosts| hosts.find(host))
    }

    /// The value of the most specific network that holds the address at this port.
    pub(crate) fn find_address(&self, address: IpAddr, port: u16) -> Option<&T> {
        self.find(&Host::Ip(address), port)
    }

    /// The value of a pattern that covers everything that `pattern` covers, if one does.
    pub(crate) fn find_covering(&self, pattern: &Pattern) -> Option<&T> {
        let with_port = pattern.port.and_then(|port| self.by_port.get(&port));
        with_port
            .and_then(|hosts| hosts.find_covering(&pattern.subject))
            .or_else(|| self.any_port.find_covering(&pattern.subject))
    }
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self {
            any_port: Hosts::default(),
            by_port: HashMap::new(),
        }
    }
}

// === impl HostPatterns ===

impl HostPatterns {
    /// Reads allow patterns: `host`, `*.host`, `.host` or an address, without ports.
    ///
    /// # Errors
    /// Every entry that is no pattern.
    pub fn compile(entries: &[Entry]) -> Result<Self, Vec<PolicyError>> {
        let mut patterns = Self::default();
        let mut errors = Vec::new();
        for entry in entries {
            match Pattern::parse(entry, ListKind::Allow) {
                Ok(pattern) if pattern.port.is_some() => {
                    let message = format!("{} takes hosts without a port", list_name(entry));
                    errors.push(PolicyError::new("E012", &entry.origin, message));
                }
                Ok(pattern) => {
                    patterns.0.insert(&pattern, ());
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(patterns)
        } else {
            Err(errors)
        }
    }

    /// Whether a pattern covers the host.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        self.0.any_port.find(host).is_some()
    }
}

// === impl Hosts ===

impl<T: Clone> Hosts<T> {
    fn insert(&mut self, subject: &Subject, value: T) -> bool {
        match subject {
            Subject::Network(network) => {
                if self.networks.contains_key(network) {
                    return false;
                }
                let length = network.prefix_len();
                if !self.prefix_lengths.contains(&length) {
                    self.prefix_lengths.push(length);
                    self.prefix_lengths.sort_unstable_by(|a, b| b.cmp(a));
                }
                self.networks.insert(*network, value);
                true
            }
            Subject::Name { name, cover } => {
                self.name_bytes_max = self.name_bytes_max.max(name.len());
                let slot = self.names.entry(Arc::clone(name)).or_default();
                let apex = matches!(cover, Cover::Apex | Cover::Tree) && slot.apex.is_none();
                let below = matches!(cover, Cover::Below | Cover::Tree) && slot.below.is_none();
                if apex {
                    slot.apex = Some(value.clone());
                }
                if below {
                    slot.below = Some(value);
                }
                apex || below
            }
        }
    }

    fn find(&self, host: &Host) -> Option<&T> {
        match host {
            Host::Ip(ip) => self.find_network(*ip),
            Host::Name(name) => self.find_name(name),
        }
    }

    fn find_name(&self, name: &str) -> Option<&T> {
        let apex = self.slot(name).and_then(|slot| slot.apex.as_ref());
        apex.or_else(|| self.find_above(name))
    }

    fn find_network(&self, ip: IpAddr) -> Option<&T> {
        self.prefix_lengths.iter().find_map(|&length| {
            // Lengths above 32 hold no IPv4 network; `new` says so.
            let network = IpNet::new(ip, length).ok()?.trunc();
            self.networks.get(&network)
        })
    }

    fn find_covering(&self, subject: &Subject) -> Option<&T> {
        match subject {
            Subject::Network(network) => self
                .prefix_lengths
                .iter()
                .filter(|&&length| length <= network.prefix_len())
                .find_map(|&length| {
                    let wider = IpNet::new(network.addr(), length).ok()?.trunc();
                    self.networks.get(&wider)
                }),
            Subject::Name {
                name,
                cover: Cover::Apex,
            } => self.find_name(name),
            Subject::Name {
                name,
                cover: Cover::Below,
            } => self.find_below(name),
            Subject::Name {
                name,
                cover: Cover::Tree,
            } => self.find_name(name).and_then(|_| self.find_below(name)),
        }
    }

    /// The value of a pattern that covers everything below `name`.
    fn find_below(&self, name: &str) -> Option<&T> {
        let own = self.slot(name).and_then(|slot| slot.below.as_ref());
        own.or_else(|| self.find_above(name))
    }

    /// The value of the nearest name above `name` that covers what is below it.
    fn find_above(&self, name: &str) -> Option<&T> {
        parents(name).find_map(|parent| self.slot(parent)?.below.as_ref())
    }

    fn slot(&self, name: &str) -> Option<&Slot<T>> {
        if name.len() > self.name_bytes_max {
            return None;
        }
        self.names.get(name)
    }
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Self {
            names: HashMap::new(),
            name_bytes_max: 0,
            networks: HashMap::new(),
            prefix_lengths: Vec::new(),
        }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            apex: None,
            below: None,
        }
    }
}

/// The names above `name`, nearest first: `b.c` and `c` for `a.b.c`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.split_once('.').map(|(_, parent)| parent)
    })
    .skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::default_origin;

    fn map(kind: ListKind, entries: &[&str]) -> HostMap<String> {
        let mut map = HostMap::default();
        for text in entries {
            let entry = Entry {
                text: (*text).to_owned(),
                origin: default_origin("list[0]"),
            };
            map.insert(&Pattern::parse(&entry, kind).unwrap(), (*text).to_owned());
        }
        map
    }

    fn found<'a>(map: &'a HostMap<String>, host: &str, port: u16) -> Option<&'a str> {
        map.find(&Host::parse(host).unwrap(), port)
            .map(String::as_str)
    }

    #[test]
    fn allow_entries_cover_what_they_say() {
        let allow = map(
            ListKind::Allow,
            &[
                "example.com",
                "*.w.example",
                ".t.example",
                "p.example:8443",
                "93.184.216.34",
            ],
        );
        let cases = [
            ("example.com", 443, Some("example.com")),
            ("www.example.com", 443, None),
            ("notexample.com", 443, None),
            ("example.com.evil.test", 443, None),
            ("w.example", 443, None),
            ("a.w.example", 443, Some("*.w.example")),
            ("a.b.w.example", 443, Some("*.w.example")),
            ("xw.example", 443, None),
            ("t.example", 443, Some(".t.example")),
            ("a.t.example", 443, Some(".t.example")),
            ("p.example", 8443, Some("p.example:8443")),
            ("p.example", 443, None),
            ("0x5d.184.216.34", 443, Some("93.184.216.34")),
            ("93.184.216.35", 443, None),
        ];
        for (host, port, expected) in cases {
            assert_eq!(found(&allow, host, port), expected, "{host}:{port}");
        }
    }

    #[test]
    fn block_entries_cover_the_tree_and_networks() {
        let block = map(
            ListKind::Block,
            &[
                "pastebin.com",
                "198.51.100.0/24",
                "2001:db8::/32",
                "a.test:25",
            ],
        );
        let cases = [
            ("pastebin.com", 443, Some("pastebin.com")),
            ("api.pastebin.com", 443, Some("pastebin.com")),
            ("PASTEBIN.com.", 443, Some("pastebin.com")),
            ("mypastebin.com", 443, None),
            ("198.51.100.9", 443, Some("198.51.100.0/24")),
            ("198.51.101.9", 443, None),
            ("[2001:db8:1::1]", 443, Some("2001:db8::/32")),
            ("b.a.test", 25, Some("a.test:25")),
            ("b.a.test", 443, None),
        ];
        for (host, port, expected) in cases {
            assert_eq!(found(&block, host, port), expected, "{host}:{port}");
        }
    }

    #[test]
    fn the_most_specific_pattern_answers() {
        let allow = map(
            ListKind::Allow,
            &["*.example", "*.a.example", "b.a.example"],
        );
        assert_eq!(found(&allow, "b.a.example", 443), Some("b.a.example"));
        assert_eq!(found(&allow, "c.a.example", 443), Some("*.a.example"));
        assert_eq!(found(&allow, "c.example", 443), Some("*.example"));
        let block = map(ListKind::Block, &["10.0.0.0/8", "10.1.0.0/16"]);
        assert_eq!(found(&block, "10.1.2.3", 443), Some("10.1.0.0/16"));
    }

    #[test]
    fn bypass_patterns_take_no_port() {
        let entry = |text: &str| Entry {
            text: text.to_owned(),
            origin: default_origin("tls.bypass[0]"),
        };
        let patterns = HostPatterns::compile(&[entry("*.pinned.example")]).unwrap();
        assert!(patterns.matches(&Host::parse("a.pinned.example").unwrap()));
        assert!(!patterns.matches(&Host::parse("pinned.example").unwrap()));
        let errors =
            HostPatterns::compile(&[entry("a.example:443"), entry("http://b")]).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(errors[0].message.starts_with("bypass takes"));
    }
}
