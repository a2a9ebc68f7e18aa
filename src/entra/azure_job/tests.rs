//! Azure's job of the sandbox, read and steered over HTTP.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::steer::Steering;
use super::*;
use crate::entra::GraphOptions;
use crate::entra::clouds::Cloud;
use crate::model::azure_job::JobState;
use crate::model::azure_job::LogAction;
use crate::model::azure_job::Writing;
use crate::model::clock::SystemClock;
use crate::model::secret::Secret;
use crate::sandbox::Server;
use crate::sandbox::Tenant;
use crate::sandbox::Workspace;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;

struct Place {
    tenant: Tenant,
    _server: Server,
    source: GraphSource,
    options: GraphOptions,
    application: SourceId,
}

/// Each test has a tenant of its own name: the quota of reports is shared by app and tenant.
async fn start(tenant_id: &str) -> Place {
    until_the_runtime_ends();
    let tenant = Tenant::sample(20, 2);
    tenant.set_tenant_id(tenant_id);
    tenant.provision_into(&Workspace::new());
    let server = tenant.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url: Url = server.url.parse().unwrap();
    let options = GraphOptions {
        tenant_id: tenant.tenant_id(),
        client_id: tenant.client_id(),
        credential: Secret::new(tenant.client_secret()).into(),
        cloud: Cloud::Global,
        graph_url: Some(url.clone()),
        login_url: Some(url),
        network: NetworkOptions::default(),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::impatient(Duration::from_millis(300)),
    };
    let source = GraphSource::new(options.clone()).unwrap();
    let application = tenant.service_principal_id().parse().unwrap();
    Place {
        tenant,
        _server: server,
        source,
        options,
        application,
    }
}

#[tokio::test]
async fn the_state_of_the_job_is_read_and_steered() {
    let place = start("5a3d0b0c-7e57-4000-8000-000000000f01").await;
    let (tenant, source, application) = (&place.tenant, &place.source, place.application);
    let refused = source.jobs(application).await.unwrap_err();
    assert!(matches!(refused, SourceError::Forbidden { .. }), "{refused:?}");
    assert!(
        refused.hint().contains("Synchronization.Read.All"),
        "{}",
        refused.hint()
    );
    tenant.grant_permission("Synchronization.Read.All");
    let job = source.jobs(application).await.unwrap().remove(0);
    assert_eq!(
        (job.state.clone(), job.writing()),
        (JobState::Paused, Writing::No)
    );
    let admin = Steering::new(&place.options, Secret::new(tenant.admin_token())).unwrap();
    admin.start(application, &job.id).await.unwrap();
    tenant.begin_azure_cycle();
    admin.pause(application, &job.id).await.unwrap();
    let job = admin.jobs(application).await.unwrap().remove(0);
    assert_eq!(
        (job.state.clone(), job.writing()),
        (JobState::Paused, Writing::StillRunning)
    );
    tenant.end_azure_cycle();
    let job = admin.jobs(application).await.unwrap().remove(0);
    assert_eq!(job.writing(), Writing::No);
    assert!(job.last.unwrap().exported.unwrap() > 0);
    tenant.demote_admin();
    let refused = admin.start(application, &job.id).await.unwrap_err();
    assert!(
        refused.hint().contains("Application Administrator"),
        "{}",
        refused.hint()
    );
    let other = Steering::new(&place.options, Secret::new("not.a.token".to_owned())).unwrap();
    let refused = other.pause(application, &job.id).await.unwrap_err();
    assert!(matches!(refused, SourceError::Unauthorized { .. }), "{refused:?}");
    assert!(!format!("{refused}{refused:?}").contains("not.a.token"));
}

#[tokio::test]
async fn the_log_is_read_whole_and_each_entry_once() {
    let place = start("5a3d0b0c-7e57-4000-8000-000000000f02").await;
    let (tenant, source) = (&place.tenant, &place.source);
    let day = 86_400_000;
    let begin = 1_780_000_000_000;
    tenant.start_azure();
    tenant.set_azure_time(begin + 7 * day - 1000);
    tenant.azure_cycle();
    let leaver = tenant.user_ids().remove(0);
    tenant.set_azure_time(begin + 7 * day + 1000);
    tenant.hard_delete_user(&leaver);
    tenant.azure_cycle();
    let (from, to) = (Timestamp(begin), Timestamp(begin + 8 * day));
    let refused = source.log(place.application, from, to).await.unwrap_err();
    assert!(
        refused.hint().contains("ProvisioningLog.Read.All"),
        "{}",
        refused.hint()
    );
    tenant.grant_permission("ProvisioningLog.Read.All");
    let entries = source.log(place.application, from, to).await.unwrap();
    assert_eq!(
        entries.len(),
        tenant.azure_log().len(),
        "two stretches, and their overlap"
    );
    let gone = entries
        .iter()
        .find(|entry| entry.action == LogAction::Delete)
        .unwrap();
    assert_eq!(gone.object.unwrap().to_string(), leaver);
    assert!(gone.is_done());
    assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at));
    tenant.end_licence();
    let refused = source.log(place.application, from, to).await.unwrap_err();
    assert!(refused.hint().contains("P1 or P2"), "{}", refused.hint());
}

#[test]
fn stretches_of_the_log_overlap_and_leave_no_gap() {
    let (hour, day) = (3_600_000, 86_400_000);
    let all = windows(Timestamp(0), Timestamp(16 * day));
    assert_eq!(
        all,
        [
            (Timestamp(0), Timestamp(7 * day)),
            (Timestamp(7 * day - hour), Timestamp(14 * day)),
            (Timestamp(14 * day - hour), Timestamp(16 * day)),
        ]
    );
    assert!(windows(Timestamp(5), Timestamp(5)).is_empty());
}
