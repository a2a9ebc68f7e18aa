//! What `init` asks: its flags, and the answers.

use clap::Args;
use clap::ValueEnum;

/// Where an IDmelon workspace is reached.
pub(super) const IDMELON_URL: &str = "https://skm.idmelon.com/api/scim/v2/";

/// `init`.
#[derive(Debug, Clone, Default, Args)]
pub struct Init {
    /// Overwrite a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Print the example with every key instead, and write nothing.
    #[arg(long, exclusive = true)]
    pub example: bool,
    /// Directory (tenant) ID; or a domain of the tenant, such as contoso.com, which is looked up.
    #[arg(long, value_name = "GUID|DOMAIN")]
    pub tenant_id: Option<String>,
    /// Application (client) ID.
    #[arg(long, value_name = "GUID")]
    pub client_id: Option<String>,
    /// The target: `idmelon` (an IDmelon workspace), or `scim` for any SCIM 2.0 service [default: idmelon]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub kind: Option<Kind>,
    /// The target's SCIM base address; IDmelon's public one where absent and the kind is idmelon.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Who is in scope: all, or only who is assigned to the enterprise application (assigned) [default: all]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub scope: Option<Scope>,
    /// The object ID of the enterprise application, for --scope assigned.
    #[arg(long, value_name = "GUID")]
    pub service_principal_id: Option<String>,
    /// Guests: include, accepted or exclude [default: include]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub guests: Option<Guests>,
    /// Where the secrets are: in the environment (env), or in files (file) [default: env]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub secrets: Option<Secrets>,
}

/// The kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An IDmelon workspace.
    Idmelon,
    /// Any SCIM 2.0 service.
    Scim,
}

/// Who is in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Everybody.
    All,
    /// Who is assigned to the enterprise application.
    Assigned,
}

/// What becomes of guests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Guests {
    /// As Entra does.
    #[default]
    Include,
    /// Only who accepted the invitation.
    Accepted,
    /// None.
    Exclude,
}

/// Where secrets are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Secrets {
    /// In the environment.
    #[default]
    Env,
    /// In files beside the config.
    File,
}

/// What the file needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Directory (tenant) ID.
    pub tenant_id: String,
    /// Application (client) ID.
    pub client_id: String,
    /// The kind of target.
    pub kind: Kind,
    /// The SCIM base address.
    pub url: String,
    /// The enterprise application, where only who is assigned to it is in scope.
    pub service_principal_id: Option<String>,
    /// What becomes of guests.
    pub guests: Guests,
    /// Where the secrets are.
    pub secrets: Secrets,
}

/// The word that a flag has for a value.
pub(super) fn word(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
