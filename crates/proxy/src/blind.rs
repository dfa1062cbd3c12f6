//! Tunnels that nobody looks into: judged by host, limited, recorded, dialled, spliced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Response;
use oktsec_audit::Inspection;
use oktsec_model::{Action, Decision, Principal, Reason, Target};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::account::{Arrival, OpenTunnel};
use crate::body::ResponseBody;
use crate::chain::Wire;
use crate::context::{Context, State};
use crate::exchange::{FailedExchange, Refused};
use crate::judge::enter;
use crate::load::Share;
use crate::respond::Dialect;
use crate::tunnel::{connect_head, refuse_connect, unrecorded};
use crate::via::Via;

/// A CONNECT request whose tunnel will not be opened for inspection.
pub(crate) struct Blind {
    pub(crate) arrival: Arrival,
    pub(crate) principal: Principal,
    pub(crate) target: Target,
    pub(crate) decision: Decision,
    pub(crate) via: Via,
}

/// A tunnel that stands, but for the client's end.
pub(crate) struct Splice {
    open: OpenTunnel,
    upstream: Box<dyn Wire>,
    idle: Duration,
    /// The connection counts until the tunnel has ended.
    via: Via,
    _share: Share,
}

const BUFFER_BYTES: usize = 16 * 1024;

// === impl Blind ===

impl Blind {
    /// Opens it: the row first, then the connection.
    ///
    /// # Errors
    /// The answer that says why not.
    pub(crate) async fn open(
        self,
        state: &State,
        cx: &Arc<Context>,
    ) -> Result<Splice, Response<ResponseBody>> {
        let Self {
            arrival,
            principal,
            target,
            decision,
            via,
        } = self;
        let id = arrival.id();
        if decision.action == Action::Block {
            let refused = Refused::boxed(decision);
            return Err(refuse_connect(arrival, &principal, target, refused).await);
        }
        let share = match enter(&principal, &decision, &state.snapshot, cx) {
            Ok(share) => share,
            Err(refused) => return Err(refuse_connect(arrival, &principal, target, refused).await),
        };
        let open = arrival
            .tunnel_opened(Inspection::None, state.settings.sync_before_egress)
            .await;
        if !open.is_recorded() {
            return Err(unrecorded(id, &principal, target, open));
        }
        match cx.upstream.dial(&target, state.route()).await {
            Ok((upstream, _)) => Ok(Splice {
                open,
                upstream,
                idle: state.settings.timeouts.idle,
                via,
                _share: share,
            }),
            Err(error) => {
                open.failed(error.reason);
                let head = connect_head(id, &principal, target);
                let failed = FailedExchange {
                    id,
                    reason: error.reason,
                };
                Err(failed.response(&head, Dialect::Problem))
            }
        }
    }
}

// === impl Splice ===

impl Splice {
    /// Carries bytes until both sides have ended.
    pub(crate) async fn carry(self, client: impl AsyncRead + AsyncWrite) {
        let (reason, bytes) = splice(client, self.upstream, self.idle, &self.via).await;
        self.open.closed(reason, 0, bytes);
        drop(self.via);
    }

    /// The client has left before anything was carried.
    pub(crate) fn gone(self) {
        self.open.closed(Reason::ClientGone, 0, (0, 0));
    }
}

/// Copies both ways until both have ended, neither has carried a byte for `idle`, or the connection has
/// lived long enough.
async fn splice(
    client: impl AsyncRead + AsyncWrite,
    upstream: Box<dyn Wire>,
    idle: Duration,
    via: &Via,
) -> (Reason, (u64, u64)) {
    let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
    let (client_read, client_write) = tokio::io::split(client);
    let (upstream_read, upstream_write) = tokio::io::split(upstream);
    let both = async {
        // Each way on its own: a side that does not read must not keep the other from writing.
        tokio::try_join!(
            pump(client_read, upstream_write, &up),
            pump(upstream_read, client_write, &down),
        )
    };
    let reason = tokio::select! {
        _ = both => Reason::Allowed,
        () = silence(&up, &down, idle) => Reason::UpstreamTimeout,
        () = via.life.expired() => Reason::Allowed,
    };
    (
        reason,
        (up.load(Ordering::Relaxed), down.load(Ordering::Relaxed)),
    )
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..count]).await?;
        bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Returns once no byte has passed for `idle`.
async fn silence(up: &AtomicU64, down: &AtomicU64, idle: Duration) {
    let passed = || up.load(Ordering::Relaxed) + down.load(Ordering::Relaxed);
    let mut before = passed();
    loop {
        tokio::time::sleep(idle).await;
        let now = passed();
        if now == before {
            return;
        }
        before = now;
    }
}
