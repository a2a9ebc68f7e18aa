//! Moments as people type them: a day, a moment, or how long ago.

use std::time::Duration;

use chrono::DateTime;
use chrono::NaiveDate;
use chrono::NaiveDateTime;

use crate::app::error::AppError;
use crate::model::clock::Timestamp;
use crate::model::shown::shown;

/// `2026-11-25`, `2026-11-25T08:30:00Z`, `2026-11-25 08:30` (UTC), or `24h` ago. A day begins at its first
/// millisecond, and with `end` ends at its last.
///
/// # Errors
/// What else can be written (exit 2).
pub(super) fn parse(flag: &str, text: &str, now: Timestamp, end: bool) -> Result<Timestamp, AppError> {
    let day = |day: NaiveDate| {
        let start = Timestamp(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
        if end {
            Timestamp(start.0 + 86_400_000 - 1)
        } else {
            start
        }
    };
    let plain = |form: &str| {
        NaiveDateTime::parse_from_str(text, form)
            .ok()
            .map(|time| Timestamp(time.and_utc().timestamp_millis()))
    };
    let found = text
        .parse::<NaiveDate>()
        .ok()
        .map(day)
        .or_else(|| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|time| Timestamp(time.timestamp_millis()))
        })
        .or_else(|| plain("%Y-%m-%d %H:%M"))
        .or_else(|| plain("%Y-%m-%d %H:%M:%S"))
        .or_else(|| ago(text).map(|long| now.minus(long)));
    found.ok_or_else(|| {
        AppError::usage(
            format!("{flag} cannot be \"{}\"", shown(text)),
            "write a day (2026-11-25), a moment (2026-11-25T08:30:00Z), or how long ago (30m, 24h, 7d)",
        )
    })
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = Timestamp(1_000_000_000_000); // 2001-09-09T01:46:40Z
        for (text, end, expected) in [
            ("2001-09-09", false, Some(999_993_600_000)),
            ("2001-09-09", true, Some(1_000_079_999_999)),
            ("2001-09-09T01:46:40Z", true, Some(1_000_000_000_000)),
            ("2001-09-09T03:46:40+02:00", false, Some(1_000_000_000_000)),
            ("2001-09-09 01:46", false, Some(999_999_960_000)),
            ("24h", false, Some(999_913_600_000)),
            ("7d", true, Some(999_395_200_000)),
            ("yesterday", false, None),
            ("h", false, None),
            ("", false, None),
        ] {
            let found = parse("--since", text, now, end).ok().map(|time| time.0);
            assert_eq!(found, expected, "{text}");
        }
    }
}
