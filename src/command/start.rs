//! `oktsec start`: binds, serves, reloads, drains.

mod banner;
mod make;
mod reload;
mod service;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oktsec_proxy::listener;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use self::make::{Gateway, make};
use self::reload::Reload;
use crate::cli::StartArgs;
use crate::command::{Context as Command, Unavailable, init};
use crate::config::{Environment, Loaded, Override, load, search};
use crate::exit::ExitCode;
use crate::telemetry;

/// How long connections may take to end after a stop.
const GRACE: Duration = Duration::from_secs(30);

pub(super) fn run(args: &StartArgs, command: &Command) -> anyhow::Result<ExitCode> {
    let overrides = overrides(args);
    let (path, written) = config_path(command)?;
    let mut loaded = load(&path, &command.env, &overrides)?;
    if !loaded.boot.enabled {
        command.warn(&loaded);
        command.output.say(&format!(
            "forward_proxy.enabled is false in {}: nothing is started. Set it to true to run the proxy.",
            path.display()
        ));
        return Ok(ExitCode::Done);
    }
    let secrets = loaded.read_secrets(&command.env)?;
    command.warn(&loaded);
    telemetry::init(&loaded.boot.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        // Before anybody can see that we are there: a signal that nobody handles ends the process.
        let signals = Signals::new()?;
        let listeners = bind(&loaded)?;
        service::raise_open_files(loaded.boot.connections_max);
        let mut gateway = make(&loaded, secrets, &command.env)?;
        if written {
            gateway.created.insert(0, (path.clone(), "policy"));
        }
        command.output.say(&banner::text(&loaded, &gateway));
        serve(loaded, &overrides, command, gateway, (listeners, signals)).await
    })
}

fn overrides(args: &StartArgs) -> Vec<Override> {
    let mut overrides = Vec::new();
    let mut set = |flag: &str, key: &str, value: String| {
        overrides.push(Override {
            flag: flag.to_owned(),
            key: key.to_owned(),
            value,
        });
    };
    if let Some(port) = args.port {
        set("--port", "forward_proxy.port", port.to_string());
    }
    if !args.bind.is_empty() {
        set("--bind", "forward_proxy.bind", args.bind.join(","));
    }
    if args.observe {
        set("--observe", "mode", "observe".to_owned());
    }
    overrides
}

/// The configuration; where none is found, the starter is written where it will be found next time.
fn config_path(command: &Command) -> anyhow::Result<(PathBuf, bool)> {
    match command.config_path() {
        Ok(chosen) => Ok((chosen.path, false)),
        Err(_) => {
            let path = search::home(Environment(&command.env));
            init::write(&path, false).with_context(|| {
                format!(
                    "failed to write the starter configuration {}",
                    path.display()
                )
            })?;
            Ok((path, true))
        }
    }
}

/// Binds first: a port in use is said before anything is written.
fn bind(loaded: &Loaded) -> anyhow::Result<Vec<TcpListener>> {
    let port = loaded.boot.port;
    let mut listeners = Vec::new();
    for &ip in &loaded.boot.bind {
        let address = SocketAddr::new(ip, port);
        match listener::bind(address) {
            Ok(listener) => listeners.push(listener),
            // Machines without IPv6 have no ::1; 127.0.0.1 serves then.
            Err(error) if no_such_address(&error, ip) && loaded.boot.bind.len() > 1 => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(Unavailable(format!(
                    "cannot listen on {address}: the port is in use; stop the other process or change forward_proxy.port"
                ))
                .into());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("failed to listen on {address}"));
            }
        }
    }
    Ok(listeners)
}

fn no_such_address(error: &io::Error, ip: IpAddr) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    const EAFNOSUPPORT: i32 = 97;
    ip.is_ipv6()
        && (error.kind() == io::ErrorKind::AddrNotAvailable
            || error.raw_os_error() == Some(EAFNOSUPPORT))
}

async fn serve(
    loaded: Loaded,
    overrides: &[Override],
    command: &Command,
    gateway: Gateway,
    (listeners, mut signals): (Vec<TcpListener>, Signals),
) -> anyhow::Result<ExitCode> {
    let (stop, stopped) = watch::channel(false);
    let connections_max = loaded.boot.connections_max;
    let cx = Arc::clone(&gateway.cx);
    let serving = listener::run(listeners, connections_max, cx, stopped, GRACE);
    tokio::pin!(serving);
    let mut reload = Reload::new(loaded, overrides, command, &gateway);
    service::ready();
    loop {
        tokio::select! {
            () = &mut serving => break,
            _ = signals.hangup.recv() => reload.run(),
            () = reload.changed() => reload.run(),
            // The second signal does not wait for connections.
            _ = signals.terminate.recv() => if service::stopping(&stop) { break },
            _ = signals.interrupt.recv() => if service::stopping(&stop) { break },
        }
    }
    gateway
        .threads
        .close()
        .context("failed to close the audit trail")?;
    drop(gateway.indexer);
    Ok(ExitCode::Done)
}

/// The signals that mean something to us.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            hangup: handler(SignalKind::hangup())?,
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
        })
    }
}

fn handler(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("failed to listen for signals")
}
