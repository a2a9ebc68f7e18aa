//! A member whom the target refuses waits alone: the others come and go in the same cycle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::explain::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::job::NoWatcher;
use melonsync::engine::job::Order;
use melonsync::engine::summary::Outcome;
use melonsync::model::dialect::PinnedDialect;
use melonsync::model::dialect::Update;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::escrow;
use melonsync::snapshot::read::Reads;
use melonsync::snapshot::refused;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::world::Ran;
use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);

/// People and an empty group, after the first cycle.
struct Club {
    world: World,
    people: Vec<String>,
    group: String,
}

fn name(number: usize) -> String {
    format!("p{number}@corp.example")
}

impl Club {
    async fn of(count: usize) -> Self {
        let world = World::new(Tenant::empty()).await;
        let people = (0..count).map(|number| {
            world
                .tenant
                .add_user(json!({"userPrincipalName": name(number), "displayName": format!("P {number}")}))
        });
        let people: Vec<String> = people.collect();
        let group = world.tenant.add_group(json!({"displayName": "Club"}));
        world.cycle().await.expect(Outcome::Converged);
        Self { world, people, group }
    }

    /// With the forms in which members come and go seen to work.
    async fn proven(self) -> Self {
        let last = self.people.last().unwrap();
        self.world.tenant.add_member(&self.group, last);
        self.world.cycle_twice().await;
        self.world.tenant.remove_member(&self.group, last);
        self.world.cycle_twice().await;
        self
    }

    fn odd(&self, odd: impl FnOnce(&mut Oddities)) {
        self.world.workspace.update_faults(|faults| odd(&mut faults.odd));
    }

    fn add(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.world.tenant.add_member(&self.group, &self.people[number]);
        }
    }

    fn remove(&self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.world.tenant.remove_member(&self.group, &self.people[number]);
        }
    }

    /// Who is in the group at the target, by number.
    fn held(&self) -> Vec<usize> {
        let group = self.world.group_resource(&self.group);
        let ids: Vec<&str> = group["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|m| m["value"].as_str())
            .collect();
        let is_in = |person: &String| ids.contains(&self.world.resource(person)["id"].as_str().unwrap());
        (0..self.people.len())
            .filter(|number| is_in(&self.people[*number]))
            .collect()
    }

    /// Who waits, by number, with how often each was refused.
    fn waiting(&self) -> Vec<(usize, u32)> {
        let id = self.group.parse().unwrap();
        let rows = refused::refusals(&self.world.job.snapshot, ObjectKind::Group, &id).unwrap();
        let number = |id: String| self.people.iter().position(|person| *person == id).unwrap();
        let mut found: Vec<(usize, u32)> = rows
            .iter()
            .filter_map(|row| Some((number(row.member()?.to_string()), row.failures)))
            .collect();
        found.sort_unstable();
        found
    }

    fn writes(&self) -> usize {
        let requests = self.world.workspace.requests();
        requests.iter().filter(|request| request.method != "GET").count()
    }

    async fn cycle(&self) -> Ran {
        self.world.workspace.clear_requests();
        self.world.cycle().await
    }
}

fn names(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| name(*number)).collect()
}

#[tokio::test]
async fn the_others_come_and_the_refused_one_waits_named_with_gaps_of_its_own() {
    for (status, proven, put) in [
        (400, true, false),
        (404, true, false),
        (422, true, false),
        (500, true, false),
        (400, false, false),
        (403, false, false),
        (404, false, false),
        (500, false, false),
        (400, true, true),
        (500, false, true),
    ] {
        let case = format!("{status}, proven {proven}, put {put}");
        let mut club = Club::of(7).await;
        if put {
            club.world.dialect = PinnedDialect {
                update: Some(Update::Put),
                ..PinnedDialect::default()
            };
            club.world.restart();
        }
        let club = if proven { club.proven().await } else { club };
        club.odd(|odd| {
            odd.refused_members = names(&[2]);
            odd.members_refused_with = Some(status);
        });
        club.add(0..5);
        let ran = club.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(club.held(), [0, 1, 3, 4], "{case}: {}", ran.story());
        assert_eq!((ran.count(Verb::AddMember), ran.summary.escrow), (4, 1), "{case}");
        let failed = &ran.summary.failed;
        assert_eq!(failed.len(), 1, "{case}: {failed:?}");
        assert!(
            failed[0].error.contains(&name(2)) && failed[0].error.contains(&club.people[2]),
            "{case}: {failed:?}"
        );
        assert_eq!(club.waiting(), [(2, 1)], "{case}");
        // Quiet, and still said.
        let again = club.cycle().await;
        again.expect(Outcome::Partial);
        assert_eq!((again.summary.escrow, club.writes()), (1, 0), "{case}");
        // Others come without it.
        club.add([5]);
        let ran = club.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(
            (club.held(), club.writes()),
            (vec![0, 1, 3, 4, 5], 1),
            "{case}: {}",
            ran.story()
        );
        assert_eq!(ran.omitted("member_refused"), 1, "{case}");
        // Its gap has passed: tried again, alone, and with a longer gap.
        club.world.clock.advance(MINUTE * 6);
        club.cycle().await.expect(Outcome::Partial);
        assert_eq!(club.waiting(), [(2, 2)], "{case}");
        club.world.clock.advance(MINUTE * 6);
        club.cycle().await.expect(Outcome::Partial);
        assert_eq!((club.waiting(), club.writes()), (vec![(2, 2)], 0), "{case}");
        // And taken, once the target takes it.
        club.odd(|odd| odd.refused_members.clear());
        club.world.clock.advance(MINUTE * 11);
        club.cycle().await.expect(Outcome::Converged);
        assert!(
            club.waiting().is_empty() && escrow::entries(&club.world.job.snapshot).unwrap().is_empty(),
            "{case}"
        );
        club.world.assert_equal();
        club.world.expect_quiet().await;
    }
}

#[tokio::test]
async fn who_is_refused_to_leave_waits_alone_too() {
    for (status, proven) in [(400, true), (404, true), (500, true), (400, false), (403, false)] {
        let case = format!("{status}, proven {proven}");
        let club = Club::of(6).await;
        let club = if proven { club.proven().await } else { club };
        club.add(0..5);
        club.world.cycle_twice().await;
        club.odd(|odd| {
            odd.kept_members = names(&[1]);
            odd.members_refused_with = Some(status);
        });
        club.remove([0, 1, 2]);
        club.add([5]);
        let ran = club.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(club.held(), [1, 3, 4, 5], "{case}: {}", ran.story());
        assert_eq!(club.waiting(), [(1, 1)], "{case}");
        let again = club.cycle().await;
        again.expect(Outcome::Partial);
        assert_eq!(club.writes(), 0, "{case}");
        // Back in the group before its next try: nothing is left to do.
        club.add([1]);
        club.cycle().await.expect(Outcome::Converged);
        assert!(club.waiting().is_empty(), "{case}");
        club.world.assert_equal();
        club.world.expect_quiet().await;
    }
}

#[tokio::test]
async fn who_was_taken_out_by_hand_is_out() {
    for (proven, hidden) in [(true, false), (false, false), (true, true)] {
        let case = format!("proven {proven}, hidden {hidden}");
        let club = Club::of(6).await;
        let club = if proven { club.proven().await } else { club };
        club.add(0..5);
        club.world.cycle_twice().await;
        let target = club.world.resource(&club.people[1]);
        let group = club.world.group_resource(&club.group);
        let mut members = group["members"].as_array().unwrap().clone();
        members.retain(|member| member["value"] != target["id"]);
        club.world
            .workspace
            .edit_group(group["id"].as_str().unwrap(), json!({"members": members}));
        club.odd(|odd| odd.members_omitted = hidden);
        club.remove([0, 1, 2]);
        let ran = club.cycle().await;
        club.odd(|odd| odd.members_omitted = false);
        assert_eq!(ran.summary.outcome, Outcome::Converged, "{case}: {}", ran.story());
        assert_eq!(club.held(), [3, 4], "{case}");
        club.world.assert_equal();
        club.world.expect_quiet().await;
    }
}

#[tokio::test]
async fn a_group_is_created_although_one_of_its_members_is_refused() {
    for status in [400, 404, 422] {
        let club = Club::of(5).await;
        club.odd(|odd| {
            odd.refused_members = names(&[3]);
            odd.members_refused_with = Some(status);
        });
        let group = club.world.tenant.add_group(json!({"displayName": "New"}));
        let club = Club { group, ..club };
        club.add(0..5);
        let ran = club.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(club.held(), [0, 1, 2, 4], "{status}: {}", ran.story());
        assert_eq!(
            (ran.count(Verb::CreateGroup), ran.count(Verb::AddMember)),
            (1, 4),
            "{status}"
        );
        assert_eq!(club.waiting(), [(3, 1)], "{status}");
        club.cycle().await.expect(Outcome::Partial);
        assert_eq!(club.writes(), 0, "{status}");
        club.odd(|odd| odd.refused_members.clear());
        club.world.clock.advance(MINUTE * 6);
        club.cycle().await.expect(Outcome::Converged);
        club.world.assert_equal();
        club.world.expect_quiet().await;
    }
}

#[tokio::test]
async fn where_everybody_is_refused_it_is_the_group() {
    for (count, proven) in [(40, true), (40, false), (1, true)] {
        let club = Club::of(41).await;
        let club = if proven { club.proven().await } else { club };
        let everybody: Vec<usize> = (0..41).collect();
        club.odd(|odd| odd.refused_members = names(&everybody));
        club.add(0..count);
        let ran = club.cycle().await;
        ran.expect(Outcome::Partial);
        assert_eq!(
            (club.held().len(), ran.summary.escrow),
            (0, 1),
            "{count}: {}",
            ran.story()
        );
        let rows = if count == 1 { vec![(0, 1)] } else { vec![] };
        assert_eq!(club.waiting(), rows, "{count}");
        assert!(club.writes() < 50, "{count} {proven}: {} writes", club.writes());
        club.cycle().await.expect(Outcome::Partial);
        assert_eq!(club.writes(), 0, "{count}");
    }
}

#[tokio::test]
async fn many_of_many_refused_are_bounded_and_no_good_one_is_lost() {
    let club = Club::of(60).await.proven().await;
    club.odd(|odd| odd.refused_members = names(&[0, 17, 31, 59]));
    club.add(0..60);
    let ran = club.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!(club.held().len(), 56, "{}", ran.story());
    assert_eq!(club.waiting().len(), 4);
    assert!(club.writes() < 60, "{} writes", club.writes());
}

#[tokio::test]
async fn who_is_refused_is_named_by_explain_of_the_group_and_of_the_user() {
    let club = Club::of(5).await.proven().await;
    club.odd(|odd| odd.refused_members = names(&[2]));
    club.add(0..4);
    club.cycle().await.expect(Outcome::Partial);
    let explained = |object: String| {
        let order = Order {
            id: CycleId(uuid::Uuid::now_v7()),
            extent: Extent::Explain,
            apply: false,
            only: None,
            allow_deletions: None,
            allow_creations: None,
            actor: "test".to_owned(),
            stop: CancellationToken::new(),
            watcher: Arc::new(NoWatcher),
        };
        let job = &club.world.job;
        async move { explain(job, &order, object.as_str()).await.unwrap() }
    };
    let user = explained(name(2)).await;
    let told = |note: &String| note.contains("Club") && note.contains("tried again");
    assert!(user.notes.iter().any(told), "{:?}", user.notes);
    let group = explained("Club".to_owned()).await;
    let told =
        |(label, words, _): &(String, String, String)| label == "member_refused" && words.contains(&name(2));
    assert!(group.omissions.iter().any(told), "{:?}", group.omissions);
    assert!(group.operations.is_empty(), "{:?}", group.operations);
}

/// How often single users were asked for, by path.
fn asked(club: &Club) -> BTreeMap<String, usize> {
    let mut paths = BTreeMap::new();
    for request in club.world.workspace.requests() {
        if request.method == "GET" && request.path.contains("/Users/") {
            *paths.entry(request.path).or_default() += 1;
        }
    }
    paths
}

#[tokio::test]
async fn a_doubted_member_is_asked_for_once_and_no_other_after_a_read_that_fails() {
    for broken in [false, true] {
        let club = Club::of(6).await.proven().await;
        let second = club.world.tenant.add_group(json!({"displayName": "Second"}));
        club.world.cycle().await.expect(Outcome::Converged);
        club.world.clock.advance(MINUTE);
        club.odd(|odd| {
            odd.refused_members = names(&[1, 2]);
            odd.unseen_users = if broken { names(&[1, 2]) } else { vec![] };
            odd.unseen_with = Some(500);
        });
        club.add(0..5);
        (0..5).for_each(|number| club.world.tenant.add_member(&second, &club.people[number]));
        club.cycle().await.expect(Outcome::Partial);
        let asked = asked(&club);
        let expected = if broken { 1 } else { 2 };
        assert_eq!(asked.len(), expected, "broken {broken}: {asked:?}");
        assert!(broken || asked.values().all(|times| *times == 1), "{asked:?}");
    }
}

#[tokio::test]
async fn a_user_of_this_cycle_is_not_taken_for_gone_where_a_replica_does_not_know_them_yet() {
    let club = Club::of(4).await.proven().await;
    let user = json!({"userPrincipalName": name(9), "displayName": "P 9"});
    let new = club.world.tenant.add_user(user);
    club.odd(|odd| {
        (odd.refused_members, odd.unseen_users) = (names(&[9]), names(&[9]));
        odd.members_refused_with = Some(404);
    });
    club.add(0..3);
    club.world.tenant.add_member(&club.group, &new);
    let ran = club.cycle().await;
    ran.expect(Outcome::Partial);
    assert_eq!((ran.count(Verb::CreateUser), ran.summary.escrow), (1, 1));
    let record = club
        .world
        .job
        .snapshot
        .record(ObjectKind::User, &new.parse().unwrap());
    assert!(record.unwrap().unwrap().link.is_some(), "{}", ran.story());
    club.odd(|odd| *odd = Oddities::default());
    club.world.clock.advance(MINUTE * 6);
    let ran = club.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(ran.count(Verb::CreateUser) + ran.count(Verb::LinkUser), 0);
    club.world.assert_equal();
}

#[tokio::test]
async fn a_member_who_is_refused_because_they_are_gone_is_made_anew() {
    let club = Club::of(3).await;
    let resource = club.world.resource(&club.people[1])["id"].clone();
    club.world.workspace.remove_user(resource.as_str().unwrap());
    club.world.clock.advance(MINUTE);
    club.add([0, 1, 2]);
    club.cycle().await.expect(Outcome::Partial);
    assert_eq!(club.waiting(), [(1, 1)]);
    let ran = club.cycle().await;
    assert_eq!(ran.count(Verb::CreateUser), 1, "{}", ran.story());
    assert_eq!(club.held(), [0, 1, 2], "{}", ran.story());
    ran.expect(Outcome::Converged);
    assert_eq!(club.waiting(), []);
}
