//! What becomes of findings: keys on their way home, secrets of the operator's own, settings of
//! rules, reviews, rules of the operator's own.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::process::{text, wait_for};
use crate::support::{AWS_KEY, Config, Gateway, Reply, SCHEMES};

/// A key that no one issued, in the form of a vendor's.
const KEY: &str = concat!("sk-proj-", "q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9UvXy");
const HOME: &str = "api.openai.com";

/// The seed with a key's home among the hosts of an agent.
fn config() -> Config {
    Config::seed()
        .with(
            "agents.researcher.egress.allowed_domains",
            "[api.arxiv.org, api.openai.com, sso.corp.example]",
        )
        .with("forward_proxy.blocked_categories", "[credentials]")
}

fn send(gateway: &Gateway, url: &str, key: &str, body: &str) -> Reply {
    gateway
        .curl(url)
        .agent("researcher")
        .header(&format!("Authorization: Bearer {key}"))
        .header("Content-Type: application/json")
        .body(body)
        .send()
}

/// What was made of each finding, with its rule.
fn treatments(row: &Value) -> Vec<(String, String)> {
    let findings = row["findings"].as_array().expect("rows have findings");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .map(|finding| (text(&finding["rule"]), text(&finding["treatment"])))
        .collect()
}

#[track_caller]
fn assert_all(row: &Value, treatment: &str) {
    let treated = treatments(row);
    assert!(
        !treated.is_empty() && treated.iter().all(|(_, found)| found == treatment),
        "{row}"
    );
}

#[test]
fn a_key_passes_on_its_way_home_and_nowhere_else() {
    let gateway = Gateway::start(&config());
    for scheme in SCHEMES {
        let path = format!("/v1/{scheme}");
        send(&gateway, &format!("{scheme}://{HOME}{path}"), KEY, "{}").assert_passed();
        let row = gateway.row_of(&path);
        assert_eq!(row["status"], "forwarded");
        assert_eq!(row["reason"], "proxy_allowed");
        assert_eq!(row["enforced"], true);
        assert_all(&row, "expected");
        assert_eq!(row["findings"][0]["location"], "header authorization");
    }
    let arrived = gateway.upstream.received().len();
    for scheme in SCHEMES {
        // In a body, in a query, to another host; whatever else is at home in the same request.
        let body = json!({"note": KEY}).to_string();
        let in_body = send(&gateway, &format!("{scheme}://{HOME}/"), KEY, &body);
        in_body.assert_refused(403, "proxy_blocked_content");
        let said = in_body.json();
        assert_eq!(said["location"], "body > json $.note", "{said}");
        for parameter in ["key", "api_key", "access_token"] {
            let url = format!("{scheme}://api.arxiv.org/?{parameter}={KEY}");
            send(&gateway, &url, "x", "{}").assert_refused(403, "proxy_blocked_content");
        }
        let in_query = send(
            &gateway,
            &format!("{scheme}://{HOME}/?key={KEY}"),
            "x",
            "{}",
        );
        in_query.assert_refused(403, "proxy_blocked_content");
        let elsewhere = send(&gateway, &format!("{scheme}://api.arxiv.org/"), KEY, "{}");
        elsewhere.assert_refused(403, "proxy_blocked_content");
        let treated = treatments(&gateway.row(&in_body));
        let of = |wanted: &str| treated.iter().filter(|(_, found)| found == wanted).count();
        assert!(of("block") > 0 && of("expected") > 0, "{treated:?}");
        assert_eq!(treated[0].1, "block", "what decided comes first");
    }
    assert_eq!(gateway.upstream.received().len(), arrived);
    gateway.assert_nowhere(KEY);
}

#[test]
fn a_second_rule_on_the_same_bytes_says_nothing_new() {
    let config = config()
        .with("dlp.known_secrets", "{llm: file:llm.key}")
        .with(
            "agents.researcher.egress.blocked_categories",
            "[credentials, pii]",
        );
    let gateway = Gateway::start_with(&config, |home| {
        fs::write(home.path().join("llm.key"), format!("{KEY}\n")).expect("the home is ours");
    });
    send(&gateway, &format!("https://{HOME}/same"), KEY, "{}").assert_passed();
    let row = gateway.row_of("/same");
    assert_all(&row, "expected");
    let rules: Vec<String> = treatments(&row).into_iter().map(|(rule, _)| rule).collect();
    assert!(
        rules.iter().any(|rule| rule == "known-secret-llm"),
        "{rules:?}"
    );
    // What reaches beyond the key says more.
    let wider = gateway
        .curl(&format!("https://{HOME}/wider"))
        .agent("researcher")
        .header(&format!("Authorization: Bearer {KEY}, {AWS_KEY}"))
        .send();
    wider.assert_refused(403, "proxy_blocked_content");
    assert_eq!(wider.json()["rules"], json!(["aws-access-key-id"]));
}

#[test]
fn nothing_hides_behind_what_is_at_home() {
    let gateway = Gateway::start(&config());
    let blocked = |what: &str, fields: &[String], rule: &str| {
        let mut curl = gateway
            .curl(&format!("https://{HOME}/"))
            .agent("researcher");
        for field in fields {
            curl = curl.header(field);
        }
        let reply = curl.send();
        assert_eq!(reply.status, 403, "{what}: {reply:?}");
        reply.assert_refused(403, "proxy_blocked_content");
        let rules = reply.json()["rules"].clone();
        let named = rules
            .as_array()
            .is_some_and(|rules| rules.contains(&json!(rule)));
        assert!(named, "{what}: {rules}");
    };
    // A second field of the same name, shorter than the first.
    let twice = [
        format!("Authorization: Bearer {KEY}"),
        format!("Authorization: Bearer {AWS_KEY}"),
    ];
    blocked("a field twice", &twice, "aws-access-key-id");
    // A token that somebody made up, to a host where sessions are at home.
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let token = |payload: Value| {
        let head = part(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        format!(
            "{head}.{}.{}",
            part(payload.to_string()),
            part("a signature of no key at all".into())
        )
    };
    let bearer = |token: &str| [format!("Authorization: Bearer {token}")];
    let forged = token(json!({"sub": "agent", "note": AWS_KEY}));
    blocked("a forged token", &bearer(&forged), "aws-access-key-id");
    let basic = STANDARD.encode(format!("agent:{AWS_KEY}"));
    let basic = [format!("Authorization: Basic {basic}")];
    blocked("a made-up password", &basic, "aws-access-key-id");
    let cookie = [format!("Cookie: theme=dark; connect.sid={AWS_KEY}")];
    blocked("a cookie", &cookie, "aws-access-key-id");
    gateway.upstream.assert_untouched();
    // The same token without it is a session.
    let honest = token(json!({"sub": "agent", "exp": 4_102_444_800_u64}));
    send(&gateway, &format!("https://{HOME}/session"), &honest, "{}").assert_passed();
    assert_all(&gateway.row_of("/session"), "expected");
}

#[test]
fn known_secrets_are_found_in_every_encoding_and_reported_by_name() {
    let secret = "Correct-Horse-99-Battery";
    let config = config().with(
        "dlp.known_secrets",
        "{database: file:database.key, app: dotenv:app.env}",
    );
    let gateway = Gateway::start_with(&config, |home| {
        fs::write(home.path().join("database.key"), secret).expect("the home is ours");
        let env = "# an application's own\nPORT=8080\nexport TOKEN='plain words of ours'\n";
        fs::write(home.path().join("app.env"), env).expect("the home is ours");
    });
    let said = gateway.home.talk();
    assert!(said.contains("W109") && said.contains("PORT"), "{said}");
    for (rule, value) in [
        ("known-secret-database", secret),
        ("known-secret-app.TOKEN", "plain words of ours"),
    ] {
        let body = json!({"data": STANDARD.encode(format!("id {value}"))}).to_string();
        let reply = send(&gateway, "https://api.arxiv.org/submit", "x", &body);
        reply.assert_refused(403, "proxy_blocked_content");
        assert_eq!(reply.json()["rules"], json!([rule]));
        assert!(!reply.body.contains(value));
        assert!(treatments(&gateway.row(&reply)).contains(&(rule.into(), "block".into())));
    }
    let shown = text(&gateway.home.oktsec(&["config", "show", "--origin"]).stdout);
    assert!(
        shown.contains("file:database.key") && !shown.contains(secret),
        "{shown}"
    );
    // A new value is known after a reload, the old one no more.
    fs::write(
        gateway.home.path().join("database.key"),
        "Another-Secret-Of-Ours-17",
    )
    .expect("the home is ours");
    gateway.signal("HUP");
    wait_for("the new value to be known", || {
        let reply = send(
            &gateway,
            "https://api.arxiv.org/",
            "x",
            "Another-Secret-Of-Ours-17",
        );
        (reply.status == 403).then_some(())
    });
    send(&gateway, "https://api.arxiv.org/", "x", secret).assert_passed();
}

#[test]
fn a_secret_that_cannot_be_read_stops_the_start() {
    let config = config().with("dlp.known_secrets", "{database: env:OKTSEC_TEST_NOT_SET}");
    let home = crate::support::gateway::Home::new();
    home.write_config(&config);
    let output = home.oktsec(&["start"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("E051") && said.contains("OKTSEC_TEST_NOT_SET"),
        "{said}"
    );
    // What scans nothing needs no secret.
    let logs = home.oktsec(&["policy", "show", "researcher"]);
    assert!(logs.status.success(), "{}", text(&logs.stderr));
}

#[test]
fn the_maps_name_homes_of_ones_own() {
    let maps = config()
        .with(
            "dlp.expected_credentials",
            "{openai-api-key: [api.arxiv.org]}",
        )
        .with(
            "agents.researcher.egress.expected_credentials",
            "{anthropic-api-key: [api.arxiv.org]}",
        );
    let gateway = Gateway::start(&maps);
    send(&gateway, "https://api.arxiv.org/mapped", KEY, "{}").assert_passed();
    assert_all(&gateway.row_of("/mapped"), "expected");
    send(&gateway, "https://api.arxiv.org/", KEY, KEY).assert_refused(403, "proxy_blocked_content");
    send(&gateway, &format!("https://{HOME}/builtin"), KEY, "{}").assert_passed();

    let off = Gateway::start(&config().with("dlp.expected_credentials", "off"));
    send(&off, &format!("https://{HOME}/"), KEY, "{}").assert_refused(403, "proxy_blocked_content");
}

#[test]
fn settings_of_rules_hold_over_categories() {
    let with = |action: &str| {
        let rules = format!("[{{id: aws-access-key-id, action: {action}, severity: low}}]");
        Gateway::start(&config().with("dlp.rules", &rules))
    };
    for (action, status, treatment) in [
        ("flag", "flagged", "flag"),
        ("observe", "forwarded", "observe"),
        ("ignore", "forwarded", ""),
    ] {
        let gateway = with(action);
        let url = format!("https://api.arxiv.org/{action}/{AWS_KEY}");
        gateway
            .post("researcher", &url, format!("key {AWS_KEY}"))
            .assert_passed();
        let row = gateway.row_of(&format!("/{action}/•••"));
        assert_eq!(row["status"], status, "{row}");
        assert_eq!(row["reason"], "proxy_allowed", "{row}");
        if treatment.is_empty() {
            assert_eq!(row["findings"], json!([]), "nothing is recorded");
        } else {
            assert_all(&row, treatment);
            assert_eq!(row["findings"][0]["severity"], "low");
        }
        // Not recorded is not unmasked.
        gateway.assert_nowhere(AWS_KEY);
    }
    let block = Config::seed()
        .with("agents.researcher.egress.blocked_categories", "[]")
        .with("dlp.rules", "[{id: aws-access-key-id, action: block}]");
    let gateway = Gateway::start(&block);
    let reply = gateway.post("researcher", "https://api.arxiv.org/", AWS_KEY);
    reply.assert_refused(403, "proxy_blocked_content");
    assert_eq!(gateway.row(&reply)["policy"]["source"], "dlp.rules[0]");
}

#[test]
fn a_review_lets_one_value_pass_until_it_ends() {
    let gateway = Gateway::start(&config());
    let url = "https://api.arxiv.org/submit";
    let reply = gateway.post("researcher", url, AWS_KEY);
    reply.assert_refused(403, "proxy_blocked_content");
    let print = gateway.row(&reply)["findings"][0]["fingerprint"].clone();
    let print = print.as_str().expect("findings have fingerprints");
    let written = fs::read_to_string(gateway.home.config()).expect("the home is ours");
    let reload = |until: &str, passes: bool| {
        let ignore = format!("[{{fingerprint: \"{print}\"{until}, reason: a sample}}]");
        let config = Config::text(&written).with("dlp.ignore", &ignore);
        gateway.home.write_config(&config);
        gateway.signal("HUP");
        wait_for("the review to be read", || {
            let reply = gateway.post("researcher", url, AWS_KEY);
            ((reply.status == 200) == passes).then_some(())
        });
    };
    reload("", true);
    assert_all(&gateway.row_of("/submit"), "ignored");
    let other = concat!("AKIA", "Q7QTTIDVZ5ORA136");
    gateway
        .post("researcher", url, other)
        .assert_refused(403, "proxy_blocked_content");
    // It ends by itself.
    let end = soon(3);
    reload(&format!(", until: \"{end}\", host: api.arxiv.org"), true);
    wait_for("the review to end", || {
        (gateway.post("researcher", url, AWS_KEY).status == 403).then_some(())
    });
    // And is a mistake where somebody can mend it, not where nobody can.
    let output = gateway.home.oktsec(&["config", "check"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        text(&output.stdout).contains("E042"),
        "{}",
        text(&output.stdout)
    );
    gateway.stop();
    gateway.start_again();
    assert!(
        gateway.home.talk().contains("W110"),
        "{}",
        gateway.home.talk()
    );
}

/// A moment so many seconds from now, as RFC 3339.
fn soon(seconds: u64) -> String {
    let output = crate::support::process::command("date")
        .args([
            "-u",
            "-d",
            &format!("+{seconds} seconds"),
            "+%Y-%m-%dT%H:%M:%SZ",
        ])
        .output()
        .expect("date is there");
    text(&output.stdout).trim().to_owned()
}

#[test]
fn rules_of_ones_own_bring_their_categories() {
    let rule = include_str!("../../testdata/config/rules/project.yaml");
    let config = config().with("dlp.custom_rules_dir", "rules.d").with(
        "agents.researcher.egress.blocked_categories",
        "[project-names]",
    );
    let gateway = Gateway::start_with(&config, |home| {
        fs::create_dir(home.path().join("rules.d")).expect("the home is ours");
        fs::write(home.path().join("rules.d/project.yaml"), rule).expect("the home is ours");
    });
    let body = "the launch of Project Halibut";
    let reply = gateway.post("researcher", "https://api.arxiv.org/", body);
    reply.assert_refused(403, "proxy_blocked_content");
    assert_eq!(reply.json()["categories"], json!(["project-names"]));
    // Another agent's list does not name the category.
    let other = gateway.post("coordinator", "https://internal-api.company.com/own", body);
    other.assert_passed();
    assert_eq!(gateway.row_of("/own")["status"], "flagged");
    // Built-in rules stay.
    gateway
        .post("researcher", "https://api.arxiv.org/", AWS_KEY)
        .assert_refused(403, "proxy_blocked_content");
    // A broken rule is no reason to run without it.
    fs::write(gateway.home.path().join("rules.d/broken.yaml"), "- id: x\n").expect("ours");
    gateway.signal("HUP");
    wait_for("the refusal of the broken rule", || {
        gateway
            .home
            .talk()
            .contains("configuration rejected")
            .then_some(())
    });
    let said = gateway.home.talk();
    assert!(said.contains("rules.d/broken.yaml:1:"), "{said}");
    gateway
        .post("researcher", "https://api.arxiv.org/", body)
        .assert_refused(403, "proxy_blocked_content");
}

#[test]
fn a_reload_brings_a_new_depth_of_decoding() {
    let gateway = Gateway::start(&config());
    let nested = (0..3).fold(AWS_KEY.to_owned(), |text, _| STANDARD.encode(text));
    let url = "https://api.arxiv.org/submit";
    gateway
        .post("researcher", url, &nested)
        .assert_refused(403, "proxy_blocked_content");
    let written = fs::read_to_string(gateway.home.config()).expect("the home is ours");
    let config = Config::text(&written).with("dlp.decode_depth", "1");
    gateway.home.write_config(&config);
    gateway.signal("HUP");
    wait_for("the new depth", || {
        let reply = gateway.post("researcher", url, &nested);
        (reply.header("x-oktsec-reason") == Some("proxy_uninspectable")).then_some(())
    });
}
