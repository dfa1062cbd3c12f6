//! The accept loop: permits, back-off, drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::connection;
use crate::context::Context;
use crate::load::{self, Pressure};
use crate::via::Life;

const BACKLOG: i32 = 1024;
/// Longest pause after an accept error, such as too many open files.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);
/// How often the memory of the process is looked at.
const WEIGH_INTERVAL: Duration = Duration::from_millis(250);

/// Binds one address.
///
/// # Errors
/// What the system says, for example that the address is in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // 127.0.0.1 has a listener of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts at most `connections_max` connections at once until `stop` is told, then waits at most
/// `grace` for those to end.
pub async fn run(
    listeners: Vec<TcpListener>,
    connections_max: u32,
    cx: Arc<Context>,
    stop: watch::Receiver<bool>,
    grace: Duration,
) {
    let permits = Arc::new(Semaphore::new(connections_max as usize));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            tokio::spawn(accept(
                listener,
                Arc::clone(&cx),
                Arc::clone(&permits),
                stop.clone(),
            ))
        })
        .collect();
    tokio::spawn(sweep(Arc::clone(&cx), stop.clone()));
    tokio::spawn(weigh(Arc::clone(&cx), stop));
    for task in accepting {
        // A panicked accept loop has nothing left to wait for.
        let _ = task.await;
    }
    let _ = tokio::time::timeout(grace, permits.acquire_many(connections_max)).await;
}

async fn accept(
    listener: TcpListener,
    cx: Arc<Context>,
    permits: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut backoff = Duration::from_millis(5);
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok(permit) = permit else { return };
        if cx.load.pressure() == Pressure::Connections {
            tokio::time::sleep(WEIGH_INTERVAL).await;
            continue;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, client)) => {
                backoff = Duration::from_millis(5);
                // Without it small messages wait for acknowledgements (40 ms and more).
                let _ = stream.set_nodelay(true);
                let time_max = cx.state().settings.timeouts.connection;
                let life = Life::new(stop.clone(), permit, time_max);
                tokio::spawn(connection::serve(stream, client, Arc::clone(&cx), life));
            }
            Err(error) => {
                tracing::warn!(error = %error, "connection not accepted");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

async fn sweep(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_INTERVAL) => cx.upstream.sweep(),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn weigh(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WEIGH_INTERVAL) => cx.load.weigh(load::resident_bytes()),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
