//! Exit codes. They are an interface: scripts and CI act on them.

use std::process;

/// What the process says when it ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitCode {
    /// Done; `check`: allowed; `scan`: clean.
    Done = 0,
    /// Failed at run time: I/O, an upstream, the unexpected.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The answer is no: `check` would be blocked, `scan` found something, a rule fails.
    No = 3,
    /// The configuration is invalid.
    Config = 4,
    /// The daemon cannot be reached, or its port or store is in use.
    Unavailable = 5,
    /// The audit chain is broken or a signature is wrong.
    Integrity = 6,
}

/// For the end of every `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; `check`: allowed; `scan`: clean
  1  failed at run time
  2  usage error
  3  the answer is no: `check` would be blocked, `scan` found something,
     a rule does not do what it says
  4  configuration invalid
  5  daemon not reachable, or its port or store is in use
  6  integrity: the audit chain is broken";

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
