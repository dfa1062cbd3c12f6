//! How much is under way, and how much may be: connections of a client, exchanges of an agent, bodies
//! held, scans at a time, the memory of the process. One agent alone gets no more than its share, so
//! that the others get on.
//!
//! Everything here is counted, nothing waits, but for scans: those take turns.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arc_swap::ArcSwap;
use oktsec_limit::LimitKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may be under way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections of one client address (of IPv6, of one network of 64 bits).
    pub client_connections_max: usize,
    /// Exchanges of one agent at once.
    pub agent_exchanges_max: usize,
    /// Bytes of bodies held at once; one agent gets half of them.
    pub held_bytes_max: usize,
    /// The memory of the process, in bytes: near it no bodies are held and no connections accepted.
    pub memory_bytes_max: usize,
}

/// What is under way.
pub(crate) struct Load {
    limits: ArcSwap<Limits>,
    clients: Mutex<HashMap<IpAddr, usize>>,
    agents: Mutex<HashMap<LimitKey, Arc<Agent>>>,
    held_bytes: AtomicUsize,
    scans: Arc<Semaphore>,
    pressure: AtomicU8,
}

/// One agent's part of it.
struct Agent {
    exchanges: AtomicUsize,
    held_bytes: AtomicUsize,
    scans: Arc<Semaphore>,
}

/// The place of one exchange in it, until the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Share(Arc<Place>);

struct Place {
    load: Arc<Load>,
    agent: Arc<Agent>,
}

/// Bytes that may be held, until this is dropped.
pub(crate) struct Held {
    share: Share,
    bytes: usize,
}

/// A connection that is counted until this is dropped.
pub(crate) struct Connected {
    load: Arc<Load>,
    client: IpAddr,
}

/// A scan's turn, until this is dropped.
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

/// How near the process is to its memory's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Pressure {
    /// Far.
    None = 0,
    /// No more bodies are held.
    Bodies = 1,
    /// No more connections are accepted either.
    Connections = 2,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            client_connections_max: 2048,
            agent_exchanges_max: 256,
            held_bytes_max: 256 * 1024 * 1024,
            memory_bytes_max: 512 * 1024 * 1024,
        }
    }
}

// === impl Load ===

impl Load {
    /// One agent's part of what may be held.
    const PARTS: usize = 2;

    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(limits),
            clients: Mutex::default(),
            agents: Mutex::default(),
            held_bytes: AtomicUsize::new(0),
            scans: Arc::new(Semaphore::new(Self::PARTS * processors())),
            pressure: AtomicU8::new(Pressure::None as u8),
        }
    }

    /// Puts other limits in place; what is under way stays.
    pub(crate) fn limit(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Counts a connection, if its client may have another.
    pub(crate) fn connect(self: &Arc<Self>, client: IpAddr) -> Option<Connected> {
        let client = network_of(client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= self.limits.load().client_connections_max {
            return None;
        }
        *count += 1;
        Some(Connected {
            load: Arc::clone(self),
            client,
        })
    }

    /// Counts an exchange, if its agent may have another.
    pub(crate) fn enter(self: &Arc<Self>, key: &LimitKey) -> Option<Share> {
        let agent = self.agent(key);
        let before = agent.exchanges.fetch_add(1, Ordering::Relaxed);
        let share = Share(Arc::new(Place {
            load: Arc::clone(self),
            agent,
        }));
        (before < self.limits.load().agent_exchanges_max).then_some(share)
    }

    /// Only configured agents and the anonymous have a key: there are no more of them than the
    /// configuration names.
    fn agent(&self, key: &LimitKey) -> Arc<Agent> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(key) {
            return Arc::clone(agent);
        }
        let agent = Arc::new(Agent {
            exchanges: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            scans: Arc::new(Semaphore::new(processors())),
        });
        agents.insert(key.clone(), Arc::clone(&agent));
        agent
    }

    /// How much is held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// How near the process is to its memory's end.
    pub(crate) fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Relaxed) {
            0 => Pressure::None,
            1 => Pressure::Bodies,
            _ => Pressure::Connections,
        }
    }

    /// Notes how much memory the process has; says so where that changes something.
    pub(crate) fn weigh(&self, resident_bytes: usize) {
        let max = self.limits.load().memory_bytes_max;
        let pressure = Pressure::of(resident_bytes, max);
        let before = self.pressure.swap(pressure as u8, Ordering::Relaxed);
        if before != pressure as u8 {
            let mib = |bytes: usize| bytes / (1024 * 1024);
            tracing::warn!(
                resident_mib = mib(resident_bytes),
                max_mib = mib(max),
                pressure = ?pressure,
                "memory: forward_proxy.limits.memory"
            );
        }
    }
}

/// Scans that run at once: more only take memory from each other.
fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Whoever has one IPv6 address has a network of them (RFC 6177).
fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

// === impl Pressure ===

impl Pressure {
    /// In hundredths of what there may be.
    const BODIES_AT: usize = 80;
    const CONNECTIONS_AT: usize = 90;

    const fn of(resident_bytes: usize, max: usize) -> Self {
        let hundredth = if max < 100 { 1 } else { max / 100 };
        match resident_bytes / hundredth {
            Self::CONNECTIONS_AT.. => Self::Connections,
            Self::BODIES_AT.. => Self::Bodies,
            _ => Self::None,
        }
    }
}

// === impl Connected ===

impl Drop for Connected {
    fn drop(&mut self) {
        let clients = &self.load.clients;
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

// === impl Share ===

impl Share {
    /// The right to hold so many bytes, if there is room.
    pub(crate) fn hold(&self, bytes: usize) -> Option<Held> {
        let Place { load, agent } = &*self.0;
        if bytes > 0 && load.pressure() >= Pressure::Bodies {
            return None;
        }
        let max = load.limits.load().held_bytes_max;
        // Counted before it is compared: two at once may both be refused, never both be let in.
        let all = load.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let own = agent.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let held = Held {
            share: self.clone(),
            bytes,
        };
        (all <= max && own <= max / Load::PARTS).then_some(held)
    }

    /// Waits for a turn to scan: first behind the same agent's, then behind all.
    pub(crate) async fn turn(&self) -> Turn {
        let Place { load, agent } = &*self.0;
        // They are never closed.
        let own = Arc::clone(&agent.scans).acquire_owned().await.ok();
        let all = Arc::clone(&load.scans).acquire_owned().await.ok();
        Turn {
            _own: own,
            _all: all,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.agent.exchanges.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Held ===

impl Held {
    /// How many bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds to it, if there is room.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Some(mut more) = self.share.hold(bytes) else {
            return false;
        };
        self.bytes += std::mem::take(&mut more.bytes);
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Place { load, agent } = &*self.share.0;
        load.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        agent.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The memory of this process in bytes: what Linux says of it, and 0 where nothing is said.
pub(crate) fn resident_bytes() -> usize {
    // In KiB, whatever the size of a page: proc_pid_status(5).
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next())
        .and_then(|kib| kib.parse::<usize>().ok())
        .map_or(0, |kib| kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use oktsec_model::AgentName;

    use super::*;

    fn load() -> Arc<Load> {
        Arc::new(Load::new(Limits {
            client_connections_max: 2,
            agent_exchanges_max: 2,
            held_bytes_max: 100,
            memory_bytes_max: 1000,
        }))
    }

    fn agent(name: &str) -> LimitKey {
        LimitKey::Agent(AgentName::parse(name).unwrap())
    }

    #[test]
    fn a_client_has_its_part_of_the_connections() {
        let load = load();
        let [one, two]: [IpAddr; 2] =
            ["2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        let first = load.connect(one).unwrap();
        let _second = load.connect("2001:db8::ffff".parse().unwrap()).unwrap();
        assert!(load.connect(one).is_none());
        assert!(load.connect(two).is_some());
        drop(first);
        assert!(load.connect(one).is_some());
    }

    #[test]
    fn an_agent_has_its_part_of_exchanges_and_bytes() {
        let load = load();
        let share = load.enter(&agent("a")).unwrap();
        let clone = share.clone();
        let other = load.enter(&agent("a")).unwrap();
        assert!(load.enter(&agent("a")).is_none());
        assert!(load.enter(&LimitKey::Anonymous).is_some());
        drop(other);
        drop(share);
        let third = load.enter(&agent("a")).unwrap();
        assert!(load.enter(&agent("a")).is_none());

        let mut held = clone.hold(30).unwrap();
        assert!(third.hold(21).is_none());
        assert!(held.grow(20) && !held.grow(1));
        assert_eq!(held.bytes(), 50);
        let others = load.enter(&agent("b")).unwrap();
        let _held = others.hold(50).unwrap();
        assert!(load.enter(&agent("c")).unwrap().hold(1).is_none());
        drop(held);
        assert_eq!(load.held_bytes(), 50);
        assert!(third.hold(50).is_some());
    }

    #[test]
    fn near_the_end_of_memory_nothing_more_is_taken_in() {
        let load = load();
        let share = load.enter(&agent("a")).unwrap();
        for (resident, pressure) in [
            (799, Pressure::None),
            (800, Pressure::Bodies),
            (900, Pressure::Connections),
            (5000, Pressure::Connections),
            (0, Pressure::None),
        ] {
            load.weigh(resident);
            assert_eq!(load.pressure(), pressure);
            assert_eq!(share.hold(1).is_some(), pressure == Pressure::None);
            assert!(
                share.hold(0).is_some(),
                "a request without a body holds nothing"
            );
        }
        assert!(resident_bytes() > 0);
    }

    #[tokio::test]
    async fn one_agents_scans_leave_room_for_anothers() {
        let load = load();
        let (a, b) = (
            load.enter(&agent("a")).unwrap(),
            load.enter(&agent("b")).unwrap(),
        );
        let mut turns = Vec::new();
        for _ in 0..processors() {
            turns.push(a.turn().await);
        }
        let waiting = a.turn();
        tokio::pin!(waiting);
        assert!(futures_now(waiting.as_mut()).await.is_none());
        assert!(futures_now(b.turn()).await.is_some());
        turns.pop();
        assert!(futures_now(waiting).await.is_some());
    }

    /// The result of what is ready.
    async fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(std::time::Duration::ZERO, future)
            .await
            .ok()
    }
}
