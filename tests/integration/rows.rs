//! All traffic is logged: a row for whatever happens to a request or a tunnel.

use std::io::Write as _;
use std::net::Shutdown;

use serde_json::Value;

use crate::support::authority::WRONG_NAME;
use crate::support::process::wait_for;
use crate::support::raw::{Answer, ask, ask_inside, connect, tls, tunnel};
use crate::support::{AWS_KEY, Config, Gateway, Reply, SCHEMES};

/// The row of this host with this reason, once nothing in it can change.
#[track_caller]
fn final_row(gateway: &Gateway, host: &str, reason: &str) -> Value {
    wait_for(&format!("a row of {host} with {reason}"), || {
        gateway.logs(&["--host", host, "--reason", reason]).pop()
    })
}

/// A gateway with something behind every kind of failure.
fn troubled() -> Gateway {
    let config = Config::seed()
        .with(
            "forward_proxy.timeouts",
            "{connect: 5s, response_header: 1s, idle: 5s}",
        )
        .with("forward_proxy.oversize", "block")
        .with(
            "agents.coordinator.egress.methods",
            "{read-only.test: [GET]}",
        );
    Gateway::start(&config)
}

/// One request for each way to be refused.
fn refusals(gateway: &Gateway, scheme: &str) -> Vec<(Reply, u16, &'static str)> {
    let curl = |agent: &str, rest: &str| gateway.curl(&format!("{scheme}://{rest}")).agent(agent);
    let get = |agent: &str, rest: &str| curl(agent, rest).send();
    let two_names = curl("coder", "example.com/").agent("researcher").send();
    let coded = curl("researcher", "api.arxiv.org/")
        .header("Content-Encoding: rot13")
        .body("abc")
        .send();
    let large = curl("researcher", "api.arxiv.org/")
        .body(vec![b' '; 1_048_577])
        .send();
    let long = get(
        "researcher",
        &format!("api.arxiv.org/{}", "x".repeat(17 * 1024)),
    );
    let trace = curl("coordinator", "example.com/")
        .args(&["-X", "TRACE"])
        .send();
    let post = curl("coordinator", "read-only.test/").body("x").send();
    let key = get("researcher", &format!("api.arxiv.org/?{AWS_KEY}"));
    vec![
        (get("researcher", "evil.com/"), 403, "proxy_blocked_domain"),
        (key, 403, "proxy_blocked_content"),
        (
            get("coordinator", "169.254.169.254/"),
            403,
            "proxy_ssrf_blocked",
        ),
        (
            get("coordinator", "example.com:8443/"),
            403,
            "proxy_port_blocked",
        ),
        (get("nobody", "example.com/"), 403, "proxy_unknown_agent"),
        (two_names, 403, "proxy_identity_conflict"),
        (post, 403, "proxy_method_blocked"),
        (coded, 403, "proxy_uninspectable"),
        (large, 413, "proxy_body_too_large"),
        (long, 414, "proxy_bad_request"),
        (trace, 405, "proxy_bad_request"),
    ]
}

#[test]
fn s28_every_refusal_has_a_row() {
    let gateway = troubled();
    for scheme in SCHEMES {
        let inspection = if scheme == "https" { "tls" } else { "plain" };
        for (reply, status, reason) in refusals(&gateway, scheme) {
            let seen = (reply.status, reply.header("x-oktsec-reason"));
            assert_eq!(seen, (status, Some(reason)), "{reply:?}");
            let row = gateway.row(&reply);
            assert_eq!(
                (&row["status"], &row["reason"]),
                (&"blocked".into(), &reason.into()),
                "{row}"
            );
            assert_eq!(
                (&row["http_status"], &row["inspection"]),
                (&status.into(), &inspection.into()),
                "{row}"
            );
        }
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s28_every_failure_has_a_row() {
    let gateway = troubled();
    for scheme in SCHEMES {
        let cases = [
            (
                format!("{scheme}://example.com/broken"),
                502,
                "proxy_upstream_refused",
            ),
            (
                format!("{scheme}://example.com/silent"),
                504,
                "proxy_upstream_timeout",
            ),
        ];
        for (url, status, reason) in cases {
            let reply = gateway.get("coordinator", &url);
            reply.assert_refused(status, reason);
            let row = gateway.row(&reply);
            assert_eq!(
                (&row["status"], &row["reason"]),
                (&"failed".into(), &reason.into()),
                "{row}"
            );
            assert_eq!(row["http_status"], status, "{row}");
        }
    }
    let reply = gateway.get("coordinator", &format!("https://{WRONG_NAME}/"));
    reply.assert_refused(502, "proxy_upstream_tls");
    assert_eq!(gateway.row(&reply)["status"], "failed");
}

#[test]
fn s28_an_upstream_that_is_not_there_has_a_row() {
    let closed = crate::support::gateway::free_port();
    let resolve =
        format!("{{\"*:80\": \"127.0.0.1:{closed}\", \"*:443\": \"127.0.0.1:{closed}\"}}");
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.resolve", &resolve));
    for scheme in SCHEMES {
        let reply = gateway.get("coordinator", &format!("{scheme}://example.com/"));
        reply.assert_refused(502, "proxy_upstream_refused");
        let row = gateway.row(&reply);
        assert_eq!(
            (&row["status"], &row["http_status"]),
            (&"failed".into(), &502.into()),
            "{row}"
        );
    }
}

#[test]
fn s28_a_name_that_does_not_resolve_has_a_row() {
    let config = Config::seed()
        .with("forward_proxy.resolve", "{other.test: 127.0.0.1}")
        .with(
            "forward_proxy.timeouts",
            "{connect: 3s, response_header: 3s, idle: 3s}",
        );
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let reply = gateway.get("coordinator", &format!("{scheme}://no-such-name.invalid/"));
        // Where the machine has no DNS at all, asking may take longer than the gateway waits.
        let reason = reply.header("x-oktsec-reason").unwrap_or("").to_owned();
        assert!(
            matches!(
                (reply.status, &*reason),
                (502, "proxy_upstream_dns") | (504, "proxy_upstream_timeout")
            ),
            "{reply:?}"
        );
        let row = gateway.row(&reply);
        assert_eq!(
            (&row["status"], &row["reason"]),
            (&"failed".into(), &reason.into()),
            "{row}"
        );
    }
}

#[test]
fn s28_a_request_that_is_none_has_a_row() {
    let gateway = Gateway::seed();
    let host = "Host: api.arxiv.org\r\n";
    let cases = [
        (
            "GET http://api.arxiv.org/ HTTP/1.1\r\n{host}Host: evil.com\r\n",
            400,
        ),
        ("GET http://api.arxiv.org/ HTTP/1.1\r\n", 400),
        ("GET /elsewhere HTTP/1.1\r\n{host}", 400),
        ("GET ftp://api.arxiv.org/ HTTP/1.1\r\n{host}", 400),
        (
            "POST http://api.arxiv.org/ HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n",
            400,
        ),
        (
            "POST http://api.arxiv.org/ HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n",
            501,
        ),
        (
            "GET http://api.arxiv.org/ HTTP/1.1\r\n{host}Upgrade: websocket\r\nConnection: Upgrade\r\n",
            501,
        ),
        (
            "GET http://user:pass@api.arxiv.org/ HTTP/1.1\r\n{host}",
            400,
        ),
        ("CONNECT api.arxiv.org HTTP/1.1\r\n{host}", 400),
        ("CONNECT https://api.arxiv.org:443/ HTTP/1.1\r\n{host}", 400),
        ("\x01\x02\x03 this is not HTTP\r\n", 400),
        (
            "GET http://api.arxiv.org/ HTTP/1.1\r\n{host}Bad Name: x\r\n",
            400,
        ),
    ];
    for (count, (request, status)) in cases.iter().enumerate() {
        let request = request.replace("{host}", host);
        let with_agent =
            format!("{request}X-Oktsec-Agent: researcher\r\nConnection: close\r\n\r\n");
        let answer = ask(connect(&gateway), &with_agent);
        assert_eq!(answer.status(), *status, "{request:?}: {answer:?}");
        wait_for(&format!("row {count} of {request:?}"), || {
            (gateway.logs(&["--reason", "proxy_bad_request"]).len() > count).then_some(())
        });
    }
    assert_eq!(gateway.logs(&[]).len(), cases.len());
    gateway.upstream.assert_untouched();
}

#[test]
fn s28_a_request_that_is_none_inside_a_tunnel_has_a_row() {
    let gateway = Gateway::seed();
    let host = "Host: api.arxiv.org\r\n";
    let cases = [
        ("GET / HTTP/1.1\r\n{host}Host: evil.com\r\n", 400),
        ("GET / HTTP/1.1\r\n", 400),
        ("CONNECT api.arxiv.org:443 HTTP/1.1\r\n{host}", 405),
        (
            "GET / HTTP/1.1\r\n{host}Upgrade: websocket\r\nConnection: Upgrade\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n",
            501,
        ),
        ("\x01\x02\x03 this is not HTTP\r\n", 400),
    ];
    for (count, (request, status)) in cases.iter().enumerate() {
        let request = request.replace("{host}", host);
        let request = format!("{request}X-Oktsec-Agent: researcher\r\nConnection: close\r\n\r\n");
        let answer = ask_inside(&gateway, "api.arxiv.org", &request);
        assert_eq!(answer.status(), *status, "{request:?}: {answer:?}");
        wait_for(&format!("row {count} of {request:?}"), || {
            (gateway.logs(&["--reason", "proxy_bad_request"]).len() > count).then_some(())
        });
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn a_body_with_two_lengths_has_one_reading() {
    let gateway = Gateway::seed();
    let chunked = "3\r\nabc\r\n0\r\n\r\nGET http://evil.com/ HTTP/1.1\r\nHost: evil.com\r\n\r\n";
    for lengths in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 60",
    ] {
        let request = format!(
            "POST http://api.arxiv.org/ HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n{lengths}\r\n\r\n{chunked}"
        );
        // Refused, or read as chunked with the connection closed behind it (RFC 9112, section 6.1).
        let answer = ask(connect(&gateway), &request);
        assert_eq!(answer.text.matches("HTTP/1.1 ").count(), 1, "{answer:?}");
        assert!([200, 400].contains(&answer.status()), "{answer:?}");
    }
    for received in gateway.upstream.received() {
        assert_eq!(
            (&received.body[..], received.values("content-length")),
            (&b"abc"[..], vec!["3"])
        );
        assert!(
            received.values("transfer-encoding").is_empty(),
            "{received:?}"
        );
    }
}

#[test]
fn s28_a_client_that_vanishes_has_a_row() {
    let gateway = Gateway::seed();
    let request = "GET /held HTTP/1.1\r\nHost: example.com\r\nX-Oktsec-Agent: coordinator\r\n\r\n";
    let absolute = request.replace("/held", "http://example.com/held");
    let mut plain = connect(&gateway);
    plain
        .write_all(absolute.as_bytes())
        .expect("the connection stands");
    let (_, stream) = tunnel(&gateway, "example.com:443", "");
    let mut inside = tls(&gateway, stream, "example.com");
    inside
        .write_all(request.as_bytes())
        .expect("the connection stands");
    wait_for("both requests to arrive", || {
        (gateway.upstream.received().len() == 2).then_some(())
    });
    drop((plain, inside));
    wait_for("both rows", || {
        let rows = gateway.logs(&["--reason", "proxy_client_gone", "--status", "failed"]);
        (rows
            .iter()
            .filter(|row| row["request"]["path"] == "/held")
            .count()
            == 2)
            .then_some(())
    });

    // Gone before its body was whole.
    let mut half = connect(&gateway);
    let request = "POST http://example.com/half HTTP/1.1\r\nHost: example.com\r\nX-Oktsec-Agent: coordinator\r\nContent-Length: 100\r\n\r\nabc";
    half.write_all(request.as_bytes())
        .expect("the connection stands");
    half.shutdown(Shutdown::Both)
        .expect("the connection stands");
    wait_for("the row of half a request", || {
        let rows = gateway.logs(&["--reason", "proxy_client_gone"]);
        rows.into_iter()
            .find(|row| row["request"]["method"] == "POST")
    });
}

#[test]
fn s28_a_tunnel_has_a_row_at_its_start_and_its_end() {
    let gateway = Gateway::start(&Config::seed().with("tls.bypass", "[pinned.test, pastebin.com]"));
    let (answer, stream) = tunnel(
        &gateway,
        "pinned.test:443",
        "X-Oktsec-Agent: coordinator\r\n",
    );
    assert_eq!(answer.status(), 200, "{answer:?}");
    let rows = gateway.logs(&["--method", "CONNECT", "--host", "pinned.test"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["agent"], &rows[0]["inspection"]),
        (&"coordinator".into(), &"none".into()),
        "{rows:?}"
    );
    assert!(rows[0]["chain"]["ended"].is_null(), "{rows:?}");
    drop(stream);
    wait_for("the end of the tunnel", || {
        let rows = gateway.logs(&["--method", "CONNECT", "--host", "pinned.test"]);
        (!rows[0]["chain"]["ended"].is_null()).then_some(())
    });

    // What nobody looks into is judged by its host all the same.
    let (answer, _) = tunnel(
        &gateway,
        "pastebin.com:443",
        "X-Oktsec-Agent: coordinator\r\n",
    );
    assert_eq!(
        (answer.status(), answer.reason()),
        (403, "proxy_blocked_domain"),
        "{answer:?}"
    );
    assert!(
        answer
            .text
            .contains("Blocked by oktsec (proxy_blocked_domain)"),
        "{answer:?}"
    );
    final_row(&gateway, "pastebin.com", "proxy_blocked_domain");

    // A client that does not trust us.
    let pem = gateway.home.path().join("upstream-ca.pem");
    let other = pem.display().to_string();
    let refused = gateway
        .curl("https://example.com/")
        .agent("coordinator")
        .args(&["--cacert", &other])
        .send();
    assert_eq!(refused.exit, 60, "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    assert_eq!(
        final_row(&gateway, "example.com", "proxy_tls_client_rejected")["status"],
        "failed"
    );
}

#[test]
fn s28_what_is_neither_tls_nor_http_does_not_pass() {
    let gateway = Gateway::seed();
    let (opened, stream) = tunnel(
        &gateway,
        "example.com:443",
        "X-Oktsec-Agent: coordinator\r\n",
    );
    assert_eq!(opened.status(), 200);
    let Answer { text } = ask(stream, "\x00\x01opaque");
    assert_eq!(text, "");
    final_row(&gateway, "example.com", "proxy_protocol_blocked");

    // Plain HTTP inside a tunnel is HTTP, and is judged as such.
    let (opened, stream) = tunnel(
        &gateway,
        "api.arxiv.org:443",
        "X-Oktsec-Agent: researcher\r\n",
    );
    assert_eq!(opened.status(), 200);
    let request = "GET /?".to_owned()
        + AWS_KEY
        + " HTTP/1.1\r\nHost: api.arxiv.org:443\r\nConnection: close\r\n\r\n";
    let answer = ask(stream, &request);
    assert_eq!(
        (answer.status(), answer.reason()),
        (403, "proxy_blocked_content"),
        "{answer:?}"
    );
    let row = final_row(&gateway, "api.arxiv.org", "proxy_blocked_content");
    assert_eq!(
        (&row["request"]["scheme"], &row["inspection"]),
        (&"http".into(), &"plain".into()),
        "{row}"
    );
    gateway.upstream.assert_untouched();
}

#[test]
fn s28_a_killed_gateway_closes_its_rows_at_the_next_start() {
    let gateway = Gateway::seed();
    let request = "GET http://example.com/held HTTP/1.1\r\nHost: example.com\r\nX-Oktsec-Agent: coordinator\r\n\r\n";
    let mut waiting = connect(&gateway);
    waiting
        .write_all(request.as_bytes())
        .expect("the connection stands");
    wait_for("the request to arrive", || {
        (gateway.upstream.received().len() == 1).then_some(())
    });
    gateway.kill();
    gateway.start_again();
    let row = final_row(&gateway, "example.com", "proxy_interrupted");
    assert_eq!(
        (&row["status"], &row["request"]["path"]),
        (&"failed".into(), &"/held".into()),
        "{row}"
    );
    let verified = oktsec_audit::verify(&gateway.home.data().join("audit"));
    assert!(verified.is_ok(), "{verified:?}");
}
