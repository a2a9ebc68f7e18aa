//! What was never read: nothing is derived from it, and a fresh start reads it.

use std::sync::Arc;

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Filter;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::Durability;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::snapshot::read::Reads;
use melonsync::snapshot::record::DirtyCause;
use serde_json::json;

use super::incremental::synced;

/// Records of which a property was never read, as a change of the mapping could leave them.
#[tokio::test]
async fn what_was_never_read_is_read_by_a_fresh_start() {
    let mut world = synced().await;
    let filter = Filter::parse(ObjectKind::User, "department EQUALS \"Sales\"").unwrap();
    for id in world.tenant.user_ids() {
        world.tenant.set_user(&id, json!({"department": "Sales"}));
    }
    let rules = ScopeRules {
        user_filter: Some(filter),
        ..ScopeRules::default()
    };
    world.job.fingerprint = rules.canonical();
    world.job.scope = Arc::new(rules);
    world.cycle().await.expect(Outcome::Converged);
    let ids: Vec<SourceId> = world
        .tenant
        .user_ids()
        .iter()
        .take(2)
        .map(|id| id.parse().unwrap())
        .collect();
    let mut tx = world.job.snapshot.tx().unwrap();
    for (id, property) in ids.iter().zip(["department", "displayName"]) {
        let mut record = tx.record(ObjectKind::User, id).unwrap().unwrap();
        assert!(record.object.attributes.remove(property).is_some());
        tx.put_record(&record).unwrap();
        tx.mark_dirty(ObjectKind::User, id, DirtyCause::MANUAL).unwrap();
    }
    tx.commit(Durability::Synced).unwrap();
    let ran = world.cycle().await;
    for (object, label, hint) in [
        (
            ids[0],
            "scope_unknown",
            "run `melonsync resync --restart`: the source is read with what the scoping filter needs",
        ),
        (
            ids[1],
            "property_unread",
            "run `melonsync resync --restart`: the source is read with the new property",
        ),
    ] {
        let mut left = ran.omissions.iter().filter(|(_, id, _)| *id == object);
        let found = left.find(|(_, _, omission)| omission.label() == label);
        assert!(
            found.is_some_and(|(_, _, omission)| omission.hint() == hint),
            "{label}: {}",
            ran.story()
        );
    }
    let ran = world.run(Extent::Restart, true, None).await;
    assert_eq!(
        ran.omitted("scope_unknown") + ran.omitted("property_unread"),
        0,
        "{}",
        ran.story()
    );
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
}
