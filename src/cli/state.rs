//! `state`: the snapshot checked, exported, backed up and restored.

use super::args::Globals;
use super::args::StateAction;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::failure::Shown;
use super::report::Report;
use crate::snapshot::export;
use crate::snapshot::read::Reads;
use crate::snapshot::transfer;
use crate::snapshot::verify;

/// Carries out one of them. Each needs the state folder for itself.
pub fn run(globals: &Globals, action: &StateAction, report: &mut Report) -> Result<Exit, Failure> {
    let settings = factory::settings(globals, true)?;
    let wanted = match action {
        StateAction::Verify(job) | StateAction::Export(job) => job.job.as_deref(),
        StateAction::Backup { job, .. } | StateAction::Restore { job, .. } => job.as_deref(),
    };
    let (name, _) = factory::choose(&settings, wanted)?;
    let folder = factory::hold(&settings)?;
    let failed = |error| factory::store_failure(&error);
    match action {
        StateAction::Verify(_) => {
            let found = verify::verify(&factory::open(&folder, name)?).map_err(failed)?;
            let counts = found.counts;
            if report.is_json() {
                report.json(&serde_json::json!({
                    "job": name, "users": counts.users, "groups": counts.groups, "memberships": counts.edges,
                    "linked_users": counts.linked_users, "linked_groups": counts.linked_groups,
                    "dirty_users": counts.dirty_users, "dirty_groups": counts.dirty_groups,
                    "history_entries": found.history, "findings": found.findings,
                }));
            } else {
                report.text(&format!(
                    "{} users ({} linked), {} groups ({} linked), {} memberships, {} history entries",
                    counts.users,
                    counts.linked_users,
                    counts.groups,
                    counts.linked_groups,
                    counts.edges,
                    found.history
                ));
                for finding in &found.findings {
                    report.text(&format!("wrong: {finding}"));
                }
            }
            if found.findings.is_empty() {
                return Ok(Exit::Done);
            }
            let shown = Shown {
                what: format!("the snapshot of job `{name}` is inconsistent"),
                ..Shown::default()
            };
            Err(Failure::new(Exit::Failed, shown.advise("restore a backup with `melonsync state restore`, or start afresh with an empty state folder")))
        }
        StateAction::Export(_) => {
            let snapshot = factory::open(&folder, name)?;
            let exported = export::export(&snapshot, &mut report.out()).map_err(failed)?;
            if exported.damaged == 0 {
                return Ok(Exit::Done);
            }
            let shown = Shown {
                what: format!("{} records of job `{name}` are damaged", exported.damaged),
                ..Shown::default()
            };
            Err(Failure::new(
                Exit::Failed,
                shown.advise("run `melonsync state verify`"),
            ))
        }
        StateAction::Backup { out, .. } => {
            let snapshot = factory::open(&folder, name)?;
            let records = transfer::backup(snapshot.store(), snapshot.path(), out).map_err(failed)?;
            done(report, name, "backed up", records, &out.display().to_string());
            Ok(Exit::Done)
        }
        StateAction::Restore { from, force, .. } => {
            let records = transfer::restore(from, &folder, name, *force).map_err(failed)?;
            done(report, name, "restored", records, &from.display().to_string());
            Ok(Exit::Done)
        }
    }
}

fn done(report: &mut Report, job: &str, what: &str, records: u64, file: &str) {
    if report.is_json() {
        report.json(&serde_json::json!({"job": job, "action": what, "records": records, "file": file}));
    } else {
        report.text(&format!("{records} records of job `{job}` {what}: {file}"));
    }
}
