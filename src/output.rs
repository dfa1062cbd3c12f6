//! The only place that prints: data to stdout, talk to stderr.
//!
//! Colour is decided by `--color`, then `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and the terminal; the
//! streams drop what is not wanted, so that everything else may paint freely. A reader that went
//! away (`oktsec logs | head`) is no error of ours: [`is_closed`] tells.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;

/// Prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output;

/// What a word stands for. No meaning is by colour alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tone {
    /// An error, something blocked.
    Bad,
    /// A warning, something flagged.
    Doubtful,
    /// Something that went well.
    Good,
}

// === impl Output ===

impl Output {
    /// Sets the colour for the whole process.
    pub(crate) fn new(color: ColorChoice) -> Self {
        color.write_global();
        Self
    }

    /// Data, to stdout, as it is.
    ///
    /// # Errors
    /// When stdout cannot be written, also because nobody reads it any more.
    pub(crate) fn data(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// A line of data.
    ///
    /// # Errors
    /// As [`Output::data`].
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        self.data(&format!("{text}\n"))
    }

    /// A line of talk, to stderr. Nobody needs to hear it, so failures are ignored.
    pub(crate) fn say(self, text: &str) {
        let mut err = anstream::stderr().lock();
        let _ = writeln!(err, "{text}");
    }

    /// How far something long has got: a line that the next one replaces. Only for somebody who sits
    /// there; an empty text removes it.
    pub(crate) fn progress(self, text: &str) {
        if io::stderr().is_terminal() {
            let mut err = anstream::stderr().lock();
            let _ = write!(err, "\r\u{1b}[K{text}");
            let _ = err.flush();
        }
    }

    /// A line that is of use only to somebody who sits there: hints, banners, progress.
    pub(crate) fn hint(self, text: &str) {
        if io::stderr().is_terminal() {
            self.say(text);
        }
    }
}

/// The text in a tone. The streams drop the paint where it is not wanted.
pub(crate) fn paint(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Bad => "31",
        Tone::Doubtful => "33",
        Tone::Good => "32",
    };
    format!("\u{1b}[1;{code}m{text}\u{1b}[0m")
}

/// A file's name as it may be printed: what could move the cursor or end a line is escaped.
pub(crate) fn name(path: &std::path::Path) -> String {
    let is_harmless = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let escaped = |c: char| -> String {
        if is_harmless(c) {
            c.to_string()
        } else {
            c.escape_default().to_string()
        }
    };
    path.to_string_lossy().chars().map(escaped).collect()
}

/// Whether an error says that the reader of our output went away.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
