//! What is in escrow, and what was decided of it, as people read it.

use super::Words;
use crate::app::text::count::counted;
use crate::app::views::escrow::Escrow;
use crate::app::views::escrow::EscrowEntry;
use crate::model::shown::shown;

impl Words for Escrow {
    fn words(&self) -> String {
        match self.action {
            "retry" | "drop" if self.objects == 0 => "Nothing is in escrow.".to_owned(),
            "retry" => format!(
                "{}: the next cycle tries them: `melonsync sync` starts one",
                counted(self.objects, "entry")
            ),
            "drop" => format!(
                "{}: waiting until it changes at the source, or the config does",
                counted(self.objects, "entry")
            ),
            _ if self.entries.is_empty() => "Nothing is in escrow.".to_owned(),
            _ => self.entries.iter().map(text).collect::<Vec<_>>().join("\n"),
        }
    }
}

fn text(entry: &EscrowEntry) -> String {
    let next_try = match (entry.due, entry.next_try) {
        (true, _) => "in the next cycle".to_owned(),
        (false, Some(at)) => at.to_string(),
        (false, None) => "dropped; when it changes".to_owned(),
    };
    format!(
        "{} {}  {}\n  {} failed {} times since {}; next try: {next_try}\n  {}\n  do: {}",
        entry.kind,
        entry.object,
        shown(entry.name.as_deref().unwrap_or_default()),
        entry.operation,
        entry.failures,
        entry.since,
        shown(&entry.error),
        shown(&entry.hint),
    )
}
