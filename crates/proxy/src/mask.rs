//! What may be written down of a request: no byte of a finding, no query value, nothing without a
//! limit.

use std::ops::Range;

use http::header::USER_AGENT;
use oktsec_audit::{Request as RequestRecord, Text};
use oktsec_inspect::Snapshot;
use oktsec_model::{Finding, Host, Place, RequestHead, safe_name, truncate_chars};

const PATH_CHARS_MAX: usize = 512;
const USER_AGENT_CHARS_MAX: usize = 200;
const METHOD_CHARS_MAX: usize = 20;
const QUERY_KEYS_MAX: usize = 32;
const MASK: &str = "•••";

/// The host for a record.
pub(crate) fn host_text(host: &Host, snapshot: &Snapshot) -> Text {
    masked(
        &host.to_string(),
        &spans_in(&snapshot.host_findings(host), &[Place::Host]),
    )
    .into()
}

/// What may be kept of a request: no query value, and of a part in which something was seen, or
/// which nobody looked at, only what cannot be a secret.
///
/// A secret may stand in a path twice, raw and encoded; the finding names one place. So a part with
/// a finding is not cut at the finding's bytes: every word of it that is not plainly a word goes.
pub(crate) fn fill(
    request: &mut RequestRecord,
    head: &RequestHead,
    findings: &[Finding],
    scanned: bool,
    bytes: Option<u64>,
) {
    let is_target =
        |finding: &Finding| matches!(finding.location.place, Place::Path | Place::Query);
    let is_clean = scanned && !findings.iter().any(is_target);
    request.bytes = bytes;
    request.user_agent = user_agent(head, findings, scanned).map(Text::from);
    let path = if is_clean {
        head.path().to_owned()
    } else {
        words_of(head.path())
    };
    request.path = truncate_chars(&path, PATH_CHARS_MAX).into();
    request.query_keys = head
        .query()
        .map(query_keys)
        .unwrap_or_default()
        .into_iter()
        .map(Text::from)
        .collect();
}

/// The path with every segment masked that is not plainly a word.
fn words_of(path: &str) -> String {
    let shown = |segment: &str| segment.is_empty() || safe_name(segment) == segment;
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| if shown(segment) { segment } else { MASK })
        .collect();
    segments.join("/")
}

fn spans_in(findings: &[Finding], places: &[Place]) -> Vec<Range<usize>> {
    findings
        .iter()
        .filter(|finding| places.contains(&finding.location.place))
        .map(|finding| finding.span.clone())
        .collect()
}

/// `text` without the bytes of `spans`, whatever their order and overlap.
fn masked(text: &str, spans: &[Range<usize>]) -> String {
    if spans.is_empty() {
        return text.to_owned();
    }
    let hidden = |at: usize| spans.iter().any(|span| span.contains(&at));
    let mut kept = String::with_capacity(text.len());
    let mut hiding = false;
    for (at, char) in text.char_indices() {
        let hide = (at..at + char.len_utf8()).any(hidden);
        if hide && !hiding {
            kept.push_str(MASK);
        } else if !hide {
            kept.push(char);
        }
        hiding = hide;
    }
    kept
}

fn user_agent(head: &RequestHead, findings: &[Finding], scanned: bool) -> Option<String> {
    let value = head.headers.get(USER_AGENT)?;
    let is_own = |finding: &Finding| finding.location.name.as_deref() == Some(USER_AGENT.as_str());
    if !scanned || findings.iter().any(is_own) {
        return Some(MASK.to_owned());
    }
    Some(truncate_chars(
        &String::from_utf8_lossy(value.as_bytes()),
        USER_AGENT_CHARS_MAX,
    ))
}

fn query_keys(query: &str) -> Vec<String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(QUERY_KEYS_MAX)
        .map(|pair| safe_name(pair.split('=').next().unwrap_or(pair)).to_owned())
        .collect()
}

/// Methods are tokens of any length; only those that look like one are kept.
pub(crate) fn method_text(method: &str) -> String {
    let plain = method.len() <= METHOD_CHARS_MAX
        && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if plain {
        method.to_owned()
    } else {
        "*".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_cut_out_whatever_their_overlap() {
        let once = |text: &str, span: Range<usize>| masked(text, std::slice::from_ref(&span));
        assert_eq!(once("/a/SECRET/b?k=v", 3..9), "/a/•••/b?k=v");
        assert_eq!(masked("abcdef", &[1..3, 2..5]), "a•••f");
        assert_eq!(once("äöü", 2..3), "ä•••ü");
        assert_eq!(once("abc", 0..99), "•••");
    }

    #[test]
    fn of_a_path_with_a_finding_only_words_are_kept() {
        assert_eq!(words_of("/api/v1/AKIA7QTTIDVZ5ORA1368/x"), "/api/v1/•••/x");
        assert_eq!(words_of("/u/4111111111111111"), "/u/•••");
        assert_eq!(words_of("/QUtJQTdRVFRJRFZaNU9SQTEzNjg="), "/•••");
    }

    #[test]
    fn query_values_are_never_kept() {
        assert_eq!(query_keys("q=secret&page=2&&x"), ["q", "page", "x"]);
        assert_eq!(query_keys("AKIA1234567890ABCDEF=1"), ["*"]);
    }
}
