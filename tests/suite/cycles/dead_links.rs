//! Links to pages that were kept and are refused, with codes that no list of ours has: given up at the second refusal, and
//! the round begins anew.

use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Fault;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// Status, code and message of refusals that the field has seen, and of some that it has not.
const REFUSALS: [(u16, &str, &str); 7] = [
    (
        400,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired.",
    ),
    (
        400,
        "Request_BadRequest",
        "Sync must reach steady state within 30 days.",
    ),
    (400, "Request_BadRequest", "Badly formed token."),
    (404, "UnknownError", ""),
    (409, "", ""),
    (410, "Whatever", "Gone"),
    (422, "UnprocessableEntity", "no"),
];

fn refuse(world: &World, (status, code, message): (u16, &str, &str)) {
    world.tenant.update_faults(|faults| {
        faults.reset_status = Some(status);
        faults.reset_code = Some(code.to_owned());
        faults.reset_message = Some(message.to_owned());
    });
}

fn says_what_happened(ran: &Ran) {
    let said = ran.findings.join("\n");
    assert!(said.contains("refuses the link"), "{said}");
    assert!(!said.contains("property names"), "{said}");
}

#[tokio::test]
async fn a_delta_link_refused_with_any_code_is_given_up_and_the_round_begun_anew() {
    let world = synced().await;
    let user = world.tenant.user_ids()[2].clone();
    for refusal in REFUSALS {
        refuse(&world, refusal);
        world.tenant.forget_tokens();
        let title = format!("After {} {}", refusal.0, refusal.2);
        world.tenant.set_user(&user, json!({"jobTitle": title}));
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        assert_eq!(ran.count(Verb::UpdateUser), 1, "{refusal:?}: {}", ran.story());
        if refusal.0 != 410 {
            says_what_happened(&ran);
        }
        world.expect_quiet().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn a_next_link_refused_once_is_asked_again_and_refused_twice_given_up() {
    for (times, given_up) in [(1, false), (2, true)] {
        let world = World::sample(250, 3).await;
        refuse(&world, REFUSALS[0]);
        world
            .tenant
            .update_faults(|faults| faults.expire_page_token = Fault::times(times));
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        let said = ran.findings.iter().any(|text| text.contains("refuses the link"));
        assert_eq!(said, given_up, "{:?}", ran.findings);
        world.expect_quiet().await;
        world.assert_equal();
    }
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_said_as_that() {
    let world = synced().await;
    refuse(&world, REFUSALS[0]);
    world
        .tenant
        .update_faults(|faults| faults.expire_page_token = Fault::always());
    world.tenant.forget_tokens();
    let ran = world.cycle().await;
    if let Some(error) = &ran.error {
        assert!(!error.hint().contains("property names"), "{}", error.hint());
        assert!(error.hint().contains("link to a page"), "{}", error.hint());
    }
}
