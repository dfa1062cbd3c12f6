//! `oktsec rules test`: whether rules match what they say they match, or which match a text.

use std::fmt::Write as _;
use std::io::{self, Read as _};

use anyhow::{Context as _, bail};
use oktsec_detect::{Detector, Rule};
use oktsec_model::Finding;
use serde_json::json;

use super::{counted, known_rule, plain_detector};
use crate::cli::RulesTestArgs;
use crate::command::{Context, Usage};
use crate::exit::ExitCode;
use crate::output::{Tone, paint};

const TEXT_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) fn run(args: &RulesTestArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let detector = plain_detector(args.own.rules_dir.as_deref())?;
    let (id, text) = match (&args.id, &args.text) {
        (Some(_), Some(_)) if args.all => {
            let message = "with --all there is one text at most, and no rule".to_owned();
            return Err(Usage(message).into());
        }
        (text, None) if args.all => (None, text.as_deref()),
        (id, text) => (id.as_deref(), text.as_deref()),
    };
    let rule = match id {
        Some(id) => Some(known_rule(&detector, id)?),
        None => None,
    };
    match text {
        Some(text) => on_text(args, context, &detector, rule, &read(text)?),
        None => on_examples(args, context, &detector, rule),
    }
}

/// The text, or what comes on stdin.
fn read(text: &str) -> anyhow::Result<Vec<u8>> {
    if text != "-" {
        return Ok(text.as_bytes().to_vec());
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(TEXT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .context("failed to read stdin")?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        bail!("stdin is larger than 64 MiB; `oktsec scan -` takes any size");
    }
    Ok(bytes)
}

fn on_examples(
    args: &RulesTestArgs,
    context: &Context,
    detector: &Detector,
    rule: Option<&Rule>,
) -> anyhow::Result<ExitCode> {
    let rules: Vec<&Rule> = match rule {
        Some(rule) => vec![rule],
        None => detector.rules().collect(),
    };
    let mut text = String::new();
    let mut failed = 0;
    for rule in &rules {
        let failures = failures(rule, detector);
        failed += usize::from(!failures.is_empty());
        if args.json {
            let row = json!({
                "schema": 1, "rule": rule.id.as_str(), "ok": failures.is_empty(),
                "examples": rule.examples.len(), "negative_examples": rule.negative_examples.len(),
                "failures": failures,
            });
            let _ = writeln!(text, "{row}");
        } else if !failures.is_empty() || !args.all {
            text.push_str(&lines(rule, &failures));
        }
    }
    context.output.data(&text)?;
    if args.all {
        context.output.say(&format!(
            "{}: {failed} failed",
            counted(rules.len(), "rule")
        ));
    }
    Ok(if failed > 0 {
        ExitCode::No
    } else {
        ExitCode::Done
    })
}

/// What a rule does not keep.
fn failures(rule: &Rule, detector: &Detector) -> Vec<String> {
    let named = |texts: &[String], wanted: bool, what: &str| {
        texts
            .iter()
            .enumerate()
            .filter(|(_, text)| rule.is_found_in(text, detector) != wanted)
            .map(|(number, _)| format!("{what} {}", number + 1))
            .collect::<Vec<_>>()
    };
    let mut failures = named(&rule.examples, true, "does not match example");
    failures.extend(named(
        &rule.negative_examples,
        false,
        "matches counter-example",
    ));
    failures
}

fn lines(rule: &Rule, failures: &[String]) -> String {
    let id = rule.id.as_str();
    if failures.is_empty() {
        return format!(
            "{}    {id}   {}, {}\n",
            paint(Tone::Good, "ok"),
            counted(rule.examples.len(), "example"),
            counted(rule.negative_examples.len(), "counter-example")
        );
    }
    failures
        .iter()
        .map(|failure| format!("{}  {id}   {failure}\n", paint(Tone::Bad, "fail")))
        .collect()
}

fn on_text(
    args: &RulesTestArgs,
    context: &Context,
    detector: &Detector,
    rule: Option<&Rule>,
    text: &[u8],
) -> anyhow::Result<ExitCode> {
    let scan = detector.scan_text(text);
    if let Some(reason) = &scan.uninspectable {
        let word = paint(Tone::Doubtful, "uninspectable");
        context.output.say(&format!("{word}: {reason}"));
    }
    let is_meant = |finding: &&Finding| rule.is_none_or(|rule| rule.id == finding.rule);
    let (meant, others): (Vec<&Finding>, Vec<&Finding>) =
        scan.findings.iter().partition(|finding| is_meant(finding));
    let line = if args.json { to_json } else { to_text };
    context.output.data(
        &meant
            .iter()
            .map(|finding| line(finding))
            .collect::<String>(),
    )?;
    if !meant.is_empty() {
        return Ok(ExitCode::Done);
    }
    let mut ids: Vec<&str> = others.iter().map(|finding| finding.rule.as_str()).collect();
    ids.dedup();
    let who = rule.map_or("no rule", |rule| rule.id.as_str());
    let verb = if rule.is_some() {
        "does not match"
    } else {
        "matches"
    };
    let others = if ids.is_empty() {
        String::new()
    } else {
        format!("; others do: {}", ids.join(", "))
    };
    context.output.say(&format!("{who} {verb}{others}"));
    Ok(ExitCode::No)
}

fn to_text(finding: &Finding) -> String {
    let views = finding.location.views.join(" > ");
    let views = if views.is_empty() {
        String::new()
    } else {
        format!("  ({views})")
    };
    format!(
        "{}  {}  {}{views}\n",
        finding.rule.as_str(),
        finding.severity.as_str(),
        finding.redacted
    )
}

fn to_json(finding: &Finding) -> String {
    let row = json!({
        "schema": 1,
        "rule": finding.rule.as_str(),
        "category": finding.category.as_str(),
        "severity": finding.severity.as_str(),
        "confidence": finding.confidence.as_str(),
        "location": finding.location.views.join(" > "),
        "offset": finding.span.start,
        "length": finding.span.len(),
        "redacted": finding.redacted,
    });
    format!("{row}\n")
}
