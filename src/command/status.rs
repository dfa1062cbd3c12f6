//! `oktsec status`: is it up, and what has it been doing?

use std::fmt::Write as _;
use std::io::{Read as _, Write as IoWrite};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use oktsec_audit::{AgentSummary, Extent, Reader};
use oktsec_model::Timestamp;
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::command::{Context, Unavailable, now};
use crate::config::Loaded;
use crate::exit::ExitCode;
use crate::when;

/// How long the gateway may take to say that it is up.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);
/// How far back requests are counted.
const PERIOD_US: i64 = 3_600 * 1_000_000;

struct Status {
    up: bool,
    agents: Vec<AgentSummary>,
    extent: Option<Extent>,
    seq: u64,
    hash: Option<String>,
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    let status = read(&loaded)?;
    if args.json {
        context
            .output
            .line(&to_json(&status, &loaded).to_string())?;
    } else {
        context.output.data(&to_text(&status, &loaded, now()))?;
    }
    if status.up {
        return Ok(ExitCode::Done);
    }
    Err(Unavailable(format!(
        "no gateway answers on port {}; `oktsec start` starts one",
        loaded.boot.port
    ))
    .into())
}

fn read(loaded: &Loaded) -> anyhow::Result<Status> {
    let up = loaded
        .boot
        .bind
        .iter()
        .any(|&ip| answers(SocketAddr::new(ip, loaded.boot.port)));
    let mut status = Status {
        up,
        agents: Vec::new(),
        extent: None,
        seq: 0,
        hash: None,
    };
    if loaded.boot.audit_dir.exists() {
        let reader = Reader::open(&loaded.boot.audit_dir)?;
        status.agents = reader.summary(Timestamp::from_micros(now().as_micros() - PERIOD_US))?;
        status.extent = Some(reader.extent()?);
        if let Some(head) = reader.head() {
            status.seq = head.seq;
            status.hash = Some(head.hash.to_string());
        }
    }
    Ok(status)
}

/// Whether a gateway, and not something else, listens there.
fn answers(address: SocketAddr) -> bool {
    let address = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    let attempt = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PROBE_TIME_MAX)?;
        stream.set_read_timeout(Some(PROBE_TIME_MAX))?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    attempt().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"))
}

fn to_text(status: &Status, loaded: &Loaded, now: Timestamp) -> String {
    let up = if status.up { "up" } else { "down" };
    let short = loaded.digest.get(7..11).unwrap_or(&loaded.digest);
    let mut text = format!(
        "{up} · oktsec {} · policy {short} ({})\n",
        super::version::VERSION,
        loaded.path.display()
    );
    text.push_str("AGENT           REQ/1H  BLOCKED  LAST SEEN   LAST BLOCK\n");
    for summary in &status.agents {
        let agent = summary.agent.as_deref().unwrap_or("-");
        let block = summary.last_block.as_ref();
        let block = block.map_or_else(|| "-".to_owned(), |b| format!("{}  {}", b.reason, b.host));
        let seen = when::age(summary.last_seen, now);
        let _ = writeln!(
            text,
            "{agent:<14} {:>7} {:>8}  {seen:<11} {block}",
            summary.requests, summary.blocked
        );
    }
    let (count, oldest) = status
        .extent
        .map_or((0, None), |extent| (extent.count, extent.oldest));
    let _ = write!(text, "audit  {count} events · chain head {}", status.seq);
    if let Some(oldest) = oldest {
        let _ = write!(text, " · oldest {}", oldest.to_seconds_string());
    }
    text.push('\n');
    text
}

fn to_json(status: &Status, loaded: &Loaded) -> Value {
    let agents: Vec<Value> = status
        .agents
        .iter()
        .map(|summary| {
            let block = summary.last_block.as_ref();
            json!({
                "agent": summary.agent,
                "requests_1h": summary.requests,
                "blocked_1h": summary.blocked,
                "last_seen": summary.last_seen.to_millis_string(),
                "last_block": block.map(|b| json!({"time": b.at.to_millis_string(), "reason": b.reason, "host": b.host})),
            })
        })
        .collect();
    json!({
        "schema": 1,
        "up": status.up,
        "version": super::version::VERSION,
        "config": loaded.path.display().to_string(),
        "policy": loaded.digest,
        "agents": agents,
        "audit": {
            "events": status.extent.map_or(0, |extent| extent.count),
            "head": {"seq": status.seq, "hash": status.hash},
        },
    })
}
