//! Programs: found, fed, run with a deadline.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// No client of the tests needs longer.
const RUN_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a condition may take to come true.
const WAIT_TIME_MAX: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A client that `scripts/clients` installs.
#[track_caller]
pub(crate) fn tool(path: &str) -> PathBuf {
    let path = root().join(".tools").join(path);
    assert!(
        path.exists(),
        "{} is missing; run scripts/clients",
        path.display()
    );
    path
}

/// A command with nothing of this process's environment but the way to programs.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// Runs to the end, with `input` on stdin.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let name = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", name.display()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A program that does not read its input breaks the pipe; that is its right.
    let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let deadline = Instant::now() + RUN_TIME_MAX;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{} did not end in {RUN_TIME_MAX:?}", name.display());
        }
        thread::sleep(Duration::from_millis(2));
    };
    drop(feeding);
    let collect =
        |reader: thread::JoinHandle<Vec<u8>>| reader.join().expect("readers do not panic");
    Output {
        status,
        stdout: collect(stdout),
        stderr: collect(stderr),
    }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Looks until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_TIME_MAX;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {WAIT_TIME_MAX:?} for {what}"
        );
        thread::sleep(POLL_PAUSE);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
