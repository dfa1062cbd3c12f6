//! Content codings undone piece by piece, for bodies that are larger than what is held.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;

use super::{Coding, RATIO_FREE_BYTES, RATIO_MAX, WINDOW_LOG_MAX, announced};
use crate::detector::Uninspectable;

/// Undoes the codings that a body's headers announce, as the body comes.
pub struct BodyDecoder {
    /// The last coding first.
    stages: Vec<Stage>,
    in_bytes: usize,
    out_bytes: usize,
    /// Why it gave up: what a decoder says after an error means nothing.
    failed: Option<Uninspectable>,
}

/// One coding.
enum Stage {
    /// Nothing has come yet that tells the zlib format from raw deflate.
    Deflate(Vec<u8>),
    Begun(Box<dyn Decoder>),
}

/// Writes what it decodes to a sink.
trait Decoder: Write + Send + Sync {
    fn sink(&mut self) -> &mut Sink;
}

/// Takes what a decoder writes, up to a limit.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    room: usize,
    is_over: bool,
}

const BROTLI_BUFFER_BYTES: usize = 16 * 1024;
/// What one push may give: the ratio is of the whole body, and a body that was dull for long must not
/// become very much at once.
const PUSH_BYTES_MAX: usize = 8 * 1024 * 1024;

// === impl BodyDecoder ===

impl BodyDecoder {
    /// A decoder for a body with these headers; nothing for one without codings.
    ///
    /// # Errors
    /// A coding that we cannot undo, or too many of them.
    pub fn new(headers: &HeaderMap) -> Result<Option<Self>, Uninspectable> {
        let codings = announced(headers)?;
        if codings.is_empty() {
            return Ok(None);
        }
        Self::of(codings).map(Some)
    }

    /// A decoder for a body that no header announces, and whose first bytes are those of a gzip or a zstd
    /// file.
    #[must_use]
    pub fn by_magic(first: &[u8]) -> Option<Self> {
        let is_file = Coding::MAGICS.iter().any(|magic| first.starts_with(magic));
        let coding = Coding::by_magic(first).filter(|_| is_file)?;
        Self::of(vec![coding]).ok()
    }

    /// Whether a coding of that name can be undone.
    #[must_use]
    pub fn undoes(name: &str) -> bool {
        name.eq_ignore_ascii_case("identity") || Coding::parse(name).is_some()
    }

    fn of(codings: Vec<Coding>) -> Result<Self, Uninspectable> {
        let stages: Result<Vec<Stage>, Uninspectable> =
            codings.into_iter().rev().map(Stage::new).collect();
        Ok(Self {
            stages: stages?,
            in_bytes: 0,
            out_bytes: 0,
            failed: None,
        })
    }

    /// What the next bytes of the body say, as far as that can be told by now: 8 MiB at most, so that
    /// little should be pushed at a time.
    ///
    /// # Errors
    /// Data that is not of the coding, or that becomes more than a hundred times as much.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Uninspectable> {
        if let Some(reason) = &self.failed {
            return Err(reason.clone());
        }
        self.push_next(bytes)
            .inspect_err(|reason| self.failed = Some(reason.clone()))
    }

    fn push_next(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Uninspectable> {
        self.in_bytes = self.in_bytes.saturating_add(bytes.len());
        let most = RATIO_FREE_BYTES.max(self.in_bytes.saturating_mul(RATIO_MAX));
        let room = most.saturating_sub(self.out_bytes).min(PUSH_BYTES_MAX);
        let mut bytes = bytes.to_vec();
        for stage in &mut self.stages {
            bytes = stage.push(&bytes, room)?;
        }
        self.out_bytes = self.out_bytes.saturating_add(bytes.len());
        Ok(bytes)
    }
}

// === impl Stage ===

impl Stage {
    fn new(coding: Coding) -> Result<Self, Uninspectable> {
        let sink = Sink::default();
        Ok(match coding {
            Coding::Brotli => {
                Self::begun(brotli::DecompressorWriter::new(sink, BROTLI_BUFFER_BYTES))
            }
            Coding::Deflate => Self::Deflate(Vec::new()),
            Coding::Gzip => Self::begun(MultiGzDecoder::new(sink)),
            Coding::Zstd => {
                let decoder = zstd::stream::write::Decoder::new(sink).and_then(|mut decoder| {
                    decoder.window_log_max(WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
                Self::begun(decoder.map_err(|_| Uninspectable::CorruptCoding)?)
            }
        })
    }

    fn begun(decoder: impl Decoder + 'static) -> Self {
        Self::Begun(Box::new(decoder))
    }

    fn push(&mut self, bytes: &[u8], room: usize) -> Result<Vec<u8>, Uninspectable> {
        match self {
            Self::Begun(decoder) => write(decoder.as_mut(), bytes, room),
            Self::Deflate(first) => {
                first.extend_from_slice(bytes);
                let &[method, flags, ..] = first.as_slice() else {
                    return Ok(Vec::new());
                };
                let held = std::mem::take(first);
                *self = Self::deflate([method, flags]);
                self.push(&held, room)
            }
        }
    }

    /// "deflate" means the zlib format (RFC 9110, section 8.4.1.2), but raw deflate is sent as well.
    /// The first two bytes of zlib are a multiple of 31 and name method 8 (RFC 1950, section 2.2).
    fn deflate(first: [u8; 2]) -> Self {
        const METHOD: u8 = 8;
        let [method, _] = first;
        if method & 0x0F == METHOD && u16::from_be_bytes(first).is_multiple_of(31) {
            Self::begun(ZlibDecoder::new(Sink::default()))
        } else {
            Self::begun(DeflateDecoder::new(Sink::default()))
        }
    }
}

fn write(decoder: &mut dyn Decoder, bytes: &[u8], room: usize) -> Result<Vec<u8>, Uninspectable> {
    decoder.sink().room = room;
    let written = decoder.write_all(bytes).and_then(|()| decoder.flush());
    let sink = decoder.sink();
    match written {
        Ok(()) => Ok(std::mem::take(&mut sink.bytes)),
        Err(_) if sink.is_over => Err(Uninspectable::CodingBudget),
        Err(_) => Err(Uninspectable::CorruptCoding),
    }
}

// === impl Decoder ===

impl Decoder for brotli::DecompressorWriter<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

impl Decoder for MultiGzDecoder<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

impl Decoder for ZlibDecoder<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

impl Decoder for DeflateDecoder<Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

impl Decoder for zstd::stream::write::Decoder<'static, Sink> {
    fn sink(&mut self) -> &mut Sink {
        self.get_mut()
    }
}

// === impl Sink ===

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            self.is_over = true;
            return Err(io::Error::other("more than is looked at"));
        }
        self.room -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use proptest::prelude::*;

    use super::*;

    fn headers(coding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().unwrap());
        headers
    }

    fn coded(coding: &str, text: &[u8]) -> Vec<u8> {
        match coding {
            "br" => {
                let mut out = Vec::new();
                let mut text = text;
                brotli::BrotliCompress(&mut text, &mut out, &Default::default()).unwrap();
                out
            }
            "gzip" => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
                writer.write_all(text).unwrap();
                writer.finish().unwrap()
            }
            "deflate" => {
                let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
                writer.write_all(text).unwrap();
                writer.finish().unwrap()
            }
            "raw" => {
                let mut writer =
                    flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
                writer.write_all(text).unwrap();
                writer.finish().unwrap()
            }
            _ => zstd::encode_all(text, 1).unwrap(),
        }
    }

    fn decoded(coding: &str, body: &[u8], piece: usize) -> Result<Vec<u8>, Uninspectable> {
        let name = if coding == "raw" { "deflate" } else { coding };
        let mut decoder = BodyDecoder::new(&headers(name))?.expect("a coding");
        let mut out = Vec::new();
        for piece in body.chunks(piece) {
            out.extend(decoder.push(piece)?);
        }
        Ok(out)
    }

    const CODINGS: [&str; 5] = ["br", "deflate", "gzip", "raw", "zstd"];

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 64 * 1024 * 1024];
        for coding in CODINGS {
            let bomb = coded(coding, &zeros);
            let result = decoded(coding, &bomb, 16 * 1024);
            assert_eq!(result.err(), Some(Uninspectable::CodingBudget), "{coding}");
        }
    }

    #[test]
    fn what_is_no_coding_is_refused() {
        for coding in ["deflate", "gzip", "zstd"] {
            let result = decoded(coding, b"\x01plainly not compressed, whatever they say", 7);
            assert_eq!(result.err(), Some(Uninspectable::CorruptCoding), "{coding}");
        }
        let trailing = [coded("deflate", b"text").as_slice(), b"and more"].concat();
        assert!(decoded("deflate", &trailing, 99).is_err());
        assert!(BodyDecoder::new(&headers("br, gzip, zstd")).is_err());
        assert!(BodyDecoder::new(&headers("compress")).is_err());
        assert!(BodyDecoder::new(&headers("identity")).unwrap().is_none());
    }

    #[test]
    fn a_bomb_behind_dull_data_gives_little_at_a_time() {
        let mut noise = 1_u64;
        let mut dull = || {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            noise.to_be_bytes()[0]
        };
        let dull: Vec<u8> = (0..4_000_000).map(|_| dull()).collect();
        let zeros = vec![0; 64 * 1024 * 1024];
        for coding in ["gzip", "zstd"] {
            let body = [coded(coding, &dull), coded(coding, &zeros)].concat();
            let mut decoder = BodyDecoder::by_magic(&body).expect("it is told");
            for piece in body.chunks(4096) {
                match decoder.push(piece) {
                    Ok(out) => assert!(out.len() <= PUSH_BYTES_MAX),
                    Err(reason) => assert_eq!(reason, Uninspectable::CodingBudget),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_whole_says(
            text in proptest::collection::vec(any::<u8>(), 0..3000),
            times in 1..20_usize,
            piece in 1..5000_usize,
        ) {
            let text = text.repeat(times);
            for coding in CODINGS {
                let out = decoded(coding, &coded(coding, &text), piece);
                prop_assert_eq!(out.as_ref().ok(), Some(&text), "{}", coding);
            }
        }
    }
}
