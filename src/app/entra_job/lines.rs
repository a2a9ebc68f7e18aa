//! The twelve lines of "safe to switch": evidence in, answers out. A line is `yes` only with evidence for it, `no` with evidence
//! against it, and else it cannot be told.

use std::time::Duration;

use serde_json::Value as Json;

use super::evidence::Evidence;
use super::evidence::KINDS;
use super::evidence::Vouched;
use crate::app::views::entra_job::writing_of_all;
use crate::app::views::entra_verdict::Answer;
use crate::app::views::entra_verdict::VerdictLine;
use crate::model::azure_job::Writing;
use crate::model::clock::Timestamp;

/// So long has to be observed.
const OBSERVED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// A full cycle is not older.
const FULL_WITHIN: Duration = Duration::from_secs(7 * 24 * 3600);
/// A backup is not older.
const BACKUP_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// The log was read to within this of now.
const LOG_BEHIND: Duration = Duration::from_secs(3 * 3600);
/// Days that a credential has to be good for.
const CREDENTIAL_DAYS: i64 = 30;

/// Returns the twelve lines.
#[must_use]
pub fn lines(evidence: &Evidence) -> Vec<VerdictLine> {
    let all = [
        job_found(evidence),
        same_mapping(evidence),
        everybody_matched(evidence),
        nothing_unexplained(evidence),
        observed_long_enough(evidence),
        nothing_differs(evidence),
        log_without_holes(evidence),
        nothing_waits(evidence),
        credentials_last(evidence),
        prepared(evidence),
        nobody_else(evidence),
        paused(evidence),
    ];
    all.into_iter()
        .zip(1..)
        .map(|(line, number)| VerdictLine { number, ..line })
        .collect()
}

fn line(what: &str, command: &str, answer: Answer, text: impl Into<String>) -> VerdictLine {
    VerdictLine {
        answer,
        command: command.to_owned(),
        number: 0,
        text: text.into(),
        what: what.to_owned(),
    }
}

fn job_found(evidence: &Evidence) -> VerdictLine {
    let (answer, text) = match &evidence.jobs {
        Err(why) => (Answer::Unknown, why.clone()),
        Ok(jobs) if jobs.is_empty() => (Answer::No, "the application has no provisioning job".to_owned()),
        Ok(jobs) => {
            let each: Vec<String> = jobs
                .iter()
                .map(|job| format!("{} is {}", job.id, job.state.name()))
                .collect();
            let known = jobs.iter().all(|job| job.writing() != Writing::Unknown);
            (if known { Answer::Yes } else { Answer::Unknown }, each.join(", "))
        }
    };
    line("Azure's job is found", "melonsync entra-job status", answer, text)
}

fn same_mapping(evidence: &Evidence) -> VerdictLine {
    let vouched = evidence.vouched.contains(&Vouched::Mapping);
    let (answer, text) = match &evidence.schema {
        Err(why) => (Answer::Unknown, why.clone()),
        Ok(schema) if schema.same && schema.left_out.is_empty() => (
            Answer::Yes,
            "the mapping in force is the one of Azure's schema as it is today".to_owned(),
        ),
        Ok(schema) => {
            let mapping = if schema.same {
                "the mapping is the same"
            } else {
                "the mapping in force is another than Azure's schema makes"
            };
            let left = match schema.left_out.len() {
                0 => String::new(),
                count => format!(
                    "; {count} parts of it are not carried over: {}",
                    schema.left_out.join(", ")
                ),
            };
            let word = if vouched { ", confirmed by you" } else { "" };
            (
                if vouched { Answer::Yes } else { Answer::No },
                format!("{mapping}{left}{word}"),
            )
        }
    };
    line(
        "the mapping is Azure's",
        "melonsync mapping import-entra FILE",
        answer,
        text,
    )
}

fn count(full: &Json, names: &[&str]) -> u64 {
    names
        .iter()
        .filter_map(|name| full["operations"][name].as_u64())
        .sum()
}

/// The last full cycle, where it is fresh and came to its end.
fn fresh(evidence: &Evidence) -> Result<&Json, (Answer, String)> {
    let Some(full) = &evidence.full else {
        return Err((
            Answer::Unknown,
            "no full cycle has read the target so far".to_owned(),
        ));
    };
    let started = full["started"]
        .as_str()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let is_fresh =
        started.is_some_and(|at| evidence.now.since(Timestamp(at.timestamp_millis())) <= FULL_WITHIN);
    if !is_fresh {
        return Err((
            Answer::Unknown,
            "the last full cycle is older than a week".to_owned(),
        ));
    }
    match full["outcome"].as_str() {
        Some("planned" | "converged" | "partial" | "withheld") => Ok(full),
        other => Err((
            Answer::No,
            format!("the last full cycle ended {}", other.unwrap_or("unknown")),
        )),
    }
}

fn everybody_matched(evidence: &Evidence) -> VerdictLine {
    let (answer, text) = match fresh(evidence) {
        Err(refused) => refused,
        Ok(full) => {
            let links = count(full, &["link_user", "link_group"]);
            let creates = count(full, &["create_user", "create_group"]);
            let unclear = full["failed"].as_array().map_or(0, Vec::len);
            let answer = if unclear == 0 { Answer::Yes } else { Answer::No };
            (
                answer,
                format!(
                    "the target was listed whole: {links} are matched, {creates} would be created, {unclear} are unclear"
                ),
            )
        }
    };
    line("everybody is matched", "melonsync sync --full", answer, text)
}

fn nothing_unexplained(evidence: &Evidence) -> VerdictLine {
    let (answer, text) = match fresh(evidence) {
        Err(refused) => refused,
        Ok(full) => {
            let creates = count(full, &["create_user", "create_group"]);
            let removals = count(
                full,
                &["disable_user", "delete_user", "delete_group", "remove_member"],
            );
            let rest = count(
                full,
                &["update_user", "enable_user", "update_group", "add_member"],
            );
            let answer = if creates + removals == 0 {
                Answer::Yes
            } else {
                Answer::No
            };
            let ids = evidence.tally.external_ids;
            (
                answer,
                format!(
                    "{creates} creates, {removals} removals, {rest} corrections; {ids} change an externalId that Azure made of another value"
                ),
            )
        }
    };
    line(
        "the first cycle only corrects",
        "melonsync plan --full --details",
        answer,
        text,
    )
}

fn observed_long_enough(evidence: &Evidence) -> VerdictLine {
    let Some(observation) = &evidence.observation else {
        return line(
            "a week was observed",
            "melonsync status",
            Answer::No,
            "nothing was observed so far: run the job with mode = \"observe\"",
        );
    };
    let long = evidence.now.since(observation.since);
    let days = long.as_secs() / 86_400;
    let missing: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| !evidence.tally.kinds.contains(kind))
        .collect();
    let (answer, text) = match (long >= OBSERVED_FOR, missing.is_empty()) {
        (true, true) => (Answer::Yes, format!("{days} days, and each kind of event")),
        (enough, _) => {
            let unseen = if missing.is_empty() {
                String::new()
            } else {
                format!("; not seen so far: {}", missing.join(", "))
            };
            let short = if enough { "" } else { ", of 7" };
            (Answer::No, format!("{days} days{short}{unseen}"))
        }
    };
    line(
        "a week was observed",
        "melonsync entra-job logs --since 7d",
        answer,
        text,
    )
}

fn nothing_differs(evidence: &Evidence) -> VerdictLine {
    let tally = &evidence.tally;
    let vouched = evidence.vouched.contains(&Vouched::Differences);
    let unexplained = tally.differently.saturating_sub(tally.explained);
    let text = format!(
        "{} the same, {} only we, {} only Azure, {} differently ({} of them: we clear what Entra leaves), {} too fresh{}",
        tally.same,
        tally.only_we,
        tally.only_they,
        tally.differently,
        tally.explained,
        tally.pending,
        if vouched {
            "; the differences are confirmed by you"
        } else {
            ""
        }
    );
    let compared = tally.same + tally.only_we + tally.only_they + tally.differently;
    let answer = match (log_is_whole(evidence), compared) {
        (_, _) if tally.only_they > 0 => Answer::No,
        (_, _) if unexplained > 0 && !vouched => Answer::No,
        (false, _) | (true, 0) => Answer::Unknown,
        (true, _) => Answer::Yes,
    };
    line(
        "both decide the same",
        "melonsync entra-job verdict -o json",
        answer,
        text,
    )
}

fn log_is_whole(evidence: &Evidence) -> bool {
    evidence.observation.as_ref().is_some_and(|held| {
        held.holes.is_empty()
            && held.log_problem.is_none()
            && held
                .log_until
                .is_some_and(|until| evidence.now.since(until) <= LOG_BEHIND)
    })
}

fn log_without_holes(evidence: &Evidence) -> VerdictLine {
    let (answer, text) = match &evidence.observation {
        None => (Answer::Unknown, "nothing was observed so far".to_owned()),
        Some(_) if log_is_whole(evidence) => (
            Answer::Yes,
            "Azure's log was read since the observation began".to_owned(),
        ),
        Some(held) if !held.holes.is_empty() => (
            Answer::No,
            format!(
                "of {} stretches the log was gone before it was read",
                held.holes.len()
            ),
        ),
        Some(held) => {
            let why = held
                .log_problem
                .clone()
                .unwrap_or_else(|| "the log was last read hours ago".to_owned());
            let weaker = "not provable without the log; the weaker proof is `melonsync drift --refresh` before and after a week: what \
                          Azure changed meanwhile is what this job planned";
            (Answer::Unknown, format!("{why}; {weaker}"))
        }
    };
    line("the log has no holes", "melonsync entra-job logs", answer, text)
}

fn nothing_waits(evidence: &Evidence) -> VerdictLine {
    let (withheld, escrow) = evidence.waiting;
    let answer = if withheld + escrow == 0 {
        Answer::Yes
    } else {
        Answer::No
    };
    line(
        "nothing waits",
        "melonsync status",
        answer,
        format!("{withheld} operations are withheld, {escrow} entries are in escrow"),
    )
}

fn credentials_last(evidence: &Evidence) -> VerdictLine {
    let vouched = evidence.vouched.contains(&Vouched::SecondToken);
    let named = [("Graph", evidence.days[0]), ("the target", evidence.days[1])];
    let each: Vec<String> = named
        .iter()
        .map(|(what, days)| {
            days.map_or_else(
                || format!("{what}: unknown, write `expires` beside it"),
                |days| format!("{what}: {days} days"),
            )
        })
        .collect();
    let second = if vouched {
        "; a token of its own, confirmed by you"
    } else {
        "; whether Azure has a token of its own cannot be seen: --confirm second-token"
    };
    let answer = match evidence.days {
        [Some(source), Some(target)] if source < CREDENTIAL_DAYS || target < CREDENTIAL_DAYS => Answer::No,
        [Some(_), Some(_)] if vouched => Answer::Yes,
        _ => Answer::Unknown,
    };
    line(
        "credentials last",
        "melonsync check",
        answer,
        format!("{}{second}", each.join(", ")),
    )
}

fn prepared(evidence: &Evidence) -> VerdictLine {
    let vouched = evidence.vouched.contains(&Vouched::Notify);
    let (receivers, protected) = evidence.cared_for;
    let fresh = evidence
        .backup
        .is_some_and(|made| evidence.now.since(made) <= BACKUP_WITHIN);
    let backup = match evidence.backup {
        Some(made) => format!("backup of {made}"),
        None => "no backup".to_owned(),
    };
    let told = if vouched {
        ", a notification arrived, confirmed by you"
    } else {
        ", whether a notification arrives cannot be seen: --confirm notify"
    };
    let answer = match (fresh && receivers > 0 && protected > 0, vouched) {
        (false, _) => Answer::No,
        (true, true) => Answer::Yes,
        (true, false) => Answer::Unknown,
    };
    let text = format!("{backup}, {receivers} receivers of notifications, {protected} protected names{told}");
    line(
        "prepared for trouble",
        "melonsync state backup --out FILE",
        answer,
        text,
    )
}

fn nobody_else(evidence: &Evidence) -> VerdictLine {
    let answer = match (
        evidence.foreign_values,
        evidence.tally.gone,
        log_is_whole(evidence),
    ) {
        (1.., _, _) => Answer::No,
        (0, 0, true) => Answer::Yes,
        (0, _, _) => Answer::Unknown,
    };
    let text = format!(
        "{} values at the target are of another writer; {} changes that were wanted were made, or taken back, by neither",
        evidence.foreign_values, evidence.tally.gone
    );
    line("nobody else writes", "melonsync drift --refresh", answer, text)
}

fn paused(evidence: &Evidence) -> VerdictLine {
    let (answer, text) = match &evidence.jobs {
        Err(why) => (Answer::Unknown, why.clone()),
        Ok(jobs) if jobs.is_empty() => (Answer::Unknown, "no job of Azure's is found".to_owned()),
        Ok(jobs) => match writing_of_all(jobs) {
            Writing::No => (Answer::Yes, "it is paused, and no execution runs".to_owned()),
            Writing::Yes => (
                Answer::No,
                "it writes still: pause it as the last step before the switch".to_owned(),
            ),
            Writing::StillRunning => (
                Answer::No,
                "it is paused, and the execution that ran then goes on".to_owned(),
            ),
            Writing::Unknown => (Answer::Unknown, "its state is not known here".to_owned()),
        },
    };
    line(
        "Azure's job is paused",
        "melonsync entra-job pause --wait --login",
        answer,
        text,
    )
}

#[cfg(test)]
mod tests;
