//! `oktsec logs`: shows and follows the audit trail. Reads the ledger and its index, and writes
//! nothing; a running gateway is not needed.

mod table;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use oktsec_audit::{Follower, Query, Reader};
use oktsec_model::{Reason, Status, Timestamp};

use crate::cli::{Identity, LogsArgs, LogsOutput};
use crate::command::{Context, Usage, now};
use crate::exit::ExitCode;
use crate::output::Output;
use crate::when;
use table::{Format, Widths};

/// Rows that are shown when nothing else is asked for.
const SHOWN: usize = 50;
const SHOWN_BEFORE_FOLLOWING: usize = 10;
/// How long one wait for a new row lasts.
const FOLLOW_WAIT: Duration = Duration::from_millis(500);

pub(super) fn run(args: &LogsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    let dir = &loaded.boot.audit_dir;
    if !dir.exists() {
        bail!(
            "there is no audit trail at {} yet; `oktsec start` makes it",
            dir.display()
        );
    }
    let query = query(args, now())?;
    let reader = Reader::open(dir)
        .with_context(|| format!("failed to read the audit trail {}", dir.display()))?;
    // The follower begins where the reader ends, so that no row falls between them.
    let follower = if args.follow {
        Some(reader.follow()?)
    } else {
        None
    };
    let rows = reader.rows(&query)?;
    let format = Format {
        output: output_of(args),
        local: args.local,
    };
    let mut widths = Widths::default();
    if rows.is_empty() && follower.is_none() {
        context.output.say(&empty(&reader, &query)?);
        return Ok(ExitCode::Done);
    }
    context
        .output
        .data(&format.rows(&rows, &mut widths, true))?;
    match follower {
        Some(follower) => follow(follower, &query, &format, widths, context.output),
        None => Ok(ExitCode::Done),
    }
}

fn follow(
    mut follower: Follower,
    query: &Query,
    format: &Format,
    mut widths: Widths,
    output: Output,
) -> anyhow::Result<ExitCode> {
    loop {
        if let Some(row) = follower.next(FOLLOW_WAIT)?
            && query.matches(&row)
        {
            output.data(&format.rows(std::slice::from_ref(&row), &mut widths, false))?;
        }
    }
}

fn output_of(args: &LogsArgs) -> LogsOutput {
    if args.json {
        LogsOutput::Json
    } else {
        args.output
    }
}

fn query(args: &LogsArgs, now: Timestamp) -> anyhow::Result<Query> {
    let default = if args.follow {
        SHOWN_BEFORE_FOLLOWING
    } else {
        SHOWN
    };
    let limit = if args.all {
        None
    } else {
        Some(args.number.unwrap_or(default))
    };
    let time = |text: &Option<String>| {
        text.as_deref()
            .map(|text| when::parse(text, now))
            .transpose()
    };
    let upper = |method: &Option<String>| method.iter().map(|m| m.to_ascii_uppercase()).collect();
    Ok(Query {
        agents: args.agent.clone(),
        statuses: args
            .status
            .iter()
            .map(|word| status(word))
            .collect::<anyhow::Result<_>>()?,
        reasons: args
            .reason
            .iter()
            .map(|code| reason(code))
            .collect::<anyhow::Result<_>>()?,
        hosts: args
            .host
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
        methods: upper(&args.method),
        rules: args.rule.iter().cloned().collect(),
        categories: args.category.iter().cloned().collect(),
        sessions: args.session.iter().cloned().collect(),
        event: args.event.clone(),
        fingerprint: args.fingerprint.clone(),
        identities: args
            .identity
            .into_iter()
            .flat_map(sources)
            .map(str::to_owned)
            .collect(),
        since: time(&args.since)?,
        until: time(&args.until)?,
        limit,
        newest_first: args.reverse,
        // Whoever asks for CONNECT wants the tunnels that requests speak for as well.
        tunnels: args
            .method
            .as_deref()
            .is_some_and(|m| m.eq_ignore_ascii_case("CONNECT")),
        // What is still open comes once it has ended.
        final_only: args.follow,
    })
}

fn status(word: &str) -> anyhow::Result<String> {
    match Status::parse(word) {
        Some(status) => Ok(status.as_str().to_owned()),
        None => Err(Usage(format!(
            "`{word}` is no status: forwarded, blocked, flagged or failed"
        ))
        .into()),
    }
}

fn reason(code: &str) -> anyhow::Result<String> {
    let full = if code.starts_with("proxy_") {
        code.to_owned()
    } else {
        format!("proxy_{code}")
    };
    if Reason::parse(&full).is_some() {
        return Ok(full);
    }
    let nearest = Reason::ALL
        .into_iter()
        .map(Reason::code)
        .min_by_key(|known| strsim::damerau_levenshtein(known, &full))
        .unwrap_or_default();
    Err(Usage(format!("`{code}` is no reason; did you mean `{nearest}`?")).into())
}

/// The sources that a word stands for.
fn sources(identity: Identity) -> Vec<&'static str> {
    match identity {
        Identity::Address => vec!["address"],
        Identity::Anonymous => vec!["anonymous"],
        Identity::Header => vec!["header"],
        Identity::Listener => vec!["listener"],
        Identity::Verified => vec!["token", "listener", "address"],
    }
}

/// Says what there is, and which filter took it away.
fn empty(reader: &Reader, query: &Query) -> anyhow::Result<String> {
    let extent = reader.extent()?;
    let (Some(oldest), Some(newest)) = (extent.oldest, extent.newest) else {
        return Ok("No events yet.".to_owned());
    };
    let mut text = format!(
        "No events match. {} events exist between {} and {}",
        extent.count,
        oldest.to_seconds_string(),
        newest.to_seconds_string()
    );
    match most_removing(reader, query)? {
        Some(filter) => {
            let _ = write!(text, "; the filter that removed most: {filter}.");
        }
        None => text.push('.'),
    }
    Ok(text)
}

/// The filter without which most rows would be left.
fn most_removing(reader: &Reader, query: &Query) -> anyhow::Result<Option<String>> {
    const COUNTED_MAX: usize = 1_000;
    /// A filter's name, and how to ask without it.
    type Without = (&'static str, fn(&mut Query) -> Vec<String>);
    let without: [Without; 8] = [
        ("--agent", |q| std::mem::take(&mut q.agents)),
        ("--status", |q| std::mem::take(&mut q.statuses)),
        ("--reason", |q| std::mem::take(&mut q.reasons)),
        ("--host", |q| std::mem::take(&mut q.hosts)),
        ("--method", |q| std::mem::take(&mut q.methods)),
        ("--rule", |q| std::mem::take(&mut q.rules)),
        ("--category", |q| std::mem::take(&mut q.categories)),
        ("--since/--until", |q| {
            (q.since, q.until) = (None, None);
            Vec::new()
        }),
    ];
    let mut most = (0, None);
    for (name, remove) in without {
        let mut wider = Query {
            limit: Some(COUNTED_MAX),
            ..query.clone()
        };
        let removed = remove(&mut wider);
        let count = reader.rows(&wider)?.len();
        if count > most.0 {
            most = (
                count,
                Some(
                    format!("{name} {}", removed.join(" "))
                        .trim_end()
                        .to_owned(),
                ),
            );
        }
    }
    Ok(most.1)
}
