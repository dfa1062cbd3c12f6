//! How the walk names things in its messages, and reads plain numbers.

use crate::config::schema::{self, Kind};
use crate::config::value::{show_duration, show_size};

/// `1 to 86400 seconds`, `1 to 64MiB`.
pub(crate) fn range(kind: &Kind) -> String {
    match kind {
        Kind::Duration { min_ms, max_ms } => {
            format!("{} to {}", show_duration(*min_ms), show_duration(*max_ms))
        }
        Kind::Size { min, max } => format!("{} to {}", show_size(*min), show_size(*max)),
        Kind::Integer {
            min, max: u64::MAX, ..
        } => format!("at least {min}"),
        Kind::Integer { min, max, unit } => format!("{min} to {max} {unit}").trim_end().to_owned(),
        _ => String::new(),
    }
}

/// The last name of a path, without indexes: what a message calls the setting.
pub(super) fn last(path: &str) -> &str {
    let name = path.rsplit('.').next().unwrap_or(path);
    name.split('[').next().unwrap_or(name)
}

/// `oktsec config explain agents.*.egress.rate_window` for a path in a file.
pub(super) fn explain(path: &str) -> String {
    let mut segments = path
        .split('.')
        .map(|segment| segment.split('[').next().unwrap_or(segment));
    let mut known = Vec::new();
    while let Some(segment) = segments.next() {
        known.push(segment);
        if segment == "agents" && known.len() == 1 && segments.next().is_some() {
            known.push(schema::WILDCARD);
        }
    }
    format!("oktsec config explain {}", known.join("."))
}

pub(super) fn parse_integer(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
