//! Sizes and rates.

use crate::support::process::{hex_sha256, wait_for};
use crate::support::{AWS_KEY, Config, Gateway, SCHEMES};

const MIB: usize = 1024 * 1024;

/// Bytes that look like nothing, the same in each run.
fn noise(len: usize) -> Vec<u8> {
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Plain words.
fn prose(len: usize) -> Vec<u8> {
    b"The quick brown fox jumps over the lazy dog. "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}

/// How curl is made to send a body: with its length, in chunks, over HTTP/2.
fn framings(scheme: &str) -> Vec<&'static [&'static str]> {
    let mut all: Vec<&[&str]> = vec![&[], &["-H", "Transfer-Encoding: chunked"]];
    if scheme == "https" {
        all.push(&["--http2"]);
    }
    all
}

#[test]
fn s11_clean_bodies_arrive_byte_for_byte() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        for framing in framings(scheme) {
            for body in [noise(MIB - 1), noise(MIB), prose(MIB), Vec::new()] {
                let curl = gateway
                    .curl(&format!("{scheme}://api.arxiv.org/upload"))
                    .agent("researcher");
                let reply = curl
                    .header("Content-Type: application/octet-stream")
                    .args(framing)
                    .body(&body)
                    .send();
                reply.assert_passed();
                let echo = reply.json();
                assert_eq!(echo["body_len"], body.len());
                assert_eq!(
                    echo["body_sha256"],
                    hex_sha256(&body),
                    "{scheme} {framing:?}"
                );
            }
        }
    }
}

#[test]
fn s11_a_secret_is_found_wherever_it_lies() {
    let gateway = Gateway::seed();
    let secret = format!(" {AWS_KEY} ");
    let places = [
        0,
        16 * 1024 - 9,
        64 * 1024 - 5,
        MIB / 2 - 11,
        MIB - secret.len(),
    ];
    for scheme in SCHEMES {
        for framing in framings(scheme) {
            for place in places {
                let mut body = prose(MIB);
                body[place..place + secret.len()].copy_from_slice(secret.as_bytes());
                let curl = gateway
                    .curl(&format!("{scheme}://api.arxiv.org/upload"))
                    .agent("researcher");
                let reply = curl
                    .header("Content-Type: text/plain")
                    .args(framing)
                    .body(&body)
                    .send();
                assert_eq!(
                    reply.header("x-oktsec-reason"),
                    Some("proxy_blocked_content"),
                    "{scheme} {framing:?} {place}: {reply:?}"
                );
            }
        }
    }
    gateway.upstream.assert_untouched();
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s11_larger_bodies_arrive_byte_for_byte() {
    let gateway = Gateway::seed();
    let mut count = 0..;
    for scheme in SCHEMES {
        for framing in framings(scheme) {
            for body in [noise(MIB + 1), noise(5 * MIB), prose(5 * MIB)] {
                let path = format!("/upload/{}", count.next().unwrap());
                let curl = gateway
                    .curl(&format!("{scheme}://api.arxiv.org{path}"))
                    .agent("researcher");
                let reply = curl
                    .header("Content-Type: application/octet-stream")
                    .args(framing)
                    .body(&body)
                    .send();
                let what = format!("{scheme} {framing:?} {}", body.len());
                assert_eq!(reply.status, 200, "{what}");
                assert_eq!(reply.json()["body_sha256"], hex_sha256(&body), "{what}");
                let row = gateway.row_of(&path);
                assert_eq!(row["request"]["bytes"], body.len(), "{what}");
            }
        }
    }
}

#[test]
fn s11_no_part_of_a_secret_in_a_larger_body_leaves() {
    let gateway = Gateway::seed();
    let secret = format!(" {AWS_KEY} ");
    let places = [0, MIB - 9, 2 * MIB + 64 * 1024 - 3, 5 * MIB - secret.len()];
    for scheme in SCHEMES {
        for framing in framings(scheme) {
            for place in places {
                let mut body = prose(5 * MIB);
                body[place..place + secret.len()].copy_from_slice(secret.as_bytes());
                let curl = gateway
                    .curl(&format!("{scheme}://api.arxiv.org/upload"))
                    .agent("researcher");
                let reply = curl
                    .header("Content-Type: text/plain")
                    .args(framing)
                    .body(&body)
                    .send();
                reply.assert_refused(403, "proxy_blocked_content");
                let row = gateway.row(&reply);
                let what = format!("{scheme} {framing:?} {place}: {row}");
                assert_eq!(row["status"], "blocked", "{what}");
                assert_eq!(row["findings"][0]["rule"], "aws-access-key-id", "{what}");
                let sent = row["request"]["bytes"].as_u64().unwrap_or(0);
                assert!(sent <= place as u64, "{what}");
            }
        }
    }
    for part in gateway.upstream.broken() {
        assert!(!contains(&part, b"AKIA"), "a part of the secret arrived");
    }
    assert!(gateway.upstream.received().is_empty());
    gateway.assert_nowhere(AWS_KEY);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn s11_one_byte_more_is_refused_where_the_operator_says_so() {
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.oversize", "block"));
    for scheme in SCHEMES {
        for framing in framings(scheme) {
            for len in [MIB + 1, 5 * MIB] {
                let curl = gateway
                    .curl(&format!("{scheme}://api.arxiv.org/upload"))
                    .agent("researcher");
                let reply = curl.args(framing).body(prose(len)).send();
                let what = format!("{scheme} {framing:?} {len}: {reply:?}");
                assert_eq!(
                    (reply.status, reply.header("x-oktsec-reason")),
                    (413, Some("proxy_body_too_large")),
                    "{what}"
                );
                let row = gateway.row(&reply);
                assert_eq!(
                    (&row["status"], &row["http_status"]),
                    (&"blocked".into(), &413.into()),
                    "{row}"
                );
            }
        }
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s11_the_limit_is_the_configured_one() {
    let config = Config::seed()
        .with("forward_proxy.max_body_size", "10")
        .with("forward_proxy.oversize", "block");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/upload");
        gateway
            .post("researcher", &url, "0123456789")
            .assert_passed();
        gateway
            .post("researcher", &url, "0123456789a")
            .assert_refused(413, "proxy_body_too_large");
    }
}

/// Sends one more request than the researcher may, `arguments` saying how.
#[track_caller]
fn assert_limited(url: &str, arguments: &[&str]) {
    let gateway = Gateway::seed();
    let statuses = gateway
        .curl(url)
        .agent("researcher")
        .args(arguments)
        .statuses();
    let passed = statuses.iter().filter(|&&status| status == 200).count();
    let refused = statuses.iter().filter(|&&status| status == 429).count();
    assert_eq!(
        (passed, refused),
        (200, statuses.len() - 200),
        "{statuses:?}"
    );
    assert_eq!(gateway.upstream.received().len(), 200);

    let reply = gateway.get("researcher", "http://api.arxiv.org/");
    reply.assert_refused(429, "proxy_rate_limited");
    let wait: u32 = reply
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .expect("seconds");
    assert!((1..=60).contains(&wait), "{reply:?}");
    let body = reply.json();
    assert_eq!(
        (&body["limit"], &body["window"], &body["retryable"]),
        (&200.into(), &60.into(), &true.into())
    );
    assert_eq!(gateway.row(&reply)["http_status"], 429);
    // Others have quotas of their own.
    gateway
        .get("coder", "http://api.github.com/")
        .assert_passed();
}

#[test]
fn s17_two_hundred_on_one_connection() {
    assert_limited("http://api.arxiv.org/[1-202]", &[]);
}

#[test]
fn s17_two_hundred_on_fresh_connections() {
    let close = ["-H", "Connection: close", "-H", "Proxy-Connection: close"];
    assert_limited("http://api.arxiv.org/[1-202]", &close);
}

#[test]
fn s17_two_hundred_inside_one_tunnel() {
    assert_limited("https://api.arxiv.org/[1-202]", &["--http1.1"]);
}

#[test]
fn s17_two_hundred_over_http2() {
    assert_limited("https://api.arxiv.org/[1-202]", &["--http2"]);
}

#[test]
fn s17_two_hundred_at_once() {
    assert_limited(
        "https://api.arxiv.org/[1-230]",
        &["--http2", "-Z", "--parallel-max", "20"],
    );
}

#[test]
fn s17_refused_requests_use_no_quota() {
    let config = Config::seed().with("agents.researcher.egress.rate_limit", "2");
    let gateway = Gateway::start(&config);
    for _ in 0..4 {
        gateway
            .get("researcher", "http://evil.com/")
            .assert_refused(403, "proxy_blocked_domain");
    }
    gateway
        .get("researcher", "https://api.arxiv.org/")
        .assert_passed();
    gateway
        .get("researcher", "http://api.arxiv.org/")
        .assert_passed();
    gateway
        .get("researcher", "https://api.arxiv.org/")
        .assert_refused(429, "proxy_rate_limited");
}

#[test]
fn s17_the_window_slides() {
    let config = Config::seed()
        .with("agents.researcher.egress.rate_limit", "2")
        .with("agents.researcher.egress.rate_window", "2");
    let gateway = Gateway::start(&config);
    let statuses = gateway
        .curl("http://api.arxiv.org/[1-5]")
        .agent("researcher")
        .statuses();
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
    wait_for("the window to pass", || {
        let reply = gateway.get("researcher", "http://api.arxiv.org/");
        (reply.status == 200).then_some(())
    });
}

#[test]
fn s19_a_limit_without_a_window_is_per_minute() {
    let gateway = Gateway::seed();
    let statuses = gateway
        .curl("https://api.github.com/[1-101]")
        .agent("coder")
        .statuses();
    assert_eq!(statuses[..100], [200; 100]);
    assert_eq!(statuses[100], 429);
    let reply = gateway.get("coder", "http://api.github.com/");
    reply.assert_refused(429, "proxy_rate_limited");
    let body = reply.json();
    assert_eq!((&body["limit"], &body["window"]), (&100.into(), &60.into()));
}
