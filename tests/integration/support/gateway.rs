//! The real gateway: a child process with a home, a port and an audit trail of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::authority::AUTHORITY;
use super::config::Config;
use super::curl::{Curl, Reply};
use super::process::{command, run, text, wait_for};
use super::upstream::Upstream;

/// A running gateway in front of upstreams of its own.
pub(crate) struct Gateway {
    pub(crate) home: Home,
    pub(crate) upstream: Upstream,
    pub(crate) port: u16,
    child: Mutex<Option<Child>>,
    env: OnceLock<Vec<(String, String)>>,
}

/// A place with a configuration, where the program can be run.
pub(crate) struct Home {
    dir: TempDir,
}

/// Ports may be taken between choosing and using them.
const STARTS_MAX: usize = 5;
const IN_USE: i32 = 5;

// === impl Gateway ===

impl Gateway {
    /// The seed's configuration, with the upstreams of the tests behind every public name.
    pub(crate) fn seed() -> Self {
        Self::start(&Config::seed())
    }

    #[track_caller]
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_with(config, |_| {})
    }

    /// With files in its home that the configuration names.
    #[track_caller]
    pub(crate) fn start_with(config: &Config, furnish: impl FnOnce(&Home)) -> Self {
        let (home, upstream) = (Home::new(), Upstream::start());
        furnish(&home);
        for _ in 0..STARTS_MAX {
            let port = free_port();
            home.write_config(&behind(config, &upstream, &home, port));
            if let Some(child) = home.spawn(port) {
                let child = Mutex::new(Some(child));
                return Self {
                    home,
                    upstream,
                    port,
                    child,
                    env: OnceLock::new(),
                };
            }
        }
        panic!("no port was free {STARTS_MAX} times");
    }

    /// Starts again after a stop, on what the last run left.
    #[track_caller]
    pub(crate) fn start_again(&self) {
        let child = wait_for("the port to be free again", || self.home.spawn(self.port));
        *self.child() = Some(child);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A request with curl.
    pub(crate) fn curl(&self, url: &str) -> Curl<'_> {
        Curl::new(self, url)
    }

    /// A GET as an agent.
    #[track_caller]
    pub(crate) fn get(&self, agent: &str, url: &str) -> Reply {
        self.curl(url).agent(agent).send()
    }

    /// A POST as an agent.
    #[track_caller]
    pub(crate) fn post(&self, agent: &str, url: &str, body: impl AsRef<[u8]>) -> Reply {
        self.curl(url)
            .agent(agent)
            .header("Content-Type: text/plain")
            .body(body)
            .send()
    }

    /// What `oktsec env` sets.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        self.env.get_or_init(|| self.env_of(&[])).clone()
    }

    /// What `oktsec env --agent NAME` sets.
    pub(crate) fn env_as(&self, agent: &str) -> Vec<(String, String)> {
        self.env_of(&["--agent", agent])
    }

    #[track_caller]
    fn env_of(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let mut all = vec!["env", "--format", "json"];
        all.extend(arguments);
        let output = self.home.oktsec(&all);
        let variables: Value = parse(&output);
        let variables = variables.as_object().expect("an object of variables");
        let string = |value: &Value| value.as_str().expect("variables are texts").to_owned();
        variables
            .iter()
            .map(|(name, value)| (name.clone(), string(value)))
            .collect()
    }

    /// The rows that `oktsec logs --all --json` shows.
    #[track_caller]
    pub(crate) fn logs(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["logs", "--all", "--json"];
        all.extend(arguments);
        rows(&self.home.oktsec(&all))
    }

    /// The row that a refusal names; it is there when the answer is.
    #[track_caller]
    pub(crate) fn row(&self, reply: &Reply) -> Value {
        let rows = self.logs(&["--event", reply.event()]);
        assert_eq!(rows.len(), 1, "rows of {}: {rows:?}", reply.event());
        rows.into_iter().next().expect("there is one")
    }

    /// The row of a path, once the exchange has ended.
    #[track_caller]
    pub(crate) fn row_of(&self, path: &str) -> Value {
        wait_for(&format!("the row of {path}"), || {
            let of_path =
                |row: &Value| row["request"]["path"] == path && !row["chain"]["ended"].is_null();
            self.logs(&[]).into_iter().find(of_path)
        })
    }

    /// No byte of it in any file that the gateway keeps or writes.
    #[track_caller]
    pub(crate) fn assert_nowhere(&self, secret: &str) {
        let mut found = Vec::new();
        visit(self.home.path(), &mut |path| {
            let bytes = fs::read(path).unwrap_or_default();
            if bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
            {
                found.push(path.to_owned());
            }
        });
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }

    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child().as_ref().expect("it runs").id().to_string();
        let sent = command("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill is there");
        assert!(sent.success());
    }

    /// Asks it to stop, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&self) -> ExitStatus {
        self.signal("TERM");
        let mut child = self.child().take().expect("it runs");
        wait_for("the gateway to stop", || {
            child.try_wait().expect("the child is ours")
        })
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

// === impl Home ===

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::new().expect("there is a place for files"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("oktsec.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data/oktsec")
    }

    /// What the gateway wrote to stdout and stderr.
    pub(crate) fn talk(&self) -> String {
        let read = |name| fs::read_to_string(self.path().join(name)).unwrap_or_default();
        read("stdout") + &read("stderr")
    }

    pub(crate) fn write_config(&self, config: &Config) {
        fs::write(self.config(), config.as_str()).expect("the directory is ours");
    }

    /// Runs the program with this home's configuration.
    #[track_caller]
    pub(crate) fn oktsec(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments).current_dir(self.path()), b"")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(env!("CARGO_BIN_EXE_oktsec"));
        command.env("HOME", self.path());
        for (name, dir) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_RUNTIME_DIR", "run"),
            ("XDG_STATE_HOME", "state"),
        ] {
            command.env(name, self.path().join(dir));
        }
        command.args(arguments).arg("--config").arg(self.config());
        command
    }

    /// Starts the gateway and waits until it answers. `None` when the port was taken.
    #[track_caller]
    fn spawn(&self, port: u16) -> Option<Child> {
        let file = |name| {
            let path = self.path().join(name);
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("the directory is ours")
        };
        let mut command = self.command(&["start"]);
        command.stdout(file("stdout")).stderr(file("stderr"));
        // Where a test is the service manager.
        let manager = self.path().join(MANAGER);
        if manager.exists() {
            command.env("NOTIFY_SOCKET", manager);
        }
        let mut child = command.spawn().expect("the program is built");
        wait_for("the gateway to answer", || {
            if let Some(status) = child.try_wait().expect("the child is ours") {
                assert_eq!(status.code(), Some(IN_USE), "it ended: {}", self.talk());
                return Some(false);
            }
            healthy(port).then_some(true)
        })
        .then_some(child)
    }
}

/// The socket on which a service manager listens, in the home.
pub(crate) const MANAGER: &str = "manager";

/// The configuration with this test's port and upstreams in it.
fn behind(config: &Config, upstream: &Upstream, home: &Home, port: u16) -> Config {
    let roots = home.path().join("upstream-ca.pem");
    fs::write(&roots, &AUTHORITY.pem).expect("the directory is ours");
    let mut config = config
        .clone()
        .with("forward_proxy.port", &port.to_string())
        .with("tls.upstream_roots", &format!("\"{}\"", roots.display()));
    if !config.as_str().contains("  resolve:") {
        let resolve = format!(
            "{{\"*:80\": \"{}\", \"*:443\": \"{}\", \"h2.test:443\": \"{}\"}}",
            upstream.plain, upstream.tls, upstream.h2
        );
        config = config.with("forward_proxy.resolve", &resolve);
    }
    config
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

fn healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    // Where the port speaks TLS it says so.
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") || answer.contains("https://"))
}

#[track_caller]
fn parse(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

/// One JSON object per line.
#[track_caller]
pub(crate) fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    lines.lines().map(parse).collect()
}

/// Every file under a directory.
pub(crate) fn visit(dir: &Path, seen: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).expect("the directory is ours") {
        let path = entry.expect("the directory is ours").path();
        if path.is_dir() {
            visit(&path, seen)
        } else {
            seen(&path)
        }
    }
}
