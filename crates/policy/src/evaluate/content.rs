//! Findings, judged: at home, reviewed by an operator, settled for their rule, or left to the
//! categories that block. Each gets its treatment here and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;

use oktsec_model::{
    AgentName, Finding, Fingerprint, Home, Origin, Place, RequestHead, RuleId, Severity, Target,
    Timestamp, Treatment, category,
};

use super::Rules;
use super::view::View;
use crate::matcher::HostMap;
use crate::source::RuleAction;

/// What is said about findings, for all callers.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Whether a credential is at home where its rule says so.
    pub(crate) builtin_homes: bool,
    pub(crate) homes: Homes,
    pub(crate) rules: HashMap<RuleId, RuleSetting>,
    pub(crate) reviewed: Reviewed,
}

/// The hosts that are home to what a rule finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Homes(pub(crate) HashMap<RuleId, HostMap<()>>);

/// What was settled for one rule.
#[derive(Clone, Debug)]
pub(crate) struct RuleSetting {
    pub(crate) action: Option<RuleAction>,
    pub(crate) severity: Option<Severity>,
    pub(crate) origin: Origin,
}

/// What operators reviewed, by the one part that is always looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reviewed {
    pub(crate) by_fingerprint: HashMap<Fingerprint, Vec<Exception>>,
    pub(crate) by_rule: HashMap<RuleId, Vec<Exception>>,
}

/// One review: what holds besides the part that it is filed under.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    pub(crate) rule: Option<RuleId>,
    pub(crate) agent: Option<AgentName>,
    pub(crate) hosts: Option<HostMap<()>>,
    pub(crate) until: Option<Timestamp>,
}

// === impl Content ===

impl Content {
    fn action(&self, rule: &RuleId) -> Option<RuleAction> {
        self.rules.get(rule)?.action
    }

    /// Whether findings of some rule are refused, whatever their category.
    pub(super) fn blocks_any_rule(&self) -> bool {
        self.rules
            .values()
            .any(|setting| setting.action == Some(RuleAction::Block))
    }
}

// === impl Homes ===

impl Homes {
    fn name(&self, rule: &RuleId, target: &Target) -> bool {
        self.0
            .get(rule)
            .is_some_and(|hosts| hosts.find(&target.host, target.port).is_some())
    }
}

// === impl Reviewed ===

impl Reviewed {
    fn holds(&self, finding: &Finding, head: &RequestHead) -> bool {
        let by_fingerprint = self.by_fingerprint.get(&finding.fingerprint);
        let by_rule = self.by_rule.get(&finding.rule);
        let filed = by_fingerprint.into_iter().chain(by_rule).flatten();
        filed
            .into_iter()
            .any(|exception| exception.holds(finding, head))
    }
}

// === impl Exception ===

impl Exception {
    fn holds(&self, finding: &Finding, head: &RequestHead) -> bool {
        let Target { host, port, .. } = &head.target;
        let agent = || head.principal.agent();
        self.until.is_none_or(|until| head.at < until)
            && (self.rule.as_ref()).is_none_or(|rule| *rule == finding.rule)
            && (self.agent.as_ref()).is_none_or(|name| agent() == Some(name))
            && (self.hosts.as_ref()).is_none_or(|hosts| hosts.find(host, *port).is_some())
    }
}

// === impl View ===

impl<'a> View<'a> {
    /// Says of each finding what is made of it. What nobody is to hear of stays in the list, marked,
    /// so that it is masked wherever the request is written down.
    pub(super) fn treat(&self, head: &RequestHead, findings: &mut [Finding]) {
        let homes: Vec<Finding> = (findings.iter())
            .filter(|finding| self.is_at_home(finding, &head.target))
            .cloned()
            .collect();
        for finding in findings {
            let expected = homes.iter().any(|home| covers(home, finding, head));
            finding.treatment = self.treatment(finding, expected, head);
            let setting = self.global.content.rules.get(&finding.rule);
            if let Some(severity) = setting.and_then(|setting| setting.severity) {
                finding.severity = severity;
            }
        }
    }

    /// The entry that refuses a finding, where one does.
    pub(super) fn refusing(&self, finding: &Finding) -> Option<&'a Origin> {
        let setting = self.global.content.rules.get(&finding.rule);
        match setting {
            Some(setting) if setting.action == Some(RuleAction::Block) => Some(&setting.origin),
            _ => self.category(finding),
        }
    }

    fn treatment(&self, finding: &Finding, expected: bool, head: &RequestHead) -> Treatment {
        let content = &self.global.content;
        match content.action(&finding.rule) {
            Some(RuleAction::Ignore) => Treatment::Drop,
            // A review speaks of less than a rule's setting does.
            _ if content.reviewed.holds(finding, head) => Treatment::Ignore,
            Some(RuleAction::Block) => Treatment::Block,
            _ if expected => Treatment::Expect,
            Some(RuleAction::Flag) => Treatment::Flag,
            Some(RuleAction::Observe) => Treatment::Observe,
            None if self.category(finding).is_some() => Treatment::Block,
            None => Treatment::Flag,
        }
    }

    /// Whether a finding lies where it belongs. Its place decides first: outside it, no host helps.
    fn is_at_home(&self, finding: &Finding, target: &Target) -> bool {
        let content = &self.global.content;
        if content.action(&finding.rule) == Some(RuleAction::Block) {
            return false;
        }
        let named = || {
            let own = self.egress.map(|egress| &egress.homes);
            let lists = own.into_iter().chain([&content.homes]);
            lists
                .into_iter()
                .any(|homes| homes.name(&finding.rule, target))
        };
        match finding.home {
            Home::Astray | Home::Elsewhere => false,
            Home::Issuer | Home::Shape => content.builtin_homes || named(),
            Home::Place => named(),
            Home::Session => {
                named() || content.builtin_homes && self.is_session_host(finding, target)
            }
        }
    }

    /// Whether the caller's own lists open the host by name. That there is no list opens every host,
    /// and makes none of them home. What could be data hidden in a name asks for the host itself: a
    /// wildcard is home to names that anyone can make up.
    fn is_session_host(&self, finding: &Finding, target: &Target) -> bool {
        let Target { host, port, .. } = target;
        let exactly = finding.category.as_str() == category::EXFILTRATION;
        let opens = |rules: &Rules| {
            if exactly {
                rules.exact.find(host, *port).is_some()
            } else {
                rules.allow.find(host, *port).is_some()
            }
        };
        self.egress.is_some_and(|egress| opens(&egress.rules)) || opens(&self.global.rules)
    }

    fn category(&self, finding: &Finding) -> Option<&'a Origin> {
        let word = finding.category.as_str();
        let word = category::canonical(word).unwrap_or(word);
        let own = self.egress.and_then(|egress| egress.rules.category(word));
        own.or_else(|| self.global.rules.category(word))
    }
}

/// Whether a finding says of the bytes of another, which is at home, what that one says already.
///
/// One that reaches beyond them speaks of more. A session's value, or one that only has the shape of
/// its issuer's, can be made up to carry anything, unlike a key that somebody issued: it excuses
/// neither what is decoded out of it nor what another rule knows the issuer of.
fn covers(home: &Finding, finding: &Finding, head: &RequestHead) -> bool {
    let (outer, inner) = (&home.location, &finding.location);
    outer.place == inner.place
        && outer.name == inner.name
        && home.span.start <= finding.span.start
        && finding.span.end <= home.span.end
        && (!matches!(home.home, Home::Session | Home::Shape)
            || is_session(finding, outer.views.len()))
        && (home.span == finding.span && home.fingerprint == finding.fingerprint
            || is_one_text(outer.place, outer.name.as_ref(), head))
}

/// Whether a finding may be the value of a session that was seen below so many views.
fn is_session(finding: &Finding, views: usize) -> bool {
    matches!(finding.home, Home::Elsewhere | Home::Session | Home::Shape)
        && finding.location.views.len() <= views
}

/// Whether a place is one text, so that spans in it can be compared: a field may be sent twice.
fn is_one_text(place: Place, name: Option<&Arc<str>>, head: &RequestHead) -> bool {
    match name {
        Some(name) if place == Place::Header => head.headers.get_all(&**name).iter().count() == 1,
        _ => true,
    }
}
