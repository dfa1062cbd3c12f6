//! The row of a tunnel: one record when it opens, one when it ends.

use std::sync::Arc;
use std::time::Instant;

use oktsec_audit::TunnelClosed;
use oktsec_model::{ExchangeId, Reason};

use crate::context::Context;

/// A tunnel whose row is written.
pub(crate) struct OpenTunnel {
    cx: Arc<Context>,
    id: ExchangeId,
    began: Instant,
    recorded: bool,
    /// Cleared once its end is written.
    open: bool,
}

// === impl OpenTunnel ===

impl OpenTunnel {
    /// A tunnel whose row is on its way.
    pub(super) fn new(cx: &Arc<Context>, id: ExchangeId) -> Self {
        Self {
            cx: Arc::clone(cx),
            id,
            began: Instant::now(),
            recorded: false,
            open: true,
        }
    }

    /// Notes whether the row is written.
    pub(super) const fn recorded(&mut self, is_recorded: bool) {
        self.recorded = is_recorded;
    }

    /// Whether the row is written; without it nothing may pass.
    pub(crate) const fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// The tunnel has ended, having carried so many exchanges, or so many bytes up and down.
    pub(crate) fn closed(mut self, reason: Reason, exchanges: u64, bytes: (u64, u64)) {
        self.close(reason, 200, exchanges, bytes);
    }

    /// The tunnel could not be built.
    pub(crate) fn failed(mut self, reason: Reason) {
        self.close(reason, crate::respond::http_status(reason), 0, (0, 0));
    }

    fn close(&mut self, reason: Reason, http_status: u16, exchanges: u64, bytes: (u64, u64)) {
        self.open = false;
        self.cx.ledger.tunnel_closed(TunnelClosed {
            at: self.cx.clock.now(),
            bytes_down: bytes.1,
            bytes_up: bytes.0,
            duration_us: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            exchanges,
            http_status: Some(http_status),
            id: self.id,
            reason: reason.into(),
            status: reason.status().into(),
        });
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        if self.open {
            self.close(Reason::ClientGone, 200, 0, (0, 0));
        }
    }
}
