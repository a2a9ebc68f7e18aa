//! What is installed: the settings, the state folder, and the jobs of both with their real edges.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sha2::Digest;
use sha2::Sha256;

use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use crate::engine::job::Assigning;
use crate::engine::job::Job;
use crate::files;
use crate::mapping::Mapping;
use crate::mapping::ResourceForm;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown as printable;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::settings;
use crate::settings::Settings;
use crate::settings::StoreKind;
use crate::settings::job::Mode;
use crate::settings::source::Scope;
use crate::snapshot::embedded::Engine;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Binding;
use crate::snapshot::sled::DEFAULT_CACHE_BYTES;
use crate::snapshot::state::{PRESET_PIN, StateReads};
use crate::snapshot::store::Snapshot;
use crate::source::GraphOptions;
use crate::source::GraphSource;
use crate::source::clouds::Cloud;
use crate::target::ScimOptions;
use crate::target::ScimTarget;
use crate::telemetry::audit::AuditStream;
use crate::telemetry::audit::Stream;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;
use crate::transport::unreached::Keys;

/// Objects planned, sent and recorded at a time: large enough that the store's syncs are shared, small enough
/// that an interrupted batch is soon done again.
const BATCH: usize = 500;

/// Reads the settings; `offline` for verbs that talk to neither side.
pub fn settings(config: &Path, offline: bool) -> Result<Settings, AppError> {
    let env = settings::process_environment();
    let read = if offline {
        Settings::load_offline(config, env)
    } else {
        Settings::load(config, env)
    };
    Ok(read?)
}

/// Takes the state folder for work with both sides: the secrets are looked for once it is ours, for where a daemon has it,
/// it has them.
pub fn settings_and_folder(config: &Path) -> Result<(Settings, StateFolder), AppError> {
    let folder = hold(&settings(config, true)?)?;
    Ok((settings(config, false)?, folder))
}

/// The job that was named, or the only one.
pub fn choose<'s>(
    settings: &'s Settings,
    name: Option<&str>,
) -> Result<(&'s str, &'s settings::job::Job), AppError> {
    let names = || {
        settings
            .jobs
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match name {
        Some(name) => settings
            .jobs
            .get_key_value(name)
            .map(|(name, job)| (name.as_str(), job))
            .ok_or_else(|| {
                AppError::usage(
                    format!("no job `{}` in the settings", printable(name)),
                    format!("name one of: {}", names()),
                )
            }),
        None if settings.jobs.len() == 1 => {
            let (name, job) = settings.jobs.first_key_value().expect("there is one");
            Ok((name, job))
        }
        None => Err(AppError::usage(
            "the settings have several jobs",
            format!("name one of: {}", names()),
        )),
    }
}

/// Takes the state folder; another process that holds it is exit 5.
pub fn hold(settings: &Settings) -> Result<StateFolder, AppError> {
    hold_as(settings, None)
}

/// As [`hold`], by a process that stays: `role` says to others what it does.
pub fn hold_as(settings: &Settings, role: Option<&str>) -> Result<StateFolder, AppError> {
    let engine = match settings.state.store {
        StoreKind::Sled => Engine::Sled,
        StoreKind::Redb => Engine::Redb,
    };
    let held = StateFolder::hold_as(&settings.state.path, role).map_err(|error| store_failure(&error))?;
    Ok(held.with_engine(engine))
}

/// Refuses a job that was handed over to another host (exit 5), unless it is to be taken back.
pub fn at_home(folder: &StateFolder, name: &str, take_back: bool) -> Result<(), AppError> {
    let failed = |error| store_failure(&error);
    if take_back {
        return folder
            .take_back(name, DEFAULT_CACHE_BYTES)
            .map(drop)
            .map_err(failed);
    }
    let Some(text) = folder.moved(name).map_err(failed)? else {
        return Ok(());
    };
    let shown = ErrorText {
        what: format!("job `{name}` was handed over to another host"),
        place: Some(format!("{}: {}", folder.job(name).display(), text.trim())),
        ..ErrorText::default()
    };
    let advice = "run it there; to run it here again, stop it there and use --take-back: everything is then read again, and \
                  removals are withheld until you have looked";
    Err(AppError::new(ErrorKind::NotBegun, shown.advise(advice)))
}

/// A store that did not open, or failed.
pub fn store_failure(error: &StoreError) -> AppError {
    let kind = match error {
        StoreError::InUse { holder, .. } if holder.is_daemon() => ErrorKind::Held,
        StoreError::InUse { .. } => ErrorKind::NotBegun,
        StoreError::Bound { .. } | StoreError::OtherEngine { .. } => ErrorKind::Usage,
        StoreError::TooNew { .. }
        | StoreError::Damaged { .. }
        | StoreError::Claimed { .. }
        | StoreError::Io { .. } => ErrorKind::Failed,
    };
    AppError::new(kind, ErrorText::of(error).advise(error.hint()))
}

/// Opens a job's snapshot.
pub fn open(folder: &StateFolder, name: &str) -> Result<Snapshot, AppError> {
    folder
        .open_job(name, DEFAULT_CACHE_BYTES)
        .map_err(|error| store_failure(&error))
}

/// Opens a job's snapshot for this tenant and target. One that was made for another, and from which nothing was
/// ever sent, is begun afresh: whoever mends a mistyped id or address has nothing to lose, and goes on.
pub fn open_for(
    folder: &StateFolder,
    name: &str,
    settings: &settings::job::Job,
) -> Result<Snapshot, AppError> {
    let snapshot = open(folder, name)?;
    let failed = |error| store_failure(&error);
    let bound = snapshot.binding().map_err(failed)?;
    if bound.is_none_or(|bound| bound == binding(settings)) || !is_untouched(&snapshot).map_err(failed)? {
        return Ok(snapshot);
    }
    drop(snapshot);
    folder.forget(name).map_err(failed)?;
    open(folder, name)
}

/// True while nothing was ever done at the target: no link, no open create, no history but of being refused there.
pub fn is_untouched(snapshot: &Snapshot) -> Result<bool, StoreError> {
    let counts = snapshot.counts()?;
    if counts.linked_users + counts.linked_groups > 0 || !snapshot.intents()?.is_empty() {
        return Ok(false);
    }
    let entries = snapshot.history_head()?.next;
    if entries > REFUSALS {
        return Ok(false);
    }
    let mut only_refusals = true;
    snapshot.search_history(&Query::default(), |entry, _| {
        only_refusals &= entry.object.is_none() && entry.operation.starts_with("quarantine");
        Ok(())
    })?;
    Ok(only_refusals)
}

/// More entries than these are not those of a job that never got anywhere.
const REFUSALS: u64 = 1000;

/// What a job's snapshot belongs to.
pub fn binding(settings: &settings::job::Job) -> Binding {
    let url = &settings.target.url;
    Binding {
        tenant_id: settings.source.tenant_id.to_string(),
        target: format!("{}{}", host(url), url.path().trim_end_matches('/')),
    }
}

/// The mapping that a job names: a preset, or a file beside the settings or in the working folder.
pub fn mapping(config: &Path, name: &str) -> Result<Mapping, AppError> {
    if let Some(preset) = Mapping::preset(name) {
        return Ok(preset);
    }
    let beside = config
        .parent()
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    let path = beside.unwrap_or_else(|| Path::new(name).to_owned());
    let text = files::read_text(&path, settings::LARGEST_FILE).map_err(|cause| {
        let shown = ErrorText {
            what: format!("cannot read the mapping `{name}`"),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        let presets = crate::mapping::presets::names().collect::<Vec<_>>().join(", ");
        let advice = format!(
            "`provisioning.mapping` names a preset ({presets}) or a file such as config/mappings/acme.toml"
        );
        AppError::new(
            ErrorKind::Usage,
            shown
                .at(format!("{}: jobs.*.provisioning.mapping", config.display()))
                .advise(advice),
        )
    })?;
    Mapping::from_toml(&path.display().to_string(), &text).map_err(|problems| {
        let shown = ErrorText {
            what: problems.to_string(),
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Usage,
            shown.advise("correct the mapping file; nothing was read or written"),
        )
    })
}

/// The mapping that a job names, a preset's bare name in the version of its first use in this snapshot: a new release of
/// melonsync must not change what a tenant sends. A version that is named outright is the pin from then on.
pub fn pinned_mapping(config: &Path, name: &str, snapshot: &Snapshot) -> Result<Mapping, AppError> {
    let failed = |error| store_failure(&error);
    let preset = name.split_once('@').map_or(name, |(preset, _)| preset);
    if Mapping::preset(name).is_none() {
        return mapping(config, name);
    }
    let pin = snapshot.state_under(&PRESET_PIN, preset).map_err(failed)?;
    let wanted = pin
        .clone()
        .filter(|_| preset == name)
        .unwrap_or_else(|| name.to_owned());
    let found = Mapping::preset(&wanted).ok_or_else(|| {
        AppError::usage(
            format!("the mapping `{name}` was pinned to `{wanted}` at its first use, and this melonsync does not have that"),
            format!(
                "install a melonsync that has it, or name a version that this one has: mapping = \"{}\"",
                Mapping::preset(name).map_or_else(String::new, |newest| newest.name)
            ),
        )
    })?;
    if pin.as_deref() != Some(found.name.as_str()) {
        let mut tx = snapshot.tx().map_err(failed)?;
        tx.put_state_under(&PRESET_PIN, preset, &found.name);
        tx.commit(Durability::Synced).map_err(failed)?;
    }
    Ok(found)
}

/// A job over its real edges. Binds the snapshot to tenant and target.
pub fn job(
    config: &Path,
    name: &str,
    state: &settings::State,
    settings: &settings::job::Job,
    snapshot: Snapshot,
) -> Result<Job, AppError> {
    let mapping = pinned_mapping(config, &settings.provisioning.mapping, &snapshot)?;
    check_drift(name, settings, &mapping)?;
    snapshot
        .bind(&binding(settings))
        .map_err(|error| store_failure(&error))?;
    let assigning = Assigning {
        application: application(name, settings, &mapping)?,
        scope: settings.source.scope == Scope::Assigned,
        nesting: settings.source.nesting,
    };
    let mut managed = BTreeSet::new();
    managed.extend(settings.source.users.then_some(ObjectKind::User));
    managed.extend(settings.source.groups.then_some(ObjectKind::Group));
    let target = target(settings, &mapping)?;
    Ok(Job {
        name: name.to_owned(),
        enforce: settings.mode == Mode::Enforce,
        fingerprint: fingerprint(&mapping, settings),
        mapping: Arc::new(mapping),
        policy: settings.provisioning.policy.clone(),
        scope: Arc::new(settings.source.rules.clone()),
        managed,
        assigning,
        source: Arc::new(source(settings)?),
        target: Arc::new(target),
        snapshot,
        clock: Arc::new(SystemClock),
        form: ResourceForm::default(),
        max_concurrency: settings.target.max_concurrency,
        request_timeout: settings.target.request_timeout,
        escrow_first_retry: settings.provisioning.escrow_first_retry,
        history_retention: state.history_retention,
        batch: BATCH,
        audit: None,
        entropy: rand::random,
    })
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
    job: &settings::job::Job,
    mapping: Option<&Mapping>,
) -> Result<String, AppError> {
    let name = &job.provisioning.mapping;
    let rows = match (Mapping::preset(name), mapping) {
        (Some(_), _) => String::new(),
        (None, Some(mapping)) => hex(&mapping.fingerprint()),
        (None, None) => hex(&self::mapping(config, name)?.fingerprint()),
    };
    // Debug names every field: none can be forgotten here. Secrets are places in it.
    Ok(hex(&Sha256::digest(format!("{job:?} {rows}"))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The source's client.
pub fn source(settings: &settings::job::Job) -> Result<GraphSource, AppError> {
    let source = &settings.source;
    let credential = source
        .credential
        .client_secret
        .read()
        .map_err(|error| secret_failure(&error))?;
    let cloud = match source.cloud {
        settings::source::Cloud::Global => Cloud::Global,
        settings::source::Cloud::UsGov => Cloud::UsGov,
        settings::source::Cloud::UsGovDod => Cloud::UsGovDod,
        settings::source::Cloud::China => Cloud::China,
    };
    GraphSource::new(GraphOptions {
        tenant_id: source.tenant_id.to_string(),
        client_id: source.client_id.to_string(),
        credential,
        cloud,
        graph_url: Some(source.graph_url.clone()),
        login_url: Some(source.login_url.clone()),
        network: network(&source.network),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::default(),
    })
    .map_err(|error| {
        let keys = Keys {
            section: &source.network.section,
            address: "graph_url",
        };
        AppError::new(
            ErrorKind::Usage,
            ErrorText::of(&error).advise(error.advice(&keys)),
        )
    })
}

/// The target's client.
pub fn target(settings: &settings::job::Job, mapping: &Mapping) -> Result<ScimTarget, AppError> {
    let client = client_of(&settings.target)?;
    let redacts = [ObjectKind::User, ObjectKind::Group]
        .into_iter()
        .any(|kind| mapping.redacts(kind));
    Ok(if redacts { client.without_words() } else { client })
}

fn client_of(target: &settings::target::Target) -> Result<ScimTarget, AppError> {
    let token = target.token.read().map_err(|error| secret_failure(&error))?;
    ScimTarget::new(ScimOptions {
        url: target.url.clone(),
        token,
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

fn secret_failure(error: &settings::secret::SecretError) -> AppError {
    AppError::new(ErrorKind::Usage, ErrorText::of(error).advise(error.hint()))
}

fn network(settings: &settings::network::Network) -> NetworkOptions {
    NetworkOptions {
        proxy: settings.proxy.clone(),
        ca_file: settings.ca_file.clone(),
        section: settings.section.clone(),
        ..NetworkOptions::default()
    }
}
