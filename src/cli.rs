//! The command line: every command and flag, and nothing that happens.

mod content;
mod help;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use content::{
    RulesCommand, RulesLintArgs, RulesListArgs, RulesShowArgs, RulesTestArgs, ScanArgs, ScanFormat,
};

use crate::exit::EXIT_CODES;

/// Egress DLP gateway for AI agents
#[derive(Debug, Parser)]
#[command(
    name = "oktsec",
    version,
    about = "oktsec: egress DLP gateway for AI agents",
    arg_required_else_help = true,
    disable_help_subcommand = true,
    help_template = help::TOP,
    before_long_help = help::TOP_EXAMPLES,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The configuration to use
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    #[arg(hide_possible_values = true)]
    pub(crate) color: Color,
    /// Say more: which configuration is used, and why
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When to colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Always,
    Auto,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the proxy in the foreground
    #[command(alias = "serve", before_long_help = help::START, after_long_help = EXIT_CODES)]
    Start(StartArgs),
    /// Print the proxy and CA variables for a shell or a tool
    #[command(before_long_help = help::ENV, after_long_help = EXIT_CODES)]
    Env(EnvArgs),
    /// Show or follow the audit trail
    #[command(before_long_help = help::LOGS, after_long_help = EXIT_CODES)]
    Logs(Box<LogsArgs>),
    /// Is it up; mode, agents, rates, chain head
    #[command(before_long_help = help::STATUS, after_long_help = EXIT_CODES)]
    Status(StatusArgs),
    /// Write a starter oktsec.yaml
    #[command(before_long_help = help::INIT, after_long_help = EXIT_CODES)]
    Init(InitArgs),
    /// Check, show and explain the configuration
    #[command(before_long_help = help::CONFIG, after_long_help = EXIT_CODES)]
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Would this agent's request be allowed?
    #[command(before_long_help = help::CHECK, after_long_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Show the effective policy
    #[command(before_long_help = help::POLICY, after_long_help = EXIT_CODES)]
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// List, show, test and lint the detection rules
    #[command(before_long_help = help::RULES, after_long_help = EXIT_CODES)]
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Look for credentials and personal data in files or stdin
    ///
    /// Looks where the gateway would look: into encoded and compressed data too. Binary files are
    /// scanned as well; symbolic links are followed only where they are named. What was found is never
    /// shown whole.
    ///
    /// Fingerprints are made with the installation's key, where there is one, so that they are those of
    /// `oktsec logs`; else with a random one, so that they can be compared within one run only.
    #[command(before_long_help = help::SCAN, after_long_help = EXIT_CODES)]
    Scan(ScanArgs),
    /// The local certificate authority
    #[command(before_long_help = help::CA, after_long_help = EXIT_CODES)]
    #[command(subcommand)]
    Ca(CaCommand),
    /// Print the version
    Version(VersionArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StartArgs {
    /// The port to listen on (`forward_proxy.port`)
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// An address to listen on (`forward_proxy.bind`); may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Vec<String>,
    /// Judge and log, but block nothing except private addresses and the global blocklist
    #[arg(long)]
    pub(crate) observe: bool,
}

#[derive(Args, Debug)]
pub(crate) struct EnvArgs {
    /// The agent that the variables are for
    #[arg(long, env = "OKTSEC_AGENT")]
    pub(crate) agent: Option<String>,
    /// For which shell or tool
    #[arg(long, value_enum, default_value_t = EnvFormat::Sh)]
    pub(crate) format: EnvFormat,
    /// The proxy's URL, where it is not the configured one
    #[arg(long, env = "OKTSEC_PROXY", value_name = "URL")]
    pub(crate) proxy: Option<String>,
}

/// For which shell or tool variables are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum EnvFormat {
    AgentsMd,
    ClaudeCode,
    Codex,
    Docker,
    Dotenv,
    Fish,
    Github,
    Json,
    Powershell,
    Sh,
    Systemd,
    Vscode,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// Only this agent's; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Vec<String>,
    /// Only with this status: forwarded, blocked, flagged, failed; may be repeated
    #[arg(long)]
    pub(crate) status: Vec<String>,
    /// Only with this reason; may be repeated
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Vec<String>,
    /// Only to hosts that match
    #[arg(long, value_name = "PATTERN")]
    pub(crate) host: Option<String>,
    /// Only with this method
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// Only with a finding of this rule
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// Only with a finding of this category
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only of this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Only this event, by its id or the beginning of it
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Only with a finding of this value
    #[arg(long, value_name = "HMAC")]
    pub(crate) fingerprint: Option<String>,
    /// Only where the agent was known in this way
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) identity: Option<Identity>,
    /// Only since: 15m, 24h, 7d, today, yesterday, or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only until
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// How many, the latest [default: 50; with -f 10]
    #[arg(short = 'n', value_name = "N", conflicts_with = "all")]
    pub(crate) number: Option<usize>,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    /// Go on with what comes
    #[arg(short, long, conflicts_with = "reverse")]
    pub(crate) follow: bool,
    /// Latest first
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// The form of a row
    #[arg(short, long, value_enum, default_value_t = LogsOutput::Line)]
    pub(crate) output: LogsOutput,
    /// One JSON object per row; as -o json
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    /// Local time instead of UTC
    #[arg(long)]
    pub(crate) local: bool,
    /// No pager
    #[arg(long)]
    pub(crate) no_pager: bool,
}

/// How an agent was known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Identity {
    Address,
    Anonymous,
    Header,
    Listener,
    Verified,
}

/// The form of a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogsOutput {
    Csv,
    Json,
    Line,
    Wide,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = "oktsec.yaml")]
    pub(crate) path: PathBuf,
    /// Replace what is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every mistake and warning
    Check(ConfigCheckArgs),
    /// Print the effective configuration
    Show(ConfigShowArgs),
    /// Explain a setting
    Explain {
        /// For example `agents.*.egress.rate_window`; without it, all sections
        key: Option<String>,
    },
    /// Print the JSON Schema
    Schema,
    /// Print which file is used
    Path,
    /// Print the reference page
    #[command(hide = true)]
    Reference,
}

#[derive(Args, Debug)]
pub(crate) struct ConfigCheckArgs {
    /// As one JSON array; as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// For whom
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
}

/// For whom diagnostics are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CheckFormat {
    Github,
    Json,
    Text,
}

#[derive(Args, Debug)]
pub(crate) struct ConfigShowArgs {
    /// Where each value was written
    #[arg(long)]
    pub(crate) origin: bool,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The agent
    pub(crate) agent: String,
    /// The URL, or a host
    pub(crate) url: String,
    /// The method
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    /// The address from which the request would come
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// The effective policy after merge, with the origin of each line
    Show(PolicyShowArgs),
}

#[derive(Args, Debug)]
pub(crate) struct PolicyShowArgs {
    /// The agent; without it, all
    pub(crate) agent: Option<String>,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Print where the CA's certificate is
    Path,
}

#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_help_fits_a_terminal_and_names_every_command() {
        const LINES_MAX: usize = 24;
        const COLUMNS_MAX: usize = 80;
        let help = Cli::command().render_help().to_string();
        assert!(help.lines().count() <= LINES_MAX, "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= COLUMNS_MAX),
            "{help}"
        );
        for group in ["Run", "Look", "Policy", "Operate"] {
            assert!(help.lines().any(|line| line == group), "{group}: {help}");
        }
        for command in Cli::command().get_subcommands() {
            let row = format!("  {} ", command.get_name());
            assert!(
                help.lines().any(|line| line.starts_with(&row)),
                "{row}: {help}"
            );
        }
    }

    #[test]
    fn long_help_begins_with_examples_and_ends_with_exit_codes() {
        for mut command in std::iter::once(Cli::command())
            .chain(Cli::command().get_subcommands().cloned())
            .filter(|command| command.get_name() != "version")
        {
            let name = command.get_name().to_owned();
            let help = command.render_long_help().to_string();
            assert!(help.starts_with("Examples:"), "{name}: {help}");
            let examples = help
                .lines()
                .filter(|line| line.starts_with("  oktsec "))
                .count();
            assert_eq!(examples, 3, "{name}");
            assert!(
                help.trim_end().ends_with("the audit chain is broken"),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn an_unknown_verb_gets_the_nearest() {
        let error = Cli::try_parse_from(["oktsec", "strat"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'start'"), "{error}");
        let empty = Cli::try_parse_from(["oktsec"]).unwrap_err();
        assert_eq!(empty.exit_code(), 2);
        assert!(empty.to_string().contains("Operate"), "{empty}");
    }

    #[test]
    fn the_documented_flags_of_logs_parse() {
        let line = "oktsec logs --agent a --agent b --status blocked --reason proxy_blocked_domain \
                    --host *.example.com --method GET --rule r --category pii --session s \
                    --event e --fingerprint f --identity verified --since 24h --until today -n 5 \
                    -r -o wide --local --no-pager";
        assert!(Cli::try_parse_from(line.split_whitespace()).is_ok());
        assert!(Cli::try_parse_from(["oktsec", "logs", "-n", "5", "--all"]).is_err());
        assert!(Cli::try_parse_from(["oktsec", "serve"]).is_ok());
    }
}
