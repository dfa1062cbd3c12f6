//! Child processes of the benchmark: started here, measured through `/proc`, ended by their own
//! handle when dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A child that ends with its handle.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: Option<PathBuf>,
}

/// `/proc` counts in hundredths of a second on every Linux, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_LINES_MAX: usize = 12;
const DESCENDANTS_MAX: usize = 64;

// === impl Process ===

impl Process {
    pub(crate) fn spawn(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            log: None,
        })
    }

    /// Starts a server whose talk goes to `log`, and waits until all of `ports` accept.
    pub(crate) fn serve(
        name: &'static str,
        command: &mut Command,
        log: PathBuf,
        ports: &[u16],
    ) -> anyhow::Result<Self> {
        let file = File::create(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let mut process = Self::spawn(name, command)?;
        process.log = Some(log);
        for port in ports {
            process.wait_for(*port)?;
        }
        Ok(process)
    }

    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The processor time that the process and its living descendants have used so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let mut ticks = 0;
        let mut pids = vec![self.child.id()];
        let mut seen = 0;
        while let Some(pid) = pids.pop() {
            seen += 1;
            if seen > DESCENDANTS_MAX {
                bail!("{} has more than {DESCENDANTS_MAX} descendants", self.name);
            }
            match fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) => ticks += ticks_of(&stat).context("/proc has another format")?,
                // A helper may leave at any time; the server itself may not.
                Err(_) if seen > 1 => continue,
                Err(error) => return Err(error).with_context(|| format!("{} is gone", self.name)),
            }
            pids.extend(children_of(pid));
        }
        Ok(f64::from(u32::try_from(ticks)?) / TICKS_PER_SECOND)
    }

    fn wait_for(&mut self, port: u16) -> anyhow::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended at once ({status}):\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "{} does not listen on {address}:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let text = self
            .log
            .as_deref()
            .and_then(|path| fs::read_to_string(path).ok());
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left to do when the child has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that were free a moment ago, all different.
pub(crate) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// User and system time. The name before them may hold blanks and brackets.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn children_of(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            text.split(' ')
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}
