//! The one place that reads configuration: file, variables and flags in, everything typed out.
//!
//! `include` reads the files to a tree of nodes with places, `environment` lays variables and flags
//! over it, `walk` holds it against the `schema`, `check` and `compile` make of it what the gateway
//! runs on. Each step collects mistakes, so that all of them are told at once. Precedence: flags,
//! environment, file, default.

mod check;
mod compile;
mod detection;
mod diagnostic;
mod environment;
mod expand;
mod include;
mod node;
mod raw;
pub(crate) mod reference;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod show;
mod value;
mod walk;
mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use oktsec_detect::{KnownSecret, RuleFile};
use oktsec_model::AgentName;
use oktsec_policy::{HostPatterns, PolicySet};

pub(crate) use diagnostic::{Diagnostic, Severity, nearest};
pub(crate) use environment::Override;
pub(crate) use raw::RawConfig;
pub(crate) use value::parse_size;

use detection::OwnRules;

/// The environment, as a value, so that tests bring their own.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'e>(pub(crate) &'e [(String, String)]);

/// A configuration that can be run.
pub(crate) struct Loaded {
    /// What cannot change while the gateway runs.
    pub(crate) boot: Boot,
    /// Who may reach what.
    pub(crate) policies: PolicySet,
    /// Everything else that can change while it runs.
    pub(crate) settings: Settings,
    /// The operator's own rules.
    pub(crate) rules: Vec<RuleFile>,
    /// What somebody should look at.
    pub(crate) warnings: Vec<Diagnostic>,
    /// `sha256:…` over the effective configuration; the same for two spellings of the same.
    pub(crate) digest: String,
    /// The file that was read.
    pub(crate) path: PathBuf,
    /// Every file that was read, secrets aside, and the directories in which others would be.
    pub(crate) files: Vec<PathBuf>,
    /// Every setting with its origin.
    pub(crate) effective: RawConfig,
}

/// What cannot change while the gateway runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Boot {
    /// Whether the proxy is to run at all.
    pub(crate) enabled: bool,
    /// The addresses to listen on.
    pub(crate) bind: Vec<IpAddr>,
    /// The port to listen on.
    pub(crate) port: u16,
    /// How many connections there may be.
    pub(crate) connections_max: u32,
    /// Where the ledger is.
    pub(crate) audit_dir: PathBuf,
    /// When a record must be on disk.
    pub(crate) durability: Durability,
    /// Where the CA is.
    pub(crate) ca_dir: PathBuf,
    /// How long a leaf certificate is valid, in seconds.
    pub(crate) leaf_ttl_s: u64,
    /// What upstream certificates are checked against.
    pub(crate) upstream_roots: UpstreamRoots,
    /// The process's own log.
    pub(crate) log: LogSettings,
}

/// When a record must be on disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Durability {
    /// Before the agent gets its answer.
    Answer,
    /// Before a byte leaves.
    Egress,
}

/// What upstream certificates are checked against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum UpstreamRoots {
    /// The system's roots.
    System,
    /// The system's roots and those of a PEM file.
    SystemAnd(PathBuf),
    /// The built-in Mozilla roots.
    Webpki,
}

/// The process's own log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) level: String,
    /// The form of a line.
    pub(crate) format: LogFormat,
}

/// The form of a line of the process's own log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// One object per line.
    Json,
    /// For people.
    Pretty,
}

/// A text that may hold a secret.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<set>")
    }
}

/// What can change while the gateway runs, the policy aside.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The largest body that is held and judged.
    pub(crate) body_bytes_max: usize,
    /// Whether larger ones are judged as they flow.
    pub(crate) streams_oversize: bool,
    /// Balancers in front, which say whose connections they pass on.
    pub(crate) balancers: Vec<IpNet>,
    /// The certificate of the proxy's own port.
    pub(crate) port_tls: Option<PortTls>,
    /// The proxy behind this one: an address or `env`. It may hold a password.
    pub(crate) upstream_proxy: Option<Hidden>,
    /// Whether TLS is opened.
    pub(crate) intercept: bool,
    /// Hosts whose TLS is never opened.
    pub(crate) bypass: HostPatterns,
    /// The header in which agents name themselves, in lower case.
    pub(crate) identity_header: String,
    /// From where it is believed.
    pub(crate) trust_header_from: Vec<IpNet>,
    /// Client networks of agents; they do not overlap.
    pub(crate) addresses: Vec<(IpNet, AgentName)>,
    /// The agent of requests without identity.
    pub(crate) default_agent: Option<AgentName>,
    /// How long to wait.
    pub(crate) timeouts: Timeouts,
    /// How much may be under way.
    pub(crate) limits: Limits,
    /// How many layers of encoding are opened.
    pub(crate) decode_depth_max: u8,
    /// How much a body may unfold to.
    pub(crate) decode_bytes_max: usize,
}

/// How long to wait for an upstream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Timeouts {
    /// For resolution, connection and handshake.
    pub(crate) connect_ms: u64,
    /// For the first byte of the answer.
    pub(crate) response_header_ms: u64,
    /// Without a byte in either direction.
    pub(crate) idle_ms: u64,
    /// For a body that is held.
    pub(crate) body_ms: u64,
    /// For an agent's connection, however busy.
    pub(crate) connection_ms: u64,
}

/// The PEM files of the proxy's own port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PortTls {
    /// The certificate and those between it and its root.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// Whose certificates agents must have, where they must have any.
    pub(crate) client_ca: Option<PathBuf>,
}

/// How much may be under way at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// Connections of one client.
    pub(crate) client_connections_max: usize,
    /// Requests of one agent.
    pub(crate) agent_requests_max: usize,
    /// Bytes of bodies.
    pub(crate) held_bytes_max: usize,
    /// Memory of the process.
    pub(crate) memory_bytes_max: usize,
}

/// A configuration that cannot be run: every error, and the warnings with them.
#[derive(Debug)]
pub(crate) struct ConfigErrors {
    /// Sorted: errors first, then by place.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The file that was read.
    pub(crate) path: PathBuf,
}

/// Reads, checks and compiles a configuration.
///
/// # Errors
/// Every mistake in it.
pub(crate) fn load(
    path: &Path,
    env: &[(String, String)],
    overrides: &[Override],
) -> Result<Loaded, ConfigErrors> {
    load_as(path, env, overrides, false)
}

/// As [`load`], for somebody who is there to mend what has ended since it was written.
///
/// # Errors
/// Every mistake in it.
pub(crate) fn load_strictly(
    path: &Path,
    env: &[(String, String)],
    overrides: &[Override],
) -> Result<Loaded, ConfigErrors> {
    load_as(path, env, overrides, true)
}

fn load_as(
    path: &Path,
    env: &[(String, String)],
    overrides: &[Override],
    is_strict: bool,
) -> Result<Loaded, ConfigErrors> {
    let env = Environment(env);
    let mut diagnostics = Vec::new();
    let (mut node, mut files) = include::read(path, env, &mut diagnostics);
    // Of a tree that is only half there, nothing more can be said that is true.
    if diagnostics
        .iter()
        .any(|d| diagnostic::code::STRUCTURAL.contains(&d.code))
    {
        return Err(ConfigErrors::new(path, diagnostics));
    }
    environment::apply(&mut node, env, &mut diagnostics);
    environment::apply_flags(&mut node, overrides, &mut diagnostics);
    let root = walk::document(&node, &mut diagnostics);
    forget_consequences(&mut diagnostics);
    let mut raw = RawConfig::new(root, path);
    let own = OwnRules::read(&raw, &mut diagnostics);
    raw.add_parts(own.digests());
    let complete = !diagnostics.iter().any(Diagnostic::is_error);
    check::check(&raw, complete, &mut diagnostics);
    let known = compile::Known {
        rule_ids: own.ids,
        categories: own.categories,
        now: crate::when::now(),
        is_strict,
    };
    let compiled = raw.compile(env, known, complete, &mut diagnostics);
    forget_consequences(&mut diagnostics);
    diagnostic::hush(&mut diagnostics);
    let errors = diagnostics.iter().any(Diagnostic::is_error);
    match compiled {
        Some(parts) if !errors => {
            diagnostics.sort_by(Diagnostic::order);
            let compile::Parts {
                boot,
                policies,
                settings,
            } = parts;
            files.extend(own.places);
            files.extend(settings.port_tls.iter().flat_map(port_files));
            Ok(Loaded {
                boot,
                policies,
                settings,
                files,
                rules: own.files,
                warnings: diagnostics,
                digest: raw.digest(),
                path: path.to_owned(),
                effective: raw,
            })
        }
        Some(_) | None => Err(ConfigErrors::new(path, diagnostics)),
    }
}

fn port_files(tls: &PortTls) -> impl Iterator<Item = PathBuf> {
    let own = [tls.cert.clone(), tls.key.clone()];
    own.into_iter().chain(tls.client_ca.clone())
}

/// What could not be expanded is no fitting value either; saying that too helps nobody.
fn forget_consequences(diagnostics: &mut Vec<Diagnostic>) {
    let place = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref()?;
        Some((span.source.name.to_string(), span.start))
    };
    let failed: Vec<_> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.code == diagnostic::code::EXPANSION)
        .filter_map(place)
        .collect();
    diagnostics.retain(|diagnostic| {
        diagnostic.code == diagnostic::code::EXPANSION
            || place(diagnostic).is_none_or(|place| !failed.contains(&place))
    });
}

// === impl Loaded ===

impl Loaded {
    /// Reads the operator's own secrets, which only what scans needs; warnings are added.
    ///
    /// # Errors
    /// Every secret that cannot be read.
    pub(crate) fn read_secrets(
        &mut self,
        env: &[(String, String)],
    ) -> Result<Vec<KnownSecret>, ConfigErrors> {
        let secrets = detection::read(&self.effective, Environment(env), &mut self.warnings);
        self.warnings.sort_by(Diagnostic::order);
        if self.warnings.iter().any(Diagnostic::is_error) {
            let diagnostics = std::mem::take(&mut self.warnings);
            return Err(ConfigErrors::new(&self.path, diagnostics));
        }
        Ok(secrets)
    }
}

// === impl Settings ===

impl Settings {
    /// How the proxy's own address begins.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.port_tls.is_some() {
            "https"
        } else {
            "http"
        }
    }
}

// === impl Environment ===

impl<'e> Environment<'e> {
    /// The variable's value.
    pub(crate) fn value(self, name: &str) -> Option<&'e str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The variable's value as a path; an empty one is none.
    pub(crate) fn path(self, name: &str) -> Option<PathBuf> {
        self.value(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }
}

// === impl Boot ===

impl Boot {
    /// The first setting that differs, and that a reload therefore cannot bring about.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let same = [
            ("forward_proxy.enabled", self.enabled == other.enabled),
            ("forward_proxy.bind", self.bind == other.bind),
            ("forward_proxy.port", self.port == other.port),
            (
                "forward_proxy.limits.connections",
                self.connections_max == other.connections_max,
            ),
            ("audit.dir", self.audit_dir == other.audit_dir),
            ("audit.durability", self.durability == other.durability),
            ("tls.ca.dir", self.ca_dir == other.ca_dir),
            ("tls.ca.leaf_ttl", self.leaf_ttl_s == other.leaf_ttl_s),
            (
                "tls.upstream_roots",
                self.upstream_roots == other.upstream_roots,
            ),
            ("telemetry.log", self.log == other.log),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(key, _)| key)
    }
}

// === impl ConfigErrors ===

impl ConfigErrors {
    /// The most that is told; nobody reads further, and a file can hold many mistakes.
    const DIAGNOSTICS_MAX: usize = 200;

    fn new(path: &Path, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(Diagnostic::order);
        if let Some(more) = diagnostics.len().checked_sub(Self::DIAGNOSTICS_MAX + 1) {
            let message = format!("and {} more mistakes and warnings", more + 1);
            diagnostics.truncate(Self::DIAGNOSTICS_MAX);
            diagnostics.push(Diagnostic::bare(diagnostic::code::TOO_LARGE, message));
        }
        Self {
            diagnostics,
            path: path.to_owned(),
        }
    }
}

impl fmt::Display for ConfigErrors {
    /// `oktsec.yaml: 4 errors, 2 warnings`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), count(&self.diagnostics))
    }
}

impl std::error::Error for ConfigErrors {}

/// `4 errors, 2 warnings`.
pub(crate) fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .count();
    let warnings = diagnostics.len() - errors;
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!(
        "{}, {}",
        plural(errors, "error"),
        plural(warnings, "warning")
    )
}
