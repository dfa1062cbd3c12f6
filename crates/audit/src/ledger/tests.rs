//! The ledger: order, rotation, recovery, damage, failure.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use oktsec_model::ExchangeId;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::sample::{blocked, closed, decided, ended, id, moment, opened, options};
use crate::segment::Directory;
use crate::tail::Tail;
use crate::verify;

fn events(dir: &Path) -> Vec<Event> {
    let mut tail = Tail::new(Directory::new(dir));
    let mut events = Vec::new();
    while tail.advance().unwrap().is_some() {
        events.push(Event::decode(tail.event()).unwrap());
    }
    events
}

/// A ledger of several small segments, closed in good order.
fn written(dir: &Path, exchanges: u64) {
    let mut options = options(dir);
    options.segment_bytes_max = 4_000;
    let (ledger, threads) = Ledger::open(&options).unwrap();
    Runtime::new().unwrap().block_on(async {
        for n in 0..exchanges {
            let _entry = ledger.decided(decided(n)).await.unwrap();
            ledger.ended(ended(n));
        }
    });
    threads.close().unwrap();
}

fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("ledger")).unwrap();
    for entry in fs::read_dir(dir.join("ledger")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(
            entry.path(),
            copy.path().join("ledger").join(entry.file_name()),
        )
        .unwrap();
    }
    copy
}

#[test]
fn lines_are_canonical_json() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    Runtime::new().unwrap().block_on(async {
        let mut odd = blocked(1);
        odd.request.path = "/\"\\\u{1}\u{7f}\n\u{202e}é🦀".into();
        let _entry = ledger.decided(odd).await.unwrap();
        let _entry = ledger.tunnel_opened(opened(2)).await.unwrap();
        ledger.tunnel_closed(closed(2));
        ledger.note(Note::ConfigApplied(crate::ConfigApplied {
            at: moment(3),
            digest: "sha256:00".into(),
            generation: 2,
        }));
        let _entry = ledger.decided(decided(4)).await.unwrap();
        ledger.ended_written(ended(4)).await.unwrap();
    });
    threads.close().unwrap();
    let path = Directory::new(dir.path()).segment_path(1);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().count(), 9);
    for line in text.lines() {
        // `Value` keeps its keys sorted, so that writing it again gives the canonical form.
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), line);
    }
}

#[test]
fn texts_and_lists_are_bounded() {
    let mut event = blocked(1);
    event.request.path = "é".repeat(5_000).into();
    assert_eq!(event.request.path.as_str().len(), 2_048);
    let mut finding = event.findings[0].clone();
    finding.location = "x".repeat(9_999).into();
    finding.redacted = "x".repeat(9_999).into();
    event.findings = vec![finding; 1_000];
    event.bound();
    assert_eq!(event.findings.len(), Decided::FINDINGS_MAX);
    assert!(encode_bounded(event).len() <= EVENT_BYTES_MAX);
}

#[test]
fn segments_rotate_and_reopening_continues_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 40);
    let first = verify(dir.path()).unwrap();
    let segments = Directory::new(dir.path()).list().unwrap().len();
    assert!(segments > 5, "{segments}");
    written(dir.path(), 40);
    let second = verify(dir.path()).unwrap();
    assert!(second.events > first.events);
    let mut started = events(dir.path())
        .into_iter()
        .filter_map(|event| match event {
            Event::Started(started) => Some(started),
            _ => None,
        });
    let last = started.next_back().unwrap();
    assert_eq!(
        (last.head_seq, last.head_hash),
        (first.head.seq, first.head.hash)
    );
    assert!(last.clean);
}

#[test]
fn files_are_for_the_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("audit");
    written(&inside, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    assert_eq!(mode(&inside.join("ledger")), 0o700);
    for name in ["lock", "instance", "ledger/00000000000000000001.jsonl"] {
        assert_eq!(mode(&inside.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_opening_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    let second = Ledger::open(&options(dir.path()));
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    threads.close().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    drop(threads);
    assert!(!ledger.available());
    let answer = Runtime::new().unwrap().block_on(ledger.decided(decided(1)));
    assert_eq!(answer.err(), Some(AuditError::Unavailable));
}

#[test]
fn the_lock_is_given_back_although_a_copy_of_the_file_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let file = File::create(&path).unwrap();
    file.try_lock().unwrap();
    // As a child has it that was forked and has not yet run its program.
    let copy = file.try_clone().unwrap();
    drop(store::Lock(file));
    assert!(File::open(&path).unwrap().try_lock().is_ok());
    drop(copy);
}

#[test]
fn a_tail_torn_anywhere_is_cut_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _threads) = Ledger::open(&options(dir.path())).unwrap();
    Runtime::new().unwrap().block_on(async {
        let _entry = ledger.decided(decided(1)).await.unwrap();
        let _entry = ledger.decided(decided(2)).await.unwrap();
        ledger.ended_written(ended(1)).await.unwrap();
    });
    let path = Directory::new(dir.path()).segment_path(1);
    let content = fs::read(&path).unwrap();
    let last = content[..content.len() - 1]
        .iter()
        .rposition(|&b| b == b'\n')
        .unwrap()
        + 1;
    for end in last..=content.len() {
        let copy = copy_of(dir.path());
        fs::write(Directory::new(copy.path()).segment_path(1), &content[..end]).unwrap();
        drop(open::open(&options(copy.path())).unwrap());
        verify(copy.path()).unwrap();
        let events = events(copy.path());
        let cut = events.iter().find_map(|event| match event {
            Event::Recovered(recovered) => Some(recovered.cut_bytes),
            _ => None,
        });
        let torn = if end == content.len() { 0 } else { end - last };
        assert_eq!(cut.unwrap_or(0), torn as u64);
        let interrupted = events.iter().filter_map(|event| match event {
            Event::Ended(ended) if ended.reason.as_str() == "proxy_interrupted" => Some(ended.id),
            _ => None,
        });
        let expected = if torn > 0 || end == last {
            vec![id(1), id(2)]
        } else {
            vec![id(2)]
        };
        assert_eq!(interrupted.collect::<Vec<_>>(), expected, "cut at {end}");
    }
}

#[test]
fn a_segment_torn_in_its_first_line_gives_way_to_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 20);
    let directory = Directory::new(dir.path());
    let last = *directory.list().unwrap().last().unwrap();
    for keep in [0, 1, 100] {
        let copy = copy_of(dir.path());
        let directory = Directory::new(copy.path());
        let path = directory.segment_path(last);
        let content = fs::read(&path).unwrap();
        fs::write(&path, &content[..keep]).unwrap();
        drop(open::open(&options(copy.path())).unwrap());
        assert!(verify(copy.path()).unwrap().head.seq >= last);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_changed_byte_is_found(place in any::<prop::sample::Index>(), mask in 1..=255_u8) {
        static LEDGER: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
        let dir = LEDGER.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            written(dir.path(), 12);
            dir
        });
        let directory = Directory::new(dir.path());
        verify(dir.path()).unwrap();
        let segments = directory.list().unwrap();
        let path = directory.segment_path(segments[place.index(segments.len())]);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[place.index(whole.len())] ^= mask;
        fs::write(&path, changed).unwrap();
        let found = verify(dir.path());
        fs::write(&path, whole).unwrap();
        prop_assert!(found.is_err());
    }
}

#[test]
fn missing_and_exchanged_segments_and_lines_are_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 20);
    let segments = Directory::new(dir.path()).list().unwrap();
    let copy = copy_of(dir.path());
    fs::remove_file(Directory::new(copy.path()).segment_path(segments[2])).unwrap();
    assert_eq!(verify(copy.path()).unwrap_err().seq, segments[2]);
    let copy = copy_of(dir.path());
    let path = Directory::new(copy.path()).segment_path(segments[1]);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.swap(1, 2);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    assert_eq!(verify(copy.path()).unwrap_err().seq, segments[1] + 1);
}

#[test]
fn sixty_four_tasks_get_numbers_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.segment_bytes_max = 100_000;
    options.queue_events_max = 16;
    let (ledger, threads) = Ledger::open(&options).unwrap();
    let seqs = Runtime::new().unwrap().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..64 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let mut seqs = Vec::new();
                for n in 0..20 {
                    let n = task * 1_000 + n;
                    let entry = ledger.decided(decided(n)).await.unwrap();
                    seqs.push(entry.seq);
                    entry.synced().await.unwrap();
                    ledger.ended(ended(n));
                }
                seqs
            });
        }
        tasks.join_all().await
    });
    let unique: HashSet<u64> = seqs.iter().flatten().copied().collect();
    assert_eq!(unique.len(), 64 * 20);
    assert!(seqs.iter().all(|seqs| seqs.is_sorted()));
    threads.close().unwrap();
    let ends = events(dir.path())
        .into_iter()
        .filter(|event| matches!(event, Event::Ended(_)));
    assert_eq!(ends.count(), 64 * 20);
    verify(dir.path()).unwrap();
    assert_eq!(ledger.events_lost(), 0);
}

#[test]
fn a_failed_write_goes_to_a_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open::open(&options(dir.path())).unwrap();
    // A handle that cannot be written to.
    store.file = Arc::new(File::open(store.directory.segment_path(1)).unwrap());
    let (ledger, threads) = Ledger::over(store, 100).unwrap();
    Runtime::new().unwrap().block_on(async {
        ledger
            .decided(decided(1))
            .await
            .unwrap()
            .synced()
            .await
            .unwrap();
    });
    ledger.ended(ended(1));
    threads.close().unwrap();
    verify(dir.path()).unwrap();
    let events = events(dir.path());
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Recovered(_)))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Ended(e) if e.id == id(1)))
    );
    assert_eq!(Directory::new(dir.path()).list().unwrap().len(), 2);
}

#[test]
fn without_a_new_segment_everything_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open::open(&options(dir.path())).unwrap();
    store.file = Arc::new(File::open(store.directory.segment_path(1)).unwrap());
    fs::remove_dir_all(dir.path().join("ledger")).unwrap();
    let (ledger, threads) = Ledger::over(store, 100).unwrap();
    Runtime::new().unwrap().block_on(async {
        for n in 0..3 {
            let answer = ledger.decided(decided(n)).await;
            assert_eq!(answer.err(), Some(AuditError::Unavailable));
        }
    });
    assert!(!ledger.available());
    drop(threads);
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let shared = Shared::new(Head::default(), 1);
    let mut syncer = Syncer::start(Arc::clone(&shared)).unwrap();
    // Pipes cannot be synced.
    let (_reader, writer) = io::pipe().unwrap();
    let bad = Arc::new(File::from(OwnedFd::from(writer)));
    let good = Arc::new(tempfile::tempfile().unwrap());
    syncer.request(&bad, 3, 1);
    while !shared.queue.take().sync_failed {
        std::thread::yield_now();
    }
    syncer.request(&bad, 5, 1);
    syncer.request(&good, 7, 1);
    syncer.stop();
    assert!(
        shared.queue.take().is_empty(),
        "the bad file was synced twice"
    );
    let state = shared.synced.borrow().clone();
    let covered: Vec<u64> = (1..=8).filter(|&seq| state.covers(seq)).collect();
    assert_eq!(covered, [6, 7]);
    assert!((1..=7).all(|seq| state.settles(seq)) && !state.settles(8));
}

#[test]
fn ends_without_room_are_counted_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, threads) = Ledger::open(&options(dir.path())).unwrap();
    ledger
        .0
        .unawaited
        .fetch_add(UNAWAITED_MAX, Ordering::Relaxed);
    ledger.ended(ended(1));
    assert!(!ledger.available());
    assert_eq!(ledger.events_lost(), 1);
    ledger
        .0
        .unawaited
        .fetch_sub(UNAWAITED_MAX, Ordering::Relaxed);
    Runtime::new()
        .unwrap()
        .block_on(ledger.ended_written(ended(2)))
        .unwrap();
    assert!(ledger.available());
    threads.close().unwrap();
    assert!(
        events(dir.path())
            .iter()
            .any(|event| matches!(event, Event::Lost(l) if l.events == 1))
    );
}

const WRITER_DIR: &str = "OKTSEC_AUDIT_TEST_WRITER";

/// Not a test of its own: the process that `a_killed_writer_loses_nothing_it_acknowledged` kills.
#[test]
fn writer_to_be_killed() {
    let Some(dir) = std::env::var_os(WRITER_DIR) else {
        return;
    };
    let mut options = options(Path::new(&dir));
    options.segment_bytes_max = 50_000;
    let (ledger, _threads) = Ledger::open(&options).unwrap();
    let start = ledger.head().seq * 1_000;
    Runtime::new().unwrap().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                for n in 0.. {
                    let n = start + task + n * 8;
                    let entry = ledger.decided(decided(n)).await.unwrap();
                    let line = format!("acknowledged {} {}\n", id(n), entry.seq);
                    io::stdout().lock().write_all(line.as_bytes()).unwrap();
                    if n % 3 == 0 {
                        ledger.ended(ended(n));
                    }
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "ledger::tests::writer_to_be_killed",
                "--nocapture",
            ])
            .env(WRITER_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = Vec::new();
        for line in output.lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            if let ["acknowledged", id, seq] = words[..] {
                acknowledged.push((ExchangeId::parse(id).unwrap(), seq.parse::<u64>().unwrap()));
            }
            if acknowledged.len() == 10 + round * 97 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        drop(open::open(&options(dir.path())).unwrap());
        verify(dir.path()).unwrap();
        let recorded: HashSet<(ExchangeId, u64)> = numbered_decisions(dir.path());
        assert!(acknowledged.len() >= 10);
        for entry in acknowledged {
            assert!(
                recorded.contains(&entry),
                "round {round}: {entry:?} is lost"
            );
        }
    }
}

fn numbered_decisions(dir: &Path) -> HashSet<(ExchangeId, u64)> {
    let mut tail = Tail::new(Directory::new(dir));
    let mut decisions = HashSet::new();
    while let Some(head) = tail.advance().unwrap() {
        if let Some(Event::Decided(event)) = Event::decode(tail.event()) {
            decisions.insert((event.id, head.seq));
        }
    }
    decisions
}
