//! Idle connections to upstreams, kept for the caller that opened them: an authenticated
//! connection is never lent to another agent.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
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

/// A way to send requests.
pub(crate) enum Sender {
    /// One at a time.
    H1(http1::SendRequest<RequestBody>),
    /// Many at once.
    H2(http2::SendRequest<RequestBody>),
}

/// A connection to an upstream.
pub(crate) struct Connection {
    pub(crate) sender: Sender,
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

// === impl Sender ===

impl Sender {
    fn is_ready(&self) -> bool {
        match self {
            Self::H1(sender) => sender.is_ready(),
            Self::H2(sender) => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::H1(sender) => sender.is_closed(),
            Self::H2(sender) => sender.is_closed(),
        }
    }

    async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::H1(sender) => sender.ready().await,
            Self::H2(sender) => sender.ready().await,
        }
    }

    pub(crate) const fn is_h2(&self) -> bool {
        matches!(self, Self::H2(_))
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match self {
            Self::H1(sender) => sender.try_send_request(request).await,
            Self::H2(sender) => sender.try_send_request(request).await,
        }
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn new(sender: Sender, address: SocketAddr) -> Self {
        Self {
            sender,
            address,
            opened: Instant::now(),
        }
    }

    /// The same connection for another request, where it carries many at once.
    fn shared(&self) -> Option<Self> {
        match &self.sender {
            Sender::H1(_) => None,
            Sender::H2(sender) => Some(Self {
                sender: Sender::H2(sender.clone()),
                ..*self
            }),
        }
    }
}

// === impl Checkin ===

impl Checkin {
    /// Returns the connection now, or as soon as it is ready for another request.
    pub(crate) fn give_back(mut self) {
        // It never was away.
        if self.connection.sender.is_h2() {
            return;
        }
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
            if !fresh || !candidate.connection.sender.is_ready() {
                continue;
            }
            if let Some(connection) = candidate.connection.shared() {
                idle.push_back(Idle {
                    connection,
                    since: Instant::now(),
                });
            }
            return Some(candidate.connection);
        }
        hosts.remove(key);
        None
    }

    /// Lets others use a connection that carries many requests, too, unless there is one already.
    pub(crate) fn share(&self, key: &PoolKey, connection: &Connection) {
        let Some(shared) = connection.shared() else {
            return;
        };
        let has_one = {
            let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut idle = hosts.get(key).into_iter().flatten();
            idle.any(|entry| entry.connection.sender.is_h2() && entry.connection.sender.is_ready())
        };
        if !has_one {
            self.insert(key.clone(), shared);
        }
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
