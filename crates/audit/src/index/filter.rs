//! What is asked of the audit trail: as SQL over the index, and of a single row.

use oktsec_model::Timestamp;
use rusqlite::types::Value;

use crate::row::Row;

/// Which rows are wanted. An empty list asks for nothing in particular.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Agents, by name.
    pub agents: Vec<String>,
    /// Statuses; `would-block` is another word for `flagged`.
    pub statuses: Vec<String>,
    /// Reason codes.
    pub reasons: Vec<String>,
    /// Hosts, exact, or `*.suffix` for names below one.
    pub hosts: Vec<String>,
    /// Methods, upper case.
    pub methods: Vec<String>,
    /// Rules that spoke.
    pub rules: Vec<String>,
    /// Categories of what was seen.
    pub categories: Vec<String>,
    /// Sessions.
    pub sessions: Vec<String>,
    /// The beginning of an id.
    pub event: Option<String>,
    /// The fingerprint of what was seen.
    pub fingerprint: Option<String>,
    /// How the agent is known; `verified` is another word for `token`.
    pub identities: Vec<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// At most so many, the newest ones.
    pub limit: Option<usize>,
    /// The newest row first; otherwise last.
    pub newest_first: bool,
    /// Tunnels too that an exchange speaks for.
    pub tunnels: bool,
    /// Only rows that cannot change any more.
    pub final_only: bool,
}

/// Conditions and their parameters.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

// === impl Query ===

impl Query {
    /// Whether a row is wanted. Whether an exchange speaks for a tunnel cannot be seen from its row.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        let id = row.id.to_string();
        one_of(&self.agents, row.agent.as_deref())
            && one_of(&self.sessions, row.session.as_deref())
            && one_of(&self.statuses(), Some(&row.status))
            && one_of(&self.reasons, Some(&row.reason))
            && one_of(&self.methods, Some(row.request.method.as_str()))
            && one_of(&self.identities(), Some(row.identity.source.as_str()))
            && self.matches_host(row.request.host.as_str())
            && self
                .event
                .as_ref()
                .is_none_or(|event| id.starts_with(&event.to_lowercase()))
            && self.since.is_none_or(|since| row.time >= since)
            && self.until.is_none_or(|until| row.time < until)
            && (row.is_final || !self.final_only)
            && self.matches_findings(row)
    }

    fn matches_host(&self, host: &str) -> bool {
        self.hosts.is_empty()
            || self
                .hosts
                .iter()
                .any(|wanted| match wanted.strip_prefix('*') {
                    Some(suffix) => host.ends_with(&suffix.to_lowercase()),
                    None => host == wanted.to_lowercase(),
                })
    }

    /// Each of the three may be answered by another finding, as in the index.
    fn matches_findings(&self, row: &Row) -> bool {
        let fingerprints: Vec<String> = self.fingerprint.iter().cloned().collect();
        let any = |wanted: &[String], of: fn(&crate::FindingRecord) -> &str| {
            wanted.is_empty()
                || row
                    .findings
                    .iter()
                    .any(|finding| one_of(wanted, Some(of(finding))))
        };
        any(&self.rules, |finding| finding.rule.as_str())
            && any(&self.categories, |finding| finding.category.as_str())
            && any(&fingerprints, |finding| finding.fingerprint.as_str())
    }

    fn statuses(&self) -> Vec<String> {
        replaced(&self.statuses, "would-block", "flagged")
    }

    fn identities(&self) -> Vec<String> {
        replaced(&self.identities, "verified", "token")
    }

    /// The conditions over `listed` and `seen`.
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.one_of("agent", &self.agents);
        conditions.one_of("session", &self.sessions);
        conditions.one_of("status", &self.statuses());
        conditions.one_of("reason", &self.reasons);
        conditions.one_of("method", &self.methods);
        conditions.one_of("source", &self.identities());
        conditions.hosts(&self.hosts);
        if let Some(event) = &self.event {
            // `g` sorts behind every digit and the hyphen.
            let from = event.to_lowercase();
            let to = format!("{from}g");
            conditions.add("id >= ? AND id < ?", [from.into(), to.into()]);
        }
        if let Some(since) = self.since {
            conditions.add("at >= ?", [since.as_micros().into()]);
        }
        if let Some(until) = self.until {
            conditions.add("at < ?", [until.as_micros().into()]);
        }
        if self.final_only {
            conditions.add("is_final = 1", []);
        }
        if !self.tunnels {
            conditions.add("spoken_for = 0", []);
        }
        conditions.seen("rule", &self.rules);
        conditions.seen("category", &self.categories);
        conditions.seen("fingerprint", self.fingerprint.as_slice());
        conditions
    }
}

// === impl Conditions ===

impl Conditions {
    fn add(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn one_of(&mut self, column: &str, wanted: &[String]) {
        if !wanted.is_empty() {
            let sql = format!("{column} IN ({})", marks(wanted.len()));
            self.add(&sql, wanted.iter().cloned().map(Value::from));
        }
    }

    fn seen(&mut self, column: &str, wanted: &[String]) {
        if !wanted.is_empty() {
            let marks = marks(wanted.len());
            let sql = format!("seq IN (SELECT seq FROM seen WHERE {column} IN ({marks}))");
            self.add(&sql, wanted.iter().cloned().map(Value::from));
        }
    }

    fn hosts(&mut self, hosts: &[String]) {
        let mut alternatives = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for host in hosts.iter().map(|host| host.to_lowercase()) {
            if let Some(suffix) = host.strip_prefix('*') {
                alternatives.push("substr(host, -length(?)) = ?");
                values.extend([suffix.to_owned().into(), suffix.to_owned().into()]);
            } else {
                alternatives.push("host = ?");
                values.push(host.into());
            }
        }
        if !alternatives.is_empty() {
            self.add(&format!("({})", alternatives.join(" OR ")), values);
        }
    }
}

fn one_of(wanted: &[String], value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
}

fn replaced(words: &[String], from: &str, to: &str) -> Vec<String> {
    let word = |word: &String| {
        if word == from {
            to.to_owned()
        } else {
            word.clone()
        }
    };
    words.iter().map(word).collect()
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}
