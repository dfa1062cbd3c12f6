//! Content codings: what the headers announce, undone within bounds.

pub(crate) mod stream;

use std::io::{self, Read};

use http::{HeaderMap, header};

use crate::bytes::slice;
use crate::detector::Uninspectable;

/// A content coding that we can undo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

/// Why a body could not be undone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InflateError {
    Corrupt,
    /// All of it was undone, and it has not ended.
    CutOff,
    TooLarge,
}

const LAYERS_MAX: usize = 2;
const OUTPUT_BYTES_MAX: usize = 32 * 1024 * 1024;
const RATIO_MAX: usize = 100;
/// Output up to here is held whatever the ratio.
const RATIO_FREE_BYTES: usize = 1024 * 1024;

/// The codings of a body in the order in which they were applied.
pub(crate) fn announced(headers: &HeaderMap) -> Result<Vec<Coding>, Uninspectable> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(text) = value.to_str() else {
            return Err(Uninspectable::unknown_coding(""));
        };
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match Coding::parse(name) {
                Some(coding) => codings.push(coding),
                None if name.eq_ignore_ascii_case("identity") => {}
                None => return Err(Uninspectable::unknown_coding(name)),
            }
            if codings.len() > LAYERS_MAX {
                return Err(Uninspectable::CodingLayers);
            }
        }
    }
    Ok(codings)
}

/// Undoes all codings, the last one first.
pub(crate) fn decode(codings: &[Coding], body: &[u8]) -> Result<Vec<u8>, Uninspectable> {
    let mut bytes = body.to_vec();
    for coding in codings.iter().rev() {
        // No body at all is a valid body in every coding.
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let max = RATIO_FREE_BYTES
            .max(bytes.len().saturating_mul(RATIO_MAX))
            .min(OUTPUT_BYTES_MAX);
        bytes = coding.inflate(&bytes, max).map_err(|error| match error {
            InflateError::Corrupt | InflateError::CutOff => Uninspectable::CorruptCoding,
            InflateError::TooLarge => Uninspectable::CodingBudget,
        })?;
    }
    Ok(bytes)
}

// === impl Coding ===

impl Coding {
    /// First bytes long enough to be looked for within other data.
    pub(crate) const MAGICS: [&[u8]; 2] = [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"];

    /// The name under which it is registered.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "br" => Some(Self::Brotli),
            "deflate" => Some(Self::Deflate),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The coding that data betrays by its first bytes.
    pub(crate) fn by_magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1F, 0x8B, 8, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => Some(Self::Deflate),
            _ => None,
        }
    }

    /// Undoes this coding into at most `max` bytes.
    pub(crate) fn inflate(self, bytes: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
        let (out, error) = self.inflate_start(bytes, max);
        error.map_or(Ok(out), Err)
    }

    /// What can be undone of data that may be followed by something else, or be cut off; and why
    /// it ended early, where it did.
    pub(crate) fn inflate_start(self, bytes: &[u8], max: usize) -> (Vec<u8>, Option<InflateError>) {
        match self {
            Self::Brotli => read_up_to(brotli::Decompressor::new(bytes, 4096), max),
            Self::Deflate => {
                // "deflate" means the zlib format, but raw deflate is sent as well.
                let mut zlib = flate2::read::ZlibDecoder::new(bytes);
                let result = read_up_to(&mut zlib, max);
                let used = usize::try_from(zlib.total_in()).unwrap_or(usize::MAX);
                match result {
                    (out, Some(InflateError::Corrupt | InflateError::CutOff)) if out.is_empty() => {
                        read_up_to(flate2::read::DeflateDecoder::new(bytes), max)
                    }
                    // What follows would be seen by nobody but a reader who knows.
                    (out, None) if used < bytes.len() => (out, Some(InflateError::Corrupt)),
                    result => result,
                }
            }
            Self::Gzip => {
                let (out, error, _) = gunzip(bytes, max);
                (out, error)
            }
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(bytes).and_then(|mut decoder| {
                    decoder.window_log_max(WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
                match decoder {
                    Ok(decoder) => read_up_to(decoder, max),
                    Err(_) => (Vec::new(), Some(InflateError::Corrupt)),
                }
            }
        }
    }
}

/// All members of a gzip file (RFC 1952, section 2.2), and how many bytes they were.
pub(crate) fn gunzip(bytes: &[u8], max: usize) -> (Vec<u8>, Option<InflateError>, usize) {
    let mut decoder = flate2::bufread::MultiGzDecoder::new(bytes);
    let (out, error) = read_up_to(&mut decoder, max);
    (out, error, bytes.len() - decoder.get_ref().len())
}

/// 8 MiB: what RFC 9659 allows for the content coding.
const WINDOW_LOG_MAX: u32 = 23;

fn read_up_to(mut reader: impl Read, max: usize) -> (Vec<u8>, Option<InflateError>) {
    let mut out = Vec::new();
    let mut chunk = vec![0_u8; 16 * 1024];
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return (out, Some(InflateError::CutOff));
            }
            Err(_) => return (out, Some(InflateError::Corrupt)),
        };
        if count == 0 {
            return (out, None);
        }
        if out.len() + count > max {
            return (out, Some(InflateError::TooLarge));
        }
        out.extend_from_slice(slice(&chunk, 0..count));
    }
}
