//! `check`: the scope of the job, and whether the groups are there that a filter asks about.

use super::Level;
use super::Lines;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::ports::SourceDirectory;
use crate::settings::job::Job;

const ADVICE: &str = "correct the group's object id in user_filter: no cycle plans anything before that";

/// One line for the rules, and one for each group that cannot be told.
pub(super) async fn scope(source: &impl SourceDirectory, job: &Job, lines: &mut Lines) {
    let rules = &job.source.rules;
    if rules.is_everything() {
        return;
    }
    let mut parts = Vec::new();
    for (key, filter) in [
        ("user_filter", &rules.user_filter),
        ("group_filter", &rules.group_filter),
    ] {
        parts.extend(filter.as_ref().map(|filter| format!("{key} = {}", filter.text())));
    }
    parts.push(format!("guests = {}", rules.guests.word()));
    lines.ok("scope", parts.join("; "));
    let mut groups: Vec<SourceId> = rules.member_of().iter().map(|of| of.group).collect();
    groups.dedup();
    if groups.is_empty() {
        return;
    }
    let select = ["displayName".to_owned()];
    match source.look_up(ObjectKind::Group, &groups, &select).await {
        Ok(answers) => {
            for (group, existence) in answers {
                let (level, what) = match existence {
                    Existence::Alive(_) => continue,
                    Existence::SoftDeleted => (Level::Fail, "it was deleted in Entra".to_owned()),
                    Existence::HardDeleted => (Level::Fail, "the tenant has no such group".to_owned()),
                    Existence::Unknown(why) => {
                        (Level::Warn, format!("whether it exists is not known: {why}"))
                    }
                };
                lines.add(
                    level,
                    "scope",
                    format!("user_filter asks about group {group}: {what}"),
                    ADVICE,
                );
            }
        }
        Err(error) => lines.error("scope", &error, error.hint()),
    }
}
