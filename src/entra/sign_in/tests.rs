//! Sign-ins at the sandbox's sign-in service, by a browser that is an HTTP client, and by code.

use std::sync::Arc;
use std::sync::Mutex;

use super::*;
use crate::entra::clouds::Cloud;
use crate::model::clock::SystemClock;
use crate::sandbox::Server;
use crate::sandbox::Tenant;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;

async fn start() -> (Tenant, Server, SignIn) {
    until_the_runtime_ends();
    let tenant = Tenant::empty();
    let server = tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url: Url = server.url.parse().unwrap();
    let options = GraphOptions {
        tenant_id: tenant.tenant_id(),
        client_id: tenant.client_id(),
        credential: Secret::new(tenant.client_secret()).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url),
        network: NetworkOptions::default(),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::impatient(Duration::from_millis(300)),
    };
    let sign_in = SignIn::new(&options, PUBLIC_CLIENT).unwrap();
    (tenant, server, sign_in)
}

/// Follows the page as a browser does, or has none; a code that is shown is typed in at once.
struct Person {
    tenant: Tenant,
    browser: bool,
    /// Comes back with another `state` first.
    confused: bool,
    seen: Mutex<Vec<String>>,
}

impl Usher for Person {
    fn open(&self, page: &Url) -> bool {
        self.seen.lock().unwrap().push(page.to_string());
        let (page, confused) = (page.clone(), self.confused);
        if self.browser {
            tokio::spawn(async move {
                let http = reqwest::Client::builder()
                    .no_proxy()
                    .redirect(reqwest::redirect::Policy::none())
                    .build()
                    .unwrap();
                let led = http.get(page).send().await.unwrap();
                let back = led.headers()["location"].to_str().unwrap().to_owned();
                if confused {
                    let other = back.replace("state=", "state=x");
                    assert_eq!(http.get(other).send().await.unwrap().status(), 404);
                }
                assert_eq!(http.get(back).send().await.unwrap().status(), 200);
            });
        }
        self.browser
    }

    fn show_code(&self, page: &str, code: &str) {
        self.seen.lock().unwrap().push(format!("{page} {code}"));
        self.tenant.approve_device_codes();
    }
}

fn person(tenant: &Tenant, browser: bool) -> Person {
    Person {
        tenant: tenant.clone(),
        browser,
        confused: false,
        seen: Mutex::default(),
    }
}

#[tokio::test]
async fn a_browser_comes_back_with_a_code_that_only_its_own_request_can_use() {
    let (tenant, _server, sign_in) = start().await;
    let person = Person {
        confused: true,
        ..person(&tenant, true)
    };
    let token = sign_in.run(&person).await.unwrap();
    assert!(token.expose().starts_with("eyJ"));
    let page: Url = person.seen.lock().unwrap()[0].parse().unwrap();
    let fields: std::collections::BTreeMap<_, _> = page.query_pairs().into_owned().collect();
    assert_eq!(fields["code_challenge_method"], "S256");
    assert_eq!(
        fields["scope"],
        "https://graph.microsoft.com/Synchronization.ReadWrite.All"
    );
    assert!(fields["redirect_uri"].starts_with("http://localhost:"));
    assert!(!fields["state"].is_empty());
}

#[tokio::test]
async fn without_a_browser_a_code_is_typed_in_elsewhere() {
    let (tenant, _server, sign_in) = start().await;
    let person = person(&tenant, false);
    let token = sign_in.run(&person).await.unwrap();
    assert!(token.expose().starts_with("eyJ"));
    assert!(person.seen.lock().unwrap()[1].ends_with("SANDBOX42"));
}

#[tokio::test]
async fn a_blocked_code_flow_is_named() {
    let (tenant, _server, sign_in) = start().await;
    tenant.block_device_codes();
    let refused = sign_in.run(&person(&tenant, false)).await.unwrap_err();
    assert!(refused.what.contains("AADSTS53003"), "{refused}");
    assert!(
        refused.hint.contains("Block device code flow"),
        "{}",
        refused.hint
    );
}
