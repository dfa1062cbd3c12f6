//! Where credentials belong: the hosts that issue them and the places in a request where those
//! expect them.

use oktsec_model::{Home, Host, Location, Place};

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
/// its name betrays, on its way to that key's issuer, is at home there.
pub(crate) fn of_value(
    rules: &[Rule],
    home: Home,
    host: Option<&str>,
    location: &Location,
    value: &[u8],
) -> Home {
    let Some(host) = host.filter(|_| home == Home::Session) else {
        return home;
    };
    let issues = |rule: &Rule| {
        let Matcher::Assignment { value: pattern, .. } = &rule.matcher else {
            return false;
        };
        of(rule, Some(host), location) == Home::Issuer
            && pattern.fits(value.len())
            && pattern.regex().is_some_and(|regex| regex.is_match(value))
    };
    if rules.iter().any(issues) {
        Home::Issuer
    } else {
        home
    }
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
