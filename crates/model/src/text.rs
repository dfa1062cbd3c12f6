//! Text from outside, made fit for a record.

/// The text's first `max` characters, with `…` for what was cut.
#[must_use]
pub fn truncate_chars(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    let mut kept: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

/// A name from a request (a header, a JSON key, a form field) if it can be shown, else `*`.
///
/// Names are as much under the caller's control as values. What looks like an identifier is shown;
/// what could carry a secret (long mixed runs, many digits, any other alphabet) is not.
#[must_use]
pub fn safe_name(name: &str) -> &str {
    const CHARS_MAX: usize = 40;
    const DIGITS_MAX: usize = 5;
    const RUN_MAX: usize = 15;
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let runs_short = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .all(|run| run.len() <= RUN_MAX || run.bytes().all(|b| b.is_ascii_lowercase()));
    let shown =
        plain && !name.is_empty() && name.len() <= CHARS_MAX && digits <= DIGITS_MAX && runs_short;
    if shown { name } else { "*" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_secrets_are_hidden() {
        for shown in [
            "authorization",
            "x-api-key",
            "notes",
            "user_id",
            "contentSecurity",
        ] {
            assert_eq!(safe_name(shown), shown);
        }
        for hidden in [
            "AKIAQWERTYUIOPASDFGH",
            "4111111111111111",
            "a b",
            "",
            "naïve",
        ] {
            assert_eq!(safe_name(hidden), "*", "{hidden}");
        }
    }

    #[test]
    fn truncation_counts_characters() {
        assert_eq!(truncate_chars("äöü", 3), "äöü");
        assert_eq!(truncate_chars("äöüß", 3), "äöü…");
    }
}
