//! Who asks, and that nobody upstream learns of it.

use crate::support::raw::{ask, ask_inside, connect, tls, tunnel};
use crate::support::{Config, Gateway, SCHEMES};

/// A host that the coder may reach and the researcher may not.
const CODERS: &str = "api.github.com";

#[test]
fn s04_who_is_not_known_has_no_policy_of_others() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://{CODERS}/");
        for name in [
            "",
            "nobody",
            "Coder",
            "CODER",
            "coder2",
            "coder coder",
            "../coder",
            "*",
        ] {
            let reply = gateway.get(name, &url);
            reply.assert_refused(403, "proxy_unknown_agent");
            let row = gateway.row(&reply);
            assert_ne!(row["agent"], "coder", "{name}: {row}");
            assert_ne!(row["agent"], "researcher", "{name}: {row}");
        }
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s04_two_names_are_none() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://{CODERS}/");
        let two = gateway.curl(&url).agent("researcher").agent("coder").send();
        two.assert_refused(403, "proxy_identity_conflict");
        assert_eq!(gateway.row(&two)["status"], "blocked");
        let joined = gateway
            .curl(&url)
            .header("X-Oktsec-Agent: researcher, coder")
            .send();
        assert!(
            [Some("proxy_identity_conflict"), Some("proxy_unknown_agent")]
                .contains(&joined.header("x-oktsec-reason"))
        );

        // A name for the tunnel or the proxy, and another for the request.
        let credentials = gateway
            .curl(&url)
            .args(&["--proxy-user", "researcher:x"])
            .agent("coder")
            .send();
        credentials.assert_refused(403, "proxy_identity_conflict");
        let outer = gateway
            .curl(&url)
            .args(&["--proxy-header", "X-Oktsec-Agent: researcher"])
            .agent("coder")
            .send();
        outer.assert_refused(403, "proxy_identity_conflict");

        // The same name twice is one name.
        let same = gateway
            .curl(&url)
            .args(&["--proxy-user", "coder:x"])
            .agent("coder")
            .send();
        same.assert_passed();
    }
    assert_eq!(gateway.upstream.received().len(), 2);
}

#[test]
fn s04_requests_of_one_tunnel_do_not_inherit_from_each_other() {
    let gateway = Gateway::seed();
    let (opened, stream) = tunnel(&gateway, &format!("{CODERS}:443"), "");
    assert_eq!(opened.status(), 200);
    let get =
        |agent: &str, end: &str| format!("GET /x HTTP/1.1\r\nHost: {CODERS}\r\n{agent}{end}\r\n");
    let requests = [
        get("X-Oktsec-Agent: coder\r\n", ""),
        get("X-Oktsec-Agent: researcher\r\n", ""),
        get("", "Connection: close\r\n"),
    ];
    let answer = ask(tls(&gateway, stream, CODERS), &requests.concat());
    assert_eq!(answer.text.matches("HTTP/1.1 200").count(), 1, "{answer:?}");
    assert_eq!(
        answer
            .text
            .matches("x-oktsec-reason: proxy_blocked_domain")
            .count(),
        1,
        "{answer:?}"
    );
    assert_eq!(
        answer
            .text
            .matches("x-oktsec-reason: proxy_unknown_agent")
            .count(),
        1,
        "{answer:?}"
    );
    assert_eq!(gateway.upstream.received().len(), 1);
}

#[test]
fn s04_an_agent_with_an_address_cannot_be_claimed_from_elsewhere() {
    let config = Config::seed().with("identity.addresses", "{10.9.9.9/32: coder}");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let reply = gateway.get("coder", &format!("{scheme}://{CODERS}/"));
        reply.assert_refused(403, "proxy_unknown_agent");
        gateway
            .get("researcher", &format!("{scheme}://api.arxiv.org/"))
            .assert_passed();
    }
    let config = Config::seed().with("identity.addresses", "{127.0.0.0/8: researcher}");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let url = format!("{scheme}://{CODERS}/");
        gateway
            .get("coder", &url)
            .assert_refused(403, "proxy_identity_conflict");
        gateway
            .get("", &url)
            .assert_refused(403, "proxy_blocked_domain");
        gateway
            .get("", &format!("{scheme}://api.arxiv.org/"))
            .assert_passed();
    }
}

#[test]
fn s21_the_header_names_the_agent() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/{scheme}");
        gateway.get("researcher", &url).assert_passed();
        let row = gateway.row_of(&format!("/{scheme}"));
        assert_eq!(
            (&row["agent"], &row["identity"]["source"]),
            (&"researcher".into(), &"header".into())
        );

        let outer = format!("{scheme}://api.arxiv.org/{scheme}-outer");
        gateway
            .curl(&outer)
            .args(&["--proxy-header", "X-Oktsec-Agent: researcher"])
            .send()
            .assert_passed();
        assert_eq!(
            gateway.row_of(&format!("/{scheme}-outer"))["agent"],
            "researcher"
        );
    }
}

#[test]
fn s21_the_header_is_believed_only_from_where_it_may_come() {
    let gateway =
        Gateway::start(&Config::seed().with("identity.trust_header_from", "[10.0.0.0/8]"));
    for scheme in SCHEMES {
        let reply = gateway.get("researcher", &format!("{scheme}://api.arxiv.org/"));
        reply.assert_refused(403, "proxy_unknown_agent");
        let row = gateway.row(&reply);
        assert_eq!(row["identity"]["claimed"], "researcher", "{row}");
        assert_eq!(row["identity"]["source"], "anonymous", "{row}");
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s26_the_header_never_reaches_the_upstream() {
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.unknown_agents", "global"));
    let ours = [
        "x-oktsec-agent",
        "x-oktsec-session",
        "proxy-authorization",
        "proxy-connection",
    ];
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/");
        for field in [
            "X-Oktsec-Agent: researcher",
            "x-oktsec-agent: researcher",
            "X-OKTSEC-AGENT:researcher",
        ] {
            gateway
                .curl(&url)
                .header(field)
                .header("X-Oktsec-Session: 7")
                .send()
                .assert_passed();
        }
        for fields in [
            &["X-Oktsec-Agent: researcher", "X-Oktsec-Agent: researcher"][..],
            &["X-Oktsec-Agent: nobody-known"],
            &[
                "X-Oktsec-Agent: researcher",
                "Proxy-Authorization: Basic cmVzZWFyY2hlcjp4",
            ],
            &[
                "X-Oktsec-Agent: researcher",
                "Connection: close, X-Oktsec-Agent",
            ],
        ] {
            let curl = gateway.curl(&url);
            let curl = fields.iter().fold(curl, |curl, field| curl.header(field));
            curl.send().assert_passed();
        }
        gateway
            .curl(&url)
            .args(&["--proxy-user", "researcher:x"])
            .send()
            .assert_passed();
    }
    let h2 = gateway
        .curl("https://api.arxiv.org/")
        .agent("researcher")
        .agent("researcher")
        .args(&["--http2"])
        .send();
    h2.assert_passed();
    assert_eq!(h2.http_version, "2");

    let received = gateway.upstream.received();
    assert_eq!(received.len(), 17);
    for request in &received {
        for name in ours {
            assert_eq!(request.values(name), Vec::<&str>::new(), "{request:?}");
        }
        let text = format!("{:?}", request.headers).to_lowercase();
        assert!(
            !text.contains("oktsec") && !text.contains("researcher"),
            "{request:?}"
        );
    }
}

#[test]
fn s26_trailers_do_not_carry_it_either() {
    let gateway = Gateway::seed();
    let request = |target: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n\
             Transfer-Encoding: chunked\r\nTrailer: X-Oktsec-Agent\r\nConnection: close\r\n\r\n\
             5\r\nhello\r\n0\r\nX-Oktsec-Agent: researcher\r\nProxy-Authorization: Basic cmVz\r\n\r\n"
        )
    };
    let plain = ask(connect(&gateway), &request("http://api.arxiv.org/t"));
    let inside = ask_inside(&gateway, "api.arxiv.org", &request("/t"));
    for answer in [plain, inside] {
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    for request in gateway.upstream.received() {
        assert_eq!(&request.body[..], b"hello");
        for name in ["x-oktsec-agent", "proxy-authorization", "trailer"] {
            assert_eq!(request.values(name), Vec::<&str>::new(), "{request:?}");
        }
    }
}
