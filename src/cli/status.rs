//! `status`: the jobs, their last and next cycles, and what is still to be done.

use serde_json::json;

use super::args::Globals;
use super::args::OneJob;
use super::drift;
use super::exit::Exit;
use super::quarantine;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::install;
use crate::engine::heal;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::shown::shown;
use crate::settings::StoreKind;
use crate::settings::job::Job;
use crate::settings::job::Mode;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::read::Reads;
use crate::snapshot::sled::SLED_IS_GOOD_BELOW;

/// Shows one job, or all.
pub fn run(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let folder = install::hold(&settings)?;
    let now = SystemClock.now();
    let mut jobs = Vec::new();
    for (name, job) in &settings.jobs {
        if args.job.as_ref().is_none_or(|wanted| wanted == name) {
            jobs.push(one(&folder, name, job, now, settings.state.store)?);
        }
    }
    if let (Some(wanted), true) = (&args.job, jobs.is_empty()) {
        install::choose(&settings, Some(wanted))?;
    }
    if report.is_json() {
        report.json(&json!({ "jobs": jobs }));
    } else {
        for job in &jobs {
            report.text(&text(job));
        }
    }
    Ok(Exit::Done)
}

fn one(
    folder: &StateFolder,
    name: &str,
    job: &Job,
    now: Timestamp,
    store: StoreKind,
) -> Result<serde_json::Value, AppError> {
    let failed = |error| install::store_failure(&error);
    let started = folder.jobs().map_err(failed)?.iter().any(|known| known == name);
    let next = |schedule: &Option<crate::settings::schedule::Schedule>| {
        schedule
            .as_ref()
            .filter(|_| job.enabled)
            .and_then(|s| s.next_after(now))
            .map(|t| t.to_string())
    };
    let mut standing = json!({
        "job": name,
        "enabled": job.enabled,
        "mode": if job.mode == Mode::Enforce { "enforce" } else { "observe" },
        "next_cycle": next(&job.schedule),
        "next_full_cycle": next(&job.full_schedule),
        "last_cycle": null,
        "credentials": {
            "source": job.source.credential.expires.map(|date| date.to_string()),
            "target": job.target.expires.map(|date| date.to_string()),
        },
    });
    if !started {
        return Ok(standing);
    }
    let snapshot = install::open(folder, name)?;
    let counts = snapshot.counts().map_err(failed)?;
    let last = snapshot.cycles(1).map_err(failed)?.into_iter().next_back();
    let open = snapshot
        .intents()
        .map_err(failed)?
        .iter()
        .map(|(_, batch)| batch.len())
        .sum::<usize>();
    let mut complete = Vec::new();
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let stream = snapshot.stream(kind).map_err(failed)?;
        complete.push((kind.word(), stream.complete_since.map(|t| t.to_string())));
    }
    let lag = lag(&last, now);
    let pause = snapshot.pause_at(now).map_err(failed)?;
    let found = snapshot.drift_counts().map_err(failed)?;
    let holds = snapshot.holds().map_err(failed)?;
    let holds = holds.iter().filter(|(_, _, hold)| hold.holds_at(now)).count();
    let extra = json!({
        "last_cycle": last,
        "lag_seconds": lag,
        "paused": pause.map(|pause| json!({
            "removals_only": pause.removals_only, "since": pause.since.to_string(), "actor": pause.actor,
            "until": pause.until.map(|until| until.to_string()), "comment": pause.comment,
        })),
        "quarantine": quarantine::shown(&snapshot.quarantine().map_err(failed)?),
        "holds": holds,
        "snapshot": {
            "users": counts.users, "groups": counts.groups, "linked_users": counts.linked_users,
            "linked_groups": counts.linked_groups, "memberships": counts.edges,
            "bytes": snapshot.size_on_disk().map_err(failed)?,
            "advice": advice(store, counts.users + counts.groups),
        },
        "waiting": { "users": counts.dirty_users, "groups": counts.dirty_groups, "open_creates": open },
        "escrow": crate::snapshot::escrow::entries(&snapshot).map_err(failed)?.len(),
        "drift": drift::counts(&found),
        "not_kept": heal::not_kept(&snapshot).map_err(failed)?,
        "source_complete_since": complete.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    });
    if let (Some(standing), Some(extra)) = (standing.as_object_mut(), extra.as_object()) {
        standing.extend(extra.clone());
    }
    Ok(standing)
}

/// What is to be said of the engine at this size: nothing mostly.
fn advice(store: StoreKind, objects: u64) -> Option<String> {
    let outgrown = store == StoreKind::Sled && objects >= SLED_IS_GOOD_BELOW;
    outgrown.then(|| {
        format!(
            "with {SLED_IS_GOOD_BELOW} objects and more `store = \"redb\"` opens faster and takes less memory; \
             docs/operations.md says how to move over"
        )
    })
}

/// Seconds since the last cycle that ended converged began, if the last one did.
fn lag(last: &Option<serde_json::Value>, now: Timestamp) -> Option<u64> {
    let last = last.as_ref()?;
    let converged = last.get("outcome")?.as_str()? == "converged";
    let started = chrono::DateTime::parse_from_rfc3339(last.get("started")?.as_str()?).ok()?;
    converged.then(|| now.since(Timestamp(started.timestamp_millis())).as_secs())
}

#[expect(
    clippy::too_many_lines,
    reason = "a sentence for each thing that a status holds"
)]
fn text(job: &serde_json::Value) -> String {
    let word = |path: &str| match job.pointer(path) {
        Some(serde_json::Value::String(text)) => shown(text).into_owned(),
        Some(serde_json::Value::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    };
    let expires = |side: &str| match job["credentials"][side].as_str() {
        Some(date) => format!("expires on {date}"),
        None => "no `expires` in the config".to_owned(),
    };
    let mut lines = vec![format!(
        "{}  ({}{})",
        word("/job"),
        word("/mode"),
        if job["enabled"] == true {
            ""
        } else {
            ", not enabled"
        }
    )];
    if let Some(by) = job["paused"]["actor"].as_str() {
        let what = if job["paused"]["removals_only"] == true {
            "removals only, "
        } else {
            ""
        };
        lines.push(format!(
            "  paused       {what}by {} since {}",
            shown(by),
            word("/paused/since")
        ));
    }
    lines.extend(quarantine::lines(&job["quarantine"]));
    if job["last_cycle"].is_null() {
        lines.push("  last cycle   none yet".to_owned());
    } else {
        lines.push(format!(
            "  last cycle   {} {}: {} in {} ms",
            word("/last_cycle/started"),
            word("/last_cycle/kind"),
            word("/last_cycle/outcome"),
            word("/last_cycle/duration_ms")
        ));
        lines.push(format!(
            "  snapshot     {} users ({} linked), {} groups ({} linked), {} memberships, {} KiB",
            word("/snapshot/users"),
            word("/snapshot/linked_users"),
            word("/snapshot/groups"),
            word("/snapshot/linked_groups"),
            word("/snapshot/memberships"),
            job["snapshot"]["bytes"]
                .as_u64()
                .unwrap_or_default()
                .div_ceil(1024)
        ));
        if let Some(advice) = job["snapshot"]["advice"].as_str() {
            lines.push(format!("  store        {advice}"));
        }
        lines.push(format!(
            "  waiting      {} users, {} groups, {} open creates; {} in escrow; {} withheld, {} failed in the last cycle",
            word("/waiting/users"),
            word("/waiting/groups"),
            word("/waiting/open_creates"),
            word("/escrow"),
            word("/last_cycle/withheld/count"),
            job["last_cycle"]["failed"].as_array().map_or(0, Vec::len)
        ));
    }
    let classes = job["drift"].as_object().into_iter().flatten();
    let words: Vec<String> = classes
        .filter(|(_, count)| count.as_u64() > Some(0))
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    if !words.is_empty() {
        lines.push(format!(
            "  drift        {}: `melonsync drift` shows it",
            words.join(", ")
        ));
    }
    if let Some(not_kept @ [first, ..]) = job["not_kept"].as_array().map(Vec::as_slice) {
        let (count, path) = (not_kept.len(), first["attribute"].as_str().unwrap_or_default());
        let name = first["name"].as_str().unwrap_or_default();
        lines.push(format!(
            "  not kept     {count} sent and answered well, and the target holds something else, first {path} of {name}: \
             `melonsync drift` shows all"
        ));
    }
    lines.push(format!(
        "  next cycle   {} (full: {})",
        word("/next_cycle"),
        word("/next_full_cycle")
    ));
    lines.push(format!(
        "  credentials  source: {}; target: {}",
        expires("source"),
        expires("target")
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_directory_in_sled_is_told_of_the_other_engine() {
        let told = |store, objects| advice(store, objects).is_some();
        assert!(told(StoreKind::Sled, SLED_IS_GOOD_BELOW));
        assert!(!told(StoreKind::Sled, SLED_IS_GOOD_BELOW - 1));
        assert!(!told(StoreKind::Redb, SLED_IS_GOOD_BELOW));
    }
}
