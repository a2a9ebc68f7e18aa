//! `drift`: where the target is not as it was left: as the last reading found it, read now, or put right now.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::json;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::show;
use super::watch::Progress;
use crate::app::error::AppError;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::foreign;
use crate::engine::foreign::AnotherWriter;
use crate::engine::job::Extent;
use crate::engine::job::Report as CycleReport;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::ports::StoreError;
use crate::settings::Settings;
use crate::settings::job::Job;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Counts;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{LISTED_AT, StateReads};
use crate::snapshot::store::Snapshot;

/// As many objects as are listed, and as many resources of nobody; of more the number is said.
const LISTED: usize = 1000;

/// As many members as are named in a line.
const NAMED: usize = 5;

/// Shows drift; with `--refresh` after reading the target, with `--heal` after putting it right.
pub fn run(globals: &Globals, args: &args::Drift, report: &mut Report) -> Result<Exit, AppError> {
    let acts = args.refresh || args.heal;
    let settings = install::settings(&globals.config, !acts)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let folder = install::hold(&settings)?;
    if args.heal {
        install::at_home(&folder, name, false)?;
    }
    let snapshot = install::open_for(&folder, name, job)?;
    let ran = if acts {
        let (done, findings) = look(
            globals,
            &settings,
            (name, job),
            args.heal,
            snapshot.clone(),
            report,
        )?;
        if let Some(error) = &done.error {
            return Err(AppError::from(error));
        }
        Some((done, findings))
    } else {
        None
    };
    let found = Found::read(&snapshot).map_err(|error| install::store_failure(&error))?;
    let ran = ran.as_ref().map(|(done, findings)| (done, findings.as_slice()));
    show_found(name, &found, ran, args, report);
    let outcome = ran.map_or(Exit::Done, |(done, _)| Exit::from(done.summary.outcome));
    Ok(match outcome {
        Exit::Done if args.detailed_exitcode && !found.counts.is_none() => Exit::Changes,
        other => other,
    })
}

/// One cycle over what drifted: it reads both sides, and writes only with `heal`.
fn look(
    globals: &Globals,
    settings: &Settings,
    (name, job): (&str, &Job),
    heal: bool,
    snapshot: Snapshot,
    report: &mut Report,
) -> Result<(CycleReport, Vec<String>), AppError> {
    let mut job = install::job(&globals.config, name, &settings.state, job, snapshot)?;
    job.audit = install::audit(settings, report.is_json())?;
    let watcher = Arc::new(Progress::new(report.progress()));
    let done = process::runtime()?.block_on(async {
        let stop = process::stop_on_signal();
        let order = process::order(Extent::Drift { heal }, heal, Arc::clone(&watcher) as _, stop);
        cycle::run(&job, &order).await
    });
    watcher.clear();
    Ok((done, watcher.findings()))
}

/// What the store knows of drift.
struct Found {
    counts: Counts,
    /// When the target was last listed whole.
    listed: Option<String>,
    objects: Vec<Object>,
    /// How many more there are.
    more: u64,
    strangers: Vec<(ObjectKind, String, Option<String>)>,
    more_strangers: u64,
    another_writer: Option<AnotherWriter>,
    /// Names of the members that rows name.
    names: BTreeMap<SourceId, String>,
}

struct Object {
    kind: ObjectKind,
    id: SourceId,
    name: String,
    row: Row,
}

impl Found {
    fn read(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let listed = snapshot.state(&LISTED_AT)?;
        let mut found = Self {
            counts: snapshot.drift_counts()?,
            listed,
            objects: Vec::new(),
            more: 0,
            strangers: Vec::new(),
            more_strangers: 0,
            another_writer: foreign::another_writer(snapshot)?,
            names: BTreeMap::new(),
        };
        snapshot.each_drift(|kind, id, row| {
            if found.objects.len() == LISTED {
                found.more += 1;
                return Ok(());
            }
            let record = snapshot.record(kind, &id)?;
            let name = record.map_or_else(|| id.to_string(), |record| record.object.name());
            found.objects.push(Object { kind, id, name, row });
            Ok(())
        })?;
        snapshot.each_stranger(|kind, target, stranger| {
            if found.strangers.len() == LISTED {
                found.more_strangers += 1;
            } else {
                found
                    .strangers
                    .push((kind, target.as_str().to_owned(), stranger.name));
            }
            Ok(())
        })?;
        found.name_members(snapshot)?;
        Ok(found)
    }

    fn name_members(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        for object in &self.objects {
            for members in [&object.row.lacking, &object.row.extra] {
                for id in members.named.iter().take(NAMED) {
                    if let Some(record) = snapshot.record(ObjectKind::User, id)? {
                        self.names.insert(*id, record.object.name());
                    }
                }
            }
        }
        Ok(())
    }

    fn name_of(&self, id: &SourceId) -> String {
        self.names
            .get(id)
            .map_or_else(|| id.to_string(), |name| shown(name).into_owned())
    }
}

fn show_found(
    job: &str,
    found: &Found,
    ran: Option<(&CycleReport, &[String])>,
    args: &args::Drift,
    report: &mut Report,
) {
    if report.is_json() {
        return report.json(&document(job, found, ran.map(|(done, _)| done)));
    }
    if let Some((done, findings)) = ran {
        if args.heal {
            report.text(&show::summary(&done.summary, findings));
        } else {
            findings
                .iter()
                .for_each(|finding| report.text(&format!("note: {}", shown(finding))));
        }
    }
    report.text(&text(job, found, args));
}

// ------------------------------------------------------------------------------------------------ JSON

fn document(job: &str, found: &Found, done: Option<&CycleReport>) -> Json {
    json!({
        "job": job,
        "listed": found.listed,
        "drift": counts(&found.counts),
        "objects": found.objects.iter().filter(|one| one.row.is_drift()).map(object).collect::<Vec<_>>(),
        "not_kept": found.objects.iter().filter_map(not_kept).collect::<Vec<_>>(),
        "unmanaged": found.strangers.iter().map(|(kind, target, name)| {
            json!({"kind": kind.word(), "target": target, "name": name})
        }).collect::<Vec<_>>(),
        "more": found.more + found.more_strangers,
        "another_writer": found.another_writer,
        "summary": done.map(|done| &done.summary),
    })
}

/// The five classes with their numbers.
pub(super) fn counts(counts: &Counts) -> Json {
    json!({
        "missing": counts.missing, "orphaned": counts.orphaned, "modified": counts.modified,
        "membership": counts.membership, "unmanaged": counts.unmanaged,
    })
}

fn classes(row: &Row) -> Vec<&'static str> {
    let all = [
        ("missing", row.missing),
        ("orphaned", row.orphaned),
        ("modified", !row.attributes.is_empty()),
        ("membership", row.has_members()),
    ];
    all.into_iter()
        .filter(|(_, is)| *is)
        .map(|(class, _)| class)
        .collect()
}

fn object(one: &Object) -> Json {
    let row = &one.row;
    json!({
        "classes": classes(row), "kind": one.kind.word(), "object": one.id.to_string(), "name": one.name,
        "target": row.target.as_str(), "read": row.seen.to_string(), "pending": row.pending,
        "attributes": row.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "lacking": members(&row.lacking), "extra": members(&row.extra),
    })
}

fn not_kept(one: &Object) -> Option<Json> {
    let row = &one.row;
    let members: Vec<Json> = row
        .not_kept_members
        .iter()
        .map(|(id, held)| json!({"object": id.to_string(), "held": held}))
        .collect();
    (!(row.not_kept.is_empty() && members.is_empty())).then(|| {
        json!({
            "kind": one.kind.word(), "object": one.id.to_string(), "name": one.name, "target": row.target.as_str(),
            "attributes": row.not_kept.iter().map(attribute).collect::<Vec<_>>(), "members": members,
        })
    })
}

fn attribute(found: &Attribute) -> Json {
    json!({
        "attribute": found.attribute.as_str(), "held": found.held.to_json(), "wanted": found.wanted.to_json(),
        "conflict": found.conflict,
    })
}

fn members(members: &Members) -> Json {
    let named = members.named.iter().map(ToString::to_string);
    json!({"count": members.count, "objects": named.collect::<Vec<_>>()})
}

// ------------------------------------------------------------------------------------------------ text

fn text(job: &str, found: &Found, args: &args::Drift) -> String {
    let mut lines = vec![match &found.listed {
        Some(at) => format!("Drift of job `{job}`; the target was last listed whole at {at}"),
        None => {
            format!("Drift of job `{job}`; the target was never listed: `melonsync drift --refresh` does")
        }
    }];
    for one in &found.objects {
        object_lines(one, found, &mut lines);
    }
    if found.more > 0 {
        lines.push(format!("  … and {} more users and groups", found.more));
    }
    for (kind, target, name) in &found.strangers {
        lines.push(format!(
            "  unmanaged   {kind} {}: resource {} is linked to nobody; it is left alone",
            shown(name.as_deref().unwrap_or("without a name")),
            shown(target)
        ));
    }
    if found.more_strangers > 0 {
        lines.push(format!(
            "  … and {} more resources linked to nobody",
            found.more_strangers
        ));
    }
    if let Some(another) = &found.another_writer {
        lines.push(format!(
            "  {} (found at {})",
            shown(&another.words()),
            another.found
        ));
    }
    lines.push(last_line(found, args));
    lines.join("\n")
}

fn last_line(found: &Found, args: &args::Drift) -> String {
    let counts = &found.counts;
    let not_kept = found.objects.iter().filter(|one| one.row.has_not_kept()).count();
    if counts.is_none() && not_kept > 0 {
        return format!("No drift; of {not_kept} users and groups the target did not keep something.");
    }
    if counts.is_none() {
        return "No drift.".to_owned();
    }
    let healable = counts.missing + counts.modified + counts.membership > 0;
    let advice = match (healable, args.heal) {
        (true, false) => {
            "\n`melonsync drift --heal` puts missing, modified and membership right; the policy is `drift` under \
             [jobs.NAME.provisioning]."
        }
        (true, true) => "\nWhat is left could not be put right now: see above why.",
        (false, _) => "",
    };
    format!("{}.{advice}", show::in_words(counts))
}

fn object_lines(one: &Object, found: &Found, lines: &mut Vec<String>) {
    let row = &one.row;
    let who = format!("{} {}  ({})", one.kind, shown(&one.name), one.id);
    let waits = if row.pending { "; to be healed" } else { "" };
    if row.missing {
        lines.push(format!(
            "  missing     {who}: its resource {} is gone{waits}",
            row.target.as_str()
        ));
    }
    if row.orphaned {
        lines.push(format!(
            "  orphaned    {who}: gone in Entra, and its resource {} is there",
            row.target.as_str()
        ));
    }
    if !row.attributes.is_empty() {
        lines.push(format!("  modified    {who}{waits}"));
        lines.extend(row.attributes.iter().map(|found| attribute_line(found, "wanted")));
    }
    if row.has_members() {
        lines.push(format!("  membership  {who}{waits}"));
        lines.extend(members_line("lacks", &row.lacking, found));
        lines.extend(members_line("holds in excess", &row.extra, found));
    }
    if !row.not_kept.is_empty() || !row.not_kept_members.is_empty() {
        lines.push(format!(
            "  not kept    {who}: sent and answered well, and the target held this afterwards"
        ));
        lines.extend(row.not_kept.iter().map(|found| attribute_line(found, "sent")));
        if !row.not_kept_members.is_empty() {
            lines.push(format!("                members: {}", row.not_kept_members.len()));
        }
    }
}

fn attribute_line(found: &Attribute, word: &str) -> String {
    let conflict = if found.conflict {
        " (the source changed too, and wins)"
    } else {
        ""
    };
    format!(
        "                {}: {} at the target, {} {word}{conflict}",
        shown(&found.attribute),
        found.held,
        found.wanted
    )
}

fn members_line(word: &str, members: &Members, found: &Found) -> Option<String> {
    let named: Vec<String> = members
        .named
        .iter()
        .take(NAMED)
        .map(|id| found.name_of(id))
        .collect();
    let more = members.count.saturating_sub(named.len() as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (members.count > 0).then(|| format!("                {word}: {}{more}", named.join(", ")))
}
