//! The gateway under test: the binary of this build, with a policy that makes it look at every
//! byte and limit nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::HOST;
use crate::process::{Process, free_ports};
use crate::upstream::Upstream;

/// A running `oktsec`.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) port: u16,
    dir: PathBuf,
}

/// What it does with a TLS tunnel.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Tunnels {
    Bypass,
    Intercept,
}

const BINARY: &str = env!("CARGO_BIN_EXE_oktsec");

// === impl Gateway ===

impl Gateway {
    /// Starts it with all of its files below `dir`.
    pub(crate) fn start(
        dir: PathBuf,
        upstream: &Upstream,
        upstream_roots: &Path,
        tunnels: Tunnels,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(&dir)?;
        let [port] = free_ports()?;
        let config = dir.join("oktsec.yaml");
        fs::write(
            &config,
            config_text(&dir, port, upstream, upstream_roots, tunnels),
        )?;
        let mut command = Command::new(BINARY);
        command
            .arg("start")
            .arg("--config")
            .arg(&config)
            .current_dir(&dir)
            // Nothing of the caller's own settings may reach the gateway.
            .env_clear()
            .env("HOME", &dir)
            .env("XDG_CONFIG_HOME", dir.join("config"))
            .env("XDG_DATA_HOME", dir.join("data"))
            .env("XDG_RUNTIME_DIR", &dir);
        let process = Process::serve("oktsec", &mut command, dir.join("oktsec.log"), &[port])?;
        Ok(Self { process, port, dir })
    }

    /// The certificate of its CA.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.join("ca").join("ca.pem")
    }
}

fn config_text(
    dir: &Path,
    port: u16,
    upstream: &Upstream,
    upstream_roots: &Path,
    tunnels: Tunnels,
) -> String {
    let (plain, tls) = (upstream.plain_port, upstream.tls_port);
    let bypass = match tunnels {
        Tunnels::Bypass => HOST,
        Tunnels::Intercept => "",
    };
    let (dir, roots) = (dir.display(), upstream_roots.display());
    format!(
        r#"forward_proxy:
  enabled: true
  port: {port}
  bind: 127.0.0.1
  scan_requests: true
  scan_responses: false
  max_body_size: 1048576
  blocked_domains: [pastebin.com, paste.ee, hastebin.com, transfer.sh, file.io]
  resolve: {{"*:80": "127.0.0.1:{plain}", "*:443": "127.0.0.1:{tls}"}}
tls:
  bypass: [{bypass}]
  upstream_roots: "{roots}"
  ca: {{dir: "{dir}/ca"}}
audit:
  dir: "{dir}/audit"
agents:
  researcher:
    can_message: [coordinator]
    egress:
      allowed_domains: [api.arxiv.org, api.semanticscholar.org, scholar.google.com]
      blocked_categories: [credentials, pii]
      scan_requests: true
      rate_limit: 0
  coder:
    can_message: [coordinator]
    egress:
      allowed_domains: [api.github.com, registry.npmjs.org, pypi.org]
      blocked_domains: [raw.githubusercontent.com]
      blocked_categories: [credentials]
      rate_limit: 0
  coordinator:
    can_message: ["*"]
"#
    )
}
