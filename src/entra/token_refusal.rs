//! What a refusal of the token endpoint means, and what to do about it.

use serde_json::Value as Json;

use super::fault::looks_like_html;
use super::fault::shortened;
use super::unusable::Unusable;
use crate::model::clock::Timestamp;
use crate::model::secret::Secret;
use crate::ports::SourceError;
use crate::ports::What;
use crate::transport::Answer;
use crate::transport::Attempt;

/// Why there is no token.
pub(super) struct Failure {
    pub(super) error: SourceError,
    /// True where another credential may be taken.
    pub(super) of_credential: bool,
}

impl Failure {
    /// Of a credential that cannot be used.
    pub(super) fn of_credential(unusable: Unusable) -> Self {
        Self {
            error: SourceError::Unauthorized {
                what: What::from(unusable.what),
                hint: unusable.hint,
            },
            of_credential: true,
        }
    }
}

/// A refusal, and what it refused.
pub(super) struct Refused<'a> {
    pub(super) answer: &'a Answer,
    /// What was sent as proof: never shown.
    pub(super) secret: &'a Secret,
    pub(super) now: Timestamp,
}

/// An AADSTS error is about the credential or its application; anything else is about the service or what stands before it.
pub(super) fn judge<T>(refused: &Refused<'_>, what: impl Fn(&str) -> What) -> Attempt<T, Failure> {
    let answer = refused.answer;
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let (error, code) = (body.get("error").and_then(Json::as_str), aadsts(&body));
    let status = answer.status.as_u16();
    let transient = status == 429
        || status >= 500
        || matches!(code, Some(90_033 | 70_021))
        || error == Some("temporarily_unavailable");
    let (what, hint) = (what(&refused.shown(&body, error, code)), hint(code));
    let unavailable = |what, hint: &str| Failure {
        error: SourceError::Unavailable {
            what,
            hint: hint.to_owned(),
            cause: None,
        },
        of_credential: false,
    };
    if transient {
        // 70021 as well: a federated credential that was just made is not known everywhere for some minutes.
        let hint = if code == Some(70_021) {
            hint
        } else {
            "Entra's sign-in service is in trouble: the next cycle tries again".to_owned()
        };
        Attempt::Again {
            after: answer.retry_after(refused.now),
            error: unavailable(what, &hint),
        }
    } else if error.is_some() || code.is_some() {
        Attempt::Fail(Failure {
            error: SourceError::Unauthorized { what, hint },
            of_credential: status == 401 || code.is_some_and(is_of_credential),
        })
    } else {
        let hint = "check `login_url`, `cloud` and `proxy`: this is not Entra's token endpoint";
        Attempt::Fail(unavailable(what, hint))
    }
}

/// Codes that tell of the credential, and not of the tenant or the application.
const fn is_of_credential(code: u64) -> bool {
    matches!(
        code,
        50_027
            | 70_021
            | 700_021
            | 700_023
            | 700_024
            | 700_027
            | 700_030
            | 700_211
            | 700_212
            | 700_213
            | 7_000_212..=7_000_222
    )
}

impl Refused<'_> {
    /// Status, codes, trace id and the first line of the description, which says more than any table here.
    fn shown(&self, body: &Json, error: Option<&str>, code: Option<u64>) -> String {
        let mut text = self.answer.status.as_u16().to_string();
        if let Some(error) = error {
            text.push_str(&format!(" {error}"));
        } else if looks_like_html(self.answer) {
            text.push_str(" with an HTML page instead of JSON");
        }
        let description = body
            .get("error_description")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let line = description.split(['\r', '\n']).next().unwrap_or_default();
        let line = line.split(" Trace ID:").next().unwrap_or_default();
        match code {
            Some(code) if !line.contains(&format!("AADSTS{code}")) => {
                text.push_str(&format!(", AADSTS{code}: {line}"))
            }
            _ if !line.is_empty() => text.push_str(&format!(", {line}")),
            _ => {}
        }
        let clean = |text: &str| shortened(&self.secret.hidden_in(text));
        let trace = body.get("trace_id").and_then(Json::as_str);
        let trace = trace
            .map(|id| format!(" (trace {})", clean(id)))
            .unwrap_or_default();
        clean(&text) + &trace
    }
}

/// The first AADSTS number, from `error_codes` or from the description.
fn aadsts(body: &Json) -> Option<u64> {
    let listed = body
        .get("error_codes")
        .and_then(|codes| codes.get(0))
        .and_then(Json::as_u64);
    listed.or_else(|| {
        let (_, rest) = body.get("error_description")?.as_str()?.split_once("AADSTS")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

/// What to do about an AADSTS error (learn.microsoft.com, "Microsoft Entra authentication error codes").
fn hint(code: Option<u64>) -> String {
    match code {
        Some(7_000_222) => {
            "the client secret has expired: make a new one in the Entra admin centre (App registrations, \
            Certificates & secrets) and put its value where `credential.client_secret` points"
        }
        Some(7_000_215) => {
            "the client secret is wrong: `credential.client_secret` must give the secret's Value (not its \
            Secret ID), and belong to the app in `client_id`"
        }
        Some(90_002 | 900_023) => {
            "no such tenant: check `tenant_id`, and `cloud` (each national cloud has its own tenants)"
        }
        Some(700_016) => {
            "the app is not in this tenant: check `client_id` and `tenant_id`, and that an admin of the \
            tenant has consented to the app"
        }
        Some(500_011 | 70_011 | 1_002_012) => {
            "Graph is not known in this tenant under the name of this cloud: check `cloud`"
        }
        Some(7_000_112) => {
            "the app is disabled: enable it in the Entra admin centre (Enterprise applications, Properties)"
        }
        Some(7_000_229) => "the app has no service principal in this tenant: give admin consent to it",
        Some(53_003 | 530_034) => {
            "a Conditional Access policy for workload identities blocks this app: let it sign in from here"
        }
        Some(700_027 | 700_030 | 7_000_214) => {
            "Entra does not know this certificate: upload it to the app in `client_id` (App registrations, Certificates & secrets), \
             and check that `credential.certificate` is the one that was uploaded"
        }
        Some(700_024) => {
            "the signed proof is outside of its time: check the clock of this machine, or what renews the federated token"
        }
        Some(70_021 | 700_211..=700_213 | 7_000_211) => {
            "no federated credential of the app matches this token: issuer, subject and audience must equal its own, case \
             included (App registrations, Certificates & secrets, Federated credentials)"
        }
        Some(7_000_218) => "no client secret was sent: check what `credential.client_secret` points to",
        Some(code) => {
            return format!("look the code up: https://login.microsoftonline.com/error?code={code}");
        }
        None => "check `tenant_id`, `client_id` and `credential`",
    }
    .to_owned()
}
