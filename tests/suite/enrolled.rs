//! The enrolled group, over real HTTP: who enrols a key joins, and leaves on proof alone. Each cycle runs twice.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::app::views::enrolled::EnrolledView;
use melonsync::app::views::objects::State;
use melonsync::app::views::objects::Wanted;
use melonsync::app::views::objects::objects;
use melonsync::engine::back::Enrolled;
use melonsync::engine::back::EnrolledRules;
use melonsync::engine::back::Requires;
use melonsync::engine::back::WayBack;
use melonsync::engine::explain::Asked;
use melonsync::engine::explain::explain;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::entra::GraphOptions;
use melonsync::entra::GraphSource;
use melonsync::entra::clouds::Cloud;
use melonsync::entra::writer::GraphWriter;
use melonsync::idmelon::IdmelonKeys;
use melonsync::idmelon::IdmelonOptions;
use melonsync::model::clock::Clock;
use melonsync::model::id::ObjectKind;
use melonsync::model::secret::Secret;
use melonsync::ports::MembershipWrite;
use melonsync::ports::Sent;
use melonsync::ports::SourceError;
use melonsync::ports::Traffic;
use melonsync::ports::UserWrite;
use melonsync::ports::Writer;
use melonsync::reconcile::back::group::EnrolledThreshold;
use melonsync::reconcile::back::standing::Standing;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::DEFAULT_API_KEY;
use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Server;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::kept_back::KeptBackReads;
use melonsync::transport::NetworkOptions;
use melonsync::transport::RetryPolicy;
use serde_json::json;
use tokio::sync::Notify;

use crate::cycles::undo::id_of;
use crate::cycles::undo::undo;
use crate::support::announced::to_explain;
use crate::support::world::Ran;
use crate::support::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A world whose users are linked, with an enrolled group.
struct Site {
    world: World,
    group: String,
    servers: [Server; 2],
}

impl Site {
    async fn new(users: usize) -> Self {
        Self::with(users, Requires::Key).await
    }

    async fn with(users: usize, requires: Requires) -> Self {
        let tenant = Tenant::sample_with(SampleOptions {
            users,
            groups: 0,
            plain: true,
            ..SampleOptions::default()
        });
        let group = tenant.add_group(json!({"displayName": "Key holders", "groupTypes": []}));
        tenant.let_writer_own(&group);
        let mut world = World::new(tenant).await;
        let here = "127.0.0.1:0".parse().unwrap();
        let servers = [
            world.tenant.serve(here).await.unwrap(),
            world.workspace.serve(here).await.unwrap(),
        ];
        let back = way_back(&world, &servers, &group, requires);
        world.job.back = Some(Arc::new(back));
        world.cycle().await.expect(Outcome::Converged);
        Self {
            world,
            group,
            servers,
        }
    }

    fn user(&self, n: usize) -> String {
        self.world.tenant.user_ids()[n].clone()
    }

    /// Enrols a key for a user. Returns its id.
    fn enrols(&self, n: usize) -> String {
        let shown = self.world.tenant.user(&self.user(n)).unwrap();
        let name = shown["userPrincipalName"].as_str().unwrap();
        self.world.workspace.enrol_key(&name.to_uppercase())
    }

    fn members(&self) -> usize {
        self.world.tenant.members(&self.group).len()
    }

    /// One cycle of the way back, so long after the last, and after one that reads what people are called now.
    async fn back(&self, later: Duration) -> Ran {
        self.world.clock.advance(later);
        self.world.run(Extent::Changes, true, None).await;
        self.back_alone().await
    }

    async fn back_alone(&self) -> Ran {
        self.world.run(Extent::Back, true, None).await
    }

    /// One cycle that adds and removes so many, and another one at once that does nothing more.
    #[track_caller]
    fn moved(ran: &Ran, joins: u64, leaves: u64) {
        let moved = (ran.count(Verb::AddEnrolled), ran.count(Verb::RemoveEnrolled));
        assert_eq!(moved, (joins, leaves), "{}", ran.story());
    }

    async fn back_twice(&self, later: Duration, joins: u64, leaves: u64) -> Ran {
        let first = self.back(later).await;
        Self::moved(&first, joins, leaves);
        Self::moved(&self.back(Duration::from_secs(1)).await, 0, 0);
        first
    }
}

fn graph_options(
    world: &World,
    servers: &[Server; 2],
    (client_id, secret): (String, String),
) -> GraphOptions {
    GraphOptions {
        tenant_id: world.tenant.tenant_id(),
        client_id,
        credential: Secret::new(secret).into(),
        cloud: Cloud::Global,
        graph_url: Some(servers[0].url.parse().unwrap()),
        login_url: Some(servers[0].url.parse().unwrap()),
        network: NetworkOptions::default(),
        clock: Arc::new(world.clock.clone()),
        retry: RetryPolicy::default(),
    }
}

impl Site {
    /// What is said of a user where it is asked whether the enrolled group holds them: text and document.
    async fn explained(&self, n: usize) -> (String, serde_json::Value) {
        let user = self.user(n);
        let asked = Asked {
            object: &user,
            in_group: Some(&self.group),
        };
        let told = explain(&self.world.job, &to_explain(), asked).await.unwrap();
        (told.to_text(|_| None, false), told.to_json())
    }

    /// Explains a user, and checks how they stand and that the first line says why.
    #[track_caller]
    fn stands((text, json): &(String, serde_json::Value), standing: &str, why: &str) {
        assert_eq!(json["enrolled"]["standing"], standing, "{text}");
        assert!(text.lines().next().unwrap().contains(why), "{text}");
        assert!(text.contains("\nEnrolled group"), "{text}");
    }

    /// The users who stand so, by `list`.
    fn listed(&self, state: State) -> Vec<String> {
        let wanted = Wanted {
            kind: ObjectKind::User,
            state: Some(state),
            search: None,
            after: None,
            enrolled_group: Some(self.group.parse().unwrap()),
        };
        let now = self.world.clock.now();
        let page = objects(&self.world.job.snapshot, "job", &wanted, 100, now).unwrap();
        let ids = page.objects.iter().filter_map(|one| one.object);
        ids.map(|id| id.to_string()).collect()
    }
}

fn way_back(world: &World, servers: &[Server; 2], group: &str, requires: Requires) -> WayBack {
    let graph = |credentials| graph_options(world, servers, credentials);
    let mut api: url::Url = servers[1].url.parse().unwrap();
    api.set_path("");
    let keys = IdmelonKeys::new(IdmelonOptions {
        url: api,
        key: Secret::new(DEFAULT_API_KEY.to_owned()),
        network: NetworkOptions::default(),
        clock: Arc::new(world.clock.clone()),
        retry: RetryPolicy::default(),
    });
    let reader = graph((world.tenant.client_id(), world.tenant.client_secret()));
    WayBack {
        writer: Arc::new(GraphWriter::new(&graph(world.tenant.writer_credentials())).unwrap()),
        enrolled: Some(Enrolled {
            keys: Arc::new(keys.unwrap()),
            evidence: Arc::new(GraphSource::new(reader).unwrap()),
            rules: EnrolledRules {
                group: group.parse().unwrap(),
                requires,
                leave_after: DAY,
                threshold: EnrolledThreshold {
                    add: None,
                    remove: Some(Threshold::count(2)),
                },
                never: Default::default(),
            },
        }),
        attributes: Vec::new(),
        clear_threshold: Threshold::count(5),
    }
}

fn finds(ran: &Ran, code: &str) -> bool {
    ran.summary.findings.iter().any(|finding| finding.code == code)
}

#[tokio::test]
async fn whoever_enrols_a_key_joins_and_leaves_after_two_readings_and_the_wait() {
    let site = Site::new(4).await;
    let key = site.enrols(0);
    site.enrols(1);
    // A plan shows the first fill and writes nothing; an ordinary cycle is none of the way back.
    let plan = site.world.run(Extent::Full, false, None).await;
    Site::moved(&plan, 2, 0);
    assert_eq!(
        plan.operations
            .iter()
            .filter(|one| one.verb == Verb::AddEnrolled)
            .count(),
        2
    );
    Site::moved(&site.world.cycle().await, 0, 0);
    assert_eq!(site.members(), 0);
    let first = site.back_twice(MINUTE, 2, 0).await;
    first.expect(Outcome::Converged);
    assert_eq!(site.members(), 2);
    site.world.workspace.delete_key(&key);
    site.back_twice(15 * MINUTE, 0, 0).await;
    // A replacement within the day ends the wait, which begins anew.
    let replaced = site.enrols(0);
    site.back_twice(DAY, 0, 0).await;
    site.world.workspace.delete_key(&replaced);
    site.back_twice(15 * MINUTE, 0, 0).await;
    let left = site.back_twice(DAY, 0, 1).await;
    left.expect(Outcome::Converged);
    assert_eq!(site.world.tenant.members(&site.group), [site.user(1)]);
}

#[tokio::test]
async fn nobody_leaves_by_names_that_are_older_than_the_first_reading_without_a_key() {
    let site = Site::new(3).await;
    let key = site.enrols(0);
    site.back_twice(MINUTE, 1, 0).await;
    // Renamed in Entra, and the key is listed under the new name at once; the daemon hears nothing from Entra meanwhile.
    site.world.tenant.set_user(
        &site.user(0),
        json!({"userPrincipalName": "married@corp.example"}),
    );
    site.world.workspace.delete_key(&key);
    site.world.workspace.enrol_key("married@corp.example");
    for _ in 0..3 {
        site.world.clock.advance(DAY);
        Site::moved(&site.back_alone().await, 0, 0);
    }
    assert_eq!(site.members(), 1);
    // Once the new name is read, the key is theirs.
    site.back_twice(MINUTE, 0, 0).await;
    site.back_twice(DAY, 0, 0).await;
    assert_eq!(site.members(), 1);
}

#[tokio::test]
async fn a_short_reading_removes_nobody_and_a_full_cycle_does_the_way_back_too() {
    let site = Site::new(4).await;
    for n in 0..4 {
        site.enrols(n);
    }
    let full = site.world.run(Extent::Full, true, None).await;
    Site::moved(&full, 4, 0);
    site.world
        .workspace
        .update_faults(|faults| faults.keys_omitted = Fault::always());
    for _ in 0..3 {
        let short = site.back_twice(DAY, 0, 0).await;
        assert!(finds(&short, "keys_without_evidence"), "{}", short.story());
        short.expect(Outcome::Partial);
        assert_eq!(site.members(), 4);
    }
}

#[tokio::test]
async fn who_was_taken_out_by_hand_is_not_put_back_for_a_day() {
    let site = Site::new(3).await;
    site.enrols(0);
    site.back_twice(MINUTE, 1, 0).await;
    site.world.tenant.remove_member(&site.group, &site.user(0));
    site.back_twice(MINUTE, 0, 0).await;
    let seen = site.back_twice(16 * MINUTE, 0, 0).await;
    assert!(finds(&seen, "removed_by_hand"), "{}", seen.story());
    assert_eq!(site.members(), 0);
    assert_eq!(seen.summary.withheld.by_reason.get("removed_by_hand"), Some(&1));
    site.back_twice(20 * 60 * MINUTE, 0, 0).await;
    site.back_twice(5 * 60 * MINUTE, 1, 0).await;
    assert_eq!(site.members(), 1);
}

#[tokio::test]
async fn a_mass_loss_of_keys_is_withheld_and_released() {
    let site = Site::new(8).await;
    let keys: Vec<String> = (0..7).map(|n| site.enrols(n)).collect();
    site.back_twice(MINUTE, 7, 0).await;
    keys.iter()
        .take(3)
        .for_each(|key| site.world.workspace.delete_key(key));
    site.back_twice(15 * MINUTE, 0, 0).await;
    let withheld = site.back_twice(DAY, 0, 0).await;
    withheld.expect(Outcome::Withheld);
    assert_eq!(withheld.summary.withheld.by_reason.get("key_gone"), Some(&3));
    // An ordinary cycle does not ask for them, and does not forget them.
    site.world.cycle().await;
    let snapshot = &site.world.job.snapshot;
    let mut all = Vec::new();
    snapshot
        .each_withheld(|key, entry| {
            all.push((key, entry));
            Ok(())
        })
        .unwrap();
    assert_eq!(all.len(), 3);
    let mut tx = snapshot.tx().unwrap();
    for (key, mut entry) in all.into_iter().take(2) {
        entry.released_by = Some("ada".to_owned());
        tx.put_withheld(&key, &entry);
    }
    tx.commit(melonsync::ports::Durability::Lazy).unwrap();
    let released = site.world.run(Extent::Released, true, None).await;
    Site::moved(&released, 0, 2);
    assert_eq!(site.members(), 5);
    Site::moved(&site.back(MINUTE).await, 0, 0);
}

#[tokio::test]
async fn a_foreign_member_is_found_and_a_missing_right_stops_the_direction() {
    let site = Site::new(4).await;
    site.world.tenant.add_member(&site.group, &site.user(3));
    let seen = site.back_twice(MINUTE, 0, 0).await;
    assert!(finds(&seen, "foreign_member"), "{}", seen.story());
    site.back_twice(2 * DAY, 0, 0).await;
    assert_eq!(site.members(), 1);
    // The app owns the group no more: it is named, and goes on by itself.
    site.world.tenant.let_writer_disown(&site.group);
    site.enrols(0);
    let refused = site.back(MINUTE).await;
    Site::moved(&refused, 0, 0);
    assert!(finds(&refused, "right_missing"), "{}", refused.story());
    site.world.tenant.let_writer_own(&site.group);
    site.back_twice(MINUTE, 1, 0).await;
}

#[tokio::test]
async fn a_key_without_a_passkey_does_not_join_until_one_is_seen() {
    let site = Site::with(3, Requires::KeyAndPasskey).await;
    site.world.tenant.grant_permission("AuditLog.Read.All");
    site.enrols(0);
    let seen = site.back(MINUTE).await;
    Site::moved(&seen, 0, 0);
    assert!(finds(&seen, "key_without_passkey"), "{}", seen.story());
    site.world.tenant.register_passkey(&site.user(0), "a model");
    site.world.tenant.register_passkey(&site.user(1), "a model");
    let later = site.back(2 * 60 * MINUTE).await;
    Site::moved(&later, 1, 0);
    assert!(finds(&later, "passkey_without_key"), "{}", later.story());
}

#[tokio::test]
async fn a_key_whose_owner_nobody_knows_is_found_and_counts_once_it_is_known() {
    let site = Site::new(3).await;
    site.world.workspace.enrol_key("someone.else@corp.example");
    let seen = site.back_twice(MINUTE, 0, 0).await;
    assert!(finds(&seen, "key_without_owner"), "{}", seen.story());
    let mail = json!({"mail": "someone.else@corp.example"});
    site.world.tenant.set_user(&site.user(2), mail);
    site.world.cycle().await.expect(Outcome::Converged);
    let known = site.back_twice(MINUTE, 1, 0).await;
    assert!(!finds(&known, "key_without_owner"), "{}", known.story());
    // By that name still, once it is a former one.
    site.world
        .tenant
        .set_user(&site.user(2), json!({"mail": "married@corp.example"}));
    site.world.cycle().await.expect(Outcome::Converged);
    site.back_twice(2 * DAY, 0, 0).await;
    site.back_twice(2 * DAY, 0, 0).await;
    assert_eq!(site.members(), 1);
}

#[tokio::test]
async fn whoever_is_not_there_yet_is_asked_for_again_after_a_quarter_of_an_hour() {
    let site = Site::new(3).await;
    let answers_404 = |times: u64| {
        let fault = Fault::times(times);
        site.world
            .tenant
            .update_faults(|faults| faults.writes_not_found = fault);
    };
    site.enrols(0);
    answers_404(1);
    let early = site.back_twice(MINUTE, 0, 0).await;
    early.expect(Outcome::Converged);
    assert!(!finds(&early, "refused_by_entra"), "{}", early.story());
    let told = site.explained(0).await;
    Site::stands(&told, "pending", "is to be added");
    assert!(told.0.contains("asked for again after 15 minutes"), "{}", told.0);
    let joined = site.back_twice(15 * MINUTE, 1, 0).await;
    joined.expect(Outcome::Converged);
    let (text, _) = site.explained(0).await;
    assert!(!text.contains("refused"), "{text}");
    // Answered twice it counts, and for a day.
    site.enrols(1);
    answers_404(2);
    site.back_twice(MINUTE, 0, 0).await;
    let second = site.back_twice(15 * MINUTE, 0, 0).await;
    assert!(finds(&second, "refused_by_entra"), "{}", second.story());
    let (_, before) = site.explained(1).await;
    let later = site.back_twice(60 * MINUTE, 0, 0).await;
    assert!(finds(&later, "refused_by_entra"), "{}", later.story());
    let told = site.explained(1).await;
    Site::stands(&told, "refused_by_entra", "Entra refused the change");
    assert_eq!(
        told.1["enrolled"]["since"], before["enrolled"]["since"],
        "{}",
        told.0
    );
    site.back_twice(DAY, 1, 0).await;
}

#[tokio::test]
async fn a_removal_that_a_replica_knows_nothing_of_makes_nobody_foreign() {
    let site = Site::new(3).await;
    let key = site.enrols(0);
    site.enrols(1);
    site.back_twice(MINUTE, 2, 0).await;
    site.world.workspace.delete_key(&key);
    site.back_twice(15 * MINUTE, 0, 0).await;
    site.world
        .tenant
        .update_faults(|faults| faults.writes_not_found = Fault::once());
    for later in [DAY, 16 * MINUTE, 16 * MINUTE] {
        let looked = site.back_twice(later, 0, 0).await;
        assert!(!finds(&looked, "foreign_member"), "{}", looked.story());
        assert_eq!(site.members(), 2);
    }
    // It was not kept, and is asked for again once the key is gone for long enough.
    site.back_twice(MINUTE, 0, 0).await;
    site.back_twice(DAY, 0, 1).await;
    assert_eq!(site.members(), 1);
}

#[tokio::test]
async fn an_undo_takes_memberships_back_and_no_cycle_undoes_that() {
    let site = Site::new(4).await;
    let keys = [site.enrols(0), site.enrols(1)];
    let first = site.back_twice(MINUTE, 2, 0).await;
    let undone = undo(&site.world, id_of(&first)).await;
    assert_eq!(
        undone.summary.operations["remove_enrolled"], 2,
        "{:?}",
        undone.summary
    );
    assert_eq!(site.members(), 0);
    for later in [MINUTE, 20 * MINUTE, 2 * DAY] {
        let held = site.back_twice(later, 0, 0).await;
        assert_eq!(site.members(), 0, "{}", held.story());
    }
    let again = undo(&site.world, id_of(&first)).await;
    assert_eq!(
        again.summary.operations["remove_enrolled"], 0,
        "they are out already"
    );
    // The hold ends with the key that it was for: another one counts.
    site.world.workspace.delete_key(&keys[0]);
    site.back_twice(MINUTE, 0, 0).await;
    let other = site.enrols(0);
    site.back_twice(MINUTE, 1, 0).await;
    assert_eq!(site.world.tenant.members(&site.group), [site.user(0)]);
    // And whoever left is put back, and stays.
    site.world.workspace.delete_key(&other);
    site.back_twice(15 * MINUTE, 0, 0).await;
    let left = site.back_twice(2 * DAY, 0, 1).await;
    let undone = undo(&site.world, id_of(&left)).await;
    assert_eq!(
        undone.summary.operations["add_enrolled"], 1,
        "{:?}",
        undone.summary
    );
    site.back_twice(MINUTE, 0, 0).await;
    site.back_twice(2 * DAY, 0, 0).await;
    assert_eq!(site.world.tenant.members(&site.group), [site.user(0)]);
}

/// A writer whose process dies once its first batch was carried out.
struct Dying {
    writer: GraphWriter,
    died: Notify,
}

#[async_trait]
impl Writer for Dying {
    async fn set(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError> {
        self.writer.set(writes).await
    }

    async fn enrol(&self, writes: &[MembershipWrite]) -> Result<Vec<Sent>, SourceError> {
        self.writer.enrol(writes).await?;
        self.died.notify_one();
        std::future::pending().await
    }

    fn right_for(&self, property: &str) -> &'static str {
        self.writer.right_for(property)
    }

    fn traffic(&self) -> Traffic {
        self.writer.traffic()
    }
}

#[tokio::test]
async fn whom_a_first_cycle_added_that_died_is_ours_and_leaves_without_a_key() {
    let mut site = Site::new(3).await;
    let key = site.enrols(0);
    let good = site.world.job.back.clone();
    let group = site.group.clone();
    let mut back = way_back(&site.world, &site.servers, &group, Requires::Key);
    let options = graph_options(&site.world, &site.servers, site.world.tenant.writer_credentials());
    let dying = Arc::new(Dying {
        writer: GraphWriter::new(&options).unwrap(),
        died: Notify::new(),
    });
    back.writer = Arc::<Dying>::clone(&dying);
    site.world.job.back = Some(Arc::new(back));
    tokio::select! {
        ran = site.back(MINUTE) => panic!("it came to its end: {}", ran.story()),
        () = dying.died.notified() => {}
    }
    site.world.restart();
    site.world.job.back = good;
    assert_eq!(site.members(), 1);
    site.world.workspace.delete_key(&key);
    let seen = site.back_twice(15 * MINUTE, 0, 0).await;
    assert!(!finds(&seen, "foreign_member"), "{}", seen.story());
    site.back_twice(DAY, 0, 1).await;
    assert_eq!(site.members(), 0);
}

#[tokio::test]
async fn explain_and_list_say_who_is_in_the_enrolled_group_and_why_not() {
    let site = Site::with(5, Requires::KeyAndPasskey).await;
    site.world.tenant.grant_permission("AuditLog.Read.All");
    // Before the keys were read nothing is said of anybody.
    Site::stands(&site.explained(0).await, "unknown", "never read to the end");
    assert!(site.listed(State::NotEnrolled).is_empty());
    for n in [0, 1, 3] {
        site.enrols(n);
    }
    for n in [0, 2, 3] {
        site.world.tenant.register_passkey(&site.user(n), "a model");
    }
    site.back_twice(MINUTE, 2, 0).await;
    site.world.tenant.remove_member(&site.group, &site.user(3));
    Site::moved(&site.back(MINUTE).await, 0, 0);
    Site::moved(&site.back(16 * MINUTE).await, 0, 0);
    for (n, state, standing, why) in [
        (
            0,
            State::Enrolled,
            "member",
            "in the enrolled group: an active security key",
        ),
        (
            1,
            State::KeyWithoutPasskey,
            "key_without_passkey",
            "no passkey in Entra was seen",
        ),
        (
            2,
            State::PasskeyWithoutKey,
            "passkey_without_key",
            "no active security key",
        ),
        (3, State::RemovedByHand, "removed_by_hand", "out by hand"),
        (4, State::NotEnrolled, "outside", "no active security key"),
    ] {
        let told = site.explained(n).await;
        Site::stands(&told, standing, why);
        assert_eq!(site.listed(state), [site.user(n)], "{}", state.word());
    }
    // As many are counted as are listed.
    let counted = EnrolledView::of(&site.world.job.snapshot, site.group.parse().unwrap()).unwrap();
    for standing in Standing::ALL {
        let listed = site.listed(State::of_enrolment(standing)).len() as u64;
        assert_eq!(counted.count(standing), Some(listed), "{standing:?}");
    }
    let other = EnrolledView::of(&site.world.job.snapshot, site.user(0).parse().unwrap()).unwrap();
    assert_eq!(other.counts, None, "of another group nothing is known");
    let (text, json) = site.explained(3).await;
    assert!(text.contains("withheld since"), "{text}");
    assert!(json["enrolled"]["since"].is_string(), "{json}");
}
