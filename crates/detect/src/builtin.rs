//! The embedded rule files.

use std::borrow::Cow;

/// Makes the list of all files with their contents.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../rules/", $name)))),*]
    };
}

/// Each file's name and content.
pub(crate) const FILES: [(&str, &str); 30] = files![
    "a-m-business.yaml",
    "a-m-developer.yaml",
    "a-m-platforms.yaml",
    "ai.yaml",
    "by-name-ai.yaml",
    "by-name-business.yaml",
    "by-name-data.yaml",
    "by-name-developer.yaml",
    "by-name-platforms.yaml",
    "chat.yaml",
    "cloud.yaml",
    "code.yaml",
    "cookies.yaml",
    "database.yaml",
    "exfiltration.yaml",
    "files.yaml",
    "generic.yaml",
    "hosting.yaml",
    "keys.yaml",
    "mail.yaml",
    "n-z-ai.yaml",
    "n-z-business.yaml",
    "n-z-developer.yaml",
    "n-z-platforms.yaml",
    "observability.yaml",
    "payment.yaml",
    "pii.yaml",
    "saas.yaml",
    "urls.yaml",
    "webhooks.yaml",
];

/// Whether the examples of the embedded rules are read: they are half of the files, and only those who
/// show or test rules need them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Examples {
    Kept,
    Skipped,
}

// === impl Examples ===

impl Examples {
    /// An embedded file as far as it is read.
    pub(crate) fn of(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Kept => Cow::Borrowed(text),
            Self::Skipped => Cow::Owned(without_examples(text)),
        }
    }
}

/// An embedded file with empty lines for its examples, so that the others keep their numbers. A test
/// holds that nothing else is lost.
fn without_examples(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_example = false;
    for line in text.lines() {
        is_example = match line {
            "  examples:" | "  negative_examples:" => true,
            _ => is_example && (line.is_empty() || line.starts_with("    ")),
        };
        if !is_example {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}
