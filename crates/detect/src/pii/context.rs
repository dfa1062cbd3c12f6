//! The words beside a number that say what it is: before it in the text, as the key of its value, as
//! the name of its field, as the head of its column. A text is looked at once at most, and only where
//! a number asks: [`Context`] remembers how far it has read and what it saw last.

use super::words::{Seen, Words};
use crate::bytes::{before, count_back, count_while, slice};

/// What is known about the surroundings of a position in one view.
pub(super) struct Context<'a> {
    words: &'a Words,
    bytes: &'a [u8],
    /// What the name of the field says of the whole view.
    field: u128,
    /// Up to where the text was read.
    read: usize,
    /// The last words, as a ring.
    seen: [Seen; SEEN_MAX],
    next: usize,
    /// Where the last of them begins.
    newest: usize,
    /// Where the last value ended that context had decided, and for which kinds.
    last: (usize, u128),
    columns: Columns,
    /// The last answer.
    memo: (usize, u128),
}

/// The columns of a table whose first line names them.
#[derive(Default)]
struct Columns {
    is_read: bool,
    separator: u8,
    kinds: Vec<u128>,
    /// Where the first line ends, if it names columns.
    head_end: usize,
    /// Up to where the columns were counted, and which one that is.
    position: usize,
    column: usize,
    is_quoted: bool,
}

/// How far before a value a word still speaks for it.
const CONTEXT_BYTES: usize = 64;
const SEEN_MAX: usize = 16;
const HEAD_BYTES_MAX: usize = 4096;
const COLUMNS_MAX: usize = 256;

// === impl Context ===

impl<'a> Context<'a> {
    pub(super) fn new(words: &'a Words, bytes: &'a [u8], field: &str) -> Self {
        Self {
            words,
            bytes,
            field: words.kinds_in(field.as_bytes()),
            read: 0,
            seen: [Seen::default(); SEEN_MAX],
            next: 0,
            newest: 0,
            last: (usize::MAX, 0),
            columns: Columns::default(),
            memo: (usize::MAX, 0),
        }
    }

    /// The kinds that something says the value at a position may be.
    pub(super) fn kinds_at(&mut self, position: usize) -> u128 {
        if self.memo.0 != position {
            self.memo = (position, self.kinds_by_reading(position));
        }
        self.memo.1
    }

    fn kinds_by_reading(&mut self, position: usize) -> u128 {
        let from = position.saturating_sub(CONTEXT_BYTES);
        self.read_to(from, position);
        let mut kinds = self.field | self.chained(position);
        let near = |seen: &&Seen| seen.kinds != 0 && seen.start >= from && seen.end <= position;
        let column = self.columns.kinds_at(self.words, self.bytes, position);
        if self.newest >= from && self.seen.iter().any(|seen| near(&seen)) {
            let floor = floor_of_key(self.bytes, position).unwrap_or(from);
            // The names of columns speak for their columns only.
            let floor = floor.max(self.columns.head_end);
            for seen in self.seen.iter().filter(near) {
                if seen.start >= floor {
                    kinds |= seen.kinds;
                }
            }
        }
        kinds | column
    }

    /// Remembers that context decided for a value: the next one in the same list is of its kind.
    pub(super) fn decided(&mut self, end: usize, kinds: u128) {
        let others = if self.last.0 == end { self.last.1 } else { 0 };
        self.last = (end, others | kinds);
    }

    fn read_to(&mut self, from: usize, to: usize) {
        let start = from.max(self.read);
        if start < to {
            self.read = to;
            let (seen, next, newest) = (&mut self.seen, &mut self.next, &mut self.newest);
            self.words.find(self.bytes, start, to, |word| {
                if let Some(slot) = seen.get_mut(*next % SEEN_MAX) {
                    *newest = word.start;
                    *slot = word;
                    *next += 1;
                }
            });
        }
    }

    fn chained(&self, position: usize) -> u128 {
        const BETWEEN_BYTES_MAX: usize = 24;
        let (end, kinds) = self.last;
        if end > position || position - end > BETWEEN_BYTES_MAX {
            return 0;
        }
        let between = slice(self.bytes, end..position);
        let is_list = between
            .iter()
            .all(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b','));
        if is_list { kinds } else { 0 }
    }
}

/// Where the key of the value at a position begins, if a key of its own stands before it: what
/// speaks for the value before is another's.
fn floor_of_key(bytes: &[u8], position: usize) -> Option<usize> {
    let is_quote = |byte: u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\');
    let back =
        |to: usize, test: &dyn Fn(u8) -> bool| to - count_back(bytes, to, CONTEXT_BYTES, test);
    let operator = back(position, &is_quote);
    let sign = before(bytes, operator);
    if sign == b'>' {
        return floor_of_tag(bytes, operator);
    }
    if !matches!(sign, b':' | b'=') {
        return None;
    }
    let end = back(operator - 1, &is_quote);
    let start = back(end, &|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
    });
    if start == end || is_any_name(slice(bytes, start..end)) {
        return None;
    }
    let spaces = back(start, &is_quote);
    let stop = before(bytes, spaces);
    let is_own = matches!(stop, b',' | b';' | b'&' | b'\n' | b'\r' | b'}' | b'?')
        || sign == b'=' && before(bytes, start) == b' ';
    is_own.then_some(start)
}

/// The tag that the value at a position stands in.
fn floor_of_tag(bytes: &[u8], end: usize) -> Option<usize> {
    const LAYOUT: [&str; 12] = [
        "b", "code", "dd", "div", "em", "i", "li", "p", "span", "strong", "td", "th",
    ];
    let tag = slice(bytes, end.saturating_sub(CONTEXT_BYTES)..end);
    let open = end - tag.len() + memchr::memrchr(b'<', tag)?;
    let name = count_while(bytes, open + 1, CONTEXT_BYTES, |byte| {
        byte.is_ascii_alphanumeric()
    });
    let name = slice(bytes, open + 1..open + 1 + name);
    let is_layout = LAYOUT
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word.as_bytes()));
    let is_any = is_any_name(name) || name.is_empty();
    (!is_layout && !is_any).then_some(open)
}

/// Keys that say nothing of their own: `"type": "ssn", "value": "…"`.
fn is_any_name(name: &[u8]) -> bool {
    const ANY: [&str; 14] = [
        "code",
        "content",
        "data",
        "id",
        "identifier",
        "no",
        "nr",
        "num",
        "number",
        "nummer",
        "numero",
        "text",
        "val",
        "value",
    ];
    ANY.iter()
        .any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

// === impl Columns ===

impl Columns {
    fn kinds_at(&mut self, words: &Words, bytes: &[u8], position: usize) -> u128 {
        if !self.is_read {
            self.is_read = true;
            self.read_head(words, bytes);
        }
        if self.kinds.is_empty() || position < self.position {
            return 0;
        }
        for &byte in slice(bytes, self.position..position) {
            match byte {
                b'\n' => (self.column, self.is_quoted) = (0, false),
                b'"' => self.is_quoted = !self.is_quoted,
                _ if byte == self.separator && !self.is_quoted => self.column += 1,
                _ => {}
            }
        }
        self.position = position;
        self.kinds.get(self.column).copied().unwrap_or(0)
    }

    /// The first line, where it could name columns.
    fn read_head(&mut self, words: &Words, bytes: &[u8]) {
        let head = slice(bytes, 0..HEAD_BYTES_MAX);
        let Some(end) = memchr::memchr(b'\n', head) else {
            return;
        };
        let head = slice(head, 0..end);
        if head.iter().any(|byte| b"{}<>[]=:".contains(byte)) {
            return;
        }
        let count = |separator: u8| memchr::memchr_iter(separator, head).count();
        let separator = [b',', b'\t', b';', b'|']
            .into_iter()
            .max_by_key(|&separator| count(separator))
            .filter(|&separator| count(separator) > 0);
        const NAME_BYTES_MAX: usize = 48;
        if separator.is_none() && head.len() > NAME_BYTES_MAX {
            return;
        }
        self.separator = separator.unwrap_or(b',');
        let next = slice(bytes, end + 1..end + 1 + HEAD_BYTES_MAX);
        let next = next.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count_in = |line: &[u8]| memchr::memchr_iter(self.separator, line).count();
        if count_in(next) < count_in(head) {
            return;
        }
        let kinds: Vec<u128> = head
            .split(|&byte| byte == self.separator)
            .take(COLUMNS_MAX)
            .map(|name| {
                if name.len() > NAME_BYTES_MAX {
                    0
                } else {
                    words.kinds_in(name)
                }
            })
            .collect();
        if kinds.iter().any(|&kinds| kinds != 0) {
            self.kinds = kinds;
            self.position = end;
            self.head_end = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, field: &str) -> u128 {
        let words =
            Words::new([("ssn", 1), ("social security", 2), ("steuernummer", 4)].into_iter());
        let position = text.find('#').unwrap();
        Context::new(&words, text.as_bytes(), field).kinds_at(position)
    }

    #[test]
    fn words_before_a_value_speak_for_it() {
        for (text, expected) in [
            ("SSN #", 1),
            ("the user's userSsn is #", 1),
            ("lessn # and ssnake #", 0),
            ("social_security_number: #", 2),
            ("SocialSecurity #", 2),
            ("{\"ssns\": [\"#", 1),
            ("Steuernummern #", 4),
            ("{\"ssn\": null, \"order\": #", 0),
            ("{\"type\": \"ssn\", \"value\": \"#", 1),
            ("ssn=null order=#", 0),
            ("ssn=1&order=#", 0),
            ("ssn: null\norder: #", 0),
            ("<ssn>#", 1),
            ("<ssn></ssn><order>#", 0),
            ("name,ssn,city\nann,#,x", 1),
            ("name,ssn,city\n#,x,y", 0),
            ("Hello, my ssn is\n#", 1),
            ("name;ssn\nx;\"1;2\"\ny;#", 1),
            ("# ssn", 0),
        ] {
            assert_eq!(kinds(text, ""), expected, "{text}");
        }
        assert_eq!(kinds("#", "customer_ssn"), 1);
        let far = format!("ssn{}#", " ".repeat(80));
        assert_eq!(kinds(&far, ""), 0);
    }
}
