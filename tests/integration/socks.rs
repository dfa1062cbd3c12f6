//! SOCKS5 on the proxy's port.

use std::io::{Read, Write};

use super::support::AWS_KEY;
use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::process::wait_for;
use super::support::raw::connect;

#[test]
fn requests_through_socks_are_judged_like_all() {
    let gateway = Gateway::seed();
    let proxy = format!("{}", gateway.address());
    for scheme in ["http", "https"] {
        let send = |url: &str, body: &str| {
            let curl = gateway.curl(url).args(&["--socks5-hostname", &proxy]);
            curl.header("X-Oktsec-Agent: researcher").body(body).send()
        };
        let url = format!("{scheme}://api.arxiv.org/x");
        let reply = send(&url, "some text");
        reply.assert_passed();
        assert_eq!(reply.json()["body"], "some text");
        send(&url, AWS_KEY).assert_refused(403, "proxy_blocked_content");
        let elsewhere = format!("{scheme}://evil.com/");
        send(&elsewhere, "x").assert_refused(403, "proxy_blocked_domain");
    }
    assert_eq!(gateway.upstream.received().len(), 2);
    let rows = gateway.logs(&["--agent", "researcher", "--status", "blocked"]);
    assert_eq!(rows.len(), 4);
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn a_user_name_is_a_claim() {
    let gateway = Gateway::seed();
    let proxy = format!("{}", gateway.address());
    let curl = gateway.curl("https://api.arxiv.org/x");
    let options = ["--socks5-hostname", &proxy, "--proxy-user", "researcher:x"];
    curl.args(&options).send().assert_passed();
    let rows = gateway.logs(&["--agent", "researcher"]);
    assert_eq!(rows.len(), 1);
}

#[test]
fn unseen_tunnels_are_spliced_or_refused() {
    let config = Config::seed().with("tls.bypass", "[api.arxiv.org]");
    let gateway = Gateway::start(&config);
    let request = b"\x05\x01\x00\x03\x0dapi.arxiv.org\x01\xbb";
    // An agent has to be named: without one the tunnel is refused (2), with one it stands (0).
    assert_eq!(speak(&gateway, b"\x05\x01\x00", b"", request), Some(2));
    let login = b"\x01\x0aresearcher\x01x";
    assert_eq!(speak(&gateway, b"\x05\x01\x02", login, request), Some(0));
    // The upstream's system has taken the connection; the upstream itself may still be on its way.
    wait_for("the upstream to accept", || {
        (gateway.upstream.connections() == 1).then_some(())
    });
}

#[test]
fn what_is_not_connect_is_refused() {
    let gateway = Gateway::seed();
    for (request, code) in [
        (&b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50"[..], 7),
        (b"\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50", 7),
        (b"\x05\x01\x00\x09", 8),
        (b"\x05\x01\x00\x03\x03a b\x00\x50", 2),
    ] {
        assert_eq!(
            speak(&gateway, b"\x05\x01\x00", b"", request),
            Some(code),
            "{request:?}"
        );
    }
    // No method that we know; SOCKS4.
    assert_eq!(speak(&gateway, b"\x05\x01\x01", b"", b""), None);
    assert_eq!(
        speak(&gateway, b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"", b""),
        None
    );
    gateway.upstream.assert_untouched();
    // SOCKS4 is no request of any kind; hyper has refused it.
    let rows = gateway.logs(&["--reason", "proxy_bad_request"]);
    assert_eq!(rows.len(), 6, "{rows:?}");
}

/// Speaks SOCKS; the code of the reply, if it comes to one.
fn speak(gateway: &Gateway, greeting: &[u8], login: &[u8], request: &[u8]) -> Option<u8> {
    let mut stream = connect(gateway);
    let mut read = |bytes: &[u8]| {
        stream.write_all(bytes).ok()?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).ok()?;
        (answer[0] == 5 || answer == [1, 0]).then_some(answer[1])
    };
    if read(greeting)? == 0xFF {
        return None;
    }
    if !login.is_empty() {
        read(login)?;
    }
    read(request)
}
