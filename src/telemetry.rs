//! The process's own log: what operators of the gateway need, never what passed through it.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging to stderr.
pub(crate) fn init(settings: &LogSettings) {
    // The libraries' own logs quote what they read; only ours is known to hold no secret.
    let filter = EnvFilter::new(format!(
        "warn,oktsec={0},oktsec_proxy={0},hyper=off,h2=off,rustls=off",
        settings.level
    ));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let json = match settings.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    // A second call, as in tests, finds the log set already.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}
