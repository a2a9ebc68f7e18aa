//! A week beside Azure's own provisioning, in a few seconds: our job observes while Azure's provisions, what both decide is compared, and
//! the verdict says what is missing for the switch. Servers of its own, and a clock that is moved by hand.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::Servers;
use super::folder_failure;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Asking;
use crate::app::cycles::Extent;
use crate::app::cycles::Job;
use crate::app::entra_job::verdict::Subject;
use crate::app::entra_job::verdict::verdict;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::views::entra_verdict::Answer;
use crate::app::views::entra_verdict::EntraVerdict;
use crate::app::words::Words;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::sandbox::SampleOptions;
use crate::sandbox::tenant::Tenant;
use crate::sandbox::workspace::Workspace;
use crate::settings::Settings;
use crate::snapshot::folder::StateFolder;

/// Azure's job runs so long after our look.
const UNTIL_AZURE: Duration = Duration::from_secs(40 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that stands still until the story moves it.
#[derive(Debug, Clone)]
struct StoryClock(Arc<AtomicI64>);

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl StoryClock {
    fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

/// The stage: servers, our job, and the time.
struct Stage<'a> {
    servers: Servers,
    job: Job,
    clock: StoryClock,
    asking: &'a Asking,
}

impl Stage<'_> {
    async fn look(&self, extent: Extent) -> Result<(), AppError> {
        let done = cycles::sync(&self.job, extent, Allowing::default(), self.asking.clone()).await;
        match &done.error {
            Some(error) => Err(AppError::from(error)),
            None => Ok(()),
        }
    }

    fn azure(&self) {
        self.servers.tenant.set_azure_time(self.clock.now().0);
        self.servers.tenant.azure_cycle();
    }

    /// We look, Azure's job does what is due, and time passes. Azure's log may be asked five times in ten seconds: there are few looks.
    async fn pass(&self, then: Duration) -> Result<(), AppError> {
        self.look(Extent::Changes).await?;
        self.clock.advance(UNTIL_AZURE);
        self.azure();
        self.clock.advance(then);
        Ok(())
    }
}

/// Plays the week in this folder, and tells what came of it.
///
/// # Errors
/// A sample server that cannot be started, or a cycle that failed.
pub async fn told(folder: &Path, asking: &Asking) -> Result<String, AppError> {
    let servers = servers().await?;
    let folder = tempfile::tempdir_in(folder).map_err(|error| folder_failure(&error))?;
    let config = servers
        .config()
        .replace("mode = \"enforce\"", "mode = \"observe\"")
        .replace("# service_principal_id", "service_principal_id");
    let text = servers.with_secrets(config, folder.path())?;
    let settings = Settings::parse("the demo's own settings", &text, &BTreeMap::new(), false)?;
    let (name, of_job) = install::choose(&settings, None)?;
    let held = StateFolder::hold(&folder.path().join("state"))?;
    let snapshot = install::open(&held, name)?;
    let path = Path::new("config/melonsync.toml");
    let mut job = install::job(path, name, &settings.state, of_job, snapshot)?;
    // The first of June 2026, in the morning.
    let clock = StoryClock(Arc::new(AtomicI64::new(1_780_300_800_000)));
    job.clock = Arc::new(clock.clone());
    let stage = Stage {
        servers,
        job,
        clock,
        asking,
    };
    // Each look would log its cycle.
    week(&stage).with_subscriber(NoSubscriber::new()).await?;
    let subject = Subject {
        settings: &settings,
        job: &stage.job,
        folder: &held,
        vouched: BTreeSet::new(),
    };
    let verdict = || verdict(&subject, asking.clone()).with_subscriber(NoSubscriber::new());
    let before = verdict().await?;
    stage.servers.tenant.pause_azure();
    let after = verdict().await?;
    Ok(words(&before, &after, stage.servers.workspace.writes()))
}

/// People and two groups whom Azure's job provisioned before our job began to look.
async fn servers() -> Result<Servers, AppError> {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 12,
        groups: 2,
        plain: true,
        ..SampleOptions::default()
    });
    tenant.set_tenant_id("5a3d0b0c-7e57-4000-8000-00000000aeee");
    for right in ["Synchronization.Read.All", "ProvisioningLog.Read.All"] {
        tenant.grant_permission(right);
    }
    let workspace = Workspace::new();
    tenant.provision_into(&workspace);
    tenant.start_azure();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Servers::serve(tenant, workspace, any, any).await
}

/// A joiner, a mover and a leaver, a member who comes and goes: what a verdict asks to have seen.
async fn week(stage: &Stage<'_>) -> Result<(), AppError> {
    let tenant = &stage.servers.tenant;
    stage.azure();
    stage.servers.workspace.clear_requests();
    stage.clock.advance(DAY);
    stage.look(Extent::Full).await?;
    let people = tenant.user_ids();
    let group = tenant.group_ids().into_iter().next().unwrap_or_default();
    tenant.add_user(json!({
        "userPrincipalName": "june.joiner@corp.example", "displayName": "June Joiner",
        "mail": "june.joiner@corp.example", "givenName": "June", "surname": "Joiner",
    }));
    tenant.set_user(&people[1], json!({"jobTitle": "Chief"}));
    tenant.add_member(&group, &people[11]);
    stage.pass(DAY).await?;
    tenant.disable_user(&people[2]);
    tenant.remove_member(&group, &people[11]);
    stage.pass(6 * DAY).await?;
    stage.look(Extent::Full).await
}

fn words(before: &EntraVerdict, after: &EntraVerdict, writes: usize) -> String {
    let yes = |verdict: &EntraVerdict| {
        let lines = verdict.lines.iter();
        lines.filter(|line| line.answer == Answer::Yes).count()
    };
    format!(
        "\nA week beside Azure's own provisioning, its clock moved by hand: somebody joined, moved and left, and a group got a member and \
         lost it.\nAzure's job carried it out, our job only looked ({writes} writes of its own), and `melonsync entra-job verdict` says:\n{}\n\
         Then Azure's job was paused: {} of 12 were yes, and now {} are. The rest is for a person: docs/cut-over.md leads through it.\n",
        before.words(),
        yes(before),
        yes(after),
    )
}
