//! What Entra's sign-in service answers in place of a token, and what the hint says: nothing can be done here, so the answer is
//! another one once somebody did it there.

use super::front::Front;
use crate::cli_output::world::World;

/// A name, status, header lines and body of the answer, and the hint.
type Case<'t> = (&'t str, u16, &'t str, &'t str, &'t str);

const LATER: &str = "retry-after: 3600\r\n";

const CASES: &[Case<'_>] = &[
    (
        "an app of another tenant",
        400,
        "",
        r#"{"error": "unauthorized_client", "error_codes": [700016], "error_description": "AADSTS700016: Application not found."}"#,
        "the app is not in this tenant: check `client_id` and `tenant_id`",
    ),
    (
        "the scope of another cloud",
        400,
        "",
        r#"{"error": "invalid_resource", "error_description": "AADSTS500011: The resource principal was not found."}"#,
        "Graph is not known in this tenant under the name of this cloud: check `cloud`",
    ),
    (
        "an app that is disabled",
        401,
        "",
        r#"{"error": "unauthorized_client", "error_codes": [7000112]}"#,
        "the app is disabled: enable it in the Entra admin centre",
    ),
    (
        "an app without consent",
        400,
        "",
        r#"{"error": "invalid_client", "error_codes": [7000229]}"#,
        "the app has no service principal in this tenant: give admin consent to it",
    ),
    (
        "conditional access",
        400,
        "",
        r#"{"error": "access_denied", "error_codes": [53003]}"#,
        "a Conditional Access policy for workload identities blocks this app",
    ),
    (
        "no secret",
        401,
        "",
        r#"{"error": "invalid_client", "error_codes": [7000218]}"#,
        "no client secret was sent: check what `credential.client_secret` points to",
    ),
    (
        "a certificate that is not uploaded",
        401,
        "",
        r#"{"error": "invalid_client", "error_codes": [700027]}"#,
        "Entra does not know this certificate: upload it to the app",
    ),
    (
        "a proof of another time",
        401,
        "",
        r#"{"error": "invalid_client", "error_codes": [700024]}"#,
        "the signed proof is outside of its time: check the clock",
    ),
    (
        "a federated credential of other words",
        400,
        "",
        r#"{"error": "invalid_request", "error_codes": [700213]}"#,
        "no federated credential of the app matches this token",
    ),
    (
        "a code of no list",
        400,
        "",
        r#"{"error": "invalid_request", "error_codes": [90099]}"#,
        "look the code up: https://login.microsoftonline.com/error?code=90099",
    ),
    (
        "no code",
        400,
        "",
        r#"{"error": "invalid_request"}"#,
        "check `tenant_id`, `client_id` and `credential`",
    ),
    (
        "a service in trouble",
        503,
        LATER,
        "{}",
        "Entra's sign-in service is in trouble: the next cycle tries again",
    ),
    (
        "no token in the answer",
        200,
        "",
        r#"{"token_type": "Bearer"}"#,
        "check `login_url` and `proxy`: this is not Entra's token endpoint",
    ),
    (
        "a token that no header can hold",
        200,
        "",
        r#"{"token_type": "Bearer", "expires_in": 3600, "access_token": "a\u0001b"}"#,
        "check `login_url` and `graph_url`: what came from there is no access token",
    ),
    (
        "a page of somebody else",
        404,
        "content-type: text/html\r\n",
        "<html>Not found</html>",
        "check `login_url`, `cloud` and `proxy`: this is not Entra's token endpoint",
    ),
];

#[test]
fn what_the_sign_in_service_refuses_is_told_apart_and_goes_on_when_it_is_mended() {
    let world = World::new(2, 1);
    let front = Front::of(&world.graph.url);
    let login = format!("login_url = \"{}\"", world.graph.url);
    world.change(&login, &format!("login_url = \"{}\"", front.url));
    let mut wrong = Vec::new();
    for (name, status, headers, body, hint) in CASES {
        front.answers(&["/oauth2/v2.0/token"], *status, headers, body);
        let ran = world.run(&["sync"]);
        if !matches!(ran.code, Some(1 | 5)) || !ran.err.contains(hint) {
            wrong.push(format!("{name}: no \"{hint}\" in {ran:?}"));
        }
        front.passes();
        let ran = world.run(&["sync"]);
        if ran.code != Some(0) {
            wrong.push(format!("{name}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.converges();
}
