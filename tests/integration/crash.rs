//! No answer without a record, even when the gateway dies.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::Gateway;
use crate::support::raw::{connect, read_head};

const CLIENTS: usize = 16;
const REQUESTS: usize = 1000;

/// What the clients know.
#[derive(Default)]
struct Seen {
    /// Requests begun.
    sent: AtomicUsize,
    /// Paths that were answered; refusals by the event they named.
    answered: Mutex<Vec<Answered>>,
}

enum Answered {
    Event(String),
    Path(String),
}

#[test]
fn s28_every_answer_has_a_row_even_when_the_gateway_is_killed() {
    let gateway = Gateway::seed();
    let seen = Seen::default();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| client(connect(&gateway), &seen));
        }
        crate::support::process::wait_for("half of the requests", || {
            (seen.sent.load(Ordering::Relaxed) > REQUESTS / 2).then_some(())
        });
        gateway.kill();
    });
    gateway.start_again();
    let rows = gateway.logs(&[]);
    let texts = |field: fn(&serde_json::Value) -> &serde_json::Value| -> HashSet<String> {
        rows.iter()
            .filter_map(|row| field(row).as_str().map(str::to_owned))
            .collect()
    };
    let (paths, events) = (
        texts(|row| &row["request"]["path"]),
        texts(|row| &row["id"]),
    );
    let answered = seen.answered.into_inner().expect("no client panicked");
    assert!(
        answered.len() > REQUESTS / 4,
        "only {} answers",
        answered.len()
    );
    assert!(
        answered.len() < REQUESTS,
        "all were answered before the kill"
    );
    for answer in &answered {
        match answer {
            Answered::Event(id) => assert!(events.contains(id), "no row for {id}"),
            Answered::Path(path) => assert!(paths.contains(path), "no row for {path}"),
        }
    }
    // What reached the upstream was written before.
    for received in gateway.upstream.received() {
        assert!(paths.contains(&received.path), "no row for {received:?}");
    }
    let verified = oktsec_audit::verify(&gateway.home.data().join("audit"));
    assert!(verified.is_ok(), "{verified:?}");
    // And it goes on.
    gateway
        .get("coordinator", "https://example.com/after")
        .assert_passed();
    gateway.stop();
    let verified = oktsec_audit::verify(&gateway.home.data().join("audit"));
    assert!(verified.is_ok(), "{verified:?}");
}

/// Asks until the requests are used up or the gateway is gone; every third is refused.
fn client(mut stream: TcpStream, seen: &Seen) {
    loop {
        let number = seen.sent.fetch_add(1, Ordering::Relaxed);
        if number >= REQUESTS {
            return;
        }
        let path = format!("/crash/{number}");
        let host = if number.is_multiple_of(3) {
            "pastebin.com"
        } else {
            "example.com"
        };
        let request = format!(
            "GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nX-Oktsec-Agent: coordinator\r\n\r\n"
        );
        if stream.write_all(request.as_bytes()).is_err() {
            return;
        }
        let head = read_head(&mut stream).to_lowercase();
        if !head.ends_with("\r\n\r\n") {
            return;
        }
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let answer = field("x-oktsec-event:").map_or(Answered::Path(path), Answered::Event);
        seen.answered
            .lock()
            .expect("no client panicked")
            .push(answer);
        let length: u64 = field("content-length:")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        if std::io::copy(&mut (&mut stream).take(length), &mut std::io::sink()).is_err() {
            return;
        }
    }
}
