//! The summary of a cycle as people read it.

use std::fmt::Write;

use super::count::many;
use crate::app::views::drift::DriftCounts;
use crate::engine::summary::Outcome;
use crate::engine::summary::Summary;
use crate::model::shown::shown;
use crate::model::side::Side;
use crate::model::verb::Act;
use crate::reconcile::operation::Verb;

/// What was, or would be, done, in words: `3 users created, 2 members added`.
fn operations(summary: &Summary, planned: bool) -> String {
    let parts: Vec<String> = Verb::ALL
        .into_iter()
        .map(|verb| (summary.operation(verb), verb))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verb)| of_verb(count, verb, planned))
        .collect();
    if parts.is_empty() {
        "nothing to do".to_owned()
    } else {
        parts.join(", ")
    }
}

/// What so many operations of a verb came to, or would: `3 users created`, `2 members to add`.
#[must_use]
pub fn of_verb(count: u64, verb: Verb, planned: bool) -> String {
    let (noun, what) = counted(verb, planned);
    format!("{} {what}", many(count, noun))
}

/// What a summary counts of a verb, and what becomes of it: users, `created`; members, `to add`.
fn counted(verb: Verb, planned: bool) -> (&'static str, String) {
    let (done, to_do) = match verb.act() {
        Act::Create => ("created", "create"),
        Act::Update if verb.side() == Side::Source => ("written back", "write back"),
        Act::Update => ("updated", "update"),
        Act::Disable => ("disabled", "disable"),
        Act::Enable => ("enabled", "enable"),
        Act::Delete => ("deleted", "delete"),
        Act::AddMembers => ("added", "add"),
        Act::RemoveMembers => ("removed", "remove"),
        Act::Link => ("adopted", "adopt"),
        Act::Unlink => ("let go", "let go"),
        Act::Join => ("enrolled", "enrol"),
        Act::Leave => (
            "taken out of the enrolled group",
            "take out of the enrolled group",
        ),
    };
    let noun = if verb.moves_members() {
        "member"
    } else {
        verb.kind().word()
    };
    let what = if planned {
        format!("to {to_do}")
    } else {
        done.to_owned()
    };
    (noun, what)
}

/// What a plan comes to, in one line: its first one, and the first of its last.
#[must_use]
pub fn plan_head(summary: &Summary) -> String {
    let kept_back: String = [
        (summary.withheld.count, "withheld by the guard"),
        (summary.held, "held"),
        (summary.pending.len() as u64, "pending"),
        (summary.escrow, "in escrow"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("; {count} {word}"))
    .collect();
    format!(
        "Plan ({}): {}{kept_back}.\n",
        summary.kind.word(),
        operations(summary, true)
    )
}

/// The last words of a plan. What is pending stands in a section of its own.
#[must_use]
pub fn plan(summary: &Summary) -> String {
    let mut text = plan_head(summary);
    left(summary, &mut text);
    if summary.has_changes() {
        text.push_str(match summary.mode.as_str() {
            "observe" => {
                "The job is in mode \"observe\": `melonsync sync` reports the same and writes nothing.\n"
            }
            _ => "`melonsync sync` carries this out.\n",
        });
    }
    text
}

/// The last line of an undo's plan.
#[must_use]
pub fn undo(summary: &Summary, carries_out: bool) -> String {
    let mut text = format!("Undo: {}.\n", operations(summary, true));
    left(summary, &mut text);
    if carries_out {
        text.push_str(
            "It is carried out now, and what it touches is held until the source says something else.\n",
        );
    }
    text
}

/// The summary of a cycle.
#[must_use]
pub fn summary(summary: &Summary, findings: &[String]) -> String {
    let planned = summary.outcome == Outcome::Planned;
    let mut text = format!(
        "{} cycle of job `{}`: {} in {} ms\n",
        capital(summary.kind.word()),
        summary.job,
        summary.outcome.word(),
        summary.duration_ms
    );
    let source = &summary.source;
    let _ = writeln!(
        text,
        "  source    {} user and {} group entries read, {}",
        source.users_read,
        source.groups_read,
        many(source.requests, "request")
    );
    let label = if planned { "planned" } else { "done" };
    let _ = writeln!(text, "  {label:<9} {}", operations(summary, planned));
    let _ = writeln!(
        text,
        "  target    {}, {} throttled",
        many(summary.target.requests, "request"),
        summary.target.throttled
    );
    pending(summary, &mut text);
    left(summary, &mut text);
    for finding in findings {
        let _ = writeln!(text, "  note      {}", shown(finding));
    }
    if planned && summary.mode == "observe" {
        text.push_str("  The job is in mode \"observe\": nothing was written. Set mode = \"enforce\" to carry it out.\n");
    }
    text
}

/// References to what is not at the target, where there are any.
fn references(count: u64) -> Option<String> {
    (count > 0).then(|| format!("{} to what is not at the target", many(count, "reference")))
}

/// Withheld, failed, skipped.
#[expect(clippy::too_many_lines, reason = "a sentence for each thing that is left")]
fn left(summary: &Summary, text: &mut String) {
    let skipped = &summary.skipped;
    let words: Vec<String> = [
        (skipped.unchanged, "unchanged"),
        (skipped.disabled_at_source, "disabled in Entra and not created"),
        (skipped.out_of_scope, "out of scope"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .chain(references(skipped.reference_out_of_scope))
    .collect();
    if !words.is_empty() {
        let _ = writeln!(text, "  left      {}", words.join(", "));
    }
    if summary.withheld.count > 0 {
        let reasons: Vec<String> = summary
            .withheld
            .by_reason
            .iter()
            .map(|(reason, count)| format!("{count} {}", reason.replace('_', " ")))
            .collect();
        let _ = writeln!(
            text,
            "  withheld  {}, by the guard: {}",
            many(summary.withheld.count, "operation"),
            reasons.join(", ")
        );
        let _ = writeln!(
            text,
            "            look at them with `melonsync withheld list` and `melonsync plan`; if they are right, \
             `melonsync withheld release --all --expect {count}`, or for removals `melonsync sync --allow-deletions {count}`",
            count = summary.withheld.count
        );
    }
    let drift = &summary.drift;
    let found = DriftCounts {
        missing: drift.missing,
        orphaned: drift.orphaned,
        modified: drift.modified,
        membership: drift.membership,
        unmanaged: drift.unmanaged,
    }
    .words();
    if !found.is_empty() {
        let _ = writeln!(
            text,
            "  drift     found {found} at the target: `melonsync drift` shows what is left of it"
        );
    }
    not_kept(summary, text);
    if summary.held > 0 {
        let _ = writeln!(
            text,
            "  held      {} on objects on hold: `melonsync hold list` shows whose",
            many(summary.held, "operation")
        );
    }
    escrow(summary, text);
    for failure in summary.failed.iter().take(FAILURES_SHOWN) {
        let who = match failure.name.as_str() {
            "" => failure.object.clone(),
            name => format!("{name} ({})", failure.object),
        };
        let _ = writeln!(
            text,
            "  failed    {} of {}: {}",
            failure.operation,
            shown(&who),
            shown(&failure.error)
        );
        if !failure.hint.is_empty() {
            let _ = writeln!(text, "            do: {}", shown(&failure.hint));
        }
    }
    if summary.failed.len() > FAILURES_SHOWN {
        let _ = writeln!(
            text,
            "  failed    … and {} more (all of them with -o json)",
            summary.failed.len() - FAILURES_SHOWN
        );
    }
}

/// Who is in escrow. What failed in this very cycle stands under `failed` with all that was said.
fn escrow(summary: &Summary, text: &mut String) {
    if summary.escrow == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "  escrow    {} {}: `melonsync escrow list` shows them, `melonsync escrow retry` tries them in the next cycle",
        many(summary.escrow, "entry"),
        if summary.escrow == 1 { "waits" } else { "wait" }
    );
    let failed = |object: &String| summary.failed.iter().any(|failure| failure.object == *object);
    let waiting: Vec<_> = summary
        .escrowed
        .iter()
        .filter(|entry| !failed(&entry.object))
        .collect();
    for entry in waiting.iter().take(FAILURES_SHOWN) {
        let next = entry.next_try.as_ref().map_or_else(
            || "dropped, tried again when it changes".to_owned(),
            |at| format!("next try {at}"),
        );
        let _ = writeln!(
            text,
            "            {} of {}  ({}): {}; {next}",
            entry.operation,
            shown(&entry.name),
            entry.object,
            shown(&entry.error)
        );
    }
    if let more @ 1.. = waiting.len().saturating_sub(FAILURES_SHOWN) {
        let _ = writeln!(text, "            … and {more} more (all of them with -o json)");
    }
}

/// What the next cycle does if nothing changes until then.
fn pending(summary: &Summary, text: &mut String) {
    if summary.pending.is_empty() {
        return;
    }
    text.push_str("  pending   the next cycle that may write does this, if nothing changes until then:\n");
    for pending in summary.pending.iter().take(FAILURES_SHOWN) {
        let verb = pending.operation.replace('_', " ");
        let _ = writeln!(
            text,
            "            {verb} {}  ({}): {}",
            shown(&pending.name),
            pending.object,
            shown(&pending.because)
        );
    }
    if let more @ 1.. = summary.pending.len().saturating_sub(FAILURES_SHOWN) {
        let _ = writeln!(text, "            … and {more} more (all of them with -o json)");
    }
}

/// What the target took and did not keep.
fn not_kept(summary: &Summary, text: &mut String) {
    let all = &summary.not_kept;
    for one in all.iter().take(FAILURES_SHOWN) {
        let _ = writeln!(
            text,
            "  not kept  {} of {}  ({}): sent {}, the target holds {}",
            one.attribute, one.name, one.object, one.sent, one.holds
        );
    }
    if let more @ 1.. = all.len().saturating_sub(FAILURES_SHOWN) {
        let _ = writeln!(text, "  not kept  … and {more} more (all of them with -o json)");
    }
    if !all.is_empty() {
        let _ = writeln!(
            text,
            "            do: look at these at the target: `melonsync drift` shows them, `melonsync escrow list` what is tried again and when"
        );
    }
}

/// As many failures as fit a screen.
const FAILURES_SHOWN: usize = 20;

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
