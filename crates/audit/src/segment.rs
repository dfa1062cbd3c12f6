//! Segments: the files of a ledger, named by the number of their first record.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::chain::{Head, InstanceId, Record};
use crate::event::{Event, Segment};

/// Where a ledger lies.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    dir: PathBuf,
}

/// Reads one segment line by line.
pub(crate) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Where the line that was read last begins.
    start: u64,
    /// Where the next line begins.
    offset: u64,
}

/// What the next line turned out to be.
pub(crate) enum Line {
    /// A line, whole; see [`Lines::line`].
    Whole,
    /// Bytes without a newline, or more of them than a line may have.
    Torn,
    /// Nothing.
    End,
}

/// The longest line that is read. The first line of a segment may name 65,536 exchanges.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// The version of the records.
pub(crate) const SCHEMA: u32 = 1;

// === impl Directory ===

impl Directory {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Makes what is missing. The ledger's own directory is closed to others even where the one
    /// around it, which may hold other things, is not.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(self.segments())?;
        fs::set_permissions(self.segments(), fs::Permissions::from_mode(0o700))
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn instance_path(&self) -> PathBuf {
        self.dir.join("instance")
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.dir.join("index.sqlite")
    }

    pub(crate) fn segment_path(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:020}.jsonl"))
    }

    /// The first records' numbers of all segments, in order.
    pub(crate) fn list(&self) -> io::Result<Vec<u64>> {
        let mut firsts = Vec::new();
        for entry in fs::read_dir(self.segments())? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            if let Some(number) = number.filter(|number| number.len() == 20) {
                firsts.extend(number.parse::<u64>());
            }
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    /// Makes a new segment, empty.
    pub(crate) fn create(&self, first: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.segment_path(first))?;
        self.sync()?;
        Ok(file)
    }

    /// Puts the names of the files on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(self.segments())?.sync_all()
    }
}

// === impl Lines ===

impl Lines {
    pub(crate) fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            reader: BufReader::with_capacity(READ_BYTES, file),
            line: Vec::new(),
            start: offset,
            offset,
        })
    }

    /// Reads the next line. After [`Line::Torn`] and [`Line::End`] the position is where the torn
    /// line begins, so that it can be read again when there is more.
    pub(crate) fn advance(&mut self) -> io::Result<Line> {
        self.line.clear();
        self.start = self.offset;
        let read = read_line(&mut self.reader, &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            self.offset += read;
            return Ok(Line::Whole);
        }
        self.reader.seek(SeekFrom::Start(self.offset))?;
        Ok(if read == 0 { Line::End } else { Line::Torn })
    }

    /// The line that was read last, without its newline.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Where the line that was read last begins.
    pub(crate) const fn start(&self) -> u64 {
        self.start
    }

    /// Where the next line begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }
}

/// The opening record of a segment, from its first line.
pub(crate) fn opening(line: &[u8]) -> Option<(Head, Segment)> {
    let record = Record::parse(line)?;
    let Event::Segment(segment) = Event::decode(record.event)? else {
        return None;
    };
    let previous = Head {
        seq: record.head.seq.checked_sub(1)?,
        hash: segment.previous,
    };
    let valid = segment.schema == SCHEMA && record.follows(previous, segment.instance);
    valid.then_some((record.head, segment))
}

/// The instance that a segment belongs to.
pub(crate) fn instance_of(path: &Path) -> io::Result<Option<InstanceId>> {
    let mut lines = Lines::open(path, 0)?;
    Ok(match lines.advance()? {
        Line::Whole => opening(lines.line()).map(|(_, segment)| segment.instance),
        Line::End | Line::Torn => None,
    })
}

fn read_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut limited = io::Read::take(reader, LINE_BYTES_MAX);
    Ok(limited.read_until(b'\n', line)? as u64)
}

const READ_BYTES: usize = 256 << 10;
