//! `check`: the way back: the writer's token and rights, the enrolled group, where the keys are listed, and what could make a loop
//! that the settings do not show (docs/design/write-back.md, "Rights" and "Loops").

use super::Level;
use super::Lines;
use super::Subject;
use crate::app::install;
use crate::entra::GraphSource;
use crate::entra::writer::rights;
use crate::entra::writer::rights::GroupWay;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::model::value::Value;
use crate::ports::EnrolmentEvidence;
use crate::ports::KeyDirectory;
use crate::ports::NextPage;
use crate::ports::PageRequest;
use crate::ports::SourceDirectory;
use crate::reconcile::back::decide::OnConflict;
use crate::reconcile::back::group::unfit;
use crate::reconcile::back::keys::NoEvidence;
use crate::reconcile::back::keys::judge;
use crate::reconcile::policy::Threshold;
use crate::settings::job::Job;
use crate::settings::writeback::Enrolled;
use crate::settings::writeback::WriteBack;

/// The pages of groups that are looked at for rules.
const MOST_PAGES: usize = 50;
/// The permissions that let an app change the members of any group.
const ANY_GROUP: [&str; 2] = ["GroupMember.ReadWrite.All", "Group.ReadWrite.All"];

/// Adds what there is to say of the way back.
pub(super) async fn way_back(subject: &Subject<'_>, back: &WriteBack, lines: &mut Lines) {
    let job = subject.job;
    settings(back, lines);
    let granted = writer(job, back, lines).await;
    // The source's own lines say what is wrong with it.
    let Ok(reader) = install::source(job) else { return };
    if let Some(enrolled) = &back.enrolled {
        if group(enrolled, &reader, lines).await {
            let granted = granted.unwrap_or_default();
            way_to_group(back, enrolled, &reader, &granted, lines).await;
        }
        keys(enrolled, lines).await;
    }
    rules(back, &reader, lines).await;
    assigned(job, back, &reader, lines).await;
}

/// What is written back, and by which rules.
fn settings(back: &WriteBack, lines: &mut Lines) {
    for way in &back.attributes {
        lines.ok(
            "write-back",
            format!("{} of the target goes to {} in Entra", way.path, way.property),
        );
    }
    if !back.attributes.is_empty() {
        let limit = back.clear_threshold;
        let conflict = match back.on_conflict {
            OnConflict::Authority => "the target's value is written",
            OnConflict::Hold => "neither is written until a person decides",
        };
        lines.ok(
            "write-back",
            format!(
                "emptied at the target for {} s: cleared in Entra, {limit} at most; where both sides moved {conflict}",
                back.clear_after.as_secs()
            ),
        );
    }
    let next = back
        .schedule
        .as_ref()
        .map(|schedule| schedule.next_after(SystemClock.now()));
    match next {
        Some(Some(next)) => lines.ok("write-back", format!("while `melonsync run` runs: next {next}")),
        Some(None) | None => lines.add(
            Level::Warn,
            "write-back",
            "it has no schedule: only full cycles write back",
            "write `schedule` under [jobs.NAME.writeback], as in \"0 */15 * * * *\"",
        ),
    }
}

/// The writer's token and its rights. Returns what it was granted.
async fn writer(job: &Job, back: &WriteBack, lines: &mut Lines) -> Option<Vec<String>> {
    let writer = match install::writer(job, back) {
        Ok(writer) => writer,
        Err(failure) => {
            lines.failure("writer", &failure);
            return None;
        }
    };
    let facts = match writer.token_facts().await {
        Ok(facts) => facts,
        Err(error) => {
            lines.error("writer", &error, error.hint());
            return None;
        }
    };
    lines.ok("writer", format!("a token was given for app {}", back.client_id));
    let Some(granted) = facts.granted else {
        lines.add(
            Level::Warn,
            "writer",
            "the token does not say which permissions it has",
            "a missing one shows in the first write-back",
        );
        return None;
    };
    granted_rights(back, &granted, lines);
    Some(granted)
}

/// Each right that is needed, those with which users could be deleted, and those that nothing needs.
fn granted_rights(back: &WriteBack, granted: &[String], lines: &mut Lines) {
    let needed = rights::needed(back.attributes.iter().map(|way| way.property.as_str()));
    for right in &needed {
        let what = format!("{} ({})", right.least, right.purpose);
        if right.is_met_by(granted) {
            lines.ok("writer", format!("granted: {what}"));
        } else {
            let advice = format!(
                "grant the application permission {} to the writer's app, with admin consent",
                right.least
            );
            lines.add(Level::Fail, "writer", format!("missing: {what}"), advice);
        }
    }
    let too_wide = rights::too_wide(granted);
    for wide in &too_wide {
        lines.add(
            Level::Fail,
            "writer",
            format!("granted, and with it the writer could delete users, or give itself that right: {wide}"),
            "remove it from the writer's app registration; the lines above name the least right for each thing",
        );
    }
    let of_group = |name: &str| back.enrolled.is_some() && ANY_GROUP.contains(&name);
    let is_needed = |name: &str| {
        of_group(name) || too_wide.contains(&name) || needed.iter().any(|right| right.least == name)
    };
    for extra in granted.iter().filter(|name| !is_needed(name)) {
        lines.add(
            Level::Warn,
            "writer",
            format!("granted, and nothing needs it: {}", shown(extra)),
            "remove it from the writer's app registration",
        );
    }
}

/// Whether the enrolled group can be one, and by which rules it is kept.
async fn group(enrolled: &Enrolled, reader: &GraphSource, lines: &mut Lines) -> bool {
    let group = enrolled.group;
    let facts = match reader.group_facts(group).await {
        Ok(facts) => facts,
        Err(error) => {
            lines.error("enrolled", &error, error.hint());
            return false;
        }
    };
    for why in unfit(&facts) {
        lines.add(
            Level::Fail,
            "enrolled",
            format!("group {group} cannot be the enrolled group: {}", why.words()),
            "name a security group of the cloud with assigned members in `enrolled_group`",
        );
    }
    let never = enrolled.never.len();
    lines.ok(
        "enrolled",
        format!(
            "joining group {group} takes \"{}\"; leaving takes {} s without a key; {never} users never join",
            enrolled.requires.name(),
            enrolled.leave_after.as_secs()
        ),
    );
    let most = |limit: Option<Threshold>| {
        limit.map_or_else(
            || "as many as there are".to_owned(),
            |limit| format!("{limit} at most"),
        )
    };
    let (joins, leaves) = (most(enrolled.threshold.add), most(enrolled.threshold.remove));
    lines.ok(
        "enrolled",
        format!("within the guard window {joins} join and {leaves} leave"),
    );
    true
}

/// In which of three ways the writer may change the members of the enrolled group.
async fn way_to_group(
    back: &WriteBack,
    enrolled: &Enrolled,
    reader: &GraphSource,
    granted: &[String],
    lines: &mut Lines,
) {
    let group = enrolled.group;
    let owners = match reader.group_owners(group).await {
        Ok(owners) => owners,
        Err(error) => return lines.error("enrolled", &error, error.hint()),
    };
    match rights::group_way(&back.client_id.to_string(), &owners, granted) {
        GroupWay::Owner => lines.ok(
            "enrolled",
            "the writer's app owns the group: it needs no permission for it, and can change no other",
        ),
        GroupWay::AnyGroup => lines.add(
            Level::Warn,
            "enrolled",
            "the writer may change the members of every group that is not role-assignable",
            format!(
                "make its app an owner of group {group} instead, and take {} away",
                ANY_GROUP.join(" or ")
            ),
        ),
        GroupWay::NotSeen => lines.add(
            Level::Warn,
            "enrolled",
            "it was not seen that the writer may change the group's members; a role over an administrative unit does not show",
            format!(
                "make its app an owner of group {group}; or give it the role Groups Administrator over an administrative unit that \
                 holds the group; or grant {}",
                ANY_GROUP[0]
            ),
        ),
    }
}

/// Whether the keys can be listed, and how many there are.
async fn keys(enrolled: &Enrolled, lines: &mut Lines) {
    let directory = match install::keys(&enrolled.api) {
        Ok(directory) => directory,
        Err(failure) => return lines.failure("keys", &failure),
    };
    match directory.keys().await {
        Ok(read) => match judge(read.listing, None) {
            Ok(()) => lines.ok(
                "keys",
                format!(
                    "{} lists {} security keys",
                    enrolled.api.url, read.listing.distinct
                ),
            ),
            Err(why) => lines.add(
                Level::Warn,
                "keys",
                format!(
                    "the listing of {} keys proves nothing: {}",
                    read.listing.distinct,
                    match why {
                        NoEvidence::Short => "it has fewer keys than were announced",
                        NoEvidence::Moving => "its keys changed while they were read",
                        NoEvidence::Shrunk => "it has less than half the keys of the last one",
                    }
                ),
                "look again later; until then nobody joins or leaves",
            ),
        },
        Err(error) => lines.error("keys", &error, error.hint()),
    }
}

/// Rules of dynamic groups that read what is written back.
async fn rules(back: &WriteBack, reader: &GraphSource, lines: &mut Lines) {
    let select = vec!["displayName".to_owned(), "membershipRule".to_owned()];
    let mut request = PageRequest::First { select };
    for _ in 0..MOST_PAGES {
        let page = match reader.page(ObjectKind::Group, request).await {
            Ok(page) => page,
            Err(error) => {
                let text =
                    format!("whether a dynamic group reads what is written back is not known: {error}");
                return lines.add(Level::Warn, "write-back", text, error.hint());
            }
        };
        for group in &page.objects {
            let Some(Value::String(rule)) = group.attributes.get("membershipRule") else {
                continue;
            };
            if let Some(read) = reads(rule, back) {
                lines.add(
                    Level::Warn,
                    "write-back",
                    format!(
                        "the rule of dynamic group {} reads {read}, which is written back",
                        group.id
                    ),
                    "make sure that nothing of this job hangs on who is in that group",
                );
            }
        }
        match page.next {
            NextPage::More { next_link } => {
                request = PageRequest::Follow {
                    link: next_link,
                    minimal: false,
                };
            }
            NextPage::Complete { .. } => return,
        }
    }
}

/// What a rule reads of what is written back.
fn reads(rule: &str, back: &WriteBack) -> Option<String> {
    let folded = rule.to_lowercase();
    let is_read = |property: &str| {
        let name = format!("user.{}", property.to_lowercase());
        let mut found = folded.match_indices(&name);
        found.any(|(at, _)| {
            let after = folded[at + name.len()..].chars().next();
            !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    };
    let mut attributes = back.attributes.iter();
    let property = attributes.find(|way| is_read(&way.property));
    let group = back.enrolled.as_ref().map(|enrolled| enrolled.group.to_string());
    property.map_or_else(
        || {
            group
                .filter(|group| folded.contains(group))
                .map(|_| "the enrolled group".to_owned())
        },
        |way| Some(way.property.clone()),
    )
}

/// Whether the enrolled group decides who is assigned.
async fn assigned(job: &Job, back: &WriteBack, reader: &GraphSource, lines: &mut Lines) {
    let (Some(enrolled), Some(application)) = (&back.enrolled, job.source.service_principal_id) else {
        return;
    };
    let application = SourceId::from_bytes(application.into_bytes());
    // Its own line says where the list cannot be read.
    let Ok(list) = reader.assignments(application).await else {
        return;
    };
    let is_group =
        |(kind, id, _): (ObjectKind, SourceId, _)| kind == ObjectKind::Group && id == enrolled.group;
    if list.by_principal().any(is_group) {
        lines.add(
            Level::Warn,
            "enrolled",
            format!(
                "group {} is assigned to the enterprise application: who holds a key decides who is in scope",
                enrolled.group
            ),
            "assign another group, or take this one out of `enrolled_group`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_rule_reads_a_property_by_its_whole_name() {
        let text = SETTINGS;
        let settings = Settings::parse("test.toml", text, &Default::default(), true).unwrap();
        let back = settings.jobs["idmelon"].writeback.as_ref().unwrap();
        for (rule, expected) in [
            ("(user.jobTitle -eq \"x\")", Some("jobTitle")),
            ("(USER.JOBTITLE -startsWith \"x\")", Some("jobTitle")),
            ("(user.jobTitles -eq \"x\")", None),
            ("(user.department -eq \"jobTitle\")", None),
            (
                "user.memberof -any (group.objectId -in ['6F1C8D1E-0000-4000-8000-000000000001'])",
                Some("the enrolled group"),
            ),
        ] {
            assert_eq!(reads(rule, back).as_deref(), expected, "{rule}");
        }
    }

    const SETTINGS: &str = concat!(
        include_str!("../../../config/minimal.toml"),
        "\n[jobs.idmelon.writeback]\n",
        "attributes = { \"title\" = \"jobTitle\" }\n",
        "enrolled_group = \"6f1c8d1e-0000-4000-8000-000000000001\"\n",
        "idmelon_api = { url = \"https://skm.idmelon.com\", key = { env = \"KEY\" } }\n",
        "credential = { client_id = \"6f1c8d1e-0000-4000-8000-000000000002\", client_secret = { env = \"WRITER\" } }\n",
    );
}
