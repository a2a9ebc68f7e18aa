//! .NET's format strings for dates and times, custom and standard, in the culture `en-US`: the one that Entra's
//! own output (`M/d/yyyy h:mm:ss tt`) is in.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, Timelike};

use super::moment::MONTHS;
use super::moment::Moment;
use super::moment::Reader;
use super::moment::WEEKDAYS;
use super::moment::Zone;
use super::moment::in_range;
use super::moment::nanoseconds;
use super::moment::on_clock;

/// One part of a format; numbers count the letter's repetitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Year(usize),
    Month(usize),
    Day(usize),
    Hour12(usize),
    Hour24(usize),
    Minute(usize),
    Second(usize),
    /// `f`, or `F`, which leaves out zeros at the end.
    Fraction(usize, bool),
    Half(usize),
    Zone(usize),
    Kind,
    Era,
    Literal(char),
}

/// How a text is parsed (.NET's `DateTimeStyles`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Styles {
    leading: bool,
    trailing: bool,
    inner: bool,
    adjust: bool,
    assume_utc: bool,
}

impl Default for Styles {
    /// Returns `RoundtripKind, AllowLeadingWhite, AllowTrailingWhite`, as documented.
    fn default() -> Self {
        Self {
            leading: true,
            trailing: true,
            inner: false,
            adjust: false,
            assume_utc: false,
        }
    }
}

/// Parses the styles of a list such as `AllowWhiteSpaces, AdjustToUniversal`; the names may be written with their type.
pub(super) fn styles(text: &str) -> Result<Styles, String> {
    let mut styles = Styles {
        leading: false,
        trailing: false,
        ..Styles::default()
    };
    let names = text
        .split([',', '|'])
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut none = true;
    for name in names {
        none = false;
        match name.strip_prefix("DateTimeStyles.").unwrap_or(name) {
            "AllowLeadingWhite" => styles.leading = true,
            "AllowTrailingWhite" => styles.trailing = true,
            "AllowInnerWhite" => styles.inner = true,
            "AllowWhiteSpaces" => (styles.leading, styles.trailing, styles.inner) = (true, true, true),
            "AdjustToUniversal" => styles.adjust = true,
            "AssumeUniversal" => styles.assume_utc = true,
            // A server's local time is UTC, and missing dates are not today's here.
            "None" | "AssumeLocal" | "RoundtripKind" | "NoCurrentDateDefault" => {}
            other => return Err(format!("`{other}` is not one of .NET's DateTimeStyles")),
        }
    }
    Ok(if none { Styles::default() } else { styles })
}

/// Returns the custom format that a standard format of one letter stands for.
fn standard(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "M/d/yyyy",
        'D' => "dddd, MMMM d, yyyy",
        'f' => "dddd, MMMM d, yyyy h:mm tt",
        'F' | 'U' => "dddd, MMMM d, yyyy h:mm:ss tt",
        'g' => "M/d/yyyy h:mm tt",
        'G' => "M/d/yyyy h:mm:ss tt",
        'm' | 'M' => "MMMM d",
        'o' | 'O' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
        'r' | 'R' => "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
        's' => "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
        't' => "h:mm tt",
        'T' => "h:mm:ss tt",
        'u' => "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
        'y' | 'Y' => "MMMM yyyy",
        _ => return None,
    })
}

/// Returns the parts of a format.
pub(super) fn parts(format: &str) -> Result<Vec<Part>, String> {
    let mut letters = format.chars();
    match (letters.next(), letters.next()) {
        (None, _) => Err("a date format is empty".to_owned()),
        (Some(letter), None) => match standard(letter) {
            Some(custom) => custom_parts(custom),
            None => Err(format!("`{letter}` is not one of .NET's standard date formats")),
        },
        _ => custom_parts(format),
    }
}

fn custom_parts(format: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let count = rest.chars().take_while(|c| *c == letter).count();
        let length = letter.len_utf8();
        let mut taken = count * length;
        match letter {
            'y' => parts.push(Part::Year(count)),
            'M' => parts.push(Part::Month(count.min(4))),
            'd' => parts.push(Part::Day(count.min(4))),
            'h' => parts.push(Part::Hour12(count.min(2))),
            'H' => parts.push(Part::Hour24(count.min(2))),
            'm' => parts.push(Part::Minute(count.min(2))),
            's' => parts.push(Part::Second(count.min(2))),
            'f' | 'F' if count <= 7 => parts.push(Part::Fraction(count, letter == 'F')),
            'f' | 'F' => return Err("a fraction of a second has at most 7 digits".to_owned()),
            't' => parts.push(Part::Half(count.min(2))),
            'z' => parts.push(Part::Zone(count.min(3))),
            'K' => {
                parts.push(Part::Kind);
                taken = length;
            }
            'g' => parts.push(Part::Era),
            '"' | '\'' => taken = quoted(rest, letter, &mut parts)?,
            '\\' => {
                let Some(c) = rest.chars().nth(1) else {
                    return Err("a backslash stands at the end of a date format".to_owned());
                };
                parts.push(Part::Literal(c));
                taken = 1 + c.len_utf8();
            }
            '%' => {
                if matches!(rest.chars().nth(1), None | Some('%')) {
                    return Err("`%` in a date format stands before one format letter".to_owned());
                }
                taken = 1;
            }
            other => {
                parts.push(Part::Literal(other));
                taken = length;
            }
        }
        rest = &rest[taken..];
    }
    Ok(parts)
}

/// Reads the text between quotes. Returns how many bytes it takes with them.
fn quoted(text: &str, quote: char, parts: &mut Vec<Part>) -> Result<usize, String> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == quote => return Ok(at + 1),
            '\\' => parts.extend(characters.next().map(|(_, c)| Part::Literal(c))),
            c => parts.push(Part::Literal(c)),
        }
    }
    Err(format!("a {quote} in a date format is never closed"))
}

/// Writes the time in that format.
pub(super) fn write(moment: &Moment, parts: &[Part]) -> String {
    let at = moment.at;
    let padded = |number: u32, count: usize| format!("{number:0count$}");
    let name = |names: &[&str], index: u32, count: usize| -> String {
        let name = names.get(index as usize).copied().unwrap_or_default();
        if count == 3 {
            name[..3].to_owned()
        } else {
            name.to_owned()
        }
    };
    let mut out = String::new();
    for part in parts {
        let text = match part {
            Part::Year(count @ (1 | 2)) => padded(at.year().unsigned_abs() % 100, *count),
            Part::Year(count) => padded(at.year().unsigned_abs(), *count),
            Part::Month(count @ (1 | 2)) => padded(at.month(), *count),
            Part::Month(count) => name(&MONTHS, at.month0(), *count),
            Part::Day(count @ (1 | 2)) => padded(at.day(), *count),
            Part::Day(count) => name(&WEEKDAYS, at.weekday().num_days_from_sunday(), *count),
            Part::Hour12(count) => padded(at.hour12().1, *count),
            Part::Hour24(count) => padded(at.hour(), *count),
            Part::Minute(count) => padded(at.minute(), *count),
            Part::Second(count) => padded(at.second(), *count),
            Part::Fraction(count, trimmed) => {
                let digits = format!("{:09}", at.nanosecond() % 1_000_000_000);
                let digits = &digits[..*count];
                let digits = if *trimmed {
                    digits.trim_end_matches('0')
                } else {
                    digits
                };
                // `.FFF` drops its point too where no digit is left.
                if digits.is_empty() && out.ends_with('.') {
                    out.pop();
                }
                digits.to_owned()
            }
            Part::Half(count) => {
                let half = if at.hour12().0 { "PM" } else { "AM" };
                half[..*count].to_owned()
            }
            Part::Zone(1) => "+0".to_owned(),
            Part::Zone(2) => "+00".to_owned(),
            Part::Zone(_) => "+00:00".to_owned(),
            Part::Kind => match moment.zone {
                Zone::Unspecified => String::new(),
                Zone::Utc => "Z".to_owned(),
                Zone::Local => "+00:00".to_owned(),
            },
            Part::Era => "A.D.".to_owned(),
            Part::Literal(c) => c.to_string(),
        };
        out.push_str(&text);
    }
    out
}

/// The fields read so far.
#[derive(Default)]
struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    weekday: Option<u32>,
    hour: u32,
    twelve: bool,
    afternoon: bool,
    minute: u32,
    second: u32,
    nanos: u32,
    offset: Option<TimeDelta>,
    utc: bool,
}

/// Parses the time of a text in that format. Returns `None` where it does not fit. A field that the format leaves out
/// gets its first value: January, day 1, midnight; and the year 1 where it has no date at all, where .NET would take
/// today's.
pub(super) fn read(text: &str, parts: &[Part], styles: Styles) -> Option<Moment> {
    let mut reader = Reader { rest: text };
    if styles.leading {
        reader.blanks();
    }
    let mut fields = Fields::default();
    for (index, part) in parts.iter().enumerate() {
        if styles.inner && !matches!(part, Part::Literal(c) if c.is_whitespace()) {
            reader.blanks();
        }
        // `.FFF` may be left out with its point.
        let optional =
            *part == Part::Literal('.') && matches!(parts.get(index + 1), Some(Part::Fraction(_, true)));
        if !optional || reader.rest.starts_with('.') {
            fields.read(part, &mut reader)?;
        }
    }
    if styles.trailing {
        reader.blanks();
    }
    if !reader.rest.is_empty() {
        return None;
    }
    fields.moment(styles)
}

impl Fields {
    fn read(&mut self, part: &Part, reader: &mut Reader<'_>) -> Option<()> {
        // One letter takes one digit or two, more letters take exactly as many.
        let mut number = |count: usize| reader.number(count, 2);
        match part {
            Part::Year(count @ (1 | 2)) => {
                let year = number(*count)?;
                // .NET's turn of the century (Calendar.TwoDigitYearMax = 2029).
                self.year = i32::try_from(year + if year < 30 { 2000 } else { 1900 }).ok();
            }
            Part::Year(3) => self.year = Some(reader.number(3, 4)?.try_into().ok()?),
            Part::Year(count) => self.year = Some(reader.number(*count, *count)?.try_into().ok()?),
            Part::Month(count @ (1 | 2)) => self.month = Some(number(*count)?),
            Part::Month(count) => self.month = Some(reader.name(&MONTHS, *count == 4)?),
            Part::Day(count @ (1 | 2)) => self.day = Some(number(*count)?),
            Part::Day(count) => self.weekday = Some(reader.name(&WEEKDAYS, *count == 4)?),
            Part::Hour12(count) => (self.hour, self.twelve) = (number(*count)?, true),
            Part::Hour24(count) => self.hour = number(*count)?,
            Part::Minute(count) => self.minute = number(*count)?,
            Part::Second(count) => self.second = number(*count)?,
            Part::Fraction(count, optional) => {
                let digits = reader.digits(if *optional { 0 } else { *count }, *count)?;
                self.nanos = if digits.is_empty() {
                    0
                } else {
                    nanoseconds(digits)?
                };
            }
            Part::Half(1) => self.afternoon = reader.name(&["A", "P"], true)? == 2,
            Part::Half(_) => self.afternoon = reader.name(&["AM", "PM"], true)? == 2,
            Part::Zone(count) => {
                self.offset = Some(reader.signed_offset(if *count == 1 { 1 } else { 2 }, *count == 3)?);
            }
            Part::Kind if reader.take_any(&['Z', 'z']) => self.utc = true,
            Part::Kind if reader.rest.starts_with(['+', '-']) => {
                self.offset = Some(reader.signed_offset(2, true)?);
            }
            Part::Kind => {}
            Part::Era => {
                reader.name(&["A.D.", "AD"], true)?;
            }
            Part::Literal(c) => {
                if !reader.take_any(&[*c]) {
                    return None;
                }
            }
        }
        Some(())
    }

    fn moment(&self, styles: Styles) -> Option<Moment> {
        let year = match (self.year, self.month, self.day) {
            (Some(year), ..) => year,
            (None, None, None) => 1,
            // .NET would take this year, and another one at New Year.
            _ => return None,
        };
        let date = NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?;
        if self
            .weekday
            .is_some_and(|number| date.weekday().number_from_sunday() != number)
        {
            return None;
        }
        let hour = if self.twelve {
            on_clock(self.hour, self.afternoon)?
        } else {
            self.hour
        };
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanos)?;
        let at = date
            .and_time(time)
            .checked_sub_signed(self.offset.unwrap_or_default())?;
        let zone = match (self.utc || self.offset.is_some(), styles.adjust) {
            (true, true) => Zone::Utc,
            (true, false) if self.utc => Zone::Utc,
            (true, false) => Zone::Local,
            (false, _) if !styles.assume_utc => Zone::Unspecified,
            (false, true) => Zone::Utc,
            (false, false) => Zone::Local,
        };
        Some(Moment {
            at: in_range(at)?,
            zone,
        })
    }
}
