//! An explanation as people read it.

use std::fmt::Write;

use super::enrolled::InEnrolled;
use super::groups::InGroup;
use super::object::Attribute;
use super::object::Explanation;
use super::object::InScope;
use super::object::Matching;
use super::object::Past;
use super::object::Shown;
use super::text;
use super::verdict::Verdict;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::model::value::Value;

impl Explanation {
    /// The verdict, and several paragraphs, one a step. `name_of` gives the name of a user who is referred to, where it is
    /// known. Without `details` attributes that are as sent share one line.
    #[must_use]
    pub fn to_text(&self, name_of: impl Fn(SourceId) -> Option<String>, details: bool) -> String {
        let mut out = String::new();
        self.head_text(&mut out);
        self.source_text(&mut out);
        scope_text(&self.scope, &mut out);
        matching_text(&self.matching, &mut out);
        groups_text(&self.groups, details, &mut out);
        if let Some(enrolled) = &self.enrolled {
            enrolled_text(enrolled, &mut out);
        }
        out.push_str("\nAttributes\n");
        let folded = |attribute: &&Attribute| !details && attribute.state == "same" && is_as_sent(attribute);
        for attribute in self.attributes.iter().filter(|attribute| !folded(attribute)) {
            attribute_text(attribute, &mut out);
        }
        let as_sent: Vec<&str> = self
            .attributes
            .iter()
            .filter(folded)
            .map(|one| one.target.as_str())
            .collect();
        if !as_sent.is_empty() {
            let _ = writeln!(
                out,
                "  as sent, and so at the target (--details shows how each comes about): {}",
                shown(&as_sent.join(", "))
            );
        }
        out.push_str("\nNext cycle\n");
        for operation in &self.operations {
            for line in text(operation, &name_of).lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        for (label, because, hint) in &self.omissions {
            let head = if label == "unchanged" { "" } else { "left alone: " };
            let _ = writeln!(out, "  {head}{}", shown(because));
            if !hint.is_empty() {
                let _ = writeln!(out, "    do: {}", shown(hint));
            }
        }
        if self.operations.is_empty() && self.omissions.is_empty() {
            out.push_str("  nothing to do\n");
        }
        out.push_str("\nLast operations\n");
        for past in &self.history {
            past_text(past, details, &mut out);
        }
        if self.history.is_empty() {
            out.push_str("  none so far\n");
        }
        out
    }

    /// What was asked for in a sentence, the verdict, the name, and what concerns more than this object.
    fn head_text(&self, out: &mut String) {
        if let Some(group) = &self.in_group {
            let _ = writeln!(out, "{}", shown(&group.verdict(&self.name)));
        }
        if let Some(enrolled) = self.enrolled.as_ref().filter(|enrolled| enrolled.asked) {
            let _ = writeln!(out, "{}", shown(&enrolled.verdict(&self.name)));
        }
        for line in Verdict::of(self).lines() {
            let _ = writeln!(out, "{}", shown(line));
        }
        let _ = writeln!(out, "\n{} {}  ({})", self.kind, shown(&self.name), self.id);
        for note in &self.notes {
            let _ = writeln!(out, "  note: {}", shown(note));
        }
    }

    fn source_text(&self, out: &mut String) {
        let source = &self.source;
        let life = match source.life {
            "alive" => "alive in Entra",
            "missing" => "not in the last full read of Entra, which proves nothing by itself",
            "unknown" => "Entra was asked, and the answer proved nothing",
            "soft_deleted" => "deleted in Entra, restorable for 30 days",
            _ => "permanently deleted in Entra",
        };
        let enabled = match source.enabled {
            Some(true) => ", enabled",
            Some(false) => ", disabled",
            None => "",
        };
        let _ = writeln!(out, "\nSource\n  {life}{enabled}");
        let read = source.read.as_deref().unwrap_or("never read to the end so far");
        let _ = writeln!(out, "  all {}s read: {read}", self.kind);
        let _ = writeln!(out, "  asked now: {}", shown(&source.asked));
    }
}

fn scope_text(scope: &InScope, out: &mut String) {
    let word = match scope.standing {
        "in" => "in scope",
        "leaving" => "leaving",
        "out" => "out of scope",
        _ => "not known",
    };
    let _ = writeln!(out, "\nScope\n  {word}: {}", shown(&scope.because));
    for (clauses, said) in &scope.clauses {
        let _ = writeln!(out, "  filter: {}\n          {}", shown(clauses), shown(said));
    }
    for (of, is) in &scope.memberships {
        let said = match is {
            Some(true) => "a member",
            Some(false) => "not a member",
            None => "not known",
        };
        let nested = if of.transitive {
            ", nested groups included"
        } else {
            ""
        };
        let _ = writeln!(out, "  group {}{nested}: {said}", of.group);
    }
    if let Some(assigned) = scope.assigned {
        let said = if assigned { "yes" } else { "no" };
        let _ = writeln!(out, "  assigned to the enterprise application: {said}");
    }
    if let Some(way) = &scope.way {
        let _ = writeln!(out, "  by way of group {}", shown(&way.words()));
    }
}

/// As many groups as fit a screen.
const GROUPS_SHOWN: usize = 20;

fn groups_text(groups: &[InGroup], details: bool, out: &mut String) {
    if groups.is_empty() {
        return;
    }
    out.push_str("\nGroups\n");
    let most = if details { usize::MAX } else { GROUPS_SHOWN };
    for group in groups.iter().take(most) {
        let _ = writeln!(
            out,
            "  {}  ({}): {}; {}",
            shown(&group.group.name),
            group.group.id,
            shown(&group.at_source()),
            group.at_target()
        );
    }
    if let more @ 1.. = groups.len().saturating_sub(most) {
        let _ = writeln!(out, "  … and {more} more (--details)");
    }
}

fn enrolled_text(enrolled: &InEnrolled, out: &mut String) {
    let _ = writeln!(
        out,
        "\nEnrolled group  ({})\n  {}",
        enrolled.group,
        enrolled.because()
    );
    for line in enrolled.details() {
        let _ = writeln!(out, "  {}", shown(&line));
    }
}

fn matching_text(matching: &Matching, out: &mut String) {
    let target = matching
        .target
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let head = match matching.state {
        "linked" => format!("linked with resource {target}: {}", matching.because),
        "found" => format!("not linked; resource {target} matches"),
        "ambiguous" | "none" => format!("not linked; {}", matching.because),
        _ => matching.because.clone(),
    };
    let head = match matching.state {
        "none" => head.replacen("not linked; ", "not linked, and not at the target; ", 1),
        _ => head,
    };
    let _ = writeln!(out, "\nMatch\n  {}", shown(&head));
    for (attribute, value) in &matching.keys {
        let _ = writeln!(out, "  looked for by {attribute} = {value}");
    }
    if matching.candidates.len() > 1 {
        for candidate in &matching.candidates {
            let _ = writeln!(out, "  candidate {}", shown(candidate.as_str()));
        }
    }
}

fn attribute_text(attribute: &Attribute, out: &mut String) {
    let matching = attribute
        .matching
        .map_or_else(String::new, |precedence| format!("   (matching {precedence})"));
    let sign = match attribute.state {
        "write" => '~',
        "drift" => '!',
        _ => ' ',
    };
    let _ = writeln!(
        out,
        "{sign} {}  <- {}{matching}",
        shown(&attribute.target),
        shown(&attribute.expression)
    );
    // A direct row: what it reads is its result.
    let direct = matches!(attribute.inputs.as_slice(), [(input, _)] if *input == attribute.expression);
    for (expression, result) in attribute
        .inputs
        .iter()
        .filter(|_| !direct)
        .chain(&attribute.steps)
    {
        let _ = writeln!(out, "      {} = {}", shown(expression), shown_text(result));
    }
    let remark = attribute
        .remark
        .as_ref()
        .map_or_else(String::new, |remark| format!("   ({})", shown(remark)));
    let _ = writeln!(out, "      = {}{remark}", shown_text(&attribute.desired));
    if attribute.state == "same" && is_as_sent(attribute) {
        let _ = writeln!(out, "      as sent, and so at the target");
        return;
    }
    let held = held_text(attribute);
    let verdict = match attribute.state {
        "write" if held.is_empty() => "to be written",
        "write" => "   to be written",
        "drift" => "   drift: changed at the target",
        "record" => "   right already",
        _ => "",
    };
    if !held.is_empty() || !verdict.is_empty() {
        let _ = writeln!(out, "      {}{verdict}", held.join("; "));
    }
}

/// What was sent, what the target kept, and what it holds.
fn held_text(attribute: &Attribute) -> Vec<String> {
    let sent = attribute
        .sent
        .as_ref()
        .map(|value| format!("sent {}", value_text(value)));
    let kept = attribute
        .kept
        .as_ref()
        .map(|kept| format!("kept {}", shown_text(kept)));
    let actual = attribute
        .actual
        .as_ref()
        .map(|value| format!("at the target {}", value_text(value)));
    sent.into_iter().chain(kept).chain(actual).collect()
}

/// True where the result, what was sent and what the target holds are one.
fn is_as_sent(attribute: &Attribute) -> bool {
    let one = |value: &Value| attribute.desired == Shown::Value(value.clone());
    attribute.kept.is_none()
        && attribute.sent.as_ref().is_some_and(one)
        && attribute.actual.as_ref().is_some_and(one)
}

/// As many values of a past operation as are shown without details.
const PAST_SHOWN: usize = 5;

fn past_text(past: &Past, details: bool, out: &mut String) {
    let _ = writeln!(
        out,
        "  {}  {} {}: {}  (by {})",
        past.time,
        past.operation.replace('_', " "),
        past.result,
        shown(&past.because),
        shown(&past.actor)
    );
    let most = if details { usize::MAX } else { PAST_SHOWN };
    for change in past.changes.iter().take(most) {
        let before = match &change.before {
            Value::Null => String::new(),
            before => format!("{before} → "),
        };
        let _ = writeln!(
            out,
            "      {}: {before}{}",
            shown(&change.attribute),
            value_text(&change.after)
        );
    }
    if let more @ 1.. = past.changes.len().saturating_sub(most) {
        let _ = writeln!(out, "      … and {more} more (--details)");
    }
    if let Some(detail) = &past.detail {
        let _ = writeln!(out, "      detail: {}", shown(detail));
    }
}

fn shown_text(result: &Shown) -> String {
    match result {
        Shown::Value(value) => value_text(value),
        Shown::Words(words) => format!("({})", shown(words)),
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "(nothing)".to_owned(),
        value => value.to_string(),
    }
}
