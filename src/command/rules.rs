//! `oktsec rules`: what the detection rules are, whether they do what they say, and what there is to say
//! about rule files. The same rules and the same detector as the gateway's.

mod files;
mod show;
mod test;

use std::path::Path;

use oktsec_detect::{Detector, FingerprintKey, IssueLevel, Limits, Rule, RuleIssue, Setup};
use serde_json::json;

use crate::cli::{RulesCommand, RulesLintArgs, RulesListArgs, RulesShowArgs};
use crate::command::{Context, RuleMistakes, Usage};
use crate::config::nearest;
use crate::exit::ExitCode;
use crate::output::{Tone, paint};

pub(super) fn run(command: &RulesCommand, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::List(args) => list(args, context),
        RulesCommand::Show(args) => show(args, context),
        RulesCommand::Test(args) => test::run(args, context),
        RulesCommand::Lint(args) => lint(args, context),
    }
}

/// A detector with the built-in rules and those of a directory.
///
/// # Errors
/// When files cannot be read; [`RuleMistakes`] when rules do not load.
pub(super) fn detector(
    own: Option<&Path>,
    key: FingerprintKey,
    limits: Limits,
) -> anyhow::Result<Detector> {
    Ok(Detector::new(setup(own, key, limits)?).map_err(RuleMistakes)?)
}

fn setup(own: Option<&Path>, key: FingerprintKey, limits: Limits) -> anyhow::Result<Setup> {
    let rules = match own {
        Some(path) => files::read(path)?,
        None => Vec::new(),
    };
    Ok(Setup {
        key,
        limits,
        rules,
        secrets: Vec::new(),
    })
}

/// The rule of that id.
///
/// # Errors
/// [`Usage`], with the nearest id.
pub(super) fn known_rule<'d>(detector: &'d Detector, id: &str) -> anyhow::Result<&'d Rule> {
    detector
        .rule(id)
        .ok_or_else(|| unknown("rule", id, detector.rules().map(|rule| rule.id.as_str())))
}

/// The category of that name, of those that rules have.
///
/// # Errors
/// [`Usage`], with the nearest one.
pub(super) fn known_category(detector: &Detector, word: &str) -> anyhow::Result<String> {
    let word = oktsec_model::category::canonical(word).unwrap_or(word);
    let mut categories: Vec<&str> = detector
        .rules()
        .map(|rule| rule.category.as_str())
        .collect();
    categories.extend(oktsec_model::category::ALL);
    if categories.contains(&word) {
        return Ok(word.to_owned());
    }
    Err(unknown("category", word, categories))
}

fn unknown<'a>(what: &str, word: &str, words: impl IntoIterator<Item = &'a str>) -> anyhow::Error {
    let message = match nearest(word, words) {
        Some(near) => format!("no {what} `{word}`; did you mean `{near}`?"),
        None => format!("no {what} `{word}`; `oktsec rules list` prints all"),
    };
    Usage(message).into()
}

/// A detector for looking at rules, whose fingerprints nobody sees.
fn plain_detector(own: Option<&Path>) -> anyhow::Result<Detector> {
    let setup = setup(own, FingerprintKey::new([0; 32]), Limits::default())?;
    Ok(Detector::with_examples(setup).map_err(RuleMistakes)?)
}

fn list(args: &RulesListArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let detector = plain_detector(args.own.rules_dir.as_deref())?;
    let category = match &args.category {
        Some(word) => Some(known_category(&detector, word)?),
        None => None,
    };
    let mut rules: Vec<&Rule> = detector
        .rules()
        .filter(|rule| args.severity.is_none_or(|min| rule.severity >= min))
        .filter(|rule| {
            category
                .as_deref()
                .is_none_or(|word| rule.category.as_str() == word)
        })
        .collect();
    rules.sort_by(|one, other| one.id.cmp(&other.id));
    let text = if args.json {
        rules
            .iter()
            .map(|rule| format!("{}\n", show::to_json(rule)))
            .collect()
    } else {
        show::table(&rules)
    };
    context.output.data(&text)?;
    context.output.hint(&format!("{} rules", rules.len()));
    Ok(ExitCode::Done)
}

fn show(args: &RulesShowArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let detector = plain_detector(args.own.rules_dir.as_deref())?;
    let rule = known_rule(&detector, &args.id)?;
    if args.json {
        context.output.line(&show::to_json(rule).to_string())?;
    } else {
        context.output.data(&show::to_text(rule))?;
    }
    Ok(ExitCode::Done)
}

fn lint(args: &RulesLintArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut rule_files = Vec::new();
    for path in &args.paths {
        rule_files.extend(files::read(path)?);
    }
    let issues = if args.paths.is_empty() {
        oktsec_detect::lint_builtin()
    } else {
        oktsec_detect::lint(&rule_files)
    };
    let line = if args.json { issue_json } else { issue_text };
    context
        .output
        .data(&issues.iter().map(line).collect::<String>())?;
    let count = |level| issues.iter().filter(|issue| issue.level == level).count();
    let (errors, warnings) = (count(IssueLevel::Error), count(IssueLevel::Warning));
    let files = match rule_files.len() {
        0 => "built-in rules".to_owned(),
        1 => "1 file".to_owned(),
        many => format!("{many} files"),
    };
    context.output.say(&format!(
        "{files}: {}, {}",
        counted(errors, "error"),
        counted(warnings, "warning")
    ));
    let fails = errors > 0 || args.strict && warnings > 0;
    Ok(if fails { ExitCode::No } else { ExitCode::Done })
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

fn issue_text(issue: &RuleIssue) -> String {
    let tone = match issue.level {
        IssueLevel::Error => Tone::Bad,
        IssueLevel::Note => Tone::Good,
        IssueLevel::Warning => Tone::Doubtful,
    };
    let rule = issue
        .rule
        .as_ref()
        .map(|rule| format!("   ({})", rule.as_str()));
    format!(
        "{}:{}: {}: {}{}\n",
        issue.file,
        issue.line,
        paint(tone, issue.level.as_str()),
        issue.message,
        rule.unwrap_or_default()
    )
}

fn issue_json(issue: &RuleIssue) -> String {
    let row = json!({
        "schema": 1,
        "file": issue.file,
        "line": issue.line,
        "rule": issue.rule.as_ref().map(|rule| rule.as_str()),
        "level": issue.level.as_str(),
        "message": issue.message,
    });
    format!("{row}\n")
}
