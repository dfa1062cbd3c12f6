//! Thousands of raw HTTP/1 messages, made of every combination of a few dozen mutations: what must be
//! refused reaches no upstream, what is legal does, and no request is ever taken for a part of another.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::thread;

use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::raw::connect;

/// What becomes of a message with a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Passes,
    /// Either is right.
    Either,
    Refused,
}

use Fate::{Either, Passes, Refused};

const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

/// Request lines; `@` is the path.
const LINES: [(&str, Fate); 10] = [
    ("http://api.arxiv.org@ HTTP/1.1", Passes),
    ("http://u:p@api.arxiv.org@ HTTP/1.1", Refused),
    ("http://api.arxiv.org@#f HTTP/1.1", Either),
    ("http://api.arxiv.org@ HTTP/1.9", Refused),
    ("http://api.arxiv.org@ HTTP/2.0", Refused),
    ("ftp://api.arxiv.org@ HTTP/1.1", Refused),
    ("@ HTTP/1.1", Refused),
    ("http://api.arxiv.org@ x HTTP/1.1", Refused),
    ("http://api.arxiv.org%2eevil.com@ HTTP/1.1", Refused),
    ("http://api.arxiv.org\\@evil.com@ HTTP/1.1", Refused),
];

const HOSTS: [(&str, Fate); 8] = [
    ("Host: api.arxiv.org\r\n", Passes),
    ("", Refused),
    ("Host: api.arxiv.org\r\nHost: api.arxiv.org\r\n", Refused),
    ("Host: api.arxiv.org\r\nHost: evil.com\r\n", Refused),
    ("Host: evil.com\r\n", Either),
    ("Host: u@api.arxiv.org\r\n", Either),
    ("Host : api.arxiv.org\r\n", Refused),
    ("Host:\r\n", Either),
];

/// Framing fields and the body that comes with them.
const BODIES: [(&str, &str, Fate); 40] = [
    ("", "", Passes),
    ("Content-Length: 5\r\n", "hello", Passes),
    ("Content-Length: 0\r\n", "", Passes),
    ("Content-Length: 05\r\n", "hello", Passes),
    (
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "hello",
        Refused,
    ),
    (
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "hello",
        Refused,
    ),
    ("Content-Length: +5\r\n", "hello", Refused),
    ("Content-Length: 5, 5\r\n", "hello", Refused),
    ("Content-Length: 5 5\r\n", "hello", Refused),
    ("Content-Length: 0x5\r\n", "hello", Refused),
    ("Content-Length: -1\r\n", "", Refused),
    ("Content-Length: 99999999999999999999999\r\n", "", Refused),
    ("Content_Length: 5\r\n", "", Refused),
    ("Transfer_Encoding: chunked\r\n", "", Refused),
    (CHUNKED, HELLO, Passes),
    ("transfer-encoding: CHUNKED\r\n", HELLO, Passes),
    (CHUNKED, "5;a=b\r\nhello\r\n0\r\n\r\n", Passes),
    (
        CHUNKED,
        "5\r\nhello\r\n0\r\nX-Oktsec-Agent: coder\r\n\r\n",
        Passes,
    ),
    (CHUNKED, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", Passes),
    (
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        HELLO,
        Refused,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        HELLO,
        Refused,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        HELLO,
        Refused,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        HELLO,
        Refused,
    ),
    ("Transfer-Encoding: gzip, chunked\r\n", HELLO, Refused),
    ("Transfer-Encoding: chunked, chunked\r\n", HELLO, Refused),
    ("Transfer-Encoding: chunked, gzip\r\n", HELLO, Refused),
    ("Transfer-Encoding: identity\r\n", "hello", Refused),
    ("Transfer-Encoding: xchunked\r\n", HELLO, Refused),
    ("Transfer-Encoding: \"chunked\"\r\n", HELLO, Refused),
    ("Transfer-Encoding: chunked;q=1\r\n", HELLO, Refused),
    ("Transfer-Encoding: \x0bchunked\r\n", HELLO, Refused),
    ("Transfer-Encoding : chunked\r\n", HELLO, Refused),
    ("Transfer-Encoding:\r\n chunked\r\n", HELLO, Refused),
    (CHUNKED, "zz\r\nhello\r\n0\r\n\r\n", Refused),
    (CHUNKED, "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", Refused),
    (CHUNKED, "0x5\r\nhello\r\n0\r\n\r\n", Refused),
    (CHUNKED, "-5\r\nhello\r\n0\r\n\r\n", Refused),
    (CHUNKED, "5\nhello\n0\n\n", Refused),
    (CHUNKED, "5\r\nhelloXX\r\n0\r\n\r\n", Refused),
    (CHUNKED, "5;a\nhello\r\n0\r\n\r\n", Refused),
];
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

const FIELDS: [(&str, Fate); 15] = [
    ("", Passes),
    ("X-A: b\r\n c\r\n", Refused),
    ("X-A: b\0c\r\n", Refused),
    ("X-A: b\rc\r\n", Refused),
    (": x\r\n", Refused),
    ("X A: b\r\n", Refused),
    (
        "Connection: host, content-length, transfer-encoding\r\n",
        Passes,
    ),
    ("Connection: x-a\r\nX-A: b\r\n", Passes),
    ("Proxy-Connection: keep-alive\r\nKeep-Alive: 5\r\n", Passes),
    ("TE: trailers, gzip\r\n", Passes),
    ("Expect: 100-continue\r\n", Passes),
    (
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        Refused,
    ),
    ("Upgrade: websocket\r\nConnection: Upgrade\r\n", Refused),
    ("Content-Type: a/b\r\nContent-Type: c/d\r\n", Refused),
    (
        "X-Oktsec-Session: s\r\nProxy-Authorization: Basic cmVzZWFyY2hlcjo=\r\n",
        Either,
    ),
];

struct Case {
    text: String,
    path: String,
    fate: Fate,
    body: &'static str,
}

/// Every line, host and field with every body, one mutation beside the body's at a time.
fn cases() -> Vec<Case> {
    let mut parts = Vec::new();
    for &body in &BODIES {
        parts.extend(LINES.iter().map(|&line| (line, HOSTS[0], body, FIELDS[0])));
        parts.extend(
            HOSTS
                .iter()
                .skip(1)
                .map(|&host| (LINES[0], host, body, FIELDS[0])),
        );
        parts.extend(
            FIELDS
                .iter()
                .skip(1)
                .map(|&field| (LINES[0], HOSTS[0], body, field)),
        );
    }
    let mut cases = Vec::new();
    for method in METHODS {
        for (line, host, body, field) in &parts {
            let path = format!("/{}", cases.len());
            let fates = [line.1, host.1, body.2, field.1];
            let fate = if fates.contains(&Refused) {
                Refused
            } else if fates.contains(&Either) {
                Either
            } else {
                Passes
            };
            let (before, after) = line.0.rsplit_once('@').expect("a path");
            let text = format!(
                "{method} {before}{path}{after}\r\n{}{}{}X-Oktsec-Agent: researcher\r\n\r\n{}",
                host.0, body.0, field.0, body.1
            );
            let body = if body.0.is_empty() || body.0.ends_with(": 0\r\n") {
                ""
            } else {
                "hello"
            };
            cases.push(Case {
                text,
                path,
                fate,
                body,
            });
        }
    }
    cases
}

/// Sends a message and a harmless request behind it.
fn send(gateway: &Gateway, case: &Case) {
    let mut stream = connect(gateway);
    let marker = format!(
        "GET http://api.arxiv.org/marker{} HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\nConnection: close\r\n\r\n",
        case.path
    );
    // A connection that is refused may be closed before all is written.
    let _ = stream.write_all(case.text.as_bytes());
    let _ = stream.write_all(marker.as_bytes());
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn nothing_hostile_reaches_an_upstream() {
    const SENDERS: usize = 16;
    const INNER: [&str; 9] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "x-oktsec-agent",
        "x-oktsec-session",
        "x-a",
    ];
    let config = Config::seed().with("agents.researcher.egress.rate_limit", "0");
    let gateway = Gateway::start(&config);
    let cases = cases();
    thread::scope(|scope| {
        for first in 0..SENDERS {
            let (gateway, cases) = (&gateway, &cases);
            scope.spawn(move || {
                let own = cases.iter().skip(first).step_by(SENDERS);
                own.for_each(|case| send(gateway, case));
            });
        }
    });
    let mut arrived: HashMap<String, Vec<_>> = HashMap::new();
    for received in gateway.upstream.received() {
        arrived
            .entry(received.path.clone())
            .or_default()
            .push(received);
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let list = arrived.remove(&case.path).unwrap_or_default();
        let markers = arrived
            .remove(&format!("/marker{}", case.path))
            .unwrap_or_default();
        let is_right = match case.fate {
            Refused => list.is_empty(),
            Passes => list.len() == 1,
            Either => list.len() < 2,
        };
        let is_whole = list.iter().all(|received| {
            received.body == case.body
                && received.host == "api.arxiv.org"
                && INNER.iter().all(|name| received.values(name).is_empty())
        });
        let is_marked = markers.len() < 2 && markers.iter().all(|marker| marker.body.is_empty());
        if !is_right || !is_whole || !is_marked {
            wrong.push(format!("{:?} {:?} {list:?}", case.fate, case.text));
        }
    }
    assert!(
        arrived.is_empty(),
        "nobody sent these: {:?}",
        arrived.keys()
    );
    wrong.truncate(5);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 3000, "{}", cases.len());
}
