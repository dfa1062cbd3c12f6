//! What the gateway is made of: authority, ledger, detector, and one generation of what a reload
//! replaces.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oktsec_audit::{Indexer, Ledger, LedgerOptions, LedgerThreads, OpenError};
use oktsec_detect::{self as detect, Detector, FingerprintKey, KnownSecret, Setup};
use oktsec_inspect::{Scope, Snapshot};
use oktsec_limit::Limiter;
use oktsec_proxy::{
    Authority, AuthorityFiles, Chain, Context, IdentitySettings, Limits, Parts, PortCertificate,
    PortFiles, Settings, State, Timeouts, client_config, port_certificate, write_bundle,
};

use crate::command::version::VERSION;
use crate::command::{Unavailable, fingerprint, now};
use crate::config::{Durability, Environment, Hidden, Loaded, UpstreamRoots};

/// The size at which a segment of the ledger is closed.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
const QUEUE_EVENTS_MAX: usize = 8192;

/// Everything that was made at the start.
pub(super) struct Gateway {
    pub(super) cx: Arc<Context>,
    /// Fingerprints stay comparable over reloads.
    pub(super) key: FingerprintKey,
    pub(super) ledger: Ledger,
    pub(super) threads: LedgerThreads,
    pub(super) indexer: Indexer,
    pub(super) created: Vec<(PathBuf, &'static str)>,
}

/// Opens or makes everything that the gateway stands on, and joins it.
pub(super) fn make(
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

pub(super) fn detector(
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

/// The certificate of the proxy's own port, where it has one.
fn certificate(loaded: &Loaded) -> anyhow::Result<Option<PortCertificate>> {
    let Some(files) = &loaded.settings.port_tls else {
        return Ok(None);
    };
    let files = PortFiles {
        certificate: files.cert.clone(),
        key: files.key.clone(),
        client_authority: files.client_ca.clone(),
    };
    Ok(Some(port_certificate(&files)?))
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
pub(super) fn state(
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
            certificate: certificate(loaded)?,
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
