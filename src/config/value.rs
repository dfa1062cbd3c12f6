//! A validated value with its place, and the small grammars of sizes and durations.

use super::node::{SourceKind, Span};

/// What a setting is set to.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bool(bool),
    /// Bytes and counts.
    Integer(u64),
    List(Vec<Setting>),
    /// In the order of the table for sections, in the file's order otherwise.
    Map(Vec<Field>),
    /// A duration.
    Millis(u64),
    Null,
    /// An address that may hold a password, which is never shown.
    Address(String),
    /// Never shown.
    Secret,
    Text(String),
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) span: Span,
    /// What was written, where an expansion made the value of it; see
    /// [`super::node::Scalar::written`].
    pub(crate) written: Option<String>,
}

/// One entry of a map.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Where the name was written; for settings that were not written, where the value was.
    pub(crate) name_span: Span,
    pub(crate) setting: Setting,
}

/// An address without user and password.
pub(crate) fn without_credentials(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://<set>@{place}"),
        _ => address.to_owned(),
    }
}

// === impl Setting ===

impl Setting {
    /// A value at a place.
    pub(crate) const fn new(value: Value, span: Span) -> Self {
        Self {
            value,
            span,
            written: None,
        }
    }

    /// The entries, where it is a map.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.value {
            Value::Map(fields) => fields,
            _ => &[],
        }
    }

    /// The items, where it is a list.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.fields()
            .iter()
            .find(|field| field.name == name)
            .map(|field| &field.setting)
    }

    /// Follows a dotted path.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.')
            .try_fold(self, |setting, name| setting.field(name))
    }

    /// Whether somebody wrote it.
    pub(crate) fn is_written(&self) -> bool {
        self.span.source.kind != SourceKind::Default
    }
}

/// The bytes of `1048576`, `512KiB`, `8MiB`, `1GiB`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The milliseconds of `500ms`, `10s`, `5m`, `24h`, `90d`; a bare number is seconds.
pub(crate) fn parse_duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The shortest exact spelling of a duration.
pub(crate) fn show_duration(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (24 * 3600 * 1000, "d"),
        (3600 * 1000, "h"),
        (60 * 1000, "m"),
        (1000, "s"),
    ];
    // Whole days are more often meant as hours when they are few: 24h, but 90d.
    const DAYS_AS_HOURS_MAX: u64 = 2 * 24 * 3600 * 1000;
    if ms == 0 {
        return "0s".to_owned();
    }
    UNITS
        .iter()
        .filter(|(length, unit)| *unit != "d" || ms > DAYS_AS_HOURS_MAX && ms >= *length)
        .find(|(length, _)| ms.is_multiple_of(*length))
        .map_or_else(
            || format!("{ms}ms"),
            |(length, unit)| format!("{}{unit}", ms / length),
        )
}

/// The spelling of a size for people.
pub(crate) fn show_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    UNITS
        .iter()
        .find(|(length, _)| bytes >= *length && bytes.is_multiple_of(*length))
        .map_or_else(
            || bytes.to_string(),
            |(length, unit)| format!("{}{unit}", bytes / length),
        )
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations() {
        let sizes = [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("1MiB", Some(1 << 20)),
            ("2 GiB", Some(2 << 30)),
            ("1MB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("", None),
            ("99999999999999999999", None),
            ("18446744073709551615GiB", None),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        let durations = [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("10", Some(10_000)),
            ("5m", Some(300_000)),
            ("24h", Some(86_400_000)),
            ("90d", Some(7_776_000_000)),
            ("1w", None),
            ("", None),
        ];
        for (text, ms) in durations {
            assert_eq!(parse_duration_ms(text), ms, "{text}");
            if let Some(ms) = ms {
                assert_eq!(parse_duration_ms(&show_duration(ms)), Some(ms), "{text}");
            }
        }
        assert_eq!(show_duration(86_400_000), "24h");
        assert_eq!(show_duration(7_776_000_000), "90d");
        assert_eq!(show_size(1 << 20), "1MiB");
        assert_eq!(show_size(1000), "1000");
    }
}
