//! Keys of the most important providers: on their way home they pass and are recorded as expected;
//! anywhere else they are blocked.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use oktsec_model::{Action, Decision, Treatment};

use super::{decide, head_with, snapshot_towards};
use crate::Snapshot;

const HOMES: &str = include_str!("../../../../testdata/detect/homes.txt");
const ELSEWHERE: &str = "collector.example.net";

/// A request that carries a key home.
struct Journey {
    name: String,
    is_known: bool,
    url: String,
    field: Option<(HeaderName, String)>,
    key: String,
}

/// Makes keys up: the same for the same provider.
struct Maker(u64);

impl Maker {
    fn new(name: &str) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed)
    }

    fn pick(&mut self, alphabet: &[u8]) -> char {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let index = usize::try_from(self.0 >> 33).unwrap() % alphabet.len();
        char::from(alphabet[index])
    }

    /// A key after a template with `{class*count}` in it.
    fn key(&mut self, template: &str) -> String {
        let mut key = String::new();
        let mut rest = template;
        while let Some((plain, more)) = rest.split_once('{') {
            let (part, after) = more.split_once('}').unwrap();
            let (class, count) = part.split_once('*').unwrap();
            key.push_str(plain);
            let alphabet: &[u8] = match class {
                "x" => b"0123456789abcdef",
                "l" => b"abcdefghijklmnopqrstuvwxyz0123456789",
                "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
                "d" => b"123456789",
                "z" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "w" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            };
            key.extend((0..count.parse().unwrap()).map(|_: usize| self.pick(alphabet)));
            rest = after;
        }
        key + rest
    }
}

fn journeys() -> Vec<Journey> {
    HOMES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let [name, kind, url, field, template] = parts[..] else {
                panic!("five parts: {line}");
            };
            let key = Maker::new(name).key(template);
            let field = field.split_once(": ").map(|(name, value)| {
                let value = value.replace("KEY", &key);
                let value = match value.split_once("B64(") {
                    Some((scheme, rest)) => {
                        format!("{scheme}{}", STANDARD.encode(rest.trim_end_matches(')')))
                    }
                    None => value,
                };
                (HeaderName::try_from(name).unwrap(), value)
            });
            Journey {
                name: name.to_owned(),
                is_known: kind == "known",
                url: url.replace("KEY", &key),
                field,
                key,
            }
        })
        .collect()
}

fn host_of(url: &str) -> &str {
    url.split('/').nth(2).unwrap()
}

fn snapshot() -> Arc<Snapshot> {
    let journeys = journeys();
    let mut hosts: Vec<&str> = journeys.iter().map(|one| host_of(&one.url)).collect();
    hosts.push(ELSEWHERE);
    hosts.push("api.openai.com");
    hosts.sort_unstable();
    hosts.dedup();
    snapshot_towards(&hosts)
}

fn send(
    snapshot: &Arc<Snapshot>,
    url: &str,
    field: Option<&(HeaderName, String)>,
    body: &str,
) -> Decision {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = field {
        headers.insert(name, HeaderValue::try_from(value.as_str()).unwrap());
    }
    decide(snapshot, &head_with(url, headers), &[body.as_bytes()])
}

#[test]
fn keys_pass_on_their_way_home() {
    let snapshot = snapshot();
    let mut wrong = Vec::new();
    for journey in journeys() {
        let decision = send(&snapshot, &journey.url, journey.field.as_ref(), "{}");
        let is_recorded = decision
            .findings
            .iter()
            .any(|finding| finding.treatment == Treatment::Expect);
        if decision.action != Action::Allow || !is_recorded {
            let rules: Vec<String> = decision
                .findings
                .iter()
                .map(|finding| {
                    format!(
                        "{} {:?} {:?}",
                        finding.rule.as_str(),
                        finding.home,
                        finding.treatment
                    )
                })
                .collect();
            wrong.push(format!("{}: {:?} {rules:?}", journey.name, decision.action));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_pass_nowhere_else() {
    let snapshot = snapshot();
    let mut wrong = Vec::new();
    for journey in journeys() {
        let key = &journey.key;
        let named = format!("{{\"note\":\"hi\",\"api_key\":\"{key}\"}}");
        let text =
            format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"use {key} here\"}}]}}");
        let host = host_of(&journey.url);
        let home = format!("https://{host}/v1/other");
        let query = format!("https://{ELSEWHERE}/collect?token={key}");
        let other = format!("https://{ELSEWHERE}/v1/other");
        let mut tries = vec![
            ("in a body", send(&snapshot, &home, None, &named)),
            ("in a query elsewhere", send(&snapshot, &query, None, "{}")),
        ];
        if journey.is_known {
            tries.push((
                "in a prompt",
                send(
                    &snapshot,
                    "https://api.openai.com/v1/responses",
                    None,
                    &text,
                ),
            ));
            tries.push((
                "elsewhere",
                send(&snapshot, &other, journey.field.as_ref(), "{}"),
            ));
        }
        for (way, decision) in tries {
            // A webhook's key is its path: what was sent elsewhere had none.
            let had_key = way != "elsewhere" || journey.field.is_some();
            if had_key && decision.action != Action::Block {
                wrong.push(format!("{} {way}", journey.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
