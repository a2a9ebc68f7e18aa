//! Points in time as .NET's `DateTime.Parse` reads them and Entra prints them.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

/// .NET's kind of a time; it shows only in the format `K`. Entra's servers run in UTC, so their local time is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Unspecified,
    Utc,
    Local,
}

/// A point in time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: NaiveDateTime,
    pub(super) zone: Zone,
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Returns a time whose year .NET knows: 1 to 9999.
pub(super) fn in_range(at: NaiveDateTime) -> Option<NaiveDateTime> {
    (1..=9999).contains(&at.year()).then_some(at)
}

/// Prints `M/d/yyyy h:mm:ss tt`, in UTC, as `CDate`, `DateAdd`, `DateFromNum` and `Now` do.
pub(super) fn print(at: NaiveDateTime) -> String {
    let (is_pm, hour) = at.hour12();
    format!(
        "{}/{}/{:04} {hour}:{:02}:{:02} {}",
        at.month(),
        at.day(),
        at.year(),
        at.minute(),
        at.second(),
        if is_pm { "PM" } else { "AM" }
    )
}

/// Parses the time of a text, in any of the forms that .NET's `DateTime.Parse` takes in the invariant culture and
/// directories use: `2021-06-30`, `2021-06-30T01:45:30.5Z`, `2021-06-30+08:00`, `6/30/2021 4:00 PM`, `30 Jun 2021`,
/// `Wednesday, June 30, 2021`. Without an offset it is UTC. Years have four digits: `30/6/21` is read differently by
/// different versions of .NET, so it is refused.
pub(super) fn parse(text: &str) -> Option<NaiveDateTime> {
    let mut reader = Reader { rest: text.trim() };
    let date = reader.date()?;
    let blanks = reader.blanks();
    let time = if reader.take_any(&['T', 't'])
        || (blanks && reader.rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        reader.time()?
    } else {
        NaiveTime::MIN
    };
    reader.blanks();
    let offset = reader.offset()?;
    if !reader.rest.is_empty() {
        return None;
    }
    in_range(date.and_time(time).checked_sub_signed(offset)?)
}

/// Reads a text from the left.
pub(super) struct Reader<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        before != self.rest.len()
    }

    pub(super) fn take_any(&mut self, characters: &[char]) -> bool {
        match self.rest.strip_prefix(characters) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads from `least` to `most` digits, as many as there are.
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<&'t str> {
        let count = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (digits, rest) = self.rest.split_at(count);
        (count >= least).then(|| {
            self.rest = rest;
            digits
        })
    }

    pub(super) fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        self.digits(least, most)?.parse().ok()
    }

    /// Reads a name in any case and returns its number, from 1; of the long names, or their first three letters.
    pub(super) fn name(&mut self, names: &[&str], long: bool) -> Option<u32> {
        for (number, name) in (1..).zip(names) {
            let name = if long { name } else { &name[..3] };
            let Some(here) = self.rest.get(..name.len()) else {
                continue;
            };
            if here.eq_ignore_ascii_case(name) {
                self.rest = &self.rest[name.len()..];
                return Some(number);
            }
        }
        None
    }

    fn any_name(&mut self, names: &[&str]) -> Option<u32> {
        self.name(names, true).or_else(|| self.name(names, false))
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let weekday = self.any_name(&WEEKDAYS);
        if weekday.is_some() {
            self.take_any(&[',', '.']);
            self.blanks();
        }
        let date = if let Some(month) = self.any_name(&MONTHS) {
            self.take_any(&['.']);
            self.blanks();
            let day = self.number(1, 2)?;
            self.take_any(&[',']);
            self.blanks();
            NaiveDate::from_ymd_opt(self.year()?, month, day)
        } else {
            self.numeric_date()
        }?;
        let said = weekday.is_none_or(|number| date.weekday().number_from_sunday() == number);
        said.then_some(date)
    }

    fn numeric_date(&mut self) -> Option<NaiveDate> {
        let first = self.digits(1, 4)?;
        let number: u32 = first.parse().ok()?;
        let separator = self.rest.chars().next()?;
        if !matches!(separator, '-' | '/' | '.' | ' ') {
            return None;
        }
        self.take_any(&[separator]);
        if let Some(month) = self.any_name(&MONTHS) {
            self.take_any(&[separator, ',']);
            self.blanks();
            return NaiveDate::from_ymd_opt(self.year()?, month, number);
        }
        if separator == ' ' {
            return None;
        }
        let second = self.number(1, 2)?;
        if !self.take_any(&[separator]) {
            return None;
        }
        match first.len() {
            4 => NaiveDate::from_ymd_opt(i32::try_from(number).ok()?, second, self.number(1, 2)?),
            1 | 2 => NaiveDate::from_ymd_opt(self.year()?, number, second),
            _ => None,
        }
    }

    fn year(&mut self) -> Option<i32> {
        self.digits(4, 4)?.parse().ok()
    }

    fn time(&mut self) -> Option<NaiveTime> {
        let hour = self.number(1, 2)?;
        if !self.take_any(&[':']) {
            return None;
        }
        let minute = self.number(2, 2)?;
        let (mut second, mut nanos) = (0, 0);
        if self.take_any(&[':']) {
            second = self.number(2, 2)?;
            if self.take_any(&['.', ',']) {
                nanos = nanoseconds(self.digits(1, 9)?)?;
            }
        }
        let before = self.rest;
        self.blanks();
        let half = self.name(&["AM ", "PM "].map(|half| &half[..2]), true);
        if half.is_none() {
            self.rest = before;
        }
        let hour = match half {
            Some(half) => on_clock(hour, half == 2)?,
            None => hour,
        };
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
    }

    /// Reads `Z`, `GMT`, `UTC`, `+08:00`, `+0800`, `+08`, or nothing.
    fn offset(&mut self) -> Option<TimeDelta> {
        if self.name(&["GMT", "UTC"], true).is_some() || self.take_any(&['Z', 'z']) {
            return Some(TimeDelta::zero());
        }
        if self.rest.is_empty() {
            return Some(TimeDelta::zero());
        }
        self.signed_offset(2, true)
    }

    /// Reads a sign and hours of at least so many digits, with minutes where they are wanted and present.
    pub(super) fn signed_offset(&mut self, least: usize, minutes: bool) -> Option<TimeDelta> {
        let negative = self.rest.starts_with('-');
        if !self.take_any(&['+', '-']) {
            return None;
        }
        let hours = i64::from(self.number(least, 2)?);
        let mut past = 0;
        if minutes && (self.take_any(&[':']) || self.rest.starts_with(|c: char| c.is_ascii_digit())) {
            past = i64::from(self.number(2, 2)?);
        }
        // .NET's own limit.
        if hours > 14 || past > 59 {
            return None;
        }
        let minutes = hours * 60 + past;
        Some(TimeDelta::minutes(if negative { -minutes } else { minutes }))
    }
}

/// Converts the hour of a twelve-hour clock.
pub(super) fn on_clock(hour: u32, afternoon: bool) -> Option<u32> {
    match (hour, afternoon) {
        (0 | 13.., _) => None,
        (12, false) => Some(0),
        (12, true) => Some(12),
        (hour, false) => Some(hour),
        (hour, true) => Some(hour + 12),
    }
}

/// Returns the nanoseconds of digits behind a decimal point.
pub(super) fn nanoseconds(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    let missing = 9_u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
    number.checked_mul(10_u32.pow(missing))
}

/// Returns the Sunday that begins the week, at the same time of day.
pub(super) fn sunday_of(at: NaiveDateTime) -> Option<NaiveDateTime> {
    at.checked_sub_days(Days::new(u64::from(at.weekday().num_days_from_sunday())))
}

/// Parses the date of a text that the functions printed themselves; any other text is not a date.
pub(in crate::mapping) fn parse_printed(text: &str) -> Option<NaiveDateTime> {
    if !text.ends_with(['M']) || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    parse(text).filter(|at| print(*at) == text)
}
