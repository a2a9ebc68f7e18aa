//! Authentication methods of users: the report of registered methods and a user's passkeys (authenticationmethodsroot-list-
//! userregistrationdetails.md, authentication-list-fido2methods.md).

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Tenant;
use super::directory::Kind;
use super::page;
use super::read::paged;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// Reports and authentication methods: so many requests within so long.
const MOST: (usize, Duration) = (5, Duration::from_secs(10));

/// The passkeys of the tenant, as `(user, aaGuid)`, and when reports were asked for.
#[derive(Default)]
pub(super) struct Methods {
    passkeys: Vec<(String, String)>,
    asked: VecDeque<Instant>,
    unlicensed: bool,
}

impl Methods {
    /// Returns true where the premium licence was taken away.
    pub fn is_unlicensed(&self) -> bool {
        self.unlicensed
    }
}

/// Answers the report of registered methods. Disabled and deleted users are not in it.
pub(super) fn report(core: &mut Core, call: &Call) -> Answer {
    if let Some(refusal) = throttled(core) {
        return refusal;
    }
    if !core.may(&["AuditLog.Read.All"]) {
        return page::denied();
    }
    if core.methods.unlicensed {
        return page::error(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        );
    }
    let directory = &core.directory;
    let enabled = |at: &usize| directory.objects[*at].props.get("accountEnabled") != Some(&json!(false));
    let rows = directory.live(Kind::User).filter(enabled).map(|at| {
        let id = &directory.objects[at].id;
        let held = core.methods.passkeys.iter().any(|(user, _)| user == id);
        let methods: &[&str] = if held {
            &["fido2SecurityKey", "microsoftAuthenticatorPush"]
        } else {
            &["microsoftAuthenticatorPush"]
        };
        json!({"id": id, "isAdmin": core.administrators.contains(id), "methodsRegistered": methods})
    });
    paged(call, rows.collect())
}

/// Answers the passkeys of a user.
pub(super) fn passkeys(core: &mut Core, call: &Call, user: &str) -> Answer {
    if let Some(refusal) = throttled(core) {
        return refusal;
    }
    if !core.may(&["UserAuthMethod-Passkey.Read.All"]) {
        return page::denied();
    }
    let held = core.methods.passkeys.iter().filter(|(held, _)| held == user);
    let rows: Vec<Value> = held
        .enumerate()
        .map(|(at, (_, model))| json!({"id": format!("key-{at}"), "displayName": "Key", "aaGuid": model}))
        .collect();
    paged(call, rows)
}

fn throttled(core: &mut Core) -> Option<Answer> {
    let now = clock::instant();
    let (most, within) = MOST;
    let asked = &mut core.methods.asked;
    asked.retain(|at| now.duration_since(*at) < within);
    if asked.len() >= most {
        let answer = page::error(429, "TooManyRequests", "Too many requests.");
        return Some(answer.with("retry-after", "1"));
    }
    asked.push_back(now);
    None
}

impl Tenant {
    /// Registers a passkey of this model for a user.
    pub fn register_passkey(&self, user: &str, model: &str) {
        let passkey = (user.to_owned(), model.to_owned());
        self.core().methods.passkeys.push(passkey);
    }

    /// Removes every passkey of a user.
    pub fn reset_passkeys(&self, user: &str) {
        self.core().methods.passkeys.retain(|(held, _)| held != user);
    }

    /// Takes the premium licence away: reports are refused.
    pub fn end_licence(&self) {
        self.core().methods.unlicensed = true;
    }
}
