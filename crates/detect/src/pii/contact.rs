//! Lists of e-mail addresses and of phone numbers. One or two are ordinary; many are a leak.

use std::collections::BTreeSet;
use std::ops::Range;

use oktsec_model::Confidence;

use crate::bytes::{at, before, count_back, count_while, slice};
use crate::collect::{Hit, Hits};

/// Distinct addresses, up to as many as are fingerprinted.
#[derive(Default)]
pub(super) struct List {
    values: BTreeSet<Vec<u8>>,
    span: Range<usize>,
}

const DISTINCT_MIN: usize = 3;
const DISTINCT_MAX: usize = 64;

// === impl List ===

impl List {
    fn add(&mut self, value: Vec<u8>, span: Range<usize>) {
        if self.values.is_empty() {
            self.span.start = span.start;
        }
        if self.values.len() < DISTINCT_MAX && self.values.insert(value) {
            self.span.end = span.end;
        }
    }

    /// A hit, where there are enough of them.
    pub(super) fn finish(self, rule: usize, hits: &mut Hits) {
        if self.values.len() >= DISTINCT_MIN {
            let secret = self.values.into_iter().collect::<Vec<_>>().join(&b'\n');
            hits.push(Hit {
                rule,
                span: self.span,
                secret,
                confidence: Confidence::Medium,
            });
        }
    }
}

/// Finds the addresses of a view.
pub(super) fn email_list(bytes: &[u8], rule: usize, hits: &mut Hits) {
    const LOCAL_BYTES_MAX: usize = 64;
    const DOMAIN_BYTES_MAX: usize = 253;
    let is_local =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-');
    let is_domain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let mut list = List::default();
    for position in memchr::memchr_iter(b'@', bytes) {
        let local = count_back(bytes, position, LOCAL_BYTES_MAX, is_local);
        let mut domain = count_while(bytes, position + 1, DOMAIN_BYTES_MAX, is_domain);
        while domain > 0 && matches!(at(bytes, position + domain), b'.' | b'-') {
            domain -= 1;
        }
        let span = position - local..position + 1 + domain;
        let is_userinfo =
            matches!(before(bytes, span.start), b':' | b'/') && is_in_url(bytes, span.start);
        if local > 0 && !is_userinfo && is_mail_domain(slice(bytes, position + 1..span.end)) {
            list.add(slice(bytes, span.clone()).to_ascii_lowercase(), span);
        }
    }
    list.finish(rule, hits);
}

/// `//` shortly before: `https://user@host`, `ssh://git@host`.
fn is_in_url(bytes: &[u8], start: usize) -> bool {
    const BACK_BYTES: usize = 80;
    let line = slice(bytes, start.saturating_sub(BACK_BYTES)..start);
    let word = line
        .iter()
        .rposition(u8::is_ascii_whitespace)
        .map_or(0, |at| at + 1);
    memchr::memmem::find(slice(line, word..line.len()), b"//").is_some()
}

/// At least two labels, the last of letters only and not the name of a file's kind.
fn is_mail_domain(domain: &[u8]) -> bool {
    const NOT_DOMAINS: [&str; 8] = ["gif", "ini", "jpg", "js", "png", "service", "ts", "webp"];
    let mut labels = domain.split(|&byte| byte == b'.');
    let Some(last) = labels.next_back() else {
        return false;
    };
    let is_name = last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
    let mut rest = labels.peekable();
    rest.peek().is_some()
        && is_name
        && rest.all(|label| !label.is_empty())
        && !NOT_DOMAINS
            .iter()
            .any(|kind| last.eq_ignore_ascii_case(kind.as_bytes()))
}

/// Takes a phone number that begins with these groups of digits, if they are one: `+` and country
/// code, or three, three and four digits as they are written in North America.
pub(super) fn phone(bytes: &[u8], groups: &[Range<usize>], list: &mut List) {
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else {
        return;
    };
    let span = first.start..last.end;
    let right = at(bytes, span.end);
    if right.is_ascii_alphanumeric() || right == b'_' {
        return;
    }
    let digits: Vec<u8> = slice(bytes, span.clone())
        .iter()
        .copied()
        .filter(u8::is_ascii_digit)
        .collect();
    let is_international = before(bytes, span.start) == b'+'
        && !before(bytes, span.start - 1).is_ascii_alphanumeric()
        && (10..=15).contains(&digits.len())
        && at(bytes, span.start) != b'0';
    if is_international {
        list.add(digits, span);
        return;
    }
    if let [.., area, exchange, line] = groups
        && [area.len(), exchange.len(), line.len()] == [3, 3, 4]
        && groups.len() <= 4
        && (groups.len() == 3 || slice(bytes, first.clone()) == b"1")
        && is_nanp(bytes, area, exchange)
        && !before(bytes, span.start).is_ascii_alphanumeric()
    {
        let number = digits.get(digits.len() - 10..).unwrap_or_default().to_vec();
        list.add(number, span);
        return;
    }
    if let [exchange, line] = groups {
        with_area_in_parentheses(bytes, exchange, line, list);
    }
}

/// `(415) 555-0132`: the finder of digits sees the area by itself.
fn with_area_in_parentheses(
    bytes: &[u8],
    exchange: &Range<usize>,
    line: &Range<usize>,
    list: &mut List,
) {
    let close = exchange.start - count_back(bytes, exchange.start, 1, |byte| byte == b' ');
    let Some(open) = close.checked_sub(5) else {
        return;
    };
    let area = open + 1..open + 4;
    if slice(bytes, open..open + 1) == b"("
        && slice(bytes, open + 4..close) == b")"
        && slice(bytes, area.clone()).iter().all(u8::is_ascii_digit)
        && [exchange.len(), line.len()] == [3, 4]
        && is_nanp(bytes, &area, exchange)
    {
        let span = open..line.end;
        let digits = slice(bytes, span.clone())
            .iter()
            .copied()
            .filter(u8::is_ascii_digit)
            .collect();
        list.add(digits, span);
    }
}

/// Neither the area nor the exchange begins with 0 or 1.
fn is_nanp(bytes: &[u8], area: &Range<usize>, exchange: &Range<usize>) -> bool {
    at(bytes, area.start) >= b'2' && at(bytes, exchange.start) >= b'2'
}
