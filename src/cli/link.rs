//! `link` and `unlink`: the remembered pair, by hand. Nothing is written to the target; `link` reads the resource first.

use serde_json::json;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::desk::Named;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::engine::linking;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::model::shown::shown as printable;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::reconcile::matching::EXTERNAL_ID;
use crate::snapshot::read::Reads;

/// Links an object with a resource.
pub fn link(globals: &Globals, args: &args::Link, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open(&globals.config, &args.names)?;
    let [object, resource] = desk.names.as_slice() else {
        return Err(AppError::usage(
            "an object and a resource are needed",
            "melonsync link OBJECT RESOURCE, with RESOURCE the `id` that the target gave it",
        ));
    };
    let target = TargetId::new(resource).ok_or_else(|| {
        AppError::usage(
            "the resource's id is empty",
            "give the `id` that the target gave it",
        )
    })?;
    let object = desk.find(std::slice::from_ref(object))?.remove(0);
    let owner = desk
        .snapshot
        .owner(object.kind, &target)
        .map_err(|error| install::store_failure(&error))?;
    if let Some(owner) = owner.filter(|owner| *owner != object.id) {
        return Err(AppError::usage(
            format!(
                "resource {target} is linked with {} {owner}: a resource has one owner",
                object.kind
            ),
            format!("if that is wrong, `melonsync unlink {owner}` first"),
        ));
    }
    let resource = read(globals, &desk, object.kind, &target)?;
    if let Some(other) = other_owner(&desk, &object, &resource)?.filter(|_| !args.force) {
        return Err(AppError::usage(
            format!(
                "resource {target} is another's: its externalId names {} {}  ({})",
                other.kind,
                printable(&other.name),
                other.id
            ),
            "name the resource of this object; with --force it is linked all the same, and its externalId is written anew",
        ));
    }
    let what = format!("linked with resource {target}");
    relink(
        &desk,
        object,
        Some(target),
        "link",
        &what,
        args.comment.as_deref(),
        report,
    )
}

/// The resource as the target has it now. One that is not there, or is of another kind, is not linked.
fn read(globals: &Globals, desk: &Desk, kind: ObjectKind, target: &TargetId) -> Result<Resource, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (_, job) = install::choose(&settings, Some(&desk.job))?;
    let mapping = desk.mapping(&globals.config)?;
    let client = install::target(job, &mapping)?;
    let found = process::runtime()?.block_on(client.read(kind, target));
    let found = found.map_err(|error| {
        let shown = ErrorText::of(&error).advise(error.hint());
        AppError::new(ErrorKind::Failed, shown)
    })?;
    found.ok_or_else(|| {
        AppError::usage(
            format!(
                "the target has no {kind} with the id {}",
                printable(target.as_str())
            ),
            "give the `id` that the target gave it, as its admin panel or its answers show it",
        )
    })
}

/// Another object whose id stands on the resource as externalId, and which is in the directory: a leaver's resource may be
/// handed over.
fn other_owner(desk: &Desk, object: &Named, resource: &Resource) -> Result<Option<Named>, AppError> {
    let members = resource.body.as_object().into_iter().flatten();
    let mut held = members.filter(|(name, _)| name.eq_ignore_ascii_case(EXTERNAL_ID));
    let named = held.find_map(|(_, value)| value.as_str()?.trim().parse::<SourceId>().ok());
    let Some(id) = named.filter(|id| *id != object.id) else {
        return Ok(None);
    };
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let record = desk.snapshot.record(kind, &id);
        let record = record.map_err(|error| install::store_failure(&error))?;
        if record.is_some_and(|record| record.object.life == Life::Alive) {
            return desk.known(kind, id).map(Some);
        }
    }
    Ok(None)
}

/// Forgets an object's resource. Both stay as they are.
pub fn unlink(globals: &Globals, args: &args::Unlink, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open(&globals.config, &args.names)?;
    let [object] = desk.names.as_slice() else {
        return Err(AppError::usage("one object is needed", "melonsync unlink OBJECT"));
    };
    let object = desk.find(std::slice::from_ref(object))?.remove(0);
    let Some(target) = object.target.clone() else {
        return Err(AppError::usage(
            format!("{} {} has no link", object.kind, printable(&object.name)),
            "nothing to do",
        ));
    };
    let what = format!("no longer linked with resource {target}");
    relink(
        &desk,
        object,
        None,
        "unlink",
        &what,
        args.comment.as_deref(),
        report,
    )
}

fn relink(
    desk: &Desk,
    object: Named,
    target: Option<TargetId>,
    verb: &'static str,
    what: &str,
    comment: Option<&str>,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let about = Named {
        target: target.clone().or_else(|| object.target.clone()),
        ..object.clone()
    };
    let decision = Decision {
        verb,
        object: Some(&about),
        reason: what.to_owned(),
        comment,
    };
    let shown = target.as_ref().map(ToString::to_string);
    desk.decide(&[decision], |tx| {
        linking::relink(tx, object.kind, &object.id, target, desk.now).map(|_| ())
    })?;
    if report.is_json() {
        report.json(
            &json!({"job": desk.job, "action": verb, "object": object.id.to_string(), "target": shown}),
        );
    } else {
        let then = match shown {
            Some(_) => "the next cycle sends what differs",
            None => {
                "the next cycle matches it anew, and may adopt the same resource: `melonsync plan` shows it"
            }
        };
        report.text(&format!(
            "{} {}  ({}): {what}; {then}",
            object.kind,
            printable(&object.name),
            object.id
        ));
    }
    Ok(Exit::Done)
}
