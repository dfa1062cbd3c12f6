//! The commands: one file each, one `run()` each. This page dispatches, and gives what went wrong
//! its face and its exit code.

mod ca;
mod check;
mod config;
mod env;
mod fingerprint;
mod init;
mod logs;
mod policy;
mod rules;
mod scan;
mod start;
mod status;
mod version;

use std::io::ErrorKind;
use std::path::PathBuf;

use anstream::ColorChoice;
use anyhow::bail;
use oktsec_audit::{OpenError, ReadError};
use oktsec_detect::RuleError;
use oktsec_model::{AgentName, Timestamp};

use crate::cli::{Cli, Color, Command, Global};
use crate::config::search::{self, Chosen};
use crate::config::{ConfigErrors, Environment, Loaded, Override, load, nearest, render};
use crate::exit::ExitCode;
use crate::output::{self, Output};

/// What every command is given.
pub(crate) struct Context {
    /// Where to print.
    pub(crate) output: Output,
    /// The environment, read once.
    pub(crate) env: Vec<(String, String)>,
    config: Option<PathBuf>,
    verbose: u8,
}

/// No configuration was found.
#[derive(Debug)]
pub(crate) struct NoConfig(Vec<PathBuf>);

/// Something that is needed is in use, or does not answer.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

/// A word on the command line is none of those that it could be.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

/// Rules of the operator's own do not load.
#[derive(Debug)]
pub(crate) struct RuleMistakes(pub(crate) Vec<RuleError>);

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let context = Context::new(cli.global);
    match dispatch(cli.command, &context) {
        Ok(code) => code,
        Err(error) => context.failed(&error),
    }
}

fn dispatch(command: Command, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ca(command) => ca::run(&command, context),
        Command::Check(args) => check::run(&args, context),
        Command::Config(command) => config::run(command, context),
        Command::Env(args) => env::run(&args, context),
        Command::Init(args) => init::run(&args, context),
        Command::Logs(args) => logs::run(&args, context),
        Command::Policy(command) => policy::run(&command, context),
        Command::Rules(command) => rules::run(&command, context),
        Command::Scan(args) => scan::run(&args, context),
        Command::Start(args) => start::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Version(args) => version::run(&args, context),
    }
}

/// Whether the audit trail was read and is not what was written.
fn is_broken(error: &anyhow::Error) -> bool {
    let read = error.downcast_ref::<ReadError>();
    matches!(read, Some(ReadError::Io(error)) if error.kind() == ErrorKind::InvalidData)
        || matches!(error.downcast_ref(), Some(OpenError::Instance))
}

/// The wall clock.
fn now() -> Timestamp {
    crate::when::now()
}

/// The configured agent of that name.
fn known_agent(loaded: &Loaded, name: &str) -> anyhow::Result<AgentName> {
    if let Some(agent) = loaded
        .policies
        .agents()
        .find(|agent| agent.as_str() == name)
    {
        return Ok(agent.clone());
    }
    let names: Vec<&str> = loaded.policies.agents().map(AgentName::as_str).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => bail!(
            "no agent `{name}` in {}; did you mean `{near}`?",
            loaded.path.display()
        ),
        None => bail!(
            "no agent `{name}` in {}; there are: {}",
            loaded.path.display(),
            names.join(", ")
        ),
    }
}

// === impl Context ===

impl Context {
    fn new(global: Global) -> Self {
        let color = match global.color {
            Color::Always => ColorChoice::Always,
            Color::Auto => ColorChoice::Auto,
            Color::Never => ColorChoice::Never,
        };
        // What is not UTF-8 is no setting of ours.
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let env = std::env::vars_os()
            .filter_map(|(k, v)| Some((text(k)?, text(v)?)))
            .collect();
        Self {
            output: Output::new(color),
            env,
            config: global.config,
            verbose: global.verbose,
        }
    }

    /// Which file is the configuration. Says so where `-v` asks for it.
    ///
    /// # Errors
    /// [`NoConfig`] when there is none.
    pub(crate) fn config_path(&self) -> anyhow::Result<Chosen> {
        let env = Environment(&self.env);
        let chosen =
            search::find(self.config.as_deref(), env, &|path| path.is_file()).map_err(NoConfig)?;
        if self.verbose > 0 {
            let path = chosen.path.display();
            self.output
                .say(&format!("configuration: {path}   ({})", chosen.why));
        }
        Ok(chosen)
    }

    /// Reads the configuration; warnings are for the caller to print, see [`Context::warn`].
    ///
    /// # Errors
    /// [`NoConfig`] or [`ConfigErrors`].
    pub(crate) fn load(&self, overrides: &[Override]) -> anyhow::Result<Loaded> {
        let chosen = self.config_path()?;
        Ok(load(&chosen.path, &self.env, overrides)?)
    }

    /// Prints the warnings of a configuration to stderr.
    pub(crate) fn warn(&self, loaded: &Loaded) {
        for warning in &loaded.warnings {
            self.output.say(&render::frame(warning));
        }
    }

    fn failed(&self, error: &anyhow::Error) -> ExitCode {
        if output::is_closed(error) {
            return ExitCode::Done;
        }
        if let Some(errors) = error.downcast_ref::<ConfigErrors>() {
            for diagnostic in &errors.diagnostics {
                self.output.say(&format!("{}\n", render::frame(diagnostic)));
            }
            self.output.say(&errors.to_string());
            return ExitCode::Config;
        }
        let word = output::paint(output::Tone::Bad, "error");
        if let Some(RuleMistakes(mistakes)) = error.downcast_ref() {
            for mistake in mistakes {
                self.output.say(&format!("{word}: {mistake}"));
            }
            self.output.say("  help: `oktsec rules lint` says more");
            return ExitCode::Config;
        }
        self.output.say(&format!("{word}: {error:#}"));
        if error.downcast_ref::<NoConfig>().is_some() {
            self.output.say("  help: `oktsec init` writes one");
            return ExitCode::Config;
        }
        if error.downcast_ref::<Unavailable>().is_some() {
            return ExitCode::Unavailable;
        }
        if error.downcast_ref::<Usage>().is_some() {
            return ExitCode::Usage;
        }
        if is_broken(error) {
            return ExitCode::Integrity;
        }
        ExitCode::Failed
    }
}

// === impl Unavailable ===

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

// === impl RuleMistakes ===

impl std::fmt::Display for RuleMistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} mistakes in rule files", self.0.len())
    }
}

impl std::error::Error for RuleMistakes {}

// === impl Usage ===

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

// === impl NoConfig ===

impl std::fmt::Display for NoConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places: Vec<String> = self
            .0
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        write!(f, "no configuration; looked at {}", places.join(", "))
    }
}

impl std::error::Error for NoConfig {}
