//! The decoders, opened to the fuzzer: each entry takes bytes and checks what must hold for any.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::view::View;
use crate::{archive, decode, encodings, exfiltration, joined, json, loader, multipart, unicode};

/// How many bytes may be inflated.
const BUDGET: usize = 1024 * 1024;

/// Every decoder that derives a view.
pub fn decoders(bytes: &[u8]) {
    let view = View::of(bytes);
    decode::rewrites(&view, BUDGET);
    for run in &crate::runs::find(bytes).base64 {
        let encoded = crate::bytes::slice(bytes, run.clone());
        decode::run(decode::BASE64, encoded, run);
    }
    for text in unicode::cleaned(bytes)
        .into_iter()
        .chain(unicode::hidden(bytes))
    {
        assert_marks(&text.marks, text.bytes.len(), bytes.len());
    }
    for text in encodings::decoded(bytes) {
        assert_marks(&text.marks, text.bytes.len(), bytes.len());
    }
}

/// Archives and documents.
pub fn archives(bytes: &[u8]) {
    let members = archive::members(bytes, BUDGET);
    let mut inflated = 0;
    for member in &members.list {
        assert!(member.range.end <= bytes.len());
        if let archive::Content::Inflated(bytes) = &member.content {
            inflated += bytes.len();
        }
    }
    // The text of a PDF is put together from what was inflated.
    assert!(inflated <= 3 * (BUDGET + bytes.len()));
}

/// Joined views, and data in names.
pub fn names(bytes: &[u8]) {
    let views = joined::of_host(bytes)
        .into_iter()
        .chain(joined::of_path(bytes, &[]))
        .chain(joined::of_form(bytes, 0, &[]))
        .chain(joined::spaced::reversed(bytes))
        .chain(joined::spaced::spaced_out(bytes));
    for view in views {
        assert!(view.range.start <= view.range.end && view.range.end <= bytes.len());
    }
    for found in exfiltration::in_path(bytes)
        .into_iter()
        .chain(exfiltration::in_host(bytes))
    {
        assert!(found.range.end <= bytes.len());
    }
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n').take(16) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("x-part", value);
        }
    }
    joined::of_headers(&headers);
}

/// JSON: its strings unescaped and joined, and the path of a position.
pub fn json(bytes: &[u8]) {
    json::derive(bytes);
    joined::json::of_json(bytes);
    let mut way = json::Way::default();
    for position in [bytes.len() / 2, bytes.len(), 0] {
        way.path_to(bytes, position);
    }
}

/// Multipart bodies; the first line is the boundary.
pub fn multipart(bytes: &[u8]) {
    let boundary = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let kind = [b"multipart/form-data; boundary=", boundary].concat();
    let mut headers = HeaderMap::new();
    if let Ok(kind) = HeaderValue::from_bytes(&kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    multipart::parts(&headers, bytes);
}

/// The loader of rules.
pub fn rule_loader(bytes: &[u8]) {
    // What is wrong with it is no matter here.
    let own = crate::detector::RuleFile {
        name: "fuzz.yaml".to_owned(),
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    drop(loader::load(&[], &[own], crate::builtin::Examples::Kept));
}

fn assert_marks(marks: &[(usize, usize)], here_max: usize, there_max: usize) {
    assert!(marks.is_sorted());
    assert!(
        marks
            .iter()
            .all(|&(here, there)| here <= here_max && there <= there_max)
    );
}
