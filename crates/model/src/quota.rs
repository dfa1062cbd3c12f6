//! How much a caller may ask for.

/// At most `requests_max` requests in any window of `window_s` seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// Requests per window, at least 1.
    pub requests_max: u32,
    /// The window's length in seconds, at least 1.
    pub window_s: u32,
}
