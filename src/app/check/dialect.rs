//! The forms in which the target is spoken to, and where each comes from. Asks nobody: the configuration, and what the
//! snapshot keeps.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Level;
use super::Lines;
use super::Subject;
use crate::app::error::AppError;
use crate::engine::record::after_write;
use crate::engine::summary::NotKept;
use crate::engine::warnings;
use crate::scim::Learned;
use crate::scim::learning::Origin;
use crate::snapshot::state::{LEARNED, StateReads};

/// A line for each form that is configured or learned, and one for the defaults. Where the snapshot cannot be read, its own
/// line says so already.
pub(super) fn dialect(subject: &Subject<'_>, lines: &mut Lines) {
    let mut learned = kept(subject).ok().flatten().unwrap_or_default();
    learned.under(&subject.job.target.dialect);
    let mut defaults = Vec::new();
    for (aspect, form, origin) in learned.shown() {
        let form = format!("{} = {form}", aspect.name());
        match origin {
            Origin::Configured => lines.ok("dialect", format!("{form}, configured")),
            Origin::Learned { since, why } => {
                lines.ok("dialect", format!("{form}, learned on {since}: {why}"))
            }
            Origin::Default => defaults.push(form),
        }
    }
    if !defaults.is_empty() {
        lines.ok("dialect", format!("by default: {}", defaults.join(", ")));
    }
    for note in learned.notes() {
        let advice =
            "nothing, if that is known; `dialect` under the job's [target] overrides what was learned";
        lines.add(Level::Warn, "dialect", note, advice);
    }
}

/// As many warnings that stand are shown.
const STANDING_SHOWN: usize = 10;

/// What the last cycle warned of, and the ones before it: the log has each when it began.
pub(super) fn standing(subject: &Subject<'_>, lines: &mut Lines) {
    let all = all_standing(subject).unwrap_or_default();
    let advice =
        "each was logged when it began; `melonsync plan` and `melonsync explain` say why, and what to do";
    for text in all.iter().take(STANDING_SHOWN) {
        lines.add(Level::Warn, "standing", text.clone(), advice);
    }
    if let more @ 1.. = all.len().saturating_sub(STANDING_SHOWN) {
        lines.add(Level::Warn, "standing", format!("and {more} more"), advice);
    }
}

fn all_standing(subject: &Subject<'_>) -> Result<BTreeSet<String>, AppError> {
    let (snapshot, _folder) = subject.snapshot()?;
    warnings::standing(&snapshot).map_err(AppError::from)
}

/// A line for each attribute that the target does not keep of somebody. Where the snapshot cannot be read, its own line says
/// so already.
pub(super) fn not_kept(subject: &Subject<'_>, lines: &mut Lines) {
    let mut by_attribute = BTreeMap::<String, (u64, String)>::new();
    for one in all_not_kept(subject).unwrap_or_default() {
        let attribute = one.attribute.split("[value eq ").next().unwrap_or_default();
        let (count, _) = by_attribute
            .entry(attribute.to_owned())
            .or_insert((0, format!("{} ({})", one.name, one.object)));
        *count += 1;
    }
    for (attribute, (count, first)) in by_attribute {
        let text =
            format!("the target took `{attribute}` {count} times and holds something else, first of {first}");
        let advice = "look at it at the target: `melonsync drift` shows all; or set apply = \"create-only\" in its mapping row";
        lines.add(Level::Warn, "not kept", text, advice);
    }
}

fn all_not_kept(subject: &Subject<'_>) -> Result<Vec<NotKept>, AppError> {
    let (snapshot, _folder) = subject.snapshot()?;
    after_write::not_kept(&snapshot).map_err(AppError::from)
}

fn kept(subject: &Subject<'_>) -> Result<Option<Learned>, AppError> {
    let (snapshot, _folder) = subject.snapshot()?;
    let kept = snapshot.state(&LEARNED)?;
    Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()))
}
