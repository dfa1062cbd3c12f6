//! How a request reached us: the connection, and the tunnel it came through.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oktsec_model::{ExchangeId, Target};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use crate::identify::Claims;
use crate::load::Connected;

/// How a request reached us.
#[derive(Clone)]
pub(crate) struct Via {
    pub(crate) client: SocketAddr,
    /// The tunnel it came through, if one.
    pub(crate) tunnel: Option<Arc<Tunnel>>,
    pub(crate) life: Arc<Life>,
}

/// What ties everything that came over one connection to the listener.
pub(crate) struct Life {
    /// Told when the gateway stops.
    stop: watch::Receiver<bool>,
    /// When it has lived long enough.
    ends_at: Instant,
    /// Counted once it is known whose it is.
    client: OnceLock<Connected>,
    /// Kept until the last tunnel of the connection has ended.
    _permit: OwnedSemaphorePermit,
    /// Exchanges that have not ended.
    running: Arc<AtomicUsize>,
}

/// One exchange that has not ended.
pub(crate) struct Running(Arc<AtomicUsize>);

/// A tunnel that was opened for inspection.
pub(crate) struct Tunnel {
    pub(crate) id: ExchangeId,
    pub(crate) target: Target,
    pub(crate) claims: Claims,
    /// Requests that came through it.
    pub(crate) exchanges: AtomicU64,
}

// === impl Life ===

impl Life {
    pub(crate) fn new(
        stop: watch::Receiver<bool>,
        permit: OwnedSemaphorePermit,
        time_max: Duration,
    ) -> Self {
        Self {
            stop,
            ends_at: Instant::now() + time_max,
            client: OnceLock::new(),
            _permit: permit,
            running: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Counts an exchange until the answer is dropped.
    pub(crate) fn run(&self) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.running))
    }

    /// Returns once nothing runs any more that deserves to be waited for. For connections that were
    /// told to end and do not.
    pub(crate) async fn idle(&self) {
        const LOOK_INTERVAL: Duration = Duration::from_millis(500);
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            if self.running.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }

    /// Counts the connection as one of its client's.
    pub(crate) fn belongs(&self, client: Connected) {
        // Nobody else says whose it is.
        let _ = self.client.set(client);
    }

    /// Returns when the gateway stops, or the connection has lived long enough.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            // A sender that is gone has stopped too.
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.expired() => {}
        }
    }

    /// Returns when the connection has lived long enough.
    pub(crate) async fn expired(&self) {
        tokio::time::sleep_until(self.ends_at).await;
    }
}

// === impl Running ===

impl Clone for Running {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
