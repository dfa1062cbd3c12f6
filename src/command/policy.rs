//! `oktsec policy`: what holds for an agent after the merge, each line with its origin.

use oktsec_model::{AgentName, Origin};
use oktsec_policy::{Effective, Line};
use serde_json::{Value, json};

use crate::cli::{PolicyCommand, PolicyShowArgs};
use crate::command::{Context, known_agent};
use crate::exit::ExitCode;

pub(super) fn run(command: &PolicyCommand, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Show(args) => show(args, context),
    }
}

fn show(args: &PolicyShowArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    let agents: Vec<AgentName> = match &args.agent {
        Some(name) => vec![known_agent(&loaded, name)?],
        None => loaded.policies.agents().cloned().collect(),
    };
    let mut texts = Vec::new();
    for agent in &agents {
        let Some(effective) = loaded.policies.describe(agent) else {
            continue;
        };
        texts.push(if args.json {
            format!("{}\n", to_json(agent, &effective))
        } else if agents.len() > 1 {
            format!("{agent}\n{}", to_text(&effective))
        } else {
            to_text(&effective)
        });
    }
    context
        .output
        .data(&texts.join(if args.json { "" } else { "\n" }))?;
    Ok(ExitCode::Done)
}

fn to_text(effective: &Effective) -> String {
    const EVERYTHING: &str = "every host that is not blocked";
    let mut rows: Vec<(&str, String, String)> = Vec::new();
    let mut section = |title: &'static str, lines: &[Line]| {
        for (index, line) in lines.iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            rows.push((title, value(line), place(&line.origin)));
        }
    };
    if let Some(suspended) = &effective.suspended {
        section("suspended", std::slice::from_ref(suspended));
    }
    section("allowed", &effective.allowed);
    section("blocked", &effective.blocked);
    section("categories", &effective.categories);
    section("limit", std::slice::from_ref(&effective.limit));
    section("scan", std::slice::from_ref(&effective.scan));
    section("responses", std::slice::from_ref(&effective.scan_responses));
    section("mode", std::slice::from_ref(&effective.mode));
    if effective.allowed.is_empty() {
        rows.insert(
            usize::from(effective.suspended.is_some()),
            ("allowed", EVERYTHING.into(), String::new()),
        );
    }
    let width = rows
        .iter()
        .map(|(_, value, _)| value.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|(title, value, place)| {
            format!("{title:<11} {value:<width$}   {place}")
                .trim_end()
                .to_owned()
                + "\n"
        })
        .collect()
}

fn value(line: &Line) -> String {
    if line.notes.is_empty() {
        line.text.clone()
    } else {
        format!("{} ({})", line.text, line.notes.join("; "))
    }
}

/// `forward_proxy.blocked_domains[0]   oktsec.yaml:9`.
fn place(origin: &Origin) -> String {
    if origin.line == 0 {
        format!("{}   {}", origin.entry, origin.file)
    } else {
        format!("{}   {}:{}", origin.entry, origin.file, origin.line)
    }
}

fn to_json(agent: &AgentName, effective: &Effective) -> Value {
    let line = |line: &Line| {
        json!({
            "value": line.text, "notes": line.notes, "entry": &*line.origin.entry,
            "file": &*line.origin.file, "line": line.origin.line,
        })
    };
    let lines = |lines: &[Line]| lines.iter().map(line).collect::<Vec<Value>>();
    json!({
        "schema": 1,
        "agent": agent.as_str(),
        "suspended": effective.suspended.as_ref().map(line),
        "allowed": lines(&effective.allowed),
        "blocked": lines(&effective.blocked),
        "categories": lines(&effective.categories),
        "limit": line(&effective.limit),
        "scan_requests": line(&effective.scan),
        "scan_responses": line(&effective.scan_responses),
        "mode": line(&effective.mode),
    })
}
