//! The law of reasons: each reason names a fact, and the fact holds in the model at that moment.
//!
//! What the model cannot judge is listed, and so is what must never be given, because nothing in these worlds causes it. A
//! new reason that stands in no list fails a test.

use std::collections::BTreeSet;
use std::sync::Arc;

use melonsync::engine::job::Watcher;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::object::Removed;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::explain::reason::CODES;
use melonsync::reconcile::operation::Member;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::operation::Reason;

use super::directory::Directory;
use super::directory::Entity;
use super::directory::Life;
use super::judge::Judge;
use super::site::Site;

/// Judged by what the source said so far, and by what it ever was.
const JUDGED: [&str; 17] = [
    "account_disabled",
    "account_enabled",
    "hard_deleted",
    "let_go",
    "manager_deleted",
    "manager_out_of_scope",
    "member_deleted",
    "member_joined",
    "member_left",
    "member_out_of_scope",
    "member_relinked",
    "member_unlinked",
    "new",
    "out_of_scope",
    "restored",
    "returned",
    "soft_deleted",
];

/// Judged with the properties, or the reason, that they name.
const JUDGED_BY_FIELD: [&str; 2] = ["source_changed", "conflict"];

/// Nothing in these worlds causes them: the configuration stays, users match by userName alone, nobody links by hand, undoes or
/// waits for the clock.
const NEVER: [&str; 6] = [
    "adopt_user",
    "config_changed",
    "hold_released",
    "linked_by_hand",
    "time_passed",
    "undone",
];

/// Of what goes back: judged where it is carried out (`enrolment_laws.rs`, `cell_laws.rs`).
const OF_THE_WAY_BACK: [&str; 10] = [
    "both_moved",
    "clear_entra",
    "edited_at_target",
    "two_writers",
    "holds_key",
    "key_gone",
    "key_blocked",
    "never_member",
    "foreign_member",
    "removed_by_hand",
];

/// Facts about what the target holds or held, or about what was sent: the model of the source cannot tell. Whose resource is
/// taken over is judged where it is written to.
const NOT_JUDGED: [&str; 16] = [
    "adopt_group",
    "adopted_differs",
    "drifted",
    "emptied_by_target",
    "makes_way",
    "manager_linked",
    "manager_relinked",
    "manager_unlinked",
    "mapped_active",
    "matched",
    "missing_at_target",
    "never_sent",
    "not_as_sent",
    "reenabled_at_target",
    "rehired",
    "target_differs",
];

#[test]
fn every_reason_stands_in_exactly_one_list() {
    let lists = [
        &JUDGED[..],
        &JUDGED_BY_FIELD,
        &NEVER,
        &OF_THE_WAY_BACK,
        &NOT_JUDGED,
    ];
    let listed: Vec<&str> = lists.concat();
    let known: BTreeSet<&str> = CODES.into_iter().collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(listed.len(), known.len(), "a reason stands in two lists");
}

/// Hears the reasons of a cycle.
pub struct Ear(pub Arc<Site>);

impl Watcher for Ear {
    fn operation(&self, operation: &Operation) {
        let mut inner = self.0.lock();
        let mut found = falsehoods(operation, &inner.judge, &inner.directory);
        let user = operation.source;
        if operation.because == Reason::HoldsKey && !inner.enrolment.laws.holds_key(&user, &inner.directory) {
            found.push(format!(
                "{user} is to join, and no active key of theirs was listed"
            ));
        }
        inner.judge.found.extend(found);
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, _: &str, omission: &Omission) {
        let mut inner = self.0.lock();
        let said = inner.judge.said_of(&object);
        let holds = match omission {
            Omission::DisabledAtSource => said.enabled == Some(false),
            Omission::GoneUnlinked => said.gone.is_some(),
            // Facts about the target, the guard, people, or what is not known; and out of scope, because of an object that a full
            // round brings twice, Graph does not tell whether what the second one lacks was cleared.
            _ => true,
        };
        if !holds && !said.unsure {
            inner.judge.found.push(format!(
                "{kind} {object} is left as \"{omission}\", of which {said:?} is said"
            ));
        }
    }
}

/// Reasons of an operation whose facts do not hold.
fn falsehoods(operation: &Operation, judge: &Judge, directory: &Directory) -> Vec<String> {
    let false_of = |reason: &Reason, holds: bool| {
        let words = || {
            format!(
                "{} {}: \"{reason}\" is not true",
                operation.verb, operation.source
            )
        };
        (!holds).then(words)
    };
    if !operation.members.is_empty() && !of_the_group(&operation.because) {
        let member = |member: &Member| {
            let holds = of_member(&member.because, &operation.source, &member.source, judge);
            false_of(&member.because, holds).map(|words| {
                format!(
                    "{words} of member {}, of whom {:?} is said",
                    member.source,
                    judge.said_of(&member.source)
                )
            })
        };
        return operation.members.iter().filter_map(member).collect();
    }
    let one = |(reason, _): (Reason, _)| {
        let holds = of_object(&reason, &operation.source, judge, directory);
        false_of(&reason, holds)
    };
    operation.because.each().into_iter().filter_map(one).collect()
}

/// True where members go because of the group itself.
const fn of_the_group(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::SoftDeleted | Reason::HardDeleted | Reason::OutOfScope { .. }
    )
}

fn of_member(reason: &Reason, group: &SourceId, member: &SourceId, judge: &Judge) -> bool {
    let said = judge.said_of(member);
    let (is_in, unsure) = judge.membership(group, member);
    let holds = match reason {
        Reason::MemberJoined | Reason::MemberRelinked | Reason::MemberUnlinked => is_in,
        Reason::MemberLeft => !is_in,
        Reason::MemberDeleted => said.gone.is_some(),
        Reason::MemberOutOfScope => said.elsewhere,
        other => !NEVER.contains(&other.label()),
    };
    holds || unsure || said.unsure || judge.said_of(group).unsure
}

fn of_object(reason: &Reason, id: &SourceId, judge: &Judge, directory: &Directory) -> bool {
    let said = judge.said_of(id);
    let ever = |is: &dyn Fn(&Entity) -> bool| {
        let versions = directory.objects.get(id).into_iter().flatten();
        versions.into_iter().any(|version| is(&version.entity))
    };
    let manager = |is: &dyn Fn(&SourceId) -> bool| ever(&|entity| entity.manager.as_ref().is_some_and(is));
    let holds = match reason {
        Reason::New { .. } => said.gone.is_none() && !said.elsewhere,
        Reason::AccountDisabled => said.enabled == Some(false),
        Reason::AccountEnabled => said.enabled != Some(false) && said.gone.is_none() && !said.elsewhere,
        Reason::SoftDeleted => said.gone == Some(Removed::SoftDeleted),
        Reason::HardDeleted => said.gone == Some(Removed::HardDeleted),
        Reason::OutOfScope { .. } => said.elsewhere,
        Reason::LetGo { .. } => said.gone.is_some(),
        Reason::Restored => said.gone.is_none() && ever(&|entity| entity.life != Life::Live),
        Reason::Returned => !said.elsewhere && ever(&|entity| !entity.in_scope()),
        Reason::ManagerDeleted => manager(&|boss| {
            let said = judge.said_of(boss);
            said.gone.is_some() || said.unsure
        }),
        Reason::ManagerOutOfScope => manager(&|boss| {
            let said = judge.said_of(boss);
            said.elsewhere || said.unsure
        }),
        Reason::SourceChanged { properties } => {
            let moved = |property: &str| {
                moved(id, property, directory) || (property == "manager" && judge.manager_came_late(id))
            };
            !properties.is_empty() && properties.iter().all(|property| moved(property.as_str()))
        }
        Reason::Conflict { because } => return of_object(because, id, judge, directory),
        other => !NEVER.contains(&other.label()),
    };
    holds || said.unsure
}

/// Whether a property had more than one value so far.
fn moved(id: &SourceId, property: &str, directory: &Directory) -> bool {
    let versions = directory.objects.get(id).into_iter().flatten();
    let values: BTreeSet<String> = versions
        .map(|version| match property {
            "manager" => format!("{:?}", version.entity.manager),
            other => format!("{:?}", version.entity.values.get(other)),
        })
        .collect();
    values.len() > 1
}
