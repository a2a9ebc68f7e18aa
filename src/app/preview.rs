//! Previews: what the daemon would do by another mapping, other filters, another scope or policy, before they are in force.
//!
//! Guarantees: these four are all that is taken from whoever asks. No address, secret, file or command of theirs is used, and a
//! mapping is a text, never opened. The plan is made as every plan is, over a snapshot that keeps what is written to it in
//! memory and forgets it.

mod trial;

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value as Json;
use utoipa::ToSchema;

pub use self::trial::Trial;
use super::error::AppError;
use super::install;
use crate::engine::job::Job;
use crate::mapping::Mapping;
use crate::model::shown::shown;
use crate::settings;
use crate::settings::preview::Keys;
use crate::settings::preview::Parts;
use crate::snapshot::store::Snapshot;

/// What is to be tried. What is absent stays as the daemon has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreviewRequest {
    /// `user_filter` and `group_filter`, as the settings have them.
    #[schema(value_type = Option<Object>)]
    pub filters: Option<Keys>,
    /// A preset's name, or `{"name":"…","toml":"…"}`: the text of a mapping file, and what to call it.
    #[schema(value_type = Option<Object>)]
    pub mapping: Option<Json>,
    /// The keys of `[jobs.NAME.provisioning]` beside the mapping.
    #[schema(value_type = Option<Object>)]
    pub policy: Option<Keys>,
    /// `scope`, `service_principal_id`, `users`, `groups`, `nested_groups` and `guests`, as the settings have them.
    #[schema(value_type = Option<Object>)]
    pub scope: Option<Keys>,
}

/// The rules of a job as they would be.
#[derive(Debug, Clone)]
pub struct Preview {
    asked: PreviewRequest,
    settings: settings::job::Job,
    mapping: Mapping,
}

/// The same was asked for: of a job, it comes to the same.
impl PartialEq for Preview {
    fn eq(&self, other: &Self) -> bool {
        self.asked == other.asked && self.settings == other.settings
    }
}

impl Eq for Preview {}

impl PreviewRequest {
    /// What the settings of whoever asks have of a job.
    pub fn own(config: &Path, job: &str) -> Result<Self, AppError> {
        let all = install::settings(config, true)?;
        let (job, of_job) = install::choose(&all, Some(job))?;
        let name = of_job.provisioning.mapping.clone();
        let mapping = if Mapping::preset(&name).is_some() {
            name.into()
        } else {
            let (name, toml) = install::mapping_text(config, &name)?;
            Map::from_iter([("name".to_owned(), name.into()), ("toml".to_owned(), toml.into())]).into()
        };
        let parts = Parts::read(config, settings::process_environment(), job)?;
        Ok(Self {
            filters: parts.filters,
            mapping: Some(mapping),
            policy: parts.policy,
            scope: parts.scope,
        })
    }

    /// The rules of a job with what is to be tried in their place.
    pub fn over(self, settings: &settings::job::Job, job: &Job) -> Result<Preview, AppError> {
        let mapping = match &self.mapping {
            None => (*job.mapping).clone(),
            Some(mapping) => mapping_of(mapping, &job.snapshot)?,
        };
        let parts = Parts {
            filters: self.filters.clone(),
            scope: self.scope.clone(),
            policy: self.policy.clone(),
        };
        let mut settings = parts.over(&job.name, settings)?;
        if self.mapping.is_some() {
            settings.provisioning.mapping.clone_from(&mapping.name);
        }
        Ok(Preview {
            asked: self,
            settings,
            mapping,
        })
    }
}

/// The mapping that was sent: a preset, or one as its text.
fn mapping_of(sent: &Json, snapshot: &Snapshot) -> Result<Mapping, AppError> {
    match sent {
        Json::String(name) if Mapping::preset(name).is_some() => install::preset_in_force(name, snapshot),
        Json::String(name) => Err(no_mapping(format!("the mapping `{}` is no preset", shown(name)))),
        Json::Object(keys) => {
            let other = keys.keys().find(|key| !["name", "toml"].contains(&key.as_str()));
            if let Some(other) = other {
                let other = shown(other);
                return Err(no_mapping(format!("a preview takes no `{other}` in `mapping`")));
            }
            let text = |key| keys.get(key).and_then(Json::as_str);
            let Some(toml) = text("toml") else {
                return Err(no_mapping("`mapping` has no text in `toml`".to_owned()));
            };
            install::parsed_mapping(text("name").unwrap_or("the mapping"), toml)
        }
        _ => Err(no_mapping("`mapping` is no mapping".to_owned())),
    }
}

fn no_mapping(what: String) -> AppError {
    AppError::usage(
        what,
        "send a preset's name, or an object of `name` and `toml`, the text of the file: no file is opened for a preview",
    )
}

impl Preview {
    /// What was asked for.
    #[must_use]
    pub const fn asked(&self) -> &PreviewRequest {
        &self.asked
    }

    /// The job by these rules, over a snapshot that forgets what is written to it.
    pub fn aside(&self, ready: &Job) -> Result<Job, AppError> {
        self.job(ready, ready.snapshot.aside()?)
    }

    /// The job by these rules. Whoever carries it out keeps what is written from the snapshot.
    pub fn job(&self, ready: &Job, snapshot: Snapshot) -> Result<Job, AppError> {
        install::tried(ready, &self.settings, &self.mapping, snapshot)
    }
}
