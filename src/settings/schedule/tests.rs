use super::*;

fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::try_new(cron, zone.parse().unwrap()).unwrap();
    let mut at = Timestamp(DateTime::parse_from_rfc3339(after).unwrap().timestamp_millis());
    (0..count)
        .map(|_| {
            at = schedule.next_after(at).unwrap();
            at.to_utc().format("%m-%dT%H:%M:%S").to_string()
        })
        .collect()
}

#[test]
fn schedules_meet_clock_changes() {
    // Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC); 2026-10-25 03:00 becomes 02:00 (01:00 UTC).
    for (name, cron, zone, after, expected) in [
        (
            "utc",
            "0 0 3 * * SUN",
            "UTC",
            "2026-01-01T00:00:00Z",
            vec!["01-04T03:00:00", "01-11T03:00:00"],
        ),
        (
            "five fields mean second 0",
            "*/5 * * * *",
            "UTC",
            "2026-01-01T00:00:01Z",
            vec!["01-01T00:05:00"],
        ),
        (
            "strictly after",
            "0 */5 * * * *",
            "UTC",
            "2026-01-01T00:05:00Z",
            vec!["01-01T00:10:00"],
        ),
        (
            "skipped time runs once, after the gap",
            "0 30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            vec!["03-29T01:00:00", "03-30T00:30:00"],
        ),
        (
            "several skipped times run once",
            "0 0,30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            vec!["03-29T01:00:00", "03-30T00:00:00"],
        ),
        (
            "every hour skips the gap",
            "0 30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            vec!["03-29T00:30:00", "03-29T01:30:00"],
        ),
        (
            "doubled time runs once",
            "0 30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            vec!["10-25T00:30:00", "10-26T01:30:00"],
        ),
        (
            "doubled time, asked in its second hour",
            "0 45 2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:10:00Z",
            vec!["10-26T01:45:00"],
        ),
        (
            "every hour keeps its beat",
            "0 0,30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:45:00Z",
            vec![
                "10-25T00:00:00",
                "10-25T00:30:00",
                "10-25T01:00:00",
                "10-25T01:30:00",
                "10-25T02:00:00",
            ],
        ),
        (
            "half-hour change",
            "0 15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            vec!["10-03T15:30:00", "10-04T15:15:00"],
        ),
    ] {
        assert_eq!(next(cron, zone, after, expected.len()), expected, "{name}");
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    let number = |n: &str| BadSchedule::NumericWeekday(n.to_owned());
    for (cron, expected) in [
        ("", BadSchedule::Fields(0)),
        ("@daily", BadSchedule::Fields(1)),
        ("0 0 3 * * SUN 2030", BadSchedule::Fields(7)),
        ("0 0 3 * * 1", number("1")),
        ("0 3 * * MON,5", number("5")),
        ("0 99 3 * * *", BadSchedule::Syntax),
        ("0 0 0 30 FEB *", BadSchedule::Never),
    ] {
        assert_eq!(Schedule::try_new(cron, Tz::UTC).unwrap_err(), expected, "{cron}");
    }
    assert!(Schedule::try_new("0 0 3 * * MON-FRI", Tz::UTC).is_ok());
}
