//! Rows of groups of digits: `4111 1111 1111 1111`, `219-45-6781`, and the tables and dates that look
//! like them.

use std::ops::Range;

use super::contact;
use super::digits::Marks;
use super::kind::Kind;
use super::shape::{
    GROUPS_PER_SHAPE_MAX, GroupShape, TOKEN_BYTES_MAX, is_group_separator, pair_index,
};
use super::sweep::{Sweep, is_free};
use crate::bytes::{at, before, count_back, count_while, slice};

/// Groups of digits with single separators between them: `4111 1111 1111 1111`.
pub(super) struct Groups {
    begin: usize,
    /// Where each begins, counted from the first.
    offsets: [u16; GROUPS_MAX],
    /// The lengths; past the last group there is room to read a whole shape.
    lengths: [u8; GROUPS_MAX + GROUPS_PER_SHAPE_MAX],
    /// The separator after each group.
    separators: [u8; GROUPS_MAX + GROUPS_PER_SHAPE_MAX],
    pub(super) count: usize,
    /// Where the last group ends.
    end: usize,
    pub(super) has_more: bool,
}

const GROUPS_MAX: usize = 16;

/// The shortest group that is something by itself.
const BARE_DIGITS_MIN: usize = 8;

// === impl Groups ===

impl Groups {
    /// The groups from a position on.
    pub(super) fn read(bytes: &[u8], start: usize) -> Self {
        let mut groups = Self {
            begin: start,
            offsets: [0; GROUPS_MAX],
            lengths: [0; GROUPS_MAX + GROUPS_PER_SHAPE_MAX],
            separators: [0; GROUPS_MAX + GROUPS_PER_SHAPE_MAX],
            count: 0,
            end: start,
            has_more: false,
        };
        let mut position = start;
        let slots = groups
            .offsets
            .iter_mut()
            .zip(&mut groups.lengths)
            .zip(&mut groups.separators);
        for ((offset, length), separator) in slots {
            let digits = count_while(bytes, position, usize::MAX, |b| b.is_ascii_digit());
            *offset = u16::try_from(position - start).unwrap_or(u16::MAX);
            *length = u8::try_from(digits).unwrap_or(u8::MAX);
            groups.count += 1;
            position += digits;
            groups.end = position;
            let next = at(bytes, position);
            groups.has_more = is_group_separator(next) && at(bytes, position + 1).is_ascii_digit();
            if digits >= usize::from(u8::MAX) || !groups.has_more {
                groups.has_more = false;
                break;
            }
            *separator = next;
            position += 1;
        }
        groups
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn start(&self, index: usize) -> usize {
        self.begin + self.offsets.get(index).copied().map_or(0, usize::from)
    }

    pub(super) fn length(&self, index: usize) -> usize {
        self.lengths.get(index).copied().map_or(0, usize::from)
    }

    pub(super) fn range(&self, index: usize) -> Range<usize> {
        let start = self.start(index);
        start..start + self.length(index)
    }

    /// Where the last group ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    pub(super) fn separator(&self, index: usize) -> u8 {
        at(&self.separators, index)
    }

    /// The lengths and the separators from a group on, one byte each.
    pub(super) fn words(&self, index: usize) -> (u64, u64) {
        let word = |list: &[u8]| {
            let eight = list.get(index..).and_then(|rest| rest.first_chunk::<8>());
            eight.map_or(0, |eight| u64::from_le_bytes(*eight))
        };
        (word(&self.lengths), word(&self.separators))
    }

    /// Whether a shape with spaces is not a part of a longer row of equal groups: tables of numbers
    /// are full of them.
    pub(super) fn stands_alone(&self, bytes: &[u8], index: usize, shape: &GroupShape) -> bool {
        if self.separator(index) != b' ' {
            return true;
        }
        // Few groups are found in any row of numbers.
        let is_short = shape.count <= 3;
        let last = index + shape.count - 1;
        let goes_on = |gap: usize, inner: usize, outer: usize| {
            self.separator(gap) == b' ' && (is_short || self.length(outer) == self.length(inner))
        };
        let goes_on_left = index
            .checked_sub(1)
            .is_some_and(|left| goes_on(left, index, left));
        let is_listed = is_in_list_of_codes(bytes, &(self.start(index)..self.range(last).end));
        !goes_on_left && !goes_on(last, last, last + 1) && !is_listed
    }
}

// === impl Sweep ===

impl Sweep<'_> {
    /// All groups of digits around a group. Most are dates, addresses of hosts, versions: they are
    /// told by their lengths, and not looked at any further.
    pub(super) fn groups_around(&mut self, run: Range<usize>, marks: Marks) {
        let mut begin = run.start;
        for _ in 0..GROUPS_PER_SHAPE_MAX {
            let Some(end) = begin.checked_sub(1) else {
                break;
            };
            let is_joined = is_group_separator(at(self.bytes, end))
                && before(self.bytes, end).is_ascii_digit()
                && end > self.done;
            if !is_joined {
                break;
            }
            let previous = marks.run_at(self.bytes, end - 1, self.done);
            if before(self.bytes, previous.start).is_ascii_alphanumeric() {
                break;
            }
            begin = previous.start;
        }
        match self.ordinary_groups(begin, marks) {
            Some(end) => self.skip_to(end),
            None => self.groups(begin),
        }
    }

    /// Where the groups from a position on end, if nothing that we know begins with any of them.
    fn ordinary_groups(&self, begin: usize, marks: Marks) -> Option<usize> {
        let shapes = &self.rules.shapes;
        let (mut lengths, mut separators, mut count, mut digits) = (0_u64, 0_u64, 0, 0);
        let mut position = begin;
        if before(self.bytes, begin) == b'+' {
            return None;
        }
        loop {
            let run = marks.run_at(self.bytes, position, position);
            let right = at(self.bytes, run.end);
            if count == GROUPS_PER_SHAPE_MAX || run.len() >= BARE_DIGITS_MIN {
                return None;
            }
            lengths |= (run.len() as u64) << (count * 8);
            count += 1;
            digits += run.len();
            position = run.end;
            if !(is_group_separator(right) && at(self.bytes, position + 1).is_ascii_digit()) {
                break;
            }
            separators |= u64::from(right) << (count * 8 - 8);
            position += 1;
        }
        if ends_with_letter(self.bytes, position) {
            return None;
        }
        let is_phone = digits >= 9 && at(self.bytes, begin) == b'0';
        if is_phone
            || matches!(
                (lengths, count),
                (0x0403, 2) | (0x04_03_03, 3) | (0x04_03_03_01, 4)
            )
        {
            return None;
        }
        while lengths != 0 {
            let list = shapes
                .groups
                .get(pair_index(lengths))
                .map_or(&[][..], Vec::as_slice);
            for shape in list {
                if lengths & low_bytes(shape.count) == shape.lengths
                    && separators & low_bytes(shape.count - 1) == shape.separators
                {
                    return None;
                }
            }
            (lengths, separators) = (lengths >> 8, separators >> 8);
        }
        Some(position)
    }

    /// Everything that a row of groups of digits may hold.
    fn groups(&mut self, start: usize) {
        let mut begin = start;
        loop {
            let groups = Groups::read(self.bytes, begin);
            if self.rules.speaker(Kind::PhoneList).is_some()
                && contact::phone(self.bytes, &groups, &mut self.context, &mut self.phones)
            {
                self.skip_to(groups.end());
                return;
            }
            // The last groups of a part are the first of the next.
            let looked_at = if groups.has_more {
                groups.count - GROUPS_PER_SHAPE_MAX
            } else {
                groups.count
            };
            let mut index = 0;
            while index < looked_at {
                index += self.windows(&groups, index);
            }
            if !groups.has_more {
                self.skip_to(groups.end());
                return;
            }
            begin = groups.start(index);
        }
    }

    /// What begins with a group. Answers how many groups were taken.
    fn windows(&mut self, groups: &Groups, index: usize) -> usize {
        let rules = self.rules;
        let run = groups.range(index);
        let (lengths, separators) = groups.words(index);
        for shape in rules
            .shapes
            .groups
            .get(pair_index(lengths))
            .into_iter()
            .flatten()
        {
            let fits = lengths & low_bytes(shape.count) == shape.lengths
                && separators & low_bytes(shape.count - 1) == shape.separators
                && groups.stands_alone(self.bytes, index, shape);
            if fits && self.group_shape(groups, index, shape) {
                return shape.count;
            }
        }
        self.mixed(&run);
        self.bare(run);
        1
    }

    fn group_shape(&mut self, groups: &Groups, index: usize, shape: &GroupShape) -> bool {
        let span = groups.start(index)..groups.range(index + shape.count - 1).end;
        if !is_free(self.bytes, &span) {
            return false;
        }
        let mut text = [0; TOKEN_BYTES_MAX];
        let digits = slice(self.bytes, span.clone())
            .iter()
            .filter(|b| b.is_ascii_digit());
        let mut length = 0;
        for (to, from) in text.iter_mut().zip(digits) {
            *to = *from;
            length += 1;
        }
        self.judge(shape.target, false, span, slice(&text, 0..length))
    }
}

/// Whether a token of digits and letters stands beside a value, with only a space between: hexadecimal
/// codes in a table are digits only now and then.
fn is_in_list_of_codes(bytes: &[u8], span: &Range<usize>) -> bool {
    const CODE_BYTES_MAX: usize = 8;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric();
    let is_code = |token: &[u8]| {
        token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic)
    };
    let left = span.start.saturating_sub(1);
    let back = count_back(bytes, left, CODE_BYTES_MAX, is_part);
    let ahead = count_while(bytes, span.end + 1, CODE_BYTES_MAX, is_part);
    before(bytes, span.start) == b' ' && is_code(slice(bytes, left - back..left))
        || at(bytes, span.end) == b' ' && is_code(slice(bytes, span.end + 1..span.end + 1 + ahead))
}

/// Whether a single letter follows, as it does in every shape of groups and letters.
fn ends_with_letter(bytes: &[u8], end: usize) -> bool {
    let tail = at(bytes, end);
    let letter = end + usize::from(is_group_separator(tail) || tail == b'+');
    at(bytes, letter).is_ascii_alphabetic() && !at(bytes, letter + 1).is_ascii_alphanumeric()
}

/// A mask of the lowest bytes.
pub(super) const fn low_bytes(count: usize) -> u64 {
    if count >= 8 {
        u64::MAX
    } else {
        (1 << (count * 8)) - 1
    }
}
