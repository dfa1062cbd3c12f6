//! The index, its reader and its follower: whatever the index holds, the answers are the same.

use std::fs;
use std::path::Path;

use oktsec_model::{IdentitySource, Reason, Timestamp};
use tokio::runtime::Runtime;

use super::*;
use crate::row::Row;
use crate::sample::{blocked, closed, decided, ended, id, moment, opened, options};
use crate::{Decided, Ledger};

/// Some of everything: `from` onwards, thirty exchanges.
fn record(ledger: &Ledger, from: u64) {
    Runtime::new().unwrap().block_on(async {
        for n in from..from + 30 {
            let event = varied(n);
            if n % 10 == 7 {
                let _entry = ledger.tunnel_opened(opened(n + 500)).await.unwrap();
            }
            let last = event.last;
            let _entry = ledger.decided(event).await.unwrap();
            if !last && n % 6 != 5 {
                ledger.ended(ended(n));
            }
            if n % 10 == 9 {
                ledger.tunnel_closed(closed(n - 2 + 500));
            }
        }
        // An end of the part before, which an index that lags holds as open.
        if from > 0 {
            ledger.ended(ended(from - 25));
        }
        ledger.ended_written(ended(from + 5)).await.unwrap();
    });
}

fn varied(n: u64) -> Decided {
    let mut event = if n % 4 == 1 { blocked(n) } else { decided(n) };
    if n.is_multiple_of(3) {
        event.agent = Some("coder".into());
        event.identity.source = IdentitySource::Header.into();
        event.session = None;
    }
    if n.is_multiple_of(5) {
        event.request.host = "evil.com".into();
        event.request.method = "POST".into();
    }
    if n.is_multiple_of(7) {
        event.agent = None;
        event.status = "flagged".into();
        event.reason = Reason::Observed.into();
        event.enforced = false;
    }
    // Of the tunnels at 7, 17 and 27 only the first is spoken for.
    event.tunnel = (n % 30 == 8).then(|| id(n - 1 + 500));
    event
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn query(ask: impl FnOnce(&mut Query)) -> Query {
    let mut query = Query::default();
    ask(&mut query);
    query
}

fn queries() -> Vec<Query> {
    vec![
        Query::default(),
        query(|q| q.agents = words(&["coder"])),
        query(|q| {
            q.agents = words(&["coder", "researcher"]);
            q.statuses = words(&["blocked"]);
        }),
        query(|q| q.statuses = words(&["would-block"])),
        query(|q| q.reasons = words(&["proxy_blocked_content"])),
        query(|q| q.hosts = words(&["*.github.com"])),
        query(|q| q.hosts = words(&["EVIL.com", "*.nothing"])),
        query(|q| q.methods = words(&["POST"])),
        query(|q| q.rules = words(&["aws-access-key-id"])),
        query(|q| q.categories = words(&["pii"])),
        query(|q| {
            q.categories = words(&["credentials"]);
            q.hosts = words(&["evil.com"]);
        }),
        query(|q| q.sessions = words(&["7c3a"])),
        query(|q| q.event = Some(id(12).to_string())),
        query(|q| q.event = Some(id(12).to_string()[..8].to_uppercase())),
        query(|q| q.fingerprint = Some("hmac:000102030405060708090a0b0c0d0e0f".into())),
        query(|q| q.identities = words(&["verified"])),
        query(|q| (q.since, q.until) = (Some(moment(10)), Some(moment(33)))),
        query(|q| q.final_only = true),
    ]
}

fn rows(dir: &Path, query: &Query) -> Vec<Row> {
    Reader::open(dir).unwrap().rows(query).unwrap()
}

fn fill(dir: &Path) -> u64 {
    let mut feed = Feed::open(&Directory::new(dir)).unwrap();
    while feed.advance().unwrap() > 0 {}
    feed.reached()
}

/// Each answer, as text that shows where two differ.
fn answers(dir: &Path) -> Vec<Vec<String>> {
    let reader = Reader::open(dir).unwrap();
    let json = |row: &Row| row.to_json().to_string();
    let mut answers: Vec<Vec<String>> = queries()
        .iter()
        .map(|query| reader.rows(query).unwrap().iter().map(json).collect())
        .collect();
    answers.push(vec![format!("{:?}", reader.summary(moment(5)).unwrap())]);
    answers.push(vec![format!("{:?}", reader.extent().unwrap())]);
    answers
}

#[test]
fn answers_do_not_depend_on_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.segment_bytes_max = 10_000;
    let (ledger, _threads) = Ledger::open(&options).unwrap();
    record(&ledger, 0);
    fill(dir.path());
    record(&ledger, 30);
    let behind = answers(dir.path());
    assert_eq!(fill(dir.path()), ledger.head().seq);
    let current = answers(dir.path());
    schema::remove(&Directory::new(dir.path()));
    let missing = answers(dir.path());
    fs::write(Directory::new(dir.path()).index_path(), "not a database").unwrap();
    let spoiled = answers(dir.path());
    assert_eq!(behind, missing);
    assert_eq!(current, missing);
    assert_eq!(spoiled, missing);
}

#[test]
fn an_index_ahead_of_its_ledger_is_ignored_and_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    record(&ledger, 0);
    let path = Directory::new(dir.path()).segment_path(1);
    let shorter = fs::read(&path).unwrap();
    let head = ledger.head();
    record(&ledger, 30);
    fill(dir.path());
    threads.close().unwrap();
    // The machine lost what was not on disk; the index had it.
    fs::write(&path, shorter).unwrap();
    let ahead = answers(dir.path());
    fill(dir.path());
    assert_eq!(answers(dir.path()), ahead);
    schema::remove(&Directory::new(dir.path()));
    assert_eq!(answers(dir.path()), ahead);
    assert_eq!(Reader::open(dir.path()).unwrap().head(), Some(head));
}

#[test]
fn filters_agree_with_single_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    record(&ledger, 0);
    record(&ledger, 30);
    let all = rows(dir.path(), &Query::default());
    for query in queries() {
        let expected: Vec<&Row> = all.iter().filter(|row| query.matches(row)).collect();
        let found = rows(dir.path(), &query);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query:?}");
    }
    let limited = |newest_first| Query {
        limit: Some(3),
        newest_first,
        ..Query::default()
    };
    let last_three = &all[all.len() - 3..];
    assert_eq!(rows(dir.path(), &limited(false)), last_three);
    let mut newest = rows(dir.path(), &limited(true));
    newest.reverse();
    assert_eq!(newest, last_three);
}

#[test]
fn tunnels_are_listed_until_an_exchange_speaks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    record(&ledger, 0);
    let tunnels = |tunnels| {
        let query = Query {
            tunnels,
            methods: vec!["CONNECT".into()],
            ..Query::default()
        };
        let rows = rows(dir.path(), &query);
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(tunnels(false), [id(517), id(527)]);
    assert_eq!(tunnels(true), [id(507), id(517), id(527)]);
}

#[test]
fn a_row_is_what_the_interface_says() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    let head = Runtime::new().unwrap().block_on(async {
        let entry = ledger.decided(decided(1)).await.unwrap();
        ledger.ended_written(ended(1)).await.unwrap();
        entry.head
    });
    let row = rows(dir.path(), &Query::default()).remove(0);
    let expected = serde_json::json!({
        "schema": 1, "id": id(1).to_string(), "time": "2026-03-06T10:00:00.001Z", "session": "7c3a",
        "agent": "researcher",
        "identity": {"source": "token", "claimed": "researcher", "client": "127.0.0.1:53122"},
        "request": {"method": "GET", "scheme": "https", "host": "api.github.com", "port": 443,
            "path": "/repos?q=***", "query_keys": ["q"], "bytes": 1240,
            "user_agent": "curl/7.88.1", "http_version": "1.1"},
        "status": "forwarded", "reason": "proxy_allowed", "http_status": 200, "enforced": true,
        "inspection": "tls",
        "policy": {"hash": "sha256:91ac", "source": "agents.researcher.egress.allowed_domains[0]",
            "list": "allow", "file": "oktsec.yaml", "line": 21},
        "findings": [], "response": {"bytes": 52000}, "upstream": {"address": "192.0.2.7:443"},
        "timing_ms": {"total": 81.7, "policy": 0.02, "scan": 0.31, "upstream": 80.9},
        "chain": {"decided": {"seq": head.seq, "hash": head.hash.to_string()},
            "ended": {"seq": head.seq + 1, "hash": ledger.head().hash.to_string()}},
    });
    assert_eq!(row.to_json(), expected);
}

#[test]
fn exchanges_under_way_are_shown_as_decided() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    let _entry = Runtime::new()
        .unwrap()
        .block_on(ledger.decided(decided(1)))
        .unwrap();
    let row = rows(dir.path(), &Query::default()).remove(0);
    assert_eq!(
        (row.status.as_str(), row.reason.as_str()),
        ("forwarded", "proxy_allowed")
    );
    assert!(!row.is_final && row.ended.is_none());
    threads.close().unwrap();
    let (_ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    let row = rows(dir.path(), &Query::default()).remove(0);
    assert_eq!(
        (row.status.as_str(), row.reason.as_str()),
        ("failed", "proxy_interrupted")
    );
    assert!(row.is_final);
}

#[test]
fn the_summary_counts_by_agent() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    Runtime::new().unwrap().block_on(async {
        for event in [
            decided(1),
            blocked(2),
            blocked(3),
            Decided {
                agent: None,
                ..decided(4)
            },
        ] {
            let _entry = ledger.decided(event).await.unwrap();
        }
    });
    let summary = Reader::open(dir.path())
        .unwrap()
        .summary(Timestamp::default())
        .unwrap();
    let block = LastBlock {
        at: moment(3),
        reason: "proxy_blocked_content".into(),
        host: "api.github.com".into(),
    };
    let agent = |agent: Option<&str>, requests, blocked, last, last_block| AgentSummary {
        agent: agent.map(str::to_owned),
        requests,
        blocked,
        last_seen: moment(last),
        last_block,
    };
    let expected = [
        agent(Some("researcher"), 3, 2, 3, Some(block)),
        agent(None, 1, 0, 4, None),
    ];
    assert_eq!(summary, expected);
}

#[test]
fn a_follower_yields_every_final_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.segment_bytes_max = 3_000;
    let (ledger, _threads) = Ledger::open(&options).unwrap();
    record(&ledger, 0);
    fill(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    let before = reader
        .rows(&Query {
            final_only: true,
            ..Query::default()
        })
        .unwrap();
    let mut follower = reader.follow().unwrap();
    assert_eq!(follower.next(Duration::ZERO).unwrap(), None);
    record(&ledger, 30);
    let mut seen = before;
    while let Some(row) = follower.next(Duration::ZERO).unwrap() {
        assert!(row.is_final);
        seen.push(row);
    }
    seen.sort_by_key(|row| row.decided.seq);
    let now = rows(
        dir.path(),
        &Query {
            final_only: true,
            ..Query::default()
        },
    );
    assert_eq!(seen, now);
}

#[test]
fn the_indexer_follows_the_ledger_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    let indexer = Indexer::start(dir.path(), ledger.subscribe()).unwrap();
    record(&ledger, 0);
    let head = threads.close().unwrap();
    let cursor = Arc::clone(&indexer.cursor);
    drop(indexer);
    assert_eq!(cursor.load(Ordering::Relaxed), head.seq);
    let connection = Connection::open(Directory::new(dir.path()).index_path()).unwrap();
    let rows: u64 = connection
        .query_row("SELECT count(*) FROM exchanges", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 33);
}

#[test]
fn where_there_is_no_ledger_the_reader_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Reader::open(dir.path()),
        Err(ReadError::Missing(_))
    ));
}
