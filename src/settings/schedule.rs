//! When a job runs: a cron expression, seconds first, in a time zone.
//!
//! Clock changes: a schedule at set hours runs once on every day that it names. A time that is skipped runs at the
//! first moment after the gap; of a doubled time the first counts. A schedule for every hour follows the clock's own
//! beat instead: nothing in the gap, and both of the doubled hours.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use cron::TimeUnitSpec;

use super::section::Section;
use crate::model::clock::Timestamp;

/// How far before the given moment the search begins, so that the second of two equal local times is found: no zone of
/// today turns its clock back by more.
const LOOK_BACK: TimeDelta = TimeDelta::hours(3);

/// A cron expression in a time zone.
#[derive(Clone)]
pub struct Schedule {
    written: String,
    fields: cron::Schedule,
    zone: Tz,
}

/// When incremental cycles run.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a job has one")]
pub enum Beat {
    /// By a cron expression.
    Cron(Schedule),
    /// `auto`: [`Beat::BUSY`] after the last one while the source changes and for [`Beat::BUSY_FOR`] after that, else [`Beat::QUIET`].
    Auto,
}

impl Beat {
    /// The gap while the source changes.
    pub const BUSY: Duration = Duration::from_secs(30);
    /// The gap while it does not.
    pub const QUIET: Duration = Duration::from_secs(300);
    /// So long after a change another one is expected.
    pub const BUSY_FOR: Duration = Duration::from_secs(3600);

    /// Returns the first moment after `moment` at which a cycle surely runs, or `None` when there is none this century.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(schedule) => schedule.next_after(moment),
            Self::Auto => Some(moment.plus(Self::QUIET)),
        }
    }
}

/// Writes it as it was given.
impl fmt::Display for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(schedule) => schedule.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// It does not have five or six fields.
    #[error("has {0} fields")]
    Fields(usize),
    /// It names a weekday by a number.
    #[error("names the weekday by number ({0}), which is another day in other crons")]
    NumericWeekday(String),
    /// It has a field that cannot be read.
    #[error("cannot be read")]
    Syntax,
    /// It is well-formed, but names no existing date (30 February).
    #[error("never comes")]
    Never,
}

impl BadSchedule {
    /// Returns what to write instead.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Fields(_) | Self::Syntax => {
                "write seconds, minutes, hours, day of month, month and weekday, as in \"0 */5 * * * *\"; \
                 five fields mean second 0"
            }
            Self::NumericWeekday(_) => "write MON, TUE, WED, THU, FRI, SAT or SUN, as in \"0 0 3 * * SUN\"",
            Self::Never => "name a day that exists",
        }
    }
}

impl Schedule {
    /// Parses a schedule from its cron expression, of five or six fields.
    ///
    /// # Errors
    /// [`BadSchedule`], when it has another number of fields, a numeric weekday, an invalid field, or no date at all.
    pub fn try_new(text: &str, zone: Tz) -> Result<Self, BadSchedule> {
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            n => return Err(BadSchedule::Fields(n)),
        }
        if let Some(number) = numeric_weekday(fields[5]) {
            return Err(BadSchedule::NumericWeekday(number));
        }
        let parsed = cron::Schedule::from_str(&fields.join(" ")).map_err(|_| BadSchedule::Syntax)?;
        let schedule = Self {
            written: text.to_owned(),
            fields: parsed,
            zone,
        };
        schedule.next_after(Timestamp(0)).ok_or(BadSchedule::Never)?;
        Ok(schedule)
    }

    /// Returns the first moment after `moment`, or `None` when there is none this century.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let now = moment.to_utc();
        // Walked on the wall clock, as if it were UTC: the crate then meets neither gaps nor doubled hours.
        let local = now.with_timezone(&self.zone).naive_local();
        let start = Utc.from_utc_datetime(&local.checked_sub_signed(LOOK_BACK)?);
        let mut best: Option<DateTime<Utc>> = None;
        for wall in self.fields.after(&start) {
            let (first, second) = self.moments(wall.naive_utc());
            // First moments never go back as the wall clock goes on: nothing better can follow.
            if best.is_some_and(|best| first.is_some_and(|first| first >= best)) {
                break;
            }
            let later = [first, second].into_iter().flatten().filter(|at| *at > now);
            best = best.into_iter().chain(later).min();
        }
        best.map(|at| Timestamp(at.timestamp_millis()))
    }

    /// Returns the moments of a wall time: twice at most.
    fn moments(&self, wall: NaiveDateTime) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let every_hour = self.fields.hours().is_all();
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => (Some(at.to_utc()), None),
            LocalResult::Ambiguous(first, second) => {
                (Some(first.to_utc()), every_hour.then(|| second.to_utc()))
            }
            LocalResult::None if every_hour => (None, None),
            LocalResult::None => (self.end_of_gap(wall), None),
        }
    }

    /// Returns the first minute after the gap that this wall time falls into.
    fn end_of_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let minute = wall.with_second(0)?;
        (1..=24 * 60)
            .filter_map(|n| {
                self.zone
                    .from_local_datetime(&(minute + TimeDelta::minutes(n)))
                    .earliest()
            })
            .map(|at| at.to_utc())
            .next()
    }
}

/// Returns a weekday written as a number: `1` in `1,MON`, but not the step in `*/2`.
fn numeric_weekday(field: &str) -> Option<String> {
    field.split(',').find_map(|part| {
        let days = part.split('/').next().unwrap_or(part);
        days.contains(|c: char| c.is_ascii_digit())
            .then(|| days.to_owned())
    })
}

/// Writes the expression as it was given.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.written, self.zone)
    }
}

/// Compares expression and zone.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.zone == other.zone
    }
}

/// Reads a schedule of the settings; `None` for an empty text.
pub(super) fn read(
    section: &mut Section<'_>,
    key: &'static str,
    default: &str,
    zone: Tz,
) -> Option<Schedule> {
    let Some(field) = section.get(key) else {
        return Some(Schedule::try_new(default, zone).expect("the default schedules are schedules"));
    };
    match field.text(default)?.trim() {
        "" => None,
        text => Schedule::try_new(text, zone)
            .map_err(|bad| field.bad::<()>(&format!("= \"{text}\" {bad}"), bad.hint()))
            .ok(),
    }
}

#[cfg(test)]
mod tests;
