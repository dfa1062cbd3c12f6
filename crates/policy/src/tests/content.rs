//! Findings and what is written about them, in the notation of `testdata/policy`.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use oktsec_model::{
    ExchangeId, Finding, Fingerprint, Home, HttpVersion, Place, Principal, RequestHead, RuleId,
    Severity, Target, Timestamp,
};

use super::cases::{self, target};
use super::reader::{entries, origin, words};
use crate::{ContentSource, Entry, IgnoreSource, RuleAction, RuleSource};

/// One setting below `dlp`.
pub(super) fn setting(content: &mut ContentSource, key: &str, items: &str, line: u32) {
    match key {
        "expected" if items.trim() == "off" => content.builtin_homes = false,
        "expected" => content.homes = homes("dlp.expected_credentials", items, line),
        "strict" => content.is_strict = items.trim() == "true",
        "rule_ids" => content.rule_ids = Some(words(items)),
        "now" => content.now = Timestamp::parse_rfc3339(items.trim()).unwrap(),
        "rule" => {
            let at = origin(&format!("dlp.rules[{}]", content.rules.len()), line);
            content.rules.push(rule(items, &at));
        }
        "ignore" => {
            let at = origin(&format!("dlp.ignore[{}]", content.ignore.len()), line);
            content.ignore.push(ignore(items, &at));
        }
        other => panic!("no setting `dlp.{other}`"),
    }
}

/// `rule=host,host`.
pub(super) fn homes(path: &str, items: &str, line: u32) -> Vec<(Entry, Vec<Entry>)> {
    let pairs = words(items).into_iter().map(|item| {
        let (rule, hosts) = item.split_once('=').unwrap();
        let path = format!("{path}.{rule}");
        let text = rule.to_owned();
        let origin = origin(&path, line);
        let hosts = hosts.replace(',', " ");
        (Entry { text, origin }, entries(&path, &hosts, line))
    });
    pairs.collect()
}

/// `id=x action=flag severity=low`, each optional.
fn rule(items: &str, at: &oktsec_model::Origin) -> RuleSource {
    let mut rule = RuleSource {
        id: None,
        action: None,
        severity: None,
        origin: at.clone(),
    };
    for (name, text) in pairs(items) {
        match name.as_str() {
            "id" => rule.id = Some(entry(text, at, "id")),
            "severity" => rule.severity = Severity::parse(&text),
            _ => {
                rule.action = Some(match text.as_str() {
                    "block" => RuleAction::Block,
                    "flag" => RuleAction::Flag,
                    "observe" => RuleAction::Observe,
                    "ignore" => RuleAction::Ignore,
                    other => panic!("no action `{other}`"),
                });
            }
        }
    }
    rule
}

/// `fingerprint=x rule=x agent=x host=x until=x reason=x`, each optional.
fn ignore(items: &str, at: &oktsec_model::Origin) -> IgnoreSource {
    let find = |wanted: &str| {
        let found = pairs(items).into_iter().find(|(name, _)| name == wanted);
        found.map(|(name, text)| entry(text, at, &name))
    };
    IgnoreSource {
        fingerprint: find("fingerprint"),
        rule: find("rule"),
        agent: find("agent"),
        host: find("host"),
        until: find("until"),
        reason: find("reason"),
        origin: at.clone(),
    }
}

fn pairs(items: &str) -> Vec<(String, String)> {
    let pair = |item: String| {
        let (name, text) = item.split_once('=').unwrap();
        (name.to_owned(), text.to_owned())
    };
    words(items).into_iter().map(pair).collect()
}

fn entry(text: String, at: &oktsec_model::Origin, name: &str) -> Entry {
    let origin = origin(&format!("{}.{name}", at.entry), at.line);
    Entry { text, origin }
}

/// `category,rule=x,home=issuer,at=header:authorization,span=0-9,views=1,print=7`.
pub(super) fn finding(word: &str) -> Finding {
    let mut parts = word.split(',');
    let mut finding = cases::finding(parts.next().unwrap());
    for part in parts {
        let (name, text) = part.split_once('=').unwrap();
        match name {
            "rule" => finding.rule = RuleId(text.into()),
            "home" => finding.home = home(text),
            "at" => {
                let (place, name) = text.split_once(':').unwrap_or((text, ""));
                finding.location.place = place_of(place);
                finding.location.name = (!name.is_empty()).then(|| name.into());
            }
            "span" => {
                let (start, end) = text.split_once('-').unwrap();
                finding.span = start.parse().unwrap()..end.parse().unwrap();
            }
            "views" => finding.location.views = vec!["view".into(); text.parse().unwrap()],
            "print" => finding.fingerprint = Fingerprint([text.parse().unwrap(); 16]),
            other => panic!("a finding has no `{other}`"),
        }
    }
    finding
}

fn home(word: &str) -> Home {
    match word {
        "astray" => Home::Astray,
        "issuer" => Home::Issuer,
        "place" => Home::Place,
        "session" => Home::Session,
        "shape" => Home::Shape,
        other => panic!("no home `{other}`"),
    }
}

fn place_of(word: &str) -> Place {
    let all = [
        Place::Body,
        Place::Header,
        Place::Host,
        Place::Path,
        Place::Query,
    ];
    all.into_iter()
        .find(|place| place.as_str() == word)
        .unwrap()
}

/// The head that findings were seen in: `at=` names its fields, `*name` repeats one, `@` its time.
pub(super) fn head(who: Principal, target: &Target, method: Method, seen: &[&str]) -> RequestHead {
    let mut headers = HeaderMap::new();
    let mut at = Timestamp::default();
    let value = HeaderValue::from_static("x");
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
    for word in seen {
        if let Some(moment) = word.strip_prefix('@') {
            at = Timestamp::parse_rfc3339(moment).unwrap();
        } else if let Some(repeated) = word.strip_prefix('*') {
            headers.append(name(repeated), value.clone());
            headers.append(name(repeated), value.clone());
        } else if let Some((_, rest)) = word.split_once("at=header:") {
            let field = name(rest.split(',').next().unwrap());
            headers.entry(field).or_insert(value.clone());
        }
    }
    RequestHead {
        id: ExchangeId::new(at, 0),
        at,
        principal: who,
        target: target.clone(),
        method,
        path_and_query: "/".to_owned(),
        headers,
        version: HttpVersion::Http11,
    }
}

#[test]
fn a_setting_changes_the_severity() {
    let mut content = ContentSource::default();
    setting(&mut content, "rule", "id=a severity=critical", 1);
    let source = crate::Source {
        content,
        ..crate::Source::default()
    };
    let policies = crate::compile(source).unwrap().policies;
    let who = cases::principal("-");
    let head = head(who, &target("https://a.example"), Method::GET, &[]);
    let mut findings = vec![finding("pii,rule=a"), finding("pii,rule=b")];
    policies.treat(&head, &mut findings);
    let severities: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Critical, Severity::Low]);
}
