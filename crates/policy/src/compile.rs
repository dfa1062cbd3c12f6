//! From a policy as written to a policy compiled: every mistake at once, each at its place.
//!
//! What is wrong is an error and nothing is compiled; what is merely odd is a warning
//! (`compile/warn.rs`).

mod content;
mod lists;
mod warn;

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;
use oktsec_model::{AgentName, Host, Origin, category};

use crate::evaluate::{AgentPolicy, Content, EgressPolicy, GlobalPolicy, PolicySet, Rate, Rules};
use crate::guard::{
    Guard, LOCALHOST_NAMES, METADATA_NAMES, Override, OverrideKey, Overrides, SpecialName,
};
use crate::matcher::HostMap;
use crate::pattern::{Cover, ListKind, Pattern, Subject, split_port};
use crate::source::{
    AgentSource, EgressSource, Entry, GlobalSource, PolicyError, ResolveTo, Set, Source,
    UnknownAgents, default_origin, list_origin,
};

/// A policy that can be asked, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The policy.
    pub policies: PolicySet,
    /// What somebody should look at.
    pub warnings: Vec<PolicyError>,
}

/// Reads names, numbers and lists once for all.
struct Compiler {
    errors: Vec<PolicyError>,
    warnings: Vec<PolicyError>,
    custom_categories: HashSet<String>,
    /// The rules that there are, where they are known.
    rule_ids: Option<HashSet<String>>,
}

/// The largest window, in seconds: a day.
const RATE_WINDOW_S_MAX: u32 = 86_400;

/// The window where none is written, in seconds.
const RATE_WINDOW_S: u32 = 60;

/// The largest limit. A window holds one timestamp per request.
const RATE_LIMIT_MAX: u32 = 1_000_000;

/// Compiles a policy.
///
/// # Errors
/// Every mistake in it.
pub fn compile(source: Source) -> Result<Compiled, Vec<PolicyError>> {
    let Source {
        global,
        agents,
        mut content,
        custom_categories,
    } = source;
    let mut compiler = Compiler {
        errors: Vec::new(),
        warnings: Vec::new(),
        custom_categories: custom_categories.into_iter().collect(),
        rule_ids: content.rule_ids.take().map(HashSet::from_iter),
    };
    let unknown = unknown_agents(&global, !agents.is_empty());
    compiler.check_names(&agents);
    let names: Vec<AgentName> = agents.iter().map(|agent| agent.name.clone()).collect();
    let content = compiler.content(content, &names);
    let global = compiler.global(global, content);
    let mut policies = PolicySet {
        global,
        agents: HashMap::new(),
        names: Vec::new(),
        unknown,
        identity_origin: default_origin("identity"),
    };
    for agent in agents {
        compiler.agent(agent, &mut policies);
    }
    compiler.warn(&policies);
    if compiler.errors.is_empty() {
        Ok(Compiled {
            policies,
            warnings: compiler.warnings,
        })
    } else {
        Err(compiler.errors)
    }
}

fn unknown_agents(global: &GlobalSource, any_agent: bool) -> Set<UnknownAgents> {
    global.unknown_agents.clone().unwrap_or_else(|| Set {
        value: if any_agent {
            UnknownAgents::Deny
        } else {
            UnknownAgents::Global
        },
        origin: default_origin("forward_proxy.unknown_agents"),
    })
}

// === impl Compiler ===

impl Compiler {
    fn global(&mut self, source: GlobalSource, content: Content) -> GlobalPolicy {
        let guard = self.guard(&source);
        let rules = self.rules(
            source.allowed_domains,
            source.blocked_domains,
            source.blocked_categories,
        );
        if source.allowed_ports.value.contains(&0) {
            let message = "allowed_ports takes ports from 1 to 65535, found 0";
            self.error("E031", &source.allowed_ports.origin, message);
        }
        let ports = source.allowed_ports.value.iter().copied().collect();
        GlobalPolicy {
            rules,
            guard,
            ports: Set {
                value: ports,
                origin: source.allowed_ports.origin,
            },
            open_origin: default_origin("forward_proxy.allowed_domains"),
            scan_requests: source.scan_requests,
            scan_responses: source.scan_responses,
            rate: self.rate(source.rate_limit, Some(&source.rate_window_s)),
            mode: source.mode,
            uninspectable_block: source.uninspectable_block,
            content,
        }
    }

    fn guard(&mut self, source: &GlobalSource) -> Guard {
        let origin = list_origin(&source.allow_private);
        let mut guard = Guard {
            allow_private: HostMap::default(),
            origin: origin.unwrap_or_else(|| default_origin("forward_proxy.allow_private")),
            own_origin: default_origin("forward_proxy.bind"),
            own_ports: source.own_ports.iter().copied().collect(),
            overrides: Overrides::default(),
            special: special_names(),
        };
        for entry in &source.allow_private {
            self.allow_private(entry, &mut guard.allow_private);
        }
        for (entry, to) in &source.resolve {
            self.resolve(entry, *to, &mut guard);
        }
        guard
    }

    fn allow_private(&mut self, entry: &Entry, map: &mut HostMap<()>) {
        // Something with a slash and digits before it was meant as a network.
        let text = entry.text.trim();
        let network_like = text.split_once('/').is_some_and(|(ip, rest)| {
            !rest.contains('/') && Host::parse(ip).is_ok_and(|h| h.ip().is_some())
        });
        if network_like && text.parse::<IpNet>().is_err() {
            let message = format!("`{text}` is not a network in CIDR notation");
            self.errors.push(
                PolicyError::new("E013", &entry.origin, message)
                    .help("write it as `10.0.0.0/8`, `fd00::/8` or `10.1.2.3`"),
            );
            return;
        }
        match Pattern::parse(entry, ListKind::Private) {
            Ok(pattern) => {
                if !map.insert(&pattern, ()) {
                    self.warn_duplicate(entry);
                }
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn resolve(&mut self, entry: &Entry, to: ResolveTo, guard: &mut Guard) {
        let key = match override_key(&entry.text) {
            Ok(key) => key,
            Err(message) => {
                let error = PolicyError::new("E013", &entry.origin, message);
                self.errors
                    .push(error.help("write `host`, `host:port` or `*:port`"));
                return;
            }
        };
        if to.port == Some(0) {
            self.error(
                "E031",
                &entry.origin,
                "resolve takes ports from 1 to 65535, found 0",
            );
        }
        let key_port = match key {
            OverrideKey::HostPort(_, port) | OverrideKey::Port(port) => Some(port),
            OverrideKey::Host(_) => None,
        };
        if let Some(port) = to.port.or(key_port)
            && guard.is_own(to.ip, port)
        {
            let message = format!("`{}` would send requests back into this proxy", entry.text);
            self.error("E040", &entry.origin, message);
        }
        let ip = to.ip.to_canonical();
        let value = Override {
            to: ResolveTo { ip, ..to },
            origin: entry.origin.clone(),
        };
        if !guard.overrides.insert(key, value) {
            let message = format!("resolve names `{}` twice", entry.text);
            self.error("E007", &entry.origin, message);
        }
    }

    fn agent(&mut self, source: AgentSource, policies: &mut PolicySet) {
        let AgentSource {
            name,
            origin,
            suspended,
            egress,
            ..
        } = source;
        let egress = egress.map(|egress| self.egress(egress));
        if policies.agents.contains_key(&name) {
            let message = format!("agent `{name}` is written twice");
            self.error("E007", &origin, message);
            return;
        }
        policies.names.push(name.clone());
        policies
            .agents
            .insert(name, AgentPolicy { suspended, egress });
    }

    fn egress(&mut self, source: EgressSource) -> EgressPolicy {
        let rules = self.rules(
            source.allowed_domains,
            source.blocked_domains,
            source.blocked_categories,
        );
        let window = source.rate_window_s.as_ref();
        let rate = match source.rate_limit {
            Some(limit) => Some(self.rate(limit, window)),
            None => {
                if let Some(window) = window {
                    self.check_window(window);
                    let message = "rate_window has no effect without a rate_limit beside it";
                    self.warning("W107", &window.origin, message);
                }
                None
            }
        };
        EgressPolicy {
            rules,
            methods: self.methods(&source.methods),
            homes: self.homes(&source.homes),
            scan_requests: source.scan_requests,
            scan_responses: source.scan_responses,
            rate,
            mode: source.mode,
            origin: source.origin,
        }
    }

    fn rate(&mut self, limit: Set<u32>, window: Option<&Set<u32>>) -> Rate {
        if limit.value > RATE_LIMIT_MAX {
            let message = format!(
                "rate_limit must be 0 to {RATE_LIMIT_MAX} requests, found {}",
                limit.value
            );
            self.error("E031", &limit.origin, message);
        }
        if let Some(window) = window {
            self.check_window(window);
        }
        Rate {
            limit,
            window_s: window.map_or(RATE_WINDOW_S, |window| window.value),
        }
    }

    fn check_window(&mut self, window: &Set<u32>) {
        if !(1..=RATE_WINDOW_S_MAX).contains(&window.value) {
            let message = format!(
                "rate_window must be 1 to {RATE_WINDOW_S_MAX} seconds, found {}",
                window.value
            );
            self.error("E031", &window.origin, message);
        }
    }

    /// Whom agents may write to must exist, and be somebody else.
    fn check_names(&mut self, agents: &[AgentSource]) {
        let names: HashSet<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
        for agent in agents {
            for entry in &agent.can_message {
                let text = entry.text.as_str();
                if text == agent.name.as_str() {
                    let message = format!("agents.{text} names itself in can_message");
                    self.error("E040", &entry.origin, message);
                } else if text != "*" && !names.contains(text) {
                    let message =
                        format!("can_message names `{text}`, but no such agent is configured");
                    let error = PolicyError::new("E022", &entry.origin, message);
                    let others = agents
                        .iter()
                        .map(|agent| &agent.name)
                        .filter(|name| **name != agent.name);
                    let near = nearest(text, others.map(AgentName::as_str));
                    self.errors.push(with_suggestion(error, near));
                }
            }
        }
    }

    fn error(&mut self, code: &'static str, origin: &Origin, message: impl Into<String>) {
        self.errors.push(PolicyError::new(code, origin, message));
    }

    fn warning(&mut self, code: &'static str, origin: &Origin, message: impl Into<String>) {
        self.warnings.push(PolicyError::new(code, origin, message));
    }

    fn warn_duplicate(&mut self, entry: &Entry) {
        let list = crate::pattern::list_name(entry);
        let message = format!(
            "{list} names `{}` again: the entry has no effect",
            entry.text
        );
        self.warning("W107", &entry.origin, message);
    }
}

fn special_names() -> HostMap<SpecialName> {
    let mut map = HostMap::default();
    let localhost = LOCALHOST_NAMES
        .iter()
        .map(|name| (*name, SpecialName::Localhost));
    let metadata = METADATA_NAMES
        .iter()
        .map(|name| (*name, SpecialName::Metadata));
    for (name, special) in localhost.chain(metadata) {
        let subject = Subject::Name {
            name: name.into(),
            cover: Cover::Tree,
        };
        map.insert(
            &Pattern {
                subject,
                port: None,
            },
            special,
        );
    }
    map
}

fn override_key(text: &str) -> Result<OverrideKey, String> {
    let text = text.trim();
    let not_a_port = || format!("`{text}` does not end in a port from 1 to 65535");
    let (host, port) = split_port(text).map_err(|()| not_a_port())?;
    if host == "*" {
        return port.map(OverrideKey::Port).ok_or_else(not_a_port);
    }
    let host =
        Host::parse(host).map_err(|_| format!("`{host}` is not a valid host name or address"))?;
    Ok(match port {
        Some(port) => OverrideKey::HostPort(host, port),
        None => OverrideKey::Host(host),
    })
}

/// The candidate that was probably meant.
fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance_max = (text.chars().count() / 3).max(2);
    candidates
        .map(|candidate| (strsim::osa_distance(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

fn with_suggestion(error: PolicyError, near: Option<&str>) -> PolicyError {
    match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}
