//! Credentials that cannot be used, and what their hints say: done, they can.

use std::fs;

use crate::cli_output::world::Ran;
use crate::cli_output::world::finished;
use crate::wiring::stage::Stage;

const CREDENTIAL: &str = "jobs.idmelon.source.credential";

fn pem(name: &str) -> String {
    fs::read_to_string(format!("tests/data/certificates/{name}")).unwrap()
}

#[test]
fn what_a_certificate_lacks_is_put_right_by_its_hint() {
    let stage = Stage::new(1, 0).with(CREDENTIAL, "{ certificate = { file = \"cert.pem\" } }");
    stage.world.tenant.trust_certificate(&pem("cert.pem"));
    let write = |parts: &[&str]| {
        let text: String = parts.iter().map(|name| pem(name)).collect();
        fs::write(stage.world.path("cert.pem"), text).unwrap();
    };
    for (parts, what, hint) in [
        (
            &["key.pem"][..],
            "there is no certificate in it",
            "write the certificate in PEM",
        ),
        (
            &["cert.pem"],
            "there is no private key in it",
            "add the private key in PEM",
        ),
        (
            &["cert.pem", "key-encrypted.pem"],
            "its private key is encrypted",
            "write the key without a password",
        ),
        (
            &["ec-cert.pem", "ec-key.pem"],
            "its key is not an RSA key",
            "Entra takes RSA keys only",
        ),
        (
            &["cert.pem", "other-key.pem"],
            "does not belong to its certificate",
            "name the key that the certificate",
        ),
        (
            &["expired.pem", "key.pem"],
            "its certificate expired on 2021-01-01",
            "make a new certificate, upload it",
        ),
        (
            &["future.pem", "key.pem"],
            "valid only from 2090-01-01 on",
            "or use another certificate until then",
        ),
    ] {
        write(parts);
        let ran = stage.run(&["sync"]).exits(2);
        assert!(ran.err.contains(what) && ran.err.contains(hint), "{ran:?}");
        write(&["cert.pem", "key.pem"]);
        stage.converges();
    }
    let lines = {
        write(&["cert.pem", "key.pem"]);
        stage.checked("expiry")
    };
    assert!(lines.iter().any(|line| line.contains("2120-01-01")), "{lines:?}");
}

#[test]
fn a_token_of_a_platform_is_put_right_by_its_hint() {
    let stage = Stage::new(1, 0).with(CREDENTIAL, "{ federated_token_file = \"token\" }");
    fs::write(stage.world.path("token"), "no token").unwrap();
    let ran = stage.run(&["sync"]).exits(1);
    assert!(
        ran.err.contains("is no signed token") && ran.err.contains("AZURE_FEDERATED_TOKEN_FILE"),
        "{ran:?}"
    );
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem("key.pem").as_bytes()).unwrap();
    let claims = serde_json::json!({"iss": "i", "sub": "s", "aud": "a", "exp": 4_000_000_000_u64});
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    fs::write(stage.world.path("platforms"), token).unwrap();
    stage.world.tenant.trust_issuer("i", "s", "a", &pem("cert.pem"));
    stage
        .with(CREDENTIAL, "{ federated_token_file = \"platforms\" }")
        .converges();
}

/// The sample tenant plays the service of identities of each place.
#[test]
fn what_a_place_in_azure_lacks_is_put_right_by_its_hint() {
    let stage = Stage::new(1, 0).with(CREDENTIAL, "{ managed_identity = true }");
    let endpoint = format!("{}/metadata/identity/oauth2/token", stage.world.graph.url);
    let run = |variables: &[(&str, &str)]| -> Ran {
        let mut command = stage.command(&["sync", "-q"]);
        command.envs(variables.iter().copied());
        finished(command.spawn().unwrap())
    };
    let app = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", "h")];
    let arc = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IMDS_ENDPOINT", "x")];
    let ran = run(&[("IDENTITY_ENDPOINT", "nowhere"), ("IDENTITY_HEADER", "h")]).exits(2);
    assert!(
        ran.err.contains("IDENTITY_ENDPOINT is set by the platform"),
        "{ran:?}"
    );
    let by_hand = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "h\n"),
    ];
    let ran = run(&by_hand).exits(1);
    assert!(
        ran.err.contains(
            "check `login_url`, and with a managed identity IDENTITY_HEADER, which the platform sets"
        ),
        "{ran:?}"
    );
    let ran = run(&[("IDENTITY_SERVER_THUMBPRINT", "t")]).exits(2);
    assert!(
        ran.err
            .contains("use a certificate, or a federated token, in this place"),
        "{ran:?}"
    );
    let ran = run(&app).exits(1);
    assert!(
        ran.err.contains("assign a managed identity to this app"),
        "{ran:?}"
    );
    let ran = run(&arc).exits(5);
    assert!(ran.err.contains("check that this server is connected"), "{ran:?}");
    stage.world.tenant.give_identity(None);
    run(&app).exits(0);
    run(&arc).exits(0);
}

/// The target's tokens are a list too: one that ends is renewed while the next one works.
#[test]
fn the_next_token_of_the_target_is_used_where_one_is_refused() {
    let stage = Stage::new(3, 1).target("token", "[{ file = \"old\" }, { file = \"new\" }]");
    fs::write(stage.world.path("old"), "ended-long-ago").unwrap();
    let ran = stage.run(&["sync"]).exits(1);
    assert!(ran.err.contains("401"), "{ran:?}");
    fs::write(stage.world.path("new"), stage.world.workspace.token()).unwrap();
    stage.converges();
    assert_eq!(stage.world.workspace.user_count(), 3);
    fs::remove_file(stage.world.path("old")).unwrap();
    stage.converges();
}
