//! `sandbox`: only the two sample servers of `demo`, for trying a config, for tests and for measuring.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::demo::Servers;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::files;
use crate::sandbox::load_faults;
use crate::settings;

/// `sandbox`.
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// Users in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub users: usize,
    /// Groups in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub groups: usize,
    /// Where the sample tenant listens; a free port where absent.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub graph_listen: SocketAddr,
    /// Where the sample workspace listens; a free port where absent.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub scim_listen: SocketAddr,
    /// A TOML file with faults to switch on, in the tables `[graph]` and `[scim]`.
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Serves until it is stopped.
pub fn run(args: &Sandbox, report: &mut Report) -> Result<Exit, AppError> {
    let faults = args.faults.as_ref().map(|path| {
        let place = path.display().to_string();
        let text = files::read_text(path, settings::LARGEST_FILE).map_err(|error| {
            let shown = ErrorText {
                what: format!("cannot read the faults file {place}"),
                causes: vec![error.to_string()],
                ..ErrorText::default()
            };
            AppError::new(
                ErrorKind::Usage,
                shown.advise("name a TOML file with the tables [graph] and [scim]"),
            )
        })?;
        load_faults(&text).map_err(|error| {
            AppError::new(
                ErrorKind::Usage,
                ErrorText::of(&error)
                    .at(place)
                    .advise("correct the file; an empty one switches nothing on"),
            )
        })
    });
    let faults = faults.transpose()?;
    process::runtime()?.block_on(async {
        let servers = Servers::start(args.users, args.groups, args.graph_listen, args.scim_listen).await?;
        if let Some((graph, scim)) = faults {
            servers.tenant.set_faults(graph);
            servers.workspace.set_faults(scim);
        }
        if report.is_json() {
            report.json(&serde_json::json!({
                "graph_url": servers.graph.url,
                "scim_url": format!("{}{}", servers.scim.url, crate::sandbox::workspace::BASE_PATH),
                "tenant_id": servers.tenant.tenant_id(),
                "client_id": servers.tenant.client_id(),
                "client_secret": servers.tenant.client_secret(),
                "scim_token": servers.workspace.token(),
            }));
        } else {
            report.text(&servers.config());
        }
        report.note("Serving until Ctrl-C.");
        process::stop_on_signal().cancelled().await;
        Ok(Exit::Done)
    })
}
