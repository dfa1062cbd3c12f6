//! `.env` files: `KEY=VALUE` lines, as most readers of them understand them. What is no such line is
//! a mistake, named by its number and never shown.

/// The keys and values, in order; or the line, from 1, that is none.
///
/// A value in single quotes is taken as it stands, one in double quotes with its escapes; both may go
/// over several lines. Of any other value, a comment behind white space is no part. Variables in
/// values are not expanded.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut pairs = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (head, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let head = head.trim();
        if head.is_empty() || head.starts_with('#') {
            rest = after;
            line += 1;
            continue;
        }
        let (key, value) = rest.split_once('=').ok_or(line)?;
        let key = key.trim();
        let key = key.strip_prefix("export ").unwrap_or(key).trim();
        if !is_key(key) {
            return Err(line);
        }
        let (value, after) = match value.trim_start_matches([' ', '\t']) {
            quoted if quoted.starts_with('\'') => single(&quoted[1..]),
            quoted if quoted.starts_with('"') => double(&quoted[1..]),
            plain => Some(bare(plain)),
        }
        .ok_or(line)?;
        let read = rest.len() - after.len();
        line += rest[..read].matches('\n').count();
        pairs.push((key.to_owned(), value));
        rest = after;
    }
    Ok(pairs)
}

fn is_key(key: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !key.is_empty() && key.bytes().all(fits)
}

/// To the end of the line.
fn bare(text: &str) -> (String, &str) {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let comment = [" #", "\t#"].iter().filter_map(|mark| line.find(mark));
    let end = comment.min().unwrap_or(line.len());
    (line[..end].trim().to_owned(), after)
}

fn single(text: &str) -> Option<(String, &str)> {
    let (value, after) = text.split_once('\'')?;
    Some((value.to_owned(), line_end(after)?))
}

fn double(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, line_end(&text[at + 1..])?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            char => value.push(char),
        }
    }
    None
}

/// What follows a quoted value on its line may be a comment only.
fn line_end(text: &str) -> Option<&str> {
    let (tail, after) = text.split_once('\n').unwrap_or((text, ""));
    let tail = tail.trim();
    (tail.is_empty() || tail.starts_with('#')).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_mean_what_most_readers_take_them_for() {
        let text = "# a note\n\nA=plain value # a comment\nexport B = 'as # it stands'\n\
                    C=\"two\nlines \\\"quoted\\\"\\n\" # note\nD=a#b\r\nE=\nF=x=y";
        let pairs = parse(text).unwrap();
        let expected = [
            ("A", "plain value"),
            ("B", "as # it stands"),
            ("C", "two\nlines \"quoted\"\n"),
            ("D", "a#b"),
            ("E", ""),
            ("F", "x=y"),
        ];
        let found: Vec<(&str, &str)> = (pairs.iter())
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_pair_is_named_by_its_line() {
        for (text, line) in [
            ("A=1\nnothing here\n", 2),
            ("A='open\n\n", 1),
            ("A=\"x\ny\"\nB=\"x\" y\n", 3),
            ("a b=1", 1),
            ("=1", 1),
        ] {
            assert_eq!(parse(text).err(), Some(line), "{text}");
        }
    }
}
