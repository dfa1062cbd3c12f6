//! Squid with ssl-bump, for comparison: one worker, no cache, an access log, one port that opens
//! TLS and one that tunnels it unseen. It judges nothing and scans nothing.
//!
//! One setting is better than Squid's own default: it may send a POST on an idle upstream
//! connection. Otherwise each POST would pay for a TLS handshake, and nothing else would show.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::process::{Process, free_ports};

/// A running Squid.
pub(crate) struct Squid {
    pub(crate) process: Process,
    /// Tunnels TLS unseen, and serves plain HTTP.
    pub(crate) blind_port: u16,
    /// Opens TLS.
    pub(crate) bump_port: u16,
    authority: PathBuf,
    _dir: TempDir,
}

const BINARY: &str = "/usr/sbin/squid";
const CERTIFICATE_HELPER: &str = "/usr/lib/squid/security_file_certgen";
/// Whom Squid becomes when it is started by root, as Debian's package sets it up.
const USER: &str = "proxy";

// === impl Squid ===

impl Squid {
    /// Starts it with all of its files in a directory of its own.
    pub(crate) fn start(upstream_roots: &Path) -> anyhow::Result<Self> {
        // A directory apart, because another user may have to own it.
        let temporary = tempfile::tempdir()?;
        let dir = temporary.path();
        let authority = dir.join("squid-ca.pem");
        let pair = dir.join("squid-ca-pair.pem");
        let roots = dir.join("upstream-ca.pem");
        let ca = Authority::generate("oktsec bench: Squid's CA")?;
        ca.write_certificate(&authority)?;
        ca.write_pair(&pair)?;
        fs::copy(upstream_roots, &roots)?;
        fs::write(
            dir.join("hosts"),
            format!("127.0.0.1 localhost\n127.0.0.1 {}\n", crate::HOST),
        )?;
        make_certificate_store(&dir.join("certificates"))?;
        let [blind_port, bump_port] = free_ports()?;
        let config = dir.join("squid.conf");
        fs::write(&config, config_text(dir, blind_port, bump_port))?;
        give_away(dir)?;
        let mut command = Command::new(BINARY);
        command
            .args(["-N", "-d", "1", "-f"])
            .arg(&config)
            .current_dir(dir);
        let log = dir.join("squid.log");
        let process = Process::serve("squid", &mut command, log, &[blind_port, bump_port])?;
        Ok(Self {
            process,
            blind_port,
            bump_port,
            authority,
            _dir: temporary,
        })
    }

    /// The certificate of its CA.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// Whether it is installed.
    pub(crate) fn installed() -> bool {
        Path::new(BINARY).exists() && Path::new(CERTIFICATE_HELPER).exists()
    }
}

fn make_certificate_store(dir: &Path) -> anyhow::Result<()> {
    let output = Command::new(CERTIFICATE_HELPER)
        .args(["-c", "-s"])
        .arg(dir)
        .args(["-M", "4MB"])
        .output()
        .context("cannot start Squid's certificate helper")?;
    ensure!(
        output.status.success(),
        "Squid's certificate helper failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Root's files become those of the user that Squid will turn into; anyone else's stay.
fn give_away(dir: &Path) -> anyhow::Result<()> {
    if fs::metadata(dir)?.uid() != 0 {
        return Ok(());
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = users.lines().find_map(|line| {
        let mut fields = line
            .strip_prefix(USER)?
            .strip_prefix(':')?
            .split(':')
            .skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let (user, group) = ids.with_context(|| format!("there is no user {USER}"))?;
    let mut paths = vec![dir.to_owned()];
    while let Some(path) = paths.pop() {
        chown(&path, Some(user), Some(group))?;
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                paths.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn config_text(dir: &Path, blind_port: u16, bump_port: u16) -> String {
    let dir = dir.display();
    format!(
        "visible_hostname localhost\n\
         http_port 127.0.0.1:{blind_port}\n\
         http_port 127.0.0.1:{bump_port} ssl-bump tls-cert={dir}/squid-ca-pair.pem \
         generate-host-certificates=on dynamic_cert_mem_cache_size=4MB\n\
         sslcrtd_program {CERTIFICATE_HELPER} -s {dir}/certificates -M 4MB\n\
         sslcrtd_children 2 startup=1 idle=1\n\
         ssl_bump bump all\n\
         tls_outgoing_options cafile={dir}/upstream-ca.pem\n\
         http_access allow all\n\
         cache deny all\n\
         cache_mem 16 MB\n\
         request_header_access X-Oktsec-Agent deny all\n\
         forwarded_for delete\n\
         via off\n\
         server_pconn_for_nonretriable allow all\n\
         hosts_file {dir}/hosts\n\
         access_log stdio:{dir}/access.log squid\n\
         cache_log {dir}/cache.log\n\
         cache_store_log none\n\
         pid_filename {dir}/squid.pid\n\
         coredump_dir {dir}\n\
         pinger_enable off\n\
         shutdown_lifetime 0 seconds\n\
         workers 1\n\
         cache_effective_user {USER}\n"
    )
}
