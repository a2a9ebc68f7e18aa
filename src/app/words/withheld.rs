//! What the guard holds back, and what was decided of it, as people read it.

use std::collections::BTreeMap;

use super::Words;
use crate::app::decisions::withheld::Decided;
use crate::app::text::count::many;
use crate::app::views::common::Common;
use crate::app::views::withheld::Adopts;
use crate::app::views::withheld::Holder;
use crate::app::views::withheld::WithheldList;
use crate::app::views::withheld::WithheldView;
use crate::model::shown::shown;

impl Words for WithheldList {
    fn words(&self) -> String {
        listed(self)
    }
}

impl Words for Decided {
    fn words(&self) -> String {
        if self.action == "release" {
            format!(
                "{} released: the next cycle sends exactly these, once",
                many(self.count, "operation")
            )
        } else {
            format!(
                "{} rejected: their objects are on hold until `melonsync hold release OBJECT`",
                many(self.count, "operation")
            )
        }
    }
}

fn listed(list: &WithheldList) -> String {
    if list.withheld.is_empty() {
        return "Nothing is withheld.".to_owned();
    }
    let mut by_reason: BTreeMap<&str, Vec<&WithheldView>> = BTreeMap::new();
    for entry in &list.withheld {
        by_reason.entry(&entry.reason).or_default().push(entry);
    }
    let mut lines = Vec::new();
    for (reason, of) in by_reason {
        let sum: u64 = of.iter().map(|entry| entry.count).sum();
        let why = match &of[0].adopts {
            Some(_) => REVIEW,
            None => &of[0].why,
        };
        lines.push(format!("{} ({sum}): {}", reason.replace('_', " "), shown(why)));
        for entry in of {
            lines.push(line(entry));
            let of_resource: Vec<String> = entry.adopts.iter().flat_map(holders).collect();
            lines.extend(of_resource.iter().map(|line| format!("      {}", shown(line))));
        }
    }
    lines.extend(list.in_common.iter().map(in_common));
    if list.count > 0 {
        lines.push(format!(
            "\nIf they are right, `melonsync withheld release --all --expect {}`; \
             if not, `melonsync withheld reject OBJECT …` holds the objects.",
            list.count
        ));
    }
    lines.join("\n")
}

/// A fact that most share.
fn in_common(one: &Common) -> String {
    format!("in common   {} of {}: {}", one.count, one.of, one.holds())
}

impl Common {
    /// The fact in words.
    #[must_use]
    pub fn holds(&self) -> String {
        let value = shown(&self.value);
        match self.what {
            "cause" => format!("the cause is: {value}"),
            "group" => format!("a member of group `{value}`"),
            "department" => format!("in department `{value}`"),
            _ => format!("withheld since the hour {value}"),
        }
    }
}

/// What each of these adoptions waits for.
const REVIEW: &str = "whoever makes it in Entra can choose its name, so a person decides: `melonsync withheld release OBJECT` \
                      adopts the resource, `melonsync link OBJECT RESOURCE` links another, `melonsync withheld reject OBJECT` leaves both";

/// Who is in the resource that an entry would take over, each with who that is.
fn holders(adopts: &Adopts) -> Vec<String> {
    let words = |holder: &Holder| {
        let name = holder.name.as_deref().unwrap_or("member");
        let who = holder.object.map_or_else(
            || "linked to no user".to_owned(),
            |id| {
                format!(
                    "linked with {}",
                    holder.object_name.clone().unwrap_or_else(|| id.to_string())
                )
            },
        );
        format!("{name}  ({}), {who}", holder.id)
    };
    let mut lines = vec![format!("resource {}", adopts.resource)];
    lines.extend(adopts.holds.iter().map(words));
    let more = adopts.members.saturating_sub(adopts.holds.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(entry: &WithheldView) -> String {
    let times = match entry.members.len() {
        0 => String::new(),
        n => format!(" ×{n}"),
    };
    let released = entry.released_by.as_ref().map_or_else(String::new, |by| {
        format!("; released by {}, sent by the next cycle", shown(by))
    });
    format!(
        "  {}{times} {}  ({}): {}, since {}{released}",
        entry.operation.replace('_', " "),
        shown(&entry.name),
        entry.object,
        shown(&entry.because),
        entry.since
    )
}
