//! The policy of one agent as people want to read it: after the merge, each line with its place.
//!
//! For commands, not for requests: these answers walk the lists.

use oktsec_model::{AgentName, Host, Origin, Principal};

use crate::evaluate::{EgressPolicy, PolicySet, Rate, Rules};
use crate::pattern::{Cover, Pattern, Subject};
use crate::source::{Entry, Mode, Set};

/// One line: a value, its place, and what is to be said about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The value in its canonical form.
    pub text: String,
    /// Where it was written.
    pub origin: Origin,
    /// For example `+subdomains`, `global, wins always`, `inherited`.
    pub notes: Vec<&'static str>,
}

/// What holds for one agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effective {
    /// The effective allowlist; empty is every host that is not blocked.
    pub allowed: Vec<Line>,
    /// The effective blocklist.
    pub blocked: Vec<Line>,
    /// The categories that block.
    pub categories: Vec<Line>,
    /// The limit.
    pub limit: Line,
    /// Whether requests are scanned.
    pub scan: Line,
    /// Whether responses are scanned.
    pub scan_responses: Line,
    /// Whether refusals are carried out.
    pub mode: Line,
    /// That the agent is suspended, if it is.
    pub suspended: Option<Line>,
}

const GLOBAL: &str = "global";
const GLOBAL_BLOCK: &str = "global, wins always";
const INHERITED: &str = "inherited";
const SUBDOMAINS: &str = "+subdomains";

// === impl PolicySet ===

impl PolicySet {
    /// What holds for an agent; `None` when no such agent is configured.
    #[must_use]
    pub fn describe(&self, agent: &AgentName) -> Option<Effective> {
        let agent = self.agents.get(agent)?;
        let egress = agent.egress.as_ref();
        let own = egress.map(|egress| &egress.rules);
        let global = &self.global.rules;
        let mut allowed = hosts(own, |rules| &rules.written.allowed, allow_line);
        allowed.extend(noted(
            hosts(Some(global), |rules| &rules.written.allowed, allow_line),
            GLOBAL,
        ));
        let blocked_globally = hosts(Some(global), |rules| &rules.written.blocked, block_line);
        let mut blocked = noted(blocked_globally, GLOBAL_BLOCK);
        blocked.extend(hosts(own, |rules| &rules.written.blocked, block_line));
        let mut categories = category_lines(own);
        categories.extend(noted(category_lines(Some(global)), GLOBAL));
        let suspended = agent
            .suspended
            .as_ref()
            .map(|origin| line("suspended", origin));
        Some(Effective {
            allowed,
            blocked,
            categories,
            limit: self.limit_line(egress),
            scan: scan_line(
                egress.and_then(|egress| egress.scan_requests.as_ref()),
                &self.global.scan_requests,
            ),
            scan_responses: scan_line(
                egress.and_then(|egress| egress.scan_responses.as_ref()),
                &self.global.scan_responses,
            ),
            mode: self.mode_line(egress),
            suspended,
        })
    }

    /// An allowed host that the caller may have meant instead of `host`: under the same registrable
    /// domain, or a few letters away.
    #[must_use]
    pub fn nearest_allowed(&self, principal: &Principal, host: &Host) -> Option<String> {
        const DISTANCE_MAX: usize = 2;
        let Host::Name(host) = host else {
            return None;
        };
        let own = self.egress(principal).map(|egress| &egress.rules);
        let rules = own.into_iter().chain([&self.global.rules]);
        let written = rules.flat_map(|rules| &rules.written.allowed);
        let site = psl::domain(host.as_bytes());
        written
            .filter_map(|(pattern, _)| {
                let Subject::Name { name, .. } = &pattern.subject else {
                    return None;
                };
                let distance = strsim::osa_distance(host, name);
                let same_site = site.is_some() && psl::domain(name.as_bytes()) == site;
                let near = same_site || distance <= DISTANCE_MAX;
                let blocked = self.global.rules.block.find_covering(pattern).is_some()
                    || own.is_some_and(|own| own.block.find_covering(pattern).is_some());
                (near && !blocked).then(|| (!same_site, distance, pattern.to_string()))
            })
            .min()
            .map(|(_, _, text)| text)
    }

    fn limit_line(&self, egress: Option<&EgressPolicy>) -> Line {
        let show = |rate: &Rate| {
            let text = match rate.limit.value {
                0 => "none".to_owned(),
                limit => format!("{limit} requests in any {} s", rate.window_s),
            };
            line(text, &rate.limit.origin)
        };
        let own = egress.and_then(|egress| egress.rate.as_ref());
        own.map_or_else(|| inherited(show(&self.global.rate)), show)
    }

    fn mode_line(&self, egress: Option<&EgressPolicy>) -> Line {
        let own = egress.and_then(|egress| egress.mode.as_ref());
        let setting = own.unwrap_or(&self.global.mode);
        let text = match setting.value {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        let shown = line(text, &setting.origin);
        if own.is_some() {
            shown
        } else {
            inherited(shown)
        }
    }
}

fn hosts(
    rules: Option<&Rules>,
    list: impl Fn(&Rules) -> &Vec<(Pattern, Entry)>,
    show: impl Fn(&Pattern, &Origin) -> Line,
) -> Vec<Line> {
    let entries = rules.map(list).into_iter().flatten();
    entries
        .map(|(pattern, entry)| show(pattern, &entry.origin))
        .collect()
}

fn allow_line(pattern: &Pattern, origin: &Origin) -> Line {
    let tree = matches!(
        pattern.subject,
        Subject::Name {
            cover: Cover::Tree,
            ..
        }
    );
    let shown = line(pattern.to_string(), origin);
    if tree { shown.note(SUBDOMAINS) } else { shown }
}

/// In a blocklist the dot in front is not needed, so it is not shown.
fn block_line(pattern: &Pattern, origin: &Origin) -> Line {
    let mut shown = allow_line(pattern, origin);
    if let Some(name) = shown.text.strip_prefix('.') {
        shown.text = name.to_owned();
    }
    shown
}

fn category_lines(rules: Option<&Rules>) -> Vec<Line> {
    let entries = rules
        .map(|rules| &rules.written.categories)
        .into_iter()
        .flatten();
    entries
        .map(|entry| line(entry.text.as_str(), &entry.origin))
        .collect()
}

fn line(text: impl Into<String>, origin: &Origin) -> Line {
    Line {
        text: text.into(),
        origin: origin.clone(),
        notes: Vec::new(),
    }
}

fn inherited(line: Line) -> Line {
    line.note(INHERITED)
}

fn noted(lines: Vec<Line>, note: &'static str) -> Vec<Line> {
    lines.into_iter().map(|line| line.note(note)).collect()
}

// === impl Line ===

impl Line {
    fn note(mut self, note: &'static str) -> Self {
        self.notes.push(note);
        self
    }
}

fn scan_line(own: Option<&Set<bool>>, global: &Set<bool>) -> Line {
    let setting = own.unwrap_or(global);
    let shown = line(if setting.value { "on" } else { "off" }, &setting.origin);
    if own.is_some() {
        shown
    } else {
        inherited(shown)
    }
}
