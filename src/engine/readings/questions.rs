//! Looking objects up at the target: several in one question where that form is proven, one by one where that is, by a
//! listing where it is cheaper or nothing is proven.
//!
//! A question of several values is proven by one of the same form and length over resources that are known to exist, each
//! in its own case or in another: all of them must come, and nothing else. Each question after that carries one that exists
//! as its last value: an answer without it proves nothing, and the type is listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream;

use crate::engine::error::CycleError;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::readings::ask::AT_A_TIME;
use crate::engine::readings::ask::FilterProof;
use crate::engine::readings::ask::ask_by;
use crate::engine::readings::ask::filter_proof;
use crate::engine::readings::ask::only_asked;
use crate::engine::readings::ask::swap_case;
use crate::engine::readings::stored::keep_readings;
use crate::engine::run::Run;
use crate::engine::views::view;
use crate::mapping::path::TargetPath;
use crate::mapping::resource::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::Found;
use crate::ports::Resource;
use crate::ports::StoreError;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::forward::asking;
use crate::reconcile::forward::asking::Size;
use crate::reconcile::forward::asking::WIDTH;
use crate::reconcile::forward::matching::EXTERNAL_ID;
use crate::reconcile::forward::matching::Key;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::view::Absence;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::state::{StateReads, TargetSize, target_size};
use crate::snapshot::store::Snapshot;

/// The page of a listing where nothing is known of it yet.
const PAGE: u64 = 500;

/// How a path is asked about.
#[derive(Debug)]
enum Form {
    /// One value a question.
    Single,
    /// So many values a question, and one more that exists.
    Several {
        values: usize,
        exists: (TargetId, String),
    },
}

impl Form {
    const fn width(&self) -> usize {
        match self {
            Self::Single => 1,
            Self::Several { values, .. } => *values,
        }
    }
}

/// One question of several values.
struct Question {
    path: TargetPath,
    values: Vec<String>,
    /// The resource that must be in the answer.
    exists: TargetId,
}

impl Readings {
    /// Looks for objects at the target. What it proves that nothing was found.
    pub(in crate::engine) async fn look_for(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        waiting: &[SourceId],
    ) -> Result<Absence, CycleError> {
        if waiting.len() > most_worth_asking(run, kind).await? {
            return self.list(run, kind).await;
        }
        let (rules, context) = (self.rules(run), self.context(run, given, kind, false).await?);
        let waiting = waiting.to_vec();
        let keys = run
            .store(move |snapshot| {
                let planner = rules.planner(true);
                let folded = |view: &_| crate::engine::rules::keys_of(&planner, view);
                let mut keys = Vec::with_capacity(waiting.len());
                for id in waiting {
                    let found = view(snapshot, &context, kind, id, &folded)?;
                    keys.extend(found.and_then(|view| planner.match_keys(&view).ok()));
                }
                Ok(keys)
            })
            .await?;
        self.look_up(run, kind, &keys).await
    }

    /// Looks for objects that were found to have no resource after the others were looked for.
    pub(in crate::engine) async fn look_again(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        ids: &[SourceId],
    ) -> Result<(), CycleError> {
        if !self.absence.contains_key(&kind) {
            let absence = self.look_for(run, given, kind, ids).await?;
            self.absence.insert(kind, absence);
            return Ok(());
        }
        for id in ids {
            if !self.ask_for(run, given, kind, *id).await? {
                self.list(run, kind).await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks for objects by their keys, each externalId first.
    pub(in crate::engine) async fn look_up(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
        objects: &[Vec<Key>],
    ) -> Result<Absence, CycleError> {
        let forms = forms(run, kind, objects.len()).await?;
        let widths: Vec<usize> = forms.iter().map(|(_, form)| form.width()).collect();
        let requests = asking::questions(objects.len(), &widths);
        let size = size_of(run, kind).await?;
        let proof = match asking::is_cheaper(objects.len(), requests, size) {
            true => proven(run, kind, &forms).await?,
            false => FilterProof::Unproven,
        };
        let FilterProof::Proven(how) = proof else {
            return self.list(run, kind).await;
        };
        for (path, form) in &forms {
            let answered = match form {
                Form::Single => ask_one_by_one(run, kind, path, objects).await?,
                Form::Several { values, exists } => {
                    ask_together(run, kind, path, objects, (*values, exists)).await?
                }
            };
            if !answered {
                return self.list(run, kind).await;
            }
        }
        Ok(Absence::Proven(how))
    }
}

/// The most objects that are worth asking for by questions.
pub(in crate::engine) async fn most_worth_asking(
    run: &Run<'_>,
    kind: ObjectKind,
) -> Result<usize, CycleError> {
    let counts = run.store(|snapshot| snapshot.counts()).await?;
    if counts.linked(kind) == 0 {
        return Ok(asking::FEW); // nothing that is known to exist: no form can be proven
    }
    let size = size_of(run, kind).await?;
    Ok(asking::most_worth_asking(size, run.key_paths(kind).len()))
}

/// How much the target holds, by the last listing; at least what is linked.
async fn size_of(run: &Run<'_>, kind: ObjectKind) -> Result<Size, CycleError> {
    let (listed, linked) = run
        .store(move |snapshot| Ok((listed(snapshot, kind)?, snapshot.counts()?.linked(kind))))
        .await?;
    let per_page = match listed {
        Some(listed) => listed.resources.div_ceil(listed.pages.max(1)),
        None => PAGE,
    };
    Ok(Size {
        resources: listed.map_or(0, |listed| listed.resources).max(linked),
        per_page,
    })
}

/// Keeps how large a type was found to be.
pub(in crate::engine) async fn keep_size(
    run: &Run<'_>,
    kind: ObjectKind,
    resources: u64,
    pages: u64,
) -> Result<(), CycleError> {
    run.keep(move |snapshot| {
        let now = TargetSize { resources, pages };
        if listed(snapshot, kind)? == Some(now) {
            return Ok(());
        }
        let mut tx = snapshot.tx()?;
        tx.put_state(&target_size(kind), &now);
        tx.commit(Durability::Lazy)
    })
    .await
}

/// How each path can be asked about: several values in a question where that was proven just now.
async fn forms(
    run: &Run<'_>,
    kind: ObjectKind,
    objects: usize,
) -> Result<Vec<(TargetPath, Form)>, CycleError> {
    let paths = run.key_paths(kind);
    let filters = run.job.target.capabilities().await.map_err(CycleError::Target)?;
    let most = filters.max_results.and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(WIDTH).min(WIDTH);
    let known = match objects {
        0 | 1 => Vec::new(),
        _ => {
            run.store(move |snapshot| known_links(snapshot, kind, most))
                .await?
        }
    };
    let proving = paths.iter().map(|path| prove_several(run, kind, path, &known));
    let forms = try_join_all(proving).await?;
    Ok(paths.into_iter().zip(forms).collect())
}

/// Asks for resources that are known to exist, in one question: all of them must come, and nothing else.
async fn prove_several(
    run: &Run<'_>,
    kind: ObjectKind,
    path: &TargetPath,
    known: &[Link],
) -> Result<Form, CycleError> {
    let known = holders(known, path);
    let distinct: BTreeSet<String> = known.iter().map(|(_, text)| text.to_lowercase()).collect();
    let Some(last) = known
        .last()
        .filter(|_| known.len() > 1 && distinct.len() == known.len())
    else {
        return Ok(Form::Single);
    };
    let values = spellings(&known, path);
    let Some(found) = answer(run, kind, path, &values).await? else {
        return Ok(Form::Single);
    };
    let came: BTreeSet<&TargetId> = found.resources.iter().map(|resource| &resource.id).collect();
    let all = known.iter().all(|(target, _)| came.contains(target));
    if !all || !found.whole || !only_asked(&found.resources, path, &values) {
        return Ok(Form::Single);
    }
    Ok(Form::Several {
        values: known.len() - 1,
        exists: last.clone(),
    })
}

/// An answer to a question of several values; `None` where it was refused.
async fn answer(
    run: &Run<'_>,
    kind: ObjectKind,
    path: &TargetPath,
    values: &[String],
) -> Result<Option<Found>, CycleError> {
    match run.job.target.find_any(kind, path.as_str(), values).await {
        Ok(found) => Ok(Some(found)),
        Err(TargetError::Refused { .. } | TargetError::NotFound { .. }) => Ok(None),
        Err(error) => Err(CycleError::Target(error)),
    }
}

/// What an empty answer proves: questions of one value are proven apart, at the paths that are asked about so.
async fn proven(
    run: &Run<'_>,
    kind: ObjectKind,
    forms: &[(TargetPath, Form)],
) -> Result<FilterProof, CycleError> {
    let matching = forms.get(1..).unwrap_or_default();
    let singly = matching.iter().any(|(_, form)| form.width() == 1);
    if matching.is_empty() || singly {
        return filter_proof(run, kind).await;
    }
    let names: Vec<&str> = matching.iter().map(|(path, _)| path.as_str()).collect();
    Ok(FilterProof::Proven(format!(
        "no {kind} has its {}, by a filter that finds others",
        names.join(" or ")
    )))
}

/// Asks about the values of one path, one in each question. False where a refusal leaves something unproven.
async fn ask_one_by_one(
    run: &Run<'_>,
    kind: ObjectKind,
    path: &TargetPath,
    objects: &[Vec<Key>],
) -> Result<bool, CycleError> {
    let keys: Vec<Key> = keys_at(objects, path).cloned().collect();
    for keys in keys.chunks(AT_A_TIME) {
        run.check_stop()?;
        if !ask_by(run, kind, keys).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks about the values of one path, several at a time. False where an answer proves nothing.
async fn ask_together(
    run: &Run<'_>,
    kind: ObjectKind,
    path: &TargetPath,
    objects: &[Vec<Key>],
    (width, exists): (usize, &(TargetId, String)),
) -> Result<bool, CycleError> {
    let questions = questions(objects, path, width, exists);
    let paths = run.key_paths(kind);
    let width = width + 1;
    let asking: Vec<_> = questions
        .into_iter()
        .map(|question| question.ask(Arc::clone(&run.job.target), kind).boxed())
        .collect();
    let mut answers = stream::iter(asking).buffer_unordered(run.job.max_concurrency.max(1));
    let (mut whole, mut came) = (true, Vec::new());
    while let Some((question, answer)) = answers.next().await {
        match answer {
            Ok(found) => {
                whole &= question.is_answered_by(&found, width);
                came.extend(found.resources);
            }
            Err(TargetError::Refused { .. } | TargetError::NotFound { .. }) => whole = false,
            Err(error) => return Err(CycleError::Target(error)),
        }
    }
    drop(answers);
    run.store(move |snapshot| keep_readings(snapshot, kind, &came, &paths))
        .await?;
    Ok(whole)
}

impl Question {
    async fn ask(
        self,
        target: Arc<dyn TargetDirectory>,
        kind: ObjectKind,
    ) -> (Self, Result<Found, TargetError>) {
        let answer = target.find_any(kind, self.path.as_str(), &self.values).await;
        (self, answer)
    }

    /// True where what did not come is not there: the answer holds what is known to exist, and nothing that was not asked
    /// for. One that holds as many as were seen in an answer may have left others out, so each value must be in it.
    fn is_answered_by(&self, found: &Found, most: usize) -> bool {
        let exists = found.resources.iter().any(|one| one.id == self.exists);
        let held = |one: &Resource| read_path(&one.body, &self.path).map(|held| fold(&held));
        let came: BTreeSet<String> = found.resources.iter().filter_map(held).collect();
        let all = || self.values.iter().all(|text| came.contains(&text.to_lowercase()));
        let room = found.resources.len() < most || all();
        found.whole && exists && room && only_asked(&found.resources, &self.path, &self.values)
    }
}

fn keys_at<'k>(objects: &'k [Vec<Key>], path: &'k TargetPath) -> impl Iterator<Item = &'k Key> {
    objects.iter().flatten().filter(move |key| key.path == *path)
}

/// All values of a path in questions of `width` values, each with one more that exists as its last.
fn questions(
    objects: &[Vec<Key>],
    path: &TargetPath,
    width: usize,
    exists: &(TargetId, String),
) -> Vec<Question> {
    let texts: Vec<String> = keys_at(objects, path)
        .filter_map(|key| key.value.as_str().map(str::to_owned))
        .collect();
    let question = |values: &[String]| Question {
        path: path.clone(),
        values: values.iter().chain([&exists.1]).cloned().collect(),
        exists: exists.0.clone(),
    };
    texts.chunks(width).map(question).collect()
}

/// Those of the links whose value at a path is known, with it.
fn holders(links: &[Link], path: &TargetPath) -> Vec<(TargetId, String)> {
    let holds = |link: &Link| Some((link.target.clone(), held(link, path)?));
    links.iter().filter_map(holds).collect()
}

/// Every second value in another case than its own. externalId compares by case (RFC 7643 section 3.1).
fn spellings(known: &[(TargetId, String)], path: &TargetPath) -> Vec<String> {
    let exact = path.is_core(EXTERNAL_ID);
    let spelling = |(at, (_, text)): (usize, &(TargetId, String))| match at % 2 {
        1 if !exact => swap_case(text),
        _ => text.clone(),
    };
    known.iter().enumerate().map(spelling).collect()
}

/// What the target is known to hold of a link at a path, where it is a text.
fn held(link: &Link, path: &TargetPath) -> Option<String> {
    let value = match link.kept.get(path.as_str()) {
        None | Some(Kept::AsSent) => link.sent.get(path.as_str())?,
        Some(Kept::Other(value)) => value,
        Some(Kept::Unknown) => return None,
    };
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Links of living objects, as many as are wanted.
fn known_links(snapshot: &Snapshot, kind: ObjectKind, wanted: usize) -> Result<Vec<Link>, StoreError> {
    let mut links = Vec::new();
    let mut pages = Pages::growing(|record: &Record| record.object.id).of(100);
    while links.len() < wanted
        && let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(kind, after, limit))?
    {
        let living = page.into_iter().filter(|record| !record.is_gone());
        links.extend(living.filter_map(|record| record.link));
    }
    links.truncate(wanted);
    Ok(links)
}

fn listed(snapshot: &Snapshot, kind: ObjectKind) -> Result<Option<TargetSize>, StoreError> {
    snapshot.state(&target_size(kind))
}
