//! Functions on dates. A date is a text, as in Entra ("DateTime isn't a native attribute type"): it is read in any
//! of .NET's usual forms, UTC where it names no offset, and printed as `M/d/yyyy h:mm:ss tt` in UTC.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Days, Months, NaiveDateTime, TimeDelta};

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::Written;
use super::moment;
use super::text::answer;
use super::text::on_text;
use super::time_format;
use super::time_format::Styles;

/// The epoch of Active Directory, 1601-01-01, in seconds of Unix.
const FILETIME_EPOCH: i64 = -11_644_473_600;
/// The units of 100 nanoseconds in a second, in which Active Directory counts.
const TICKS: i64 = 10_000_000;

fn read(text: &str) -> Result<NaiveDateTime, Stop> {
    moment::parse(text).ok_or_else(|| {
        Stop::Failed(
            "not a date that .NET reads: write 2021-06-30, 2021-06-30T01:45:30-07:00 or 6/30/2021 4:00:00 PM"
                .to_owned(),
        )
    })
}

fn out_of_range() -> Stop {
    Stop::Failed("the date would lie outside the years 1 to 9999".to_owned())
}

/// Returns the argument as a date, or `None` where it is null or empty.
fn date(call: &Call<'_>, index: usize) -> Result<Option<NaiveDateTime>, Stop> {
    let value = call.value(index)?;
    let text = text_of(&value)?;
    if text.is_empty() {
        Ok(None)
    } else {
        read(&text).map(Some)
    }
}

fn printed<'a>(at: Option<NaiveDateTime>) -> Answer<'a> {
    answer(moment::print(
        at.and_then(moment::in_range).ok_or_else(out_of_range)?,
    ))
}

/// Returns the date of a text, in UTC.
pub(super) fn cdate<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| Ok(moment::print(read(source)?)))
}

/// Returns the cycle's time.
pub(super) fn now<'a>(call: &Call<'a>) -> Answer<'a> {
    match call.context().now {
        Some(now) => printed(Some(now.to_utc().naive_utc())),
        None => Err(Stop::Failed("Now has no time here".to_owned())),
    }
}

/// The interval names of `DateAdd` and `DateDiff`, as in Visual Basic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interval {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

fn interval(text: &str) -> Result<Interval, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "yyyy" => Interval::Year,
        "m" => Interval::Month,
        "ww" => Interval::Week,
        "d" => Interval::Day,
        "h" => Interval::Hour,
        "n" => Interval::Minute,
        "s" => Interval::Second,
        _ => {
            return Err(
                "an interval is \"yyyy\", \"m\" (month), \"ww\" (week), \"d\", \"h\", \"n\" (minute) or \"s\"".to_owned(),
            );
        }
    })
}

pub(super) fn judge_interval(arguments: &[Written<'_>]) -> Result<(), (usize, String)> {
    match arguments.first() {
        Some(Written::Text(text)) => interval(text).map(drop).map_err(|why| (0, why)),
        _ => Ok(()),
    }
}

fn interval_of(call: &Call<'_>) -> Result<Interval, Stop> {
    interval(&text_of(&*call.value(0)?)?).map_err(Stop::Failed)
}

/// Returns the date so many intervals later; months and years end on the last day where the month is shorter, as in
/// .NET.
pub(super) fn date_add<'a>(call: &Call<'a>) -> Answer<'a> {
    let (interval, count) = (interval_of(call)?, call.integer(1)?);
    let Some(at) = date(call, 2)? else {
        return Ok(Cow::Owned(Value::Null));
    };
    let days = |days: Option<i64>| {
        let days = days?;
        let by = Days::new(days.unsigned_abs());
        if days < 0 {
            at.checked_sub_days(by)
        } else {
            at.checked_add_days(by)
        }
    };
    let months = |months: Option<i64>| {
        let months = months?;
        let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 {
            at.checked_sub_months(by)
        } else {
            at.checked_add_months(by)
        }
    };
    let delta = |delta: Option<TimeDelta>| at.checked_add_signed(delta?);
    printed(match interval {
        Interval::Year => months(count.checked_mul(12)),
        Interval::Month => months(Some(count)),
        Interval::Week => days(count.checked_mul(7)),
        Interval::Day => days(Some(count)),
        Interval::Hour => delta(TimeDelta::try_hours(count)),
        Interval::Minute => delta(TimeDelta::try_minutes(count)),
        Interval::Second => delta(TimeDelta::try_seconds(count)),
    })
}

/// Returns the difference from the first date to the second. As in Visual Basic, whose results the documentation shows:
/// years and months by the calendar, weeks by their Sundays (-493 for 3449 days), the rest as full units, truncated
/// towards zero.
pub(super) fn date_diff<'a>(call: &Call<'a>) -> Answer<'a> {
    let interval = interval_of(call)?;
    let (Some(from), Some(to)) = (date(call, 1)?, date(call, 2)?) else {
        return Ok(Cow::Owned(Value::Null));
    };
    let months = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
    let passed = to - from;
    let difference = match interval {
        Interval::Year => i64::from(to.year()) - i64::from(from.year()),
        Interval::Month => months(to) - months(from),
        Interval::Week => {
            let (Some(from), Some(to)) = (moment::sunday_of(from), moment::sunday_of(to)) else {
                return Err(out_of_range());
            };
            (to - from).num_days() / 7
        }
        Interval::Day => passed.num_days(),
        Interval::Hour => passed.num_hours(),
        Interval::Minute => passed.num_minutes(),
        Interval::Second => passed.num_seconds(),
    };
    Ok(Cow::Owned(Value::Integer(difference)))
}

/// Returns the date of Active Directory's number: 100 nanoseconds since 1601.
pub(super) fn date_from_num<'a>(call: &Call<'a>) -> Answer<'a> {
    if call.value(0)?.is_unassigned() {
        return Ok(Cow::Owned(Value::Null));
    }
    let ticks = call.integer(0)?;
    if ticks < 0 {
        return Err(out_of_range());
    }
    let nanos = u32::try_from(ticks % TICKS * 100).unwrap_or_default();
    printed(DateTime::from_timestamp(FILETIME_EPOCH + ticks / TICKS, nanos).map(|at| at.naive_utc()))
}

/// Returns Active Directory's number of a date.
pub(super) fn num_from_date<'a>(call: &Call<'a>) -> Answer<'a> {
    let Some(at) = date(call, 0)? else {
        return Ok(Cow::Owned(Value::Null));
    };
    let at = at.and_utc();
    let ticks = (at.timestamp() - FILETIME_EPOCH) * TICKS + i64::from(at.timestamp_subsec_nanos() / 100);
    if ticks < 0 {
        return Err(Stop::Failed(
            "Active Directory knows no date before 1601".to_owned(),
        ));
    }
    Ok(Cow::Owned(Value::Integer(ticks)))
}

/// Returns the positions of the formats: `(source, dateTimeStyles, inputFormat, outputFormat)`, or in schemas of 2021
/// `(source, inputFormat, outputFormat)`.
const fn formats(count: usize) -> (Option<usize>, usize, usize) {
    if count == 3 { (None, 1, 2) } else { (Some(1), 2, 3) }
}

pub(super) fn judge_formats(arguments: &[Written<'_>]) -> Result<(), (usize, String)> {
    let (styles, input, output) = formats(arguments.len());
    for index in [input, output] {
        match arguments.get(index) {
            Some(Written::Text(text)) => drop(time_format::parts(text).map_err(|why| (index, why))?),
            Some(Written::Missing) | None => {
                let why = "`FormatDateTime` needs an input format and an output format";
                return Err((index, why.to_owned()));
            }
            Some(Written::Other) => {}
        }
    }
    if let Some(index) = styles
        && let Some(Written::Text(text)) = arguments.get(index)
    {
        time_format::styles(text).map_err(|why| (index, why))?;
    }
    Ok(())
}

/// Parses the source in one format and writes it in another. An offset in it is converted to UTC.
pub(super) fn format_date_time<'a>(call: &Call<'a>) -> Answer<'a> {
    let (styles, input, output) = formats(call.count());
    let text = |index| {
        let value = call.value(index)?;
        Ok::<_, Stop>(text_of(&value)?.into_owned())
    };
    on_text(call, |source| {
        let styles = match styles {
            Some(index) => time_format::styles(&text(index)?).map_err(Stop::Failed)?,
            None => Styles::default(),
        };
        let input = time_format::parts(&text(input)?).map_err(Stop::Failed)?;
        let output = time_format::parts(&text(output)?).map_err(Stop::Failed)?;
        let Some(moment) = time_format::read(source, &input, styles) else {
            return Err(Stop::Failed(
                "the source is no date in FormatDateTime's input format".to_owned(),
            ));
        };
        Ok(time_format::write(&moment, &output))
    })
}
