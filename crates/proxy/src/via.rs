//! How a request reached us: the connection, and the tunnel it came through.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use oktsec_model::{ExchangeId, Target};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::identify::Claims;

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
    pub(crate) fn new(stop: watch::Receiver<bool>, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stop,
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

    /// Returns when the gateway stops.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // A sender that is gone has stopped too.
        let _ = stop.wait_for(|stop| *stop).await;
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
