//! The files, shared among some threads; their reports, in the order of the files.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use oktsec_detect::Detector;

use super::list::Source;
use super::read::{self, Report};

/// Each holds a file and what it decodes to.
const THREADS_MAX: usize = 4;
const REPORTS_QUEUED_MAX: usize = 64;
/// Between two looks at how far it has got.
const PROGRESS_PAUSE: Duration = Duration::from_millis(200);

/// Scans each source and hands over its report, or nothing when there is only progress to show; with
/// it, how many reports came so far.
///
/// # Errors
/// What the receiver of the reports says.
pub(super) fn each(
    sources: &[Source],
    detector: &Detector,
    size_max: usize,
    mut take: impl FnMut(Option<Report>, usize) -> io::Result<()>,
) -> io::Result<()> {
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(THREADS_MAX)
        .min(sources.len());
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(REPORTS_QUEUED_MAX);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(source) = sources.get(index) else {
                        return;
                    };
                    let report = read::report(source, detector, size_max);
                    // Nobody wants reports any more.
                    if sender.send((index, report)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut done = 0;
        loop {
            match receiver.recv_timeout(PROGRESS_PAUSE) {
                Ok((index, report)) => {
                    waiting.insert(index, report);
                    while let Some(report) = waiting.remove(&done) {
                        done += 1;
                        take(Some(report), done)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => take(None, done + waiting.len())?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })
}
