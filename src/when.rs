//! Times as people write them: `15m`, `24h`, `7d`, `today`, `yesterday`, or RFC 3339.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oktsec_model::Timestamp;

use crate::command::Usage;

const DAY_US: i64 = 86_400 * 1_000_000;

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The moment that a text means, seen from `now`.
///
/// # Errors
/// When the text is none of the accepted forms.
pub(crate) fn parse(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let midnight = now.as_micros() - now.as_micros().rem_euclid(DAY_US);
    let micros = match text {
        "now" => now.as_micros(),
        "today" => midnight,
        "yesterday" => midnight - DAY_US,
        _ => match (ago(text), Timestamp::parse_rfc3339(text)) {
            (Some(ago), _) => now.as_micros() - ago,
            (None, Some(moment)) => moment.as_micros(),
            (None, None) => {
                return Err(Usage(format!("`{text}` is no time: write 15m, 24h, 7d, today, yesterday, or 2026-03-06T10:15:23Z")).into());
            }
        },
    };
    Ok(Timestamp::from_micros(micros))
}

/// A number and a unit, in microseconds.
fn ago(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let digits = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then_some(digits)?;
    digits
        .parse::<i64>()
        .ok()?
        .checked_mul(seconds)?
        .checked_mul(1_000_000)
}

/// How long ago `then` is, in its largest unit: `4s`, `2m`, `3h`, `5d`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_micros() - then.as_micros()).max(0) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_means_its_moment() {
        let now = Timestamp::parse_rfc3339("2026-03-06T10:15:23Z").unwrap();
        let cases = [
            ("15m", "2026-03-06T10:00:23Z"),
            ("24h", "2026-03-05T10:15:23Z"),
            ("7d", "2026-02-27T10:15:23Z"),
            ("today", "2026-03-06T00:00:00Z"),
            ("yesterday", "2026-03-05T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse(text, now).unwrap().to_seconds_string(),
                expected,
                "{text}"
            );
        }
        for text in ["", "m", "15", "-3d", "15x", "99999999999999999999d", "soon"] {
            assert!(parse(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_use_one_unit() {
        let now = Timestamp::from_micros(10 * DAY_US);
        assert_eq!(
            age(Timestamp::from_micros(10 * DAY_US - 61_000_000), now),
            "1m"
        );
        assert_eq!(age(Timestamp::from_micros(0), now), "10d");
        assert_eq!(age(Timestamp::from_micros(11 * DAY_US), now), "0s");
    }
}
