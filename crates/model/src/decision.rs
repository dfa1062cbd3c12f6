//! What is to happen with a request, and because of which entry.

use std::fmt;
use std::sync::Arc;

use crate::finding::Finding;

/// What the gateway does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Forward.
    Allow,
    /// Refuse.
    Block,
    /// Forward, and say that it would have been refused.
    Flag,
}

/// Why. The codes are stable: users' scripts, metric labels and problem types are made of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    missing_docs,
    reason = "each code is described in docs/reference/reason-codes.md"
)]
pub enum Reason {
    AgentSuspended,
    Allowed,
    AuditUnavailable,
    AuthRequired,
    BadRequest,
    BlockedContent,
    BlockedDomain,
    BlockedResponse,
    BodyTooLarge,
    ClientGone,
    ClientTimeout,
    HostMismatch,
    IdentityConflict,
    Interrupted,
    MethodBlocked,
    Observed,
    Overloaded,
    PortBlocked,
    ProtocolBlocked,
    RateLimited,
    ScanError,
    SsrfBlocked,
    TlsClientRejected,
    Uninspectable,
    UnknownAgent,
    UpstreamDns,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTls,
}

/// What became of a request, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Refused by us.
    Blocked,
    /// Allowed, but the upstream or the client failed.
    Failed,
    /// Went through although something would have spoken.
    Flagged,
    /// Went through.
    Forwarded,
}

/// Which list an entry belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// The agent's blocklist.
    AgentBlock,
    /// An allowlist names the host.
    Allow,
    /// The global blocklist.
    GlobalBlock,
    /// There is an allowlist and it does not name the host.
    NotAllowed,
    /// There is no allowlist: everything that is not blocked passes.
    Open,
}

/// Where an entry of the policy was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The entry, for example `agents.researcher.egress.allowed_domains[0]`.
    pub entry: Arc<str>,
    /// The file, as the operator named it.
    pub file: Arc<str>,
    /// The line, from 1; 0 where the value is a default or comes from the environment.
    pub line: u32,
}

/// The entry that decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyEntry {
    /// Where it was written.
    pub origin: Origin,
    /// The list it belongs to, for decisions about the host.
    pub list: Option<List>,
}

/// The answer to one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Why; for [`Action::Flag`], why it would have been refused.
    pub reason: Reason,
    /// The policy entry that decided, where one did.
    pub entry: Option<PolicyEntry>,
    /// Everything that was seen, whether it decided or not.
    pub findings: Vec<Finding>,
    /// What could not be opened, where that decided. Says nothing that the caller wrote, but for the name
    /// of a content coding.
    pub unopened: Option<Arc<str>>,
}

// === impl Action ===

impl Action {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Flag => "flag",
        }
    }
}

// === impl Reason ===

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 29] = [
        Self::AgentSuspended,
        Self::Allowed,
        Self::AuditUnavailable,
        Self::AuthRequired,
        Self::BadRequest,
        Self::BlockedContent,
        Self::BlockedDomain,
        Self::BlockedResponse,
        Self::BodyTooLarge,
        Self::ClientGone,
        Self::ClientTimeout,
        Self::HostMismatch,
        Self::IdentityConflict,
        Self::Interrupted,
        Self::MethodBlocked,
        Self::Observed,
        Self::Overloaded,
        Self::PortBlocked,
        Self::ProtocolBlocked,
        Self::RateLimited,
        Self::ScanError,
        Self::SsrfBlocked,
        Self::TlsClientRejected,
        Self::Uninspectable,
        Self::UnknownAgent,
        Self::UpstreamDns,
        Self::UpstreamRefused,
        Self::UpstreamTimeout,
        Self::UpstreamTls,
    ];

    /// The stable code, for example `proxy_blocked_domain`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AgentSuspended => "proxy_agent_suspended",
            Self::Allowed => "proxy_allowed",
            Self::AuditUnavailable => "proxy_audit_unavailable",
            Self::AuthRequired => "proxy_auth_required",
            Self::BadRequest => "proxy_bad_request",
            Self::BlockedContent => "proxy_blocked_content",
            Self::BlockedDomain => "proxy_blocked_domain",
            Self::BlockedResponse => "proxy_blocked_response",
            Self::BodyTooLarge => "proxy_body_too_large",
            Self::ClientGone => "proxy_client_gone",
            Self::ClientTimeout => "proxy_client_timeout",
            Self::HostMismatch => "proxy_host_mismatch",
            Self::IdentityConflict => "proxy_identity_conflict",
            Self::Interrupted => "proxy_interrupted",
            Self::MethodBlocked => "proxy_method_blocked",
            Self::Observed => "proxy_observed",
            Self::Overloaded => "proxy_overloaded",
            Self::PortBlocked => "proxy_port_blocked",
            Self::ProtocolBlocked => "proxy_protocol_blocked",
            Self::RateLimited => "proxy_rate_limited",
            Self::ScanError => "proxy_scan_error",
            Self::SsrfBlocked => "proxy_ssrf_blocked",
            Self::TlsClientRejected => "proxy_tls_client_rejected",
            Self::Uninspectable => "proxy_uninspectable",
            Self::UnknownAgent => "proxy_unknown_agent",
            Self::UpstreamDns => "proxy_upstream_dns",
            Self::UpstreamRefused => "proxy_upstream_refused",
            Self::UpstreamTimeout => "proxy_upstream_timeout",
            Self::UpstreamTls => "proxy_upstream_tls",
        }
    }

    /// The reason that a code names, if it names one.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// What a request that ended for this reason is counted as.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Allowed => Status::Forwarded,
            Self::Observed => Status::Flagged,
            Self::ClientGone
            | Self::ClientTimeout
            | Self::Interrupted
            | Self::TlsClientRejected
            | Self::UpstreamDns
            | Self::UpstreamRefused
            | Self::UpstreamTimeout
            | Self::UpstreamTls => Status::Failed,
            Self::AgentSuspended
            | Self::AuditUnavailable
            | Self::AuthRequired
            | Self::BadRequest
            | Self::BlockedContent
            | Self::BlockedDomain
            | Self::BlockedResponse
            | Self::BodyTooLarge
            | Self::HostMismatch
            | Self::IdentityConflict
            | Self::MethodBlocked
            | Self::Overloaded
            | Self::PortBlocked
            | Self::ProtocolBlocked
            | Self::RateLimited
            | Self::ScanError
            | Self::SsrfBlocked
            | Self::Uninspectable
            | Self::UnknownAgent => Status::Blocked,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

// === impl Status ===

impl Status {
    /// The word used in records, filters and the log line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Flagged => "flagged",
            Self::Forwarded => "forwarded",
        }
    }

    /// The status that a word names; `would-block` is another word for `flagged`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "blocked" => Some(Self::Blocked),
            "failed" => Some(Self::Failed),
            "flagged" | "would-block" => Some(Self::Flagged),
            "forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }
}

// === impl List ===

impl List {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentBlock => "agent_block",
            Self::Allow => "allow",
            Self::GlobalBlock => "global_block",
            Self::NotAllowed => "not_allowed",
            Self::Open => "open",
        }
    }
}

// === impl Decision ===

impl Decision {
    /// A refusal without a policy entry or findings of its own.
    #[must_use]
    pub const fn block(reason: Reason) -> Self {
        Self {
            action: Action::Block,
            reason,
            entry: None,
            findings: Vec::new(),
            unopened: None,
        }
    }

    /// What a request with this decision is counted as, unless something later fails.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self.action {
            Action::Allow => Status::Forwarded,
            Action::Block => self.reason.status(),
            Action::Flag => Status::Flagged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(reason));
        }
        assert_eq!(Reason::parse("proxy_nonsense"), None);
    }
}
