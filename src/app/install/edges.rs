//! The two real edges of a job: the clients of its source and its target.

use std::sync::Arc;

use uuid::Uuid;

use crate::app::credentials;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::entra::GraphOptions;
use crate::entra::GraphSource;
use crate::entra::clouds::Cloud;
use crate::entra::credential::Credentials;
use crate::mapping::Mapping;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::scim::ScimOptions;
use crate::scim::ScimTarget;
use crate::settings;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;
use crate::transport::unreached::Keys;

/// The source's client.
pub fn source(settings: &settings::job::Job) -> Result<GraphSource, AppError> {
    let source = &settings.source;
    let credential = credentials::of_source(&source.credential)?;
    let options = graph_options(source, source.client_id, credential, &source.network);
    GraphSource::new(options).map_err(|error| unusable_source(settings, &error))
}

/// A source whose client cannot be made with its network options.
pub fn unusable_source(settings: &settings::job::Job, error: &TransportError) -> AppError {
    unusable(error, &settings.source.network.section, "graph_url")
}

/// The way to the source's tenant without the credential of a job: for an administrator, who brings a token along.
pub fn options_without_credential(settings: &settings::job::Job) -> GraphOptions {
    let source = &settings.source;
    let nothing = Credentials::read_by(Vec::new);
    graph_options(source, source.client_id, nothing, &source.network)
}

/// Where a tenant is and as which app it is asked.
pub(super) fn graph_options(
    source: &settings::source::Source,
    client_id: Uuid,
    credential: Credentials,
    of: &settings::network::Network,
) -> GraphOptions {
    let cloud = match source.cloud {
        settings::source::Cloud::Global => Cloud::Global,
        settings::source::Cloud::UsGov => Cloud::UsGov,
        settings::source::Cloud::UsGovDod => Cloud::UsGovDod,
        settings::source::Cloud::China => Cloud::China,
    };
    GraphOptions {
        tenant_id: source.tenant_id.to_string(),
        client_id: client_id.to_string(),
        credential,
        cloud,
        graph_url: Some(source.graph_url.clone()),
        login_url: Some(source.login_url.clone()),
        network: network(of),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::default(),
    }
}

/// A client that cannot be made with these network options.
pub(super) fn unusable(error: &TransportError, section: &str, address: &str) -> AppError {
    let keys = Keys { section, address };
    AppError::new(ErrorKind::Usage, ErrorText::of(error).advise(error.advice(&keys)))
}

/// The target's client.
pub fn target(settings: &settings::job::Job, mapping: &Mapping) -> Result<ScimTarget, AppError> {
    let client = client_of(&settings.target)?;
    Ok(if redacts(mapping) {
        client.without_words()
    } else {
        client
    })
}

/// True where the mapping has values that no error may quote.
pub(super) fn redacts(mapping: &Mapping) -> bool {
    let kinds = [ObjectKind::User, ObjectKind::Group];
    kinds.into_iter().any(|kind| mapping.redacts(kind))
}

fn client_of(target: &settings::target::Target) -> Result<ScimTarget, AppError> {
    let tokens = credentials::of_target(&target.tokens)?;
    ScimTarget::new(ScimOptions {
        url: target.url.clone(),
        tokens,
        max_concurrency: target.max_concurrency,
        least_gap: target.least_gap,
        request_timeout: target.request_timeout,
        network: network(&target.network),
        retry: RetryPolicy::default(),
        dialect: target.dialect,
        clock: Arc::new(SystemClock),
    })
    .map_err(|error| {
        let keys = Keys {
            section: &target.network.section,
            address: "url",
        };
        AppError::new(
            ErrorKind::Usage,
            ErrorText::of(&error).advise(error.advice(&keys)),
        )
    })
}

/// How to reach a network, as the client takes it.
pub fn network(settings: &settings::network::Network) -> NetworkOptions {
    NetworkOptions {
        proxy: settings.proxy.clone(),
        ca_file: settings.ca_file.clone(),
        section: settings.section.clone(),
        ..NetworkOptions::default()
    }
}
