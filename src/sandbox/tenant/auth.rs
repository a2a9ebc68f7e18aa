//! The token endpoint (client credentials), and what an access token allows.
//!
//! Error numbers are those of Entra's sign-in service; the body has its shape (v2-oauth2-client-creds-grant-flow.md).
//! Access tokens are shaped like real ones: a JWT whose `roles` claim names the granted application permissions. They
//! are not signed, because only this server may read more than the claims.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Core;
use super::assertion::Trusted;
use super::azure;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

const JSON: &str = "application/json; charset=utf-8";

/// Which of the two apps asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Caller {
    /// The app that reads the directory.
    #[default]
    Reader,
    /// The app that writes on the way back.
    Writer,
    /// An administrator, signed in by a public client.
    Admin,
}

/// The app that writes: a credential and permissions of its own.
pub(super) struct WriterApp {
    pub client_id: String,
    pub client_secret: String,
    granted: BTreeSet<String>,
}

pub(super) struct Auth {
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
    pub secret_expired: bool,
    pub trusted: Trusted,
    pub issued_count: usize,
    pub writer: WriterApp,
    /// Delegated permissions of the administrator.
    pub admin: BTreeSet<String>,
    issued: HashMap<String, (Instant, Caller)>,
    granted: BTreeSet<String>,
}

impl Auth {
    pub fn new(granted: &[&str]) -> Self {
        Auth {
            tenant_id: "5a3d0b0c-7e57-4000-8000-000000000001".into(),
            client_id: "5a3d0b0c-7e57-4000-8000-00000000000a".into(),
            client_secret: "sandbox-secret".into(),
            secret_expired: false,
            trusted: Trusted::default(),
            issued_count: 0,
            writer: WriterApp {
                client_id: "5a3d0b0c-7e57-4000-8000-00000000000b".into(),
                client_secret: "sandbox-writer-secret".into(),
                granted: BTreeSet::new(),
            },
            admin: BTreeSet::from(["Synchronization.ReadWrite.All".to_owned()]),
            issued: HashMap::new(),
            granted: granted.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    pub fn grant(&mut self, permission: &str) {
        self.granted.insert(permission.to_owned());
    }

    pub fn revoke(&mut self, permission: &str) {
        self.granted.remove(permission);
    }

    pub fn granted(&self) -> impl Iterator<Item = &String> {
        self.granted.iter()
    }

    /// Grants the writing app a permission.
    pub fn grant_writer(&mut self, permission: &str) {
        self.writer.granted.insert(permission.to_owned());
    }

    pub fn has(&self, caller: Caller, permission: &str) -> bool {
        match caller {
            Caller::Reader => self.granted.contains(permission),
            Caller::Writer => self.writer.granted.contains(permission),
            Caller::Admin => self.admin.contains(permission),
        }
    }

    pub fn forget_issued(&mut self) {
        self.issued.clear();
    }

    /// Returns whose token this is, where it is a good one.
    pub fn accepts(&self, header: Option<&str>) -> Option<Caller> {
        let (scheme, token) = header.and_then(|header| header.split_once(' '))?;
        let (until, caller) = self.issued.get(token.trim())?;
        let alive = clock::instant() < *until;
        (scheme.eq_ignore_ascii_case("bearer") && alive).then_some(*caller)
    }

    pub fn issue(&mut self, seconds: u64, caller: Caller) -> String {
        self.issued_count += 1;
        let now = clock::utc().timestamp();
        let (client_id, granted) = match caller {
            Caller::Reader => (&self.client_id, &self.granted),
            Caller::Writer => (&self.writer.client_id, &self.writer.granted),
            Caller::Admin => (&self.client_id, &self.admin),
        };
        let mut claims = json!({
            "aud": "https://graph.microsoft.com", "iss": format!("https://sts.windows.net/{}/", self.tenant_id),
            "iat": now, "nbf": now, "exp": now + seconds as i64, "appid": client_id, "idtyp": "app",
            "tid": self.tenant_id, "roles": granted, "uti": format!("sandbox-{}", self.issued_count), "ver": "1.0",
        });
        if caller == Caller::Admin {
            claims["idtyp"] = "user".into();
            claims["scp"] = granted.iter().cloned().collect::<Vec<_>>().join(" ").into();
            claims
                .as_object_mut()
                .into_iter()
                .for_each(|claims| drop(claims.remove("roles")));
        }
        let head = json!({"typ": "JWT", "alg": "RS256", "kid": "sandbox"});
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!(
            "{}.{}.{}",
            part(&head),
            part(&claims),
            URL_SAFE_NO_PAD.encode("not signed")
        );
        let now = clock::instant();
        self.issued.retain(|_, (until, _)| *until > now);
        self.issued
            .insert(token.clone(), (now + Duration::from_secs(seconds), caller));
        token
    }
}

/// A token for whom it may concern: the app, or an identity of the machine.
pub(super) fn issue(core: &mut Core, seconds: u64) -> String {
    core.auth.issue(seconds, Caller::Reader)
}

/// Why Entra refuses to issue a token.
pub(super) struct Refusal(pub u16, pub &'static str, pub u32, pub String);

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(super) fn token_endpoint(core: &mut Core, tenant: &str, call: &Call) -> Answer {
    if core.faults.token_unavailable.strikes() {
        return Answer::html(503).with("retry-after", "1");
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let signed_in = tenant
        .eq_ignore_ascii_case(&core.auth.tenant_id)
        .then(|| azure::grant(core, &form))
        .flatten();
    match signed_in.unwrap_or_else(|| check(core, tenant, call)) {
        Err(refusal) => refused(&refusal),
        Ok(caller) => {
            let seconds = core.options.token_seconds;
            let token = core.auth.issue(seconds, caller);
            let body = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token});
            Answer::json(200, JSON, &body).with("cache-control", "no-store")
        }
    }
}

/// The domain of the sample tenant.
const DOMAIN: &str = "corp.example";

/// Answers `GET /{tenant or domain}/v2.0/.well-known/openid-configuration`, for which nobody signs in.
pub(super) fn open_id(core: &Core, tenant: &str) -> Answer {
    let id = &core.auth.tenant_id;
    if ![id.as_str(), DOMAIN]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(tenant))
    {
        let text = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
        return refused(&Refusal(400, "invalid_tenant", 90002, text));
    }
    let host = "https://login.microsoftonline.com";
    let body = json!({
        "issuer": format!("{host}/{id}/v2.0"),
        "token_endpoint": format!("{host}/{id}/oauth2/v2.0/token"),
        "tenant_region_scope": "EU",
    });
    Answer::json(200, JSON, &body)
}

fn check(core: &Core, tenant: &str, call: &Call) -> Result<Caller, Refusal> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.get(name).cloned();
    let auth = &core.auth;
    if !tenant.eq_ignore_ascii_case(&auth.tenant_id) {
        let text = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
        return Err(Refusal(400, "invalid_request", 90002, text));
    }
    if field("grant_type").as_deref() != Some("client_credentials") {
        let text = "The app requested an unsupported grant type.".to_owned();
        return Err(Refusal(400, "unsupported_grant_type", 70003, text));
    }
    let basic = basic_credentials(call);
    let client_id = field("client_id").or_else(|| basic.as_ref().map(|(id, _)| id.clone()));
    let secret = field("client_secret").or_else(|| basic.map(|(_, secret)| secret));
    let caller = match client_id.as_deref() {
        Some(id) if id == auth.writer.client_id => Caller::Writer,
        _ => Caller::Reader,
    };
    if caller == Caller::Reader && client_id.as_deref() != Some(auth.client_id.as_str()) {
        let text = format!(
            "Application with identifier '{}' was not found in the directory.",
            client_id.unwrap_or_default()
        );
        return Err(Refusal(400, "unauthorized_client", 700016, text));
    }
    if !field("scope").is_some_and(|scope| scope.ends_with("/.default")) {
        let text = "The provided value for the input parameter 'scope' is not valid.".to_owned();
        return Err(Refusal(400, "invalid_scope", 70011, text));
    }
    if let Some(proof) = field("client_assertion") {
        let kind = field("client_assertion_type");
        if kind.as_deref() != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
            let text = "The 'client_assertion_type' parameter is not valid.".to_owned();
            return Err(Refusal(400, "invalid_request", 900_144, text));
        }
        let audience = format!("{}{}", call.origin(), call.path);
        return auth
            .trusted
            .check(&proof, &auth.client_id, &audience, clock::utc().timestamp())
            .map(|()| caller);
    }
    let Some(secret) = secret else {
        let text =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
                .to_owned();
        return Err(Refusal(401, "invalid_client", 7000218, text));
    };
    let (id, right) = match caller {
        Caller::Reader | Caller::Admin => (&auth.client_id, &auth.client_secret),
        Caller::Writer => (&auth.writer.client_id, &auth.writer.client_secret),
    };
    if secret != *right {
        let text = format!("Invalid client secret provided for app '{id}'.");
        return Err(Refusal(401, "invalid_client", 7000215, text));
    }
    if auth.secret_expired && caller == Caller::Reader {
        let text = format!(
            "The provided client secret keys for app '{}' are expired.",
            auth.client_id
        );
        return Err(Refusal(401, "invalid_client", 7000222, text));
    }
    Ok(caller)
}

fn basic_credentials(call: &Call) -> Option<(String, String)> {
    let encoded = call.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let form = format!("v={part}");
        url::form_urlencoded::parse(form.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

pub(super) fn refused(Refusal(status, error, code, text): &Refusal) -> Answer {
    let trace = "00000000-5a3d-4000-8000-000000000000";
    let body = json!({
        "error": error, "error_codes": [code], "timestamp": clock::timestamp(), "trace_id": trace, "correlation_id": trace,
        "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {}", clock::timestamp()),
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    Answer::json(*status, JSON, &body)
}
