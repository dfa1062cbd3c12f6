//! One file: read whole, or in overlapping windows where it is large; scanned; and every finding put on
//! its line. Each finding belongs to one window, the one that shows it with most of its surroundings.

mod position;

use std::io::{self, Cursor, Read};
use std::ops::Range;

use oktsec_detect::Detector;
use oktsec_model::Finding;

use self::position::Position;
use super::list::Source;

/// What there is to say about a file.
#[derive(Default)]
pub(super) struct Report {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    /// Why it was not looked into, or not wholly.
    pub(super) blind: Vec<String>,
    /// Why it could not be read.
    pub(super) problem: Option<String>,
    pub(super) bytes: u64,
}

/// A finding and its place in the file.
pub(super) struct Row {
    pub(super) line: u64,
    /// In characters, from 1.
    pub(super) column: u64,
    /// Which bytes of the file.
    pub(super) span: Range<u64>,
    pub(super) finding: Finding,
}

/// What a file is read into, bit by bit.
struct Windows<'d> {
    detector: &'d Detector,
    report: Report,
    /// Where the window begins in the file.
    base: u64,
    position: Position,
}

const WINDOW_BYTES: usize = 8 * 1024 * 1024;
const WINDOW_BYTES_MIN: usize = 256 * 1024;
const OVERLAP_BYTES: usize = 64 * 1024;
/// From here on, the next window shows more of what surrounds a finding.
const HALF_OVERLAP_BYTES: usize = OVERLAP_BYTES / 2;
/// The detector lists no more of one text, but for the first of each rule.
const FINDINGS_MAX: usize = 256;

/// Compressed files that are undone where they are read whole.
const COMPRESSED: [&[u8]; 3] = [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"];

/// Reads and scans a source.
pub(super) fn report(source: &Source, detector: &Detector, size_max: usize) -> Report {
    let mut windows = Windows {
        detector,
        report: Report {
            name: source.name(),
            ..Report::default()
        },
        base: 0,
        position: Position::default(),
    };
    let read = source
        .open()
        .and_then(|reader| windows.read(reader, size_max));
    let mut report = windows.report;
    report.problem = read.err().map(|error| error.to_string());
    report
}

// === impl Windows ===

impl Windows<'_> {
    fn read(&mut self, mut reader: Box<dyn Read>, size_max: usize) -> io::Result<()> {
        let mut start = Vec::new();
        (&mut reader)
            .take(size_max as u64 + 1)
            .read_to_end(&mut start)?;
        if start.len() <= size_max {
            self.report.bytes = start.len() as u64;
            self.scan(&start, true);
            return Ok(());
        }
        if COMPRESSED.iter().any(|magic| start.starts_with(magic)) {
            self.blind("compressed and larger than --max-size: only its beginning is undone");
        }
        let window = size_max.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES);
        self.slide(Cursor::new(start).chain(reader), window)
    }

    /// Scans in windows; memory holds one of them.
    fn slide(&mut self, mut reader: impl Read, window: usize) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(window);
        loop {
            let room = window - bytes.len();
            let read = (&mut reader).take(room as u64).read_to_end(&mut bytes)?;
            self.report.bytes += read as u64;
            let is_last = read < room;
            self.scan(&bytes, is_last);
            if is_last {
                return Ok(());
            }
            let step = bytes.len() - OVERLAP_BYTES;
            self.position.advance(&bytes[..step]);
            self.base += step as u64;
            bytes.drain(..step);
        }
    }

    /// Scans a window and takes what belongs to it.
    fn scan(&mut self, bytes: &[u8], is_last: bool) {
        let scan = self.detector.scan_text(bytes);
        if let Some(reason) = &scan.uninspectable {
            self.blind(&reason.to_string());
        }
        if scan.findings.len() >= FINDINGS_MAX {
            self.blind("more findings than are listed");
        }
        let mut findings = scan.findings;
        findings.sort_by(|one, other| {
            let key = |finding: &Finding| (finding.span.start, finding.rule.clone());
            key(one).cmp(&key(other))
        });
        let (mut position, mut at) = (self.position, 0);
        let earlier = self.report.rows.len();
        for finding in findings {
            let span = finding.span.clone();
            let absolute = self.base + span.start as u64..self.base + span.end as u64;
            // The window before has seen all of it, with more of what precedes it.
            let was_seen =
                self.base > 0 && span.start < HALF_OVERLAP_BYTES && span.end <= OVERLAP_BYTES;
            // The next window will, with more of what follows.
            let will_be_seen = !is_last && span.start >= bytes.len() - HALF_OVERLAP_BYTES;
            if was_seen || will_be_seen || self.repeats(&finding, &absolute, earlier) {
                continue;
            }
            position.advance(&bytes[at..span.start]);
            at = span.start;
            self.report.rows.push(Row {
                line: position.line,
                column: position.column,
                span: absolute,
                finding,
            });
        }
    }

    /// Whether an earlier window showed the same.
    fn repeats(&self, finding: &Finding, span: &Range<u64>, earlier: usize) -> bool {
        self.report.rows[..earlier].iter().rev().any(|row| {
            row.finding.rule == finding.rule
                && row.finding.fingerprint == finding.fingerprint
                && row.span.start < span.end
                && span.start < row.span.end
        })
    }

    fn blind(&mut self, reason: &str) {
        if !self.report.blind.iter().any(|told| told == reason) {
            self.report.blind.push(reason.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use oktsec_detect::{FingerprintKey, Limits};

    use super::*;

    const KEY: &str = concat!("AKIA", "Q3EGRVT5YLNZ2WXC");

    fn scanned(bytes: Vec<u8>, size_max: usize) -> Report {
        let detector = match Detector::builtin(FingerprintKey::new([7; 32]), Limits::default()) {
            Ok(detector) => detector,
            Err(errors) => panic!("{errors:?}"),
        };
        let mut windows = Windows {
            detector: &detector,
            report: Report::default(),
            base: 0,
            position: Position::default(),
        };
        windows
            .read(Box::new(Cursor::new(bytes)), size_max)
            .unwrap();
        windows.report
    }

    #[test]
    fn windows_change_nothing() {
        // Around every border of windows of 256 KiB, a key of its own.
        let line = "ordinary text, and nothing in it\n";
        let mut bytes = line.repeat(30_000).into_bytes();
        let step = WINDOW_BYTES_MIN - OVERLAP_BYTES;
        let mut number = 0;
        for border in [step, step + HALF_OVERLAP_BYTES, WINDOW_BYTES_MIN, 2 * step] {
            for shift in [10, 40, 70] {
                let key = format!(
                    " {}{} ",
                    &KEY[..18],
                    [b'A' + number, b'2' + number % 6]
                        .map(char::from)
                        .iter()
                        .collect::<String>()
                );
                let at = border - shift;
                bytes[at..at + key.len()].copy_from_slice(key.as_bytes());
                number += 1;
            }
        }
        let places = |report: &Report| -> Vec<(u64, u64, Range<u64>, String)> {
            let rows = report.rows.iter();
            rows.map(|row| {
                let rule = row.finding.rule.as_str().to_owned();
                (row.line, row.column, row.span.clone(), rule)
            })
            .collect()
        };
        let whole = scanned(bytes.clone(), bytes.len());
        let cut = scanned(bytes.clone(), 1024);
        assert_eq!(whole.rows.len(), usize::from(number));
        assert_eq!(places(&cut), places(&whole));
        assert_eq!(
            (cut.bytes, whole.bytes),
            (bytes.len() as u64, bytes.len() as u64)
        );
    }

    #[test]
    fn what_stays_closed_is_said() {
        let report = scanned(b"\xfd7zXZ\0 and so on".to_vec(), 1024);
        assert_eq!(report.blind.len(), 1);
        let large = [b"\x1f\x8b\x08".to_vec(), b"x".repeat(300_000)].concat();
        let report = scanned(large, 1024);
        assert!(
            report
                .blind
                .iter()
                .any(|reason| reason.contains("--max-size"))
        );
    }
}
