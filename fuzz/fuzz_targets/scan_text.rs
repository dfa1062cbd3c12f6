#![no_main]

use std::sync::LazyLock;

use oktsec_detect::{Detector, FingerprintKey, Limits};

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    Detector::builtin(FingerprintKey::new([7; 32]), Limits::default()).expect("the rules are valid")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for finding in DETECTOR.scan_text(bytes).findings {
        assert!(finding.span.start <= finding.span.end && finding.span.end <= bytes.len());
    }
});
