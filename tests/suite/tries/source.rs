//! What Graph answers that cannot be used, and what the hint says: the next cycle, or a fresh start.

use melonsync::sandbox::Fault;
use melonsync::sandbox::GraphFaults;
use serde_json::json;

use super::front::Front;
use crate::cli_output::world::World;

/// Throws one switch of the sample tenant.
type Breaks = fn(&mut GraphFaults);

/// A name, what breaks, the hint, and the commands that it leads to.
type Case<'t> = (&'t str, Breaks, &'t str, &'t [&'t [&'t str]]);

const SYNC: &[&str] = &["sync"];
const RESTART: &[&str] = &["resync", "--restart"];

#[test]
fn what_graph_answers_and_cannot_be_used_is_read_again_as_the_hint_says() {
    let cases: &[Case<'_>] = &[
        (
            "a token that is refused, and a new one too",
            |faults| faults.unauthorized = Fault::always(),
            "a new token is refused too: check that `cloud` and `graph_url` belong together",
            &[SYNC],
        ),
        (
            "a page without its entries",
            |faults| faults.no_value = Fault::always(),
            "check `graph_url` and `proxy`; the next cycle asks for this page again",
            &[SYNC],
        ),
        (
            "a page without its entries, and a fresh start",
            |faults| faults.no_value = Fault::always(),
            "`melonsync resync --restart` begins afresh",
            &[RESTART, SYNC],
        ),
        (
            "a page token that has expired, again and again",
            |faults| faults.expire_page_token = Fault::always(),
            "nothing to do: the next cycle reads the source from the beginning; links are kept",
            &[SYNC],
        ),
        (
            "a link that is refused in words of no list",
            |faults| {
                faults.expire_page_token = Fault::always();
                faults.reset_status = Some(400);
                faults.reset_code = Some("UnknownError".to_owned());
            },
            "the link to a page that was kept from an earlier answer is refused, again and again",
            &[SYNC],
        ),
        (
            "a round without an end",
            |faults| faults.endless = Fault::always(),
            "what was read is kept, and users whom it names as disabled or deleted are disabled",
            &[RESTART, SYNC],
        ),
        (
            "throttled",
            |faults| {
                faults.throttle = Fault::always();
                faults.retry_after = Some("3600".to_owned());
            },
            "Microsoft Graph throttles this app: run cycles less often",
            &[SYNC],
        ),
        (
            "in trouble",
            |faults| {
                faults.unavailable = Fault::always();
                faults.retry_after = Some("3600".to_owned());
            },
            "Microsoft Graph is in trouble: the next cycle tries again",
            &[SYNC],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, breaks, hint, instead) in cases {
        let world = World::new(12, 2);
        world.converges();
        let ids = world.tenant.user_ids();
        for id in &ids {
            world.tenant.set_user(id, json!({"jobTitle": "Another"}));
        }
        world.tenant.update_faults(|faults| {
            faults.page_size = Some(3);
            breaks(faults);
        });
        let ran = world.run(SYNC);
        let said = ran.err.contains(hint);
        if ran.code == Some(0) || !said {
            wrong.push(format!("{name}: no \"{hint}\" in {ran:?}"));
        }
        world.tenant.set_faults(GraphFaults::default());
        for args in *instead {
            let ran = world.run(args);
            if ran.code != Some(0) {
                wrong.push(format!("{name}: {args:?}: {ran:?}"));
            }
        }
        world.converges();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_list_of_assignments_that_cannot_be_used_leaves_the_last_one_in_force() {
    let world = World::new(8, 2);
    world.tenant.grant_permission("Application.Read.All");
    let config = world.config();
    let config = config
        .replace("# scope = ", "scope = ")
        .replace("# service_principal_id", "service_principal_id");
    world.write(&config);
    for id in &world.tenant.user_ids()[..4] {
        world.tenant.assign(id, "User");
    }
    world.run(&["sync"]).exits(0);
    let users = world.workspace.user_count();
    world
        .tenant
        .update_faults(|faults| faults.assignment_no_value = Fault::always());
    let said = world.run(&["sync"]).exits(3);
    let hint = "the list of the last complete read stays in force, and the next cycle reads it again";
    assert!(format!("{}{}", said.out, said.err).contains(hint), "{said:?}");
    assert_eq!(world.workspace.user_count(), users);
    world.tenant.set_faults(GraphFaults::default());
    world.run(&["sync"]).exits(0);
}

#[test]
fn a_batch_without_answers_is_asked_again_by_the_next_cycle() {
    let world = World::new(6, 1);
    let front = Front::of(&world.graph.url);
    let graph = format!("graph_url = \"{}\"", world.graph.url);
    world.change(&graph, &format!("graph_url = \"{}\"", front.url));
    world.run(&["sync"]).exits(0);
    let leaver = world.tenant.user_ids()[1].clone();
    world.tenant.hard_delete_user(&leaver);
    front.answers(&["/$batch"], 200, "content-type: application/json\r\n", "{}");
    let ran = world.run(&["sync", "-o", "json"]);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        said.contains("check `graph_url` and `proxy`; the next cycle asks again"),
        "{said}"
    );
    assert_eq!(world.workspace.users_by_external_id(&leaver).len(), 1);
    front.passes();
    world.run(&["sync"]).exits(0);
    assert_eq!(world.workspace.users_by_external_id(&leaver).len(), 0);
}

#[test]
fn an_answer_that_is_far_too_large_comes_from_another_address() {
    let world = World::new(2, 1);
    let front = Front::of(&world.graph.url);
    let login = format!("login_url = \"{}\"", world.graph.url);
    world.change(&login, &format!("login_url = \"{}\"", front.url));
    front.answers(&["/token"], 200, "", &" ".repeat(5 << 20));
    let said = world.run(&["sync"]).exits(1).err;
    let hint = "check `jobs.idmelon.source.login_url`: no answer of this kind is that large";
    assert!(said.contains(hint), "{said}");
    world.write(&world.config());
    world.converges();
}
