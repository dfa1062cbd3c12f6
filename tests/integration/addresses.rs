//! Private, loopback, link-local and metadata addresses, in every spelling.

use crate::support::raw::{ask, connect, tunnel};
use crate::support::{Gateway, SCHEMES};

/// What curl can be told to ask for.
const HOSTS: [&str; 22] = [
    "169.254.169.254",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "metadata.google.internal",
    "[::1]",
    "[::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
];

/// Spellings that curl rewrites before it asks; a program need not.
const NUMERIC: [&str; 9] = [
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "017700000001",
    "0x7f000001",
    "127.1",
    "0xa9.0xfe.0xa9.0xfe",
    "2852039166",
    "10.1",
];

#[test]
fn s07_private_addresses_are_refused() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        for host in HOSTS {
            let curl = gateway
                .curl(&format!("{scheme}://{host}/latest/meta-data/"))
                .agent("coordinator");
            // The certificate says 169.254.169.254, which curl does not take for its mapped form.
            let mapped = scheme == "https" && host.contains("::ffff:");
            let reply = if mapped {
                curl.args(&["-k"]).send()
            } else {
                curl.send()
            };
            assert_eq!(
                reply.header("x-oktsec-reason"),
                Some("proxy_ssrf_blocked"),
                "{scheme} {host}: {reply:?}"
            );
            reply.assert_refused(403, "proxy_ssrf_blocked");
        }
    }
    let rows = gateway.logs(&["--reason", "proxy_ssrf_blocked"]);
    assert_eq!(rows.len(), 2 * HOSTS.len());
    gateway.upstream.assert_untouched();
}

#[test]
fn s07_numbers_are_addresses_too() {
    let gateway = Gateway::seed();
    for host in NUMERIC {
        let request = format!(
            "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nX-Oktsec-Agent: coordinator\r\nConnection: close\r\n\r\n"
        );
        let answer = ask(connect(&gateway), &request);
        // Refused as an address, or as a spelling that no host has.
        let refused = matches!(
            (answer.status(), answer.reason()),
            (403, "proxy_ssrf_blocked") | (400, "proxy_bad_request")
        );
        assert!(refused, "{host}: {answer:?}");
        let (answer, _) = tunnel(
            &gateway,
            &format!("{host}:8080"),
            "X-Oktsec-Agent: coordinator\r\n",
        );
        let refused = matches!(
            (answer.status(), answer.reason()),
            (403, "proxy_ssrf_blocked") | (400, "proxy_bad_request")
        );
        assert!(refused, "CONNECT {host}: {answer:?}");
    }
    assert_eq!(
        gateway.logs(&["--status", "blocked"]).len(),
        2 * NUMERIC.len()
    );
    gateway.upstream.assert_untouched();
}

#[test]
fn s07_the_gateway_is_no_way_to_itself() {
    let gateway = Gateway::seed();
    let port = gateway.port;
    for url in [
        format!("http://127.0.0.1:{port}/healthz"),
        format!("http://localhost:{port}/ca.pem"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        gateway
            .get("coordinator", &url)
            .assert_refused(403, "proxy_ssrf_blocked");
    }
}

#[test]
fn s07_a_public_name_that_resolves_to_a_private_address() {
    use std::net::{IpAddr, ToSocketAddrs};
    // The machine's own name is in its hosts file, wherever that is: an answer without DNS.
    let Some(name) = std::fs::read_to_string("/etc/hosts")
        .ok()
        .and_then(|hosts| {
            let names = hosts
                .lines()
                .filter(|line| line.starts_with("127."))
                .flat_map(|line| {
                    line.split_whitespace()
                        .skip(1)
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                });
            names
                .into_iter()
                .find(|name| !name.starts_with("localhost") && !name.starts_with('#'))
        })
    else {
        return;
    };
    let resolves = (name.as_str(), 80)
        .to_socket_addrs()
        .is_ok_and(|mut found| {
            found.any(|address| matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback()))
        });
    if !resolves {
        return;
    }
    let config =
        crate::support::Config::seed().with("forward_proxy.resolve", "{other.test: 127.0.0.1}");
    let gateway = Gateway::start(&config);
    for scheme in SCHEMES {
        let reply = gateway.get("coordinator", &format!("{scheme}://{name}/"));
        reply.assert_refused(403, "proxy_ssrf_blocked");
        gateway.row(&reply);
    }
}
