//! Both servers over real HTTP, with a reader of their own: the crate's client is tested elsewhere.

mod assignments;
mod azure;
mod graph;
mod laws;
mod scim;
mod scim_content;
mod scim_faults;
mod scim_odd;
mod tokens;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use reqwest::Client;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Server;
use super::Tenant;
use super::Workspace;
use super::limit::until_the_runtime_ends;

async fn serve_tenant(tenant: &Tenant) -> Server {
    until_the_runtime_ends();
    tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

async fn serve_workspace(workspace: &Workspace) -> Server {
    until_the_runtime_ends();
    workspace.serve("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// Builds a client without connection reuse surprises: a cut connection is an error, not a silent second try.
fn client() -> Client {
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

/// Asks the token endpoint. Returns the whole answer.
async fn ask_token(server: &Server, tenant_id: &str, client_id: &str, secret: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let url = format!("{}/{tenant_id}/oauth2/v2.0/token", server.url);
    let request = client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

/// A plain reader of delta rounds: what the documents require of a client, and nothing else.
struct Reader {
    http: Client,
    base: String,
    bearer: String,
    minimal: bool,
    objects: BTreeMap<String, Map<String, Value>>,
    managers: BTreeMap<String, String>,
    members: BTreeMap<String, BTreeSet<String>>,
    links: BTreeMap<&'static str, String>,
    pages: usize,
}

const USER_SELECT: &str =
    "displayName,jobTitle,userPrincipalName,accountEnabled,mobilePhone,department,manager";
const GROUP_SELECT: &str = "displayName,description,members";

impl Reader {
    async fn new(tenant: &Tenant, server: &Server) -> Reader {
        let (status, token) = ask_token(
            server,
            &tenant.tenant_id(),
            &tenant.client_id(),
            &tenant.client_secret(),
        )
        .await;
        assert_eq!(status, 200, "{token}");
        Reader {
            http: client(),
            base: server.url.clone(),
            bearer: token["access_token"].as_str().unwrap().to_owned(),
            minimal: true,
            objects: BTreeMap::new(),
            managers: BTreeMap::new(),
            members: BTreeMap::new(),
            links: BTreeMap::new(),
            pages: 0,
        }
    }

    async fn get(&self, url: &str) -> reqwest::Response {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}/v1.0/{url}", self.base)
        };
        let mut request = self.http.get(url).bearer_auth(&self.bearer);
        if self.minimal {
            request = request.header("prefer", "return=minimal");
        }
        request.send().await.unwrap()
    }

    async fn json(&self, url: &str) -> (u16, Value) {
        let answer = self.get(url).await;
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn both(&mut self) {
        self.round("users").await;
        self.round("groups").await;
    }

    /// Reads one whole round of users or groups; starts again where the server dropped the token.
    async fn round(&mut self, kind: &'static str) {
        let start = match kind {
            "users" => format!("users/delta?$select={USER_SELECT}"),
            _ => format!("groups/delta?$select={GROUP_SELECT}"),
        };
        let mut url = self.links.get(kind).cloned().unwrap_or_else(|| start.clone());
        loop {
            let (status, body) = self.json(&url).await;
            if status != 200 {
                assert!(matches!(status, 400 | 404 | 410), "{status} {body}");
                self.links.remove(kind);
                url = start.clone();
                continue;
            }
            self.pages += 1;
            for object in body["value"].as_array().expect("a page has a value") {
                self.apply(object);
            }
            match (
                body["@odata.nextLink"].as_str(),
                body["@odata.deltaLink"].as_str(),
            ) {
                (Some(next), None) => url = next.to_owned(),
                (None, Some(delta)) => {
                    self.links.insert(kind, delta.to_owned());
                    return;
                }
                other => panic!("exactly one link expected: {other:?}"),
            }
        }
    }

    fn apply(&mut self, object: &Value) {
        let id = object["id"].as_str().unwrap().to_owned();
        if object.get("@removed").is_some() {
            self.objects.remove(&id);
            self.managers.remove(&id);
            self.members.remove(&id);
            return;
        }
        let held = self.objects.entry(id.clone()).or_default();
        for (name, value) in object
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| !name.contains('@'))
        {
            if value.is_null() {
                held.remove(name);
            } else {
                held.insert(name.clone(), value.clone());
            }
        }
        let entries = |name: &str| {
            object
                .get(name)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let id_of = |entry: &Value| entry["id"].as_str().unwrap().to_owned();
        let (gone, new): (Vec<_>, Vec<_>) = entries("manager@delta")
            .into_iter()
            .partition(|entry| entry.get("@removed").is_some());
        for entry in gone {
            if self.managers.get(&id) == Some(&id_of(&entry)) {
                self.managers.remove(&id);
            }
        }
        for entry in new {
            self.managers.insert(id.clone(), id_of(&entry));
        }
        for entry in entries("members@delta") {
            let members = self.members.entry(id.clone()).or_default();
            if entry.get("@removed").is_some() {
                members.remove(&id_of(&entry));
            } else {
                members.insert(id_of(&entry));
            }
        }
    }

    /// Compares everything held with the tenant itself.
    fn assert_equals(&self, tenant: &Tenant, note: &str) {
        let live: Vec<String> = tenant.user_ids().into_iter().chain(tenant.group_ids()).collect();
        let held: BTreeSet<&String> = self.objects.keys().collect();
        assert_eq!(held, live.iter().collect(), "{note}: the objects");
        for id in &live {
            let truth = tenant.user(id).unwrap();
            let is_group = truth.get("userPrincipalName").is_none();
            let select = if is_group { GROUP_SELECT } else { USER_SELECT };
            for name in select.split(',') {
                let wanted = truth.get(name).filter(|value| !value.is_null());
                assert_eq!(self.objects[id].get(name), wanted, "{note}: {name} of {id}");
            }
            assert_eq!(
                self.managers.get(id),
                tenant.manager(id).as_ref(),
                "{note}: manager of {id}"
            );
            let members: BTreeSet<String> = tenant.members(id).into_iter().collect();
            assert_eq!(
                self.members.get(id).cloned().unwrap_or_default(),
                members,
                "{note}: members of {id}"
            );
        }
    }
}

/// Starts a workspace, its server and a client of it.
async fn start() -> (Workspace, Server, Scim) {
    let workspace = Workspace::new();
    let server = serve_workspace(&workspace).await;
    let scim = Scim::new(&workspace, &server).await;
    (workspace, server, scim)
}

/// A SCIM client that sends exactly what a test gives it.
struct Scim {
    http: Client,
    base: String,
    bearer: String,
}

impl Scim {
    async fn new(workspace: &Workspace, server: &Server) -> Scim {
        Scim {
            http: client(),
            base: format!("{}/api/scim/v2/", server.url),
            bearer: workspace.token(),
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.bearer);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/scim+json")
                .body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((
            status,
            serde_json::from_slice(&answer.bytes().await?).unwrap_or_default(),
        ))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(body)).await.unwrap()
    }

    async fn patch(&self, path: &str, operations: Value) -> (u16, Value) {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send("PATCH", path, Some(body)).await.unwrap()
    }

    async fn create_user(&self, user: Value) -> Value {
        let mut body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]});
        body.as_object_mut()
            .unwrap()
            .extend(user.as_object().unwrap().clone());
        let (status, user) = self.post("Users", body).await;
        assert_eq!(status, 201, "{user}");
        user
    }

    async fn find(&self, kind: &str, filter: &str) -> (u16, Value) {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("filter", filter)
            .finish();
        self.get(&format!("{kind}?{query}")).await
    }
}
