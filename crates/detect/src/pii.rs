//! Data about persons, found by shape and proved by checksum: cards, bank accounts, US social
//! security numbers; and lists of addresses, where it is the number that matters.

mod contact;

use oktsec_model::Confidence;

use crate::bytes::{at, before, count_while, slice};
use crate::collect::{Hit, Hits};
use crate::rule::Finder;
use crate::validate;

/// Which rule each finder speaks for.
pub(crate) struct Rules {
    email_list: Option<usize>,
    iban: Option<usize>,
    payment_card: Option<usize>,
    phone_list: Option<usize>,
    us_ssn: Option<usize>,
}

/// Digits in groups with the same separator between them: `4111 1111 1111 1111`.
struct Groups {
    /// The groups, at most [`GROUPS_MAX`].
    ranges: Vec<std::ops::Range<usize>>,
}

const GROUPS_MAX: usize = 12;
/// Longer groups are no number of any kind that we know.
const GROUP_DIGITS_MAX: usize = 24;
const CONTEXT_BYTES: usize = 64;

// === impl Rules ===

impl Rules {
    /// From a look-up of the rule for a finder.
    pub(crate) fn new(rule_of: impl Fn(Finder) -> Option<usize>) -> Self {
        Self {
            email_list: rule_of(Finder::EmailList),
            iban: rule_of(Finder::Iban),
            payment_card: rule_of(Finder::PaymentCard),
            phone_list: rule_of(Finder::PhoneList),
            us_ssn: rule_of(Finder::UsSsn),
        }
    }

    /// Finds everything in a view.
    pub(crate) fn find(&self, bytes: &[u8], hits: &mut Hits) {
        if let Some(rule) = self.email_list {
            contact::email_list(bytes, rule, hits);
        }
        let mut phones = contact::List::default();
        let mut position = 0;
        while let Some(rest) = bytes.get(position..) {
            let Some(gap) = rest.iter().position(u8::is_ascii_digit) else {
                break;
            };
            let start = position + gap;
            let groups = Groups::at(bytes, start);
            if let Some(rule) = self.iban {
                iban(bytes, start, rule, hits);
            }
            if let Some(rule) = self.payment_card {
                cards(bytes, &groups, rule, hits);
            }
            if let Some(rule) = self.us_ssn {
                us_ssn(bytes, &groups, rule, hits);
            }
            if self.phone_list.is_some() {
                contact::phone(bytes, &groups.ranges, &mut phones);
            }
            position = groups.ranges.last().map_or(start + 1, |last| last.end);
        }
        if let Some(rule) = self.phone_list {
            phones.finish(rule, hits);
        }
    }
}

// === impl Groups ===

impl Groups {
    fn at(bytes: &[u8], start: usize) -> Self {
        let digits_at = |from: usize| {
            from..from + count_while(bytes, from, usize::MAX, |byte| byte.is_ascii_digit())
        };
        let first = digits_at(start);
        let mut end = first.end;
        let separator = at(bytes, end);
        let mut ranges = vec![first];
        while matches!(separator, b' ' | b'-' | b'.')
            && at(bytes, end) == separator
            && ranges.len() < GROUPS_MAX
        {
            let next = digits_at(end + 1);
            if next.is_empty() {
                break;
            }
            end = next.end;
            ranges.push(next);
        }
        Self { ranges }
    }

    /// Whether a window of groups stands by itself: no letters, no decimal point beside it.
    fn is_free(bytes: &[u8], start: usize, end: usize) -> bool {
        let (left, right) = (before(bytes, start), at(bytes, end));
        let joins = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_fraction = matches!(left, b'.') && before(bytes, start - 1).is_ascii_digit()
            || right == b'.' && at(bytes, end + 1).is_ascii_digit();
        !joins(left) && !joins(right) && !is_fraction
    }
}

/// Cards: one group of 13 to 19 digits, or the groups that are printed on cards.
fn cards(bytes: &[u8], groups: &Groups, rule: usize, hits: &mut Hits) {
    const LAYOUTS: [&[usize]; 6] = [
        &[4, 4, 4, 4],
        &[4, 6, 5],
        &[4, 6, 4],
        &[4, 4, 4, 4, 3],
        &[4, 4, 4, 4, 2],
        &[4, 4, 5],
    ];
    let length_at = |index: usize| groups.ranges.get(index).map_or(0, ExactSizeIterator::len);
    for (index, range) in groups.ranges.iter().enumerate() {
        if (13..=19).contains(&range.len()) {
            card(bytes, range.clone(), rule, hits);
        }
        for layout in LAYOUTS {
            let fits = layout
                .iter()
                .enumerate()
                .all(|(at, length)| length_at(index + at) == *length);
            // Tables of numbers with four digits are not cards.
            let is_table = index.checked_sub(1).is_some_and(|at| length_at(at) == 4)
                || length_at(index + layout.len()) == 4;
            if fits
                && !is_table
                && let Some(last) = groups.ranges.get(index + layout.len() - 1)
            {
                card(bytes, range.start..last.end, rule, hits);
            }
        }
    }
}

fn card(bytes: &[u8], span: std::ops::Range<usize>, rule: usize, hits: &mut Hits) {
    let digits = digits_of(slice(bytes, span.clone()));
    if Groups::is_free(bytes, span.start, span.end)
        && validate::is_card_issuer(&digits)
        && validate::luhn(&digits)
    {
        hits.push(Hit {
            rule,
            span,
            secret: digits,
            confidence: Confidence::High,
        });
    }
}

/// `123-45-6789` by itself; with spaces or without separators only beside a word that says so.
fn us_ssn(bytes: &[u8], groups: &Groups, rule: usize, hits: &mut Hits) {
    let [first, .., last] = groups.ranges.as_slice() else {
        if let [only] = groups.ranges.as_slice()
            && only.len() == 9
        {
            ssn(bytes, only.clone(), true, rule, hits);
        }
        return;
    };
    let lengths: Vec<usize> = groups.ranges.iter().map(ExactSizeIterator::len).collect();
    if lengths == [3, 2, 4] {
        let needs_context = at(bytes, first.end) != b'-';
        ssn(bytes, first.start..last.end, needs_context, rule, hits);
    }
    for range in groups.ranges.iter().filter(|range| range.len() == 9) {
        ssn(bytes, range.clone(), true, rule, hits);
    }
}

fn ssn(
    bytes: &[u8],
    span: std::ops::Range<usize>,
    needs_context: bool,
    rule: usize,
    hits: &mut Hits,
) {
    let digits = digits_of(slice(bytes, span.clone()));
    let dash_beside = before(bytes, span.start) == b'-' || at(bytes, span.end) == b'-';
    if !validate::is_us_ssn(&digits) || dash_beside || !Groups::is_free(bytes, span.start, span.end)
    {
        return;
    }
    let has_context = has_word_before(
        bytes,
        span.start,
        &[
            "ssn",
            "social security",
            "social_security",
            "socialsecurity",
        ],
    );
    if needs_context && !has_context {
        return;
    }
    let confidence = if has_context {
        Confidence::High
    } else {
        Confidence::Medium
    };
    hits.push(Hit {
        rule,
        span,
        secret: digits,
        confidence,
    });
}

/// Whether one of the words stands shortly before a position.
fn has_word_before(bytes: &[u8], position: usize, words: &[&str]) -> bool {
    let context =
        slice(bytes, position.saturating_sub(CONTEXT_BYTES)..position).to_ascii_lowercase();
    words
        .iter()
        .any(|word| memchr::memmem::find(&context, word.as_bytes()).is_some())
}

/// An IBAN whose check digits begin at `start`, with or without spaces between groups of four.
fn iban(bytes: &[u8], start: usize, rule: usize, hits: &mut Hits) {
    let Some(begin) = start.checked_sub(2) else {
        return;
    };
    let Some(length) = validate::iban_length(slice(bytes, begin..start)) else {
        return;
    };
    if before(bytes, begin).is_ascii_alphanumeric() {
        return;
    }
    let mut text = Vec::with_capacity(length);
    let mut end = begin;
    while text.len() < length {
        match at(bytes, end) {
            byte if byte.is_ascii_digit() || byte.is_ascii_uppercase() => text.push(byte),
            b' ' | b'-' if text.len().is_multiple_of(4) && !text.is_empty() => {}
            _ => return,
        }
        end += 1;
    }
    if !at(bytes, end).is_ascii_alphanumeric() && validate::is_iban(&text) {
        hits.push(Hit {
            rule,
            span: begin..end,
            secret: text,
            confidence: Confidence::High,
        });
    }
}

fn digits_of(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .filter(u8::is_ascii_digit)
        .take(GROUP_DIGITS_MAX)
        .collect()
}
