//! What is allowed to be written and is probably not meant.

use super::Compiler;
use crate::evaluate::{EgressPolicy, PolicySet, Rules};
use crate::source::UnknownAgents;

impl Compiler {
    /// Looks at the whole.
    pub(super) fn warn(&mut self, policies: &PolicySet) {
        let global = &policies.global.rules;
        self.warn_open_proxy(policies);
        self.warn_overruled("forward_proxy", global, &[("the global blocklist", global)]);
        for name in &policies.names {
            let agent = policies.agents.get(name);
            let Some(egress) = agent.and_then(|agent| agent.egress.as_ref()) else {
                continue;
            };
            let who = format!("agents.{name}");
            self.warn_open_agent(&who, egress, global);
            let over = [
                ("the global blocklist", global),
                ("its own blocklist", &egress.rules),
            ];
            self.warn_overruled(&who, &egress.rules, &over);
        }
    }

    /// Some caller is judged by the global lists, and there are none.
    fn warn_open_proxy(&mut self, policies: &PolicySet) {
        let lists = &policies.global.rules.written;
        let anyone = policies.unknown.value == UnknownAgents::Global
            || policies.agents.values().any(|agent| agent.egress.is_none());
        if anyone && lists.allowed.is_empty() && lists.blocked.is_empty() {
            let message = "neither allowed_domains nor blocked_domains is set: every public host is reachable";
            self.warning("W105", &policies.global.open_origin, message);
        }
    }

    fn warn_open_agent(&mut self, who: &str, egress: &EgressPolicy, global: &Rules) {
        if egress.rules.allow_origin.is_none() && global.allow_origin.is_none() {
            let message = format!(
                "{who} has an egress block but no allowlist: every host not blocked is reachable"
            );
            self.warning("W101", &egress.origin, message);
        }
    }

    fn warn_overruled(&mut self, who: &str, rules: &Rules, over: &[(&str, &Rules)]) {
        for (pattern, entry) in &rules.written.allowed {
            let winner = over
                .iter()
                .find(|(_, rules)| rules.block.find_covering(pattern).is_some());
            if let Some((winner, _)) = winner {
                let message = format!(
                    "{who} allows \"{}\", but {winner} contains it: it stays blocked",
                    entry.text
                );
                self.warning("W106", &entry.origin, message);
            }
        }
    }
}
