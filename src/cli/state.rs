//! `state`: the snapshot checked, exported, backed up and restored.

use std::io::Write;
use std::path::Path;

use super::args::Globals;
use super::args::StateAction;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::failure::Shown;
use super::report::Report;
use crate::snapshot::export;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;
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
    match action {
        StateAction::Verify(_) => verify(&known(&folder, name)?, name, report),
        StateAction::Export(_) => export(&known(&folder, name)?, name, report),
        StateAction::Backup { out, .. } => backup(&known(&folder, name)?, name, out, report),
        StateAction::Restore { from, force, .. } => restore(&folder, name, from, *force, report),
    }
}

/// The job's snapshot; one that is not there is not made for the question's sake.
fn known(folder: &StateFolder, name: &str) -> Result<Snapshot, Failure> {
    // By its folder, not by its store: one that lost its store is damaged, and opening it says so.
    if !folder.job(name).exists() {
        return Err(Failure::usage(
            format!("job `{name}` has no snapshot in {} yet", folder.root().display()),
            "check `path` under [state]; the first `melonsync plan` or `melonsync sync` makes one",
        ));
    }
    factory::open(folder, name)
}

fn verify(snapshot: &Snapshot, name: &str, report: &mut Report) -> Result<Exit, Failure> {
    let found = verify::verify(snapshot).map_err(|error| factory::store_failure(&error))?;
    show(&found, name, report);
    if found.findings.is_empty() {
        return Ok(Exit::Done);
    }
    let shown = Shown {
        what: format!("the snapshot of job `{name}` is inconsistent"),
        ..Shown::default()
    };
    let advice = "restore a backup with `melonsync state restore --from FILE --force`, or start afresh with an empty state folder";
    Err(Failure::new(Exit::Failed, shown.advise(advice)))
}

fn show(found: &verify::Report, name: &str, report: &mut Report) {
    let counts = found.counts;
    if report.is_json() {
        return report.json(&serde_json::json!({
            "job": name, "ok": found.findings.is_empty(),
            "users": counts.users, "groups": counts.groups, "memberships": counts.edges,
            "linked_users": counts.linked_users, "linked_groups": counts.linked_groups,
            "dirty_users": counts.dirty_users, "dirty_groups": counts.dirty_groups,
            "history_entries": found.history, "findings": found.findings,
        }));
    }
    report.text(&format!(
        "{}: {} users ({} linked), {} groups ({} linked), {} memberships, {} history entries",
        if found.findings.is_empty() {
            "whole"
        } else {
            "damaged"
        },
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

fn export(snapshot: &Snapshot, name: &str, report: &mut Report) -> Result<Exit, Failure> {
    let mut out = report.out();
    let exported = export::export(snapshot, &mut out).map_err(|error| factory::store_failure(&error))?;
    // Stdout swallows what nobody reads, so this cannot fail.
    let _ = out.flush();
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

fn backup(snapshot: &Snapshot, name: &str, out: &Path, report: &mut Report) -> Result<Exit, Failure> {
    if out.exists() {
        return Err(Failure::usage(
            format!("{} is there already", out.display()),
            "name a file with --out that does not exist; a backup overwrites nothing",
        ));
    }
    let records = transfer::backup(snapshot.store(), snapshot.path(), out)
        .map_err(|error| factory::store_failure(&error))?;
    done(report, name, "backup", records, out);
    Ok(Exit::Done)
}

fn restore(
    folder: &StateFolder,
    name: &str,
    from: &Path,
    force: bool,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let jobs = folder.jobs().map_err(|error| factory::store_failure(&error))?;
    if !force && jobs.iter().any(|job| job == name) {
        return Err(Failure::usage(
            format!(
                "job `{name}` has a snapshot already, in {}",
                folder.root().display()
            ),
            "with --force the backup takes its place, and it is kept beside it as `sled.replaced` or `redb.replaced`",
        ));
    }
    if !from.is_file() {
        return Err(Failure::usage(
            format!("there is no backup {}", from.display()),
            "name a file that `melonsync state backup --out FILE` wrote",
        ));
    }
    let records =
        transfer::restore(from, folder, name, force).map_err(|error| factory::store_failure(&error))?;
    done(report, name, "restore", records, from);
    Ok(Exit::Done)
}

fn done(report: &mut Report, job: &str, action: &str, records: u64, file: &Path) {
    let file = file.display();
    if report.is_json() {
        report.json(
            &serde_json::json!({"job": job, "action": action, "records": records, "file": file.to_string()}),
        );
    } else if action == "backup" {
        report.text(&format!("Job `{job}` is backed up in {file}: {records} records"));
    } else {
        report.text(&format!(
            "Job `{job}` is restored from {file}: {records} records\n\
             The next cycle reads the source from the beginning. Read its `melonsync plan` before you sync."
        ));
    }
}
