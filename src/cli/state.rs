//! `state`: the snapshot checked, exported and imported, backed up and restored, compacted, and somebody in it forgotten.

use std::io::Write;
use std::path::Path;

use super::args::Globals;
use super::args::StateAction;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown as printable;
use crate::ports::StoreError;
use crate::settings::Settings;
use crate::settings::audit::Stream;
use crate::snapshot::copies;
use crate::snapshot::copies::Copy;
use crate::snapshot::export;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::forget;
use crate::snapshot::forget::StillOurs;
use crate::snapshot::import;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::transfer;
use crate::snapshot::verify;

/// Carries out one of them. Each needs the state folder for itself.
pub fn run(globals: &Globals, action: &StateAction, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let wanted = match action {
        StateAction::Verify(job) | StateAction::Export(job) | StateAction::Compact(job) => job.job.as_deref(),
        StateAction::Backup { job, .. }
        | StateAction::Restore { job, .. }
        | StateAction::Import { job, .. }
        | StateAction::Forget { job, .. } => job.as_deref(),
    };
    let (name, _) = install::choose(&settings, wanted)?;
    let folder = install::hold(&settings)?;
    match action {
        StateAction::Verify(_) => verify(&known(&folder, name)?, name, report),
        StateAction::Export(_) => export(&known(&folder, name)?, name, report),
        StateAction::Backup { out, handover, .. } => {
            backup(&known(&folder, name)?, name, out, report)?;
            noted(&folder, name, "backup", out)?;
            if *handover {
                hand_over(&folder, name, out, report)?;
            }
            Ok(Exit::Done)
        }
        StateAction::Restore { from, force, .. } => {
            put(&folder, name, from, *force, "restore", report, transfer::restore)
        }
        StateAction::Import { from, force, .. } => {
            put(&folder, name, from, *force, "import", report, import::import)
        }
        StateAction::Compact(_) => {
            drop(known(&folder, name)?);
            compact(&folder, name, report)
        }
        StateAction::Forget { object, .. } => forget(&folder, name, object, stream_of(&settings), report),
    }
}

/// The job's snapshot; one that is not there is not made for the question's sake.
pub(super) fn known(folder: &StateFolder, name: &str) -> Result<Snapshot, AppError> {
    // By its folder, not by its store: one that lost its store is damaged, and opening it says so.
    if !folder.job(name).exists() {
        return Err(AppError::usage(
            format!("job `{name}` has no snapshot in {} yet", folder.root().display()),
            "check `path` under [state]; the first `melonsync plan` or `melonsync sync` makes one",
        ));
    }
    install::open(folder, name)
}

/// Notes where a file with values of the job was written.
pub(super) fn noted(folder: &StateFolder, name: &str, what: &str, out: &Path) -> Result<(), AppError> {
    copies::note(&folder.job(name), what, out, SystemClock.now()).map_err(AppError::from)
}

fn verify(snapshot: &Snapshot, name: &str, report: &mut Report) -> Result<Exit, AppError> {
    let found = verify::verify(snapshot)?;
    show(&found, name, report);
    if found.findings.is_empty() {
        return Ok(Exit::Done);
    }
    let shown = ErrorText {
        what: format!("the snapshot of job `{name}` is inconsistent"),
        ..ErrorText::default()
    };
    let advice = "restore a backup with `melonsync state restore --from FILE --force`, or start afresh with an empty state folder";
    Err(AppError::new(ErrorKind::Failed, shown.advise(advice)))
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
        report.text(&format!("wrong: {}", printable(finding)));
    }
}

fn export(snapshot: &Snapshot, name: &str, report: &mut Report) -> Result<Exit, AppError> {
    let mut out = report.out();
    let exported = export::export(snapshot, &mut out)?;
    // Stdout swallows what nobody reads, so this cannot fail.
    let _ = out.flush();
    if exported.damaged == 0 {
        return Ok(Exit::Done);
    }
    let shown = ErrorText {
        what: format!("{} records of job `{name}` are damaged", exported.damaged),
        ..ErrorText::default()
    };
    Err(AppError::new(
        ErrorKind::Failed,
        shown.advise("run `melonsync state verify`"),
    ))
}

fn backup(snapshot: &Snapshot, name: &str, out: &Path, report: &mut Report) -> Result<(), AppError> {
    if out.symlink_metadata().is_ok() {
        return Err(AppError::usage(
            format!("{} is there already", out.display()),
            "name a file with --out that does not exist; a backup overwrites nothing",
        ));
    }
    let records = transfer::backup(snapshot.store(), snapshot.path(), out)?;
    done(report, name, "backup", records, out);
    Ok(())
}

/// Puts a snapshot in its place, out of a backup or an export.
fn put(
    folder: &StateFolder,
    name: &str,
    from: &Path,
    force: bool,
    action: &str,
    report: &mut Report,
    work: fn(&Path, &StateFolder, &str, bool) -> Result<u64, StoreError>,
) -> Result<Exit, AppError> {
    let jobs = folder.jobs()?;
    if !force && jobs.iter().any(|job| job == name) {
        return Err(AppError::usage(
            format!(
                "job `{name}` has a snapshot already, in {}",
                folder.root().display()
            ),
            "with --force the file takes its place, and it is kept beside it as `sled.replaced` or `redb.replaced`",
        ));
    }
    if !from.is_file() {
        return Err(AppError::usage(
            format!("there is no file {}", from.display()),
            "name a file that `melonsync state backup --out FILE` wrote (`import`: what `state export` printed)",
        ));
    }
    let records = work(from, folder, name, force)?;
    done(report, name, action, records, from);
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
            "Job `{job}` is {} from {file}: {records} records\n\
             The next cycle reads the source from the beginning. Read its `melonsync plan` before you sync.",
            if action == "import" {
                "imported"
            } else {
                "restored"
            }
        ));
    }
}

fn hand_over(folder: &StateFolder, name: &str, out: &Path, report: &Report) -> Result<(), AppError> {
    let text = format!(
        "handed over at {} by {}, in the backup {}\n",
        SystemClock.now(),
        Actor::local_user(),
        out.display()
    );
    folder.hand_over(name, &text)?;
    report.note(&format!(
        "Job `{name}` is handed over: it does not run here any more. On the other host: melonsync state restore --from {}",
        out.display()
    ));
    Ok(())
}

fn compact(folder: &StateFolder, name: &str, report: &mut Report) -> Result<Exit, AppError> {
    let (before, after) = transfer::compact(folder, name)?;
    if report.is_json() {
        report.json(&serde_json::json!({"job": name, "action": "compact", "bytes_before": before, "bytes_after": after}));
    } else {
        report.text(&format!(
            "Job `{name}` is compacted: {before} bytes before, {after} now"
        ));
    }
    Ok(Exit::Done)
}

fn forget(
    folder: &StateFolder,
    name: &str,
    object: &str,
    stream: Option<String>,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let erased = {
        let snapshot = known(folder, name)?;
        let id = one(&snapshot, name, object)?;
        let word = forget::may_forget(&snapshot, &id)?;
        word.map_err(|still| still_ours(object, &still))?;
        forget::forget(&snapshot, &folder.job(name), id, SystemClock.now())?
    };
    // What was overwritten lies in the store's files until they are written anew.
    transfer::compact(folder, name)?;
    let left = copies::copies(&folder.job(name), folder.engine())?;
    if report.is_json() {
        report.json(
            &serde_json::json!({"job": name, "action": "forget", "history_entries": erased.entries,
            "records": erased.records, "summaries": erased.summaries,
            "copies": left.iter().map(copy_json).collect::<Vec<_>>(), "audit_stream": stream}),
        );
    } else {
        report.text(&format!(
            "Forgotten in job `{name}`: the values of {} history entries, {} records, {} quotations in summaries. The history's \
             chain is as it was.\n{}",
            erased.entries,
            erased.records,
            erased.summaries,
            copies_text(&left, stream.as_deref())
        ));
    }
    Ok(Exit::Done)
}

/// Every copy that still holds what was erased in the snapshot.
fn copies_text(left: &[Copy], stream: Option<&str>) -> String {
    let mut lines = Vec::new();
    for copy in left {
        let made = copy.made.map_or_else(String::new, |made| format!(" of {made}"));
        let there = if is_there(copy) {
            ""
        } else {
            "; not there any more: it holds them where it was moved to"
        };
        let path = copy.path.display().to_string();
        lines.push(format!(
            "  {}  ({}{made}{there})",
            printable(&path),
            printable(&copy.what)
        ));
    }
    lines.extend(stream.map(|stream| format!("  {}  (the audit stream)", printable(stream))));
    let head = if lines.is_empty() {
        "No copy is known that still holds the values.".to_owned()
    } else {
        format!(
            "These still hold the values; remove them where they are not needed:\n{}",
            lines.join("\n")
        )
    };
    format!(
        "{head}\nCopies of copies are not known, nor what `state export` printed. Restoring a backup in this folder erases the values again."
    )
}

fn is_there(copy: &Copy) -> bool {
    copy.path.symlink_metadata().is_ok()
}

fn copy_json(copy: &Copy) -> serde_json::Value {
    serde_json::json!({"what": copy.what, "path": copy.path.display().to_string(),
        "made": copy.made.map(|made| made.to_string()), "there": is_there(copy)})
}

/// Where the audit stream put values, as far as it is a place.
fn stream_of(settings: &Settings) -> Option<String> {
    match settings.audit.stream.as_ref()? {
        Stream::File(path) => Some(path.display().to_string()),
        Stream::Syslog => Some("the system's log".to_owned()),
        Stream::Stdout => Some("whatever keeps the program's output".to_owned()),
    }
}

/// The one object that is, or was, known by this.
fn one(snapshot: &Snapshot, name: &str, object: &str) -> Result<SourceId, AppError> {
    let found = snapshot.who_is(object)?;
    match (found.first(), found.len()) {
        (Some(id), 1) => return Ok(*id),
        (None, _) => {
            return Err(AppError::usage(
                format!(
                    "nobody is, or ever was, known as `{}` in job `{name}`",
                    printable(object)
                ),
                "give its object id",
            ));
        }
        (Some(_), _) => {}
    }
    let ids: Vec<String> = found.iter().map(ToString::to_string).collect();
    let known = snapshot.named(&[ObjectKind::User, ObjectKind::Group], &ids);
    // One that is gone has its id alone.
    let each = ids.iter().zip(known?);
    let each = each.map(|(id, known)| known.first().map_or_else(|| id.clone(), ToString::to_string));
    let each: Vec<String> = each.collect();
    Err(AppError::usage(
        format!(
            "{} objects are, or were, known as `{}`: {}",
            found.len(),
            printable(object),
            each.join(", ")
        ),
        "give the object id of the one that you mean",
    ))
}

fn still_ours(object: &str, still: &StillOurs) -> AppError {
    let (why, advice) = match still {
        StillOurs::Linked => (
            "has a resource at the target",
            "take it out of scope or delete it first; where `on_out_of_scope` disables, delete the resource at the target",
        ),
        StillOurs::Waits => (
            "is still to be looked at",
            "run `melonsync sync` first: who is in scope cannot be forgotten",
        ),
    };
    AppError::usage(
        format!("`{}` {why}, so it is not forgotten", printable(object)),
        advice,
    )
}
