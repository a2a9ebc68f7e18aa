//! The parts of the way back together, over the sandbox's servers: what is decided is sent by the writer, and what was sent is read
//! back by the reader. Each cycle runs twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use melonsync::entra::GraphOptions;
use melonsync::entra::GraphSource;
use melonsync::entra::clouds::Cloud;
use melonsync::entra::writer::GraphWriter;
use melonsync::idmelon::IdmelonKeys;
use melonsync::idmelon::IdmelonOptions;
use melonsync::model::clock::SystemClock;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::object::Existence;
use melonsync::model::secret::Secret;
use melonsync::model::value::Value;
use melonsync::ports::EnrolmentEvidence;
use melonsync::ports::KeyDirectory;
use melonsync::ports::MembershipWrite;
use melonsync::ports::Sent;
use melonsync::ports::SourceDirectory;
use melonsync::ports::UserWrite;
use melonsync::ports::Writer;
use melonsync::reconcile::back::canonical::Compare;
use melonsync::reconcile::back::cell::Cell;
use melonsync::reconcile::back::cell::ReadingId;
use melonsync::reconcile::back::cell::Writable;
use melonsync::reconcile::back::decide::Decision;
use melonsync::reconcile::back::decide::OnConflict;
use melonsync::reconcile::back::decide::Rules;
use melonsync::reconcile::back::decide::Sight;
use melonsync::reconcile::back::decide::Standing;
use melonsync::reconcile::back::decide::Step;
use melonsync::reconcile::back::decide::decide;
use melonsync::reconcile::back::echo::FromEntra;
use melonsync::reconcile::back::enrolled;
use melonsync::reconcile::back::enrolled::Enrolment;
use melonsync::reconcile::back::enrolled::Move;
use melonsync::reconcile::back::enrolled::OwnerStanding;
use melonsync::reconcile::back::keys::Evidence;
use melonsync::reconcile::back::keys::KeyEvidence;
use melonsync::reconcile::back::keys::Owners;
use melonsync::reconcile::back::keys::judge;
use melonsync::reconcile::back::outcome::Outcome;
use melonsync::reconcile::back::outcome::after;
use melonsync::reconcile::back::outcome::refusal;
use melonsync::sandbox::DEFAULT_API_KEY;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Server;
use melonsync::sandbox::Tenant;
use melonsync::sandbox::Workspace;
use melonsync::transport::NetworkOptions;
use melonsync::transport::RetryPolicy;
use serde_json::json;

const LEAVE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
const RULES: Rules = Rules {
    compare: Compare::Phone,
    clear_after: Duration::from_secs(15 * 60),
    on_conflict: OnConflict::Authority,
};

/// Both sandboxes, the clients, and what is remembered.
struct Site {
    tenant: Tenant,
    workspace: Workspace,
    _servers: [Server; 2],
    source: GraphSource,
    writer: GraphWriter,
    keys: IdmelonKeys,
    group: SourceId,
    minutes: u64,
    keys_before: Option<u64>,
    enrolments: BTreeMap<SourceId, Enrolment>,
    cells: BTreeMap<SourceId, Cell>,
    /// The phone numbers that the target holds.
    at_target: BTreeMap<SourceId, Value>,
}

impl Site {
    async fn new() -> Self {
        let (tenant, workspace) = (Tenant::empty(), Workspace::new());
        let loopback = "127.0.0.1:0".parse().unwrap();
        let servers = [
            tenant.serve(loopback).await.unwrap(),
            workspace.serve(loopback).await.unwrap(),
        ];
        let group = tenant.add_group(json!({"displayName": "Key holders", "groupTypes": []}));
        tenant.let_writer_own(&group);
        tenant.grant_writer("User-Phone.ReadWrite.All");
        let options = |(client_id, secret): (String, String)| GraphOptions {
            tenant_id: tenant.tenant_id(),
            client_id,
            credential: Secret::new(secret).into(),
            cloud: Cloud::Global,
            graph_url: Some(servers[0].url.parse().unwrap()),
            login_url: Some(servers[0].url.parse().unwrap()),
            network: NetworkOptions::default(),
            clock: Arc::new(SystemClock),
            retry: RetryPolicy::default(),
        };
        let mut api = servers[1].url.parse::<url::Url>().unwrap();
        api.set_path("");
        let keys = IdmelonKeys::new(IdmelonOptions {
            url: api,
            key: Secret::new(DEFAULT_API_KEY.to_owned()),
            network: NetworkOptions::default(),
            clock: Arc::new(SystemClock),
            retry: RetryPolicy::default(),
        });
        Self {
            source: GraphSource::new(options((tenant.client_id(), tenant.client_secret()))).unwrap(),
            writer: GraphWriter::new(&options(tenant.writer_credentials())).unwrap(),
            keys: keys.unwrap(),
            group: group.parse().unwrap(),
            tenant,
            workspace,
            _servers: servers,
            minutes: 0,
            keys_before: None,
            enrolments: BTreeMap::new(),
            cells: BTreeMap::new(),
            at_target: BTreeMap::new(),
        }
    }

    fn user(&self, name: &str) -> SourceId {
        let mail = format!("{name}@corp.example");
        let id = self
            .tenant
            .add_user(json!({"userPrincipalName": mail, "mail": mail, "mobilePhone": "+1"}));
        id.parse().unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000).plus(Duration::from_secs(self.minutes * 60))
    }

    fn members(&self) -> usize {
        self.tenant.members(&self.group.to_string()).len()
    }

    /// One cycle of the enrolled group, so many minutes after the last. Returns the number of writes.
    async fn enrol(&mut self, minutes: u64) -> usize {
        self.minutes += minutes;
        let read = self.keys.keys().await.unwrap();
        let is_evidence = judge(read.listing, self.keys_before).is_ok();
        if is_evidence {
            self.keys_before = Some(read.listing.distinct);
        }
        let members = self.source.group_members(self.group).await.unwrap();
        let users: Vec<SourceId> = self
            .tenant
            .user_ids()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let mut owners = Owners::default();
        for user in &users {
            let shown = self.tenant.user(&user.to_string()).unwrap();
            owners.add(shown["userPrincipalName"].as_str().unwrap(), *user);
            owners.add(shown["mail"].as_str().unwrap(), *user);
        }
        let evidence = Evidence::of(&read.keys, &owners);
        let mut moves = Vec::new();
        for user in users {
            let seen = enrolled::Seen {
                key: if is_evidence {
                    evidence.of_user(user)
                } else {
                    KeyEvidence::Unknown
                },
                passkey: None,
                owner: OwnerStanding::Enabled,
                never: false,
                member: Some(members.contains(&user)),
                looked: false,
                reading: ReadingId(self.minutes),
                names_read: Some(self.now()),
                now: self.now(),
            };
            let before = self.enrolments.get(&user).copied().unwrap_or_default();
            let decided = enrolled::decide(&before, &seen, LEAVE_AFTER);
            self.enrolments.insert(user, decided.enrolment);
            if let Move::Add | Move::Remove = decided.step {
                let add = decided.step == Move::Add;
                self.enrolments
                    .insert(user, decided.enrolment.opened(add, self.now()));
                moves.push(MembershipWrite {
                    group: self.group,
                    user,
                    add,
                });
            }
        }
        let sent = self.writer.enrol(&moves).await.unwrap();
        assert!(sent.iter().all(|sent| *sent == Sent::Done), "{sent:?}");
        moves.len()
    }

    async fn phone_in_entra(&self, user: SourceId) -> Value {
        let select = ["mobilePhone".to_owned()];
        let found = self.source.look_up(ObjectKind::User, &[user], &select).await;
        match found.unwrap().pop() {
            Some((_, Existence::Alive(read))) => read.get("mobilePhone").cloned().unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    fn decided(&self, user: SourceId, source: &Value, looked: bool) -> Decision {
        let sight = Sight {
            standing: Standing::Complete,
            source: FromEntra {
                value: Some(source),
                looked,
                as_of: None,
            },
            target: self.at_target.get(&user),
            reading: ReadingId(self.minutes),
            readable: true,
            active: true,
            writable: Writable::default(),
            now: self.now(),
        };
        let cell = self.cells.get(&user).cloned().unwrap_or_default();
        decide(&cell, &sight, &RULES)
    }

    /// One cycle of the phone numbers. Returns the number of writes.
    async fn write_back(&mut self, minutes: u64) -> usize {
        self.minutes += minutes;
        let users: Vec<SourceId> = self.at_target.keys().copied().collect();
        let mut writes = 0;
        for user in users {
            let source = self.phone_in_entra(user).await;
            let mut decision = self.decided(user, &source, false);
            if decision.step == Step::Look {
                self.cells.insert(user, decision.cell);
                decision = self.decided(user, &source, true);
            }
            let (Step::Write(write) | Step::Clear(write)) = &decision.step else {
                self.cells.insert(user, decision.cell);
                continue;
            };
            writes += 1;
            let opened = decision.cell.opened(write, self.now());
            let request = UserWrite {
                user,
                properties: vec![("mobilePhone".to_owned(), write.to.clone())],
            };
            let outcome = match self.writer.set(&[request]).await.unwrap().remove(0) {
                Sent::Done | Sent::AlreadySo => Outcome::Done,
                Sent::NotYet(_) => Outcome::NotSent,
                Sent::Unanswered(_) => Outcome::Unanswered,
                Sent::Refused { status, .. } => Outcome::Refused(refusal(status, Writable::default())),
            };
            let cell = after(&decision.cell, &opened, write, outcome, Writable::default());
            self.cells.insert(user, cell);
        }
        writes
    }
}

#[tokio::test]
async fn whoever_enrols_a_key_joins_the_group_once() {
    let mut site = Site::new().await;
    let (ada, _) = (site.user("ada"), site.user("bo"));
    site.workspace.enrol_key("Ada@corp.example");
    assert_eq!((site.enrol(0).await, site.members()), (1, 1));
    assert_eq!((site.enrol(15).await, site.members()), (0, 1), "the second time");
    assert_eq!(site.tenant.members(&site.group.to_string()), [ada.to_string()]);
}

#[tokio::test]
async fn a_key_that_is_lost_takes_a_day_and_two_readings() {
    let mut site = Site::new().await;
    site.user("ada");
    site.user("bo");
    let key = site.workspace.enrol_key("ada@corp.example");
    site.workspace.enrol_key("bo@corp.example");
    assert_eq!(site.enrol(0).await, 2);
    assert_eq!(site.enrol(15).await, 0);
    site.workspace.delete_key(&key);
    assert_eq!(
        (site.enrol(15).await, site.enrol(60).await),
        (0, 0),
        "the wait begins"
    );
    // A replacement within the day.
    let replaced = site.workspace.enrol_key("ada@corp.example");
    assert_eq!(site.enrol(24 * 60).await, 0);
    site.workspace.delete_key(&replaced);
    assert_eq!((site.enrol(15).await, site.enrol(24 * 60).await), (0, 1));
    assert_eq!((site.enrol(15).await, site.members()), (0, 1), "the second time");
}

#[tokio::test]
async fn a_short_reading_removes_nobody() {
    let mut site = Site::new().await;
    for name in ["ada", "bo", "cy"] {
        site.user(name);
        site.workspace.enrol_key(&format!("{name}@corp.example"));
    }
    assert_eq!(site.enrol(0).await, 3);
    assert_eq!(site.enrol(15).await, 0);
    site.workspace
        .update_faults(|faults| faults.keys_omitted = Fault::always());
    for _ in 0..4 {
        assert_eq!((site.enrol(24 * 60).await, site.members()), (0, 3));
    }
}

#[tokio::test]
async fn a_number_edited_at_the_target_arrives_once_and_stays() {
    let mut site = Site::new().await;
    let (ada, synced) = (site.user("ada"), site.user("synced"));
    site.tenant
        .set_user(&synced.to_string(), json!({"onPremisesSyncEnabled": true}));
    for user in [ada, synced] {
        site.at_target.insert(user, Value::text("+1"));
    }
    assert_eq!(
        (site.write_back(0).await, site.write_back(15).await),
        (0, 0),
        "first contact"
    );
    for user in [ada, synced] {
        site.at_target.insert(user, Value::text("+49 30"));
    }
    assert_eq!(site.write_back(15).await, 2);
    assert_eq!(site.phone_in_entra(ada).await, Value::text("+49 30"));
    assert_eq!(
        site.phone_in_entra(synced).await,
        Value::text("+1"),
        "refused by Entra"
    );
    for _ in 0..3 {
        assert_eq!(
            site.write_back(15).await,
            0,
            "once, and the refused one is not tried again"
        );
    }
    assert_eq!(site.phone_in_entra(ada).await, Value::text("+49 30"));
    // What was answered and not kept is not sent again.
    site.tenant
        .update_faults(|faults| faults.writes_lost = Fault::always());
    site.at_target.insert(ada, Value::text("+49 31"));
    assert_eq!(site.write_back(15).await, 1);
    for _ in 0..4 {
        assert_eq!(site.write_back(15).await, 0);
    }
    assert_eq!(site.phone_in_entra(ada).await, Value::text("+49 30"));
}
