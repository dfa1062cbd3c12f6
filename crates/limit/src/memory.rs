//! One window per caller, in this process.
//!
//! The number of callers is bounded. Over the bound, windows that are empty by now make room, and
//! where none is, the newcomer is refused: forgetting a count that is in force would grant more
//! than the quota.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oktsec_model::Quota;

use crate::limiter::LimitKey;
use crate::window::{Admit, Window};

/// The windows of all callers.
#[derive(Debug)]
pub struct MemoryLimiter {
    /// Callers are spread over these, so that few wait for each other.
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    shard_keys_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    windows: HashMap<LimitKey, Window>,
    /// No window was empty at the last sweep, and none can be before this.
    next_sweep_us: u64,
}

const SHARDS: usize = 16;

// === impl MemoryLimiter ===

impl MemoryLimiter {
    /// How many callers are counted at once.
    pub const KEYS_MAX: usize = 65_536;

    /// For at most about `keys_max` callers at once: the bound holds per shard.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            shard_keys_max: keys_max.div_ceil(SHARDS).max(1),
        }
    }

    /// Counts a request if the quota has room for it.
    pub fn admit(&self, key: &LimitKey, quota: Quota, now_us: u64) -> Admit {
        let mut shard = self.shard(key);
        if let Some(window) = shard.windows.get_mut(key) {
            return window.admit(now_us, quota);
        }
        if let Err(retry_after_us) = shard.make_room(self.shard_keys_max, now_us) {
            return Admit::Refused {
                retry_after_us,
                used: 0,
            };
        }
        shard
            .windows
            .entry(key.clone())
            .or_default()
            .admit(now_us, quota)
    }

    fn shard(&self, key: &LimitKey) -> MutexGuard<'_, Shard> {
        let count = self.shards.len() as u64;
        let index = usize::try_from(self.hasher.hash_one(key) % count)
            .expect("the remainder is less than the number of shards");
        // A window is whole between any two of its steps, so a panic elsewhere spoils nothing.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLimiter {
    fn default() -> Self {
        Self::new(Self::KEYS_MAX)
    }
}

// === impl Shard ===

impl Shard {
    /// Sees to it that one more key fits, or says how long to wait until one may.
    fn make_room(&mut self, keys_max: usize, now_us: u64) -> Result<(), u64> {
        if self.windows.len() < keys_max {
            return Ok(());
        }
        if now_us >= self.next_sweep_us {
            self.windows
                .retain(|_, window| window.empty_at_us() > now_us);
            let first = self.windows.values().map(Window::empty_at_us).min();
            self.next_sweep_us = first.unwrap_or(now_us);
        }
        if self.windows.len() < keys_max {
            Ok(())
        } else {
            Err(self.next_sweep_us.saturating_sub(now_us).max(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use oktsec_model::AgentName;

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn agent(name: &str) -> LimitKey {
        LimitKey::Agent(AgentName::parse(name).unwrap())
    }

    fn is_granted(admit: Admit) -> bool {
        matches!(admit, Admit::Granted { .. })
    }

    #[test]
    fn callers_are_counted_apart() {
        let limiter = MemoryLimiter::default();
        let quota = Quota {
            requests_max: 1,
            window_s: 60,
        };
        for key in [agent("a"), agent("A"), LimitKey::Anonymous] {
            assert!(is_granted(limiter.admit(&key, quota, 0)));
            assert!(!is_granted(limiter.admit(&key, quota, 1)));
        }
    }

    #[test]
    fn over_the_bound_only_empty_windows_make_room() {
        let limiter = MemoryLimiter::new(1);
        let quota = Quota {
            requests_max: 5,
            window_s: 60,
        };
        let names: Vec<LimitKey> = (0..200).map(|n| agent(&format!("agent{n}"))).collect();
        let granted = |at: u64| -> Vec<usize> {
            let granted = |n: &usize| is_granted(limiter.admit(&names[*n], quota, at));
            (0..names.len()).filter(granted).collect()
        };
        let first = granted(0);
        assert!(
            !first.is_empty() && first.len() <= SHARDS,
            "{}",
            first.len()
        );
        // The same callers still hold their places; nobody else gets one.
        assert_eq!(granted(SECOND_US), first);
        let stranger = (0..names.len()).find(|n| !first.contains(n)).unwrap();
        let refused = limiter.admit(&names[stranger], quota, 2 * SECOND_US);
        assert!(
            matches!(refused, Admit::Refused { used: 0, retry_after_us } if retry_after_us > 0)
        );
        // Their windows are empty at 61 s.
        assert!(is_granted(limiter.admit(
            &names[stranger],
            quota,
            61 * SECOND_US
        )));
    }

    #[test]
    fn threads_never_get_more_than_the_quota_together() {
        let limiter = MemoryLimiter::default();
        let quota = Quota {
            requests_max: 100,
            window_s: 60,
        };
        let granted = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (limiter, granted) = (&limiter, &granted);
                scope.spawn(move || {
                    for at in 0..200 {
                        if is_granted(limiter.admit(&LimitKey::Anonymous, quota, at * 4 + thread)) {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 100);
    }
}
