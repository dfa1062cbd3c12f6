//! The views of the trail: filters, the line of the seed, and what a row says and never says.

use serde_json::{Value, json};

use crate::support::process::{command, run, text, wait_for};
use crate::support::{AWS_KEY, Gateway, SCHEMES};

/// Some of everything, for the views.
fn some_traffic(gateway: &Gateway) {
    gateway
        .get("researcher", "https://api.arxiv.org/search?query=llm")
        .assert_passed();
    gateway
        .get("researcher", "https://api.github.com/repos")
        .assert_refused(403, "proxy_blocked_domain");
    gateway
        .get("researcher", "http://evil.com/")
        .assert_refused(403, "proxy_blocked_domain");
    gateway
        .post("researcher", "https://api.arxiv.org/submit", AWS_KEY)
        .assert_refused(403, "proxy_blocked_content");
    gateway
        .get("coder", "https://registry.npmjs.org/left")
        .assert_passed();
    gateway
        .get("coder", "http://pastebin.com/")
        .assert_refused(403, "proxy_blocked_domain");
    wait_for("the rows to be whole", || {
        let rows = gateway.logs(&["--status", "forwarded"]);
        (rows.len() == 2 && rows.iter().all(|row| !row["chain"]["ended"].is_null())).then_some(())
    });
}

#[test]
fn s29_logs_filters() {
    let gateway = Gateway::seed();
    some_traffic(&gateway);
    let cases: [(&[&str], usize); 14] = [
        (&[], 6),
        (&["--agent", "researcher"], 4),
        (&["--agent", "researcher", "--agent", "coder"], 6),
        (&["--agent", "researcher", "--status", "blocked"], 3),
        (&["--status", "forwarded"], 2),
        (&["--reason", "proxy_blocked_content"], 1),
        (&["--host", "api.arxiv.org"], 2),
        (&["--method", "POST"], 1),
        (&["--category", "credentials"], 1),
        (&["--identity", "header"], 6),
        (&["--identity", "anonymous"], 0),
        (&["--since", "1h"], 6),
        (&["--until", "2020-01-01T00:00:00Z"], 0),
        (&["--agent", "nobody"], 0),
    ];
    let assert_all = |when: &str| {
        for (filter, count) in cases {
            let rows = gateway.logs(filter);
            assert_eq!(rows.len(), count, "{when} {filter:?}: {rows:?}");
        }
        let last = gateway.home.oktsec(&["logs", "--json", "-n", "2"]);
        assert_eq!(text(&last.stdout).lines().count(), 2, "{last:?}");
    };
    assert_all("while it runs");
    let before = files(&gateway);
    assert_eq!(gateway.logs(&[]).len(), 6);
    assert_eq!(files(&gateway), before, "reading changed the ledger");
    gateway.stop();
    assert_all("after it stopped");

    let nothing = gateway.home.oktsec(&["logs", "--agent", "nobody"]);
    assert_eq!(nothing.status.code(), Some(0));
    assert!(nothing.stdout.is_empty());
    assert!(
        text(&nothing.stderr).contains("No events match"),
        "{nothing:?}"
    );
    let unknown = gateway.home.oktsec(&["logs", "--status", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
}

/// The segments of the ledger, with their bytes.
fn files(gateway: &Gateway) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    crate::support::gateway::visit(&gateway.home.data().join("audit"), &mut |path| {
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            all.push((path.to_owned(), std::fs::read(path).expect("it is ours")));
        }
    });
    assert!(!all.is_empty());
    all.sort();
    all
}

#[test]
fn s29_a_reader_may_leave_early() {
    let gateway = Gateway::seed();
    gateway
        .curl("http://example.com/[1-60]")
        .agent("coordinator")
        .statuses();
    let script = format!(
        "set -o pipefail; XDG_DATA_HOME='{}' '{}' logs --all --json --config '{}' | head -n 1",
        gateway.home.path().join("data").display(),
        env!("CARGO_BIN_EXE_oktsec"),
        gateway.home.config().display()
    );
    let output = run(command("bash").args(["-c", &script]), b"");
    assert_eq!(text(&output.stdout).lines().count(), 1, "{output:?}");
    assert_eq!(text(&output.stderr), "", "{output:?}");
}

#[test]
fn s30_s31_the_line_is_the_seeds() {
    let gateway = Gateway::seed();
    some_traffic(&gateway);
    let lines = |filter: &[&str]| {
        let mut arguments = vec!["logs"];
        arguments.extend(filter);
        text(&gateway.home.oktsec(&arguments).stdout)
    };
    let expected = |rows: &[Value]| {
        let texts = |field: fn(&Value) -> &Value| {
            rows.iter()
                .map(move |row| field(row).as_str().unwrap_or("-").len())
        };
        let agent = texts(|row| &row["agent"]).max().unwrap_or(0).max(10);
        let host = texts(|row| &row["request"]["host"])
            .max()
            .unwrap_or(0)
            .max(18);
        rows.iter().fold(String::new(), |all, row| {
            let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let time = word(&row["time"]);
            let (name, to) = (word(&row["agent"]), word(&row["request"]["host"]));
            let (status, reason) = (word(&row["status"]), word(&row["reason"]));
            format!(
                "{all}{}Z  {name:<agent$} -> {to:<host$} {status:<8} {reason}\n",
                &time[..19]
            )
        })
    };
    let filter = ["--agent", "researcher", "--status", "blocked"];
    let shown = lines(&filter);
    assert_eq!(shown, expected(&gateway.logs(&filter)));
    assert_eq!(shown.lines().count(), 3);
    let first: Vec<&str> = shown
        .lines()
        .next()
        .expect("there are three")
        .split_whitespace()
        .collect();
    assert_eq!(
        first[1..],
        [
            "researcher",
            "->",
            "api.github.com",
            "blocked",
            "proxy_blocked_domain"
        ]
    );
    assert!(
        shown
            .lines()
            .nth(1)
            .expect("three")
            .ends_with(" researcher -> evil.com           blocked  proxy_blocked_domain")
    );

    let all = lines(&[]);
    assert_eq!(all, expected(&gateway.logs(&[])));
    let coder = all
        .lines()
        .find(|line| line.contains("registry.npmjs.org"))
        .expect("it is there");
    assert!(
        coder.ends_with("  coder      -> registry.npmjs.org forwarded proxy_allowed"),
        "{coder}"
    );
}

#[test]
fn s37_the_examples_row_has_rule_place_and_mask() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let body = format!("Here are the results. Also, AWS_ACCESS_KEY={AWS_KEY}");
        let reply = gateway.post(
            "researcher",
            &format!("{scheme}://api.arxiv.org/submit"),
            body,
        );
        reply.assert_refused(403, "proxy_blocked_content");
        let answer = reply.json();
        assert_eq!(answer["categories"], json!(["credentials"]), "{answer}");
        assert!(
            answer["location"]
                .as_str()
                .is_some_and(|place| place.contains("body")),
            "{answer}"
        );
        let row = gateway.row(&reply);
        let finding = &row["findings"][0];
        assert_eq!(finding["category"], "credentials", "{row}");
        assert!(
            finding["rule"]
                .as_str()
                .is_some_and(|rule| rule.contains("aws")),
            "{row}"
        );
        assert!(
            finding["location"]
                .as_str()
                .is_some_and(|place| place.contains("body")),
            "{row}"
        );
        let redacted = finding["redacted"].as_str().expect("a text");
        assert!(
            redacted.starts_with("AKIA") && !redacted.contains(&AWS_KEY[6..14]),
            "{row}"
        );
        assert!(
            finding["fingerprint"]
                .as_str()
                .is_some_and(|print| print.len() >= 16),
            "{row}"
        );
        for field in ["severity", "confidence"] {
            assert!(finding[field].is_string(), "{field}: {row}");
        }
    }
    gateway.assert_nowhere(AWS_KEY);
}

#[test]
fn s38_the_answer_says_why() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let reply = gateway.get(
            "researcher",
            &format!("{scheme}://api.github.com/secret-path?q=secret-query"),
        );
        reply.assert_refused(403, "proxy_blocked_domain");
        let body = reply.json();
        assert_eq!(
            (&body["agent"], &body["host"]),
            (&"researcher".into(), &"api.github.com".into())
        );
        assert_eq!(body["retryable"], false);
        for (name, value) in [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("x-should-retry", "false"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{reply:?}");
        }
        assert!(
            reply
                .header("proxy-status")
                .is_some_and(|text| text.contains("oktsec")),
            "{reply:?}"
        );
        for echo in ["secret-path", "secret-query", "api.arxiv.org"] {
            assert!(!reply.body.contains(echo), "{reply:?}");
        }
    }
    // Each reader in its own form.
    for (field, kind) in [
        ("User-Agent: git/2.39.5", "text/plain"),
        ("Accept: text/html,application/xhtml+xml", "text/html"),
        ("Accept: text/plain", "text/plain"),
        ("x-stainless-lang: python", "application/problem+json"),
    ] {
        let reply = gateway
            .curl("https://api.github.com/")
            .agent("researcher")
            .header(field)
            .send();
        assert_eq!(reply.status, 403);
        assert!(
            reply
                .header("content-type")
                .is_some_and(|text| text.starts_with(kind)),
            "{reply:?}"
        );
        assert!(reply.body.contains("proxy_blocked_domain"), "{reply:?}");
    }
}

/// Words that no file of the gateway may hold.
const SECRETS: [&str; 4] = [
    AWS_KEY,
    "hunter2-in-a-query",
    "c2Vzc2lvbi1jb29raWU",
    "Bearer-like-words",
];

#[test]
fn s39_the_row_has_the_full_context_and_never_the_secret() {
    let gateway = Gateway::seed();
    let [_, query, cookie, token] = SECRETS;
    for (scheme, port) in [("http", 80), ("https", 443)] {
        let url = format!("{scheme}://api.arxiv.org/v1/{AWS_KEY}/submit?token={query}&plain");
        let curl = gateway
            .curl(&url)
            .agent("researcher")
            .header(&format!("Cookie: id={cookie}"));
        let reply = curl
            .header(&format!("Authorization: {token}"))
            .body(AWS_KEY)
            .send();
        reply.assert_refused(403, "proxy_blocked_content");
        let row = gateway.row(&reply);
        for (pointer, value) in [
            ("/schema", json!(1)),
            ("/agent", json!("researcher")),
            ("/identity/source", json!("header")),
            ("/request/method", json!("POST")),
            ("/request/scheme", json!(scheme)),
            ("/request/host", json!("api.arxiv.org")),
            ("/request/port", json!(port)),
            ("/request/query_keys", json!(["token", "plain"])),
        ] {
            assert_eq!(row.pointer(pointer), Some(&value), "{pointer}: {row}");
        }
        let starts = |pointer: &str, with: &str| {
            let text = row.pointer(pointer).and_then(Value::as_str);
            assert!(
                text.is_some_and(|text| text.starts_with(with)),
                "{pointer}: {row}"
            );
        };
        starts("/identity/client", "127.0.0.1:");
        starts("/request/path", "/v1/");
        starts("/request/user_agent", "curl/");
        starts(
            "/policy/source",
            "agents.researcher.egress.blocked_categories",
        );
        starts("/policy/file", "");
        starts("/policy/hash", "");
        for number in ["/policy/line", "/timing_ms/total", "/chain/decided/seq"] {
            assert!(
                row.pointer(number).is_some_and(Value::is_number),
                "{number}: {row}"
            );
        }
    }
    gateway.upstream.assert_untouched();
    gateway.stop();
    for secret in SECRETS {
        gateway.assert_nowhere(secret);
    }
}

#[test]
fn s39_a_forwarded_row_says_what_went_and_came() {
    let gateway = Gateway::seed();
    for scheme in SCHEMES {
        let url = format!("{scheme}://api.arxiv.org/sizes-{scheme}?a=private-value");
        let reply = gateway.post("researcher", &url, "0123456789");
        reply.assert_passed();
        let row = gateway.row_of(&format!("/sizes-{scheme}"));
        assert_eq!(
            (&row["status"], &row["reason"]),
            (&"forwarded".into(), &"proxy_allowed".into()),
            "{row}"
        );
        assert_eq!(
            (&row["http_status"], &row["request"]["bytes"]),
            (&200.into(), &10.into()),
            "{row}"
        );
        assert_eq!(row["response"]["bytes"], reply.body.len(), "{row}");
        assert_eq!(row["findings"], json!([]), "{row}");
        assert!(row["timing_ms"]["upstream"].is_number(), "{row}");
        assert_eq!(row["policy"]["list"], "allow", "{row}");
    }
    let h2 = gateway
        .curl("https://api.arxiv.org/two")
        .agent("researcher")
        .args(&["--http2"])
        .send();
    h2.assert_passed();
    assert_eq!(gateway.row_of("/two")["request"]["http_version"], "2");
    gateway.assert_nowhere("private-value");
}
