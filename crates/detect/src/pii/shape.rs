//! What numbers look like, as a table: a [`Recogniser`] states shapes in which `0` is a digit, `A` a
//! letter, `X` either, and everything else itself. [`Shapes`] sorts them by what the sweep sees first,
//! so that a number meets only the recognisers that could be meant.

use super::checksum::Proof;
use super::kind::Kind;
use crate::bytes;

/// A kind of number: its shapes, the words that speak for it, and its check.
pub(super) struct Recogniser {
    pub(super) kind: Kind,
    /// Shapes that need no context.
    pub(super) strong: &'static [&'static str],
    /// Shapes that could be anything without a word beside them.
    pub(super) weak: &'static [&'static str],
    /// Words that speak for it, in lower case; a space is any one separator or none.
    pub(super) words: &'static [&'static str],
    /// The check of a value without separators, in capitals.
    pub(super) check: fn(&[u8]) -> Proof,
}

/// Which recogniser a shape belongs to.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) recogniser: &'static Recogniser,
    pub(super) is_strong: bool,
}

/// Groups of digits with separators between them.
#[derive(Clone, Copy)]
pub(super) struct GroupShape {
    /// The lengths, one byte each.
    pub(super) lengths: u64,
    /// The separators, one byte each.
    pub(super) separators: u64,
    pub(super) count: usize,
    pub(super) target: Target,
}

/// One unbroken token of letters and digits.
#[derive(Clone, Copy)]
pub(super) struct TokenShape {
    pub(super) digits: u64,
    pub(super) letters: u64,
    pub(super) target: Target,
}

/// Anything else: compared byte by byte around its first run of digits.
#[derive(Clone, Copy)]
pub(super) struct MixedShape {
    pub(super) pattern: &'static [u8],
    /// Where in the pattern the first digit stands.
    pub(super) anchor: usize,
    /// What the pattern has before and after its first run of digits.
    before: u8,
    after: u8,
    pub(super) target: Target,
}

/// All shapes, by what is seen first of them.
pub(super) struct Shapes {
    /// A group by itself, by its length.
    pub(super) bare: Vec<Vec<Target>>,
    /// Which kinds those are that need context.
    pub(super) bare_weak: Vec<u128>,
    /// By the lengths of the first two groups.
    pub(super) groups: Vec<Vec<GroupShape>>,
    /// By length.
    pub(super) tokens: Vec<Vec<TokenShape>>,
    /// By the length of the first run of digits.
    pub(super) mixed: Vec<Vec<MixedShape>>,
    /// What may stand around such a run.
    pub(super) around_mixed: Vec<Around>,
}

/// The bytes that may stand before and after a run of digits, as sets of ASCII.
#[derive(Clone, Copy, Default)]
pub(super) struct Around {
    before: u128,
    after: u128,
}

/// The longest group of digits and the longest token that have shapes.
pub(super) const GROUP_DIGITS_MAX: usize = 20;
pub(super) const TOKEN_BYTES_MAX: usize = 40;
pub(super) const GROUPS_PER_SHAPE_MAX: usize = 8;

// === impl Shapes ===

impl Shapes {
    pub(super) fn new(recognisers: impl Iterator<Item = &'static Recogniser>) -> Self {
        let mut shapes = Self {
            bare: vec![Vec::new(); GROUP_DIGITS_MAX + 1],
            bare_weak: vec![0; GROUP_DIGITS_MAX + 1],
            groups: vec![Vec::new(); 256],
            tokens: vec![Vec::new(); TOKEN_BYTES_MAX + 1],
            mixed: vec![Vec::new(); GROUP_DIGITS_MAX + 1],
            around_mixed: vec![Around::default(); GROUP_DIGITS_MAX + 1],
        };
        for recogniser in recognisers {
            for (list, is_strong) in [(recogniser.strong, true), (recogniser.weak, false)] {
                for pattern in list {
                    let target = Target {
                        recogniser,
                        is_strong,
                    };
                    shapes.add(pattern.as_bytes(), target);
                }
            }
        }
        shapes
    }

    fn add(&mut self, pattern: &'static [u8], target: Target) {
        let is_group = |byte: &u8| *byte == b'0' || is_group_separator(*byte);
        if pattern.iter().all(|&byte| byte == b'0') {
            if let Some(list) = self.bare.get_mut(pattern.len()) {
                list.push(target);
            }
            if let Some(kinds) = self.bare_weak.get_mut(pattern.len())
                && !target.is_strong
            {
                *kinds |= target.recogniser.kind.bit();
            }
        } else if pattern.iter().all(is_group) {
            self.add_groups(pattern, target);
        } else if pattern.iter().all(u8::is_ascii_alphanumeric) {
            let mask = |wanted: u8| {
                (pattern.iter().enumerate())
                    .filter(|(_, byte)| **byte == wanted)
                    .fold(0_u64, |mask, (index, _)| mask | 1 << index)
            };
            let (digits, letters) = (mask(b'0'), mask(b'A'));
            if let Some(list) = self.tokens.get_mut(pattern.len()) {
                list.push(TokenShape {
                    digits,
                    letters,
                    target,
                });
            }
        } else {
            let anchor = pattern.iter().position(|&byte| byte == b'0').unwrap_or(0);
            let run = pattern
                .iter()
                .skip(anchor)
                .take_while(|&&byte| byte == b'0')
                .count();
            if let Some(around) = self.around_mixed.get_mut(run) {
                around.add(
                    bytes::before(pattern, anchor),
                    bytes::at(pattern, anchor + run),
                );
            }
            if let Some(list) = self.mixed.get_mut(run) {
                list.push(MixedShape {
                    pattern,
                    anchor,
                    before: bytes::before(pattern, anchor),
                    after: bytes::at(pattern, anchor + run),
                    target,
                });
            }
        }
    }

    fn add_groups(&mut self, pattern: &'static [u8], target: Target) {
        let (mut lengths, mut separators, mut count) = (0_u64, 0_u64, 0);
        for &byte in pattern {
            if byte == b'0' {
                lengths += 1 << (count * 8);
            } else {
                separators |= u64::from(byte) << (count * 8);
                count += 1;
            }
        }
        let shape = GroupShape {
            lengths,
            separators,
            count: count + 1,
            target,
        };
        if let Some(list) = self.groups.get_mut(pair_index(lengths)) {
            list.push(shape);
        }
    }
}

/// Where the shapes are that begin with these lengths of two groups.
pub(super) const fn pair_index(lengths: u64) -> usize {
    let [first, second, ..] = lengths.to_le_bytes();
    (first & 15 | second << 4) as usize
}

pub(super) const fn is_group_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/')
}

// === impl Around ===

impl Around {
    fn add(&mut self, left: u8, right: u8) {
        for byte in 0..128_u8 {
            // A shape that begins with its digits may follow anything.
            let is_left = left == 0 || class_fits(left, byte);
            self.before |= u128::from(is_left) << byte;
            self.after |= u128::from(class_fits(right, byte)) << byte;
        }
    }

    pub(super) const fn has(self, left: u8, right: u8) -> bool {
        let left = if left < 128 { left } else { 0 };
        right < 128 && self.after >> right & 1 != 0 && self.before >> left & 1 != 0
    }
}

// === impl MixedShape ===

impl MixedShape {
    /// Whether the bytes before and after a run of digits could be those of this shape.
    pub(super) fn may_fit(&self, left: u8, right: u8) -> bool {
        class_fits(self.after, right) && (self.anchor == 0 || class_fits(self.before, left))
    }

    /// Whether bytes have this shape.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.pattern.len()
            && (self.pattern.iter().zip(bytes)).all(|(&wanted, &byte)| class_fits(wanted, byte))
    }
}

fn class_fits(wanted: u8, byte: u8) -> bool {
    match wanted {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'X' => byte.is_ascii_alphanumeric(),
        _ => byte == wanted,
    }
}
