//! The brake: two writers of one property succeed in every cycle, so that counting failures does not see them. Writes are
//! counted by cell and by day.

use std::time::Duration;

use super::canonical::Compare;
use super::cell::Cell;
use super::cell::MOST_A_DAY;
use super::cell::Written;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

/// The time over which the writes of a cell are counted.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// So many writes a day over all cells are never too many.
const ALWAYS_ALLOWED: u64 = 50;
/// More than so many times the usual number of writes a day is too many.
const TIMES_THE_USUAL: u64 = 3;
/// The number of days that tell the usual number.
pub const USUAL_DAYS: usize = 14;

/// Returns true where one more write of this cell would go on with a quarrel: a value, another one and the first again within a
/// day, or as many writes as a day may have.
#[must_use]
pub fn quarrels(cell: &Cell, to: &Value, compare: Compare, now: Timestamp) -> bool {
    let today: Vec<&Written> = cell
        .writes
        .iter()
        .filter(|written| now.since(written.at) < DAY)
        .collect();
    let back_and_forth = today.windows(3).any(|three| {
        compare.alike(&three[0].value, &three[2].value) && !compare.alike(&three[0].value, &three[1].value)
    });
    let goes_on = today.last().is_some_and(|last| !compare.alike(&last.value, to));
    today.len() >= MOST_A_DAY || (back_and_forth && goes_on)
}

/// Returns the most writes over all cells that today may have, by the numbers of the days before (at most [`USUAL_DAYS`] count,
/// the latest last).
#[must_use]
pub fn most_today(before: &[u64]) -> u64 {
    let latest = before.len().saturating_sub(USUAL_DAYS);
    let mut days = before[latest..].to_vec();
    days.sort_unstable();
    let median = match days.len() {
        0 => 0,
        n if n % 2 == 1 => days[n / 2],
        n => u64::midpoint(days[n / 2 - 1], days[n / 2]),
    };
    median.saturating_mul(TIMES_THE_USUAL).max(ALWAYS_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(writes: &[(&str, u64)]) -> Cell {
        let writes = writes.iter().map(|(value, hour)| Written {
            value: Value::text(*value),
            at: hours(*hour),
        });
        Cell {
            writes: writes.collect(),
            ..Cell::default()
        }
    }

    fn hours(hour: u64) -> Timestamp {
        Timestamp(1_800_000_000_000).plus(Duration::from_secs(hour * 3600))
    }

    #[test]
    fn a_quarrel_is_seen_by_its_values_or_by_its_number() {
        for (name, writes, to, hour, expected) in [
            ("nothing was written", vec![], "a", 0, false),
            (
                "there and back is two edits",
                vec![("a", 0), ("b", 1)],
                "a",
                2,
                false,
            ),
            (
                "a fourth move of the same two",
                vec![("a", 0), ("b", 1), ("a", 2)],
                "b",
                3,
                true,
            ),
            (
                "three different values",
                vec![("a", 0), ("b", 1), ("c", 2)],
                "d",
                3,
                false,
            ),
            ("a day later", vec![("a", 0), ("b", 1), ("a", 2)], "b", 25, false),
            (
                "a seventh write",
                vec![("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 5)],
                "g",
                6,
                true,
            ),
            (
                "a seventh write a day after the first",
                vec![("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 5)],
                "g",
                24,
                false,
            ),
        ] {
            let quarrel = quarrels(&cell(&writes), &Value::text(to), Compare::Text, hours(hour));
            assert_eq!(quarrel, expected, "{name}");
        }
    }

    #[test]
    fn a_day_may_have_three_times_the_usual_number() {
        for (name, before, expected) in [
            ("no day before", vec![], 50),
            ("quiet days", vec![1; 14], 50),
            ("busy days", vec![100; 14], 300),
            ("one busy day is not the usual", vec![1, 1, 1, 900], 50),
            ("an even number of days", vec![20, 40], 90),
            (
                "older days do not count",
                std::iter::repeat_n(900, 20).chain([30; 14]).collect(),
                90,
            ),
        ] {
            assert_eq!(most_today(&before), expected, "{name}");
        }
    }
}
