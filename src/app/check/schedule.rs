//! `check`: whether the job writes, when it runs next, and the verdict.

use super::Level;
use super::Line;
use super::Lines;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::settings::job::Job;
use crate::settings::job::Mode;
use crate::settings::schedule::Beat;

/// The mode, and the next cycles.
pub(super) fn mode(name: &str, job: &Job, lines: &mut Lines) {
    match job.mode {
        Mode::Enforce => lines.ok("mode", "enforce: `sync` and `run` write to the target"),
        Mode::Observe => lines.ok(
            "mode",
            format!(
                "observe: everything is planned and nothing written, until jobs.{name}.mode = \"enforce\""
            ),
        ),
    }
    if !job.enabled {
        let advice = format!("set jobs.{name}.enabled = true where it is to run on its schedule");
        return lines.add(
            Level::Warn,
            "next",
            "the job is not enabled: `run` leaves it alone",
            advice,
        );
    }
    let now = SystemClock.now();
    let shown = |next: Option<Timestamp>| next.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let incremental = match &job.schedule {
        Some(Beat::Auto) => "every 30 s while the source changes, else every 5 min".to_owned(),
        Some(Beat::Cron(schedule)) => shown(schedule.next_after(now)),
        None => shown(None),
    };
    let full = job
        .full_schedule
        .as_ref()
        .and_then(|schedule| schedule.next_after(now));
    lines.ok(
        "next",
        format!(
            "while `melonsync run` runs: incremental cycle {incremental}, full cycle {}",
            shown(full)
        ),
    );
}

/// What all of it comes to.
pub(super) fn verdict(job: &Job, lines: &[Line]) -> Line {
    let count = |level| lines.iter().filter(|line| line.level == level).count();
    let named = |level| {
        let mut names: Vec<&str> = Vec::new();
        for line in lines.iter().filter(|line| line.level == level) {
            if !names.contains(&line.what.as_str()) {
                names.push(&line.what);
            }
        }
        names.join(", ")
    };
    let (failed, warned) = (count(Level::Fail), count(Level::Warn));
    let goes = match job.mode {
        Mode::Enforce => "a cycle can run",
        Mode::Observe => "a cycle can run, and will write nothing",
    };
    let (level, text) = match (failed, warned) {
        (0, 0) => (Level::Ok, format!("all is well: {goes}")),
        (0, _) => (
            Level::Ok,
            format!("{goes}; {warned} to look at: {}", named(Level::Warn)),
        ),
        _ => (
            Level::Fail,
            format!(
                "not ready: {failed} failed ({}), {warned} to look at",
                named(Level::Fail)
            ),
        ),
    };
    Line {
        level,
        what: "verdict".to_owned(),
        text,
        advice: match level {
            Level::Fail => "do what stands under each FAIL, then run `melonsync check` again".to_owned(),
            Level::Ok | Level::Warn => String::new(),
        },
    }
}
