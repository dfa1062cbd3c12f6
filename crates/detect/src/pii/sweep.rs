//! The sweep over the digits of a view: candidates become tokens and groups of digits, these meet the
//! recognisers of their shape, and what passes is a hit. Every byte is part of one token at most, so
//! that the work is linear in the text.

use std::ops::Range;

use oktsec_model::Confidence;

use super::checksum::Proof;
use super::contact;
use super::context::Context;
use super::digits::{self, BLOCK_BYTES, Candidates, Marks};
use super::kind::Kind;
use super::shape::{GROUP_DIGITS_MAX, TOKEN_BYTES_MAX, Target, is_group_separator};
use super::{Rules, payment, travel, wallet};
use crate::bytes::{at, before, count_back, slice};
use crate::collect::{Hit, Hits};

/// One pass over one view.
pub(super) struct Sweep<'a> {
    pub(super) rules: &'a Rules,
    pub(super) bytes: &'a [u8],
    pub(super) context: Context<'a>,
    hits: &'a mut Hits,
    /// What lies before was looked at.
    pub(super) done: usize,
    /// Up to where wallets were looked for.
    pub(super) wallets_done: usize,
    pub(super) phones: contact::List,
}

// === impl Sweep ===

impl<'a> Sweep<'a> {
    pub(super) fn new(
        rules: &'a Rules,
        bytes: &'a [u8],
        context: Context<'a>,
        hits: &'a mut Hits,
    ) -> Self {
        Self {
            rules,
            bytes,
            context,
            hits,
            done: 0,
            wallets_done: 0,
            phones: contact::List::default(),
        }
    }

    pub(super) fn run(mut self) {
        let (blocks, tail) = self.bytes.as_chunks::<BLOCK_BYTES>();
        let mut marks = Marks::default();
        for (index, block) in blocks.iter().enumerate() {
            if digits::has_digit(block) {
                marks.push(digits::digit_mask(block));
                self.block(index * BLOCK_BYTES, marks.at(index * BLOCK_BYTES));
            } else {
                marks = Marks::default();
            }
        }
        let mut block = [0; BLOCK_BYTES];
        for (to, from) in block.iter_mut().zip(tail) {
            *to = *from;
        }
        marks.push(digits::digit_mask(&block));
        let base = self.bytes.len() - tail.len();
        self.block(base, marks.at(base));
        if let Some(speaker) = self.rules.speaker(Kind::PhoneList) {
            self.phones.finish(speaker, self.hits);
        }
    }

    fn block(&mut self, base: usize, marks: Marks) {
        wallet::find_in_block(self, base);
        let Candidates {
            pairs,
            fours,
            groups,
            medicare,
        } = marks.candidates();
        let mut bits = pairs | fours | groups | medicare.0 | medicare.1;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            let position = base + bits.trailing_zeros() as usize;
            bits ^= bit;
            if position < self.done {
                continue;
            }
            if pairs & bit != 0
                && before(self.bytes, position - 1).is_ascii_alphabetic()
                && payment::iban_at(self, position)
            {
                continue;
            }
            if medicare.0 & bit != 0 {
                self.medicare(position, 11);
            }
            if medicare.1 & bit != 0 {
                self.medicare(position, 13);
            }
            // Times of day have short groups too, but no such separators.
            let joint = before(self.bytes, position - 1);
            let is_number = fours & bit != 0
                || groups & bit != 0 && (is_group_separator(joint) || joint.is_ascii_alphabetic());
            if is_number {
                self.number(position, marks);
            }
        }
    }

    /// Looks no more at what lies before a position.
    pub(super) fn skip_to(&mut self, position: usize) {
        self.done = self.done.max(position);
    }

    /// The number, or the token, of which a digit stands at a position.
    fn number(&mut self, position: usize, marks: Marks) {
        let run = marks.run_at(self.bytes, position, self.done);
        let (left, right) = (before(self.bytes, run.start), at(self.bytes, run.end));
        if left.is_ascii_alphabetic() || right.is_ascii_alphabetic() {
            self.token(run, marks);
            return;
        }
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let has_others = is_group_separator(right) && is_digit(at(self.bytes, run.end + 1))
            || is_group_separator(left)
                && is_digit(before(self.bytes, run.start.saturating_sub(1)));
        if has_others || left == b'+' || left == b')' {
            self.groups_around(run, marks);
        } else {
            self.single(run);
        }
    }

    /// A group of digits that no other one is beside.
    fn single(&mut self, run: Range<usize>) {
        self.done = run.end;
        if run.len() > GROUP_DIGITS_MAX {
            return;
        }
        if matches!(run.len(), 9..=11) && self.rules.speaker(Kind::PhoneList).is_some() {
            contact::national(self.bytes, &run, &mut self.context, &mut self.phones);
        }
        self.mixed(&run);
        self.bare(run);
    }

    /// The token of letters and digits around a run of digits.
    fn token(&mut self, run: Range<usize>, marks: Marks) {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric();
        let back_max = (run.start - self.done).min(TOKEN_BYTES_MAX + 1);
        let start = run.start - count_back(self.bytes, run.start, back_max, is_part);
        let end = run.end + digits::count_alphanumeric(self.bytes, run.end);
        self.done = end;
        self.mixed(&run);
        if at(self.bytes, end) == b'<' || before(self.bytes, start) == b'<' {
            travel::machine_readable(self, start..end);
        }
        if end - start <= TOKEN_BYTES_MAX {
            self.whole_token(start..end, marks);
        }
    }

    fn whole_token(&mut self, span: Range<usize>, marks: Marks) {
        let rules = self.rules;
        let Some(shapes) = rules.shapes.tokens.get(span.len()) else {
            return;
        };
        if shapes.is_empty() {
            return;
        }
        let token = slice(self.bytes, span.clone());
        let digits = marks.digits_in(self.bytes, &span);
        for shape in shapes {
            if digits & shape.letters == 0 && shape.digits & !digits == 0 {
                let mut text = [0; TOKEN_BYTES_MAX];
                for (to, from) in text.iter_mut().zip(token) {
                    *to = from.to_ascii_uppercase();
                }
                let has_lower = token.iter().any(u8::is_ascii_lowercase);
                let text = slice(&text, 0..span.len());
                self.judge(shape.target, has_lower, span.clone(), text);
            }
        }
    }

    /// The shapes that letters and separators are parts of.
    pub(super) fn mixed(&mut self, run: &Range<usize>) {
        let rules = self.rules;
        let (left, right) = (before(self.bytes, run.start), at(self.bytes, run.end));
        let around = rules.shapes.around_mixed.get(run.len());
        if !around.is_some_and(|around| around.has(left, right)) {
            return;
        }
        for shape in rules.shapes.mixed.get(run.len()).into_iter().flatten() {
            if !shape.may_fit(left, right) {
                continue;
            }
            let Some(start) = run.start.checked_sub(shape.anchor) else {
                continue;
            };
            let span = start..start + shape.pattern.len();
            let found = slice(self.bytes, span.clone());
            if !shape.fits(found) {
                continue;
            }
            let mut text = [0; TOKEN_BYTES_MAX];
            let letters = found.iter().filter(|byte| byte.is_ascii_alphanumeric());
            let length = letters.clone().count();
            for (to, from) in text.iter_mut().zip(letters) {
                *to = from.to_ascii_uppercase();
            }
            let has_lower = found.iter().any(u8::is_ascii_lowercase);
            let text = slice(&text, 0..length);
            if self.judge(shape.target, has_lower, span.clone(), text) {
                self.skip_to(span.end);
            }
        }
    }

    /// A group of digits by itself.
    pub(super) fn bare(&mut self, span: Range<usize>) {
        let rules = self.rules;
        let targets = rules
            .shapes
            .bare
            .get(span.len())
            .map_or(&[][..], Vec::as_slice);
        if targets.is_empty() || !is_free(self.bytes, &span) {
            return;
        }
        let bytes = self.bytes;
        let text = slice(bytes, span.clone());
        let weak = rules.shapes.bare_weak.get(span.len()).copied().unwrap_or(0);
        // A few checks cost less than reading what stands before; twenty do not.
        const CHECKS_FIRST_MAX: u32 = 5;
        let explained = if weak.count_ones() > CHECKS_FIRST_MAX {
            weak & self.context.kinds_at(span.start)
        } else {
            weak
        };
        for target in targets {
            if target.is_strong || explained & target.recogniser.kind.bit() != 0 {
                self.judge(*target, false, span.clone(), text);
            }
        }
    }

    /// Takes a value that has the shape of a kind, if its check and, where needed, its context agree.
    pub(super) fn judge(
        &mut self,
        target: Target,
        is_doubtful: bool,
        span: Range<usize>,
        text: &[u8],
    ) -> bool {
        let Target {
            recogniser,
            is_strong,
        } = target;
        let kind = recogniser.kind;
        if !is_free(self.bytes, &span) {
            return false;
        }
        let proof = (recogniser.check)(text);
        if proof == Proof::Fails {
            return false;
        }
        let is_strong = is_strong && !is_doubtful && proof == Proof::Holds;
        let is_explained = self.context.kinds_at(span.start) & kind.bit() != 0;
        if is_explained {
            self.context.decided(span.end, kind.bit());
        }
        let is_taken = is_strong || is_explained;
        if is_taken {
            self.take(kind, span, text, is_strong && is_explained);
        }
        is_taken
    }

    /// Takes a value that is proved.
    pub(super) fn take(&mut self, kind: Kind, span: Range<usize>, text: &[u8], is_certain: bool) {
        let Some(speaker) = self.rules.speaker(kind) else {
            return;
        };
        // The same again and again is no news, and costs nothing.
        let is_last = (self.hits.list.last())
            .is_some_and(|last| last.rule == speaker.rule && last.secret == text);
        if is_last || self.hits.is_full(speaker.rule) {
            return;
        }
        let confidence = if is_certain {
            Confidence::High
        } else {
            speaker.confidence
        };
        self.hits.push(Hit {
            rule: speaker.rule,
            span,
            secret: text.to_vec(),
            confidence,
        });
    }

    /// A Medicare beneficiary identifier that ends with the digit at a position.
    fn medicare(&mut self, position: usize, length: usize) {
        let Some(start) = (position + 1).checked_sub(length) else {
            return;
        };
        super::americas::medicare(self, start..position + 1);
    }
}

/// Whether a value stands by itself: not within a word, a fraction, an escape or a longer number.
pub(super) fn is_free(bytes: &[u8], span: &Range<usize>) -> bool {
    let (left, right) = (before(bytes, span.start), at(bytes, span.end));
    let (farther_left, farther_right) = (
        before(bytes, span.start.saturating_sub(1)),
        at(bytes, span.end + 1),
    );
    let joins_left = match left {
        b'_' | b'%' | b'\\' | b'+' | b'@' => true,
        b'.' | b':' => farther_left.is_ascii_digit(),
        b'-' => farther_left.is_ascii_alphanumeric() || farther_left == b'-',
        b'/' => farther_left.is_ascii_digit(),
        _ => left.is_ascii_alphanumeric(),
    };
    let joins_right = match right {
        b'_' | b'@' | b'%' => true,
        b'.' | b'/' => farther_right.is_ascii_digit(),
        b'-' => farther_right.is_ascii_alphanumeric() || farther_right == b'-',
        _ => right.is_ascii_alphanumeric(),
    };
    !joins_left && !joins_right
}
