//! `oktsec version`.

use serde_json::json;

use crate::cli::VersionArgs;
use crate::command::Context;
use crate::exit::ExitCode;

/// The version of this binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn run(args: &VersionArgs, context: &Context) -> anyhow::Result<ExitCode> {
    if args.json {
        context
            .output
            .line(&json!({"schema": 1, "version": VERSION}).to_string())?;
    } else {
        context.output.line(&format!("oktsec {VERSION}"))?;
    }
    Ok(ExitCode::Done)
}
