//! The guard's thresholds: one more than each lets through is withheld, and with one less everything is sent.

use std::time::Duration;

use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.provisioning.deletion_threshold", "jobs.idmelon.provisioning.deletion_threshold.count",
    "jobs.idmelon.provisioning.deletion_threshold.percent" => deletion_threshold;
    "jobs.idmelon.provisioning.membership_removal_threshold",
    "jobs.idmelon.provisioning.membership_removal_threshold.count",
    "jobs.idmelon.provisioning.membership_removal_threshold.percent" => membership_removal_threshold;
    "jobs.idmelon.provisioning.identity_change_threshold",
    "jobs.idmelon.provisioning.identity_change_threshold.count",
    "jobs.idmelon.provisioning.identity_change_threshold.percent" => identity_change_threshold;
    "jobs.idmelon.provisioning.creation_threshold", "jobs.idmelon.provisioning.creation_threshold.count",
    "jobs.idmelon.provisioning.creation_threshold.percent" => creation_threshold;
    "jobs.idmelon.provisioning.groups.deletion_threshold",
    "jobs.idmelon.provisioning.groups.deletion_threshold.count",
    "jobs.idmelon.provisioning.groups.deletion_threshold.percent" => group_deletion_threshold;
    "jobs.idmelon.provisioning.guard_window" => guard_window;
}

/// What is asked is half of what is linked, and withheld or not as each form of this threshold says; no other one has a say. Of a pair
/// the lower counts, and a share is never under five.
fn lets_through(key: &str, asked: usize, groups: usize, act: impl Fn(&Stage, usize)) {
    let mut stage = Stage::new(asked * 2, groups);
    for other in [
        "deletion_threshold",
        "membership_removal_threshold",
        "identity_change_threshold",
        "groups.deletion_threshold",
    ] {
        stage.set(&format!("jobs.idmelon.provisioning.{other}"), "1000");
    }
    // The creates of the first cycle are not in the count.
    stage.set("jobs.idmelon.provisioning.guard_window", "0s");
    stage.converges();
    act(&stage, asked);
    for (form, withheld) in [
        (format!("{}", asked - 1), true),
        (format!("{asked}"), false),
        ("\"50%\"".to_owned(), false),
        (format!("{{ count = {}, percent = 100 }}", asked - 1), true),
        ("{ count = 100, percent = 45 }".to_owned(), true),
        (format!("{{ count = {asked}, percent = 50 }}"), false),
    ] {
        stage.set(&format!("jobs.idmelon.provisioning.{key}"), &form);
        let plan = stage.run(&["plan", "-o", "json"]).json();
        let count = plan["withheld"]["count"].as_u64().unwrap();
        assert_eq!(count > 0, withheld, "{key} = {form}: {plan:#}");
    }
}

fn deletion_threshold() {
    lets_through("deletion_threshold", 7, 0, |stage, asked| {
        (0..asked).for_each(|n| stage.world.tenant.disable_user(&stage.user(n)));
    });
}

fn membership_removal_threshold() {
    lets_through("membership_removal_threshold", 12, 1, |stage, asked| {
        let (group, members) = (stage.group(0), stage.world.tenant.user_members(&stage.group(0)));
        // A smaller group may lose all of them: shares are for groups of more than twenty.
        assert_eq!(members.len(), asked * 2);
        members[..asked]
            .iter()
            .for_each(|member| stage.world.tenant.remove_member(&group, member));
    });
}

fn identity_change_threshold() {
    lets_through("identity_change_threshold", 7, 0, |stage, asked| {
        for n in 0..asked {
            let name = format!("renamed{n}@corp.example");
            stage
                .world
                .tenant
                .set_user(&stage.user(n), json!({"userPrincipalName": name}));
        }
    });
}

fn creation_threshold() {
    lets_through("creation_threshold", 7, 0, |stage, asked| {
        for n in 0..asked {
            let name = format!("new{n}@corp.example");
            stage
                .world
                .tenant
                .add_user(json!({"userPrincipalName": name, "displayName": name}));
        }
    });
}

fn group_deletion_threshold() {
    lets_through("groups.deletion_threshold", 7, 14, |stage, asked| {
        let ids = stage.world.tenant.group_ids();
        ids[..asked]
            .iter()
            .for_each(|id| stage.world.tenant.hard_delete_group(id));
    });
}

/// One disable after another, under a threshold of one: the first counts as long as the window is.
fn guard_window() {
    for (window, withheld) in [("1h", 1), ("1s", 0)] {
        let stage = Stage::new(6, 0)
            .provisioning("deletion_threshold", "1")
            .provisioning("guard_window", window);
        stage.converges();
        stage.world.tenant.disable_user(&stage.user(1));
        stage.converges();
        std::thread::sleep(Duration::from_millis(1100));
        stage.world.tenant.disable_user(&stage.user(2));
        let summary = stage.sync(&[]);
        assert_eq!(summary["withheld"]["count"], withheld, "{window}: {summary:#}");
    }
}
