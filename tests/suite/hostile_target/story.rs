//! The story that every behaviour is told: an initial cycle, changes of every kind, and no change.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use super::behaviours::Behaviour;
use crate::support::truth::differences;
use crate::support::world::Ran;
use crate::support::world::World;

/// A world, a behaviour, and what was said so far.
pub struct Stage {
    pub world: World,
    behaviour: &'static Behaviour,
    /// Users and a group that nobody in the tenant is linked to, as they were.
    bystanders: BTreeMap<String, Value>,
    said: Vec<String>,
    failed: Vec<String>,
}

/// What happens at the source between two cycles.
type Scene = (&'static str, fn(&Tenant, &[String], &[String]));

const SCENES: &[Scene] = &[
    ("the first cycle", |_, _, _| {}),
    ("attributes change, come and go", |tenant, users, _| {
        let values = json!({"jobTitle": "Pilot", "surname": "Changed", "mobilePhone": "+49 1", "city": "Łódź",
            "onPremisesImmutableId": "AAAA", "department": "Flight"});
        tenant.set_user(&users[4], values);
        tenant.set_user(
            &users[5],
            json!({"jobTitle": null, "mobilePhone": null, "businessPhones": [], "department": null}),
        );
        tenant.set_user(&users[6], json!({"givenName": "New", "mail": "six@corp.example"}));
    }),
    ("attributes change again", |tenant, users, _| {
        tenant.set_user(
            &users[5],
            json!({"jobTitle": "Back", "mobilePhone": "+49 5", "businessPhones": ["+49 55"]}),
        );
        for at in [4, 6, 7] {
            tenant.set_user(
                &users[at],
                json!({"surname": format!("Again{at}"), "onPremisesImmutableId": format!("B{at}")}),
            );
        }
    }),
    ("managers come, change and go", |tenant, users, _| {
        tenant.set_manager(&users[0], Some(&users[1]));
        tenant.set_manager(&users[11], Some(&users[2]));
        tenant.set_manager(&users[12], Some(&users[2]));
        tenant.set_manager(&users[13], None);
    }),
    ("members leave three groups", |tenant, _, groups| {
        for group in &groups[..3] {
            let members = tenant.user_members(group);
            tenant.remove_member(group, &members[0]);
            tenant.remove_member(group, &members[1]);
        }
    }),
    ("members come and leave", |tenant, users, groups| {
        for group in groups {
            let members = tenant.user_members(group);
            let newcomers = users.iter().filter(|user| !members.contains(user)).take(2);
            newcomers.for_each(|user| tenant.add_member(group, user));
            tenant.remove_member(group, &members[2]);
        }
    }),
    ("people and groups are renamed", |tenant, users, groups| {
        let names = json!({"userPrincipalName": "new.name@corp.example", "displayName": "New Name"});
        tenant.set_user(&users[3], names);
        tenant.set_group(&groups[1], json!({"displayName": "Renamed"}));
    }),
    (
        "the renamed one leaves a group and changes",
        |tenant, users, groups| {
            for group in groups
                .iter()
                .filter(|group| tenant.user_members(group).contains(&users[3]))
            {
                if tenant.user_members(group).len() > 2 {
                    tenant.remove_member(group, &users[3]);
                }
            }
            tenant.set_user(&users[3], json!({"jobTitle": "Renamed"}));
        },
    ),
    ("people are disabled and enabled", |tenant, users, _| {
        for at in [8, 9, 10] {
            tenant.disable_user(&users[at]);
        }
    }),
    ("one comes back, one is in the bin", |tenant, users, _| {
        tenant.enable_user(&users[8]);
        tenant.soft_delete_user(&users[14]);
    }),
    ("names with special characters", |tenant, users, _| {
        let user = tenant.add_user(
            json!({"userPrincipalName": "o'hara+one@corp.example", "displayName": "O'Hara \"One\""}),
        );
        let group = tenant.add_group(json!({"displayName": "R&D \"EU\" (#1)"}));
        tenant.add_member(&group, &user);
        tenant.add_member(&group, &users[0]);
    }),
    ("deletes", |tenant, users, groups| {
        tenant.hard_delete_user(&users[15]);
        tenant.hard_delete_group(&groups[3]);
    }),
];

impl Stage {
    /// Twenty-odd users, four groups, managers and roles; at the target one of them under another case of the name, and
    /// bystanders.
    pub async fn set(behaviour: &'static Behaviour) -> Self {
        let tenant = Tenant::sample_with(SampleOptions {
            users: behaviour.users,
            groups: 4,
            members_per_group: Some(8),
            plain: true,
            ..SampleOptions::default()
        });
        let users = tenant.user_ids();
        tenant.grant_permission("Application.Read.All");
        tenant.set_manager(&users[13], Some(&users[1]));
        tenant.assign(&users[0], "GlobalAdministrator");
        tenant.assign(&users[8], "BillingAdministrator");
        let application = tenant.service_principal_id().parse().unwrap();
        let mut world = World::new(tenant).await;
        let preset = include_str!("../../../config/mappings/idmelon.toml");
        let roles = "\n[[user]]\ntarget = 'roles[primary eq \"True\"].value'\n\
                     source = 'SingleAppRoleAssignment([appRoleAssignments])'\n";
        world.map_by(
            Mapping::from_toml("roles.toml", &format!("{preset}{roles}")).unwrap_or_else(|p| panic!("{p}")),
        );
        world.job.assigning = Assigning {
            application: Some(application),
            ..Assigning::default()
        };
        world.job.policy.deletion_threshold = Threshold::count(1000);
        world.job.policy.groups.deletion_threshold = Threshold::count(1000);
        world.job.policy.groups.on_delete = GroupRemoval::Delete;
        world.dialect = (behaviour.pinned)();
        world.restart();
        world.allow.without = behaviour.without.iter().map(|path| (*path).to_owned()).collect();
        world.workspace.update_faults(|faults| (behaviour.switch)(faults));
        let there = world.tenant.user(&users[2]).unwrap()["userPrincipalName"]
            .as_str()
            .unwrap()
            .to_uppercase();
        world
            .workspace
            .insert_user(json!({"userName": there, "active": true}));
        world.remember_workspace();
        let local = world
            .workspace
            .insert_user(json!({"userName": "local@idmelon.example", "active": true}));
        let group = world
            .workspace
            .insert_group(json!({"displayName": "Local", "members": [{"value": local}]}));
        let bystanders = BTreeMap::from([
            (local.clone(), world.workspace.user(&local).unwrap()),
            (group.clone(), world.workspace.group(&group).unwrap()),
        ]);
        Self {
            world,
            behaviour,
            bystanders,
            said: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Plays every scene, each with two cycles, a restart in the middle and a full cycle at the end; what went wrong.
    pub async fn play(&mut self) -> Vec<String> {
        let (users, groups) = (self.world.tenant.user_ids(), self.world.tenant.group_ids());
        let mut wrong = Vec::new();
        for (at, (scene, happens)) in SCENES.iter().enumerate() {
            happens(&self.world.tenant, &users, &groups);
            if at == SCENES.len() / 2 {
                self.world.restart();
            }
            self.world
                .clock
                .advance(std::time::Duration::from_secs(48 * 3600));
            let first = self.world.cycle().await;
            self.listen(scene, &first);
            wrong.extend(self.harm(scene));
            let settled = first.summary.outcome == Outcome::Converged;
            let before = self.world.workspace.writes();
            let again = self.world.cycle().await;
            self.listen(scene, &again);
            if settled && self.world.workspace.writes() != before {
                wrong.push(format!("{scene}: the second cycle wrote {:?}", again.operations));
            }
            if (self.behaviour.truth)(at) {
                let differences = differences(&self.world.tenant, &self.world.workspace, &self.world.allow);
                wrong.extend(differences.into_iter().map(|found| format!("{scene}: {found}")));
            }
            if wrong.len() > 12 {
                break;
            }
        }
        let full = self.world.run(Extent::Full, true, None).await;
        self.listen("the full cycle", &full);
        wrong.extend(self.harm("the full cycle"));
        wrong
    }

    fn listen(&mut self, scene: &str, ran: &Ran) {
        self.said.extend(ran.findings.clone());
        for failure in &ran.summary.failed {
            self.failed.push(format!(
                "{scene}: {} {}: {} ({})",
                failure.operation, failure.object, failure.error, failure.hint
            ));
        }
        if let Some(error) = &ran.error {
            self.failed
                .push(format!("{scene}: {} do: {}", ran.story(), error.hint()));
        }
    }

    /// What must never happen, whatever the target does.
    fn harm(&self, scene: &str) -> Vec<String> {
        let (tenant, workspace) = (&self.world.tenant, &self.world.workspace);
        let mut harm = Vec::new();
        for (id, before) in &self.bystanders {
            let now = workspace.user(id).or_else(|| workspace.group(id));
            if now.as_ref() != Some(before) {
                harm.push(format!("{scene}: bystander {id} was touched: {now:?}"));
            }
        }
        let mut names = BTreeSet::new();
        for user in workspace.users() {
            let name = user["userName"].as_str().unwrap_or_default().to_lowercase();
            if !names.insert(name.clone()) {
                harm.push(format!("{scene}: {name} is there twice"));
            }
        }
        for id in tenant.group_ids() {
            let held = workspace.groups_by_external_id(&id);
            let expected = tenant.user_members(&id);
            let count = held
                .first()
                .and_then(|group| group["members"].as_array())
                .map_or(0, Vec::len);
            // Those who are to be members and are at the target: at a target that refuses everybody there are none.
            let there = expected
                .iter()
                .filter(|member| !workspace.users_by_external_id(member).is_empty());
            if !held.is_empty() && there.count() > 0 && count == 0 {
                harm.push(format!("{scene}: group {id} was emptied"));
            }
            if held.len() > 1 {
                harm.push(format!("{scene}: group {id} is there {} times", held.len()));
            }
        }
        harm
    }

    /// Where everything should come true, nothing may fail on the way.
    pub fn unexpected_failures(&self) -> Vec<String> {
        self.failed.clone()
    }

    /// What should have been said and was not.
    pub fn unsaid(&self, fragments: &[&str]) -> Vec<String> {
        let all: Vec<&String> = self.said.iter().chain(&self.failed).collect();
        fragments
            .iter()
            .filter(|fragment| !all.iter().any(|text| text.contains(*fragment)))
            .map(|fragment| format!("nothing says {fragment:?}; said: {all:#?}"))
            .collect()
    }
}
