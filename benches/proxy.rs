//! The gateway end to end over loopback: how many requests per second go through, how late they
//! are, and how much processor time each costs, beside a direct connection and beside Squid.
//!
//! Client, gateway and upstream are three processes. Client and upstream have one thread each,
//! so that on a small machine the gateway finds a core to run on. See `README.md`.

#[path = "proxy/authority.rs"]
mod authority;
#[path = "proxy/client.rs"]
mod client;
#[path = "proxy/gateway.rs"]
mod gateway;
#[path = "proxy/load.rs"]
mod load;
#[path = "proxy/payload.rs"]
mod payload;
#[path = "proxy/plan.rs"]
mod plan;
#[path = "proxy/process.rs"]
mod process;
#[path = "proxy/report.rs"]
mod report;
#[path = "proxy/squid.rs"]
mod squid;
#[path = "proxy/upstream.rs"]
mod upstream;
#[path = "proxy/wire.rs"]
mod wire;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;

use authority::Authority;
use gateway::{Gateway, Tunnels};
use load::Load;
use payload::Payload;
use plan::{Case, Gateways, Peers};
use report::Report;
use squid::Squid;
use upstream::Upstream;

/// Loopback benchmark of the gateway.
#[derive(Parser)]
struct Args {
    /// Time measured per case and round, after a warm-up of half a second.
    #[arg(long, default_value_t = 3.0, value_parser = positive)]
    seconds: f64,
    /// Repeats of the whole plan; their samples are pooled.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Connections of the throughput cases; the latency cases have one.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Run only cases whose name ("POST 1 KiB intercept oktsec 64") contains all of these words.
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Run the cases through Squid too (Debian: squid-openssl).
    #[arg(long)]
    squid: bool,
    /// Leave the gateway out: how fast client and upstream are by themselves.
    #[arg(long)]
    no_gateway: bool,
    /// Write the figures to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Be the upstream (used by the benchmark itself).
    #[arg(long, hide = true, value_name = "DIR")]
    upstream: Option<PathBuf>,
    /// Cargo passes this under `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The host that every request names; the seed lets its researcher reach it.
const HOST: &str = "api.arxiv.org";

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // One thread: the load generator must not take the gateway's core.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match &args.upstream {
        Some(dir) => runtime.block_on(upstream::serve(dir)),
        // `cargo test --benches` runs this too and wants an answer now.
        None if !args.bench => Ok(()),
        None => run(&args, &runtime),
    }
}

fn run(args: &Args, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let peers = start(args, dir.path())?;
    let mut report = Report::default();
    for _ in 0..args.rounds {
        runtime.block_on(round(args, &peers, &mut report))?;
    }
    report.write(&mut std::io::stdout().lock())?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn start(args: &Args, dir: &Path) -> anyhow::Result<Peers> {
    let ca = Authority::generate("oktsec bench: the upstream's CA")?;
    let upstream_authority = dir.join("upstream-ca.pem");
    ca.write_certificate(&upstream_authority)?;
    ca.write_leaf(dir)?;
    let upstream = Upstream::start(dir)?;
    let gateway = if args.no_gateway {
        None
    } else {
        let start =
            |name, tunnels| Gateway::start(dir.join(name), &upstream, &upstream_authority, tunnels);
        Some(Gateways {
            bypass: start("bypass", Tunnels::Bypass)?,
            intercept: start("intercept", Tunnels::Intercept)?,
        })
    };
    let squid = if args.squid {
        ensure!(
            Squid::installed(),
            "Squid with ssl-bump is not installed (Debian: squid-openssl)"
        );
        Some(Squid::start(&upstream_authority)?)
    } else {
        None
    };
    Ok(Peers {
        upstream,
        upstream_authority,
        gateway,
        squid,
    })
}

/// Every case once. What gets compared (the carriers of one body) runs close together in time,
/// as the speed of a shared machine drifts.
async fn round(args: &Args, peers: &Peers, report: &mut Report) -> anyhow::Result<()> {
    let lanes = peers.lanes()?;
    for payload in Payload::ALL {
        for connections in plan::connection_counts(args.connections) {
            for lane in &lanes {
                let (carrier, traffic) = (lane.carrier, lane.traffic);
                let case = Case {
                    carrier,
                    traffic,
                    payload,
                    connections,
                };
                if !wanted(args, case) {
                    continue;
                }
                let load = Load {
                    connections,
                    duration: Duration::from_secs_f64(args.seconds),
                };
                let request = lane.way.request(payload).into();
                let sample = load.run(&lane.way, &request, lane.process).await?;
                progress(case, sample.requests_per_second());
                report.add(case, sample);
            }
        }
    }
    Ok(())
}

fn wanted(args: &Args, case: Case) -> bool {
    let name = case.name();
    let words = args.only.as_deref().unwrap_or_default();
    words
        .split_whitespace()
        .all(|word| name.split_whitespace().any(|part| part == word))
}

/// A sign of life on stderr; the run takes minutes. That it cannot be written is no reason to stop.
fn progress(case: Case, requests_per_second: f64) {
    let _ = writeln!(
        std::io::stderr(),
        "{}: {requests_per_second:.0}/s",
        case.name()
    );
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("takes 0.1 to 600 seconds".to_owned()),
    }
}
