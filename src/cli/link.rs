//! `link` and `unlink`: the remembered pair, by hand. Nothing is sent.

use serde_json::json;

use super::args;
use super::args::Globals;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::objects::Decision;
use super::objects::Desk;
use super::objects::Named;
use super::report::Report;
use crate::engine::linking;
use crate::model::id::TargetId;
use crate::model::shown::shown as printable;
use crate::snapshot::read::Reads;

/// Links an object with a resource.
pub fn link(globals: &Globals, args: &args::Link, report: &mut Report) -> Result<Exit, Failure> {
    let desk = Desk::open(globals, &args.names)?;
    let [object, resource] = desk.names.as_slice() else {
        return Err(Failure::usage(
            "an object and a resource are needed",
            "melonsync link OBJECT RESOURCE, with RESOURCE the `id` that the target gave it",
        ));
    };
    let target = TargetId::new(resource).ok_or_else(|| {
        Failure::usage(
            "the resource's id is empty",
            "give the `id` that the target gave it",
        )
    })?;
    let object = desk.find(std::slice::from_ref(object))?.remove(0);
    let owner = desk
        .snapshot
        .owner(object.kind, &target)
        .map_err(|error| factory::store_failure(&error))?;
    if let Some(owner) = owner.filter(|owner| *owner != object.id) {
        return Err(Failure::usage(
            format!(
                "resource {target} is linked with {} {owner}: a resource has one owner",
                object.kind
            ),
            format!("if that is wrong, `melonsync unlink {owner}` first"),
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

/// Forgets an object's resource. Both stay as they are.
pub fn unlink(globals: &Globals, args: &args::Unlink, report: &mut Report) -> Result<Exit, Failure> {
    let desk = Desk::open(globals, &args.names)?;
    let [object] = desk.names.as_slice() else {
        return Err(Failure::usage("one object is needed", "melonsync unlink OBJECT"));
    };
    let object = desk.find(std::slice::from_ref(object))?.remove(0);
    let Some(target) = object.target.clone() else {
        return Err(Failure::usage(
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
) -> Result<Exit, Failure> {
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
