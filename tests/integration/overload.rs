//! What happens where there is too much: whoever has enough waits or is told, the others get on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::process;
use super::support::raw::{ask, connect, connect_from, read_head};

/// Waits until it is so.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    process::wait_for(what, || is_so().then_some(()));
}

fn limited(limits: &str) -> Gateway {
    Gateway::start(&Config::seed().with("forward_proxy.limits", limits))
}

fn request(agent: &str, host: &str, path: &str, fields: &str) -> String {
    format!(
        "POST http://{host}{path} HTTP/1.1\r\nHost: {host}\r\nX-Oktsec-Agent: {agent}\r\nConnection: close\r\n{fields}\r\n"
    )
}

fn begin(gateway: &Gateway, request: &str) -> TcpStream {
    let mut stream = connect(gateway);
    stream
        .write_all(request.as_bytes())
        .expect("the connection stands");
    stream
}

#[test]
fn an_agent_with_too_many_requests_is_told_and_others_get_on() {
    let gateway = limited("{requests_per_agent: 3}");
    let silent = request("researcher", "api.arxiv.org", "/silent", "");
    let mut waiting: Vec<TcpStream> = (0..3).map(|_| begin(&gateway, &silent)).collect();
    wait_for("they have arrived", || {
        gateway.upstream.received().len() == 3
    });

    let answer = ask(
        connect(&gateway),
        &request("researcher", "api.arxiv.org", "/more", ""),
    );
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert_eq!(answer.reason(), "proxy_overloaded");
    assert!(answer.text.contains("forward_proxy.limits"), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let rows = gateway.logs(&["--reason", "proxy_overloaded"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["agent"], "researcher", "{rows:?}");
    assert_eq!(rows[0]["request"]["path"], "/more", "{rows:?}");

    let other = ask(
        connect(&gateway),
        &request("coder", "api.github.com", "/other", ""),
    );
    assert_eq!(other.status(), 200, "{other:?}");
    // One leaves, and there is room again.
    waiting.pop();
    wait_for("its place is free", || {
        let again = request("researcher", "api.arxiv.org", "/again", "");
        ask(connect(&gateway), &again).status() == 200
    });
}

#[test]
fn an_agent_that_fills_the_memory_is_told_and_others_get_on() {
    // Half of it is one agent's: eight bodies.
    let gateway = limited("{held_bytes: 16MiB}");
    let upload = |fields: &str| {
        let fields = format!("Content-Length: 1048576\r\n{fields}");
        request("researcher", "api.arxiv.org", "/upload", &fields)
    };
    // Whoever is told to go on is counted.
    let held: Vec<TcpStream> = (0..8)
        .map(|_| begin(&gateway, &upload("Expect: 100-continue\r\n")))
        .map(|mut stream| {
            assert!(read_head(&mut stream).starts_with("HTTP/1.1 100"));
            stream
        })
        .collect();
    let more = format!("{}{}", upload(""), "x".repeat(1024 * 1024));
    let answer = ask(connect(&gateway), &more);
    assert_eq!(answer.reason(), "proxy_overloaded", "{answer:?}");
    // What holds nothing passes, and so do the bodies of others.
    let empty = ask(
        connect(&gateway),
        &request("researcher", "api.arxiv.org", "/empty", ""),
    );
    assert_eq!(empty.status(), 200, "{empty:?}");
    let other = gateway.post(
        "coder",
        "http://api.github.com/other",
        "x".repeat(1_000_000),
    );
    assert_eq!(other.status, 200, "{other:?}");
    drop(held);
    wait_for("the memory is free", || {
        let body = "x".repeat(1024 * 1024);
        let again = gateway.post("researcher", "http://api.arxiv.org/again", body);
        again.status == 200
    });
}

#[test]
fn a_client_has_no_more_connections_than_it_may() {
    let gateway = limited("{connections_per_client: 3}");
    let from = |address: &str| {
        let stream = connect_from(&gateway, address);
        ask(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .status()
    };
    // Whoever is answered is counted.
    let held: Vec<TcpStream> = (0..3)
        .map(|_| connect_from(&gateway, "127.0.0.7"))
        .map(|mut stream| {
            let request = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
            stream.write_all(request.as_bytes()).expect("it stands");
            assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
            stream
        })
        .collect();
    assert_eq!(from("127.0.0.7"), 0);
    let rows = gateway.logs(&["--reason", "proxy_overloaded"]);
    assert_eq!(rows.len(), 1, "the refused connection has a row: {rows:?}");
    assert_eq!(from("127.0.0.8"), 200);
    drop(held);
    wait_for("they have ended", || from("127.0.0.7") == 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let config = Config::seed().with("forward_proxy.timeouts", "{body: 1s}");
    let gateway = Gateway::start(&config);
    let began = Instant::now();
    let answer = ask(
        connect(&gateway),
        &request(
            "researcher",
            "api.arxiv.org",
            "/slow",
            "Content-Length: 100\r\n\r\nsome of it",
        ),
    );
    assert_eq!(answer.status(), 408, "{answer:?}");
    assert_eq!(answer.reason(), "proxy_client_timeout", "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(8));
    gateway.upstream.assert_untouched();
}

#[test]
fn a_connection_that_has_lived_long_enough_is_ended_between_requests() {
    let config = Config::seed().with("forward_proxy.timeouts", "{connection: 1s}");
    let gateway = Gateway::start(&config);
    let mut stream = connect(&gateway);
    let held = "GET http://api.arxiv.org/held HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n\r\n";
    stream
        .write_all(held.as_bytes())
        .expect("the connection stands");
    // Its time passes while the request is under way, which is carried to its end.
    std::thread::sleep(Duration::from_millis(1500));
    gateway.upstream.release();
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("it is closed, not reset");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.to_lowercase().contains("connection: close"), "{text}");
}

#[test]
fn whoever_sends_everything_first_still_reads_the_refusal() {
    let gateway = Gateway::seed();
    let large = "x".repeat(5 * 1024 * 1024);
    let length = format!("Content-Length: {}\r\n", large.len());
    let head = request("researcher", "evil.example", "/upload", &length);
    let answer = ask(connect(&gateway), &format!("{head}{large}"));
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert_eq!(answer.reason(), "proxy_blocked_domain");
    assert!(answer.text.ends_with('}'), "all of it: {answer:?}");
}
