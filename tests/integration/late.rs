//! An upstream that answers before it has everything, and an agent that sends on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use super::support::AWS_KEY;
use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::process::wait_for;
use super::support::raw::{connect, read_head};

/// Answers each connection as soon as it has a head, and keeps what comes.
fn hasty() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let received = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let head = read_head(&mut stream);
            all.lock().expect("nobody panics").extend(head.bytes());
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).expect("the gateway listens");
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                all.lock().expect("nobody panics").extend(&buffer[..count]);
            }
        }
    });
    (address, received)
}

#[test]
fn what_is_found_after_the_answer_is_in_the_row() {
    const FIRST: usize = 3 * 1024 * 1024;
    const REST: usize = 2 * 1024 * 1024;
    let (upstream, received) = hasty();
    let resolve = format!("{{\"*:80\": \"{upstream}\"}}");
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.resolve", &resolve));
    let mut stream = connect(&gateway);
    let head = format!(
        "POST http://api.arxiv.org/late HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        FIRST + REST
    );
    stream.write_all(head.as_bytes()).expect("it stands");
    let first = "plain words ".repeat(FIRST / 12);
    stream.write_all(first.as_bytes()).expect("it stands");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    let secret = format!(" key {AWS_KEY} ");
    let rest = format!("{secret}{}", "x ".repeat((REST - secret.len()) / 2));
    // The gateway may hang up on the way.
    let _ = stream.write_all(rest.as_bytes());
    let row = wait_for("the end of the row", || {
        let rows = gateway.logs(&["--reason", "proxy_blocked_content"]);
        rows.into_iter()
            .find(|row| row["request"]["path"] == "/late")
    });
    assert_eq!(row["status"], "blocked", "{row}");
    let text = row.to_string();
    assert!(text.contains("aws-access-key-id"), "{text}");
    let received = received.lock().expect("nobody panics");
    assert!(received.len() > FIRST / 2, "{}", received.len());
    let found = String::from_utf8_lossy(&received).contains(AWS_KEY);
    assert!(!found, "the key has left");
}
