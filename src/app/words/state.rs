//! What was done with a snapshot, as people read it.

use super::Words;
use crate::app::state::Copied;
use crate::app::state::Forgotten;
use crate::app::state::HandedOver;
use crate::app::state::Verified;
use crate::model::shown::shown;

/// How a snapshot was found.
#[must_use]
pub fn verified(found: &Verified) -> String {
    let mut lines = vec![format!(
        "{}: {} users ({} linked), {} groups ({} linked), {} memberships, {} history entries",
        if found.ok { "whole" } else { "damaged" },
        found.users,
        found.linked_users,
        found.groups,
        found.linked_groups,
        found.memberships,
        found.history_entries
    )];
    let findings = found.findings.iter();
    lines.extend(findings.map(|finding| format!("wrong: {}", shown(finding))));
    lines.join("\n")
}

/// A snapshot that took the place of another.
#[must_use]
pub fn replaced(done: &Copied, word: &str) -> String {
    format!(
        "Job `{}` is {word} from {}: {} records\n\
         The next cycle reads the source from the beginning. Read its `melonsync plan` before you sync.",
        done.job, done.file, done.records
    )
}

/// A job that goes on elsewhere.
#[must_use]
pub fn handed_over(job: &str, file: &str) -> String {
    format!(
        "Job `{job}` is handed over: it does not run here any more. On the other host: melonsync state restore --from {}",
        shown(file)
    )
}

impl Words for HandedOver {
    fn words(&self) -> String {
        handed_over(&self.job, &self.file)
    }
}

/// What was erased, and every copy that still holds it.
#[must_use]
pub fn forgotten(done: &Forgotten) -> String {
    let mut lines = Vec::new();
    for copy in &done.copies {
        let made = copy.made.map_or_else(String::new, |made| format!(" of {made}"));
        let there = if copy.there {
            ""
        } else {
            "; not there any more: it holds them where it was moved to"
        };
        lines.push(format!(
            "  {}  ({}{made}{there})",
            shown(&copy.path.display().to_string()),
            shown(&copy.what)
        ));
    }
    let stream = done.audit_stream.iter();
    lines.extend(stream.map(|stream| format!("  {}  (the audit stream)", shown(stream))));
    let head = if lines.is_empty() {
        "No copy is known that still holds the values.".to_owned()
    } else {
        format!(
            "These still hold the values; remove them where they are not needed:\n{}",
            lines.join("\n")
        )
    };
    let files = if done.compacted {
        ""
    } else {
        "What was overwritten lies in the store's files still: stop the daemon, and run `melonsync state compact`.\n"
    };
    format!(
        "Forgotten in job `{}`: the values of {} history entries, {} records, {} quotations in summaries. The history's \
         chain is as it was.\n{files}{head}\nCopies of copies are not known, nor what `state export` printed. Restoring a backup in \
         this folder erases the values again.",
        done.job, done.history_entries, done.records, done.summaries
    )
}

impl Words for Forgotten {
    fn words(&self) -> String {
        forgotten(self)
    }
}

impl Words for Verified {
    fn words(&self) -> String {
        verified(self)
    }
}
