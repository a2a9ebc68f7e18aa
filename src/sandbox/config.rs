//! A ready configuration for the two sample servers, as `melonsync sandbox` prints it.

use super::tenant::Tenant;
use super::workspace::BASE_PATH;

/// The id of the group of those who hold a security key, in a tenant that has one.
pub const KEY_HOLDERS: &str = "6b657920-686f-4c64-a572-730000000001";

/// Returns `melonsync.toml` for these servers: job `idmelon`, mode `enforce`. `graph_url` and `login_url` are those of
/// the tenant's server, `scim_url` is the workspace's base URL with `/api/scim/v2/`. The secrets come from the
/// environment; a comment at the top lists the variables to set, with the sandbox's own values.
pub fn sample_config(graph_url: &str, login_url: &str, scim_url: &str, tenant: &Tenant) -> String {
    let (tenant_id, client_id, secret) = (tenant.tenant_id(), tenant.client_id(), tenant.client_secret());
    let (_, writer_secret) = tenant.writer_credentials();
    let workspace = scim_url.strip_suffix(BASE_PATH).unwrap_or(scim_url);
    let back: String = way_back_config(workspace, tenant)
        .lines()
        .map(|line| format!("# {line}\n"))
        .collect();
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

# The way back: a mobile number edited in the workspace goes to the tenant, and whoever holds a security key there joins a group here,
# by an app of its own. Set these too, and take the `# ` away:
#   export ENTRA_WRITER_SECRET={writer_secret}
#   export IDMELON_API_KEY={api_key}
# Somebody enrols a key, and gives it back:
#   curl -d '{{"owner":"ADDRESS"}}' {workspace}/sandbox/enrol
#   curl -d '{{"owner":"ADDRESS","present":false}}' {workspace}/sandbox/enrol
{back}"#,
        principal = tenant.service_principal_id(),
        token = super::workspace::DEFAULT_TOKEN,
        api_key = super::workspace::DEFAULT_API_KEY,
    )
}

/// Returns the section of the way back for these servers, whose workspace is at `workspace_url`: mobile numbers, and the group
/// [`KEY_HOLDERS`], which the writing app has to own. Its secrets come from `ENTRA_WRITER_SECRET` and `IDMELON_API_KEY`.
pub fn way_back_config(workspace_url: &str, tenant: &Tenant) -> String {
    let (writer, _) = tenant.writer_credentials();
    format!(
        r#"[jobs.idmelon.writeback]
credential = {{ client_id = "{writer}", client_secret = {{ env = "ENTRA_WRITER_SECRET" }} }}
attributes = {{ 'phoneNumbers[type eq "mobile"].value' = "mobilePhone" }}
enrolled_group = "{KEY_HOLDERS}"
idmelon_api = {{ url = "{workspace_url}", key = {{ env = "IDMELON_API_KEY" }} }}
"#
    )
}
