//! A job made ready: its settings, its mapping and its snapshot, with its real edges.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use super::edges::redacts;
use super::edges::source;
use super::edges::target;
use super::mappings::pinned_mapping;
use super::ways_back::back;
use super::ways_back::with_ways_back;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::engine::job::Assigning;
use crate::engine::job::Job;
use crate::mapping::Mapping;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::settings;
use crate::settings::Settings;
use crate::settings::job::Mode;
use crate::settings::source::Scope;
use crate::snapshot::record::Binding;
use crate::snapshot::store::Snapshot;
use crate::telemetry::audit::AuditStream;
use crate::telemetry::audit::Stream;

/// Objects planned, sent and recorded at a time: large enough that the store's syncs are shared, small enough
/// that an interrupted batch is soon done again.
const BATCH: usize = 500;

/// A job over its real edges. Binds the snapshot to tenant and target.
pub fn job(
    config: &Path,
    name: &str,
    state: &settings::State,
    settings: &settings::job::Job,
    snapshot: Snapshot,
) -> Result<Job, AppError> {
    let mapping = pinned_mapping(config, &settings.provisioning.mapping, &snapshot)?;
    let mapping = with_ways_back(name, settings, mapping)?;
    check_drift(name, settings, &mapping)?;
    snapshot.bind(&binding(settings))?;
    let assigning = assigning(name, settings, &mapping)?;
    let target = target(settings, &mapping)?;
    let source = Arc::new(source(settings)?);
    let back = back(settings, &source)?;
    Ok(Job {
        name: name.to_owned(),
        enforce: settings.mode == Mode::Enforce,
        fingerprint: fingerprint(&mapping, settings),
        mapping: Arc::new(mapping),
        policy: settings.provisioning.policy.clone(),
        scope: Arc::new(settings.source.rules.clone()),
        managed: managed(settings),
        assigning,
        source,
        target: Arc::new(target),
        snapshot,
        clock: Arc::new(SystemClock),
        max_concurrency: settings.target.max_concurrency,
        request_timeout: settings.target.request_timeout,
        escrow_first_retry: settings.provisioning.escrow_first_retry,
        history_retention: state.history_retention,
        batch: BATCH,
        audit: None,
        back,
        entropy: rand::random,
    })
}

/// A job that is ready, by other rules: over the same two sides, and a snapshot that nobody else sees.
pub fn tried(
    ready: &Job,
    settings: &settings::job::Job,
    mapping: &Mapping,
    aside: Snapshot,
) -> Result<Job, AppError> {
    let mapping = &with_ways_back(&ready.name, settings, mapping.clone())?;
    check_drift(&ready.name, settings, mapping)?;
    // What one mapping keeps out of errors, the client of another would show.
    let target = if redacts(mapping) && !redacts(&ready.mapping) {
        Arc::new(target(settings, mapping)?)
    } else {
        Arc::clone(&ready.target)
    };
    Ok(Job {
        assigning: assigning(&ready.name, settings, mapping)?,
        audit: None,
        escrow_first_retry: settings.provisioning.escrow_first_retry,
        fingerprint: fingerprint(mapping, settings),
        managed: managed(settings),
        mapping: Arc::new(mapping.clone()),
        policy: settings.provisioning.policy.clone(),
        scope: Arc::new(settings.source.rules.clone()),
        snapshot: aside,
        target,
        ..ready.clone()
    })
}

fn assigning(name: &str, settings: &settings::job::Job, mapping: &Mapping) -> Result<Assigning, AppError> {
    Ok(Assigning {
        application: application(name, settings, mapping)?,
        scope: settings.source.scope == Scope::Assigned,
        nesting: settings.source.nesting,
    })
}

/// The kinds of objects that a job manages.
pub fn managed(settings: &settings::job::Job) -> BTreeSet<ObjectKind> {
    let mut managed = BTreeSet::new();
    managed.extend(settings.source.users.then_some(ObjectKind::User));
    managed.extend(settings.source.groups.then_some(ObjectKind::Group));
    managed
}

/// Refuses a drift policy for an attribute that the mapping does not send.
fn check_drift(name: &str, settings: &settings::job::Job, mapping: &Mapping) -> Result<(), AppError> {
    let rows = || mapping.user.iter().chain(&mapping.group);
    let is_sent = |wanted: &str| {
        let named = |name: &str| name.eq_ignore_ascii_case(wanted);
        named("active") || rows().any(|row| named(row.target.as_str()) || named(row.target.attribute()))
    };
    let drift = &settings.provisioning.policy.drift;
    let Some(unknown) = drift.attributes.keys().find(|wanted| !is_sent(wanted)) else {
        return Ok(());
    };
    Err(AppError::usage(
        format!(
            "jobs.{name}.provisioning.drift names `{unknown}`, and the mapping `{}` sends no such attribute",
            mapping.name
        ),
        "name a target path as `melonsync mapping show` prints it, or the attribute's name alone, such as active or roles",
    ))
}

/// The audit stream of the settings. Where stdout holds a document (`document`), the lines that were to go there go to stderr.
pub fn audit(settings: &Settings, document: bool) -> Result<Option<Arc<AuditStream>>, AppError> {
    let stream = match &settings.audit.stream {
        None => return Ok(None),
        Some(settings::audit::Stream::Stdout) if document => Stream::Stderr,
        Some(settings::audit::Stream::Stdout) => Stream::Stdout,
        Some(settings::audit::Stream::File(path)) => Stream::File(path.clone()),
        Some(settings::audit::Stream::Syslog) => Stream::Syslog,
    };
    let opened = AuditStream::open(&stream).map_err(|cause| {
        let shown = ErrorText {
            what: "cannot open the audit stream".to_owned(),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        let advice =
            "correct `stream` under [audit]: its folder must exist and be writable, and a syslog must listen";
        AppError::new(ErrorKind::Usage, shown.advise(advice))
    })?;
    Ok(Some(Arc::new(opened)))
}

/// The enterprise application whose assignments count, where one is named.
///
/// Refused absent where the mapping sends app roles; the settings see to the scope.
pub fn application(
    name: &str,
    settings: &settings::job::Job,
    mapping: &Mapping,
) -> Result<Option<SourceId>, AppError> {
    let application = settings.source.service_principal_id;
    if application.is_none() && mapping.uses_app_roles(ObjectKind::User) {
        return Err(AppError::usage(
            format!(
                "the mapping `{}` sends app roles, and no `service_principal_id` says of which application",
                settings.provisioning.mapping
            ),
            format!(
                "add `service_principal_id` to [jobs.{name}.source]: \"Object ID\" in the enterprise application's \
                 properties (Entra admin centre, Enterprise applications)"
            ),
        ));
    }
    Ok(application.map(|id| SourceId::from_bytes(id.into_bytes())))
}

/// Whether the assignments of the enterprise application are read: for the scope, or for app roles.
pub fn reads_assignments(settings: &settings::job::Job, mapping: &Mapping) -> bool {
    settings.source.scope == Scope::Assigned || mapping.uses_app_roles(ObjectKind::User)
}

/// What a job's snapshot belongs to.
pub fn binding(settings: &settings::job::Job) -> Binding {
    let url = &settings.target.url;
    Binding {
        tenant_id: settings.source.tenant_id.to_string(),
        target: format!("{}{}", host(url), url.path().trim_end_matches('/')),
    }
}

fn host(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A part each for mapping, scope and policy, so that a cycle can say which of them changed.
fn fingerprint(mapping: &Mapping, settings: &settings::job::Job) -> String {
    let parts = [
        hex(&mapping.fingerprint()),
        settings.scope_fingerprint(),
        settings.policy_fingerprint(),
    ];
    parts
        .map(|part| part.chars().take(12).collect::<String>())
        .join("-")
}

/// What a job's settings come to, with the file of its mapping where it has one: the same for two processes that would do
/// the same. `mapping`: the one in force, where it is loaded. Of a preset the name says it all.
pub fn digest(
    config: &Path,
    name: &str,
    job: &settings::job::Job,
    mapping: Option<&Mapping>,
) -> Result<String, AppError> {
    let named = &job.provisioning.mapping;
    let rows = match (Mapping::preset(named), mapping) {
        (Some(_), _) => String::new(),
        (None, Some(mapping)) => hex(&mapping.fingerprint()),
        (None, None) => {
            let mapping = with_ways_back(name, job, super::mapping(config, named)?)?;
            hex(&mapping.fingerprint())
        }
    };
    // Debug names every field: none can be forgotten here. Secrets are places in it.
    Ok(hex(&Sha256::digest(format!("{job:?} {rows}"))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
