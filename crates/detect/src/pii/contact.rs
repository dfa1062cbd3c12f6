//! Lists of e-mail addresses and of phone numbers. One or two are ordinary; many are a leak.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Speaker;
use super::context::Context;
use super::groups::Groups;
use super::kind::Kind;
use super::sweep::is_free;
use crate::bytes::{at, before, count_back, count_while, slice};
use crate::collect::{Hit, Hits};

/// Words beside which a number is that of a telephone.
pub(super) const WORDS: &[(Kind, &[&str])] = &[(
    Kind::PhoneList,
    &[
        "phone",
        "telephone",
        "tel",
        "tel no",
        "telefon",
        "telefono",
        "telefone",
        "mobile",
        "cell",
        "cellphone",
        "handy",
        "rufnummer",
        "fax",
        "whatsapp",
        "gsm",
        "movil",
        "celular",
        "portable",
        "puhelin",
        "telefoon",
        "msisdn",
    ],
)];

/// Distinct addresses, up to as many as are fingerprinted.
#[derive(Default)]
pub(super) struct List {
    values: BTreeSet<Vec<u8>>,
    span: Range<usize>,
}

const DISTINCT_MAX: usize = 64;
/// Addresses further apart than this, in bytes, are no list.
const GAP_BYTES_MAX: usize = 240;
/// So many addresses in one text are a leak wherever they stand.
const SCATTERED_MIN: usize = 24;
/// The names of a work's authors are public; more of them than this are a list like any other.
const CREDITS_MAX: usize = 9;
const CREDITS_BYTES: usize = 160;
/// The longest way to write a phone number down.
const PHONE_BYTES_MAX: usize = 24;

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
    pub(super) fn finish(self, speaker: Speaker, hits: &mut Hits) {
        if self.values.len()
            >= usize::try_from(speaker.count_min)
                .unwrap_or(usize::MAX)
                .max(1)
        {
            let secret = self.values.into_iter().collect::<Vec<_>>().join(&b'\n');
            hits.push(Hit {
                rule: speaker.rule,
                span: self.span,
                secret,
                confidence: speaker.confidence,
            });
        }
    }
}

impl List {
    /// A hit, unless these are the few authors that a work names.
    fn finish_emails(self, bytes: &[u8], speaker: Speaker, hits: &mut Hits) {
        const CREDITS: [&[u8]; 7] = [
            b"author",
            b"maintain",
            b"contribut",
            b"copyright",
            b"(c)",
            b"signed-off-by",
            b"translator",
        ];
        let start = self.span.start;
        let context = slice(bytes, start.saturating_sub(CREDITS_BYTES)..start).to_ascii_lowercase();
        let credits = CREDITS
            .iter()
            .any(|word| memchr::memmem::find(&context, word).is_some());
        if !credits || self.values.len() > CREDITS_MAX {
            self.finish(speaker, hits);
        }
    }
}

/// Finds the addresses of a view.
pub(super) fn email_list(bytes: &[u8], speaker: Speaker, hits: &mut Hits) {
    const LOCAL_BYTES_MAX: usize = 64;
    const DOMAIN_BYTES_MAX: usize = 253;
    let is_local =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-');
    let is_domain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let mut list = List::default();
    let mut all = List::default();
    for position in memchr::memchr_iter(b'@', bytes) {
        if all.values.len() >= DISTINCT_MAX {
            break;
        }
        let local = count_back(bytes, position, LOCAL_BYTES_MAX, is_local);
        let mut domain = count_while(bytes, position + 1, DOMAIN_BYTES_MAX, is_domain);
        while domain > 0 && matches!(at(bytes, position + domain), b'.' | b'-') {
            domain -= 1;
        }
        let span = position - local..position + 1 + domain;
        let is_userinfo =
            matches!(before(bytes, span.start), b':' | b'/') && is_in_url(bytes, span.start);
        if local > 0 && !is_userinfo && is_mail_domain(slice(bytes, position + 1..span.end)) {
            if span.start > list.span.end + GAP_BYTES_MAX {
                std::mem::take(&mut list).finish_emails(bytes, speaker, hits);
            }
            let address = slice(bytes, span.clone()).to_ascii_lowercase();
            all.add(address.clone(), span.clone());
            list.add(address, span);
        }
    }
    list.finish_emails(bytes, speaker, hits);
    // Scattered ones are no list until they are many.
    if all.values.len() >= SCATTERED_MIN {
        all.finish(speaker, hits);
    }
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

/// Takes the phone number that some groups of digits are, if they are one: `+` and country code;
/// three, three and four digits as they are written in North America; or a national number that a
/// word explains. Answers whether the groups can be nothing else.
pub(super) fn phone(
    bytes: &[u8],
    groups: &Groups,
    context: &mut Context<'_>,
    list: &mut List,
) -> bool {
    let span = groups.start(0)..groups.end();
    let right = at(bytes, span.end);
    if right.is_ascii_alphanumeric() || right == b'_' || span.len() > PHONE_BYTES_MAX {
        return false;
    }
    let left = before(bytes, span.start);
    if left == b'+' {
        let count = (0..groups.count())
            .map(|index| groups.length(index))
            .sum::<usize>();
        let is_international = !before(bytes, span.start - 1).is_ascii_alphanumeric()
            && (10..=15).contains(&count)
            && !(5..=6).contains(&groups.length(0))
            && at(bytes, span.start) != b'0';
        if is_international {
            list.add(digits_in(bytes, &span), span);
        }
        return is_international;
    }
    let length = |index: usize| groups.length(index);
    let is_free = !left.is_ascii_alphanumeric() && !matches!(left, b'.' | b'-' | b'_' | b'/');
    match groups.count() {
        3 | 4 if is_free && has_nanp_groups(bytes, groups, context) => {
            let digits = digits_in(bytes, &span);
            let number = digits.get(digits.len() - 10..).unwrap_or_default().to_vec();
            list.add(number, span);
        }
        2 if length(0) == 3 && length(1) == 4 && matches!(left, b')' | b' ') => {
            with_area_in_parentheses(bytes, groups.start(0), span.end, list);
        }
        1..=5 if is_free && is_national(bytes, groups, context) => {
            list.add(digits_in(bytes, &span), span);
        }
        _ => {}
    }
    false
}

/// `415-555-0132`, `1-415-555-0132`.
fn has_nanp_groups(bytes: &[u8], groups: &Groups, context: &mut Context<'_>) -> bool {
    let first = groups.count() - 3;
    let separators = (groups.separator(first), groups.separator(first + 1));
    let length = |index: usize| groups.length(first + index);
    [length(0), length(1), length(2)] == [3, 3, 4]
        && (first == 0 || groups.length(0) == 1 && at(bytes, groups.start(0)) == b'1')
        && is_nanp(bytes, groups.start(first), groups.start(first + 1))
        && match separators {
            (b'-', b'-') | (b'.', b'.') | (b' ', b'-') => true,
            // Any row of numbers may have these lengths.
            _ => context.kinds_at(groups.start(0)) & Kind::PhoneList.bit() != 0,
        }
}

/// Takes a national number in one piece.
pub(super) fn national(
    bytes: &[u8],
    run: &Range<usize>,
    context: &mut Context<'_>,
    list: &mut List,
) {
    if is_free(bytes, run) && is_explained(bytes, run.start, run.len(), context) {
        list.add(slice(bytes, run.clone()).to_vec(), run.clone());
    }
}

/// Nine to eleven digits that begin with 0, or ten of North America, where a word says so.
fn is_national(bytes: &[u8], groups: &Groups, context: &mut Context<'_>) -> bool {
    let start = groups.start(0);
    let count = (0..groups.count()).map(|index| groups.length(index)).sum();
    is_explained(bytes, start, count, context)
}

fn is_explained(bytes: &[u8], start: usize, count: usize, context: &mut Context<'_>) -> bool {
    let is_shape = match count {
        9 | 11 => at(bytes, start) == b'0',
        10 => at(bytes, start) == b'0' || is_nanp(bytes, start, start + 3),
        _ => false,
    };
    is_shape && context.kinds_at(start) & Kind::PhoneList.bit() != 0
}

/// `(415) 555-0132`: the finder of digits sees the area by itself.
fn with_area_in_parentheses(bytes: &[u8], exchange: usize, end: usize, list: &mut List) {
    let close = exchange - count_back(bytes, exchange, 1, |byte| byte == b' ');
    let Some(open) = close.checked_sub(5) else {
        return;
    };
    let area = open + 1;
    if slice(bytes, open..open + 1) == b"("
        && slice(bytes, open + 4..close) == b")"
        && slice(bytes, area..area + 3).iter().all(u8::is_ascii_digit)
        && is_nanp(bytes, area, exchange)
    {
        let span = open..end;
        list.add(digits_in(bytes, &span), span);
    }
}

fn digits_in(bytes: &[u8], span: &Range<usize>) -> Vec<u8> {
    let digits = slice(bytes, span.clone()).iter().copied();
    digits.filter(u8::is_ascii_digit).collect()
}

/// Neither the area nor the exchange begins with 0 or 1.
fn is_nanp(bytes: &[u8], area: usize, exchange: usize) -> bool {
    at(bytes, area) >= b'2' && at(bytes, exchange) >= b'2'
}
