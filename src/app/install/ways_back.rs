//! The way back of a job: its mapping, its loops, and its clients.

use std::sync::Arc;

use crate::app::credentials;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::engine::back::Enrolled;
use crate::engine::back::EnrolledRules;
use crate::engine::back::Requires;
use crate::engine::back::WayBack;
use crate::engine::back::WrittenBack;
use crate::entra::GraphSource;
use crate::entra::writer::GraphWriter;
use crate::idmelon::IdmelonKeys;
use crate::idmelon::IdmelonOptions;
use crate::mapping::Mapping;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::ports::EnrolmentEvidence;
use crate::reconcile::back::canonical::Compare;
use crate::reconcile::back::decide::Rules;
use crate::reconcile::back::loops;
use crate::reconcile::back::loops::Deciders;
use crate::reconcile::back::loops::loops;
use crate::settings;
use crate::settings::writeback::IdmelonApi;
use crate::settings::writeback::WriteBack;
use crate::transport::RetryPolicy;

use super::edges::graph_options;
use super::edges::network;
use super::edges::unusable;

/// Gives the rows of what is written back to the target.
///
/// # Errors
/// Every loop that the ways back would make.
pub fn with_ways_back(
    name: &str,
    settings: &settings::job::Job,
    mapping: Mapping,
) -> Result<Mapping, AppError> {
    let Some(back) = &settings.writeback else {
        return Ok(mapping);
    };
    let rules = &settings.source.rules;
    let deciders = Deciders {
        scope: rules.graph_properties(ObjectKind::User),
        rehire_by: settings.provisioning.policy.rehire_by.clone(),
        scope_groups: rules.member_of().iter().map(|of| of.group).collect(),
        enrolled_group: back.enrolled.as_ref().map(|enrolled| enrolled.group),
    };
    let found = loops(&mapping, &back.attributes, &deciders);
    if found.is_empty() {
        let places: Vec<_> = back.attributes.iter().map(|way| &way.path).collect();
        return Ok(mapping.belonging_to_target(&places));
    }
    let error = |what: String| {
        let shown = ErrorText {
            what,
            ..ErrorText::default()
        };
        shown
            .at(format!(
                "jobs.{name}.writeback, and the mapping `{}`",
                mapping.name
            ))
            .advise("take one of the two out: nothing was read or written")
    };
    Err(AppError {
        kind: ErrorKind::Usage,
        errors: found.iter().map(|one| error(one.to_string())).collect(),
    })
}

/// The client that writes to the source.
pub fn writer(settings: &settings::job::Job, back: &WriteBack) -> Result<GraphWriter, AppError> {
    let credential = credentials::of_source(&back.credential)?;
    let options = graph_options(&settings.source, back.client_id, credential, &back.network);
    GraphWriter::new(&options).map_err(|error| unusable(&error, &back.network.section, "graph_url"))
}

/// The client that lists security keys.
pub fn keys(api: &IdmelonApi) -> Result<IdmelonKeys, AppError> {
    let keys = IdmelonKeys::new(IdmelonOptions {
        url: api.url.clone(),
        key: credentials::of_api(&api.key)?,
        network: network(&api.network),
        clock: Arc::new(SystemClock),
        retry: RetryPolicy::default(),
    });
    keys.map_err(|error| unusable(&error, &api.network.section, "idmelon_api.url"))
}

/// The way back of a job with its clients; the reader answers what is asked about keys and the group.
pub(super) fn back(
    settings: &settings::job::Job,
    reader: &Arc<GraphSource>,
) -> Result<Option<Arc<WayBack>>, AppError> {
    let Some(back) = &settings.writeback else {
        return Ok(None);
    };
    let written = |way: &loops::WayBack| WrittenBack {
        path: way.path.clone(),
        property: way.property.clone(),
        rules: Rules {
            compare: Compare::of_property(&way.property),
            clear_after: back.clear_after,
            on_conflict: back.on_conflict,
        },
    };
    let enrolled = back.enrolled.as_ref().map(|enrolled| of_group(enrolled, reader));
    Ok(Some(Arc::new(WayBack {
        writer: Arc::new(writer(settings, back)?),
        enrolled: enrolled.transpose()?,
        attributes: back.attributes.iter().map(written).collect(),
        clear_threshold: back.clear_threshold,
    })))
}

fn of_group(
    enrolled: &settings::writeback::Enrolled,
    reader: &Arc<GraphSource>,
) -> Result<Enrolled, AppError> {
    let evidence: Arc<dyn EnrolmentEvidence> = Arc::<GraphSource>::clone(reader);
    Ok(Enrolled {
        keys: Arc::new(keys(&enrolled.api)?),
        evidence,
        rules: EnrolledRules {
            group: enrolled.group,
            requires: match enrolled.requires {
                settings::writeback::Requires::Key => Requires::Key,
                settings::writeback::Requires::KeyAndPasskey => Requires::KeyAndPasskey,
            },
            leave_after: enrolled.leave_after,
            threshold: enrolled.threshold,
            never: enrolled.never.clone(),
        },
    })
}
