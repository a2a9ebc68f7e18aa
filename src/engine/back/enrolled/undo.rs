//! Takes back the changes of membership of an earlier cycle, where the group still is as that cycle left it. Each is held from then
//! on: until the key that it was for is another one, or a person releases it.
//!
//! The holds are on disk before anything is sent, so that no cycle undoes the undo after a crash in between.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::admit;
use super::send;
use super::weigh::Due;
use crate::engine::back::Enrolled;
use crate::engine::back::findings::Findings;
use crate::engine::error::CycleError;
use crate::engine::job::UndoRequest;
use crate::engine::judge::Judge;
use crate::engine::run::Run;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Writer;
use crate::reconcile::back::enrolled::MEMBER_OF;
use crate::reconcile::back::standing::Standing;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::snapshot::enrolments;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// A change of membership that the cycle made.
struct Deed {
    user: SourceId,
    name: String,
    added: bool,
    /// The group; `None` where its values were erased from the history.
    group: Option<SourceId>,
    /// What is remembered of the user.
    kept: enrolments::Enrolled,
}

/// Takes back what this cycle changed in the group.
pub(in crate::engine) async fn take_back(
    run: &mut Run<'_>,
    judge: &mut Judge,
    request: &UndoRequest,
) -> Result<(), CycleError> {
    let (cycle, now) = (request.cycle, run.now);
    let deeds = run
        .store(move |snapshot| {
            let fresh = enrolments::Enrolled::new(now);
            deeds(snapshot, cycle, &fresh)
        })
        .await?;
    if deeds.is_empty() {
        return Ok(());
    }
    let back = run.job.back.clone();
    let kept = back
        .as_ref()
        .and_then(|back| Some((back.writer.as_ref(), back.enrolled.as_ref()?)));
    let Some((writer, enrolled)) = kept else {
        for deed in &deeds {
            left(
                run,
                deed,
                "no enrolled group is configured any more, and the membership stays",
            );
        }
        return Ok(());
    };
    let mut findings = Findings::default();
    match enrolled.evidence.group_members(enrolled.rules.group).await {
        Ok(members) => {
            invert(
                run,
                judge,
                (writer, enrolled, request),
                (deeds, &members),
                &mut findings,
            )
            .await?
        }
        Err(error) => findings.failed("cannot read the members of the enrolled group", &error),
    }
    let (stops, others) = findings.all();
    stops.into_iter().for_each(|finding| run.find(finding, true));
    others.into_iter().for_each(|finding| run.find(finding, false));
    Ok(())
}

/// Asks the guard, holds what is let through, and sends it.
async fn invert(
    run: &mut Run<'_>,
    judge: &mut Judge,
    (writer, enrolled, request): (&dyn Writer, &Enrolled, &UndoRequest),
    (deeds, members): (Vec<Deed>, &BTreeSet<SourceId>),
    findings: &mut Findings,
) -> Result<(), CycleError> {
    let group = enrolled.rules.group;
    let (mut due, mut kept) = (Vec::new(), BTreeMap::new());
    for mut deed in deeds {
        if let Some(why) = why_it_stays(&deed, group, members) {
            left(run, &deed, why);
            continue;
        }
        due.push(Due {
            operation: inverse(&deed, group, request.cycle),
            released: false,
            waits: None,
        });
        deed.kept.stands(
            if deed.added {
                Standing::Leaving
            } else {
                Standing::Pending
            },
            run.now,
        );
        kept.insert(deed.user, deed.kept);
    }
    let (mut known, ours) = run
        .store(|snapshot| {
            let mut ours = 0;
            snapshot.each_enrolled(|_, one| {
                ours += u64::from(one.enrolment.ours);
                Ok(())
            })?;
            Ok((snapshot.enrolled_group()?.unwrap_or_default(), ours))
        })
        .await?;
    let admitted = admit::admit(run, judge, &enrolled.rules, (due, ours));
    hold(run, request, &admitted).await?;
    let sending = send::Sending {
        group,
        writer,
        findings,
        known: &mut known,
        kept: &mut kept,
    };
    sending.send(run, admitted).await?;
    run.keep(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.put_enrolled_group(&known);
        tx.commit(Durability::Lazy)
    })
    .await
}

/// What a cycle changed in the group, user by user.
fn deeds(snapshot: &Snapshot, cycle: CycleId, fresh: &enrolments::Enrolled) -> Result<Vec<Deed>, StoreError> {
    let query = Query {
        cycle: Some(cycle),
        result: Some("done".to_owned()),
        ..Query::default()
    };
    let mut done: BTreeMap<SourceId, (bool, Option<SourceId>)> = BTreeMap::new();
    snapshot.search_history(&query, |entry, values| {
        let act = Verb::named(&entry.operation).map(Verb::act);
        let added = act == Some(Act::Join);
        if let (Some(user), true) = (entry.object, added || act == Some(Act::Leave)) {
            done.insert(user, (added, values.and_then(|values| group_in(&values.changes))));
        }
        Ok(())
    })?;
    let mut deeds = Vec::new();
    for (user, (added, group)) in done {
        let record = snapshot.record(ObjectKind::User, &user)?;
        deeds.push(Deed {
            user,
            name: record.map_or_else(|| user.to_string(), |record| record.object.name()),
            added,
            group,
            kept: snapshot.enrolled(&user)?.unwrap_or_else(|| fresh.clone()),
        });
    }
    Ok(deeds)
}

/// The group that a change is about.
fn group_in(changes: &[Change]) -> Option<SourceId> {
    let change = changes.iter().find(|change| change.attribute == MEMBER_OF)?;
    let id = change.after.as_str().or(change.before.as_str())?;
    id.parse().ok()
}

/// Why a change is not taken back, where it is not.
fn why_it_stays(deed: &Deed, group: SourceId, members: &BTreeSet<SourceId>) -> Option<&'static str> {
    match deed.group {
        None => Some("the values in the history were erased, and the membership stays"),
        Some(of) if of != group => {
            Some("that was another enrolled group than today's, and the membership stays")
        }
        Some(_) if members.contains(&deed.user) == deed.added => None,
        Some(_) if deed.kept.enrolment.open.is_some() => Some(
            "the change of the membership is not seen in Entra yet: run `melonsync undo` again once it is",
        ),
        Some(_) => Some("the membership in the enrolled group was changed since, and stays"),
    }
}

/// Says that a change stays.
fn left(run: &Run<'_>, deed: &Deed, why: &str) {
    let text = format!("{} {} ({}): {why}", ObjectKind::User, deed.name, deed.user);
    run.order.watcher.finding(&text);
}

fn inverse(deed: &Deed, group: SourceId, cycle: CycleId) -> Operation {
    let group = Value::text(group.to_string());
    let (before, after) = if deed.added {
        (group, Value::Null)
    } else {
        (Value::Null, group)
    };
    Operation {
        verb: Verb::enrol(!deed.added),
        kind: ObjectKind::User,
        source: deed.user,
        name: deed.name.clone(),
        target: None,
        because: Reason::Undone {
            cycle: cycle.to_string(),
        },
        changes: vec![Change {
            attribute: Name::from(MEMBER_OF),
            before,
            after,
        }],
        members: Vec::new(),
    }
}

/// Holds the memberships that are about to be taken back.
async fn hold(run: &Run<'_>, request: &UndoRequest, admitted: &[Operation]) -> Result<(), CycleError> {
    let hold = Hold {
        attribute: Some(MEMBER_OF.to_owned()),
        until: None,
        since: run.now,
        actor: run.order.actor.clone(),
        comment: request.comment.clone(),
        cause: HoldCause::Undo,
    };
    let users: Vec<SourceId> = admitted.iter().map(|operation| operation.source).collect();
    run.keep(move |snapshot| {
        let mut tx = snapshot.tx()?;
        for user in &users {
            tx.put_hold(ObjectKind::User, user, &hold);
        }
        tx.commit(Durability::Synced)
    })
    .await
}
