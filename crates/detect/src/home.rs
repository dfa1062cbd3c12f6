//! Where credentials belong: the hosts that issue them and the places in a request where those
//! expect them.

use std::ops::Range;

use oktsec_model::{Home, Host, Location, Place};

use crate::bytes::slice;
use crate::decode;
use crate::rule::{HomePlace, Matcher, Rule};

/// Whether a finding of a rule, at a location, lies where it belongs towards a host. Bodies are home
/// to nothing.
pub(crate) fn of(rule: &Rule, host: Option<&str>, location: &Location) -> Home {
    let is_in_place = rule.places.iter().any(|place| place.is(location));
    match host {
        _ if rule.homes.is_empty() && is_in_place => Home::Session,
        _ if rule.homes.is_empty() => Home::Elsewhere,
        _ if !is_in_place => Home::Astray,
        Some(host) if rule.homes.iter().any(|home| names(home, host)) => Home::Issuer,
        _ => Home::Place,
    }
}

/// The same for a value that a rule without homes found: one that has the shape of a key which only
/// its name betrays, on its way to that key's issuer, is at home there as far as anybody can tell.
pub(crate) fn of_value(
    rules: &[Rule],
    rule: &Rule,
    host: Option<&str>,
    location: &Location,
    value: &[u8],
) -> Home {
    let home = of(rule, host, location);
    let has_no_issuer = matches!(home, Home::Elsewhere | Home::Session);
    let Some(host) =
        host.filter(|_| has_no_issuer && !matches!(location.place, Place::Body | Place::Response))
    else {
        return home;
    };
    let issuers = Issuers {
        rules,
        host,
        location,
    };
    let is_issued = issuers.issue_named(value) || issuers.issue_pair(&decode::base64(value));
    if is_issued { Home::Shape } else { home }
}

/// The rules whose values belong at a place of a request to a host.
struct Issuers<'a> {
    rules: &'a [Rule],
    host: &'a str,
    location: &'a Location,
}

/// Longer user names that are no ids of the issuer's could carry something else.
const USER_BYTES_MAX: usize = 32;

// === impl Issuers ===

impl Issuers<'_> {
    fn any(&self, mut fits: impl FnMut(&Rule) -> bool) -> bool {
        self.rules.iter().any(|rule| {
            !rule.homes.is_empty()
                && of(rule, Some(self.host), self.location) == Home::Issuer
                && fits(rule)
        })
    }

    /// Whether a value has the shape of a key that only its name betrays.
    fn issue_named(&self, value: &[u8]) -> bool {
        self.any(|rule| is_named(rule, value))
    }

    /// Whether a user and a password are a key and what stands beside it: the name of an account, an
    /// id of the issuer's, or nothing.
    fn issue_pair(&self, pair: &[u8]) -> bool {
        let Some(colon) = memchr::memchr(b':', pair) else {
            return false;
        };
        let (user, password) = (slice(pair, 0..colon), slice(pair, colon + 1..pair.len()));
        let name = user.split(|&byte| byte == b'@').next().unwrap_or_default();
        let is_user = || name.len() <= USER_BYTES_MAX || self.any(|rule| is_whole(rule, user));
        let is_key = |part: &[u8]| self.any(|rule| is_named(rule, part) || is_whole(rule, part));
        // A pattern may want to see the border between the two.
        let ends_in_key = || self.any(|rule| ends_in(rule, pair));
        (is_key(password) || ends_in_key()) && is_user()
            || password.len() <= USER_BYTES_MAX && is_key(user)
    }
}

/// Whether a value is what a rule looks for beside a name.
fn is_named(rule: &Rule, value: &[u8]) -> bool {
    matches!(&rule.matcher, Matcher::Assignment { value: pattern, .. }
        if pattern.fits(value.len()) && pattern.is_in(value))
}

/// Whether a rule's pattern matches a text from its beginning to its end.
fn is_whole(rule: &Rule, text: &[u8]) -> bool {
    matches(rule, text).any(|found| found == (0..text.len())) || is_named(rule, text)
}

/// Whether the last match of a rule's pattern reaches the end of a text.
fn ends_in(rule: &Rule, text: &[u8]) -> bool {
    matches(rule, text).any(|found| found.end == text.len())
}

fn matches<'a>(rule: &'a Rule, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    let pattern = match &rule.matcher {
        Matcher::Literal { pattern, .. } | Matcher::Run { pattern, .. } => Some(pattern),
        _ => None,
    };
    pattern
        .and_then(|pattern| pattern.regex())
        .into_iter()
        .flat_map(move |regex| regex.find_iter(text))
        .map(|found| found.range())
}

/// A host as rules write homes: exact, or `*.` and a domain for what lies below it.
fn names(home: &str, host: &str) -> bool {
    match home.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => home == host,
    }
}

/// The host as homes name it.
pub(crate) fn name_of(host: &Host) -> String {
    host.to_string()
}

// === impl HomePlace ===

impl HomePlace {
    fn is(&self, location: &Location) -> bool {
        let name = location.name.as_deref().unwrap_or_default();
        match self {
            Self::Authorization => location.place == Place::Header && name == "authorization",
            Self::Cookie => location.place == Place::Header && name == "cookie",
            Self::Header(header) => {
                location.place == Place::Header && (header == "*" || name == header)
            }
            Self::Host => location.place == Place::Host,
            Self::Path => location.place == Place::Path,
            Self::Query(parameter) => {
                location.place == Place::Query && name.eq_ignore_ascii_case(parameter)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_knows_its_place_and_its_issuer() {
        let location = |place, name: &str| Location {
            place,
            name: Some(name.into()),
            views: Vec::new(),
        };
        let rule = |homes: &[&str], places: &[&str]| {
            let mut rule = Rule::for_secret("test", 0);
            rule.homes = homes.iter().map(|&home| home.to_owned()).collect();
            rule.places = (places.iter())
                .filter_map(|text| HomePlace::parse(text))
                .collect();
            rule
        };
        let issued = rule(&["api.example.com"], &["header x-api-key", "query key"]);
        let session = rule(&[], &["cookie"]);
        let anything = rule(&[], &[]);
        let (key, other) = (
            location(Place::Header, "x-api-key"),
            location(Place::Header, "x-other"),
        );
        let cookie = location(Place::Header, "cookie");
        let body = location(Place::Body, "x-api-key");
        let home = Some("api.example.com");
        let cases = [
            (&issued, home, &key, Home::Issuer),
            (&issued, Some("a.example"), &key, Home::Place),
            (&issued, None, &key, Home::Place),
            (&issued, home, &other, Home::Astray),
            (&issued, home, &body, Home::Astray),
            (&session, home, &cookie, Home::Session),
            (&session, home, &key, Home::Elsewhere),
            (&anything, home, &key, Home::Elsewhere),
        ];
        for (rule, host, location, expected) in cases {
            assert_eq!(of(rule, host, location), expected, "{host:?} {location}");
        }
    }

    #[test]
    fn homes_name_hosts() {
        assert!(names("api.openai.com", "api.openai.com"));
        assert!(names("*.amazonaws.com", "s3.eu-west-1.amazonaws.com"));
        for (home, host) in [
            ("api.openai.com", "evil.api.openai.com"),
            ("*.amazonaws.com", "amazonaws.com"),
            ("*.amazonaws.com", "evilamazonaws.com"),
            ("*.amazonaws.com", "amazonaws.com.evil.example"),
        ] {
            assert!(!names(home, host), "{home} {host}");
        }
    }
}
