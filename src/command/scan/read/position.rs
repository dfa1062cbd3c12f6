//! Where in a text one is: line and column, moved forward byte by byte, never back.

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Position {
    pub(super) line: u64,
    /// In characters of UTF-8; what is no UTF-8 counts by its bytes, more or less.
    pub(super) column: u64,
}

// === impl Position ===

impl Default for Position {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl Position {
    /// Goes past some bytes.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        // Every byte but those that continue a character begins one.
        let chars = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64;
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            None => self.column += chars(bytes),
            Some(last) => {
                self.line += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.column = 1 + chars(&bytes[last + 1..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_once() {
        let mut position = Position::default();
        for (text, line, column) in [("ab", 1, 3), ("é\n", 2, 1), ("x\ny\nüö", 4, 3), ("", 4, 3)]
        {
            position.advance(text.as_bytes());
            assert_eq!(position, Position { line, column }, "{text}");
        }
    }
}
