//! A ready configuration for the two sample servers, as `melonsync sandbox` prints it.

use super::tenant::Tenant;

/// Returns `melonsync.toml` for these servers: job `idmelon`, mode `enforce`. `graph_url` and `login_url` are those of
/// the tenant's server, `scim_url` is the workspace's base URL with `/api/scim/v2/`. The secrets come from the
/// environment; a comment at the top lists the variables to set, with the sandbox's own values.
pub fn sample_config(graph_url: &str, login_url: &str, scim_url: &str, tenant: &Tenant) -> String {
    let (tenant_id, client_id, secret) = (tenant.tenant_id(), tenant.client_id(), tenant.client_secret());
    let (writer, writer_secret) = tenant.writer_credentials();
    format!(
        r#"# The sample tenant and workspace of `melonsync sandbox`. Set these first:
#   export ENTRA_CLIENT_SECRET={secret}
#   export IDMELON_SCIM_TOKEN={token}

[jobs.idmelon]
mode = "enforce"

[jobs.idmelon.source]
kind      = "entra"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
graph_url = "{graph_url}"
login_url = "{login_url}"
# scope = "assigned"             # only who is assigned to the application below; needs Application.Read.All, which this gives:
#   curl -d '{{"name":"Application.Read.All"}}' {graph_url}/sandbox/permission
# service_principal_id = "{principal}"

[jobs.idmelon.source.credential]
client_secret = {{ env = "ENTRA_CLIENT_SECRET" }}

[jobs.idmelon.target]
kind  = "idmelon"
url   = "{scim_url}"
token = {{ env = "IDMELON_SCIM_TOKEN" }}

# The way back: what is edited in the workspace goes to the tenant, by an app of its own.
#   export ENTRA_WRITER_SECRET={writer_secret}
# [jobs.idmelon.writeback]
# credential = {{ client_id = "{writer}", client_secret = {{ env = "ENTRA_WRITER_SECRET" }} }}
# attributes = {{ title = "jobTitle", 'phoneNumbers[type eq "mobile"].value' = "mobilePhone" }}
"#,
        principal = tenant.service_principal_id(),
        token = super::workspace::DEFAULT_TOKEN,
    )
}
