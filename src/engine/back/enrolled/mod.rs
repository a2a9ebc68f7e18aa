//! The enrolled group of one cycle: read the keys and the members, decide for each user, ask the guard, send, and remember.
//!
//! What was not read whole is no evidence: nobody joins and nobody leaves by it. What is decided is remembered before anything is
//! sent, and each change once more, as open, right before its request.

mod admit;
mod evidence;
mod people;
mod send;
mod undo;
mod weigh;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Enrolled;
use super::findings::Findings;
use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::judge::Judge;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::Writer;
use crate::reconcile::back::enrolled::MEMBER_OF;
use crate::reconcile::back::standing::Standing;
use crate::reconcile::guard::Class;
use crate::snapshot::enrolments;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::enrolments::Group;
use crate::snapshot::kept_back::KeptBackReads;

pub(in crate::engine) use undo::take_back;

/// Keeps the members of the group.
pub(in crate::engine) async fn carry(
    run: &mut Run<'_>,
    judge: &mut Judge,
    (writer, enrolled): (&dyn Writer, &Enrolled),
) -> Result<(), CycleError> {
    run.order.watcher.progress("the enrolled group", 0, None);
    let mut group = known(run, enrolled.rules.group).await?;
    let mut findings = Findings::default();
    let Some(read) = evidence::read(run, enrolled, &group, &mut findings).await else {
        return end(run, group, findings).await;
    };
    run.check_stop()?;
    let (read, people) = find(run, &mut group, read).await?;
    findings.unowned = group.unowned.iter().cloned().collect();
    let weighing = weigh::Weighing {
        rules: &enrolled.rules,
        read: &read,
        people: &people,
        reading: group.reading,
        now: run.now,
        kept_back: &judge.kept_back,
    };
    let newcomers = weighing.to_ask();
    let alone = evidence::ask_alone(enrolled, &newcomers, group.reported_at.is_some(), &mut findings).await;
    let mut weighed = weighing.weigh(&alone, &mut findings);
    let whole = read.keys.is_some() && read.members.is_some();
    remember(run, &weighed).await?;
    let ours = weighed.kept.values().filter(|kept| kept.enrolment.ours).count() as u64;
    let admitted = admit::admit(
        run,
        judge,
        &enrolled.rules,
        (std::mem::take(&mut weighed.due), ours),
    );
    judge.keep_withheld(run).await?;
    if whole {
        forget_unasked(run).await?;
    }
    let sending = send::Sending {
        group: enrolled.rules.group,
        writer,
        findings: &mut findings,
        known: &mut group,
        kept: &mut weighed.kept,
    };
    let sent = sending.send(run, admitted).await;
    group.counts = counts(&weighed.kept, &people);
    end(run, group, findings).await?;
    sent
}

/// Finds out who has to do with the group, and notes what was read.
async fn find(
    run: &Run<'_>,
    group: &mut Group,
    read: evidence::Evidence,
) -> Result<(evidence::Evidence, people::People), CycleError> {
    let unowned = group.unowned.clone();
    let (read, people) = run
        .store(move |snapshot| {
            let people = people::find(snapshot, &read, &unowned)?;
            Ok((read, people))
        })
        .await?;
    note(run, group, &read, people.keys.as_ref().map(|keys| &keys.unowned));
    Ok((read, people))
}

/// What is known of the group. What is remembered of another one is forgotten.
async fn known(run: &Run<'_>, group: SourceId) -> Result<Group, CycleError> {
    let known = run
        .store(|snapshot| snapshot.enrolled_group())
        .await?
        .unwrap_or_default();
    if known.group == Some(group) {
        return Ok(known);
    }
    let fresh = Group {
        group: Some(group),
        ..Group::default()
    };
    if !run.order.apply {
        return Ok(fresh);
    }
    let begun = fresh.clone();
    run.store(move |snapshot| {
        let mut all = Vec::new();
        snapshot.each_enrolled(|user, _| {
            all.push(user);
            Ok(())
        })?;
        let mut tx = snapshot.tx()?;
        all.iter().for_each(|user| tx.delete_enrolled(user));
        // Before anything of the new group is open: after a crash this is no other group.
        tx.put_enrolled_group(&begun);
        tx.commit(Durability::Lazy)
    })
    .await?;
    Ok(fresh)
}

/// Notes what was read.
fn note(run: &Run<'_>, group: &mut Group, read: &evidence::Evidence, unowned: Option<&Vec<String>>) {
    if let Some(keys) = &read.keys {
        group.reading += 1;
        group.keys = Some(keys.len() as u64);
        group.proven_at = Some(run.now);
    }
    if let Some(unowned) = unowned {
        group.unowned = unowned.iter().cloned().collect();
    }
    if read.report.is_some() {
        group.reported_at = Some(run.now);
    }
}

/// Stores what was decided, before anything is sent.
async fn remember(run: &Run<'_>, weighed: &weigh::Weighed) -> Result<(), CycleError> {
    let changed: Vec<_> = weighed
        .changed
        .iter()
        .filter_map(|user| Some((*user, weighed.kept.get(user)?.clone())))
        .collect();
    let settled = weighed.settled.clone();
    let found: Vec<_> = weighed
        .found
        .iter()
        .flat_map(|operation| send::entry(run, operation, ("done", None)))
        .collect();
    // What was read counts in a job that is paused or only observes too; a plan leaves no trace.
    if !run.order.apply {
        return Ok(());
    }
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        for (user, kept) in &changed {
            tx.put_enrolled(user, kept);
        }
        for user in &settled {
            tx.delete_hold(ObjectKind::User, user, Some(MEMBER_OF));
        }
        tx.append_history(found);
        tx.commit(Durability::Lazy)
    })
    .await
}

/// What this cycle did not ask for is not withheld any more.
async fn forget_unasked(run: &Run<'_>) -> Result<(), CycleError> {
    if run.order.extent == Extent::Released {
        return Ok(());
    }
    let cycle = run.order.id;
    run.keep(move |snapshot| {
        let mut stale = Vec::new();
        snapshot.each_withheld(|key, entry| {
            if matches!(key.2, Class::Join | Class::Leave) && entry.cycle != cycle {
                stale.push(key);
            }
            Ok(())
        })?;
        let mut tx = snapshot.tx()?;
        stale.iter().for_each(|key| tx.delete_withheld(key));
        tx.commit(Durability::Lazy)
    })
    .await
}

/// Counts how users stand. Who is linked and not remembered is none of the group.
fn counts(kept: &BTreeMap<SourceId, enrolments::Enrolled>, people: &people::People) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut others = people.linked;
    for (user, one) in kept.iter().filter(|(_, one)| !one.is_empty()) {
        *counts.entry(one.standing.code().to_owned()).or_default() += 1;
        let linked = people.all.get(user).is_some_and(|person| person.linked);
        others = others.saturating_sub(u64::from(linked));
    }
    *counts.entry(Standing::Outside.code().to_owned()).or_default() += others;
    counts
}

/// Reports what was found, and remembers it with what is known of the group.
async fn end(run: &mut Run<'_>, mut group: Group, findings: Findings) -> Result<(), CycleError> {
    let (stops, others) = findings.all();
    let all: BTreeSet<_> = stops.iter().chain(&others).collect();
    group.stops = stops.iter().map(|one| one.code.clone()).collect();
    group.findings = all
        .iter()
        .map(|one| (one.code.clone(), one.text.clone(), one.advice.clone()))
        .collect();
    for finding in stops {
        run.find(finding, true);
    }
    for finding in others {
        run.find(finding, false);
    }
    if !run.order.apply {
        return Ok(());
    }
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.put_enrolled_group(&group);
        tx.commit(Durability::Lazy)
    })
    .await
}
