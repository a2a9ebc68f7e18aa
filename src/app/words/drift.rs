//! Drift as people read it.

use super::Words;
use crate::app::views::drift::DriftView;
use crate::app::views::drift::DriftedAttribute;
use crate::app::views::drift::DriftedMembers;
use crate::app::views::drift::DriftedObject;
use crate::app::views::drift::NotKept;
use crate::model::shown::shown;

impl Words for DriftView {
    fn words(&self) -> String {
        text(self, false)
    }
}

/// All of it; `healed` where it is what healing left.
#[must_use]
pub fn text(found: &DriftView, healed: bool) -> String {
    let job = &found.job;
    let mut lines = vec![match &found.listed {
        Some(at) => format!("Drift of job `{job}`; the target was last listed whole at {at}"),
        None => {
            format!("Drift of job `{job}`; the target was never listed: `melonsync drift --refresh` does")
        }
    }];
    found.objects.iter().for_each(|one| object_lines(one, &mut lines));
    found
        .not_kept
        .iter()
        .for_each(|one| not_kept_lines(one, &mut lines));
    if found.more_objects > 0 {
        lines.push(format!("  … and {} more users and groups", found.more_objects));
    }
    for one in &found.unmanaged {
        lines.push(format!(
            "  unmanaged   {} {}: resource {} is linked to nobody; it is left alone",
            one.kind,
            shown(one.name.as_deref().unwrap_or("without a name")),
            shown(one.target.as_str())
        ));
    }
    if let more @ 1.. = found.more - found.more_objects {
        lines.push(format!("  … and {more} more resources linked to nobody"));
    }
    if let Some(another) = &found.another_writer {
        lines.push(format!(
            "  {} (found at {})",
            shown(&another.words()),
            another.found
        ));
    }
    lines.push(last_line(found, healed));
    lines.join("\n")
}

fn last_line(found: &DriftView, healed: bool) -> String {
    let (counts, not_kept) = (&found.drift, found.not_kept.len());
    if counts.is_none() && not_kept > 0 {
        return format!("No drift; of {not_kept} users and groups the target did not keep something.");
    }
    if counts.is_none() {
        return "No drift.".to_owned();
    }
    let healable = counts.missing + counts.modified + counts.membership > 0;
    let advice = match (healable, healed) {
        (true, false) => {
            "\n`melonsync drift --heal` puts missing, modified and membership right; the policy is `drift` under \
             [jobs.NAME.provisioning]."
        }
        (true, true) => "\nWhat is left could not be put right now: see above why.",
        (false, _) => "",
    };
    format!("{}.{advice}", counts.words())
}

fn object_lines(one: &DriftedObject, lines: &mut Vec<String>) {
    let who = format!("{} {}  ({})", one.kind, shown(&one.name), one.object);
    let mut waits = one
        .since
        .map_or_else(String::new, |since| format!(", found at {since}"));
    if one.pending {
        waits += "; to be healed";
    }
    for class in &one.classes {
        match *class {
            "missing" => lines.push(format!(
                "  missing     {who}: its resource {} is gone{waits}",
                one.target.as_str()
            )),
            "orphaned" => lines.push(format!(
                "  orphaned    {who}: gone in Entra, and its resource {} is there{waits}",
                one.target.as_str()
            )),
            "modified" => {
                lines.push(format!("  modified    {who}{waits}"));
                lines.extend(one.attributes.iter().map(|found| attribute_line(found, "wanted")));
            }
            _ => {
                lines.push(format!("  membership  {who}{waits}"));
                lines.extend(members_line("lacks", &one.lacking));
                lines.extend(members_line("holds in excess", &one.extra));
            }
        }
    }
}

fn not_kept_lines(one: &NotKept, lines: &mut Vec<String>) {
    lines.push(format!(
        "  not kept    {} {}  ({}): sent and answered well, and the target held this afterwards",
        one.kind,
        shown(&one.name),
        one.object
    ));
    lines.extend(one.attributes.iter().map(|found| attribute_line(found, "sent")));
    if !one.members.is_empty() {
        lines.push(format!("                members: {}", one.members.len()));
    }
}

fn attribute_line(found: &DriftedAttribute, word: &str) -> String {
    let conflict = if found.conflict {
        " (the source changed too, and wins)"
    } else {
        ""
    };
    format!(
        "                {}: {} at the target, {} {word}{conflict}",
        shown(&found.attribute),
        found.held,
        found.wanted
    )
}

fn members_line(word: &str, members: &DriftedMembers) -> Option<String> {
    let named: Vec<_> = members.names.iter().map(|name| shown(name)).collect();
    let more = members.count.saturating_sub(named.len() as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (members.count > 0).then(|| format!("                {word}: {}{more}", named.join(", ")))
}
