//! Which tenant a domain belongs to: for whoever writes the settings and does not know the tenant's id.

use std::time::Duration;

use url::Url;

use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use crate::entra::clouds::Cloud;
use crate::entra::tenant;
use crate::entra::tenant::NoTenant;
use crate::transport::HttpClient;
use crate::transport::NetworkOptions;

pub use crate::entra::tenant::is_domain;

/// Nobody waits longer for it: the id can be copied from the portal meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// Asks the sign-in service at this address, or that of the global cloud, for the id of the tenant that has a domain.
pub async fn tenant_of(login: Option<Url>, domain: &str) -> Result<String, AppError> {
    let login = login.unwrap_or_else(|| Cloud::Global.login_url());
    let options = NetworkOptions {
        connect_timeout: LONGEST,
        request_timeout: LONGEST,
        ..NetworkOptions::default()
    };
    let failed = |error: NoTenant| {
        let kind = match error {
            NoTenant::Unknown { .. } => ErrorKind::Usage,
            NoTenant::Unreachable { .. } | NoTenant::Unreadable { .. } => ErrorKind::Failed,
        };
        AppError::new(
            kind,
            ErrorText::of(&error)
                .advise("give the tenant ID itself: it stands in the overview of the Entra admin centre, and needs no look-up"),
        )
    };
    let client = HttpClient::reaching(&options, &[Some(&login)]).map_err(|cause| {
        failed(NoTenant::Unreachable {
            domain: domain.to_owned(),
            host: login.host_str().unwrap_or_default().to_owned(),
            cause,
        })
    })?;
    let found = tenant::tenant_of(&client, &login, domain).await;
    found.map(|tenant| tenant.to_string()).map_err(failed)
}
