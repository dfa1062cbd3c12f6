//! Policy as written: every value with the place where it was written.
//!
//! The configuration layer fills a [`Source`]; nothing in it is checked yet. The defaults here are
//! the documented ones.

mod content;

use std::net::IpAddr;

use oktsec_model::{AgentName, Origin};
use thiserror::Error;

pub use content::{ContentSource, IgnoreSource, RuleAction, RuleSource};

/// One item of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The text as written.
    pub text: String,
    /// Where it was written.
    pub origin: Origin,
}

/// One value that is not a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Set<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

/// Whether refusals are carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// What the policy refuses is refused.
    Enforce,
    /// What the policy refuses is let through and flagged; the private-address guard, identities
    /// and the global blocklist still hold.
    Observe,
}

/// What happens to callers that no configured agent stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnknownAgents {
    /// They are refused.
    Deny,
    /// The global settings apply to them.
    Global,
}

/// Where an override sends a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResolveTo {
    /// The address.
    pub ip: IpAddr,
    /// The port; the target's own where none is written.
    pub port: Option<u16>,
}

/// The settings that hold for all callers.
#[derive(Clone, Debug)]
pub struct GlobalSource {
    /// Hosts that every agent may reach; empty is no allowlist.
    pub allowed_domains: Vec<Entry>,
    /// Hosts that nobody may reach.
    pub blocked_domains: Vec<Entry>,
    /// Categories of findings that block, for everybody.
    pub blocked_categories: Vec<Entry>,
    /// Ports that may be dialled.
    pub allowed_ports: Set<Vec<u16>>,
    /// Networks and hosts that may be reached although they are private.
    pub allow_private: Vec<Entry>,
    /// What happens to unknown callers; without a word, they are refused once any agent is named.
    pub unknown_agents: Option<Set<UnknownAgents>>,
    /// Whether requests are scanned.
    pub scan_requests: Set<bool>,
    /// Whether responses are scanned.
    pub scan_responses: Set<bool>,
    /// Requests per window for callers without a limit of their own; 0 is none.
    pub rate_limit: Set<u32>,
    /// The window in seconds.
    pub rate_window_s: Set<u32>,
    /// Whether refusals are carried out.
    pub mode: Set<Mode>,
    /// Overrides of name resolution: `host`, `host:port` or `*:port`.
    pub resolve: Vec<(Entry, ResolveTo)>,
    /// Whether a body that cannot be inspected is refused.
    pub uninspectable_block: Set<bool>,
    /// The ports of our own listeners, which agents never reach through us.
    pub own_ports: Vec<u16>,
}

/// An agent's own egress settings.
#[derive(Clone, Debug)]
pub struct EgressSource {
    /// Hosts it may reach, besides the global ones.
    pub allowed_domains: Vec<Entry>,
    /// Hosts it may not reach, besides the global ones.
    pub blocked_domains: Vec<Entry>,
    /// Categories of findings that block, besides the global ones.
    pub blocked_categories: Vec<Entry>,
    /// Whether its requests are scanned; `None` inherits.
    pub scan_requests: Option<Set<bool>>,
    /// Whether the responses to it are scanned; `None` inherits.
    pub scan_responses: Option<Set<bool>>,
    /// Requests per window, 0 is none; `None` inherits the global limit with its window.
    pub rate_limit: Option<Set<u32>>,
    /// The window in seconds; `None` is 60, it inherits nothing.
    pub rate_window_s: Option<Set<u32>>,
    /// Whether refusals are carried out; `None` inherits.
    pub mode: Option<Set<Mode>>,
    /// Methods by host, for hosts where not every method may be used.
    pub methods: Vec<(Entry, Vec<Entry>)>,
    /// Rules and the hosts that are home to what they find, besides the global ones.
    pub homes: Vec<(Entry, Vec<Entry>)>,
    /// Where the block was written.
    pub origin: Origin,
}

/// One agent.
#[derive(Clone, Debug)]
pub struct AgentSource {
    /// Its name.
    pub name: AgentName,
    /// Where it was written.
    pub origin: Origin,
    /// Where it was said that the agent is suspended, if it is.
    pub suspended: Option<Origin>,
    /// Its own settings; `None` is the global ones.
    pub egress: Option<EgressSource>,
    /// Agents it may write to; checked here, used for agent-to-agent traffic.
    pub can_message: Vec<Entry>,
}

/// A whole policy as written.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The settings that hold for all callers.
    pub global: GlobalSource,
    /// The agents.
    pub agents: Vec<AgentSource>,
    /// What is made of findings.
    pub content: ContentSource,
    /// Categories that rules of the operator's own bring along.
    pub custom_categories: Vec<String>,
}

/// A mistake in a policy, or a warning about it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{message}")]
pub struct PolicyError {
    /// The stable code, for example `E012` or `W101`.
    pub code: &'static str,
    /// The place.
    pub origin: Origin,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// The place of a value that nobody wrote.
pub(crate) fn default_origin(entry: &str) -> Origin {
    Origin {
        entry: entry.into(),
        file: "default".into(),
        line: 0,
    }
}

/// The place of a list, made from the place of its first item: `x.allowed_domains[0]` lies in
/// `x.allowed_domains`.
pub(crate) fn list_origin(entries: &[Entry]) -> Option<Origin> {
    let first = &entries.first()?.origin;
    let list = first
        .entry
        .rsplit_once('[')
        .map_or(&*first.entry, |(list, _)| list);
    Some(Origin {
        entry: list.into(),
        ..first.clone()
    })
}

// === impl GlobalSource ===

impl Default for GlobalSource {
    /// The documented defaults.
    fn default() -> Self {
        fn set<T>(key: &str, value: T) -> Set<T> {
            Set {
                value,
                origin: default_origin(key),
            }
        }
        Self {
            allowed_domains: Vec::new(),
            blocked_domains: Vec::new(),
            blocked_categories: Vec::new(),
            allowed_ports: set("forward_proxy.allowed_ports", vec![80, 443]),
            allow_private: Vec::new(),
            unknown_agents: None,
            scan_requests: set("forward_proxy.scan_requests", true),
            scan_responses: set("forward_proxy.scan_responses", false),
            rate_limit: set("forward_proxy.rate_limit", 0),
            rate_window_s: set("forward_proxy.rate_window", 60),
            mode: set("mode", Mode::Enforce),
            resolve: Vec::new(),
            uninspectable_block: set("forward_proxy.uninspectable", true),
            own_ports: Vec::new(),
        }
    }
}

// === impl EgressSource ===

impl EgressSource {
    /// An empty block at `origin`.
    #[must_use]
    pub const fn empty(origin: Origin) -> Self {
        Self {
            allowed_domains: Vec::new(),
            blocked_domains: Vec::new(),
            blocked_categories: Vec::new(),
            scan_requests: None,
            scan_responses: None,
            rate_limit: None,
            rate_window_s: None,
            mode: None,
            methods: Vec::new(),
            homes: Vec::new(),
            origin,
        }
    }
}

// === impl PolicyError ===

impl PolicyError {
    pub(crate) fn new(code: &'static str, origin: &Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            origin: origin.clone(),
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
