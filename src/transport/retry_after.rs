//! Reads Retry-After as it occurs in the field: whole seconds and HTTP dates (RFC 9110 section 10.2.3), and decimal
//! seconds, which Microsoft Graph documents ("2.128", docs/design/graph.md, "Throttling").

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};

use crate::model::clock::Timestamp;

/// The longest wait: a service that asks for more is asked again after this, so that an error in a header cannot stop a
/// job for days.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The two obsolete date forms that RFC 9110 section 5.6.7 still requires recipients to read.
const OLD_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Returns how long to wait, or `None` for an unusable text, so that the caller's own backoff decides. A date in the
/// past means at once.
#[must_use]
pub fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    seconds(text)
        .or_else(|| Some(date(text)?.since(now)))
        .map(|wait| wait.min(LONGEST))
}

/// Reads digits with at most one point. Signs, exponents, `inf` and `NaN` are refused, though `f64` would take them.
fn seconds(text: &str) -> Option<Duration> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    let seconds: f64 = plain.then(|| text.parse().ok())??;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    let modern = DateTime::parse_from_rfc2822(text)
        .map(|date| date.timestamp_millis())
        .ok();
    let old = || {
        let parsed = OLD_DATES
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
        Some(parsed.and_utc().timestamp_millis())
    };
    modern.or_else(old).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time of the tests: 2026-01-02 03:04:05 UTC.
    const NOW: Timestamp = Timestamp(1_767_323_045_000);

    #[test]
    fn every_form_in_the_field_is_read() {
        for (name, text, expected) in [
            ("whole seconds", "7", Some(7_000)),
            ("zero", "0", Some(0)),
            ("decimal, as Graph documents", "2.128", Some(2_128)),
            ("blanks around", " 3 ", Some(3_000)),
            ("trailing point", "4.", Some(4_000)),
            ("HTTP date", "Fri, 02 Jan 2026 03:04:15 GMT", Some(10_000)),
            ("date in the past", "Fri, 02 Jan 2026 03:00:00 GMT", Some(0)),
            ("RFC 850 date", "Friday, 02-Jan-26 03:04:06 GMT", Some(1_000)),
            ("asctime date", "Fri Jan  2 03:04:07 2026", Some(2_000)),
            ("absurd seconds are capped", "86400000", Some(3_600_000)),
            (
                "more digits than any number",
                "99999999999999999999999999999999999999999",
                Some(3_600_000),
            ),
            (
                "absurd date is capped",
                "Wed, 02 Jan 2126 03:04:15 GMT",
                Some(3_600_000),
            ),
            ("negative", "-5", None),
            ("exponent", "1e9", None),
            ("infinity", "inf", None),
            ("not a number", "NaN", None),
            ("unit", "5s", None),
            ("two points", "1.2.3", None),
            ("point only", ".", None),
            ("empty", "", None),
            ("words", "soon", None),
        ] {
            assert_eq!(parse(text, NOW).map(|d| d.as_millis()), expected, "{name}");
        }
    }
}
