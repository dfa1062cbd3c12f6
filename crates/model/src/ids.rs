//! Ids and instants: small values that every later noun carries.

use std::fmt;

/// A moment of wall-clock time, in microseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

/// The identity of one exchange or tunnel: a UUID version 7 (RFC 9562, section 5.7), so that ids
/// sort by the time they were made.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExchangeId(u128);

// === impl Timestamp ===

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// RFC 3339 in UTC to the second: `2026-03-06T10:15:23Z`.
    #[must_use]
    pub fn to_seconds_string(self) -> String {
        let (date, clock) = self.civil();
        format!("{date}T{clock}Z")
    }

    /// RFC 3339 in UTC to the millisecond: `2026-03-06T10:15:23.481Z`.
    #[must_use]
    pub fn to_millis_string(self) -> String {
        let (date, clock) = self.civil();
        format!("{date}T{clock}.{:03}Z", self.as_millis().rem_euclid(1000))
    }

    /// Reads RFC 3339 with an upper-case `T` and either `Z` or a numeric offset. `None` for anything
    /// else, and for dates that do not exist.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| digits.parse().ok())?
        };
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators
            .iter()
            .any(|&(at, byte)| bytes.get(at) != Some(&byte))
        {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        let (micros, rest) = parse_fraction(text.get(19..)?)?;
        let offset = parse_offset(rest)?;
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
        Some(Self(seconds * 1_000_000 + micros))
    }

    /// Reads an end: a moment as RFC 3339, or a date, which ends when its day does (UTC).
    #[must_use]
    pub fn parse_end(text: &str) -> Option<Self> {
        const DAY_US: i64 = 86_400 * 1_000_000;
        if text.len() == "2026-03-06".len() {
            let midnight = Self::parse_rfc3339(&format!("{text}T00:00:00Z"))?;
            return Some(Self(midnight.0 + DAY_US));
        }
        Self::parse_rfc3339(text)
    }

    fn civil(self) -> (String, String) {
        let seconds = self.0.div_euclid(1_000_000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        (
            format!("{year:04}-{month:02}-{day:02}"),
            format!("{hour:02}:{minute:02}:{second:02}"),
        )
    }
}

// === impl ExchangeId ===

impl ExchangeId {
    /// From a moment and 74 random bits (the lower bits of `random`).
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        let millis = u128::from(now.as_millis().unsigned_abs() & 0xFFFF_FFFF_FFFF);
        let random_a = (random >> 62) & 0xFFF;
        let random_b = random & ((1 << 62) - 1);
        Self(millis << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
    }

    /// Reads the hyphenated form, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hyphens = [8, 13, 18, 23];
        if text.len() != 36
            || hyphens
                .iter()
                .any(|&at| text.as_bytes().get(at) != Some(&b'-'))
        {
            return None;
        }
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(&hex, 16).ok().map(Self)
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            (v >> 80) & 0xFFFF,
            (v >> 64) & 0xFFFF,
            (v >> 48) & 0xFFFF,
            v & 0xFFFF_FFFF_FFFF
        )
    }
}

/// `.481` and what follows it, in microseconds; digits past the sixth are dropped.
fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let padded: String = digits.chars().chain("000000".chars()).take(6).collect();
    Some((padded.parse().ok()?, rest))
}

/// `Z` or `+02:00`, in seconds east of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar: eras of 400 years, years
/// that begin in March, so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_what_they_print() {
        for text in [
            "2026-03-06T10:15:23.481Z",
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
        ] {
            let parsed = Timestamp::parse_rfc3339(text).unwrap();
            assert_eq!(parsed.to_millis_string(), text);
        }
        let shifted = Timestamp::parse_rfc3339("2026-03-06T12:15:23+02:00").unwrap();
        assert_eq!(shifted.to_seconds_string(), "2026-03-06T10:15:23Z");
    }

    #[test]
    fn a_date_ends_with_its_day() {
        let end = |text| Timestamp::parse_end(text).map(Timestamp::to_seconds_string);
        assert_eq!(end("2026-02-28").as_deref(), Some("2026-03-01T00:00:00Z"));
        assert_eq!(
            end("2026-03-06T10:15:23Z").as_deref(),
            Some("2026-03-06T10:15:23Z")
        );
        for text in ["2026-02-30", "2026-3-6", "tomorrow", ""] {
            assert_eq!(end(text), None, "{text}");
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_version_7_and_sort_by_time() {
        let early = ExchangeId::new(Timestamp::from_micros(1_000_000), u128::MAX);
        let late = ExchangeId::new(Timestamp::from_micros(2_000_000), 0);
        assert!(early < late);
        let text = early.to_string();
        assert_eq!(text.as_bytes()[14], b'7');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(ExchangeId::parse(&text), Some(early));
        assert_eq!(ExchangeId::parse("not-an-id"), None);
    }
}
