#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Two windows and more; what the fuzzer writes is shorter than one.
const BODY_BYTES_MAX: usize = 640 * 1024;

// A byte of how, one of how often the body is repeated, up to eight sizes of pieces, the body.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [how, times, count, rest @ ..] = bytes else {
        return;
    };
    let (pieces, body) = rest.split_at(rest.len().min(usize::from(count % 9)));
    oktsec_inspect::fuzzing::held(pieces, body);
    let times = usize::from(*times).pow(2) + 1;
    let times = times.min(BODY_BYTES_MAX / body.len().max(1));
    let mut body = body.repeat(times.max(1));
    if how & 1 != 0 {
        // Without compression the windows are as long as the body.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(u32::from(how >> 4) % 10));
        encoder.write_all(&body).expect("memory takes it");
        body = encoder.finish().expect("memory takes it");
    }
    let coding = match how >> 2 & 3 {
        0 => "",
        1 => "gzip",
        2 => "br",
        _ => "zstd",
    };
    oktsec_inspect::fuzzing::flow(coding, how & 2 != 0, pieces, &body);
});
