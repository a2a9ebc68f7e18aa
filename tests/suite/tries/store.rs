//! A snapshot that another version of the program left, records that are damaged, and creates of which nobody knows the end.

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::Durability;
use melonsync::ports::SnapshotStore;
use melonsync::ports::Table;
use melonsync::ports::WriteBatch;
use melonsync::sandbox::Fault;
use melonsync::snapshot::folder::StateFolder;
use melonsync::snapshot::keys;
use melonsync::snapshot::maintenance::migrate::FORMAT;
use melonsync::snapshot::read::Reads;
use serde_json::json;

use crate::cli_output::world::World;

/// Writes into the snapshot of the job, past the program.
fn write(world: &World, work: impl FnOnce(&dyn SnapshotStore, &mut WriteBatch)) {
    let folder = StateFolder::hold(&world.path("state")).unwrap();
    let snapshot = folder.open_job("idmelon", 1 << 20).unwrap();
    let mut batch = WriteBatch::default();
    work(snapshot.store(), &mut batch);
    snapshot.store().commit(batch, Durability::Synced).unwrap();
}

#[test]
fn a_snapshot_of_a_newer_version_is_replaced_by_a_backup_from_before() {
    let world = World::new(4, 1);
    world.converges();
    world.run(&["state", "backup", "--out", "before"]).exits(0);
    write(&world, |_, batch| {
        batch.put(Table::Meta, keys::meta::FORMAT, (FORMAT + 1).to_be_bytes());
    });
    let said = world.run(&["sync"]).exits(1).err;
    let hint = "run the melonsync that wrote it, or restore a backup made before the upgrade";
    assert!(said.contains(hint), "{said}");
    world
        .run(&["state", "restore", "--from", "before", "--force"])
        .exits(0);
    world.converges();
}

#[test]
fn a_preset_that_this_version_does_not_have_is_pinned_to_one_that_it_has() {
    let world = World::new(4, 1);
    world.converges();
    {
        let folder = StateFolder::hold(&world.path("state")).unwrap();
        let snapshot = folder.open_job("idmelon", 1 << 20).unwrap();
        let mut tx = snapshot.tx().unwrap();
        tx.put_meta("preset_pin/idmelon", "idmelon@99");
        tx.commit(Durability::Synced).unwrap();
    }
    let said = world.run(&["sync"]).exits(2).err;
    let hint =
        "install a melonsync that has it, or name a version that this one has: mapping = \"idmelon@1\"";
    assert!(said.contains(hint), "{said}");
    world.write(&format!(
        "{}\n[jobs.idmelon.provisioning]\nmapping = \"idmelon@1\"\n",
        world.config()
    ));
    world.converges();
}

#[test]
fn records_that_are_damaged_are_named_by_state_verify_and_gone_after_a_restore() {
    let world = World::new(4, 1);
    world.converges();
    world.run(&["state", "backup", "--out", "before"]).exits(0);
    write(&world, |store, batch| {
        let all = store.scan(Table::Objects, &[], None, 1).unwrap();
        batch.put(Table::Objects, all[0].0.clone(), *b"no record");
    });
    let said = world.run(&["state", "export"]).exits(1).err;
    assert!(said.contains("run `melonsync state verify`"), "{said}");
    let found = world.run(&["state", "verify"]);
    assert!(found.out.contains("wrong: "), "{found:?}");
    world
        .run(&["state", "restore", "--from", "before", "--force"])
        .exits(0);
    world.run(&["state", "verify"]).exits(0);
    world.run(&["state", "export"]).exits(0);
}

#[test]
fn a_create_of_which_nobody_knows_the_end_is_found_once_the_target_shows_all() {
    let world = World::new(1, 0);
    let url = format!("url   = \"{}/api/scim/v2/\"", world.scim.url);
    world.change(&url, &format!("{url}\nrequest_timeout = \"1s\""));
    world.run(&["sync"]).exits(0);
    for n in 0..25 {
        world
            .workspace
            .insert_user(json!({"userName": format!("theirs{n}@corp.example")}));
    }
    world.workspace.update_faults(|faults| {
        faults.odd.no_filters = true;
        faults.odd.ignored_paging = true;
        faults.drop_after = Fault::always().only("POST");
    });
    let new = world.tenant.add_user(json!({
        "userPrincipalName": "new@corp.example", "displayName": "New", "accountEnabled": true, "userType": "Member",
    }));
    let first = world.run(&["sync", "-o", "json"]);
    let second = world.run(&["sync", "-o", "json"]);
    let said = format!("{}{}{}{}", first.out, first.err, second.out, second.err);
    assert!(
        said.contains("look for it at the target; the next cycle asks again"),
        "{said}"
    );
    world.workspace.update_faults(|faults| {
        faults.odd.ignored_paging = false;
        faults.drop_after = Fault::never();
    });
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&new).len(), 1);
}

/// A link as a version before 0.1 could take it, and as a URL takes it for a step.
#[test]
fn a_link_that_names_no_resource_is_unlinked_and_found_again() {
    let world = World::new(2, 0);
    world.converges();
    let user = world.tenant.user_ids()[0].clone();
    let object: SourceId = user.parse().unwrap();
    {
        let folder = StateFolder::hold(&world.path("state")).unwrap();
        let snapshot = folder.open_job("idmelon", 1 << 20).unwrap();
        let mut tx = snapshot.tx().unwrap();
        let mut record = tx.record(ObjectKind::User, &object).unwrap().unwrap();
        record.link.as_mut().unwrap().target = serde_json::from_str(r#""..""#).unwrap();
        tx.put_record(&record).unwrap();
        tx.commit(Durability::Synced).unwrap();
    }
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    let hint = "unlink the object (`melonsync unlink`): the next cycle looks for its resource again";
    assert!(said.contains(hint), "{said}");
    world.run(&["unlink", &user]).exits(0);
    world.run(&["escrow", "retry"]);
    world.run(&["sync"]).exits(0);
    let held = world.workspace.users_by_external_id(&user);
    assert_eq!((held.len(), &held[0]["title"]), (1, &json!("Captain")));
}

#[test]
fn a_resource_that_an_undo_does_not_find_is_made_anew_by_the_next_cycle() {
    let world = World::new(3, 0);
    world.converges();
    let user = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(&user, json!({"jobTitle": "Captain"}));
    world.run(&["sync"]).exits(0);
    let held = world.workspace.users_by_external_id(&user);
    assert!(world.workspace.remove_user(held[0]["id"].as_str().unwrap()));
    let said = world.run(&["undo", "last"]);
    let hint = "nothing to do: the next cycle looks for it again, and makes it anew where it is gone";
    assert!(format!("{}{}", said.out, said.err).contains(hint), "{said:?}");
    world.run(&["hold", "release", &user]);
    world.run(&["sync"]).exits(0);
    let held = world.workspace.users_by_external_id(&user);
    assert_eq!((held.len(), &held[0]["title"]), (1, &json!("Captain")));
}
