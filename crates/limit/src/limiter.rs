//! What the proxy asks: may this caller go on?

use oktsec_model::{AgentName, Quota};

use crate::memory::MemoryLimiter;
use crate::window::Admit;

/// Who is counted. Callers that are no configured agent share one count, so that nobody gains a
/// fresh one by claiming another name.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum LimitKey {
    /// A configured agent.
    Agent(AgentName),
    /// Everybody else.
    Anonymous,
}

/// Where the counts are held.
#[derive(Debug)]
pub enum Limiter {
    /// In this process.
    Memory(MemoryLimiter),
}

// === impl Limiter ===

impl Limiter {
    /// Counts a request if the quota has room for it.
    pub fn admit(&self, key: &LimitKey, quota: Quota, now_us: u64) -> Admit {
        match self {
            Self::Memory(memory) => memory.admit(key, quota, now_us),
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::Memory(MemoryLimiter::default())
    }
}
