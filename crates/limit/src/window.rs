//! An exact sliding window over the moments of granted requests.
//!
//! Windows are half-open, `(now - W, now]`: a request at exactly `t + W` no longer shares a window
//! with one at `t`. Refused requests are not counted, so that a caller who retries in vain does not
//! shut itself out. Memory grows with use and not with the limit.

#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use oktsec_model::Quota;

/// The answer to one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admit {
    /// It goes on, and is counted.
    Granted {
        /// Requests in the window that ends now, with this one.
        used: u32,
    },
    /// It does not.
    Refused {
        /// When the next one can be granted, from now; never 0.
        retry_after_us: u64,
        /// Requests in the window that ends now.
        used: u32,
    },
}

/// The granted requests of one caller that may still share a window with the next one.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// When they were granted, ascending, in microseconds.
    granted_us: VecDeque<u64>,
    /// The window's length when it was last asked.
    length_us: u64,
}

/// Below this many slots nothing is given back.
const SLOTS_KEPT: usize = 64;

// === impl Window ===

impl Window {
    /// Counts a request at `now_us` if fewer than the quota's requests were granted in the window
    /// that ends then. A changed quota judges the history there is: what had left the window before
    /// it was made longer is forgotten.
    pub fn admit(&mut self, now_us: u64, quota: Quota) -> Admit {
        // Threads may come in another order than they read the clock.
        let now_us = self
            .granted_us
            .back()
            .map_or(now_us, |&last| last.max(now_us));
        self.length_us = u64::from(quota.window_s).saturating_mul(1_000_000);
        self.forget(now_us);
        let used = u32::try_from(self.granted_us.len()).unwrap_or(u32::MAX);
        if used < quota.requests_max {
            self.granted_us.push_back(now_us);
            return Admit::Granted {
                used: used.saturating_add(1),
            };
        }
        // Room is there once all but `requests_max - 1` of the granted have left.
        let over = usize::try_from(used - quota.requests_max).unwrap_or(usize::MAX);
        let leaving_us = self.granted_us.get(over).copied().unwrap_or(now_us);
        let retry_after_us = leaving_us
            .saturating_add(self.length_us)
            .saturating_sub(now_us);
        Admit::Refused {
            retry_after_us: retry_after_us.max(1),
            used,
        }
    }

    /// When nothing will be left in the window if nothing more is granted.
    #[must_use]
    pub fn empty_at_us(&self) -> u64 {
        self.granted_us
            .back()
            .map_or(0, |last| last.saturating_add(self.length_us))
    }

    fn forget(&mut self, now_us: u64) {
        while let Some(&first) = self.granted_us.front()
            && first.saturating_add(self.length_us) <= now_us
        {
            self.granted_us.pop_front();
        }
        // After a burst the room is given back; halving keeps the copying small on average.
        let slots = self.granted_us.capacity();
        if slots > SLOTS_KEPT && self.granted_us.len() < slots / 4 {
            self.granted_us.shrink_to(slots / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn quota(requests_max: u32, window_s: u32) -> Quota {
        Quota {
            requests_max,
            window_s,
        }
    }

    fn count<'a>(moments: impl Iterator<Item = &'a u64>) -> u32 {
        u32::try_from(moments.count()).unwrap()
    }

    #[test]
    fn the_201st_waits_until_the_first_leaves() {
        let mut window = Window::default();
        let quota = quota(200, 60);
        for used in 1..=200_u32 {
            let at = u64::from(used) - 1;
            assert_eq!(window.admit(at, quota), Admit::Granted { used });
        }
        let refused = window.admit(1_000, quota);
        let retry_after_us = 60 * SECOND_US - 1_000;
        assert_eq!(
            refused,
            Admit::Refused {
                retry_after_us,
                used: 200
            }
        );
        let just_before = window.admit(60 * SECOND_US - 1, quota);
        assert_eq!(
            just_before,
            Admit::Refused {
                retry_after_us: 1,
                used: 200
            }
        );
        assert_eq!(
            window.admit(60 * SECOND_US, quota),
            Admit::Granted { used: 200 }
        );
        // The second was granted a microsecond after the first.
        let next = window.admit(60 * SECOND_US, quota);
        assert_eq!(
            next,
            Admit::Refused {
                retry_after_us: 1,
                used: 200
            }
        );
    }

    #[test]
    fn a_changed_quota_keeps_the_history() {
        let mut window = Window::default();
        for at in 0..10 {
            window.admit(at * SECOND_US, quota(10, 60));
        }
        let lowered = window.admit(10 * SECOND_US, quota(4, 60));
        // Room is there when the seventh, granted at 6 s, has left.
        assert_eq!(
            lowered,
            Admit::Refused {
                retry_after_us: 56 * SECOND_US,
                used: 10
            }
        );
        assert_eq!(
            window.admit(10 * SECOND_US, quota(11, 60)),
            Admit::Granted { used: 11 }
        );
        assert_eq!(
            window.admit(10 * SECOND_US, quota(3, 2)),
            Admit::Granted { used: 3 }
        );
    }

    #[test]
    fn a_clock_that_steps_back_grants_nothing_more() {
        let mut window = Window::default();
        assert_eq!(
            window.admit(50 * SECOND_US, quota(1, 60)),
            Admit::Granted { used: 1 }
        );
        assert!(matches!(
            window.admit(0, quota(1, 60)),
            Admit::Refused { .. }
        ));
        assert_eq!(window.empty_at_us(), 110 * SECOND_US);
    }

    #[test]
    fn memory_follows_use() {
        let mut window = Window::default();
        window.admit(0, quota(1_000_000, 1));
        assert!(window.granted_us.capacity() <= SLOTS_KEPT);
        for at in 0..10_000 {
            window.admit(at, quota(1_000_000, 1));
        }
        for second in 2..20 {
            window.admit(second * SECOND_US, quota(1_000_000, 1));
        }
        assert!(
            window.granted_us.capacity() <= SLOTS_KEPT,
            "{}",
            window.granted_us.capacity()
        );
    }

    #[test]
    fn no_quota_overflows() {
        let mut window = Window::default();
        assert!(matches!(
            window.admit(u64::MAX, quota(0, u32::MAX)),
            Admit::Refused { .. }
        ));
        assert!(matches!(
            window.admit(u64::MAX, quota(1, u32::MAX)),
            Admit::Granted { .. }
        ));
    }

    proptest! {
        /// Against the definition: granted exactly when fewer than N lie in the window that ends
        /// now; and waiting for as long as told is enough, and a microsecond less is not.
        #[test]
        fn exactly_the_definition(
            steps_us in vec(0_u64..1_500_000, 1..200),
            requests_max in 1_u32..8,
            window_s in 1_u32..4,
            probe in any::<bool>(),
        ) {
            let quota = quota(requests_max, window_s);
            let length_us = u64::from(window_s) * SECOND_US;
            let mut window = Window::default();
            let mut granted: Vec<u64> = Vec::new();
            let mut now_us = 0;
            for step_us in steps_us {
                now_us += step_us;
                let inside = count(granted.iter().filter(|&&at| at + length_us > now_us));
                match window.admit(now_us, quota) {
                    Admit::Granted { used } => {
                        prop_assert!(inside < requests_max);
                        prop_assert_eq!(used, inside + 1);
                        granted.push(now_us);
                    }
                    Admit::Refused { retry_after_us, used } => {
                        prop_assert!(inside >= requests_max);
                        prop_assert_eq!(used, inside);
                        let too_early = window.clone().admit(now_us + retry_after_us - 1, quota);
                        prop_assert!(matches!(too_early, Admit::Refused { .. }), "{:?}", too_early);
                        if probe {
                            now_us += retry_after_us;
                            let granted_now = matches!(window.admit(now_us, quota), Admit::Granted { .. });
                            prop_assert!(granted_now);
                            granted.push(now_us);
                        }
                    }
                }
            }
            for &end in &granted {
                let held = count(granted.iter().filter(|&&at| at <= end && at + length_us > end));
                prop_assert!(held <= requests_max);
            }
        }
    }
}
