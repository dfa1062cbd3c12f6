//! Bodies that flow: what leaves is what came, and no part of a secret is among it.

use std::io::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use oktsec_model::{Action, Reason, RequestHead};
use proptest::prelude::*;

use super::{KEY, head_with, snapshot};
use crate::{Begin, Flow, Inspection, Moment, Snapshot};

const WINDOW_BYTES: usize = 256 * 1024;

/// Ordinary text of a length.
fn prose(bytes: usize) -> Vec<u8> {
    let line = b"the results of the second run are in the table below, row after row\n";
    line.iter().copied().cycle().take(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn begin(snapshot: &Arc<Snapshot>, head: &Arc<RequestHead>) -> Flow {
    let admitted = snapshot.admit(&head.principal, &head.target, &head.method);
    match Inspection::begin(snapshot, head, admitted) {
        Begin::NeedBody(inspection) => inspection.flow(),
        Begin::Decided(_) | Begin::Unscanned(_) => panic!("the body is needed"),
    }
}

/// What leaves of a body that comes in chunks, and whether all of it may.
fn send(flow: &mut Flow, body: &[u8], chunk: usize) -> (Vec<u8>, Result<(), Reason>) {
    let mut out = Vec::new();
    for chunk in body.chunks(chunk) {
        flow.push(chunk);
        if flow.is_full() {
            match flow.judge(Moment::Full) {
                Ok(released) => out.extend(released),
                Err(decision) => return (out, Err(decision.reason)),
            }
        }
    }
    match flow.judge(Moment::End) {
        Ok(released) => out.extend(released),
        Err(decision) => return (out, Err(decision.reason)),
    }
    (out, Ok(()))
}

fn coded_head(coding: &'static str) -> Arc<RequestHead> {
    let mut headers = HeaderMap::new();
    if !coding.is_empty() {
        headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
    }
    head_with("https://api.example.com/upload", headers)
}

#[test]
fn no_part_of_a_secret_leaves() {
    let snapshot = snapshot(true, 4096);
    let encoded = STANDARD.encode(format!("{{\"note\":\"the key is {KEY}\"}}"));
    for secret in [KEY, encoded.as_str()] {
        for border in [1, 2] {
            for before in [0, 1, 7, secret.len() / 2, secret.len(), 3000, 70_000] {
                let start = border * WINDOW_BYTES - before;
                let mut body = prose(3 * WINDOW_BYTES);
                let text = format!(" {secret} ");
                body[start..start + text.len()].copy_from_slice(text.as_bytes());
                let mut flow = begin(&snapshot, &coded_head(""));
                let (out, result) = send(&mut flow, &body, 16 * 1024);
                assert_eq!(result, Err(Reason::BlockedContent), "{start}");
                assert!(out.len() <= start, "{} of {start}", out.len());
                assert!(body.starts_with(&out));
            }
        }
    }
}

#[test]
fn no_part_of_a_coded_secret_leaves() {
    let snapshot = snapshot(true, 4096);
    for border in [1, 2] {
        for before in [0, 7, KEY.len(), 40_000] {
            let start = border * WINDOW_BYTES - before;
            let mut body = prose(4 * WINDOW_BYTES);
            let text = format!(" {KEY} ");
            body[start..start + text.len()].copy_from_slice(text.as_bytes());
            let body = gzip(&body);
            let place = memchr::memmem::find(&body, &KEY.as_bytes()[..8]).unwrap();
            let mut flow = begin(&snapshot, &coded_head("gzip"));
            let (out, result) = send(&mut flow, &body, 16 * 1024);
            assert_eq!(result, Err(Reason::BlockedContent), "{start}");
            assert!(out.len() <= place, "{} of {place}", out.len());
            assert!(body.starts_with(&out));
        }
    }
}

#[test]
fn what_cannot_be_decoded_does_not_leave() {
    let snapshot = snapshot(true, 4096);
    for body in [prose(2 * WINDOW_BYTES), [gzip(b"text"), prose(99)].concat()] {
        let mut flow = begin(&snapshot, &coded_head("gzip"));
        let (out, result) = send(&mut flow, &body, 16 * 1024);
        assert_eq!((out.len(), result), (0, Err(Reason::Uninspectable)));
    }
}

/// Random bytes.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

#[test]
fn a_compressed_file_is_looked_into_to_its_end() {
    let snapshot = snapshot(true, 4096);
    let text = [noise(3 * WINDOW_BYTES), format!(" {KEY} ").into_bytes()].concat();
    for file in [gzip(&text), zstd::encode_all(text.as_slice(), 1).unwrap()] {
        let mut flow = begin(&snapshot, &coded_head(""));
        let (out, result) = send(&mut flow, &file, 16 * 1024);
        assert_eq!(result, Err(Reason::BlockedContent));
        assert!(file.starts_with(&out) && out.len() < file.len());
    }
    // A frame that decoders skip (RFC 8878, section 3.1.2).
    let remark = format!(" {KEY} ").into_bytes();
    let length = u32::try_from(remark.len()).unwrap().to_le_bytes();
    let file = zstd::encode_all(noise(3 * WINDOW_BYTES).as_slice(), 1).unwrap();
    let file = [&file, &b"\x50\x2A\x4D\x18"[..], &length, &remark].concat();
    let mut flow = begin(&snapshot, &coded_head(""));
    let (_, result) = send(&mut flow, &file, 16 * 1024);
    assert_eq!(result, Err(Reason::BlockedContent));
}

#[test]
fn compressed_data_that_goes_on_behind_a_window_does_not_leave() {
    let snapshot = snapshot(true, 4096);
    let head = b"--B\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n";
    let text = [prose(99), noise(2 * WINDOW_BYTES), KEY.as_bytes().to_vec()].concat();
    let body = [&head[..], &gzip(&text), b"\r\n--B--\r\n"].concat();
    let mut flow = begin(&snapshot, &coded_head(""));
    let (_, result) = send(&mut flow, &body, 16 * 1024);
    assert_eq!(result, Err(Reason::Uninspectable));
    // One that lies across a border, and is short, is looked at with the second window.
    for (secret, expected) in [("", Ok(())), (KEY, Err(Reason::BlockedContent))] {
        let file = gzip(format!("a short file {secret} in a long body").as_bytes());
        for before in [1, 20, file.len() - 1] {
            let place = WINDOW_BYTES - before;
            let body = [prose(place), file.clone(), prose(WINDOW_BYTES)].concat();
            let mut flow = begin(&snapshot, &coded_head(""));
            let (_, result) = send(&mut flow, &body, 16 * 1024);
            assert_eq!(result, expected, "{before}");
        }
    }
}

#[test]
fn a_little_that_says_much_is_looked_at_window_by_window() {
    let snapshot = snapshot(true, 4096);
    // Dull data first: the whole of it stays below the ratio.
    let file = [zstd::encode_all(noise(2_000_000).as_slice(), 1).unwrap(), {
        let text = [prose(60_000_000), format!(" {KEY} ").into_bytes()].concat();
        zstd::encode_all(text.as_slice(), 1).unwrap()
    }]
    .concat();
    let mut flow = begin(&snapshot, &coded_head("zstd"));
    let mut most = 0;
    let mut result = Ok(());
    for chunk in file.chunks(64 * 1024) {
        flow.push(chunk);
        most = most.max(flow.text_bytes());
        if flow.is_full()
            && let Err(decision) = flow.judge(Moment::Full)
        {
            result = Err(decision.reason);
            break;
        }
    }
    if result.is_ok() {
        result = flow
            .judge(Moment::End)
            .map(drop)
            .map_err(|decision| decision.reason);
    }
    assert_eq!(result, Err(Reason::BlockedContent));
    assert!(most < 10 * 1024 * 1024, "{most}");
}

#[test]
fn what_was_sent_before_a_pause_leaves_and_is_remembered() {
    let snapshot = snapshot(true, 4096);
    let mut flow = begin(&snapshot, &coded_head(""));
    let (first, second) = KEY.split_at(9);
    flow.push(format!("{{\"key\": \"{first}").as_bytes());
    assert!(flow.holds_any());
    assert_eq!(flow.judge(Moment::Pause).map(|out| out.len()), Ok(18));
    assert!(!flow.holds_any());
    flow.push(second.as_bytes());
    let refused = flow
        .judge(Moment::Pause)
        .map_err(|decision| decision.action);
    assert_eq!(refused, Err(Action::Block));
    assert_eq!(flow.later().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_leaves_is_what_came(
        chunk in 1000..100_000_usize,
        bytes in 0..700_000_usize,
        is_coded in any::<bool>(),
    ) {
        static SNAPSHOT: std::sync::LazyLock<Arc<Snapshot>> =
            std::sync::LazyLock::new(|| snapshot(true, 4096));
        let (coding, body) = if is_coded {
            ("gzip", gzip(&prose(bytes)))
        } else {
            ("", prose(bytes))
        };
        let mut flow = begin(&SNAPSHOT, &coded_head(coding));
        let (out, result) = send(&mut flow, &body, chunk);
        prop_assert_eq!(result, Ok(()));
        prop_assert!(out == body);
    }
}
