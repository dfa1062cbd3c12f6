//! Keys of the most important providers: on their way home they pass and are recorded as expected;
//! anywhere else they are blocked.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use oktsec_model::{Action, Decision, Home, Treatment};

use super::{decide, head_with, snapshot_towards};
use crate::Snapshot;

const HOMES: &str = include_str!("../../../../testdata/detect/homes.txt");
const ELSEWHERE: &str = "collector.example.net";

/// A request that carries a key home.
struct Journey {
    name: String,
    kind: Kind,
    url: String,
    field: Option<(HeaderName, String)>,
    key: String,
}

/// What tells a key.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Its own shape.
    Known,
    /// Its name or its place only.
    Opaque,
    /// The same, and nobody in particular issues it.
    Session,
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
                "c" => b"0123456789ABCDEF",
                "s" => b"abcdefghijklmnopqrstuvwxyz234567",
                "v" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
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
            let mut maker = Maker::new(name);
            let key = maker.key(template);
            let field = field.split_once(": ").map(|(name, value)| {
                let value = maker.key(value).replace("KEY", &key);
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
                kind: match kind {
                    "known" => Kind::Known,
                    "opaque" => Kind::Opaque,
                    "session" => Kind::Session,
                    other => panic!("no kind `{other}`"),
                },
                url: maker.key(url).replace("KEY", &key),
                field,
                key,
            }
        })
        .collect()
}

pub(super) fn host_of(url: &str) -> &str {
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

pub(super) fn send(
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

/// What became of a request, and of each finding in it.
pub(super) fn told(decision: &Decision) -> String {
    let findings = decision.findings.iter().map(|finding| {
        let rule = finding.rule.as_str();
        let (home, treatment) = (finding.home, finding.treatment);
        format!("{rule} at {} {home:?} {treatment:?}", finding.location)
    });
    let findings: Vec<String> = findings.collect();
    format!("{:?} {findings:?}", decision.action)
}

fn is_expected(decision: &Decision) -> bool {
    let mut findings = decision.findings.iter();
    decision.action == Action::Allow
        && findings.any(|finding| finding.treatment == Treatment::Expect)
}

#[test]
fn keys_pass_on_their_way_home() {
    let (listed, open) = (snapshot(), snapshot_towards(&[]));
    let mut wrong = Vec::new();
    for journey in journeys() {
        let Journey {
            name, url, field, ..
        } = &journey;
        let decision = send(&listed, url, field.as_ref(), "{}");
        if !is_expected(&decision) {
            wrong.push(format!("{name}: {}", told(&decision)));
        }
        // Without a list no host is home to sessions, and every issuer to its own.
        let decision = send(&open, url, field.as_ref(), "{}");
        if is_expected(&decision) == (journey.kind == Kind::Session) {
            wrong.push(format!("{name}, without a list: {}", told(&decision)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_pass_nowhere_else() {
    let (listed, open) = (snapshot(), snapshot_towards(&[]));
    let mut wrong = Vec::new();
    for journey in journeys() {
        let (key, host) = (&journey.key, host_of(&journey.url));
        let json = format!("{{\"note\":\"hi\",\"api_key\":\"{key}\"}}");
        let prompt =
            format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"use {key} here\"}}]}}");
        let home = format!("https://{host}/v1/other");
        let query = format!("https://{ELSEWHERE}/collect?token={key}");
        let other = format!("https://{ELSEWHERE}/v1/other");
        let bearer = (AUTHORIZATION, format!("Bearer {key}"));
        let llm = "https://api.openai.com/v1/responses";
        let mut tries = vec![
            ("in a body", send(&listed, &home, None, &json)),
            ("in a query elsewhere", send(&listed, &query, None, "{}")),
            (
                "to a host that no list names",
                send(&open, &other, Some(&bearer), "{}"),
            ),
        ];
        if journey.kind == Kind::Known {
            tries.push(("in a prompt", send(&listed, llm, None, &prompt)));
            tries.push(("elsewhere", send(&listed, &other, Some(&bearer), "{}")));
        }
        // A webhook's key is its path: what is sent elsewhere has none.
        if journey.kind == Kind::Known && journey.field.is_some() {
            let decision = send(&listed, &other, journey.field.as_ref(), "{}");
            tries.push(("elsewhere, in its own field", decision));
        }
        for (way, decision) in tries {
            if decision.action != Action::Block {
                wrong.push(format!("{} {way}: {}", journey.name, told(&decision)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The keys of some providers are told by their names only: any text of that length has their shape. A
/// key of somebody else's is not at home there, nor where several give out keys of the same form.
#[test]
fn keys_are_not_at_home_where_others_have_the_same_shape() {
    let journeys = journeys();
    let mut hosts: Vec<&str> = (journeys.iter())
        .filter(|journey| journey.kind == Kind::Opaque)
        .map(|journey| host_of(&journey.url))
        .chain(["api.paystack.co", "api.clerk.com", "acme.auth0.com"])
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    let listed = snapshot_towards(&hosts);
    let mut wrong = Vec::new();
    for journey in journeys.iter().filter(|one| one.kind == Kind::Known) {
        let bearer = (AUTHORIZATION, format!("Bearer {}", journey.key));
        for host in &hosts {
            let url = format!("https://{host}/v1/other");
            let decision = send(&listed, &url, Some(&bearer), "{}");
            let mut findings = decision.findings.iter();
            let is_own = findings.any(|finding| finding.home == Home::Issuer);
            if decision.action != Action::Block && !is_own {
                wrong.push(format!("{} at {host}: {}", journey.name, told(&decision)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let long = Maker::new("a long key").key("sk_live_{a*99}");
    let bearer = (AUTHORIZATION, format!("Bearer {long}"));
    let decision = send(
        &listed,
        "https://api.paystack.co/charge",
        Some(&bearer),
        "{}",
    );
    assert_eq!(decision.action, Action::Block, "{}", told(&decision));
}

/// Secrets of OAuth clients go into the body of a token request at some issuers. No body is home to
/// anything: an operator says so in `dlp.ignore`.
#[test]
fn client_secrets_in_bodies_are_blocked() {
    let snapshot = snapshot_towards(&["oauth2.googleapis.com", "github.com"]);
    for (url, template) in [
        ("https://oauth2.googleapis.com/token", "GOCSPX-{w*28}"),
        ("https://github.com/login/oauth/access_token", "{x*40}"),
    ] {
        let secret = Maker::new(url).key(template);
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let body = format!("grant_type=client_credentials&client_id=app&client_secret={secret}");
        let decision = decide(&snapshot, &head_with(url, headers), &[body.as_bytes()]);
        assert_eq!(decision.action, Action::Block, "{url} {}", told(&decision));
    }
}
