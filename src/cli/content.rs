//! The commands about content: the rules, and scanning with them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use oktsec_model::Severity;

use crate::config::parse_size;

#[derive(Args, Debug)]
pub(crate) struct ScanArgs {
    /// Files, directories with everything below them, or - for stdin
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// One JSON object per finding; as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// The form of the findings: human, json or sarif
    #[arg(long, value_enum, default_value_t = ScanFormat::Human, value_name = "FORM")]
    #[arg(hide_possible_values = true)]
    pub(crate) format: ScanFormat,
    /// Only what is at least so bad: low, medium, high, critical
    #[arg(long, value_parser = severity, value_name = "MIN")]
    pub(crate) severity: Option<Severity>,
    /// Only this category; may be repeated
    #[arg(long, value_delimiter = ',', value_name = "C")]
    pub(crate) category: Vec<String>,
    /// Only this rule; may be repeated
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) rule: Vec<String>,
    #[command(flatten)]
    pub(crate) own: OwnRules,
    /// Larger files are scanned in overlapping windows
    #[arg(long, value_parser = size, default_value = "64MiB", value_name = "SIZE")]
    pub(crate) max_size: usize,
}

/// The form of findings.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ScanFormat {
    Human,
    Json,
    Sarif,
}

/// Rules of the operator's own.
#[derive(Args, Debug)]
pub(crate) struct OwnRules {
    /// Rules of your own, added to the built-in ones: a directory of YAML files, or a file
    #[arg(long, value_name = "DIR")]
    pub(crate) rules_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Print all rules, one per line
    List(RulesListArgs),
    /// Print all about a rule
    Show(RulesShowArgs),
    /// Check a rule's examples, or see which rules match a text
    Test(RulesTestArgs),
    /// Report every mistake in rule files, and what could be better
    Lint(RulesLintArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RulesListArgs {
    /// Only this category
    #[arg(long, value_name = "C")]
    pub(crate) category: Option<String>,
    /// Only what is at least so bad: low, medium, high, critical
    #[arg(long, value_parser = severity, value_name = "MIN")]
    pub(crate) severity: Option<Severity>,
    /// One JSON object per rule
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnRules,
}

#[derive(Args, Debug)]
pub(crate) struct RulesShowArgs {
    /// The rule
    pub(crate) id: String,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnRules,
}

#[derive(Args, Debug)]
pub(crate) struct RulesTestArgs {
    /// The rule
    #[arg(required_unless_present = "all")]
    pub(crate) id: Option<String>,
    /// A text to scan, or - for stdin; without it, the rule's own examples
    pub(crate) text: Option<String>,
    /// All rules instead of one
    #[arg(long)]
    pub(crate) all: bool,
    /// One JSON object per rule
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) own: OwnRules,
}

#[derive(Args, Debug)]
pub(crate) struct RulesLintArgs {
    /// Rule files, or directories of them; without any, the built-in rules
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(&word.to_ascii_lowercase())
        .ok_or_else(|| "it is low, medium, high or critical".to_owned())
}

/// A size that one file may have in memory.
fn size(text: &str) -> Result<usize, String> {
    const SIZE_MAX: usize = 1 << 30;
    parse_size(text)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| (1..=SIZE_MAX).contains(bytes))
        .ok_or_else(|| "it is a size up to 1GiB, for example 64MiB".to_owned())
}
