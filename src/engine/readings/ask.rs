//! Questions to the target about single objects: is it there, and does the target's filter answer rightly at all?

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::StreamExt;
use futures::stream;

use crate::engine::error::CycleError;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::keep_readings;
use crate::engine::rules::keys_of;
use crate::engine::run::Run;
use crate::engine::views::view;
use crate::mapping::path::TargetPath;
use crate::mapping::resource::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::forward::matching::Key;
use crate::reconcile::forward::matching::fold;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;

/// Whether this target's filters were seen to answer rightly (docs/design/matching.md): asked for a resource that
/// exists, in its own case and in another, and shown no other. A service that ignores filters shows others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum FilterProof {
    /// They were; an empty answer proves absence. The text says how it was seen.
    Proven(String),
    /// They were not, or there was nothing to ask for.
    Unproven,
}

/// As many objects as are asked for at a time.
pub(in crate::engine) const AT_A_TIME: usize = 100;

impl Readings {
    /// Asks the target for one object by every key, and keeps what comes as readings. As [`Self::ask_by`].
    pub(in crate::engine) async fn ask_for(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        id: SourceId,
    ) -> Result<bool, CycleError> {
        let planner = self.planner(run, true);
        let context = self.context(run, given, kind, false).await?;
        let found = view(&run.job.snapshot, &context, kind, id, &|view| {
            keys_of(&planner, view)
        })?;
        let keys = found
            .and_then(|view| planner.match_keys(&view).ok())
            .unwrap_or_default();
        ask_by(run, kind, &keys).await
    }
}

/// Asks the target by these keys, at once; whatever comes is kept as readings. A refused filter is no answer: false where one
/// was refused that has to be proven ([`Self::filter_proof`]). Then nothing that did not come is proven to be absent.
pub(in crate::engine) async fn ask_by(
    run: &Run<'_>,
    kind: ObjectKind,
    keys: &[Key],
) -> Result<bool, CycleError> {
    let mut answered = true;
    let paths = run.key_paths(kind);
    let asking: Vec<_> = keys
        .iter()
        .filter_map(|key| Some((key.path.clone(), key.value.as_str()?.to_owned())))
        .map(|(path, text)| find(Arc::clone(&run.job.target), kind, path, text).boxed())
        .collect();
    let mut answers = stream::iter(asking).buffered(run.job.max_concurrency.max(1));
    while let Some((path, answer)) = answers.next().await {
        let resources = match answer {
            Ok(resources) => resources,
            Err(TargetError::Refused { .. } | TargetError::NotFound { .. }) => {
                answered &= paths.len() > 1 && paths.first() == Some(&path);
                continue;
            }
            Err(error) => return Err(CycleError::Target(error)),
        };
        let paths = paths.clone();
        run.store(move |snapshot| keep_readings(snapshot, kind, &resources, &paths))
            .await?;
    }
    Ok(answered)
}

/// Shows that filters on every matching attribute find a resource that is known to exist, in its own case
/// and in another. The externalId filter need not be proven: it only adds.
pub(in crate::engine) async fn filter_proof(
    run: &Run<'_>,
    kind: ObjectKind,
) -> Result<FilterProof, CycleError> {
    let Some((target, body)) = known_resource(run, kind).await? else {
        return Ok(FilterProof::Unproven);
    };
    let paths: Vec<TargetPath> = run.key_paths(kind).into_iter().skip(1).collect();
    for path in &paths {
        let held = read_path(&body, path);
        let Some(text) = held.as_ref().and_then(|value| value.as_str()) else {
            return Ok(FilterProof::Unproven);
        };
        for spelling in [text.to_owned(), swap_case(text)] {
            match run.job.target.find(kind, path.as_str(), &spelling).await {
                Ok(found)
                    if found.iter().any(|resource| resource.id == target)
                        && only_asked(&found, path, std::slice::from_ref(&spelling)) => {}
                Ok(_) | Err(TargetError::Refused { .. } | TargetError::NotFound { .. }) => {
                    return Ok(FilterProof::Unproven);
                }
                Err(error) => return Err(CycleError::Target(error)),
            }
        }
    }
    let names: Vec<&str> = paths.iter().map(TargetPath::as_str).collect();
    Ok(FilterProof::Proven(format!(
        "no {kind} has its {}, by a filter that finds others",
        names.join(" or ")
    )))
}

/// A linked object's resource, read afresh.
async fn known_resource(
    run: &Run<'_>,
    kind: ObjectKind,
) -> Result<Option<(TargetId, serde_json::Value)>, CycleError> {
    let links = run
        .store(move |snapshot| {
            let mut links = Vec::new();
            let mut pages = Pages::growing(|record: &Record| record.object.id).of(50);
            while links.is_empty()
                && let Some(page) =
                    pages.next_page(|after, limit| snapshot.scan_records(kind, after, limit))?
            {
                let held = page.into_iter().filter_map(|record| record.link);
                links.extend(held.map(|link| link.target));
            }
            links.truncate(3);
            Ok(links)
        })
        .await?;
    for target in links {
        if let Some(resource) = run
            .job
            .target
            .read(kind, &target)
            .await
            .map_err(CycleError::Target)?
        {
            return Ok(Some((target, resource.body)));
        }
    }
    Ok(None)
}

/// One question, with the path that it asks about.
async fn find(
    target: Arc<dyn TargetDirectory>,
    kind: ObjectKind,
    path: TargetPath,
    text: String,
) -> (TargetPath, Result<Vec<Resource>, TargetError>) {
    let answer = target.find(kind, path.as_str(), &text).await;
    (path, answer)
}

/// Upper case where it was lower, and the other way round.
pub(in crate::engine) fn swap_case(text: &str) -> String {
    let upper = text.to_uppercase();
    if upper == text { text.to_lowercase() } else { upper }
}

/// True where each resource has one of these values. A service that ignores filters shows others.
pub(in crate::engine) fn only_asked(resources: &[Resource], path: &TargetPath, values: &[String]) -> bool {
    let values: BTreeSet<String> = values.iter().map(|text| text.to_lowercase()).collect();
    resources
        .iter()
        .all(|one| read_path(&one.body, path).is_some_and(|held| values.contains(&fold(&held))))
}
