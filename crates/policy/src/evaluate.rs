//! The compiled policy and its answers. Every answer names the entry that decided.
//!
//! Order: identity, suspension, private addresses, port, method, host. Nothing here can fail, and
//! nothing depends on how long the lists are.

mod content;
mod view;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Method;
use oktsec_model::{
    Action, AgentName, Caller, Decision, Finding, List, Origin, Principal, Quota, Reason,
    RequestHead, Target, Treatment,
};

pub(crate) use content::{Content, Exception, Homes, Reviewed, RuleSetting};
use view::{Verdict, View};

use crate::guard::Guard;
use crate::matcher::HostMap;
use crate::pattern::Pattern;
use crate::source::{Entry, Mode, Set, UnknownAgents};

/// Everything that policy says, compiled.
#[derive(Clone, Debug)]
pub struct PolicySet {
    pub(crate) global: GlobalPolicy,
    pub(crate) agents: HashMap<AgentName, AgentPolicy>,
    /// The agents' names in the order they were written.
    pub(crate) names: Vec<AgentName>,
    pub(crate) unknown: Set<UnknownAgents>,
    /// The place of refusals for what no entry was written: identities that disagree.
    pub(crate) identity_origin: Origin,
}

/// The settings for all callers.
#[derive(Clone, Debug)]
pub(crate) struct GlobalPolicy {
    pub(crate) rules: Rules,
    pub(crate) guard: Guard,
    pub(crate) ports: Set<HashSet<u16>>,
    /// The place of permissions that come of the absence of an allowlist.
    pub(crate) open_origin: Origin,
    pub(crate) scan_requests: Set<bool>,
    pub(crate) scan_responses: Set<bool>,
    pub(crate) rate: Rate,
    pub(crate) mode: Set<Mode>,
    pub(crate) uninspectable_block: Set<bool>,
    pub(crate) content: Content,
}

/// One agent.
#[derive(Clone, Debug)]
pub(crate) struct AgentPolicy {
    pub(crate) suspended: Option<Origin>,
    pub(crate) egress: Option<EgressPolicy>,
}

/// An agent's own settings.
#[derive(Clone, Debug)]
pub(crate) struct EgressPolicy {
    pub(crate) rules: Rules,
    pub(crate) methods: HostMap<Methods>,
    pub(crate) homes: Homes,
    pub(crate) scan_requests: Option<Set<bool>>,
    pub(crate) scan_responses: Option<Set<bool>>,
    pub(crate) rate: Option<Rate>,
    pub(crate) mode: Option<Set<Mode>>,
    pub(crate) origin: Origin,
}

/// The lists that exist globally and per agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) allow: HostMap<Origin>,
    /// Those of the allowlist that name one host.
    pub(crate) exact: HostMap<()>,
    pub(crate) block: HostMap<Origin>,
    pub(crate) categories: HashMap<Arc<str>, Origin>,
    /// Where the allowlist was written; `None` when there is none.
    pub(crate) allow_origin: Option<Origin>,
    /// The entries in the order they were written, for people.
    pub(crate) written: Written,
}

/// The entries of the lists in the order they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) allowed: Vec<(Pattern, Entry)>,
    pub(crate) blocked: Vec<(Pattern, Entry)>,
    pub(crate) categories: Vec<Entry>,
}

/// The methods that may be used with a host.
#[derive(Clone, Debug)]
pub(crate) struct Methods {
    pub(crate) allowed: Vec<Method>,
    pub(crate) origin: Origin,
}

/// A limit as written.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    pub(crate) limit: Set<u32>,
    pub(crate) window_s: u32,
}

// === impl PolicySet ===

impl PolicySet {
    /// What is known before a body exists: identity, suspension, private addresses, port, method,
    /// host. [`Action::Flag`] is what observing makes of a refusal.
    #[must_use]
    pub fn admit(&self, principal: &Principal, target: &Target, method: &Method) -> Decision {
        match self.view(principal) {
            Ok(view) => view.admit(target, method),
            Err(refusal) => refusal.block(),
        }
    }

    /// The whole decision once everything was scanned. `admitted` is what [`PolicySet::admit`]
    /// said of the head; `unopened` is what part of the request could not be opened.
    #[must_use]
    pub fn decide(
        &self,
        head: &RequestHead,
        mut admitted: Decision,
        mut findings: Vec<Finding>,
        unopened: Option<Arc<str>>,
    ) -> Decision {
        self.treat(head, &mut findings);
        let judged = if admitted.action == Action::Block {
            None
        } else {
            match self.view(&head.principal) {
                Ok(view) => view.judge_content(&findings, unopened),
                Err(refusal) => Some(refusal.block()),
            }
        };
        let flags = |finding: &Finding| finding.treatment == Treatment::Flag;
        let flagged = findings.iter().any(flags);
        admitted.findings.extend(findings);
        match judged {
            Some(judged) if judged.action == Action::Block || admitted.action == Action::Allow => {
                Decision {
                    findings: admitted.findings,
                    ..judged
                }
            }
            // What nothing blocks is recorded as seen, under the entry that let it pass.
            None if admitted.action == Action::Allow && flagged => Decision {
                action: Action::Flag,
                ..admitted
            },
            // What would have been refused first stays the reason of a flag.
            _ => admitted,
        }
    }

    /// Says of each finding what is made of it, whatever becomes of the request. For a caller that no
    /// settings hold for, the global ones say it.
    pub fn treat(&self, head: &RequestHead, findings: &mut [Finding]) {
        let global = View {
            global: &self.global,
            egress: None,
        };
        self.view(&head.principal)
            .unwrap_or(global)
            .treat(head, findings);
    }

    /// Whether an address that the target's name resolved to may be dialled. All of them are asked
    /// about. Networks in the global blocklist hold here too; an agent's own list knows addresses
    /// only where the agent names them itself.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit_address(&self, target: &Target, address: IpAddr) -> Result<(), Decision> {
        let global = &self.global;
        let refuse = |reason, list, origin| {
            Err(Verdict {
                reason,
                list,
                origin,
            }
            .block())
        };
        if let Some(origin) = global.guard.refuse_address(target, address) {
            return refuse(Reason::SsrfBlocked, None, origin);
        }
        let blocked = global
            .rules
            .block
            .find_address(address.to_canonical(), target.port);
        match blocked {
            Some(origin) if global.guard.resolve(target).is_none() => {
                refuse(Reason::BlockedDomain, Some(List::GlobalBlock), origin)
            }
            _ => Ok(()),
        }
    }

    /// The operator's override for the target, if there is one: by host and port, by host, or by
    /// port alone; the last says nothing about addresses, localhost and metadata names.
    #[must_use]
    pub fn resolve(&self, target: &Target) -> Option<SocketAddr> {
        self.global.guard.resolve(target)
    }

    /// Whether the caller's requests are scanned.
    #[must_use]
    pub fn scan_requests(&self, principal: &Principal) -> bool {
        let own = self
            .egress(principal)
            .and_then(|egress| egress.scan_requests.as_ref());
        own.unwrap_or(&self.global.scan_requests).value
    }

    /// Whether the responses to the caller are scanned.
    #[must_use]
    pub fn scan_responses(&self, principal: &Principal) -> bool {
        let own = self
            .egress(principal)
            .and_then(|egress| egress.scan_responses.as_ref());
        own.unwrap_or(&self.global.scan_responses).value
    }

    /// How much the caller may ask for; `None` is no limit.
    #[must_use]
    pub fn quota(&self, principal: &Principal) -> Option<Quota> {
        let own = self
            .egress(principal)
            .and_then(|egress| egress.rate.as_ref());
        own.unwrap_or(&self.global.rate).quota()
    }

    /// Whether an agent of this name is configured.
    #[must_use]
    pub fn describes(&self, agent: &AgentName) -> bool {
        self.agents.contains_key(agent)
    }

    /// The configured agents, in the order they were written.
    pub fn agents(&self) -> impl Iterator<Item = &AgentName> {
        self.names.iter()
    }

    /// The caller's name if such an agent is configured. Quotas are counted by it; everybody else
    /// shares one count, or a caller could have a fresh one under every name it makes up.
    #[must_use]
    pub fn configured(&self, principal: &Principal) -> Option<&AgentName> {
        self.agents
            .get_key_value(principal.agent()?)
            .map(|(name, _)| name)
    }

    pub(crate) fn egress(&self, principal: &Principal) -> Option<&EgressPolicy> {
        self.agents.get(principal.agent()?)?.egress.as_ref()
    }

    /// The settings that hold for the caller, or the refusal when none do.
    fn view(&self, principal: &Principal) -> Result<View<'_>, Verdict<'_>> {
        let global = &self.global;
        let refuse = |reason, origin| {
            Err(Verdict {
                reason,
                list: None,
                origin,
            })
        };
        let agent = match &principal.caller {
            Caller::Conflicted => return refuse(Reason::IdentityConflict, &self.identity_origin),
            Caller::Named(name) => self.agents.get(name),
            Caller::Anonymous | Caller::Malformed => None,
        };
        match agent {
            Some(AgentPolicy {
                suspended: Some(origin),
                ..
            }) => refuse(Reason::AgentSuspended, origin),
            Some(agent) => Ok(View {
                global,
                egress: agent.egress.as_ref(),
            }),
            None if self.unknown.value == UnknownAgents::Deny => {
                refuse(Reason::UnknownAgent, &self.unknown.origin)
            }
            None => Ok(View {
                global,
                egress: None,
            }),
        }
    }
}

// === impl Rules ===

impl Rules {
    /// The origin of the category's entry, when findings of the category block.
    fn category(&self, category: &str) -> Option<&Origin> {
        self.categories.get(category)
    }
}

// === impl Rate ===

impl Rate {
    fn quota(&self) -> Option<Quota> {
        let requests_max = self.limit.value;
        (requests_max > 0).then_some(Quota {
            requests_max,
            window_s: self.window_s,
        })
    }
}
