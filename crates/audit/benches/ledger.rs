//! How fast the ledger takes events, puts them on disk, and how fast the index follows.
//! `cargo bench -p oktsec-audit`; a directory may be given as the first argument.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../src/sample.rs"]
#[expect(dead_code, reason = "not every sample is measured")]
mod sample;

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oktsec_audit::{Indexer, Ledger, Query, Reader};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const EVENTS: u64 = 200_000;

fn main() {
    let runtime = Runtime::new().expect("the benchmark has a runtime");
    let base = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let base = base.unwrap_or_else(|| std::env::temp_dir().display().to_string());
    let fresh = || tempfile::tempdir_in(Path::new(&base)).expect("the directory can be written");
    fdatasync(fresh().path());
    encoding();
    unawaited(fresh().path());
    let dir = fresh();
    for tasks in [1, 64, 256] {
        waiting(&runtime, dir.path(), tasks, EVENTS, false);
    }
    for (tasks, events) in [(1, 500), (64, 50_000), (256, 100_000)] {
        waiting(&runtime, fresh().path(), tasks, events, true);
    }
    index(dir.path());
}

fn fdatasync(dir: &Path) {
    let mut file = File::create(dir.join("probe")).expect("the directory can be written");
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            file.write_all(&[b'x'; 8_192])
                .expect("the probe can be written");
            let began = Instant::now();
            file.sync_data().expect("the probe can be synced");
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "fdatasync of 8 KiB              p50 {:?}  p99 {:?}",
        times[100], times[198]
    );
}

/// The caller's part without the queue.
fn encoding() {
    let began = Instant::now();
    for n in 0..EVENTS {
        let event = oktsec_audit::Event::Decided(Box::new(sample::decided(n)));
        black_box(serde_json::to_vec(&event).expect("events can be encoded"));
    }
    println!(
        "make and encode a decision      {:.2} µs",
        per_event(began, EVENTS)
    );
}

/// The caller's part with the queue: ends are not waited for.
fn unawaited(dir: &Path) {
    const EVENTS: u64 = 60_000;
    let (ledger, threads) = Ledger::open(&sample::options(dir)).expect("the ledger opens");
    let began = Instant::now();
    for n in 0..EVENTS {
        ledger.ended(sample::ended(n));
    }
    let caller = per_event(began, EVENTS);
    while ledger.head().seq < EVENTS {
        std::thread::yield_now();
    }
    let rate = rate(began, EVENTS);
    threads.close().expect("the ledger closes");
    println!("ends, not waited for            {caller:.2} µs in the caller, {rate:.0} written/s");
}

/// Tasks that wait for each decision to be written, or to be on disk.
fn waiting(runtime: &Runtime, dir: &Path, tasks: u64, events: u64, synced: bool) {
    let (ledger, threads) = Ledger::open(&sample::options(dir)).expect("the ledger opens");
    let next = Arc::new(AtomicU64::new(ledger.head().seq * 10));
    let before = cpu();
    let began = Instant::now();
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..tasks {
            let (ledger, next) = (ledger.clone(), Arc::clone(&next));
            set.spawn(async move {
                for _ in 0..events / tasks {
                    let mut event = sample::decided(next.fetch_add(1, Ordering::Relaxed));
                    event.last = true;
                    let entry = ledger
                        .decided(event)
                        .await
                        .expect("the ledger is available");
                    if synced {
                        entry.synced().await.expect("the disk is available");
                    }
                }
            });
        }
        set.join_all().await;
    });
    let events = events / tasks * tasks;
    let (rate, wall) = (rate(began, events), began.elapsed());
    let cpu = (cpu() - before).as_secs_f64() * 1e6 / events as f64;
    threads.close().expect("the ledger closes");
    let kind = if synced { "on disk" } else { "written" };
    println!(
        "decisions {kind}, {tasks:>3} waiting  {rate:>9.0}/s  {cpu:.2} µs CPU in all  ({wall:.2?})"
    );
}

fn index(dir: &Path) {
    let (ledger, threads) = Ledger::open(&sample::options(dir)).expect("the ledger opens");
    let head = ledger.head().seq;
    let began = Instant::now();
    let indexer = Indexer::start(dir, ledger.subscribe()).expect("the indexer starts");
    while indexer.cursor() < head {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!(
        "index                           {:.2} µs per row ({head})",
        per_event(began, head)
    );
    let began = Instant::now();
    let reader = Reader::open(dir).expect("the trail can be read");
    let limit = Some(50);
    let blocked = vec!["blocked".to_owned()];
    reader
        .rows(&Query {
            limit,
            ..Query::default()
        })
        .expect("the trail can be read");
    println!("open a reader and read 50 rows  {:.2?}", began.elapsed());
    let began = Instant::now();
    reader
        .rows(&Query {
            limit,
            statuses: blocked,
            ..Query::default()
        })
        .expect("it can be read");
    println!("the last 50 of a rare status    {:.2?}", began.elapsed());
    let began = Instant::now();
    let verified = oktsec_audit::verify(dir).expect("the ledger is whole");
    println!(
        "verify                          {:.0} records/s",
        rate(began, verified.events)
    );
    threads.close().expect("the ledger closes");
}

/// CPU time of this process, user and system.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn per_event(began: Instant, events: u64) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / events as f64
}

fn rate(began: Instant, events: u64) -> f64 {
    events as f64 / began.elapsed().as_secs_f64()
}
