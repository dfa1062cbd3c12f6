//! Tests that need the whole detector: every rule's own examples, and properties.

mod files;

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use proptest::prelude::*;

use crate::{Detector, FingerprintKey, Limits, Scan, Setup, Uninspectable};

const KEY: &str = concat!("AKIA", "1234567890ABCDEF");

fn detector() -> &'static Detector {
    static DETECTOR: std::sync::LazyLock<Detector> = std::sync::LazyLock::new(|| {
        let setup = Setup {
            key: FingerprintKey::new([7; 32]),
            limits: Limits::default(),
            rules: Vec::new(),
            secrets: Vec::new(),
        };
        match Detector::with_examples(setup) {
            Ok(detector) => detector,
            Err(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                panic!("{}", lines.join("\n"))
            }
        }
    });
    &DETECTOR
}

fn has(scan: &Scan, rule: &str) -> bool {
    scan.findings
        .iter()
        .any(|finding| finding.rule.as_str() == rule)
}

fn finds_key(body: &[u8]) -> bool {
    has(&detector().scan_text(body), "aws-access-key-id")
}

#[test]
fn every_rule_keeps_its_promises() {
    let mut broken = Vec::new();
    for rule in detector().rules() {
        for example in &rule.examples {
            if !rule.is_found_in(example, detector()) {
                broken.push(format!("{} misses {example}", rule.id.as_str()));
            }
        }
        for example in &rule.negative_examples {
            if rule.is_found_in(example, detector()) {
                broken.push(format!("{} matches {example}", rule.id.as_str()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn without_their_examples_the_rules_are_the_same() {
    let lean = Detector::builtin(FingerprintKey::new([7; 32]), Limits::default());
    let lean = lean.unwrap_or_else(|errors| panic!("{} mistakes", errors.len()));
    let shown = |detector: &Detector| -> Vec<String> {
        let shown = detector.rules().map(|rule| {
            let places = &rule.places;
            let texts = (rule.patterns().join(" "), rule.homes.join(" "));
            format!(
                "{} {:?} {places:?} {texts:?}",
                rule.id.as_str(),
                rule.origin
            )
        });
        shown.collect()
    };
    assert_eq!(shown(&lean), shown(detector()));
    assert!(lean.rules().all(|rule| rule.examples.is_empty()));
}

#[test]
fn what_is_encoded_too_often_is_found_or_said() {
    let key = concat!("the key is gh", "p_q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9");
    let encoded = |bytes: &[u8], times: usize| {
        (0..times).fold(bytes.to_vec(), |bytes, _| {
            STANDARD.encode(bytes).into_bytes()
        })
    };
    let mut backwards = encoded(key.as_bytes(), 1);
    backwards.reverse();
    for times in 1..7 {
        for inner in [key.as_bytes(), &backwards] {
            let scan = detector().scan_text(&encoded(inner, times));
            assert!(
                has(&scan, "github-token") || scan.uninspectable.is_some(),
                "{times}"
            );
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn json_escaped(text: &str) -> String {
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    format!("{{\"k\":\"{units}\"}}")
}

fn layered(text: &[u8], layer: u8) -> Vec<u8> {
    match layer {
        0 => format!("x {} y", STANDARD.encode(text)).into_bytes(),
        1 => format!("{{\"d\":\"{}\"}}", URL_SAFE_NO_PAD.encode(text)).into_bytes(),
        2 => percent(text).into_bytes(),
        3 => gzip(text),
        4 => hex(text).into_bytes(),
        _ => json_escaped(&String::from_utf8_lossy(text)).into_bytes(),
    }
}

#[test]
fn ten_disguises_of_one_key() {
    let utf16: Vec<u8> = KEY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wrapped: String = STANDARD
        .encode(format!("some text before the key {KEY}"))
        .as_bytes()
        .chunks(16)
        .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
        .collect();
    let disguises: [(&str, Vec<u8>); 10] = [
        ("plain", KEY.as_bytes().to_vec()),
        ("base64", STANDARD.encode(KEY).into_bytes()),
        (
            "base64 after a path",
            format!("/collect/{}", URL_SAFE_NO_PAD.encode(KEY)).into_bytes(),
        ),
        ("hex", hex(KEY.as_bytes()).into_bytes()),
        (
            "percent twice",
            percent(percent(KEY.as_bytes()).as_bytes()).into_bytes(),
        ),
        ("json escapes", json_escaped(KEY).into_bytes()),
        (
            "base64 of gzip",
            STANDARD.encode(gzip(KEY.as_bytes())).into_bytes(),
        ),
        ("utf-16", utf16),
        (
            "html entities",
            KEY.bytes()
                .flat_map(|b| format!("&#{b};").into_bytes())
                .collect(),
        ),
        ("base64 with line breaks", wrapped.into_bytes()),
    ];
    for (name, body) in disguises {
        assert!(finds_key(&body), "{name}");
    }
}

#[test]
fn hostile_repetition_stays_linear_and_bounded() {
    let patterns = [
        "ghp_",
        "password=",
        "-----BEGIN ",
        "@@@@",
        "1111",
        "eyJ",
        ".eyJ",
        "eyJ.",
        "sk-",
        "postgres://a:",
        "AKIA",
        "token:\"",
        "\\u0041",
        "%25",
        "{\"",
        "4111 ",
        "basic AAAA",
        "&#6",
        "00 ",
        "a@b.co ",
        "\0a",
    ];
    for pattern in patterns {
        let body = pattern.repeat(50_000 / pattern.len());
        let scan = detector().scan_text(body.as_bytes());
        assert!(
            scan.findings.len() <= 300,
            "{pattern}: {}",
            scan.findings.len()
        );
    }
}

#[test]
fn a_decoy_hides_nothing() {
    let mut body: String = (0..500).map(|n| format!("{KEY} ghp_{n:036} ")).collect();
    body.push_str("and 4111111111111111");
    let scan = detector().scan_text(body.as_bytes());
    assert!(
        has(&scan, "payment-card") && has(&scan, "github-token") && has(&scan, "aws-access-key-id")
    );
}

#[test]
fn spans_and_views_lead_back_to_the_original() {
    let body = format!("{{\"notes\":[\"a\",\"b\",\"line\\n{KEY}\"]}}");
    let scan = detector().scan_text(body.as_bytes());
    let [finding] = scan.findings.as_slice() else {
        panic!("{:?}", scan.findings)
    };
    assert_eq!(finding.location.to_string(), "body > json $.notes[2]");
    assert_eq!(body.get(finding.span.clone()), Some(KEY));
    assert_eq!(&*finding.redacted, "AKIA••••CDEF");
    let body = format!("data: {} end", STANDARD.encode(KEY));
    let scan = detector().scan_text(body.as_bytes());
    assert_eq!(scan.findings[0].location.to_string(), "body > base64");
    assert_eq!(scan.findings[0].span, 6..6 + 27);
}

#[test]
fn codings_are_undone_or_refused() {
    let headers = |coding: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().unwrap());
        headers
    };
    let text = format!("text with {KEY}");
    let brotli = {
        let mut out = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
        encoder.write_all(text.as_bytes()).unwrap();
        drop(encoder);
        out
    };
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let members = [gzip(b"first"), gzip(text.as_bytes())].concat();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (coding, body) in [
        ("gzip", &members),
        ("br", &brotli),
        ("zstd", &zstd),
        ("deflate", &zlib),
        ("deflate", &zlib[2..zlib.len() - 4].to_vec()),
        ("zstd, gzip", &gzip(&zstd)),
        ("identity", &text.clone().into_bytes()),
    ] {
        let scan = detector().scan_body(&headers(coding), body);
        assert_eq!(scan.uninspectable, None, "{coding}");
        assert!(has(&scan, "aws-access-key-id"), "{coding}");
    }
    let refusals = [
        (
            "gzip",
            text.clone().into_bytes(),
            Uninspectable::CorruptCoding,
        ),
        (
            "gzip",
            gzip(text.as_bytes())[..20].to_vec(),
            Uninspectable::CorruptCoding,
        ),
        (
            "compress",
            b"x".to_vec(),
            Uninspectable::UnknownCoding("compress".to_owned()),
        ),
        (
            "gzip, gzip, gzip",
            b"x".to_vec(),
            Uninspectable::CodingLayers,
        ),
        (
            "gzip",
            gzip(&vec![0; 2_000_000]),
            Uninspectable::CodingBudget,
        ),
    ];
    for (coding, body, reason) in refusals {
        assert_eq!(
            detector().scan_body(&headers(coding), &body).uninspectable,
            Some(reason),
            "{coding}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let scan = detector().scan_text(&body);
        for finding in scan.findings {
            prop_assert!(finding.span.start <= finding.span.end && finding.span.end <= body.len());
        }
    }

    #[test]
    fn structured_bytes_do_no_harm(body in "([{}\\[\\]\",:\\\\u0041%=&+@.a-zA-Z0-9 \n-]|password=|AKIA|eyJ){0,300}") {
        let scan = detector().scan_text(body.as_bytes());
        for finding in scan.findings {
            prop_assert!(finding.span.end <= body.len());
        }
    }

    #[test]
    fn layers_hide_nothing(layers in proptest::collection::vec(0_u8..6, 0..4), before in "[a-z ]{0,20}") {
        let mut body = format!("{before} {KEY} ").into_bytes();
        let mut previous = None;
        for layer in layers {
            // Escaping JSON as text needs text.
            if layer == 5 && previous == Some(3) { continue }
            body = layered(&body, layer);
            previous = Some(layer);
        }
        let scan = detector().scan_text(&body);
        prop_assert!(has(&scan, "aws-access-key-id"), "{:?}", scan.uninspectable);
    }
}

/// The cases of `testdata/detect`.
const CASES: &str = include_str!("../../../testdata/detect/cases.yaml");

#[test]
fn cases() {
    let Ok(Some(root)) = crate::yaml::parse(CASES) else {
        panic!("the cases cannot be read")
    };
    let crate::yaml::Value::List(cases) = root.value else {
        panic!("the cases must be a list")
    };
    for case in &cases {
        check(case);
    }
}

fn check(case: &crate::yaml::Node) {
    let crate::yaml::Value::Map(fields) = &case.value else {
        panic!("line {}: a case must be a mapping", case.line)
    };
    let texts = |name: &str| -> Vec<String> {
        let field = fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, node)| node);
        match field.map(|node| &node.value) {
            Some(crate::yaml::Value::List(items)) => items
                .iter()
                .filter_map(|item| item.text())
                .map(str::to_owned)
                .collect(),
            Some(crate::yaml::Value::Text(text)) => vec![text.clone()],
            _ => panic!("line {}: `{name}` is missing", case.line),
        }
    };
    let scan = detector().scan_text(texts("body").concat().as_bytes());
    let found: std::collections::BTreeSet<String> = scan
        .findings
        .iter()
        .map(|finding| finding.rule.as_str().to_owned())
        .collect();
    let expected: std::collections::BTreeSet<String> = texts("rules").into_iter().collect();
    assert_eq!(found, expected, "{}", texts("name").concat());
    assert_eq!(scan.uninspectable, None, "{}", texts("name").concat());
}

#[test]
fn what_lies_behind_or_inside_a_coding_is_seen() {
    let text = format!("k {KEY}\n");
    let encoded = STANDARD.encode(&text);
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"hello").unwrap();
        encoder.finish().unwrap()
    };
    let tail = [gzip(text.as_bytes()), b"\n".to_vec()].concat();
    let cut = gzip(text.as_bytes());
    assert!(finds_key(&tail), "gzip with something behind it");
    assert!(finds_key(&cut[..cut.len() - 8]), "gzip without its end");
    let escaped = json_escaped(&percent(&gzip(text.as_bytes())));
    assert!(finds_key(escaped.as_bytes()), "gzip, percent, JSON");
    let behind = [b"hello ".to_vec(), gzip(text.as_bytes())].concat();
    assert!(finds_key(&behind), "gzip with something before it");
    let decoys = [b"\x1f\x8b\x08 ".repeat(200), gzip(text.as_bytes())].concat();
    assert!(finds_key(&decoys), "gzip behind decoys");
    let both = [
        zstd::encode_all(text.as_bytes(), 1).unwrap(),
        gzip(b"hello"),
    ]
    .concat();
    let both = [b"x ".to_vec(), both].concat();
    assert!(finds_key(&both), "zstd before gzip");
    let flood = b"\x1f\x8b\x08 ".repeat(50_000);
    assert!(
        detector().scan_text(&flood).uninspectable.is_some(),
        "too many to look at"
    );
    let member = gzip(&b"ordinary text, many times over. ".repeat(2000));
    let members = detector().scan_text(&member.repeat(50));
    assert_eq!(members.uninspectable, None, "one file of many members");
    for (coding, body) in [
        ("br", [b"\x06\n".as_slice(), encoded.as_bytes()].concat()),
        ("deflate", [zlib, encoded.into_bytes()].concat()),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().unwrap());
        let scan = detector().scan_body(&headers, &body);
        let refused = has(&scan, "aws-access-key-id") || scan.uninspectable.is_some();
        assert!(refused, "{coding}");
    }
}

#[test]
fn parts_are_undone_wherever_they_stand() {
    let quoted: String = KEY.bytes().map(|byte| format!("={byte:02X}")).collect();
    let part = |boundary: &str| {
        format!("--{boundary}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{quoted}\r\n")
    };
    let nested = format!(
        "--A\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n{}--B--\r\n--A--\r\n",
        part("B")
    );
    let many = "--A\r\n\r\nx\r\n".repeat(1100) + &part("A");
    let cases = [
        ("multipart/form-data; boundary=A", part("A")),
        (
            "multipart/form-data; x=\"; boundary=Z\"; boundary=A",
            part("A"),
        ),
        ("multipart/mixed; boundary=A", nested),
        ("multipart/form-data; boundary=A", many),
    ];
    for (kind, body) in cases {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        let scan = detector().scan_body(&headers, body.as_bytes());
        let refused = has(&scan, "aws-access-key-id") || scan.uninspectable.is_some();
        assert!(refused, "{kind} of {} bytes", body.len());
    }
}

#[test]
fn noise_and_prose_hide_nothing_and_can_be_looked_into() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[4]
    })
    .take(1024 * 1024)
    .collect();
    let prose = b"The quick brown fox jumps over the lazy dog. ".repeat(20_000);
    let image = format!("{{\"image\":\"{}\"}}", STANDARD.encode(&noise));
    for (name, body) in [
        ("noise", noise),
        ("prose", prose),
        ("image", image.into_bytes()),
    ] {
        let scan = detector().scan_text(&body);
        assert_eq!(scan.uninspectable, None, "{name}");
        assert!(scan.findings.is_empty(), "{name}: {:?}", scan.findings);
    }
}
