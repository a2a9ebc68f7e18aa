//! The sign-in of an administrator at the command line: authorization code with PKCE by a browser that comes back to this machine, or
//! a code that is typed in on another device (docs/design/graph.md, "Sign-in of an administrator").
//!
//! Guarantees: the access token is returned to the caller and nowhere else; no refresh token is asked for; `state` and PKCE (S256)
//! tie the answer to the request; the listener is on 127.0.0.1 alone and takes one answer. The protocol is the `oauth2` crate's, over
//! our own HTTP client.

mod loopback;

use std::time::Duration;

use oauth2::AuthUrl;
use oauth2::AuthorizationCode;
use oauth2::ClientId;
use oauth2::CsrfToken;
use oauth2::DeviceAuthorizationUrl;
use oauth2::EndpointNotSet;
use oauth2::EndpointSet;
use oauth2::ErrorResponse;
use oauth2::HttpRequest;
use oauth2::HttpResponse;
use oauth2::PkceCodeChallenge;
use oauth2::RedirectUrl;
use oauth2::RequestTokenError;
use oauth2::Scope;
use oauth2::StandardDeviceAuthorizationResponse;
use oauth2::StandardErrorResponse;
use oauth2::TokenResponse;
use oauth2::TokenUrl;
use oauth2::basic::BasicClient;
use url::Url;

use super::GraphOptions;
use super::fault::shortened;
use crate::model::secret::Secret;
use crate::transport::HttpClient;
use crate::transport::TransportError;

/// The public client of Microsoft's own command line tools, which may sign people in on this machine and in which an administrator
/// can be asked to consent (Microsoft Graph Command Line Tools).
pub const PUBLIC_CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";
/// The delegated permission that is asked for.
const RIGHT: &str = "Synchronization.ReadWrite.All";
/// As long may somebody take to sign in.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody signed in: {what}")]
pub struct NotSignedIn {
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// True where another way of signing in may work.
    pub elsewhere: bool,
}

/// What the person at the terminal is shown.
pub trait Usher: Send + Sync {
    /// Opens the page in a browser. False where there is none.
    fn open(&self, page: &Url) -> bool;
    /// Shows the page and the code that is to be typed in there.
    fn show_code(&self, page: &str, code: &str);
}

type Client = BasicClient<EndpointSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// One sign-in.
pub struct SignIn {
    client: Client,
    http: HttpClient,
    scope: String,
}

impl SignIn {
    /// Prepares a sign-in to the tenant of these options, whose credential is not used.
    ///
    /// # Errors
    /// When the network options are unusable.
    pub fn new(options: &GraphOptions, public_client: &str) -> Result<Self, TransportError> {
        let login = options
            .login_url
            .clone()
            .unwrap_or_else(|| options.cloud.login_url());
        let at = |word: &str| {
            let root = login.as_str().trim_end_matches('/');
            format!("{root}/{}/oauth2/v2.0/{word}", options.tenant_id)
        };
        let valid = "invariant: below an address there is an address";
        let client = BasicClient::new(ClientId::new(public_client.to_owned()))
            .set_auth_uri(AuthUrl::new(at("authorize")).expect(valid))
            .set_token_uri(TokenUrl::new(at("token")).expect(valid))
            .set_device_authorization_url(DeviceAuthorizationUrl::new(at("devicecode")).expect(valid));
        Ok(Self {
            client,
            http: HttpClient::reaching(&options.network, &[options.login_url.as_ref()])?,
            scope: options.cloud.scope().replace(".default", RIGHT),
        })
    }

    /// Signs in by the browser of this machine; where there is none, by a code.
    ///
    /// # Errors
    /// [`NotSignedIn`].
    pub async fn run(&self, usher: &dyn Usher) -> Result<Secret, NotSignedIn> {
        match self.by_browser(usher).await {
            Err(refused) if refused.elsewhere => self.by_code(usher).await,
            done => done,
        }
    }

    async fn by_browser(&self, usher: &dyn Usher) -> Result<Secret, NotSignedIn> {
        let door = loopback::Door::open().await?;
        let redirect = RedirectUrl::new(door.address()).expect("invariant: a port makes an address");
        let client = self.client.clone().set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (page, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new(self.scope.clone()))
            .add_extra_param("prompt", "select_account")
            .set_pkce_challenge(challenge)
            .url();
        if !usher.open(&page) {
            return Err(NotSignedIn {
                what: "there is no browser on this machine".to_owned(),
                hint: CODE_OR_TOKEN.to_owned(),
                elsewhere: true,
            });
        }
        let waits = tokio::time::timeout(PATIENCE, door.answer(state.secret()));
        let code = waits.await.map_err(|_| NotSignedIn {
            what: format!(
                "no answer came back from the browser within {} s",
                PATIENCE.as_secs()
            ),
            hint: CODE_OR_TOKEN.to_owned(),
            elsewhere: false,
        })??;
        let ask = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(verifier);
        let send = |request| exchange(&self.http, request);
        let granted = ask.request_async(&send).await.map_err(|error| refused(&error))?;
        Ok(Secret::new(granted.access_token().secret().clone()))
    }

    async fn by_code(&self, usher: &dyn Usher) -> Result<Secret, NotSignedIn> {
        let send = |request| exchange(&self.http, request);
        let ask = self
            .client
            .exchange_device_code()
            .add_scope(Scope::new(self.scope.clone()));
        let given: StandardDeviceAuthorizationResponse =
            ask.request_async(&send).await.map_err(|error| refused(&error))?;
        usher.show_code(given.verification_uri(), given.user_code().secret());
        let ask = self.client.exchange_device_access_token(&given);
        let granted = ask.request_async(&send, tokio::time::sleep, Some(PATIENCE)).await;
        let granted = granted.map_err(|error| refused(&error))?;
        Ok(Secret::new(granted.access_token().secret().clone()))
    }
}

const CODE_OR_TOKEN: &str = "sign in where there is a browser, or set ENTRA_ADMIN_TOKEN to an access token for Microsoft Graph, as `az account \
                             get-access-token --resource-type ms-graph` prints one";

/// Sends what the protocol wants sent, by our own client.
async fn exchange(http: &HttpClient, request: HttpRequest) -> Result<HttpResponse, TransportError> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string()).expect("invariant: an address of ours");
    let mut ours = reqwest::Request::new(parts.method, url);
    *ours.headers_mut() = parts.headers;
    *ours.body_mut() = Some(body.into());
    let answer = http.send(ours).await?;
    let mut theirs = HttpResponse::new(answer.body.to_vec());
    *theirs.status_mut() = answer.status;
    *theirs.headers_mut() = answer.headers;
    Ok(theirs)
}

/// Describes a refusal. Nothing of what was sent is in it.
fn refused<T>(error: &RequestTokenError<TransportError, StandardErrorResponse<T>>) -> NotSignedIn
where
    T: oauth2::ErrorResponseType + 'static,
    StandardErrorResponse<T>: ErrorResponse,
{
    let (what, hint) = match error {
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map_or("", String::as_str);
            let line = description.split(" Trace ID:").next().unwrap_or_default();
            let blocked = description.contains("AADSTS53003") || description.contains("AADSTS50097");
            let hint = if blocked { BLOCKED } else { CODE_OR_TOKEN };
            (format!("Entra answered {}", shortened(line)), hint.to_owned())
        }
        RequestTokenError::Request(unreached) => (
            unreached.to_string(),
            "check `login_url`, `proxy` and the network, and run the command again".to_owned(),
        ),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => (
            "the answer is not one of Entra's sign-in service".to_owned(),
            "check `login_url`, `proxy` and the network, and run the command again".to_owned(),
        ),
    };
    NotSignedIn {
        what,
        hint,
        elsewhere: false,
    }
}

const BLOCKED: &str = "a Conditional Access policy blocks this way of signing in, as Microsoft's own policy \"Block device code flow\" does: \
                       sign in where there is a browser, or set ENTRA_ADMIN_TOKEN";

#[cfg(test)]
mod tests;
