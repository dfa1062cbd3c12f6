//! How much a pattern says: how improbable it is that random text matches.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::literals::class_holds;

/// How improbable a match is in random text of 64 characters, in bits: what each byte of the
/// shortest match excludes.
pub(crate) fn strength(hir: &Hir) -> u32 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => 6 * u32::try_from(literal.0.len()).unwrap_or(u32::MAX / 6),
        HirKind::Class(Class::Bytes(class)) => {
            let size = (0..=255_u8)
                .filter(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                .filter(|&byte| class_holds(class, byte))
                .count();
            // A class without any of the 64 cannot match there at all.
            if size == 0 {
                64
            } else {
                tenths_of_bits(size) / 10
            }
        }
        HirKind::Class(Class::Unicode(_)) => 0,
        HirKind::Repetition(repetition) => match repetition.sub.kind() {
            HirKind::Class(Class::Bytes(class)) => {
                let size = (0..=255_u8)
                    .filter(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                    .filter(|&byte| class_holds(class, byte))
                    .count();
                let tenths = if size == 0 { 640 } else { tenths_of_bits(size) };
                repetition.min.saturating_mul(tenths) / 10
            }
            _ => repetition.min.saturating_mul(strength(&repetition.sub)),
        },
        HirKind::Capture(capture) => strength(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(strength).fold(0, u32::saturating_add),
        HirKind::Alternation(branches) => branches.iter().map(strength).min().unwrap_or(0),
    }
}

/// `10 · log2(64 / size)`, rounded down.
fn tenths_of_bits(size: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the size is 1 to 64, the result 0 to 60"
    )]
    let tenths = ((64.0 / size as f32).log2() * 10.0) as u32;
    tenths
}
