//! `oktsec start`: wires everything, serves, reloads, drains.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oktsec_audit::{
    ConfigApplied, ConfigRejected, Indexer, Ledger, LedgerOptions, LedgerThreads, Note, OpenError,
};
use oktsec_detect::{self as detect, Detector, FingerprintKey, KnownSecret, Setup};
use oktsec_inspect::{Scope, Snapshot};
use oktsec_limit::Limiter;
use oktsec_model::AgentName;
use oktsec_proxy::{
    Authority, AuthorityFiles, Chain, Context, IdentitySettings, Limits, Parts, Settings, State,
    Timeouts, client_config, listener, write_bundle,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::StartArgs;
use crate::command::version::VERSION;
use crate::command::{Context as Command, Unavailable, fingerprint, init, now};
use crate::config::{
    ConfigErrors, Durability, Environment, Hidden, Loaded, Override, UpstreamRoots, load,
    load_strictly, search,
};
use crate::exit::ExitCode;
use crate::telemetry;

/// How long connections may take to end after a stop.
const GRACE: Duration = Duration::from_secs(30);
/// The size at which a segment of the ledger is closed.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const QUEUE_EVENTS_MAX: usize = 8192;

/// Everything that was made at the start.
struct Gateway {
    cx: Arc<Context>,
    /// Fingerprints stay comparable over reloads.
    key: FingerprintKey,
    ledger: Ledger,
    threads: LedgerThreads,
    indexer: Indexer,
    created: Vec<(PathBuf, &'static str)>,
}

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
        let listeners = bind(&loaded)?;
        let mut gateway = make(&loaded, secrets, &command.env)?;
        if written {
            gateway.created.insert(0, (path.clone(), "policy"));
        }
        command.output.say(&banner(&loaded, &gateway));
        serve(loaded, &overrides, command, gateway, listeners).await
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

fn make(
    loaded: &Loaded,
    secrets: Vec<KnownSecret>,
    env: &[(String, String)],
) -> anyhow::Result<Gateway> {
    let boot = &loaded.boot;
    let mut created = Vec::new();
    let files = AuthorityFiles {
        dir: boot.ca_dir.clone(),
    };
    let leaf_ttl_s = u32::try_from(boot.leaf_ttl_s).unwrap_or(u32::MAX);
    let (authority, made) =
        Authority::open(&files, leaf_ttl_s, now()).context("failed to open the local CA")?;
    if made {
        created.push((
            files.certificate(),
            "local CA; its key stays on your disk, mode 0600",
        ));
    }
    write_bundle(&files, &authority).context("failed to write the CA bundle")?;
    let roots = match &boot.upstream_roots {
        UpstreamRoots::System => oktsec_proxy::UpstreamRoots::System,
        UpstreamRoots::SystemAnd(path) => oktsec_proxy::UpstreamRoots::SystemAnd(path.clone()),
        UpstreamRoots::Webpki => oktsec_proxy::UpstreamRoots::Webpki,
    };
    let upstream_tls = client_config(&roots, &authority)?;
    let ca_pem = fs::read_to_string(files.certificate())
        .with_context(|| format!("failed to read {}", files.certificate().display()))?;

    if !boot.audit_dir.exists() {
        created.push((
            boot.audit_dir.clone(),
            "audit trail (chained JSONL, SQLite index)",
        ));
    }
    let (ledger, threads) = open_ledger(loaded)?;
    let indexer = Indexer::start(&boot.audit_dir, ledger.subscribe())
        .context("failed to start the audit index")?;
    let key = fingerprint::open_or_make(&boot.audit_dir)?;
    let detector = detector(loaded, key.clone(), secrets)?;
    let cx = Context::new(Parts {
        state: state(loaded, detector, 1, env)?,
        limiter: Limiter::default(),
        ledger: ledger.clone(),
        authority: Arc::new(authority),
        upstream_tls,
        ca_pem: ca_pem.into(),
    })
    .context("the system gives no randomness")?;
    Ok(Gateway {
        cx: Arc::new(cx),
        key,
        ledger,
        threads,
        indexer,
        created,
    })
}

fn open_ledger(loaded: &Loaded) -> anyhow::Result<(Ledger, LedgerThreads)> {
    let dir = &loaded.boot.audit_dir;
    let options = LedgerOptions {
        dir: dir.clone(),
        segment_bytes_max: SEGMENT_BYTES_MAX,
        queue_events_max: QUEUE_EVENTS_MAX,
        version: VERSION.to_owned(),
        config_digest: loaded.digest.clone(),
    };
    match Ledger::open(&options) {
        Ok(opened) => Ok(opened),
        Err(OpenError::Locked { .. }) => Err(Unavailable(format!(
            "the audit trail {} is in use by another gateway; stop that one or set audit.dir",
            dir.display()
        ))
        .into()),
        Err(error) => {
            Err(error).with_context(|| format!("failed to open the audit trail {}", dir.display()))
        }
    }
}

fn detector(
    loaded: &Loaded,
    key: FingerprintKey,
    secrets: Vec<KnownSecret>,
) -> anyhow::Result<Detector> {
    let setup = Setup {
        key,
        limits: detect::Limits {
            decode_depth_max: loaded.settings.decode_depth_max,
            decode_bytes_max: loaded.settings.decode_bytes_max,
        },
        rules: loaded.rules.clone(),
        secrets,
    };
    Detector::new(setup).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the rules do not load: {}", text.join("; "))
    })
}

/// The proxy behind this one, where the configuration names one.
fn chain(loaded: &Loaded, env: &[(String, String)]) -> anyhow::Result<Option<Arc<Chain>>> {
    const KEY: &str = "forward_proxy.upstream_proxy";
    let Some(Hidden(address)) = &loaded.settings.upstream_proxy else {
        return Ok(None);
    };
    let variable = |name: &str| {
        let env = Environment(env);
        let value = env.value(name).or_else(|| env.value(&name.to_lowercase()));
        value.filter(|value| !value.is_empty())
    };
    let chain = if address == "env" {
        let Some(address) = variable("HTTPS_PROXY") else {
            return Ok(None);
        };
        let no_proxy = variable("NO_PROXY").unwrap_or_default();
        Chain::parse(address, no_proxy).with_context(|| format!("{KEY}: HTTPS_PROXY"))?
    } else {
        Chain::parse(address, "").context(KEY)?
    };
    let (host, port) = chain.place();
    let is_here = host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || loaded.boot.bind.contains(&ip));
    if is_here && port == loaded.boot.port {
        anyhow::bail!("{KEY} names this gateway itself ({host}:{port}): name the proxy behind it");
    }
    Ok(Some(Arc::new(chain)))
}

/// One generation of everything that a reload replaces.
fn state(
    loaded: &Loaded,
    detector: Detector,
    generation: u64,
    env: &[(String, String)],
) -> anyhow::Result<State> {
    let settings = &loaded.settings;
    let scope = Scope {
        intercept: settings.intercept,
        bypass: settings.bypass.clone(),
        body_bytes_max: settings.body_bytes_max,
        streams_oversize: settings.streams_oversize,
    };
    let snapshot = Snapshot::new(
        generation,
        loaded.digest.as_str().into(),
        Arc::new(detector),
        loaded.policies.clone(),
        scope,
    );
    let (timeouts, limits) = (settings.timeouts, settings.limits);
    Ok(State {
        snapshot: Arc::new(snapshot),
        settings: Settings {
            balancers: settings.balancers.clone(),
            chain: chain(loaded, env)?,
            identity: IdentitySettings {
                header: settings
                    .identity_header
                    .parse()
                    .context("identity.header")?,
                trust_header_from: settings.trust_header_from.clone(),
                addresses: settings.addresses.clone(),
                default_agent: settings.default_agent.clone(),
            },
            timeouts: Timeouts {
                connect: Duration::from_millis(timeouts.connect_ms),
                response_header: Duration::from_millis(timeouts.response_header_ms),
                idle: Duration::from_millis(timeouts.idle_ms),
                body: Duration::from_millis(timeouts.body_ms),
                connection: Duration::from_millis(timeouts.connection_ms),
            },
            limits: Limits {
                client_connections_max: limits.client_connections_max,
                agent_exchanges_max: limits.agent_requests_max,
                held_bytes_max: limits.held_bytes_max,
                memory_bytes_max: limits.memory_bytes_max,
            },
            sync_before_egress: loaded.boot.durability == Durability::Egress,
        },
    })
}

fn banner(loaded: &Loaded, gateway: &Gateway) -> String {
    let port = loaded.boot.port;
    let mut text = format!("oktsec {VERSION} · egress DLP proxy for AI agents\n\n");
    for (path, what) in &gateway.created {
        text.push_str(&format_row(
            "created",
            &format!("{}   {what}", path.display()),
        ));
    }
    text.push_str(&format_row("config", &loaded.path.display().to_string()));
    let scope = if loaded.settings.intercept {
        "TLS inspection on"
    } else {
        "TLS inspection off"
    };
    text.push_str(&format_row(
        "proxy",
        &format!("http://localhost:{port}   {scope}"),
    ));
    let agents: Vec<&str> = loaded.policies.agents().map(AgentName::as_str).collect();
    text.push_str(&format_row("agents", &agents.join("  ")));
    let oktsec = invocation();
    let lines = [
        format!("eval \"$({oktsec} env)\""),
        "curl -H \"X-Oktsec-Agent: researcher\" https://api.github.com/repos".to_owned(),
        format!("{oktsec} logs --agent researcher --status blocked"),
    ];
    text.push_str("\nTry it, in another terminal:\n");
    for line in lines {
        text.push_str(&format_line(&line));
    }
    text
}

/// How to call this program from anywhere: by its name where the `PATH` knows it, else by its place.
fn invocation() -> String {
    const NAME: &str = "oktsec";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_known = std::env::split_paths(&path).any(|dir| dir.join(NAME).is_file());
    match std::env::current_exe() {
        Ok(place) if !is_known => place.display().to_string(),
        _ => NAME.to_owned(),
    }
}

fn format_line(line: &str) -> String {
    format!("  {line}\n")
}

fn format_row(name: &str, value: &str) -> String {
    format!("  {name:<10}{value}\n")
}

async fn serve(
    loaded: Loaded,
    overrides: &[Override],
    command: &Command,
    gateway: Gateway,
    listeners: Vec<TcpListener>,
) -> anyhow::Result<ExitCode> {
    let (stop, stopped) = watch::channel(false);
    let mut hangup = handler(SignalKind::hangup())?;
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let connections_max = loaded.boot.connections_max;
    let cx = Arc::clone(&gateway.cx);
    let serving = listener::run(listeners, connections_max, cx, stopped, GRACE);
    tokio::pin!(serving);
    let mut current = loaded;
    let mut generation = 1;
    loop {
        tokio::select! {
            () = &mut serving => break,
            _ = hangup.recv() => reload(&mut current, &mut generation, overrides, command, &gateway),
            // The second signal does not wait for connections.
            _ = terminate.recv() => if stop.send_replace(true) { break },
            _ = interrupt.recv() => if stop.send_replace(true) { break },
        }
    }
    gateway
        .threads
        .close()
        .context("failed to close the audit trail")?;
    drop(gateway.indexer);
    Ok(ExitCode::Done)
}

fn handler(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("failed to listen for signals")
}

/// Puts a changed configuration in place, whole, or keeps the running one and says why.
fn reload(
    current: &mut Loaded,
    generation: &mut u64,
    overrides: &[Override],
    command: &Command,
    gateway: &Gateway,
) {
    match next_state(current, *generation + 1, overrides, command, gateway) {
        Ok((next, state)) => {
            *generation += 1;
            gateway.cx.replace(state);
            gateway.ledger.note(Note::ConfigApplied(ConfigApplied {
                at: now(),
                digest: next.digest.as_str().into(),
                generation: *generation,
            }));
            for warning in &next.warnings {
                tracing::warn!(code = warning.code.id, "{}", warning.message);
            }
            tracing::info!(generation = *generation, digest = %next.digest, "configuration applied");
            *current = next;
        }
        Err(error) => {
            let error = told(&error);
            tracing::error!(error, "configuration rejected; the running one stays");
            let rejected = ConfigRejected {
                at: now(),
                error: error.into(),
            };
            gateway.ledger.note(Note::ConfigRejected(rejected));
        }
    }
}

/// Why a configuration was rejected; of its mistakes the first, which is the one to mend first.
fn told(error: &anyhow::Error) -> String {
    let errors = error.downcast_ref::<ConfigErrors>();
    match errors.and_then(|errors| Some((errors, errors.diagnostics.first()?))) {
        Some((errors, first)) => {
            let place = first
                .span
                .as_ref()
                .map(|span| format!(" at {}", span.place()));
            let place = place.unwrap_or_default();
            format!("{errors}; {}{place}: {}", first.code.id, first.message)
        }
        None => format!("{error:#}"),
    }
}

fn next_state(
    current: &Loaded,
    generation: u64,
    overrides: &[Override],
    command: &Command,
    gateway: &Gateway,
) -> anyhow::Result<(Loaded, State)> {
    let mut next = load_strictly(&current.path, &command.env, overrides)?;
    if let Some(field) = current.boot.first_difference(&next.boot) {
        anyhow::bail!("{field} needs a restart");
    }
    let secrets = next.read_secrets(&command.env)?;
    let detector = detector(&next, gateway.key.clone(), secrets)?;
    let state = state(&next, detector, generation, &command.env)?;
    Ok((next, state))
}
