//! A sample Entra tenant and a sample IDmelon workspace on loopback, and a job between them.

pub mod tour;
pub mod way_back;
pub mod week;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use super::install;
use crate::engine::job::Job;
use crate::sandbox::DEFAULT_API_KEY;
use crate::sandbox::SampleOptions;
use crate::sandbox::sample_config;
use crate::sandbox::server::Server;
use crate::sandbox::tenant::Tenant;
use crate::sandbox::way_back_config;
use crate::sandbox::workspace;
use crate::sandbox::workspace::Workspace;
use crate::settings::Settings;
use crate::snapshot::folder::StateFolder;

/// The two sample servers.
pub struct Servers {
    /// The tenant.
    pub tenant: Tenant,
    /// The workspace.
    pub workspace: Workspace,
    /// Where the tenant is served.
    pub graph: Server,
    /// Where the workspace is served.
    pub scim: Server,
}

impl Servers {
    /// Starts both; a sample tenant of this size, an empty workspace.
    pub async fn start(
        users: usize,
        groups: usize,
        graph: SocketAddr,
        scim: SocketAddr,
    ) -> Result<Self, AppError> {
        let tenant = Tenant::sample_with(SampleOptions {
            users,
            groups,
            assigned: true,
            ..SampleOptions::default()
        });
        let workspace = Workspace::new();
        way_back::furnish(&tenant, &workspace);
        tenant.provision_into(&workspace);
        Self::serve(tenant, workspace, graph, scim).await
    }

    /// Starts these two.
    async fn serve(
        tenant: Tenant,
        workspace: Workspace,
        graph: SocketAddr,
        scim: SocketAddr,
    ) -> Result<Self, AppError> {
        let refused = |error: std::io::Error| {
            let shown = ErrorText {
                what: "cannot start a sample server".to_owned(),
                causes: vec![error.to_string()],
                ..ErrorText::default()
            };
            AppError::new(
                ErrorKind::Failed,
                shown.advise("choose another address, or leave it out for a free port"),
            )
        };
        let graph = tenant.serve(graph).await.map_err(refused)?;
        let scim = workspace.serve(scim).await.map_err(refused)?;
        Ok(Self {
            tenant,
            workspace,
            graph,
            scim,
        })
    }

    /// A ready config for them.
    #[must_use]
    pub fn config(&self) -> String {
        let scim = format!("{}{}", self.scim.url, workspace::BASE_PATH);
        sample_config(&self.graph.url, &self.graph.url, &scim, &self.tenant)
    }

    /// The same with the way back switched on, which these keys are added to, and with the secrets in files of this folder.
    fn own_config(&self, keys: &str, folder: &Path) -> Result<String, AppError> {
        let back = way_back_config(&self.scim.url, &self.tenant);
        self.with_secrets(format!("{}\n{back}{keys}", self.config()), folder)
    }

    /// A config with the secrets in files of this folder.
    fn with_secrets(&self, mut text: String, folder: &Path) -> Result<String, AppError> {
        for (name, secret) in [
            ("ENTRA_CLIENT_SECRET", self.tenant.client_secret()),
            ("ENTRA_WRITER_SECRET", self.tenant.writer_credentials().1),
            ("IDMELON_SCIM_TOKEN", self.workspace.token()),
            ("IDMELON_API_KEY", DEFAULT_API_KEY.to_owned()),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, secret).map_err(|error| folder_failure(&error))?;
            let file = format!("{{ file = {:?} }}", path.display().to_string());
            text = text.replace(&format!("{{ env = \"{name}\" }}"), &file);
        }
        Ok(text)
    }
}

/// The error of a temporary folder that cannot be made.
#[must_use]
pub fn folder_failure(error: &std::io::Error) -> AppError {
    let shown = ErrorText {
        what: "cannot make a temporary folder".to_owned(),
        causes: vec![error.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("check the space in the temporary folder (TMPDIR), or name one with --state"),
    )
}

/// The job between the two sample servers, from the very config that `sandbox` prints, with its way back; and the folder of its secrets, which are
/// read for as long as it runs.
pub fn job(servers: &Servers, state: &Path) -> Result<(Job, TempDir), AppError> {
    let held = StateFolder::hold(state)?;
    // Inside the state's folder: where that is kept elsewhere, there need be no temporary one.
    let folder = tempfile::tempdir_in(state).map_err(|error| folder_failure(&error))?;
    let text = servers.own_config(way_back::AT_ONCE, folder.path())?;
    let settings = Settings::parse("the demo's own settings", &text, &BTreeMap::new(), false)?;
    let (name, job) = install::choose(&settings, None)?;
    let snapshot = install::open(&held, name)?;
    let ready = install::job(
        Path::new("config/melonsync.toml"),
        name,
        &settings.state,
        job,
        snapshot,
    )?;
    // The lock lives as long as the program.
    std::mem::forget(held);
    Ok((ready, folder))
}

/// Settings of the demo's own daemon, and the token of its dashboard.
pub struct Tour {
    /// The settings file.
    pub config: PathBuf,
    /// Logs in at the dashboard.
    pub token: String,
}

/// Writes settings for a daemon between the two sample servers into a folder: the job that `sandbox` prints with its way
/// back, every few seconds, with a guard that a mass disable meets, and the dashboard at this address.
pub fn tour(servers: &Servers, folder: &Path, state: &Path, listen: SocketAddr) -> Result<Tour, AppError> {
    let random: [u8; 32] = rand::random();
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = servers.own_config(way_back::IN_THE_TOUR, folder)?.replace(
        "mode = \"enforce\"",
        "mode = \"enforce\"\nschedule = \"*/5 * * * * *\"\nfull_schedule = \"30 * * * * *\"",
    );
    std::fs::write(folder.join("token"), &token).map_err(|error| folder_failure(&error))?;
    let config = folder.join("melonsync.toml");
    // The settings are in a folder of their own: a relative path would be meant from there.
    let state = std::path::absolute(state).map_err(|error| folder_failure(&error))?;
    let state = state.display().to_string();
    let token_file = folder.join("token").display().to_string();
    let own = format!(
        "[state]\npath = {state:?}\n\n[admin]\nlisten = \"{listen}\"\ntoken = {{ file = {token_file:?} }}\n\n{text}\n\
         [jobs.idmelon.provisioning]\ndeletion_threshold = 5\n"
    );
    std::fs::write(&config, &own).map_err(|error| folder_failure(&error))?;
    Ok(Tour { config, token })
}

/// What happens in the tour, a step every few seconds: people join, move and leave, somebody edits the target by hand, the
/// target refuses one record, and then a whole department is disabled. And what comes back: [`way_back`].
pub fn happen(servers: &Servers, step: u64) {
    let Servers {
        tenant, workspace, ..
    } = servers;
    tenant.mutate(0.005, step);
    way_back::happen(servers, step);
    let ids = tenant.user_ids();
    match step {
        // Somebody at the target knows better.
        2 => {
            let there = ids
                .iter()
                .skip(40)
                .flat_map(|id| workspace.users_by_external_id(id));
            let resources: Vec<_> = there
                .filter(|resource| resource["active"] == true)
                .take(3)
                .collect();
            for resource in resources {
                let id = resource["id"].as_str().unwrap_or_default();
                workspace.edit_user(id, serde_json::json!({"title": "Changed by hand"}));
            }
        }
        // One record that the target never takes.
        3 => {
            let stubborn = ids.get(50).and_then(|id| tenant.user(id));
            let name = stubborn
                .as_ref()
                .and_then(|user| user["userPrincipalName"].as_str());
            if let (Some(name), Some(id)) = (name, ids.get(50)) {
                let name = name.to_owned();
                workspace.update_faults(|faults| faults.refuse_user_names = vec![name]);
                tenant.set_user(id, serde_json::json!({"jobTitle": "Stubborn"}));
            }
        }
        // The target asks to be slow.
        4 => workspace.update_faults(|faults| faults.writes_per_minute = Some(120)),
        16 => workspace.update_faults(|faults| faults.writes_per_minute = None),
        // A script at the source disabled a tenth of everybody.
        6 => {
            for id in ids.iter().skip(60).take(ids.len() / 10) {
                tenant.disable_user(id);
            }
        }
        _ => {}
    }
}
