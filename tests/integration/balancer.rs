//! The PROXY protocol, from those who may speak it.

use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::raw::{ask, connect};

const REQUEST: &str =
    "GET http://api.arxiv.org/x HTTP/1.1\r\nHost: api.arxiv.org\r\nConnection: close\r\n\r\n";

fn behind_a_balancer(networks: &str) -> Gateway {
    let config = Config::seed()
        .with("forward_proxy.proxy_protocol_from", networks)
        .with("identity.addresses", "{192.0.2.7/32: researcher}");
    // The test's own question whether it is up comes without a header.
    Gateway::start(&config)
}

#[test]
fn a_balancer_says_whose_connection_it_is() {
    let gateway = behind_a_balancer("[127.0.0.2/32]");
    let from = |address: &str, header: &str| {
        let stream = super::support::raw::connect_from(&gateway, address);
        ask(stream, &format!("{header}{REQUEST}"))
    };
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 5000 8080\r\n";
    assert_eq!(from("127.0.0.2", header).status(), 200);
    let row = gateway.row_of("/x");
    assert_eq!(row["agent"], "researcher", "{row}");
    assert_eq!(row["identity"]["client"], "192.0.2.7:5000", "{row}");
    assert_eq!(row["identity"]["source"], "address", "{row}");
    // Another client behind the same balancer is nobody.
    let other = "PROXY TCP4 192.0.2.8 192.0.2.1 5000 8080\r\n";
    assert_eq!(from("127.0.0.2", other).status(), 403);
    // Without a header the connection is closed; nobody else may send one.
    assert_eq!(from("127.0.0.2", "").status(), 0);
    assert_eq!(
        ask(connect(&gateway), &format!("{header}{REQUEST}")).status(),
        400
    );
    assert_eq!(gateway.upstream.received().len(), 1);
    let rows = gateway.logs(&["--reason", "proxy_bad_request"]);
    let clients = rows
        .iter()
        .filter_map(|row| row["identity"]["client"].as_str());
    let mut from_balancer = clients.filter(|client| client.starts_with("127.0.0.2:"));
    assert!(
        from_balancer.next().is_some(),
        "the silent balancer has a row: {rows:?}"
    );
}
