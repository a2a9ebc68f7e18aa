//! What of an object waits alone, because the target refused it while it took the rest.

use crate::engine::error::CycleError;
use crate::engine::explain::gathered::Gathered;
use crate::engine::job::Watcher;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::omission::Omission;
use crate::snapshot::read::Reads;
use crate::snapshot::refused;

/// What the target refused waits here as it does in a cycle; and of a user, in which groups it was refused.
pub(super) async fn read_refusals(
    run: &Run<'_>,
    kind: ObjectKind,
    id: SourceId,
    gathered: &Gathered,
) -> Result<(), CycleError> {
    let groups = run
        .store(move |snapshot| {
            let mut groups = Vec::new();
            if kind == ObjectKind::User {
                for (group, row) in refused::refused_memberships(snapshot, &id)? {
                    let record = snapshot.record(ObjectKind::Group, &group)?;
                    let name = record.map_or_else(|| group.to_string(), |record| record.object.name());
                    groups.push((name, group, row));
                }
            }
            Ok(groups)
        })
        .await?;
    for (name, group, row) in groups {
        let next = row.next_try.map_or_else(
            || "when it changes".to_owned(),
            |at| format!("at {at}, or when it changes"),
        );
        gathered.finding(&format!(
            "membership of group {name} ({group}): {}; tried again {next}; {}",
            row.error, row.hint
        ));
    }
    Ok(())
}

/// Where only parts of an object wait, each of them is named beside its entry in escrow.
pub(super) async fn name_waiting_parts(
    run: &mut Run<'_>,
    kind: ObjectKind,
    id: SourceId,
) -> Result<(), CycleError> {
    if !run.standing.is((kind, id), Fact::InEscrow) {
        return Ok(());
    }
    let rows = run
        .store(move |snapshot| refused::refusals(snapshot, kind, &id))
        .await?;
    for row in rows {
        let until = row.next_try.map(|at| at.to_string());
        let omission = match row.member() {
            Some(member) => Omission::MemberRefused {
                member,
                why: row.error,
                until,
            },
            None => Omission::AttributeRefused {
                attribute: row.attribute,
                until,
            },
        };
        run.omit(kind, id, "", &omission);
    }
    Ok(())
}
