#![no_main]

use std::sync::LazyLock;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use oktsec_detect::{Detector, FingerprintKey, Limits};

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    Detector::builtin(FingerprintKey::new([7; 32]), Limits::default()).expect("the rules are valid")
});

// The first two lines are the type and the coding.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |&byte| byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [CONTENT_TYPE, CONTENT_ENCODING] {
        let value = parts.next().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    let body = parts.next().unwrap_or_default();
    for finding in DETECTOR.scan_body(&headers, body).findings {
        assert!(finding.span.start <= finding.span.end && finding.span.end <= body.len());
    }
});
