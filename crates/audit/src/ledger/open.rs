//! Opening a ledger: the lock, the recovery of what the last run left, the record of the start.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use oktsec_model::{Reason, Timestamp};
use thiserror::Error;

use crate::chain::{Head, InstanceId, Record};
use crate::event::{Ended, EndedTiming, Event, Recovered, Started, TunnelClosed};
use crate::ledger::store::{Lock, Open, Store, now, opening_event};
use crate::ledger::{Change, LedgerOptions};
use crate::segment::{Directory, Line, Lines, instance_of, opening};

/// Why a ledger cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The files belong to different chains.
    #[error("the ledger's segments are not of one instance")]
    Instance,
    /// The directory cannot be read or written.
    #[error("failed to open the audit ledger")]
    Io(#[from] io::Error),
    /// Another process has it.
    #[error("another process is using the audit directory {}", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness for a new ledger: {0}")]
    Random(String),
    /// A thread cannot be started.
    #[error("failed to start a thread of the audit ledger")]
    Thread(#[source] io::Error),
}

/// What the last segment holds.
struct Tail {
    first: u64,
    bytes: u64,
    head: Head,
    instance: InstanceId,
    open: Open,
    clean: bool,
    /// What followed the last whole valid line.
    cut: Option<Cut>,
}

struct Cut {
    bytes: u64,
    kept_as: String,
}

pub(super) fn open(options: &LedgerOptions) -> Result<Store, OpenError> {
    let directory = Directory::new(&options.dir);
    directory.prepare()?;
    let lock = lock(&directory, options)?;
    let tail = recover(&directory)?;
    let (mut store, clean, cut) = match tail {
        Some(tail) => resume(directory, options, lock, tail)?,
        None => (begin(directory, options, lock)?, true, None),
    };
    let found = store.head;
    let at = now();
    if let Some(cut) = cut {
        store.append_event(&Event::Recovered(Recovered {
            at,
            cause: "torn tail at start".into(),
            cut_bytes: cut.bytes,
            kept_as: Some(cut.kept_as.into()),
        }))?;
    }
    close_interrupted(&mut store, at)?;
    store.append_event(&Event::Started(Started {
        at,
        clean,
        config_digest: options.config_digest.as_str().into(),
        head_hash: found.hash,
        head_seq: found.seq,
        version: options.version.as_str().into(),
    }))?;
    store.file.sync_data()?;
    Ok(store)
}

fn lock(directory: &Directory, options: &LedgerOptions) -> Result<Lock, OpenError> {
    let path = directory.lock_path();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            dir: options.dir.clone(),
        }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A new chain.
fn begin(directory: Directory, options: &LedgerOptions, lock: Lock) -> Result<Store, OpenError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::Random(error.to_string()))?;
    let instance = InstanceId(bytes);
    write_instance(&directory, instance)?;
    let head = Head::default();
    let file = Arc::new(directory.create(1)?);
    let mut store = Store {
        directory,
        instance,
        segment_bytes_max: options.segment_bytes_max,
        _lock: lock,
        file,
        first: 1,
        bytes: 0,
        head,
        open: Open::default(),
    };
    store.append_event(&opening_event(instance, head, &Open::default()))?;
    Ok(store)
}

/// The chain of the last run, its torn tail moved aside.
fn resume(
    directory: Directory,
    options: &LedgerOptions,
    lock: Lock,
    tail: Tail,
) -> Result<(Store, bool, Option<Cut>), OpenError> {
    let path = directory.segment_path(tail.first);
    let file = OpenOptions::new().append(true).open(path)?;
    // What was written and never synced is on disk before anything is said about it.
    file.sync_data()?;
    write_instance(&directory, tail.instance)?;
    let store = Store {
        directory,
        instance: tail.instance,
        segment_bytes_max: options.segment_bytes_max,
        _lock: lock,
        file: Arc::new(file),
        first: tail.first,
        bytes: tail.bytes,
        head: tail.head,
        open: tail.open,
    };
    Ok((store, tail.clean, tail.cut))
}

/// For people and tools; the segments' first lines are what counts.
fn write_instance(directory: &Directory, instance: InstanceId) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(directory.instance_path())?
        .write_all(format!("{instance}\n").as_bytes())
}

/// Finds the last segment that has a valid first line, and the end of its valid lines. What follows
/// is kept in a file of its own, since it may be evidence.
fn recover(directory: &Directory) -> Result<Option<Tail>, OpenError> {
    let firsts = directory.list()?;
    let mut cut = None;
    for (place, &first) in firsts.iter().enumerate().rev() {
        let path = directory.segment_path(first);
        let Some(mut tail) = read_tail(directory, first)? else {
            let bytes = fs::metadata(&path)?.len();
            if bytes > 0 {
                tracing::error!(
                    segment = first,
                    bytes,
                    "an audit segment has no valid first line"
                );
                cut = Some(keep_cut(directory, first, 0)?);
            }
            fs::remove_file(&path)?;
            directory.sync()?;
            continue;
        };
        if let Some(&before) = place.checked_sub(1).and_then(|before| firsts.get(before)) {
            let other = instance_of(&directory.segment_path(before))?;
            if other.is_some_and(|other| other != tail.instance) {
                return Err(OpenError::Instance);
            }
        }
        if fs::metadata(&path)?.len() > tail.bytes {
            cut = Some(keep_cut(directory, first, tail.bytes)?);
            File::options()
                .write(true)
                .open(&path)?
                .set_len(tail.bytes)?;
        }
        tail.cut = cut;
        return Ok(Some(tail));
    }
    Ok(None)
}

fn read_tail(directory: &Directory, first: u64) -> io::Result<Option<Tail>> {
    let mut lines = Lines::open(&directory.segment_path(first), 0)?;
    let Line::Whole = lines.advance()? else {
        return Ok(None);
    };
    let Some((head, segment)) = opening(lines.line()).filter(|(head, _)| head.seq == first) else {
        return Ok(None);
    };
    let mut tail = Tail {
        first,
        bytes: lines.offset(),
        head,
        instance: segment.instance,
        open: Open {
            exchanges: segment.open.into_iter().collect(),
            tunnels: segment.tunnels.into_iter().collect(),
        },
        clean: false,
        cut: None,
    };
    while let Line::Whole = lines.advance()? {
        let Some(record) = Record::parse(lines.line()) else {
            break;
        };
        if !record.follows(tail.head, tail.instance) {
            break;
        }
        tail.head = record.head;
        tail.bytes = lines.offset();
        let event = Event::decode(record.event);
        tail.clean = matches!(event, Some(Event::Stopped(_)));
        if let Some(event) = event {
            tail.open.apply(Change::of(&event));
        }
    }
    Ok(Some(tail))
}

/// Copies what follows `from` beside the segment.
fn keep_cut(directory: &Directory, first: u64, from: u64) -> io::Result<Cut> {
    let content = fs::read(directory.segment_path(first))?;
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let rest = content.get(from..).unwrap_or_default();
    let kept_as = format!("{first:020}.cut-{}", now().as_micros());
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.segments().join(&kept_as))?;
    file.write_all(rest)?;
    file.sync_all()?;
    directory.sync()?;
    Ok(Cut {
        bytes: rest.len() as u64,
        kept_as,
    })
}

/// Closes what the last run left open: nobody knows how it ended.
fn close_interrupted(store: &mut Store, at: Timestamp) -> io::Result<()> {
    let (reason, status) = (Reason::Interrupted, Reason::Interrupted.status());
    let open = store.open.clone();
    let mut ids: Vec<_> = open.exchanges.into_iter().collect();
    ids.sort_unstable();
    for id in ids {
        store.append_event(&Event::Ended(Ended {
            at,
            findings: Vec::new(),
            http_status: None,
            id,
            reason: reason.into(),
            request_bytes: 0,
            response_bytes: 0,
            status: status.into(),
            timing_us: EndedTiming::default(),
            upstream: None,
        }))?;
    }
    let mut tunnels: Vec<_> = open.tunnels.into_iter().collect();
    tunnels.sort_unstable();
    for id in tunnels {
        store.append_event(&Event::TunnelClosed(TunnelClosed {
            at,
            bytes_down: 0,
            bytes_up: 0,
            duration_us: 0,
            exchanges: 0,
            http_status: None,
            id,
            reason: reason.into(),
            status: status.into(),
        }))?;
    }
    Ok(())
}
