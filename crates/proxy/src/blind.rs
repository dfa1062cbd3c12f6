//! Tunnels that nobody looks into: judged by host, limited, recorded, dialled, spliced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use oktsec_audit::Inspection;
use oktsec_model::{Action, Decision, Principal, Reason, Target};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::account::Arrival;
use crate::body::ResponseBody;
use crate::context::{Context, State};
use crate::exchange::{FailedExchange, Refused};
use crate::judge::admit_rate;
use crate::respond::Dialect;
use crate::tunnel::{connect_head, refuse_connect, unrecorded};
use crate::via::Via;

/// A CONNECT request whose tunnel will not be opened for inspection.
pub(crate) struct Blind {
    pub(crate) arrival: Arrival,
    pub(crate) principal: Principal,
    pub(crate) target: Target,
    pub(crate) decision: Decision,
    pub(crate) upgrade: OnUpgrade,
    pub(crate) via: Via,
}

const BUFFER_BYTES: usize = 16 * 1024;

/// Answers the CONNECT: the row first, then the connection, then 200.
pub(crate) async fn connect(
    blind: Blind,
    state: &State,
    cx: &Arc<Context>,
) -> Response<ResponseBody> {
    let Blind {
        arrival,
        principal,
        target,
        decision,
        upgrade,
        via,
    } = blind;
    let id = arrival.id();
    if decision.action == Action::Block {
        return refuse_connect(arrival, &principal, target, Refused::boxed(decision)).await;
    }
    if let Err(refused) = admit_rate(&principal, &decision, &state.snapshot, cx) {
        return refuse_connect(arrival, &principal, target, refused).await;
    }
    let open = arrival
        .tunnel_opened(Inspection::None, state.settings.sync_before_egress)
        .await;
    if !open.is_recorded() {
        return unrecorded(id, &principal, target, open);
    }
    let timeouts = state.settings.timeouts;
    let upstream = match cx.upstream.dial(&target, &state.snapshot, timeouts).await {
        Ok(upstream) => upstream,
        Err(error) => {
            open.failed(error.reason);
            let head = connect_head(id, &principal, target);
            return FailedExchange {
                id,
                reason: error.reason,
            }
            .response(&head, Dialect::Problem);
        }
    };
    tokio::spawn(async move {
        let (reason, bytes) = match upgrade.await {
            Ok(upgraded) => splice(upgraded, upstream, timeouts.idle).await,
            Err(_) => (Reason::ClientGone, (0, 0)),
        };
        open.closed(reason, 0, bytes);
        // The connection counts until here.
        drop(via);
    });
    Response::new(ResponseBody::full(""))
}

/// Copies both ways until both have ended, or neither has carried a byte for `idle`.
async fn splice(upgraded: Upgraded, upstream: TcpStream, idle: Duration) -> (Reason, (u64, u64)) {
    let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
    let (client_read, client_write) = tokio::io::split(TokioIo::new(upgraded));
    let (upstream_read, upstream_write) = upstream.into_split();
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
