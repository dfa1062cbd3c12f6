//! What all connections share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use oktsec_audit::Ledger;
use oktsec_inspect::Snapshot;
use oktsec_limit::Limiter;
use oktsec_model::{ExchangeId, Timestamp};

use crate::chain::Chain;
use crate::identify::IdentitySettings;
use crate::load::{Limits, Load};
use crate::tls::authority::Authority;
use crate::tls::port::PortCertificate;
use crate::upstream::{Route, Timeouts, Upstream};

/// Handles shared by all connections.
pub struct Context {
    pub(crate) state: ArcSwap<State>,
    pub(crate) limiter: Limiter,
    pub(crate) ledger: Ledger,
    pub(crate) authority: Arc<Authority>,
    pub(crate) upstream: Upstream,
    pub(crate) load: Arc<Load>,
    pub(crate) distrust: Distrust,
    pub(crate) clock: Clock,
    /// The authority's certificate as PEM, for `/ca.pem`.
    pub(crate) ca_pem: Arc<str>,
}

/// What a reload replaces, whole.
pub struct State {
    /// What judges.
    pub snapshot: Arc<Snapshot>,
    /// What carries.
    pub settings: Settings,
}

/// How requests are carried.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How callers are told apart.
    pub identity: IdentitySettings,
    /// How much may be under way.
    pub limits: Limits,
    /// How long upstreams may take.
    pub timeouts: Timeouts,
    /// Balancers, which say whose connections they pass on.
    pub balancers: Vec<IpNet>,
    /// The certificate of the proxy's own port, where agents reach it by TLS.
    pub certificate: Option<PortCertificate>,
    /// The proxy that upstreams are reached through, if one.
    pub chain: Option<Arc<Chain>>,
    /// Whether a decision is on disk before anything is dialled, rather than before the answer.
    pub sync_before_egress: bool,
}

/// The parts that a context is made of.
pub struct Parts {
    /// What judges and carries first.
    pub state: State,
    /// Quotas.
    pub limiter: Limiter,
    /// The audit trail.
    pub ledger: Ledger,
    /// The local authority.
    pub authority: Arc<Authority>,
    /// TLS towards upstreams.
    pub upstream_tls: Arc<rustls::ClientConfig>,
    /// The authority's certificate as PEM.
    pub ca_pem: Arc<str>,
}

/// Time and ids.
pub(crate) struct Clock {
    began: Instant,
    random: u128,
    counter: AtomicU64,
}

/// Clients that refused our certificates lately: they are refused on CONNECT, where they can read
/// why.
#[derive(Default)]
pub(crate) struct Distrust {
    clients: Mutex<HashMap<IpAddr, Instant>>,
}

// === impl Context ===

impl Context {
    /// Joins the parts.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(parts: Parts) -> Result<Self, getrandom::Error> {
        let load = Load::new(parts.state.settings.limits.clone());
        Ok(Self {
            state: ArcSwap::from_pointee(parts.state),
            limiter: parts.limiter,
            ledger: parts.ledger,
            authority: parts.authority,
            upstream: Upstream::new(&parts.upstream_tls),
            load: Arc::new(load),
            distrust: Distrust::default(),
            clock: Clock::new()?,
            ca_pem: parts.ca_pem,
        })
    }

    /// Puts a new generation in place. Requests under way keep the one they began with.
    pub fn replace(&self, state: State) {
        self.load.limit(state.settings.limits.clone());
        self.state.store(Arc::new(state));
    }

    /// The generation now in place.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }
}

// === impl State ===

impl State {
    /// What requests of this generation are sent by.
    pub(crate) fn route(&self) -> Route<'_> {
        Route {
            snapshot: &self.snapshot,
            timeouts: self.settings.timeouts,
            chain: self.settings.chain.as_deref(),
        }
    }
}

// === impl Clock ===

impl Clock {
    fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 16];
        getrandom::fill(&mut seed)?;
        Ok(Self {
            began: Instant::now(),
            random: u128::from_le_bytes(seed),
            counter: AtomicU64::new(0),
        })
    }

    /// The wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Microseconds since the start; never goes back.
    pub(crate) fn monotonic_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A new id. Ids are unique, not secret: a counter spread over a random origin, so that no
    /// request waits for the system's randomness.
    pub(crate) fn id(&self, now: Timestamp) -> ExchangeId {
        // An odd multiplier permutes the 64-bit numbers, so that no two counts collide.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let count = self.counter.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let spread = u128::from(count.wrapping_mul(SPREAD));
        ExchangeId::new(now, self.random ^ (spread | spread << 60))
    }
}

// === impl Distrust ===

impl Distrust {
    const MEMORY: Duration = Duration::from_secs(300);
    const CLIENTS_MAX: usize = 1024;

    pub(crate) fn remember(&self, client: IpAddr) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= Self::CLIENTS_MAX {
            clients.retain(|_, since| since.elapsed() < Self::MEMORY);
        }
        if clients.len() < Self::CLIENTS_MAX {
            clients.insert(client, Instant::now());
        }
    }

    pub(crate) fn forget(&self, client: IpAddr) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if !clients.is_empty() {
            clients.remove(&client);
        }
    }

    pub(crate) fn knows(&self, client: IpAddr) -> bool {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients
            .get(&client)
            .is_some_and(|since| since.elapsed() < Self::MEMORY)
    }
}
