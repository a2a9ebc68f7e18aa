//! The law of delta: whatever changes and whatever goes wrong, applying all pages yields the tenant.

use super::*;
use crate::sandbox::Fault;
use crate::sandbox::SampleOptions;
use crate::sandbox::faults::FormerManager;

#[tokio::test]
async fn applying_every_page_reproduces_the_tenant() {
    let tenant = Tenant::sample(120, 12);
    let server = serve_tenant(&tenant).await;
    let mut reader = Reader::new(&tenant, &server).await;
    reader.both().await;
    reader.assert_equals(&tenant, "initial");
    for step in 0..25 {
        reader.minimal = step % 3 != 0;
        tenant.mutate(0.08, step);
        reader.both().await;
        reader.assert_equals(&tenant, &format!("step {step}"));
    }
}

#[tokio::test]
async fn every_quirk_leads_to_the_same_state() {
    type Switch = fn(&mut crate::sandbox::GraphFaults);
    let quirks: [(&str, Switch); 11] = [
        ("empty pages", |f| f.empty_pages = Fault::always()),
        ("repeats", |f| f.repeat_objects = Fault::rate(0.5)),
        ("stale first", |f| f.stale_first = Fault::rate(0.3)),
        ("replays", |f| f.replay_rounds = Fault::rate(0.5)),
        ("scattered slices", |f| f.scatter_slices = Fault::always()),
        ("removed in initial", |f| f.removed_in_initial = Fault::always()),
        ("former manager before", |f| {
            f.former_manager = FormerManager::Before
        }),
        ("former manager after", |f| {
            f.former_manager = FormerManager::After
        }),
        ("long links", |f| f.long_links = Fault::always()),
        ("replication delay, every second round", |f| {
            f.replication_delay = Fault::rate(0.5)
        }),
        ("all at once", |f| {
            f.empty_pages = Fault::rate(0.5);
            f.repeat_objects = Fault::rate(0.2);
            f.replay_rounds = Fault::rate(0.5);
            f.scatter_slices = Fault::always();
            f.removed_in_initial = Fault::always();
            f.former_manager = FormerManager::After;
        }),
    ];
    for (name, switch) in quirks {
        let tenant = Tenant::sample(60, 6);
        tenant.mutate(0.3, 99);
        tenant.update_options(|o| {
            o.users_per_page = 7;
            o.groups_per_page = 2;
            o.members_per_slice = 3;
        });
        tenant.update_faults(switch);
        let server = serve_tenant(&tenant).await;
        let mut reader = Reader::new(&tenant, &server).await;
        reader.both().await;
        reader.assert_equals(&tenant, &format!("{name}, initial"));
        for step in 0..8 {
            tenant.mutate(0.15, step);
            reader.both().await;
            if !name.starts_with("replication") {
                reader.assert_equals(&tenant, &format!("{name}, step {step}"));
            }
        }
        tenant.update_faults(|f| f.replication_delay = Fault::never());
        reader.both().await;
        reader.assert_equals(&tenant, &format!("{name}, in the end"));
    }
}

#[tokio::test]
async fn a_change_under_replication_delay_is_seen_one_round_later() {
    let tenant = Tenant::sample(5, 1);
    let server = serve_tenant(&tenant).await;
    let mut reader = Reader::new(&tenant, &server).await;
    reader.both().await;
    let id = tenant.user_ids()[2].clone();
    tenant.update_faults(|f| f.replication_delay = Fault::once());
    tenant.set_user(&id, json!({"jobTitle": "New"}));
    reader.round("users").await;
    assert_ne!(reader.objects[&id]["jobTitle"], "New");
    reader.round("users").await;
    assert_eq!(reader.objects[&id]["jobTitle"], "New");
}

#[tokio::test]
async fn ten_thousand_users_and_a_hundred_groups_are_seventy_pages_and_a_token() {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 10_000,
        groups: 100,
        members_per_group: Some(100),
        plain: true,
        ..SampleOptions::default()
    });
    let server = serve_tenant(&tenant).await;
    let mut reader = Reader::new(&tenant, &server).await;
    reader.both().await;
    // 50 pages of 200 users, 20 of 500 links.
    assert_eq!(tenant.request_count(), 71);
    assert_eq!(reader.objects.len(), 10_100);
    assert_eq!(tenant.mutate_attributes(100), 100);
    tenant.clear_requests();
    reader.pages = 0;
    reader.both().await;
    assert_eq!((tenant.request_count(), reader.pages), (2, 2));
    reader.assert_equals(&tenant, "after 100 changes");
}

#[tokio::test]
async fn the_sample_is_the_same_every_time_and_holds_oddities() {
    let (one, two) = (Tenant::sample(200, 20), Tenant::sample(200, 20));
    let all = |tenant: &Tenant| -> Vec<Value> {
        tenant
            .user_ids()
            .iter()
            .chain(&tenant.group_ids())
            .map(|id| tenant.user(id).unwrap())
            .collect()
    };
    assert_eq!(all(&one), all(&two));
    let people = all(&one);
    assert!(people.iter().any(|p| p["accountEnabled"] == false));
    assert!(people.iter().any(|p| {
        p["userPrincipalName"]
            .as_str()
            .is_some_and(|upn| upn.contains("#EXT#"))
    }));
    assert!(
        people
            .iter()
            .any(|p| !p["displayName"].as_str().unwrap().is_ascii())
    );
    assert!(people.iter().any(|p| p.get("mobilePhone") == Some(&Value::Null)));
    let managed = one
        .user_ids()
        .iter()
        .filter(|id| one.manager(id).is_some())
        .count();
    assert!(managed >= 180, "{managed}");
    let groups = one.group_ids();
    assert!(
        groups
            .iter()
            .any(|g| one.members(g).len() > one.user_members(g).len())
    );
    let upns: BTreeSet<String> = people
        .iter()
        .filter_map(|p| Some(p["userPrincipalName"].as_str()?.to_lowercase()))
        .collect();
    assert_eq!(upns.len(), 200);
}
