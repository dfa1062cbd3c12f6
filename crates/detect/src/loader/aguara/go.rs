//! Regular expressions in Go's syntax, in ours. Both are RE2's children; the differences that matter are
//! undone here: texts between `\Q` and `\E`, braces and brackets that stand for themselves, and escapes
//! that mean something else with us. What neither knows stays, and our parser complains.
//!
//! See <https://pkg.go.dev/regexp/syntax> and <https://docs.rs/regex-syntax/latest/regex_syntax/>.

use std::fmt::Write as _;

/// A pattern in our syntax.
pub(super) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(quote) = rest.strip_prefix(r"\Q").filter(|_| !in_class) {
            let text = quote.split(r"\E").next().unwrap_or(quote);
            out.push_str(&escaped(text));
            let end = if text.len() < quote.len() { 2 } else { 0 };
            2 + text.len() + end
        } else if first == '\\' {
            escape(rest, &mut out)
        } else if in_class {
            in_class = first != ']';
            class_member(rest, first, &mut out)
        } else if first == '[' {
            in_class = true;
            class_start(rest, &mut out)
        } else if first == '{' && !is_repetition(rest) || first == '}' {
            // A brace that ends a repetition is taken along with it.
            out.push('\\');
            out.push(first);
            1
        } else if first == '{' {
            let length = rest.find('}').map_or(rest.len(), |at| at + 1);
            out.push_str(rest.get(..length).unwrap_or_default());
            length
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// A pattern that matches a text, whatever its case.
pub(super) fn quoted(text: &str) -> String {
    format!("(?i:{})", escaped(text))
}

/// A text with everything escaped that could mean something; bytes beyond ASCII by their value.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_' => {
                write!(out, "{}", char::from(byte))
            }
            _ => write!(out, r"\x{byte:02X}"),
        };
        out
    })
}

/// Takes an escape sequence; answers how long it is.
fn escape(rest: &str, out: &mut String) -> usize {
    let Some(escaped) = rest.chars().nth(1) else {
        out.push('\\');
        return 1;
    };
    match escaped {
        // Beginning and end of a word with us.
        '<' | '>' => out.push(escaped),
        // Any byte.
        'C' => out.push_str("(?s:.)"),
        _ => {
            out.push('\\');
            out.push(escaped);
        }
    }
    // Braces after these belong to the escape.
    if matches!(escaped, 'p' | 'P' | 'x')
        && let Some(name) = rest.get(2..).and_then(|rest| rest.strip_prefix('{'))
        && let Some(end) = name.find('}')
    {
        out.push('{');
        out.push_str(name.get(..=end).unwrap_or_default());
        return 2 + 1 + end + 1;
    }
    1 + escaped.len_utf8()
}

/// Takes the beginning of a class, where a bracket that closes stands for itself.
fn class_start(rest: &str, out: &mut String) -> usize {
    let mut taken = 1;
    out.push('[');
    if rest.get(taken..).is_some_and(|rest| rest.starts_with('^')) {
        out.push('^');
        taken += 1;
    }
    if rest.get(taken..).is_some_and(|rest| rest.starts_with(']')) {
        out.push_str(r"\]");
        taken += 1;
    }
    taken
}

/// Takes a member of a class, where we have nested classes and operators, and Go has none.
fn class_member(rest: &str, first: char, out: &mut String) -> usize {
    if first == '['
        && let Some(name) = rest.strip_prefix("[:")
        && let Some(end) = name.find(":]")
    {
        out.push_str(rest.get(..end + 4).unwrap_or_default());
        return end + 4;
    }
    // Behind a class such as `\w` a hyphen begins no range.
    let is_literal = matches!(first, '[' | '&' | '~') || first == '-' && ends_with_set(out);
    if is_literal {
        out.push('\\');
    }
    out.push(first);
    first.len_utf8()
}

/// Whether the last member of a class was a class itself.
fn ends_with_set(out: &str) -> bool {
    let Some(before) = out.strip_suffix(['d', 's', 'w', 'D', 'S', 'W']) else {
        return out.ends_with(":]");
    };
    before
        .bytes()
        .rev()
        .take_while(|&byte| byte == b'\\')
        .count()
        % 2
        == 1
}

/// Whether a brace begins a count, as in `{2,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some(inner) = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .map(|(inner, _)| inner)
    else {
        return false;
    };
    let (min, max) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !min.is_empty() && is_number(min) && is_number(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn what_differs_is_translated() {
        let cases = [
            (r"sk-[a-z]{2,5}x{3}", r"sk-[a-z]{2,5}x{3}"),
            (r"{{secret}}", r"\{\{secret\}\}"),
            (r"a{,5}", r"a\{,5\}"),
            (r"\Qa.b\E+", r"a\x2Eb+"),
            (r"\Qa.b", r"a\x2Eb"),
            (r"\<key\>", r"<key>"),
            (r"[]a]", r"[\]a]"),
            (r"[^]a]", r"[^\]a]"),
            (r"[[a]", r"[\[a]"),
            (r"[[:alpha:]_]", r"[[:alpha:]_]"),
            (r"[\w-.]", r"[\w\-.]"),
            (r"[\\w-z]", r"[\\w-z]"),
            (r"[a&&b~~c]", r"[a\&\&b\~\~c]"),
            (r"[\]]{2}", r"[\]]{2}"),
            (r"\x{41}\x42", r"\x{41}\x42"),
            (r"(?i)a\.b(?P<n>c)", r"(?i)a\.b(?P<n>c)"),
            (r"\{x\}", r"\{x\}"),
            (r"\C", r"(?s:.)"),
        ];
        for (go, ours) in cases {
            assert_eq!(translated(go), ours, "{go}");
            assert!(Pattern::new(&translated(go)).is_ok(), "{go}");
        }
    }

    #[test]
    fn a_text_matches_itself_in_any_case() {
        for text in ["größe (x)", "a\\b", "[{", "-----BEGIN", "tab\there"] {
            let pattern = Pattern::new(&quoted(text)).unwrap();
            assert!(pattern.is_in(text.as_bytes()), "{text}");
            assert!(
                pattern.is_in(text.to_ascii_uppercase().as_bytes()),
                "{text}"
            );
        }
        assert!(!Pattern::new(&quoted("a.b")).unwrap().is_in(b"axb"));
    }
}
