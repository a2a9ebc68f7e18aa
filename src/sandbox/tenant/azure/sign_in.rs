//! Sign-in of an administrator: authorization code with PKCE for a public client on loopback, and device code
//! (v2-oauth2-auth-code-flow.md, v2-oauth2-device-code.md). Whoever asks is signed in at once: nobody types a password here.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use url::Url;

use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;
use crate::sandbox::tenant::Core;
use crate::sandbox::tenant::Tenant;
use crate::sandbox::tenant::auth::Caller;
use crate::sandbox::tenant::auth::Refusal;
use crate::sandbox::tenant::auth::refused;

const JSON: &str = "application/json; charset=utf-8";

/// Sign-ins under way.
#[derive(Default)]
pub(in crate::sandbox::tenant) struct SignIn {
    /// Codes that were given out, with what their exchange has to show.
    codes: HashMap<String, Asked>,
    /// Device codes, and whether somebody signed in with theirs.
    devices: HashMap<String, bool>,
    /// Conditional Access blocks the device code flow.
    blocks_devices: bool,
}

struct Asked {
    challenge: String,
    redirect: String,
    client: String,
}

/// Answers the two addresses at which a sign-in begins, or nothing where the address is another.
pub(in crate::sandbox::tenant) fn answer(core: &mut Core, call: &Call, path: &str) -> Option<Answer> {
    if path.ends_with("/oauth2/v2.0/authorize") && call.method == axum::http::Method::GET {
        return Some(authorize(core, call));
    }
    let tenant = path.strip_suffix("/oauth2/v2.0/devicecode")?;
    if !tenant.eq_ignore_ascii_case(&core.auth.tenant_id) {
        return Some(refused(&Refusal(
            400,
            "invalid_request",
            90002,
            format!("Tenant '{tenant}' not found."),
        )));
    }
    let code = uuid::Uuid::new_v4().to_string();
    core.sign_in.devices.insert(code.clone(), false);
    let page = format!("{}/common/oauth2/deviceauth", call.origin());
    Some(Answer::json(
        200,
        JSON,
        &json!({"device_code": code, "user_code": "SANDBOX42", "verification_uri": page, "expires_in": 900, "interval": 1,
        "message": format!("To sign in, open {page} and enter the code SANDBOX42.")}),
    ))
}

fn authorize(core: &mut Core, call: &Call) -> Answer {
    let option = |name: &str| call.option(name).unwrap_or_default();
    let redirect = option("redirect_uri");
    let at_home = Url::parse(&redirect)
        .is_ok_and(|url| url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1")));
    let (kind, method) = (option("response_type"), option("code_challenge_method"));
    let challenge = option("code_challenge");
    if !at_home || kind != "code" || method != "S256" || challenge.is_empty() || option("state").is_empty() {
        let text = "AADSTS50011: The redirect URI, the response type or the code challenge of the request is not one that this app may use.";
        return Answer::raw(400, "text/html; charset=utf-8", text.as_bytes().to_vec());
    }
    let code = uuid::Uuid::new_v4().to_string();
    let asked = Asked {
        challenge,
        redirect: redirect.clone(),
        client: option("client_id"),
    };
    core.sign_in.codes.insert(code.clone(), asked);
    let mut back = Url::parse(&redirect).unwrap_or_else(|_| unreachable!("it was parsed above"));
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &option("state"));
    Answer::empty(302).with("location", back.to_string())
}

/// Judges a grant of a public client at the token endpoint; `None` where it is another kind of grant.
pub(in crate::sandbox::tenant) fn grant(
    core: &mut Core,
    form: &HashMap<String, String>,
) -> Option<Result<Caller, Refusal>> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let invalid = |code, text: &str| Refusal(400, "invalid_grant", code, text.to_owned());
    match field("grant_type") {
        "authorization_code" => Some(match core.sign_in.codes.remove(field("code")) {
            Some(asked) => {
                let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
                let same = proof == asked.challenge
                    && field("redirect_uri") == asked.redirect
                    && field("client_id") == asked.client;
                if same {
                    Ok(Caller::Admin)
                } else {
                    Err(invalid(
                        501_481,
                        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
                    ))
                }
            }
            None => Err(invalid(
                70008,
                "The provided authorization code or refresh token has expired.",
            )),
        }),
        "urn:ietf:params:oauth:grant-type:device_code" => {
            Some(match core.sign_in.devices.get(field("device_code")) {
                _ if core.sign_in.blocks_devices => Err(invalid(
                    53003,
                    "Access has been blocked by Conditional Access policies.",
                )),
                Some(true) => Ok(Caller::Admin),
                Some(false) => Err(Refusal(
                    400,
                    "authorization_pending",
                    70016,
                    "OAuth 2.0 device flow error. Authorization is pending.".to_owned(),
                )),
                None => Err(Refusal(
                    400,
                    "bad_verification_code",
                    7000014,
                    "The provided device_code is not valid.".to_owned(),
                )),
            })
        }
        _ => None,
    }
}

impl Tenant {
    /// Somebody signs in with every device code that was given out.
    pub fn approve_device_codes(&self) {
        self.core()
            .sign_in
            .devices
            .values_mut()
            .for_each(|done| *done = true);
    }

    /// Blocks the device code flow, as a Conditional Access policy does.
    pub fn block_device_codes(&self) {
        self.core().sign_in.blocks_devices = true;
    }

    /// Returns an access token of an administrator, as `az account get-access-token` prints one.
    pub fn admin_token(&self) -> String {
        self.core().auth.issue(3599, Caller::Admin)
    }

    /// Takes delegated rights away from the administrator: a token of theirs steers nothing.
    pub fn demote_admin(&self) {
        self.core().auth.admin.clear();
    }
}
