//! What the tests stand on: the real gateway as a child process, upstreams on loopback, and the
//! clients that users have.

pub(crate) mod authority;
pub(crate) mod config;
pub(crate) mod curl;
pub(crate) mod gateway;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod upstream;

pub(crate) use config::Config;
pub(crate) use curl::Reply;
pub(crate) use gateway::Gateway;

/// Both ways to reach a host; every promise holds over each.
pub(crate) const SCHEMES: [&str; 2] = ["http", "https"];
/// The agents of the seed's configuration.
pub(crate) const AGENTS: [&str; 3] = ["researcher", "coder", "coordinator"];
/// Keys that nobody has: the seed's own, and one of the shape that is issued.
pub(crate) const SEED_KEY: &str = "AKIA1234567890ABCDEF";
pub(crate) const AWS_KEY: &str = "AKIAQ3EGRVT5YLNZ2WXC";
