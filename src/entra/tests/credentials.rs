use std::path::PathBuf;

use super::super::credential::Credential;
use super::super::managed::ManagedIdentity;
use super::super::unusable::Unusable;
use super::*;

const CERT: &str = include_str!("../../../tests/data/certificates/cert.pem");
const KEY: &str = include_str!("../../../tests/data/certificates/key.pem");

fn source_with(graph: &Arc<Graph>, read: fn() -> Vec<Result<Credential, Unusable>>) -> GraphSource {
    GraphSource::new(GraphOptions {
        credential: Credentials::read_by(read),
        ..graph.options()
    })
    .unwrap()
}

fn secret(text: &str) -> Result<Credential, Unusable> {
    Ok(Credential::Secret(Secret::new(text.to_owned())))
}

/// What the token endpoint says of a secret: `body` and status.
fn refusing(
    secret: &'static str,
    status: u16,
    code: u64,
) -> impl Fn(&Graph, &Seen, usize) -> Played + Send + Sync {
    move |_, seen, _| {
        if !seen.is_token() {
            return json(200, &json!({"value": [], "@odata.deltaLink": "x"}));
        }
        if seen.body.contains(&format!("client_secret={secret}")) {
            let text = format!("AADSTS{code}: no");
            return json(
                status,
                &json!({"error": "invalid_client", "error_codes": [code], "error_description": text}),
            );
        }
        granted("good", 3600)
    }
}

/// The next one is tried where the service refuses a credential or it cannot be read, and nowhere else.
#[tokio::test]
async fn credentials_are_tried_in_order_where_one_is_refused() {
    for (status, code, goes_on) in [
        (401, 7_000_215, true),
        (401, 7_000_222, true),
        (400, 700_027, true),
        // A matter of the tenant, or of the application: another secret changes nothing.
        (400, 90_002, false),
        (400, 700_016, false),
    ] {
        let graph = Graph::start(refusing("old", status, code)).await;
        let source = source_with(&graph, || {
            let unusable = Unusable {
                what: "nowhere to be found".to_owned(),
                hint: "look".to_owned(),
            };
            vec![Err(unusable), secret("old"), secret("new")]
        });
        let facts = source.token_facts().await;
        assert_eq!(facts.is_ok(), goes_on, "{code}");
        assert_eq!(graph.tokens_asked(), if goes_on { 2 } else { 1 }, "{code}");
    }
}

/// Where all are refused, the first says why.
#[tokio::test]
async fn the_first_refusal_is_the_one_that_is_reported() {
    let graph = Graph::start(|_, _, before| {
        let code = 7_000_215 + before as u64 * 7;
        json(401, &json!({"error": "invalid_client", "error_codes": [code]}))
    })
    .await;
    let source = source_with(&graph, || vec![secret("a"), secret("b")]);
    let error = source.token_facts().await.unwrap_err();
    assert!(error.to_string().contains("7000215"), "{error}");
    assert_eq!(graph.tokens_asked(), 2);
}

/// Each token request carries an assertion of its own.
#[tokio::test]
async fn an_assertion_is_signed_for_each_request() {
    let graph = Graph::start(|_, _, _| granted("good", 60)).await;
    let source = source_with(&graph, || {
        let certificate = crate::entra::certificate::Certificate::from_pem(CERT, Some(KEY)).unwrap();
        vec![Ok(Credential::Certificate(certificate))]
    });
    for _ in 0..2 {
        source.token_facts().await.unwrap();
        graph.pass(120);
    }
    let sent = graph.seen(Seen::is_token);
    let of = |seen: &Seen| {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(seen.body.as_bytes())
            .into_owned()
            .collect();
        let value = |name: &str| {
            form.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        assert!(value("client_secret").is_none());
        assert_eq!(
            value("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        value("client_assertion").unwrap()
    };
    assert_eq!(sent.len(), 2);
    assert_ne!(of(&sent[0]), of(&sent[1]));
}

#[tokio::test]
async fn an_app_service_is_asked_with_its_header_and_an_arc_agent_with_its_key() {
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("a.key");
    std::fs::write(&file, "the-key\n").unwrap();
    let shown = file.display().to_string();
    let graph = Graph::start(
        move |_, seen, _| match (seen.path.as_str(), seen.header("authorization")) {
            ("/app", _) => {
                assert_eq!(seen.header("x-identity-header"), Some("inside"));
                json(
                    200,
                    &json!({"access_token": "t", "expires_in": "3599", "expires_on": "1"}),
                )
            }
            ("/arc", None) => {
                let mut asked = json(401, &json!({}));
                asked.1.push(("www-authenticate", format!("Basic realm={shown}")));
                asked
            }
            ("/arc", Some("Basic the-key")) => json(
                200,
                &json!({"access_token": "t", "expires_in": "3599", "client_id": "mine"}),
            ),
            _ => json(401, &json!({})),
        },
    )
    .await;
    let ask = |identity: ManagedIdentity| {
        let credential = Credentials::read_by(move || vec![Ok(Credential::Managed(identity.clone()))]);
        GraphSource::new(GraphOptions {
            credential,
            ..graph.options()
        })
        .unwrap()
    };
    let base = graph.url.clone();
    let variable = move |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some(base.join("app").unwrap().to_string()),
        "IDENTITY_HEADER" => Some("inside".to_owned()),
        _ => None,
    };
    ask(ManagedIdentity::detect(None, variable, |_| false).unwrap())
        .token_facts()
        .await
        .unwrap();
    let arc = |keys: PathBuf, id| ManagedIdentity::arc_at(graph.url.join("arc").unwrap(), keys, id);
    let keys = keys.path().to_owned();
    ask(arc(keys.clone(), None)).token_facts().await.unwrap();
    ask(arc(keys.clone(), Some("MINE"))).token_facts().await.unwrap();
    // An old agent answers for the machine: that is refused.
    let error = ask(arc(keys.clone(), Some("another")))
        .token_facts()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does not say that it is for the identity"),
        "{error}"
    );
    let key = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let error = ask(arc(keys.clone(), None)).token_facts().await.unwrap_err();
    assert!(error.hint().contains("group himds"), "{error}");
    std::fs::write(&file, key).unwrap();
    ask(arc(keys.clone(), None)).token_facts().await.unwrap();
    let error = ask(arc("/elsewhere".into(), None))
        .token_facts()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("names no key"), "{error}");
    assert!(
        graph
            .seen(|seen| seen.path == "/arc")
            .iter()
            .all(|seen| seen.header("metadata") == Some("true"))
    );
}
