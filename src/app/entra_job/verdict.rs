//! The verdict "safe to switch": the evidence gathered, and the twelve lines that follow from it.
//!
//! What Azure did and our cycles were not seen to want is first asked of our planner, over a snapshot that forgets: would a cycle change
//! what is there now? Of somebody who left, the policy is asked. The answer is kept beside the entry, so that each is asked once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::evidence::Evidence;
use super::evidence::Schema;
use super::evidence::Tally;
use super::evidence::Vouched;
use super::lines::lines;
use crate::app::credentials;
use crate::app::cycles::Asking;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::views::entra_verdict::Answer;
use crate::app::views::entra_verdict::Difference;
use crate::app::views::entra_verdict::EntraVerdict;
use crate::app::views::entra_verdict::ObservedCounts;
use crate::engine::explain;
use crate::engine::explain::ExplainError;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::mapping::Mapping;
use crate::mapping::entra_schema;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::ports::AzureJobs;
use crate::ports::Durability;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::reconcile::observe::ACTIVE;
use crate::reconcile::observe::Class;
use crate::reconcile::observe::Compared;
use crate::reconcile::observe::EXISTS;
use crate::reconcile::observe::Salt;
use crate::reconcile::observe::Seen;
use crate::reconcile::observe::compare;
use crate::reconcile::operation::Operation;
use crate::reconcile::policy::OnRemoval;
use crate::settings::Settings;
use crate::snapshot::escrow;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::maintenance::copies;
use crate::snapshot::named::NotOne;
use crate::snapshot::observed::OBSERVATION;
use crate::snapshot::observed::Observation;
use crate::snapshot::observed::each_watched;
use crate::snapshot::observed::watched;
use crate::snapshot::read::Reads;
use crate::snapshot::state::ANOTHER_WRITER;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// As many entries are asked of the planner in one verdict, the newest first: each costs some requests.
const MOST_ASKED: usize = 100;
/// As many differences are shown.
const MOST_SHOWN: usize = 100;

/// What the verdict is about.
pub struct Subject<'a> {
    /// All settings.
    pub settings: &'a Settings,
    /// The job, ready over its edges.
    pub job: &'a Job,
    /// The state folder.
    pub folder: &'a StateFolder,
    /// What a person vouches for.
    pub vouched: BTreeSet<Vouched>,
}

/// One change with its object.
pub type Change = (ObjectKind, SourceId, Compared);

/// Gives the verdict. Writes nothing to either side.
pub async fn verdict(subject: &Subject<'_>, asking: Asking) -> Result<EntraVerdict, AppError> {
    let job = subject.job;
    let (_, settings) = install::choose(subject.settings, Some(&job.name))?;
    let application = super::application(&job.name, settings)?;
    let observation = job.snapshot.state(&OBSERVATION)?;
    let changes = settled(job, asking).await?;
    let (jobs, schema) = match job.source.azure_jobs() {
        None => (
            Err("the source has no provisioning jobs".to_owned()),
            Err("the source has no schema".to_owned()),
        ),
        Some(azure) => seen(job, azure, application).await,
    };
    let days = days(subject, settings);
    let evidence = Evidence {
        now: job.clock.now(),
        jobs,
        schema,
        full: last_full(&job.snapshot)?,
        tally: tally(&changes, observation.as_ref()),
        waiting: waiting(&job.snapshot)?,
        days,
        backup: backup(subject)?,
        cared_for: (subject.settings.notify.len(), job.policy.protect.len()),
        foreign_values: job
            .snapshot
            .state(&ANOTHER_WRITER)?
            .map_or(0, |found| found.values),
        vouched: subject.vouched.clone(),
        observation,
    };
    let lines = lines(&evidence);
    Ok(EntraVerdict {
        counts: counts(&evidence.tally),
        differences: differences(&job.snapshot, &changes)?,
        job: job.name.clone(),
        safe: lines.iter().all(|line| line.answer == Answer::Yes),
        lines,
        observed_since: evidence.observation.map(|held| held.since),
    })
}

/// Compares what was observed, newest first, after asking our planner about what Azure alone did.
pub async fn settled(job: &Job, asking: Asking) -> Result<Vec<Change>, AppError> {
    let observation = job.snapshot.state(&OBSERVATION)?;
    let changes = compared(job, observation.as_ref())?;
    if ask_planner(job, &changes, asking).await? {
        return Ok(compared(job, observation.as_ref())?);
    }
    Ok(changes)
}

fn compared(job: &Job, observation: Option<&Observation>) -> Result<Vec<Change>, StoreError> {
    let Some(held) = observation else {
        return Ok(Vec::new());
    };
    let seen = Seen {
        now: job.clock.now(),
        cycle: held.cycle,
        since: held.since,
    };
    let mut all = Vec::new();
    each_watched(&job.snapshot, |kind, id, watched| {
        all.extend(
            compare(&watched, seen, Salt(&held.salt))
                .into_iter()
                .map(|one| (kind, id, one)),
        );
        Ok(())
    })?;
    all.sort_by_key(|(_, _, one)| std::cmp::Reverse(one.at));
    Ok(all)
}

/// Asks our planner about what only Azure did. True where it answered something.
async fn ask_planner(job: &Job, changes: &[Change], asking: Asking) -> Result<bool, AppError> {
    let mut answers = BTreeMap::new();
    let open = changes.iter().filter(|(_, _, one)| one.class == Class::OnlyThey);
    for (kind, id, one) in open.take(MOST_ASKED) {
        let agreed = match answers.get(&(*kind, *id)) {
            Some(known) => *known,
            None => agrees(job, (*kind, *id), one, &asking).await?,
        };
        answers.insert((*kind, *id), agreed);
    }
    let mut tx = job.snapshot.tx()?;
    for ((kind, id), agreed) in answers
        .iter()
        .filter_map(|(of, agreed)| agreed.map(|agreed| (of, agreed)))
    {
        let mut held = watched(&tx, *kind, id)?;
        for deed in &mut held.deeds {
            deed.agreed.get_or_insert(agreed);
        }
        tx.put_watched(*kind, id, &held);
    }
    if tx.is_empty() {
        return Ok(false);
    }
    tx.commit(Durability::Lazy)?;
    Ok(true)
}

/// Whether our planner would leave an object as Azure left it; `None` where it cannot tell.
async fn agrees(
    job: &Job,
    (kind, id): (ObjectKind, SourceId),
    one: &Compared,
    asking: &Asking,
) -> Result<Option<bool>, AppError> {
    let name = id.to_string();
    let order = asking.order(Extent::Explain, false);
    let found = match explain::explain(job, &order, name.as_str()).await {
        Ok(found) if found.kind == kind => found,
        // Nobody here knows them: gone for good before the first read.
        Err(ExplainError::NotOne(NotOne::Nothing { .. })) => {
            return Ok(left(job, kind, one, "hard_deleted", "in"));
        }
        Ok(_) | Err(ExplainError::NotOne(_)) => return Ok(None),
        Err(error) => return Err(AppError::from(&error)),
    };
    let sends = |operation: &Operation| !matches!(operation.verb.act(), Act::Link | Act::Unlink);
    if found.operations.iter().any(sends) {
        return Ok(Some(false));
    }
    Ok(match (found.source.life, found.scope.standing) {
        // Wanted at the target, and nothing is to be changed there.
        ("alive", "in") => Some(true),
        (life, standing) => left(job, kind, one, life, standing),
    })
}

/// Whether what Azure did to somebody who left is what the policy has done with them. A job that observes links nobody, so that its
/// planner leaves leavers alone.
fn left(job: &Job, kind: ObjectKind, one: &Compared, life: &str, standing: &str) -> Option<bool> {
    let policy = &job.policy;
    let rule = match (kind, life, standing) {
        (ObjectKind::Group, ..) => return None,
        (ObjectKind::User, "soft_deleted", _) => policy.on_soft_delete,
        (ObjectKind::User, "hard_deleted", _) => policy.on_hard_delete,
        (ObjectKind::User, "alive", "out") => policy.on_out_of_scope,
        (ObjectKind::User, ..) => return None,
    };
    let has = |name: &str| one.effects.iter().any(|effect| effect == name);
    let done = match rule {
        OnRemoval::Disable => has(ACTIVE) && !has(EXISTS),
        OnRemoval::Delete => has(EXISTS),
        OnRemoval::Keep => false,
    };
    Some(done)
}

async fn seen(
    job: &Job,
    azure: &dyn AzureJobs,
    application: SourceId,
) -> (
    Result<Vec<crate::model::azure_job::AzureJob>, String>,
    Result<Schema, String>,
) {
    let words = |error: SourceError| format!("{error}; {}", error.hint());
    let jobs = azure.jobs(application).await.map_err(words);
    let schema = match &jobs {
        Err(why) => Err(why.clone()),
        Ok(jobs) => match jobs.first() {
            None => Err("the application has no provisioning job".to_owned()),
            Some(first) => match azure.schema(application, &first.id).await {
                Err(error) => Err(words(error)),
                Ok(document) => schema_of(&job.mapping, &document),
            },
        },
    };
    (jobs, schema)
}

fn schema_of(in_force: &Arc<Mapping>, document: &serde_json::Value) -> Result<Schema, String> {
    let imported = entra_schema::import(document).map_err(|error| error.to_string())?;
    let mapping =
        Mapping::from_toml("Azure's schema", &imported.mapping).map_err(|error| error.to_string())?;
    Ok(Schema {
        same: mapping.fingerprint() == in_force.fingerprint(),
        left_out: imported.left_out.into_iter().map(|part| part.what).collect(),
    })
}

fn last_full(snapshot: &Snapshot) -> Result<Option<serde_json::Value>, StoreError> {
    let all = snapshot.cycles_numbered(crate::snapshot::work::CYCLES_KEPT)?;
    let full = all.iter().rev().find(|(_, summary)| summary["kind"] == "full");
    full.map_or(Ok(None), |(number, _)| snapshot.cycle_numbered(*number))
}

fn waiting(snapshot: &Snapshot) -> Result<(u64, u64), StoreError> {
    let mut withheld = 0;
    snapshot.each_withheld(|_, _| {
        withheld += 1;
        Ok(())
    })?;
    Ok((withheld, escrow::entries(snapshot)?.len() as u64))
}

fn days(subject: &Subject<'_>, settings: &crate::settings::job::Job) -> [Option<i64>; 2] {
    let today = subject.job.clock.now().to_utc().date_naive();
    let ends = [
        credentials::last_day(&settings.source.credential),
        settings.target.expires,
    ];
    ends.map(|end| end.map(|end| (end - today).num_days()))
}

fn backup(subject: &Subject<'_>) -> Result<Option<crate::model::clock::Timestamp>, StoreError> {
    let folder = subject.folder.job(&subject.job.name);
    let all = copies::copies(&folder, subject.folder.engine())?;
    Ok(all
        .into_iter()
        .filter(|copy| copy.what == "backup")
        .filter_map(|copy| copy.made)
        .max())
}

fn tally(changes: &[Change], observation: Option<&Observation>) -> Tally {
    let mut tally = Tally::default();
    for (kind, _, one) in changes {
        match one.class {
            Class::Same => tally.same += 1,
            Class::OnlyWe => tally.only_we += 1,
            Class::OnlyThey => tally.only_they += 1,
            Class::Differently => tally.differently += 1,
            Class::Gone => tally.gone += 1,
            Class::Pending => tally.pending += 1,
        }
        tally.explained += u64::from(one.class == Class::Differently && one.clears);
        let has = |name: &str| one.effects.iter().any(|effect| effect == name);
        let wanted = matches!(one.class, Class::OnlyWe | Class::Pending) && observation.is_some();
        tally.external_ids += u64::from(wanted && has("externalid") && !has("(exists)"));
        if one.class == Class::Same {
            tally.kinds.extend(kinds(*kind, &has));
        }
    }
    tally
}

/// The kinds of events that a change is of.
fn kinds(kind: ObjectKind, has: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    kinds.extend(has("(members added)").then_some("member added"));
    kinds.extend(has("(members removed)").then_some("member removed"));
    if kind == ObjectKind::User {
        let made = has("(exists)") && has("username");
        kinds.extend(made.then_some("joiner"));
        kinds.extend((!made && (has("(exists)") || has("active"))).then_some("leaver"));
        kinds.extend((!has("(exists)") && !has("active")).then_some("attribute change"));
    }
    kinds
}

const fn counts(tally: &Tally) -> ObservedCounts {
    ObservedCounts {
        differently: tally.differently,
        neither: tally.gone,
        only_they: tally.only_they,
        only_we: tally.only_we,
        pending: tally.pending,
        same: tally.same,
    }
}

fn differences(snapshot: &Snapshot, changes: &[Change]) -> Result<Vec<Difference>, StoreError> {
    let mut all = Vec::new();
    for (kind, id, one) in changes {
        let class = match one.class {
            Class::Same | Class::Pending => continue,
            Class::OnlyWe => "only_we",
            Class::OnlyThey => "only_they",
            Class::Differently => "differently",
            Class::Gone => "neither",
        };
        if all.len() == MOST_SHOWN {
            break;
        }
        let differing = if one.differing.is_empty() {
            &one.effects
        } else {
            &one.differing
        };
        all.push(Difference {
            at: one.at,
            class,
            differing: differing.clone(),
            explained: one.clears,
            kind: *kind,
            name: snapshot.record(*kind, id)?.map(|record| record.object.name()),
            object: *id,
        });
    }
    Ok(all)
}
