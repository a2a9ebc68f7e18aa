//! What is on hold, and what was put there or taken off, as people read it.

use super::Words;
use crate::app::decisions::hold::Held;
use crate::app::lookup::Named;
use crate::app::views::holds::HoldView;
use crate::app::views::holds::Holds;
use crate::model::shown::shown;

impl Words for Held {
    fn words(&self) -> String {
        decided(self)
    }
}

impl Words for Holds {
    fn words(&self) -> String {
        listed(self)
    }
}

fn decided(done: &Held) -> String {
    let line = |object: &Named| {
        format!(
            "{} {}  ({}): {}",
            object.kind,
            shown(&object.name),
            object.id,
            done.what
        )
    };
    done.objects.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn listed(all: &Holds) -> String {
    if all.holds.is_empty() {
        return "Nothing is on hold.".to_owned();
    }
    let line = |hold: &HoldView| match hold {
        HoldView::Decided(hold) => {
            let attribute = hold
                .attribute
                .as_ref()
                .map_or_else(String::new, |path| format!(" {path}"));
            format!(
                "{} {}  ({}){attribute}: {}",
                hold.kind,
                shown(&hold.name),
                hold.object,
                shown(&hold.words)
            )
        }
        HoldView::Undone(hold) => format!(
            "{} {}  ({}): taken back by an undo, until the source says something else",
            hold.kind,
            shown(&hold.name),
            hold.object
        ),
    };
    all.holds.iter().map(line).collect::<Vec<_>>().join("\n")
}
