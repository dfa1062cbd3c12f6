//! Idle connections to upstreams, kept for the caller that opened them: an authenticated
//! connection is never lent to another agent.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;
use oktsec_model::{AgentName, Target};

use crate::body::RequestBody;

/// Whose connection to where.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct PoolKey {
    pub(crate) agent: Option<AgentName>,
    pub(crate) target: Target,
    /// The generation whose address rules the connection passed.
    pub(crate) generation: u64,
}

/// A connection that can carry one request at a time.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) address: SocketAddr,
    opened: Instant,
}

/// Gives a connection back once its response has been read.
pub(crate) struct Checkin {
    pub(crate) pool: Arc<Pool>,
    pub(crate) key: PoolKey,
    pub(crate) connection: Connection,
}

/// The idle connections.
#[derive(Default)]
pub(crate) struct Pool {
    /// Held for a few instructions, never across a wait.
    hosts: Mutex<HashMap<PoolKey, VecDeque<Idle>>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// Shorter than the usual 75 s of servers, so that we leave first.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// After this a name is looked up again, so that an address that changed hands is left.
const AGE_MAX: Duration = Duration::from_secs(600);
const IDLE_PER_KEY_MAX: usize = 64;
const KEYS_MAX: usize = 4096;

// === impl Connection ===

impl Connection {
    pub(crate) fn new(sender: SendRequest<RequestBody>, address: SocketAddr) -> Self {
        Self {
            sender,
            address,
            opened: Instant::now(),
        }
    }
}

// === impl Checkin ===

impl Checkin {
    /// Returns the connection now, or as soon as it is ready for another request.
    pub(crate) fn give_back(mut self) {
        if self.connection.sender.is_ready() {
            self.pool.insert(self.key, self.connection);
        } else if !self.connection.sender.is_closed() {
            tokio::spawn(async move {
                let ready = tokio::time::timeout(IDLE_TIME_MAX, self.connection.sender.ready());
                if matches!(ready.await, Ok(Ok(()))) {
                    self.pool.insert(self.key, self.connection);
                }
            });
        }
    }
}

// === impl Pool ===

impl Pool {
    /// The most recently used idle connection that is still good.
    pub(crate) fn take(&self, key: &PoolKey) -> Option<Connection> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = hosts.get_mut(key)?;
        while let Some(candidate) = idle.pop_back() {
            let fresh = candidate.since.elapsed() < IDLE_TIME_MAX
                && candidate.connection.opened.elapsed() < AGE_MAX;
            if fresh && candidate.connection.sender.is_ready() {
                return Some(candidate.connection);
            }
        }
        hosts.remove(key);
        None
    }

    fn insert(&self, key: PoolKey, connection: Connection) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= KEYS_MAX && !hosts.contains_key(&key) {
            hosts.retain(|_, idle| {
                idle.back()
                    .is_some_and(|last| last.since.elapsed() < IDLE_TIME_MAX)
            });
            if hosts.len() >= KEYS_MAX {
                return;
            }
        }
        let idle = hosts.entry(key).or_default();
        if idle.len() >= IDLE_PER_KEY_MAX {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: Instant::now(),
        });
    }

    /// Drops what has been idle for too long. Called once in a while.
    pub(crate) fn sweep(&self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, idle| {
            idle.retain(|entry| {
                entry.since.elapsed() < IDLE_TIME_MAX && !entry.connection.sender.is_closed()
            });
            !idle.is_empty()
        });
    }
}
