//! The load: some connections that send one request after the other for a fixed time, and what
//! was seen meanwhile. Closed loop: a slow peer gets fewer requests, never a queue of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::client::Way;
use crate::process::Process;

/// How hard and how long.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u16,
    pub(crate) duration: Duration,
}

/// What was seen. Samples of several rounds add up.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) duration: Duration,
    /// Of the proxy; `None` where there is none.
    pub(crate) cpu_seconds: Option<f64>,
    /// Of each request that was answered with 200.
    pub(crate) latencies_us: Vec<u32>,
    /// What went wrong, and how often.
    pub(crate) errors: BTreeMap<String, u64>,
}

const WARM_UP: Duration = Duration::from_millis(500);
/// How long an answer may be outstanding when the time is up.
const GRACE: Duration = Duration::from_secs(5);
/// A peer that refuses must not turn the load generator into a busy loop.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
const ERROR_KINDS_MAX: usize = 16;

// === impl Load ===

impl Load {
    pub(crate) async fn run(
        self,
        way: &Way,
        request: &Arc<[u8]>,
        proxy: Option<&Process>,
    ) -> anyhow::Result<Sample> {
        let from = Instant::now() + WARM_UP;
        let until = from + self.duration;
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            workers.spawn(work(way.clone(), Arc::clone(request), from, until));
        }
        let cpu_seconds = || proxy.map(Process::cpu_seconds).transpose();
        sleep_until(from).await;
        let cpu_before = cpu_seconds()?;
        sleep_until(until).await;
        let cpu_after = cpu_seconds()?;
        let mut sample = Sample {
            duration: self.duration,
            cpu_seconds: cpu_after
                .zip(cpu_before)
                .map(|(after, before)| after - before),
            ..Sample::default()
        };
        while let Some(part) = workers.join_next().await {
            sample.absorb(part?);
        }
        sample.latencies_us.sort_unstable();
        Ok(sample)
    }
}

// === impl Sample ===

impl Sample {
    /// Adds another round of the same case.
    pub(crate) fn merge(&mut self, other: Self) {
        self.duration += other.duration;
        self.cpu_seconds = match (self.cpu_seconds, other.cpu_seconds) {
            (Some(ours), Some(theirs)) => Some(ours + theirs),
            (ours, theirs) => ours.or(theirs),
        };
        self.absorb(other);
        self.latencies_us.sort_unstable();
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests() / self.duration.as_secs_f64()
    }

    pub(crate) fn cpu_us_per_request(&self) -> Option<f64> {
        let requests = self.requests();
        self.cpu_seconds
            .filter(|_| requests > 0.0)
            .map(|seconds| seconds * 1e6 / requests)
    }

    /// The latency that `percent` of the requests stayed below, in microseconds.
    pub(crate) fn percentile_us(&self, percent: usize) -> Option<u32> {
        let last = self.latencies_us.len().checked_sub(1)?;
        self.latencies_us.get(last * percent / 100).copied()
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    fn requests(&self) -> f64 {
        f64::from(u32::try_from(self.latencies_us.len()).unwrap_or(u32::MAX))
    }

    fn absorb(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        for (what, count) in other.errors {
            self.count_error(what, count);
        }
    }

    fn count_error(&mut self, what: String, count: u64) {
        let full = self.errors.len() >= ERROR_KINDS_MAX && !self.errors.contains_key(&what);
        let what = if full { "other".to_owned() } else { what };
        *self.errors.entry(what).or_default() += count;
    }
}

/// One connection's share.
async fn work(way: Way, request: Arc<[u8]>, from: Instant, until: Instant) -> Sample {
    let mut sample = Sample::default();
    let mut connection = None;
    while Instant::now() < until {
        let exchange = async {
            let mut open = match connection.take() {
                Some(open) => open,
                None => way.connect().await?,
            };
            // A new connection's handshake is not the latency of a request.
            let start = Instant::now();
            let answer = open.exchange(&request).await?;
            let latency = start.elapsed();
            connection = (!answer.closes).then_some(open);
            anyhow::Ok((answer.status, latency))
        };
        let problem = match timeout_at(until + GRACE, exchange).await {
            Ok(Ok((200, latency))) => {
                let now = Instant::now();
                if now >= from && now <= until {
                    sample
                        .latencies_us
                        .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
                }
                continue;
            }
            Ok(Ok((status, _))) => format!("status {status}"),
            Ok(Err(error)) => error.root_cause().to_string(),
            Err(_) => format!("no answer {GRACE:?} after the end"),
        };
        sample.count_error(problem, 1);
        sleep(ERROR_PAUSE).await;
    }
    sample
}
