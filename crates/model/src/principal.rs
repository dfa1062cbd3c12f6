//! Who asks: the caller of one request, and how we know.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

/// The name of an agent: `^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$`, case-sensitive.
///
/// The alphabet cannot inject into logs, metric labels, SQL or URLs.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AgentName(Arc<str>);

/// The text is not a name that an agent can have.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("agent names are 1 to 63 letters, digits, `_` and `-`, and begin with a letter or digit")]
pub struct InvalidAgentName;

/// What the identities that came with a request amount to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// No identity was presented, or none that this client may present.
    Anonymous,
    /// Two identities disagree.
    Conflicted,
    /// An identity was presented that no agent can have.
    Malformed,
    /// Exactly one name. Whether an agent of that name exists is for the policy to say.
    Named(AgentName),
}

/// How a caller was identified, strongest last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentitySource {
    /// Not at all.
    Anonymous,
    /// By a claim in the request: the agent header, or a bare proxy user name.
    Header,
    /// By the client's address.
    Address,
    /// By the listener that was reached.
    Listener,
    /// By a token.
    Token,
}

/// The caller of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Who it is.
    pub caller: Caller,
    /// How that is known.
    pub source: IdentitySource,
    /// What the request claimed, believed or not: printable ASCII, at most
    /// [`Principal::CLAIM_CHARS_MAX`] characters.
    pub claimed: Option<Arc<str>>,
    /// The address the connection came from.
    pub client: SocketAddr,
}

// === impl AgentName ===

impl AgentName {
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 63;

    /// Checks the alphabet and the length.
    ///
    /// # Errors
    /// [`InvalidAgentName`] when either is off.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentName> {
        let valid = text.len() <= Self::BYTES_MAX
            && text
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidAgentName)
        }
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl IdentitySource ===

impl IdentitySource {
    /// The word used in records and filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Header => "header",
            Self::Address => "address",
            Self::Listener => "listener",
            Self::Token => "token",
        }
    }
}

// === impl Principal ===

impl Principal {
    /// The most of a claim that is kept.
    pub const CLAIM_CHARS_MAX: usize = 64;

    /// A caller that presented nothing.
    #[must_use]
    pub const fn anonymous(client: SocketAddr) -> Self {
        Self {
            caller: Caller::Anonymous,
            source: IdentitySource::Anonymous,
            claimed: None,
            client,
        }
    }

    /// The agent's name, when there is exactly one.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentName> {
        match &self.caller {
            Caller::Named(name) => Some(name),
            Caller::Anonymous | Caller::Conflicted | Caller::Malformed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_only_what_is_safe_everywhere() {
        for good in ["researcher", "A", "9", "a_b-c", &"x".repeat(63)] {
            assert!(AgentName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "a b", "a\n", "ä", "a.b", &"x".repeat(64)] {
            assert!(AgentName::parse(bad).is_err(), "{bad}");
        }
    }
}
