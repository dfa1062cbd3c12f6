//! The words beside a number that say what it is: before it in the text, as the key of its value, as
//! the name of its field, as the head of its column. A text is looked at once at most, and only where
//! a number asks: [`Context`] remembers how far it has read and what it saw last.

use crate::bytes::{at, before, count_back, count_while, slice};

/// All words, folded to lower case. A space in a word stands for any one separator, or none.
pub(super) struct Words {
    /// Which hashes of three bytes begin a word.
    begins: Box<[u64]>,
    /// The words by that hash.
    words: Vec<Word>,
}

struct Word {
    hash: u16,
    text: Vec<u8>,
    kinds: u128,
}

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
    /// Where the last value ended that context had decided, and for which kinds.
    last: (usize, u128),
    columns: Columns,
    /// The last answer.
    memo: (usize, u128),
}

#[derive(Clone, Copy, Default)]
struct Seen {
    start: usize,
    end: usize,
    kinds: u128,
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
/// Shorter words must stand by themselves; longer ones may be parts of compounds.
const COMPOUND_BYTES_MIN: usize = 6;
const HEAD_BYTES_MAX: usize = 4096;
const COLUMNS_MAX: usize = 256;

// === impl Words ===

impl Words {
    pub(super) fn new(list: impl Iterator<Item = (&'static str, u128)>) -> Self {
        let mut begins = vec![0_u64; 1024].into_boxed_slice();
        let mut words: Vec<Word> = list
            .flat_map(|(text, kinds)| {
                beginnings(text.as_bytes())
                    .into_iter()
                    .map(move |begin| Word {
                        hash: hash(fold3(&begin)),
                        text: text.as_bytes().to_vec(),
                        kinds,
                    })
            })
            .collect();
        for word in &words {
            if let Some(bits) = begins.get_mut(usize::from(word.hash >> 6)) {
                *bits |= 1 << (word.hash & 63);
            }
        }
        words.sort_by_key(|word| word.hash);
        Self { begins, words }
    }

    fn may_begin(&self, hash: u16) -> bool {
        let bits = self.begins.get(usize::from(hash >> 6)).copied();
        bits.unwrap_or(0) >> (hash & 63) & 1 != 0
    }

    /// Calls back with every word that begins in a range.
    fn find(&self, bytes: &[u8], from: usize, to: usize, mut found: impl FnMut(Seen)) {
        let end = to.min(bytes.len());
        for (index, four) in slice(bytes, from..end.saturating_add(3))
            .windows(4)
            .enumerate()
        {
            let four = four
                .first_chunk::<4>()
                .map_or(0, |four| u32::from_le_bytes(*four));
            let hash = hash((four | 0x0020_2020) & 0x00FF_FFFF);
            if self.may_begin(hash) {
                self.verify(bytes, from + index, hash, &mut found);
            }
        }
        // The last three bytes of a text have no fourth.
        let last = bytes.len().saturating_sub(3);
        if (from..end).contains(&last) {
            let hash = hash(fold3(slice(bytes, last..bytes.len())));
            if self.may_begin(hash) {
                self.verify(bytes, last, hash, &mut found);
            }
        }
    }

    #[cold]
    fn verify(&self, bytes: &[u8], start: usize, hash: u16, found: &mut impl FnMut(Seen)) {
        let first = self.words.partition_point(|word| word.hash < hash);
        let same = self.words.get(first..).unwrap_or_default();
        for word in same.iter().take_while(|word| word.hash == hash) {
            if let Some(end) = word.end_at(bytes, start) {
                let kinds = word.kinds;
                found(Seen { start, end, kinds });
            }
        }
    }

    /// What the words in a name or a column's head speak for.
    fn kinds_in(&self, name: &[u8]) -> u128 {
        let mut kinds = 0;
        self.find(name, 0, name.len(), |seen| kinds |= seen.kinds);
        kinds
    }
}

/// How a word may begin: its first three bytes are what it is found by, and a separator among them
/// may be any, or none.
fn beginnings(word: &[u8]) -> Vec<Vec<u8>> {
    const AFTER: &[u8] = b" _-./:=\"'#,";
    match word.iter().take(3).position(|byte| *byte == b' ') {
        None if word.len() >= 3 => vec![word.to_vec()],
        None => (AFTER.iter())
            .map(|after| [word, &[*after]].concat())
            .collect(),
        Some(gap) => {
            let (head, tail) = (slice(word, 0..gap), slice(word, gap + 1..word.len()));
            let joined = std::iter::once([head, tail].concat());
            let separated = b" _-./'".iter().map(|gap| [head, &[*gap], tail].concat());
            joined.chain(separated).collect()
        }
    }
}

fn fold3(text: &[u8]) -> u32 {
    u32::from_le_bytes([at(text, 0), at(text, 1), at(text, 2), 0]) | 0x0020_2020
}

fn hash(folded: u32) -> u16 {
    let [.., low, high] = folded.wrapping_mul(0x9E37_79B1).to_le_bytes();
    u16::from_le_bytes([low, high])
}

// === impl Word ===

impl Word {
    /// Where the word ends, if it stands at a position.
    fn end_at(&self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut position = start;
        for &letter in &self.text {
            if letter == b' ' {
                position += count_while(bytes, position, 2, is_separator);
            } else if at(bytes, position).to_ascii_lowercase() == letter {
                position += 1;
            } else {
                return None;
            }
        }
        let is_free = self.text.len() >= COMPOUND_BYTES_MIN
            || begins_word(bytes, start) && ends_word(bytes, position);
        is_free.then_some(position)
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'\'')
}

/// Not within a word: `ssn`, `user_ssn`, `userSsn`; not `lessn`.
fn begins_word(bytes: &[u8], start: usize) -> bool {
    let left = before(bytes, start);
    !left.is_ascii_alphabetic()
        || left.is_ascii_lowercase() && at(bytes, start).is_ascii_uppercase()
}

/// `ssn`, `ssns`, `ssnNumber`; not `ssnake`.
fn ends_word(bytes: &[u8], end: usize) -> bool {
    let right = at(bytes, end);
    !right.is_ascii_alphabetic()
        || right.eq_ignore_ascii_case(&b's') && !at(bytes, end + 1).is_ascii_alphabetic()
        || right.is_ascii_uppercase() && before(bytes, end).is_ascii_lowercase()
}

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
        if self.seen.iter().any(|seen| near(&seen)) {
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
            let (seen, next) = (&mut self.seen, &mut self.next);
            self.words.find(self.bytes, start, to, |word| {
                if let Some(slot) = seen.get_mut(*next % SEEN_MAX) {
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
            ("Lohnsteuernummern #", 4),
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
