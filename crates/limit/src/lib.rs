//! Quotas: never more than N requests in any window of W seconds.
//!
//! [`Window`] is the arithmetic and knows no clock; [`MemoryLimiter`] holds one per caller;
//! [`Limiter`] is what the proxy asks. Time is microseconds of a monotonic clock with any origin.

mod limiter;
mod memory;
mod window;

pub use limiter::{LimitKey, Limiter};
pub use memory::MemoryLimiter;
pub use window::{Admit, Window};
