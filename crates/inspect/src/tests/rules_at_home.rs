//! Every rule at home: what its own examples show is sent to the first of its hosts, in each of its
//! places, by an agent without any list. Nothing of that may be blocked.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use oktsec_detect::{Detector, FingerprintKey, HomePlace, Limits, Rule, Setup};
use oktsec_model::Action;

use super::homes::{host_of, send, told};
use super::snapshot_towards;

/// Rules whose first examples show something that is sent in another form, or that is looked for with
/// more around it than a request has.
const OTHERWISE_SENT: [&str; 13] = [
    "apollo-graph-key",
    "azure-app-configuration-secret",
    "dingtalk-webhook-url",
    "google-chat-webhook-url",
    "helius-endpoint-key",
    "mollie-access-token",
    "mollie-api-key",
    "npm-legacy-token",
    "okta-ssws-header",
    "opsgenie-integration-url",
    "prisma-accelerate-url",
    "sentry-dsn",
    "webhook-wecom-robot",
];

/// A URL and a header field that carry a secret to a place.
fn request(host: &str, place: &HomePlace, secret: &str) -> Option<(String, Option<Field>)> {
    let url = format!("https://{host}/v1/x");
    let field = |name: HeaderName, value: String| {
        let is_text = HeaderValue::try_from(value.as_str()).is_ok();
        is_text.then_some((url.clone(), Some((name, value))))
    };
    match place {
        HomePlace::Authorization => field(AUTHORIZATION, format!("Bearer {secret}")),
        HomePlace::Header(name) if name != "*" => {
            field(HeaderName::try_from(name.as_str()).ok()?, secret.to_owned())
        }
        HomePlace::Query(name) if !secret.contains(|c: char| " <>\"#&".contains(c)) => {
            Some((format!("{url}?format=json&{name}={secret}&limit=10"), None))
        }
        _ => None,
    }
}

type Field = (HeaderName, String);

/// What a rule finds in an example, where it is written as it is.
fn secret<'a>(detector: &Detector, rule: &Rule, example: &'a str) -> Option<&'a str> {
    let scan = detector.scan_text(example.as_bytes());
    let mut findings = scan.findings.iter();
    let found = findings.find(|found| found.rule == rule.id && found.location.views.is_empty())?;
    example.get(found.span.clone())
}

fn detector() -> Detector {
    let setup = Setup {
        key: FingerprintKey::new([1; 32]),
        limits: Limits::default(),
        rules: Vec::new(),
        secrets: Vec::new(),
    };
    let Ok(detector) = Detector::with_examples(setup) else {
        panic!("the rules load")
    };
    detector
}

#[test]
fn rules_let_their_examples_go_home() {
    let (detector, open) = (detector(), snapshot_towards(&[]));
    let mut wrong = Vec::new();
    for rule in detector.rules() {
        let Some(host) = rule.homes.first().map(|host| host.replace("*.", "acme.")) else {
            continue;
        };
        let examples = rule.examples.iter().take(2);
        for secret in examples.filter_map(|example| secret(&detector, rule, example)) {
            for (url, field) in
                (rule.places.iter()).filter_map(|place| request(&host, place, secret))
            {
                let decision = send(&open, &url, field.as_ref(), "{}");
                if decision.action == Action::Block {
                    wrong.push((rule.id.as_str(), told(&decision)));
                }
            }
        }
    }
    wrong.retain(|(rule, _)| !OTHERWISE_SENT.contains(rule));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Addresses that are secrets are home to themselves.
#[test]
fn addresses_of_hooks_pass() {
    let (detector, open) = (detector(), snapshot_towards(&[]));
    let mut wrong = Vec::new();
    for rule in detector.rules() {
        for example in &rule.examples {
            let at = example.find("https://");
            let Some(from) = at.and_then(|at| example.get(at..)) else {
                continue;
            };
            let ends = |c: char| c.is_whitespace() || "\"\\'<>`,;)@".contains(c);
            let url = from.split(ends).next().unwrap_or_default();
            let Some(host) = url.split(['/', '?']).nth(2) else {
                continue;
            };
            let is_home = |home: &String| match home.strip_prefix('*') {
                Some(domain) => host.ends_with(domain),
                None => home == host,
            };
            let mut places = rule.places.iter();
            let is_in_url =
                places.any(|place| matches!(place, HomePlace::Path | HomePlace::Query(_)));
            if !is_in_url || !rule.homes.iter().any(is_home) {
                continue;
            }
            let decision = send(&open, url, None, "{}");
            assert_eq!(host_of(url), host);
            if decision.action == Action::Block {
                wrong.push((rule.id.as_str(), url.to_owned(), told(&decision)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
