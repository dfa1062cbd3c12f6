//! What the settings of the seed switch, and what starting says when it cannot.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::gateway::{Home, free_port};
use crate::support::process::text;
use crate::support::raw::{connect, read_head, tls, tunnel};
use crate::support::{AWS_KEY, Config, Gateway, SCHEMES};

/// Starts with this configuration, which must not work; the exit code and what was said.
#[track_caller]
fn start_fails(config: &Config) -> (i32, String) {
    let home = Home::new();
    home.write_config(
        &config
            .clone()
            .with("forward_proxy.port", &free_port().to_string()),
    );
    let output = home.oktsec(&["start"]);
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[test]
fn s08_the_proxy_starts_only_when_enabled() {
    let port = free_port();
    let off = [
        Config::seed()
            .with("forward_proxy.enabled", "false")
            .with("forward_proxy.port", &port.to_string()),
        Config::text(&format!("forward_proxy:\n  port: {port}\n")),
    ];
    for config in off {
        let home = Home::new();
        home.write_config(&config);
        let output = home.oktsec(&["start"]);
        let said = text(&output.stderr);
        assert!(said.contains("forward_proxy.enabled"), "{said}");
        assert!(
            [Some(0), Some(4)].contains(&output.status.code()),
            "{output:?}"
        );
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "something listens"
        );
    }
    let gateway = Gateway::seed();
    gateway
        .get("researcher", "http://api.arxiv.org/")
        .assert_passed();
}

#[test]
fn s10_responses_are_left_alone() {
    let gateway = Gateway::seed();
    gateway.upstream.page("/key", "text/plain", AWS_KEY);
    for scheme in SCHEMES {
        let reply = gateway.get("researcher", &format!("{scheme}://api.arxiv.org/key"));
        assert_eq!(reply.assert_passed().body, AWS_KEY);
    }
}

#[test]
fn s10_events_stream() {
    for scan in ["false", "true"] {
        events_stream(&Config::seed().with("forward_proxy.scan_responses", scan));
    }
}

#[track_caller]
fn events_stream(config: &Config) {
    let gateway = Gateway::start(config);
    let mut stream = connect(&gateway);
    let request = "GET http://api.arxiv.org/events HTTP/1.1\r\nHost: api.arxiv.org\r\n\
                   X-Oktsec-Agent: researcher\r\nConnection: close\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .expect("the connection stands");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    let mut seen = String::new();
    let mut byte = [0];
    while !seen.contains("first\n\n") {
        assert_eq!(
            stream
                .read(&mut byte)
                .expect("the first event comes before the second is made"),
            1
        );
        seen.push(char::from(byte[0]));
    }
    gateway.upstream.release();
    stream.read_to_string(&mut seen).expect("the stream ends");
    assert!(seen.contains("second"), "{seen}");
}

#[test]
fn s13_can_message_is_checked() {
    for (agent, value, said) in [
        ("researcher", "[nobody]", "nobody"),
        ("researcher", "[researcher]", "researcher"),
        ("coder", "[coordinatr]", "coordinator"),
    ] {
        let config = Config::seed().with(&format!("agents.{agent}.can_message"), value);
        let (code, words) = start_fails(&config);
        assert_eq!(code, 4, "{words}");
        assert!(
            words.contains(said) && words.contains("can_message"),
            "{words}"
        );
    }
    for value in ["[\"*\"]", "[]", "[coordinator, coder]"] {
        let config = Config::seed().with("agents.researcher.can_message", value);
        Gateway::start(&config)
            .get("researcher", "http://api.arxiv.org/")
            .assert_passed();
    }
}

#[test]
fn s15_each_category_blocks_for_itself() {
    let gateway = Gateway::seed();
    let card = "card 4539 1488 0343 6467";
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/");
        gateway
            .post("researcher", &url, AWS_KEY)
            .assert_refused(403, "proxy_blocked_content");
        gateway
            .post("researcher", &url, card)
            .assert_refused(403, "proxy_blocked_content");

        // The coder blocks credentials only: a card passes and is in the row.
        let url = format!("{scheme}://api.github.com/{scheme}-card");
        gateway
            .post("coder", &url, AWS_KEY)
            .assert_refused(403, "proxy_blocked_content");
        gateway.post("coder", &url, card).assert_passed();
        let rows = gateway.logs(&["--agent", "coder", "--host", "api.github.com"]);
        let passed = rows
            .iter()
            .find(|row| row["request"]["scheme"] == scheme && row["status"] != "blocked");
        let passed = passed.expect("it has a row");
        assert_eq!(passed["findings"][0]["category"], "pii", "{passed}");
    }
}

#[test]
fn s15_an_unknown_category_is_a_mistake() {
    for (word, meant) in [("credential", "credentials"), ("pi", "pii")] {
        let config = Config::seed().with(
            "agents.coder.egress.blocked_categories",
            &format!("[{word}]"),
        );
        let (code, words) = start_fails(&config);
        assert_eq!(code, 4, "{words}");
        assert!(
            words.contains(&format!("`{word}`")) && words.contains(meant),
            "{words}"
        );
    }
    let alias = Config::seed().with(
        "agents.coder.egress.blocked_categories",
        "[credential-leak]",
    );
    let reply = Gateway::start(&alias).post("coder", "http://api.github.com/", AWS_KEY);
    reply.assert_refused(403, "proxy_blocked_content");
}

#[test]
fn s16_an_agents_scan_setting_holds_over_the_global_one() {
    let off = Gateway::start(&Config::seed().with("forward_proxy.scan_requests", "false"));
    let on =
        Gateway::start(&Config::seed().with("agents.researcher.egress.scan_requests", "false"));
    for scheme in SCHEMES {
        let research = format!("{scheme}://api.arxiv.org/");
        let code = format!("{scheme}://api.github.com/");
        off.post("researcher", &research, AWS_KEY)
            .assert_refused(403, "proxy_blocked_content");
        off.post("coder", &code, AWS_KEY).assert_passed();
        on.post("researcher", &research, AWS_KEY).assert_passed();
        on.post("coder", &code, AWS_KEY)
            .assert_refused(403, "proxy_blocked_content");
    }
}

#[test]
fn every_mistake_in_a_configuration_is_named_with_its_place() {
    let config = Config::seed()
        .with("forward_proxy.blocked_domain", "[pastebin.com]")
        .with("forward_proxy.max_body_size", "lots")
        .with(
            "agents.researcher.egress.allowed_domains",
            "[\"https://api.arxiv.org/search\"]",
        )
        .with("agents.researcher.egress.rate_window", "0")
        .with("agents.coder.egress.blocked_categories", "[credential]");
    let (code, words) = start_fails(&config);
    assert_eq!(code, 4, "{words}");
    let expected = [
        ("`blocked_domain`", "blocked_domains"),
        ("max_body_size", "lots"),
        ("https://api.arxiv.org/search", "api.arxiv.org"),
        ("rate_window", "0"),
        ("`credential`", "`credentials`"),
    ];
    for (mistake, help) in expected {
        assert!(
            words.contains(mistake) && words.contains(help),
            "{mistake}: {words}"
        );
    }
    assert!(
        words.matches("oktsec.yaml:").count() >= expected.len(),
        "{words}"
    );
}

#[test]
fn a_configuration_that_is_no_yaml_is_refused() {
    let (code, words) = start_fails(&Config::text("forward_proxy: [enabled: true\nagents: }\n"));
    assert_eq!(code, 4, "{words}");
    assert!(words.contains("oktsec.yaml"), "{words}");
}

#[test]
fn a_port_in_use_is_said() {
    let gateway = Gateway::seed();
    let home = Home::new();
    home.write_config(&Config::seed().with("forward_proxy.port", &gateway.port.to_string()));
    let output = home.oktsec(&["start"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(
        text(&output.stderr).contains(&gateway.port.to_string()),
        "{output:?}"
    );
}

#[test]
fn an_audit_directory_in_use_is_said() {
    let gateway = Gateway::seed();
    let home = Home::new();
    let dir = gateway.home.data().join("audit");
    home.write_config(
        &Config::seed()
            .with("forward_proxy.port", &free_port().to_string())
            .with("audit.dir", &format!("\"{}\"", dir.display())),
    );
    let output = home.oktsec(&["start"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(text(&output.stderr).contains("audit"), "{output:?}");
}

#[test]
fn a_directory_that_cannot_be_written_stops_the_start() {
    let home = Home::new();
    fs::write(
        home.path().join("data"),
        "a file where the directory should be",
    )
    .expect("it is ours");
    home.write_config(&Config::seed().with("forward_proxy.port", &free_port().to_string()));
    let output = home.oktsec(&["start"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains("data"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_key_that_others_can_read_stops_the_start() {
    let gateway = Gateway::seed();
    gateway.stop();
    let key = gateway.home.data().join("ca/ca-key.pem");
    let mode = fs::metadata(&key)
        .expect("the key is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let directory = fs::metadata(gateway.home.data().join("ca")).expect("it is there");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("the file is ours");
    let output = gateway.home.oktsec(&["start"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("ca-key.pem"), "{output:?}");
}

#[test]
fn stopping_is_orderly() {
    let gateway = Gateway::seed();
    gateway
        .get("researcher", "https://api.arxiv.org/")
        .assert_passed();
    assert_eq!(gateway.stop().code(), Some(0), "{}", gateway.home.talk());
    gateway.start_again();
    gateway
        .get("researcher", "https://api.arxiv.org/")
        .assert_passed();
}

#[test]
fn stopping_does_not_wait_for_connections_without_a_request() {
    let gateway = Gateway::seed();
    let fresh = connect(&gateway);
    let mut kept = connect(&gateway);
    let request = "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nX-Oktsec-Agent: coordinator\r\n\r\n";
    kept.write_all(request.as_bytes())
        .expect("the connection stands");
    assert!(read_head(&mut kept).starts_with("HTTP/1.1 200"));
    let (_, stream) = tunnel(&gateway, "example.com:443", "");
    let mut greeted = tls(&gateway, stream, "example.com");
    greeted.flush().expect("the handshake comes about");
    assert_eq!(gateway.stop().code(), Some(0), "{}", gateway.home.talk());
    drop((fresh, kept, greeted));
}

#[test]
fn a_reload_takes_the_new_policy_and_keeps_the_old_one_when_it_is_broken() {
    let gateway = Gateway::seed();
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(gateway.home.config()).expect("it is ours");
        assert!(text.contains(from));
        fs::write(gateway.home.config(), text.replace(from, to)).expect("it is ours");
        gateway.signal("HUP");
    };
    let get = || gateway.get("researcher", "https://api.github.com/");
    get().assert_refused(403, "proxy_blocked_domain");
    edit("- scholar.google.com", "- api.github.com");
    crate::support::process::wait_for("the new policy", || (get().status == 200).then_some(()));
    edit(
        "- api.github.com\n      blocked_categories",
        "- https://api.github.com/x\n      blocked_categories",
    );
    crate::support::process::wait_for("the complaint", || {
        gateway.home.talk().contains("rejected").then_some(())
    });
    get().assert_passed();
}
