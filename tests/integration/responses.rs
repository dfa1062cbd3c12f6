//! S10: answers that are scanned on their way to the agent.

use std::io::Write as _;

use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::{AWS_KEY, SCHEMES};

const MIB: usize = 1024 * 1024;

fn scanning() -> Gateway {
    Gateway::start(&Config::seed().with("forward_proxy.scan_responses", "true"))
}

fn prose(bytes: usize) -> Vec<u8> {
    let line = b"the results of the second run are in the table below, row after row\n";
    line.iter().copied().cycle().take(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[test]
fn s10_a_secret_in_an_answer_is_kept_back() {
    let gateway = scanning();
    let page = format!("{{\"note\": \"the key is {AWS_KEY}\"}}");
    gateway.upstream.page("/page", "application/json", page);
    for scheme in SCHEMES {
        let reply = gateway.get("researcher", &format!("{scheme}://api.arxiv.org/page"));
        reply.assert_refused(403, "proxy_blocked_response");
        let row = gateway.row(&reply);
        assert_eq!(row["status"], "blocked", "{row}");
        assert_eq!(row["reason"], "proxy_blocked_response", "{row}");
        assert_eq!(row["http_status"], 403, "{row}");
        assert_eq!(row["findings"][0]["rule"], "aws-access-key-id", "{row}");
        let location = row["findings"][0]["location"].as_str().unwrap_or_default();
        assert!(location.starts_with("response > json $.note"), "{location}");
    }
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s10_an_agents_setting_holds_over_the_global_one() {
    let config = Config::seed()
        .with("forward_proxy.scan_responses", "true")
        .with("agents.researcher.egress.scan_responses", "false");
    let gateway = Gateway::start(&config);
    gateway
        .upstream
        .page("/page", "text/plain", AWS_KEY.to_owned());
    let reply = gateway.get("researcher", "https://api.arxiv.org/page");
    assert_eq!((reply.status, reply.body.as_str()), (200, AWS_KEY));
}

#[test]
fn s10_clean_answers_arrive_byte_for_byte() {
    let gateway = scanning();
    for (path, page) in [
        ("/small", prose(300)),
        ("/mebibyte", prose(MIB)),
        ("/large", prose(5 * MIB)),
    ] {
        let text = String::from_utf8(page.clone()).expect("it is text");
        gateway.upstream.page(path, "text/plain", page);
        for scheme in SCHEMES {
            let reply = gateway.get("researcher", &format!("{scheme}://api.arxiv.org{path}"));
            assert_eq!(reply.status, 200, "{path}");
            assert!(
                reply.body == text,
                "{scheme} {path}: {} bytes",
                reply.body.len()
            );
            let row = gateway.row_of(path);
            assert_eq!(row["status"], "forwarded", "{row}");
            assert_eq!(row["response"]["bytes"], text.len(), "{row}");
        }
    }
}

#[test]
fn s10_no_part_of_a_secret_in_a_large_answer_arrives() {
    let gateway = scanning();
    for (number, place) in [MIB - 9, 2 * MIB + 7, 5 * MIB - 30].into_iter().enumerate() {
        let mut page = prose(5 * MIB);
        page[place..place + AWS_KEY.len()].copy_from_slice(AWS_KEY.as_bytes());
        page[place - 1] = b' ';
        page[place + AWS_KEY.len()] = b' ';
        let path = format!("/large/{number}");
        gateway.upstream.page(&path, "text/plain", page);
        let reply = gateway.get("researcher", &format!("https://api.arxiv.org{path}"));
        assert!(!contains(reply.body.as_bytes(), "AKIA"), "{place}");
        assert!(
            reply.status == 403 || reply.exit != 0,
            "it breaks off: {place}"
        );
        let row = gateway.row_of(&path);
        assert_eq!(row["reason"], "proxy_blocked_response", "{row}");
        assert_eq!(row["findings"][0]["rule"], "aws-access-key-id", "{row}");
    }
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s10_codings_are_undone() {
    let gateway = scanning();
    let page = gzip(format!("the key is {AWS_KEY}").as_bytes());
    gateway.upstream.coded_page("/coded", "gzip", page);
    let clean = gzip(b"nothing to see");
    gateway.upstream.coded_page("/clean", "gzip", clean);
    let get = |path: &str| {
        let curl = gateway.curl(&format!("https://api.arxiv.org{path}"));
        curl.agent("researcher").args(&["--compressed"]).send()
    };
    get("/coded").assert_refused(403, "proxy_blocked_response");
    let reply = get("/clean");
    assert_eq!((reply.status, reply.body.as_str()), (200, "nothing to see"));
    gateway
        .upstream
        .coded_page("/strange", "rot13", b"abc".to_vec());
    get("/strange").assert_refused(403, "proxy_uninspectable");
}
