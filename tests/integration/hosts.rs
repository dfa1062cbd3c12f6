//! Which hosts an agent may reach, in every spelling that a host has.

use crate::support::raw::{self, ask, ask_inside, tunnel};
use crate::support::{AGENTS, Config, Gateway, SCHEMES};

const GLOBAL: [&str; 5] = [
    "pastebin.com",
    "paste.ee",
    "hastebin.com",
    "transfer.sh",
    "file.io",
];
const RESEARCH: [&str; 3] = [
    "api.arxiv.org",
    "api.semanticscholar.org",
    "scholar.google.com",
];

/// Sends one request per URL; each must be refused for this reason.
#[track_caller]
fn assert_all_refused(gateway: &Gateway, agent: &str, urls: &[String], reason: &str) {
    for url in urls {
        let reply = gateway.get(agent, url);
        assert_eq!(
            reply.header("x-oktsec-reason"),
            Some(reason),
            "{agent} {url}: {reply:?}"
        );
        reply.assert_refused(403, reason);
    }
}

#[test]
fn s03_hosts_off_the_list_are_refused() {
    let gateway = Gateway::seed();
    let hosts = [
        "evil.com",
        "EVIL.com",
        "evil.com.",
        "api.arxiv.org.evil.com",
        "notapi.arxiv.org",
        "arxiv.org",
        "xapi.arxiv.org",
        "sub.api.arxiv.org",
        "8.8.8.8",
        "xn--e1awd7f.com",
        "b\u{fc}cher.example",
        "\u{ff45}vil.com",
    ];
    for scheme in SCHEMES {
        let urls: Vec<String> = hosts
            .iter()
            .map(|host| format!("{scheme}://{host}/x"))
            .collect();
        assert_all_refused(&gateway, "researcher", &urls, "proxy_blocked_domain");
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s03_spellings_of_an_allowed_host_are_that_host() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        for host in [
            "api.arxiv.org",
            "API.ArXiv.ORG",
            "api.arxiv.org.",
            "\u{ff41}pi.arxiv.org",
        ] {
            gateway
                .get("researcher", &format!("{scheme}://{host}/x"))
                .assert_passed();
        }
    }
    for received in gateway.upstream.received() {
        assert_eq!(received.host, "api.arxiv.org");
    }
}

#[test]
fn s03_other_ports_are_refused() {
    let gateway = Gateway::seed();
    for url in [
        "http://api.arxiv.org:8080/",
        "http://api.arxiv.org:443/",
        "https://api.arxiv.org:8443/",
    ] {
        let reply = gateway.get("researcher", url);
        // 443 is permitted; what is there does not speak plain HTTP.
        let expected = if url.contains(":443") {
            "proxy_upstream_refused"
        } else {
            "proxy_port_blocked"
        };
        assert_eq!(
            reply.header("x-oktsec-reason"),
            Some(expected),
            "{url}: {reply:?}"
        );
    }
    // The client may be waiting for the server to speak first: the CONNECT itself is refused.
    for port in [22, 25, 3306] {
        let (answer, _) = tunnel(
            &gateway,
            &format!("api.arxiv.org:{port}"),
            "X-Oktsec-Agent: researcher\r\n",
        );
        assert_eq!(
            (answer.status(), answer.reason()),
            (403, "proxy_port_blocked"),
            "{answer:?}"
        );
    }
}

#[test]
fn s03_a_tunnel_leads_to_the_host_it_was_opened_for() {
    let gateway = Gateway::seed();
    let ask_for = |host: &str| {
        format!(
            "GET /x HTTP/1.1\r\nHost: {host}\r\nX-Oktsec-Agent: researcher\r\nConnection: close\r\n\r\n"
        )
    };
    // Another Host inside, allowed or not: both hosts must be one.
    for host in ["scholar.google.com", "evil.com"] {
        let answer = ask_inside(&gateway, "api.arxiv.org", &ask_for(host));
        let refused = (answer.status(), answer.reason());
        let expected = if host == "evil.com" {
            (403, "proxy_blocked_domain")
        } else {
            (421, "proxy_host_mismatch")
        };
        assert_eq!(refused, expected, "{answer:?}");
    }
    let answer = ask_inside(&gateway, "api.arxiv.org", &ask_for("API.arxiv.org:443"));
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(gateway.upstream.received().len(), 1);

    // Another SNI: the handshake does not come about, and there is a row.
    let (_, stream) = tunnel(
        &gateway,
        "api.arxiv.org:443",
        "X-Oktsec-Agent: researcher\r\n",
    );
    let answer = ask(
        raw_tls(&gateway, stream, "evil.com"),
        &ask_for("api.arxiv.org"),
    );
    assert_eq!(answer.status(), 0, "{answer:?}");
    crate::support::process::wait_for("the row of the mismatch", || {
        gateway
            .logs(&["--reason", "proxy_host_mismatch", "--method", "CONNECT"])
            .pop()
    });
    assert_eq!(gateway.upstream.received().len(), 1);
}

#[test]
fn s03_over_http2_the_host_is_the_tunnels_too() {
    let gateway = Gateway::seed();
    for (host, status, reason) in [
        ("scholar.google.com", 421, "proxy_host_mismatch"),
        ("evil.com", 403, "proxy_blocked_domain"),
    ] {
        let curl = gateway
            .curl("https://api.arxiv.org/")
            .agent("researcher")
            .args(&["--http2"]);
        let reply = curl.header(&format!("Host: {host}")).send();
        assert_eq!(reply.http_version, "2");
        reply.assert_refused(status, reason);
        assert_eq!(gateway.row(&reply)["request"]["http_version"], "2");
    }
    gateway.upstream.assert_untouched();
}

/// A TLS stream whose handshake is expected to fail: writing to it may.
fn raw_tls(
    gateway: &Gateway,
    stream: std::net::TcpStream,
    name: &str,
) -> impl std::io::Read + std::io::Write {
    struct Tolerant(raw::TlsTunnel);
    impl std::io::Read for Tolerant {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl std::io::Write for Tolerant {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(self.0.write(bytes).unwrap_or(bytes.len()))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    Tolerant(raw::tls(gateway, stream, name))
}

#[test]
fn s12_the_global_blocklist_holds_for_all() {
    let gateway = Gateway::seed();
    let spellings = |scheme: &str, host: &str| {
        let port = if scheme == "http" { 80 } else { 443 };
        vec![
            format!("{scheme}://{host}/"),
            format!("{scheme}://deep.sub.{host}/"),
            format!("{scheme}://{host}./"),
            format!("{scheme}://{}/", host.to_uppercase()),
            format!("{scheme}://{host}:{port}/"),
        ]
    };
    for scheme in SCHEMES {
        for host in GLOBAL {
            for agent in AGENTS {
                let reply = gateway.get(agent, &format!("{scheme}://{host}/"));
                reply.assert_refused(403, "proxy_blocked_domain");
            }
            // Nobody is not a way around either.
            gateway
                .get("", &format!("{scheme}://{host}/"))
                .assert_refused(403, "proxy_unknown_agent");
            assert_all_refused(
                &gateway,
                "coordinator",
                &spellings(scheme, host),
                "proxy_blocked_domain",
            );
        }
    }
    for row in gateway.logs(&["--reason", "proxy_blocked_domain"]) {
        assert_eq!(row["policy"]["list"], "global_block", "{row}");
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s12_nobody_is_judged_by_the_global_settings_where_unknown_agents_are() {
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.unknown_agents", "global"));
    for scheme in SCHEMES {
        for host in GLOBAL {
            let urls = [
                format!("{scheme}://{host}/"),
                format!("{scheme}://www.{host}/"),
            ];
            assert_all_refused(&gateway, "", &urls, "proxy_blocked_domain");
        }
        gateway
            .get("", &format!("{scheme}://example.com/"))
            .assert_passed();
    }
}

#[test]
fn s14_only_the_listed_hosts_are_reachable() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        for host in RESEARCH {
            gateway
                .get("researcher", &format!("{scheme}://{host}/"))
                .assert_passed();
        }
        let others = [
            "api.github.com",
            "registry.npmjs.org",
            "example.com",
            "google.com",
            "evil.com",
        ];
        let urls: Vec<String> = others
            .iter()
            .map(|host| format!("{scheme}://{host}/"))
            .collect();
        assert_all_refused(&gateway, "researcher", &urls, "proxy_blocked_domain");
    }
    assert_eq!(gateway.upstream.received().len(), 6);
}

#[test]
fn s18_an_agents_blocklist_wins_over_every_allow() {
    let raw = "raw.githubusercontent.com";
    let configs = [
        Config::seed(),
        Config::seed().with(
            "forward_proxy.allowed_domains",
            "[\"*.githubusercontent.com !public-suffix\"]",
        ),
        Config::seed().with("forward_proxy.allowed_domains", &format!("[{raw}]")),
    ];
    for config in &configs {
        let gateway = Gateway::start(config);
        for scheme in SCHEMES {
            let reply = gateway.get("coder", &format!("{scheme}://{raw}/install.sh"));
            reply.assert_refused(403, "proxy_blocked_domain");
            assert_eq!(gateway.row(&reply)["policy"]["list"], "agent_block");
            gateway
                .get("coder", &format!("{scheme}://api.github.com/"))
                .assert_passed();
        }
    }
}

#[test]
fn s20_an_agent_without_a_policy_has_the_global_one() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        gateway
            .get("coordinator", &format!("{scheme}://evil.com/"))
            .assert_passed();
        let reply = gateway.get("coordinator", &format!("{scheme}://pastebin.com/"));
        reply.assert_refused(403, "proxy_blocked_domain");
    }
}

#[test]
fn s32_the_blocklist_is_global_and_the_agents() {
    let config = Config::seed()
        .with("forward_proxy.blocked_domains", "[pastebin.com, evil.com]")
        .with("agents.coder.egress.allowed_domains", "[]");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let blocked = ["pastebin.com", "evil.com", "raw.githubusercontent.com"];
        let urls: Vec<String> = blocked
            .iter()
            .map(|host| format!("{scheme}://{host}/"))
            .collect();
        assert_all_refused(&gateway, "coder", &urls, "proxy_blocked_domain");
        gateway
            .get("coder", &format!("{scheme}://example.com/"))
            .assert_passed();
        gateway
            .get(
                "coordinator",
                &format!("{scheme}://raw.githubusercontent.com/"),
            )
            .assert_passed();
    }
}

#[test]
fn s33_the_allowlist_is_global_and_the_agents() {
    let config = Config::seed()
        .with(
            "forward_proxy.allowed_domains",
            "[internal-api.company.com]",
        )
        .with("agents.coder.egress.allowed_domains", "[api.github.com]");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        for host in ["internal-api.company.com", "api.github.com"] {
            gateway
                .get("coder", &format!("{scheme}://{host}/"))
                .assert_passed();
        }
        gateway
            .get("coder", &format!("{scheme}://pypi.org/"))
            .assert_refused(403, "proxy_blocked_domain");
        let reply = gateway.get("coordinator", &format!("{scheme}://api.github.com/"));
        reply.assert_refused(403, "proxy_blocked_domain");
    }
}

#[test]
fn s33_an_internal_host_needs_an_explicit_exception() {
    let config = Config::seed().with("forward_proxy.allowed_domains", "[10.77.1.2]");
    let gateway = Gateway::start(&config);
    gateway
        .get("coder", "http://10.77.1.2/")
        .assert_refused(403, "proxy_ssrf_blocked");

    let config = Config::seed()
        .with("forward_proxy.allowed_domains", "[127.0.0.7]")
        .with("forward_proxy.allowed_ports", "[80, 443, 1]")
        .with("forward_proxy.allow_private", "[127.0.0.7]");
    let gateway = Gateway::start(&config);
    // Nothing listens there, but it was tried.
    gateway
        .get("coder", "http://127.0.0.7:1/")
        .assert_refused(502, "proxy_upstream_refused");
}

#[test]
fn s34_the_global_blocklist_always_wins() {
    let config = Config::seed()
        .with(
            "forward_proxy.allowed_domains",
            "[pastebin.com, \"*.pastebin.com\"]",
        )
        .with(
            "agents.researcher.egress.allowed_domains",
            "[pastebin.com, api.pastebin.com, .pastebin.com]",
        );
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        for host in ["pastebin.com", "api.pastebin.com"] {
            for agent in AGENTS {
                let reply = gateway.get(agent, &format!("{scheme}://{host}/"));
                reply.assert_refused(403, "proxy_blocked_domain");
                assert_eq!(gateway.row(&reply)["policy"]["list"], "global_block");
            }
        }
    }
    gateway.upstream.assert_untouched();
}
