//! One caller, judged: the checks in their order, and what observing makes of their answers.

use std::sync::Arc;

use http::Method;
use oktsec_model::{
    Action, Decision, Finding, List, Origin, PolicyEntry, Reason, Target, Treatment,
};

use super::{EgressPolicy, GlobalPolicy, Rules};
use crate::source::Mode;

/// What one check says.
pub(super) struct Verdict<'a> {
    pub(super) reason: Reason,
    pub(super) list: Option<List>,
    pub(super) origin: &'a Origin,
}

/// The settings that hold for one caller.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) global: &'a GlobalPolicy,
    pub(super) egress: Option<&'a EgressPolicy>,
}

// === impl Verdict ===

impl Verdict<'_> {
    fn decision(&self, action: Action) -> Decision {
        let entry = PolicyEntry {
            origin: self.origin.clone(),
            list: self.list,
        };
        Decision {
            action,
            reason: self.reason,
            entry: Some(entry),
            findings: Vec::new(),
            unopened: None,
        }
    }

    pub(super) fn block(&self) -> Decision {
        self.decision(Action::Block)
    }

    /// Whether the refusal holds although the policy only observes.
    fn is_hard(&self) -> bool {
        self.reason == Reason::SsrfBlocked || self.list == Some(List::GlobalBlock)
    }
}

// === impl View ===

impl<'a> View<'a> {
    pub(super) fn admit(&self, target: &Target, method: &Method) -> Decision {
        let observes = self.mode() == Mode::Observe;
        let domain = self.judge_domain(target);
        let earlier = self
            .judge_private(target)
            .or_else(|| self.judge_port(target))
            .or_else(|| self.judge_method(target, method));
        let verdict = match earlier {
            // Observing lets the earlier refusal pass, and must not carry a hard one along.
            Some(earlier) if observes && !earlier.is_hard() && domain.is_hard() => domain,
            Some(earlier) => earlier,
            None => domain,
        };
        let action = match verdict.reason {
            Reason::Allowed => Action::Allow,
            _ if observes && !verdict.is_hard() => Action::Flag,
            _ => Action::Block,
        };
        verdict.decision(action)
    }

    fn judge_private(&self, target: &Target) -> Option<Verdict<'a>> {
        let origin = self.global.guard.refuse(target)?;
        Some(Verdict {
            reason: Reason::SsrfBlocked,
            list: None,
            origin,
        })
    }

    /// A port is open when the list of ports names it, or an allow entry or an override names it
    /// for this host.
    fn judge_port(&self, target: &Target) -> Option<Verdict<'a>> {
        let Target { host, port, .. } = target;
        let named = |rules: &Rules| rules.allow.find_with_port(host, *port).is_some();
        let open = self.global.ports.value.contains(port)
            || named(&self.global.rules)
            || self.egress.is_some_and(|egress| named(&egress.rules))
            || self.global.guard.port_override(target).is_some();
        let origin = &self.global.ports.origin;
        (!open).then_some(Verdict {
            reason: Reason::PortBlocked,
            list: None,
            origin,
        })
    }

    fn judge_method(&self, target: &Target, method: &Method) -> Option<Verdict<'a>> {
        let methods = self.egress?.methods.find(&target.host, target.port)?;
        let origin = &methods.origin;
        (!methods.allowed.contains(method)).then_some(Verdict {
            reason: Reason::MethodBlocked,
            list: None,
            origin,
        })
    }

    fn judge_domain(&self, target: &Target) -> Verdict<'a> {
        let Target { host, port, .. } = target;
        let verdict = |reason, list, origin| Verdict {
            reason,
            list: Some(list),
            origin,
        };
        let own = self.egress.map(|egress| &egress.rules);
        let global = &self.global.rules;
        if let Some(origin) = global.block.find(host, *port) {
            return verdict(Reason::BlockedDomain, List::GlobalBlock, origin);
        }
        if let Some(origin) = own.and_then(|own| own.block.find(host, *port)) {
            return verdict(Reason::BlockedDomain, List::AgentBlock, origin);
        }
        let own_allow = own.and_then(|own| own.allow.find(host, *port));
        if let Some(origin) = own_allow.or_else(|| global.allow.find(host, *port)) {
            return verdict(Reason::Allowed, List::Allow, origin);
        }
        let own_list = own.and_then(|own| own.allow_origin.as_ref());
        match own_list.or(global.allow_origin.as_ref()) {
            Some(origin) => verdict(Reason::BlockedDomain, List::NotAllowed, origin),
            // The place of what is permitted because nothing forbids it.
            None => {
                let origin = self
                    .egress
                    .map_or(&self.global.open_origin, |own| &own.origin);
                verdict(Reason::Allowed, List::Open, origin)
            }
        }
    }

    /// What findings that block, or parts that could not be opened, make of the request. The first
    /// that blocks gives the reason.
    pub(super) fn judge_content(
        &self,
        findings: &[Finding],
        unopened: Option<Arc<str>>,
    ) -> Option<Decision> {
        let refusal = if self.mode() == Mode::Observe {
            Action::Flag
        } else {
            Action::Block
        };
        let verdict = |reason, origin| Verdict {
            reason,
            list: None,
            origin,
        };
        let blocking = |finding: &&Finding| finding.treatment == Treatment::Block;
        let first = findings.iter().find(blocking);
        if let Some(origin) = first.and_then(|finding| self.refusing(finding)) {
            return Some(verdict(Reason::BlockedContent, origin).decision(refusal));
        }
        let setting = &self.global.uninspectable_block;
        unopened.map(|unopened| {
            let refuses = setting.value && self.blocks_anything();
            let action = if refuses { refusal } else { Action::Flag };
            Decision {
                unopened: Some(unopened),
                ..verdict(Reason::Uninspectable, &setting.origin).decision(action)
            }
        })
    }

    /// Whether some finding could refuse this caller's requests.
    fn blocks_anything(&self) -> bool {
        let own = self
            .egress
            .is_some_and(|egress| !egress.rules.categories.is_empty());
        own || !self.global.rules.categories.is_empty() || self.global.content.blocks_any_rule()
    }

    fn mode(&self) -> Mode {
        let own = self.egress.and_then(|egress| egress.mode.as_ref());
        own.unwrap_or(&self.global.mode).value
    }
}
