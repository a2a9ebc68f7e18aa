//! The planner's inputs that a batch has in common, and what of its plans an undo holds.

use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use crate::mapping::Context as MappingContext;
use crate::mapping::Mapping;
use crate::mapping::Row;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::ports::StoreError;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::unique_values::unique_name;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::guard;
use crate::reconcile::policy::Policy;
use crate::reconcile::scope::Standing;
use crate::reconcile::target_schema::Unsupported;
use crate::snapshot::read::Reads;
use crate::snapshot::record;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;
use crate::snapshot::undone::Undone;

/// The planner's inputs that a batch has in common, owned, so that planning can go to a blocking thread.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) mapping: Arc<Mapping>,
    pub(super) context: MappingContext,
    pub(super) policy: Policy,
    pub(super) unsupported: Unsupported,
    pub(super) now: Timestamp,
    pub(super) forced: bool,
}

impl Rules {
    /// The same with no other rows than those that the guard counts: `active`, and who somebody is.
    pub(super) fn only_counted(&self) -> Self {
        let mut mapping = (*self.mapping).clone();
        let counted = |row: &Row| {
            let path = row.target.as_str();
            path.eq_ignore_ascii_case("active")
                || row.target.is_core("active")
                || guard::is_identity_attribute(path)
        };
        mapping.user.retain(counted);
        // Who gives a name up, and who wants one, is found with what is counted.
        mapping
            .group
            .retain(|row| counted(row) || row.target.is_core(unique_name(ObjectKind::Group)));
        Self {
            mapping: Arc::new(mapping),
            ..self.clone()
        }
    }

    /// The planner. `settle`: nothing is waited for any more.
    pub(super) fn planner(&self, settle: bool) -> Planner<'_> {
        Planner {
            mapping: &self.mapping,
            context: &self.context,
            policy: &self.policy,
            unsupported: &self.unsupported,
            now: self.now,
            forced: self.forced,
            settle_references: settle,
        }
    }
}

/// The folded keys that a view's object is looked up by.
pub(super) fn keys_of(
    planner: &crate::reconcile::forward::plan::Planner<'_>,
    view: &ObjectView,
) -> Vec<(String, String)> {
    planner
        .match_keys(view)
        .map(|keys| {
            keys.iter()
                .map(|key| (key.path.as_str().to_owned(), fold(&key.value)))
                .collect()
        })
        .unwrap_or_default()
}

/// What life and values at the source come to.
pub(super) fn print(record: &Record) -> [u8; 16] {
    let bytes = record::encode(&(record.object.life, &record.object.attributes));
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    hash[..16].try_into().expect("sixteen of thirty-two bytes")
}

/// An object whose hold the source let go of, or a part of it; and what of the hold is left.
pub(super) type Released = (ObjectKind, SourceId, Option<Undone>);

/// Takes what an undo holds out of a plan. The hold as it is to be kept, where the source let go of some of it.
///
/// # Errors
/// As the store.
pub(super) fn keep_holds(
    snapshot: &Snapshot,
    view: &ObjectView,
    plan: &mut ObjectPlan,
) -> Result<Option<Released>, StoreError> {
    let (kind, id) = (plan.kind, plan.source);
    let Some(mut undone) = snapshot.undone(kind, &id)? else {
        return Ok(None);
    };
    let before = undone.clone();
    let moved = snapshot
        .record(kind, &id)?
        .is_some_and(|record| print(&record) != undone.source);
    if moved {
        (undone.hold.absent, undone.hold.present) = (false, false);
        if matches!(view.object.life, Life::Gone(_)) {
            // Gone since the undo: that access was given back does not keep a leaver in.
            undone
                .hold
                .attributes
                .retain(|path, _| !path.eq_ignore_ascii_case("active"));
        }
    }
    // Of a plan that waits for something it cannot be told what the source no longer asks for; nor of one for somebody who
    // has left, of whom nothing but `active` is ours meanwhile.
    let ours = view.object.life == Life::Alive && view.scope == Standing::In;
    let tells = ours && plan.settles() && plan.pending_references == 0 && view.link.is_some();
    let (held, left) = undone.hold.keep(plan);
    if held > 0 {
        plan.omissions.push(Omission::HeldByUndo { count: held });
        plan.omissions.retain(|omission| *omission != Omission::Unchanged);
    }
    if tells {
        undone.hold = left;
    }
    let kept = (!undone.hold.is_empty()).then(|| undone.clone());
    Ok((kept.as_ref() != Some(&before)).then_some((kind, id, kept)))
}
