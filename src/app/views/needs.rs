//! What of a job needs a person: decided from what `status` shows, the gravest first.

use chrono::NaiveDate;

use super::standing::JobStatus;
use super::standing::KeptBack;
use super::verdict::Need;
use super::verdict::Verdict;
use crate::app::service::JobState;
use crate::app::text::count::many;
use crate::model::clock::Timestamp;

/// Which exit code is said where several hold.
const PRECEDENCE: [u8; 5] = [5, 1, 4, 3, 10];

/// So many days before the end of a credential somebody is to know.
const DAYS: i64 = 30;

/// Judges a job.
#[must_use]
pub fn judge(job: &JobStatus, now: Timestamp) -> Verdict {
    let mut needs = Needs::default();
    needs.stopped(job);
    needs.credentials(job, now);
    needs.kept_back(job);
    needs.entries(job);
    needs.pause(job);
    let Needs(needs) = needs;
    let exit_code = PRECEDENCE
        .into_iter()
        .find(|code| needs.iter().any(|need| need.exit_code == *code))
        .unwrap_or_default();
    Verdict {
        exit_code,
        words: words(job, &needs),
        needs,
    }
}

impl JobStatus {
    /// With what the daemon does for it.
    #[must_use]
    pub fn beside(mut self, daemon: JobState, now: Timestamp) -> Self {
        self.daemon = Some(daemon);
        self.judged(now)
    }

    /// With what needs a person.
    pub(super) fn judged(mut self, now: Timestamp) -> Self {
        self.verdict = judge(&self, now);
        self
    }
}

/// What needs a person, as it is found.
#[derive(Default)]
struct Needs(Vec<Need>);

impl Needs {
    /// Adds one: its state, its exit code, how many, in words, and what to do.
    fn add(&mut self, state: &'static str, exit_code: u8, count: u64, words: String, advice: &str) {
        self.0.push(Need {
            count,
            advice: advice.to_owned(),
            exit_code,
            state,
            words,
        });
    }

    /// The job as a whole does not go on.
    fn stopped(&mut self, job: &JobStatus) {
        if let Some(stop) = job.quarantine.as_ref().and_then(|stopped| stopped.job.as_ref()) {
            let words = format!(
                "stopped since {} by its {}: {}",
                stop.since,
                stop.side.word(),
                stop.cause
            );
            self.add("quarantined", 5, 1, words, &stop.hint);
        }
        let problem = job.daemon.as_ref().and_then(|daemon| daemon.problem.as_ref());
        if let Some(problem) = problem.and_then(|problem| problem.errors.first()) {
            let words = format!("the daemon cannot run it: {}", problem.what);
            self.add(
                "broken",
                5,
                1,
                words,
                problem.advice.as_deref().unwrap_or_default(),
            );
        }
        if outcome(job) == Some("failed") {
            let words = "the last cycle failed".to_owned();
            let how = "`melonsync history cycles` shows it, the log says why; `melonsync check` tests the connection";
            self.add("failed", 1, 1, words, how);
        }
    }

    fn credentials(&mut self, job: &JobStatus, now: Timestamp) {
        for (side, last) in [
            ("source", &job.credentials.source),
            ("target", &job.credentials.target),
            ("writer", &job.credentials.writer),
        ] {
            if let Some((exit, words)) = last.as_deref().and_then(|last| expiry(side, last, now)) {
                self.add(
                    "credential",
                    exit,
                    1,
                    words,
                    "put a new one in place; `melonsync check` tests it",
                );
            }
        }
    }

    fn kept_back(&mut self, job: &JobStatus) {
        let KeptBack {
            withheld,
            leavers_held,
        } = job.kept_back.unwrap_or_default();
        if withheld > 0 {
            let words = format!("{} withheld by the guard", many(withheld, "operation"));
            self.add(
                "withheld",
                4,
                withheld,
                words,
                "`melonsync withheld list` shows them by cause",
            );
        }
        if leavers_held > 0 {
            let keep = if leavers_held == 1 { "keeps" } else { "keep" };
            let words = format!("{} {keep} a leaver enabled", many(leavers_held, "hold"));
            self.add(
                "hold",
                4,
                leavers_held,
                words,
                "`melonsync hold list` shows whose",
            );
        }
        for kind in job.quarantine.iter().flat_map(|stopped| &stopped.operations) {
            let words = format!(
                "{} stopped since {}, when {} of {} failed: {}",
                kind.operation, kind.since, kind.failed, kind.sent, kind.cause
            );
            self.add("stopped", 3, kind.failed, words, &kind.hint);
        }
    }

    /// Single entries: they wait, and the job goes on.
    fn entries(&mut self, job: &JobStatus) {
        let escrow = job.escrow.unwrap_or_default() as u64;
        if escrow > 0 {
            let words = format!("{} in escrow", many(escrow, "entry"));
            self.add("escrow", 3, escrow, words, "`melonsync escrow list` shows why");
        }
        let not_kept = job.not_kept.as_ref().map_or(0, Vec::len) as u64;
        if not_kept > 0 {
            let words = format!("the target did not keep {}", many(not_kept, "value"));
            self.add("not_kept", 3, not_kept, words, "`melonsync drift` shows them");
        }
        for stop in job.enrolled().into_iter().flat_map(|enrolled| &enrolled.stops) {
            self.add("enrolled_group", 3, 1, stop.text.clone(), &stop.advice);
        }
        if let Some(drift) = job.drift.filter(|drift| !drift.is_none()) {
            let words = format!("drift: {}", drift.words());
            self.add("drift", 10, 1, words, "`melonsync drift` shows it");
        }
    }

    fn pause(&mut self, job: &JobStatus) {
        if let Some(pause) = &job.paused {
            let exit = if pause.removals_only { 0 } else { 5 };
            let words = format!("{}, since {}", pause.words(), pause.since);
            self.add("paused", exit, 1, words, "`melonsync resume` ends it");
        }
    }
}

fn outcome(job: &JobStatus) -> Option<&str> {
    job.last_cycle.as_ref()?.get("outcome")?.as_str()
}

/// A credential that has ended, or ends soon.
fn expiry(side: &str, last_day: &str, now: Timestamp) -> Option<(u8, String)> {
    let last: NaiveDate = last_day.parse().ok()?;
    let days = (last - now.to_utc().date_naive()).num_days();
    match days {
        ..0 => Some((1, format!("the credential of the {side} ended on {last_day}"))),
        0..=DAYS => {
            let days = many(days.unsigned_abs(), "day");
            Some((
                0,
                format!("the credential of the {side} ends in {days}, on {last_day}"),
            ))
        }
        _ => None,
    }
}

/// The one line.
fn words(job: &JobStatus, needs: &[Need]) -> String {
    if let Some((first, others)) = needs.split_first() {
        return match others.len() as u64 {
            0 => first.words.clone(),
            more => format!("{}; {} more below", first.words, more),
        };
    }
    let nothing_to_do = job
        .waiting
        .as_ref()
        .is_none_or(|waiting| waiting.users + waiting.groups == 0);
    match (outcome(job), job.lag_seconds) {
        (None, _) => "no cycle ran yet".to_owned(),
        (Some("converged"), Some(behind)) => format!("in step, {behind} s behind"),
        (Some("planned"), _) if job.mode == "enforce" => {
            "nothing needs a person; the last cycle only planned".to_owned()
        }
        (Some("planned"), _) if nothing_to_do => "observes; in step".to_owned(),
        (Some("planned"), _) => "observes; `melonsync plan` shows what it would do".to_owned(),
        (Some(other), _) => format!("nothing needs a person; the last cycle ended {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::views::pause::PauseView;
    use crate::app::views::standing::Credentials;

    /// 2026-09-21.
    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn job() -> JobStatus {
        JobStatus {
            lag_seconds: Some(42),
            last_cycle: Some(json!({"outcome": "converged"})),
            ..JobStatus::new("idmelon", "enforce")
        }
    }

    fn pause(removals_only: bool) -> Option<PauseView> {
        Some(PauseView {
            actor: "ada (uid 1000)".to_owned(),
            comment: None,
            removals_only,
            since: Timestamp(0),
            until: None,
        })
    }

    #[test]
    fn the_first_line_says_what_needs_a_person() {
        let kept_back = |withheld, leavers_held| {
            Some(KeptBack {
                leavers_held,
                withheld,
            })
        };
        let ends = |date: &str| Credentials {
            source: Some(date.to_owned()),
            target: None,
            writer: None,
        };
        for (name, job, exit, expected) in [
            ("well", job(), 0, "in step, 42 s behind"),
            ("new", JobStatus::new("idmelon", "enforce"), 0, "no cycle ran yet"),
            (
                "failed",
                JobStatus {
                    last_cycle: Some(json!({"outcome": "failed"})),
                    ..job()
                },
                1,
                "the last cycle failed",
            ),
            (
                "withheld",
                JobStatus {
                    kept_back: kept_back(12, 0),
                    ..job()
                },
                4,
                "12 operations withheld by the guard",
            ),
            (
                "one withheld, one in escrow",
                JobStatus {
                    kept_back: kept_back(1, 0),
                    escrow: Some(1),
                    ..job()
                },
                4,
                "1 operation withheld by the guard; 1 more below",
            ),
            (
                "a leaver on hold",
                JobStatus {
                    kept_back: kept_back(0, 1),
                    ..job()
                },
                4,
                "1 hold keeps a leaver enabled",
            ),
            (
                "escrow",
                JobStatus {
                    escrow: Some(2),
                    ..job()
                },
                3,
                "2 entries in escrow",
            ),
            (
                "a pause of removals",
                JobStatus {
                    paused: pause(true),
                    ..job()
                },
                0,
                "the pause of removals without an end, by ada (uid 1000), since 1970-01-01T00:00:00.000Z",
            ),
            (
                "a pause goes before escrow in the exit code",
                JobStatus {
                    paused: pause(false),
                    escrow: Some(1),
                    ..job()
                },
                5,
                "1 entry in escrow; 1 more below",
            ),
            (
                "a credential that ends",
                JobStatus {
                    credentials: ends("2026-10-01"),
                    ..job()
                },
                0,
                "the credential of the source ends in 10 days, on 2026-10-01",
            ),
            (
                "a credential that ended",
                JobStatus {
                    credentials: ends("2026-09-20"),
                    ..job()
                },
                1,
                "the credential of the source ended on 2026-09-20",
            ),
            (
                "a credential with time",
                JobStatus {
                    credentials: ends("2027-10-01"),
                    ..job()
                },
                0,
                "in step, 42 s behind",
            ),
        ] {
            let verdict = judge(&job, NOW);
            assert_eq!(
                (verdict.exit_code, verdict.words.as_str()),
                (exit, expected),
                "{name}"
            );
        }
    }
}
