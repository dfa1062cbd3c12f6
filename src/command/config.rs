//! `oktsec config check | show | explain | schema | path`.

use crate::cli::{CheckFormat, ConfigCheckArgs, ConfigCommand, ConfigShowArgs};
use crate::command::Context;
use crate::config::schema::{self, Found};
use crate::config::{Diagnostic, Severity, count, load_strictly, nearest, reference, render, show};
use crate::exit::ExitCode;
use crate::output::{Tone, paint};

pub(super) fn run(command: ConfigCommand, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(args) => check(&args, context),
        ConfigCommand::Explain { key } => explain(key.as_deref(), context),
        ConfigCommand::Path => {
            let chosen = context.config_path()?;
            context.output.line(&chosen.path.display().to_string())?;
            Ok(ExitCode::Done)
        }
        ConfigCommand::Reference => {
            context.output.data(&reference::markdown())?;
            Ok(ExitCode::Done)
        }
        ConfigCommand::Schema => {
            context
                .output
                .line(&format!("{:#}", reference::json_schema()))?;
            Ok(ExitCode::Done)
        }
        ConfigCommand::Show(args) => print(&args, context),
    }
}

/// The diagnostics are what was asked for, so they are data.
fn check(args: &ConfigCheckArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let path = context.config_path()?.path;
    let loaded = load_strictly(&path, &context.env, &[]);
    let checked = loaded.and_then(|mut loaded| {
        // Their values are of no interest here, only whether they are there.
        loaded.read_secrets(&context.env)?;
        Ok(loaded.warnings)
    });
    let diagnostics = checked.unwrap_or_else(|errors| errors.diagnostics);
    let valid = diagnostics
        .iter()
        .all(|d| d.code.severity() != Severity::Error);
    match (args.format, args.json) {
        (CheckFormat::Json, _) | (_, true) => {
            let rows: serde_json::Value = diagnostics.iter().map(render::object).collect();
            context.output.line(&rows.to_string())?;
        }
        (CheckFormat::Github, _) => {
            for diagnostic in &diagnostics {
                context.output.line(&render::github(diagnostic))?;
            }
        }
        (CheckFormat::Text, _) => {
            for diagnostic in &diagnostics {
                let frame = render::frame(diagnostic);
                context.output.line(&format!("{frame}\n"))?;
            }
            context
                .output
                .line(&summary(&path.display().to_string(), &diagnostics, valid))?;
        }
    }
    Ok(if valid {
        ExitCode::Done
    } else {
        ExitCode::Config
    })
}

fn summary(path: &str, diagnostics: &[Diagnostic], valid: bool) -> String {
    let ok = paint(Tone::Good, "ok");
    match (valid, diagnostics) {
        (true, []) => format!("{path}  {ok}"),
        (true, warnings) => format!("{path}  {ok}  ·  {}", count(warnings)),
        (false, all) => format!("{path}: {}", count(all)),
    }
}

fn print(args: &ConfigShowArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    if args.json {
        context
            .output
            .line(&show::object(&loaded.effective).to_string())?;
    } else {
        context
            .output
            .data(&show::yaml(&loaded.effective, args.origin))?;
    }
    Ok(ExitCode::Done)
}

fn explain(path: Option<&str>, context: &Context) -> anyhow::Result<ExitCode> {
    let Some(path) = path else {
        for key in schema::ROOT {
            context
                .output
                .line(&format!("{:14} {}", key.name, key.doc))?;
        }
        return Ok(ExitCode::Done);
    };
    match schema::find(path) {
        Found::Key(key) => {
            context.output.data(&reference::explain(path, key))?;
            Ok(ExitCode::Done)
        }
        Found::Nothing { reached, names } => {
            let last = path.rsplit('.').next().unwrap_or(path);
            let help = match nearest(last, names.iter().copied()) {
                Some(near) => format!("did you mean `{}`?", schema::join(&reached, near)),
                None if names.is_empty() => format!("`{reached}` has no settings below it"),
                None => format!("there are {}", names.join(", ")),
            };
            context.output.say(&format!(
                "error: there is no setting `{path}`\n  help: {help}"
            ));
            Ok(ExitCode::Usage)
        }
    }
}
