//! What a person should know of the way back: each code once, with how many and who.

use std::collections::BTreeMap;

use crate::engine::run::Run;
use crate::engine::summary;
use crate::model::id::SourceId;
use crate::reconcile::back::cell::Held;
use crate::reconcile::back::finding::Finding;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;

/// As many users as a finding names.
const NAMED: usize = 3;

/// The code of what Graph refuses of single users.
const REFUSED: &str = "refused_by_entra";

/// What was found, counted by its code.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, (u64, Vec<SourceId>)>);

impl Tally {
    /// Counts what stands of a user.
    pub(super) fn add(&mut self, id: SourceId, row: &UserCells) {
        for kept in row.cells.values() {
            self.add_cell(id, kept);
        }
    }

    fn add_cell(&mut self, id: SourceId, kept: &KeptCell) {
        let refused = matches!(kept.cell.held, Some(Held::Refused { .. })).then_some(REFUSED);
        let found = kept.finding.map(|(finding, _)| finding.code());
        for code in refused.into_iter().chain(found) {
            self.note(code, id);
        }
    }

    /// Counts a refusal that nothing was kept of.
    pub(super) fn refused(&mut self, id: SourceId) {
        self.note(REFUSED, id);
    }

    /// Counts one.
    fn note(&mut self, code: &'static str, id: SourceId) {
        let (count, named) = self.0.entry(code).or_default();
        *count += 1;
        if named.len() < NAMED && !named.contains(&id) {
            named.push(id);
        }
    }

    /// Reports all of them.
    pub(super) fn report(&self, run: &mut Run<'_>) {
        for (code, (count, named)) in &self.0 {
            let who: Vec<String> = named.iter().map(SourceId::to_string).collect();
            let (what, advice) = words(code);
            let values = if *count == 1 {
                "1 value"
            } else {
                &format!("{count} values")
            };
            let text = format!("{values} {what} (of user {})", who.join(", "));
            report(run, code, text, advice.to_owned());
        }
    }
}

/// Reports one finding.
pub(super) fn report(run: &mut Run<'_>, code: &str, text: String, advice: String) {
    if run.warnings.is_news(&text) {
        tracing::warn!(finding = code, "{text}");
    }
    run.order.watcher.finding(&format!("{text}: {advice}"));
    run.summary.findings.push(summary::Finding {
        code: code.to_owned(),
        text,
        advice,
    });
}

/// What a code means, and what to do.
fn words(code: &str) -> (&'static str, &'static str) {
    let of = |finding: Finding| code == finding.code();
    if of(Finding::FirstContactDiffers) {
        (
            "differed between Entra and the target when they were first read, which is nobody's change: neither was written",
            "change the one that is wrong, at its side",
        )
    } else if of(Finding::SourceEditedTargetOwned) {
        (
            "that belong to the target were edited in Entra: the target's was left as it is",
            "change it at the target too, or take it out of writeback.attributes",
        )
    } else if of(Finding::EditBeatsClear) {
        (
            "were edited in Entra and emptied at the target: Entra's stays",
            "write it at the target, or empty it in Entra",
        )
    } else if of(Finding::NotKeptByEntra) {
        (
            "were taken by Entra, which then held the old one: not sent again until the target changes",
            "look for another writer of it in Entra's audit log",
        )
    } else if of(Finding::Conflict) {
        (
            "were changed on both sides",
            "`melonsync withheld list` shows them; releasing one writes the target's value",
        )
    } else if of(Finding::TwoWriters) {
        (
            "go back and forth between two writers: nothing more is written",
            "find the other writer in Entra's audit log; `melonsync withheld release` lets it go on",
        )
    } else {
        (
            "were refused by Entra for that user or that value: tried again when either changes",
            "change it where the user is mastered, or give the writer's app a role that may touch administrators",
        )
    }
}
