//! The gateway as a service: what its manager is told, and what the system lets it open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::sync::watch;

/// Files that are open besides connections: the ledger, its index, the runtime.
const OTHER_FILES: u64 = 128;
/// A connection of an agent, and one to an upstream.
const FILES_PER_CONNECTION: u64 = 2;

/// Requests are served.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A configuration is being read; [`ready`] says when that is over.
pub(super) fn reloading() {
    if let Ok(since) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, since]);
    }
}

/// Nothing more is accepted. Whether that had been said before.
pub(super) fn stopping(stop: &watch::Sender<bool>) -> bool {
    tell(&[NotifyState::Stopping]);
    stop.send_replace(true)
}

/// Tells the service manager, where there is one (`NOTIFY_SOCKET`, `sd_notify(3)`).
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// Asks for as many open files as the connections may take; says so where they are fewer.
pub(super) fn raise_open_files(connections_max: u32) {
    let wanted = u64::from(connections_max) * FILES_PER_CONNECTION + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let granted = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit {
        current: Some(granted),
        maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() || granted < wanted {
        let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        tracing::warn!(
            granted,
            wanted,
            "fewer files may be open than forward_proxy.limits.connections needs: raise the limit (ulimit -n, LimitNOFILE) or set fewer connections"
        );
    }
}
