//! The forms in which the target is spoken to, and where each comes from. Asks nobody: the configuration, and what the
//! snapshot keeps.

use super::Level;
use super::Lines;
use crate::cli::factory;
use crate::cli::failure::Failure;
use crate::settings::Settings;
use crate::settings::job::Job;
use crate::snapshot::read::Reads;
use crate::snapshot::transfer::LEARNED;
use crate::target::Learned;
use crate::target::learning::Origin;

/// A line for each form that is configured or learned, and one for the defaults. Where the snapshot cannot be read, its own
/// line says so already.
pub(super) fn dialect(settings: &Settings, name: &str, job: &Job, lines: &mut Lines) {
    let mut learned = kept(settings, name).ok().flatten().unwrap_or_default();
    learned.under(&job.target.dialect);
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

fn kept(settings: &Settings, name: &str) -> Result<Option<Learned>, Failure> {
    let snapshot = factory::open(&factory::hold(settings)?, name)?;
    let kept = snapshot
        .meta(LEARNED)
        .map_err(|error| factory::store_failure(&error))?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()))
}
