//! Reloading: on a signal, and when a file of the configuration has changed. A configuration comes into
//! force whole, or the running one stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use oktsec_audit::{ConfigApplied, ConfigRejected, Note};
use oktsec_proxy::State;

use super::make::{Gateway, detector, state};
use super::service;
use crate::command::{Context as Command, now};
use crate::config::{ConfigErrors, Loaded, Override, load_strictly};

/// What reloads, and what runs.
pub(super) struct Reload<'a> {
    current: Loaded,
    generation: u64,
    overrides: &'a [Override],
    command: &'a Command,
    gateway: &'a Gateway,
    seen: Vec<Stamp>,
}

/// What changes about a file when it is written or replaced; nothing where it is not there.
type Stamp = Option<(i64, i64, u64, u64)>;

/// How often the files are looked at. A change counts once it is the same twice, so that a file is not
/// read in the middle of being written.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

// === impl Reload ===

impl<'a> Reload<'a> {
    pub(super) fn new(
        current: Loaded,
        overrides: &'a [Override],
        command: &'a Command,
        gateway: &'a Gateway,
    ) -> Self {
        Self {
            seen: stamps(&current.files),
            current,
            generation: 1,
            overrides,
            command,
            gateway,
        }
    }

    /// Returns once a file of the configuration has changed, and is at rest.
    pub(super) async fn changed(&self) {
        let mut before = self.seen.clone();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = stamps(&self.current.files);
            if now == before && now != self.seen {
                return;
            }
            before = now;
        }
    }

    /// Puts a changed configuration in place, whole, or keeps the running one and says why.
    pub(super) fn run(&mut self) {
        service::reloading();
        // Before they are read: what changes meanwhile is a change.
        self.seen = stamps(&self.current.files);
        match self.next_state() {
            Ok((next, state)) => self.apply(next, state),
            Err(error) => {
                let error = told(&error);
                tracing::error!(error, "configuration rejected; the running one stays");
                let rejected = ConfigRejected {
                    at: now(),
                    error: error.into(),
                };
                self.gateway.ledger.note(Note::ConfigRejected(rejected));
            }
        }
        service::ready();
    }

    fn apply(&mut self, next: Loaded, state: State) {
        self.generation += 1;
        self.gateway.cx.replace(state);
        self.gateway.ledger.note(Note::ConfigApplied(ConfigApplied {
            at: now(),
            digest: next.digest.as_str().into(),
            generation: self.generation,
        }));
        for warning in &next.warnings {
            tracing::warn!(code = warning.code.id, "{}", warning.message);
        }
        tracing::info!(generation = self.generation, digest = %next.digest, "configuration applied");
        if next.files != self.current.files {
            self.seen = stamps(&next.files);
        }
        self.current = next;
    }

    fn next_state(&self) -> anyhow::Result<(Loaded, State)> {
        let (current, gateway, env) = (&self.current, self.gateway, &self.command.env);
        let mut next = load_strictly(&current.path, env, self.overrides)?;
        if let Some(field) = current.boot.first_difference(&next.boot) {
            anyhow::bail!("{field} needs a restart");
        }
        let secrets = next.read_secrets(env)?;
        let detector = detector(&next, gateway.key.clone(), secrets)?;
        let state = state(&next, detector, self.generation + 1, env)?;
        Ok((next, state))
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let about = fs::metadata(file).ok()?;
        Some((about.mtime(), about.mtime_nsec(), about.len(), about.ino()))
    };
    files.iter().map(stamp).collect()
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
