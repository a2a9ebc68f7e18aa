//! What is left alone, folded: objects with equal sentences share one line.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::entry;
use super::entry::text_of;
use crate::app::plans::shape::Shape;
use crate::app::text::count::counted;
use crate::model::shown::shown;

/// Omissions by their sentence, in the order in which they came up.
#[derive(Debug, Default)]
pub(super) struct Folding {
    folds: Vec<Fold>,
    by_sentence: HashMap<(String, String, String), usize>,
}

#[derive(Debug)]
struct Fold {
    reason: String,
    kind: String,
    because: String,
    count: u64,
    /// The first of them, whole.
    first: Vec<Json>,
}

/// So many that say the same are still listed one by one; of more so many are named.
const ONE_BY_ONE: usize = 3;

/// So many different sentences of one reason are shown.
const SENTENCES: usize = 20;

impl Folding {
    pub(super) fn add(&mut self, entry: &Json) {
        let reason = text_of(entry, "reason");
        // That ten thousand are as they should be, the summary counts.
        if reason == "unchanged" {
            return;
        }
        let (kind, because) = (text_of(entry, "kind"), text_of(entry, "because"));
        let key = (reason.to_owned(), kind.to_owned(), because.to_owned());
        let at = *self.by_sentence.entry(key).or_insert_with(|| {
            self.folds.push(Fold {
                reason: reason.to_owned(),
                kind: kind.to_owned(),
                because: because.to_owned(),
                count: 0,
                first: Vec::new(),
            });
            self.folds.len() - 1
        });
        let fold = &mut self.folds[at];
        fold.count += entry["count"].as_u64().unwrap_or(1);
        if fold.first.len() < ONE_BY_ONE {
            fold.first.push(entry.clone());
        }
    }

    /// One text a line that is shown.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut sentences: HashMap<&str, usize> = HashMap::new();
        for fold in &self.folds {
            let shown_so_far = sentences.entry(&fold.reason).or_default();
            *shown_so_far += 1;
            // A finding about all objects has no reason, and is never folded away.
            if fold.reason.is_empty() || *shown_so_far <= SENTENCES {
                texts.extend(fold.texts());
            }
        }
        for fold in &self.folds {
            if let Some(more) = sentences.remove(fold.reason.as_str())
                && !fold.reason.is_empty()
                && more > SENTENCES
            {
                let reason = shown(&fold.reason).replace('_', " ");
                texts.push(format!("  … and {} more of {reason}\n", more - SENTENCES));
            }
        }
        texts
    }
}

impl Fold {
    fn texts(&self) -> Vec<String> {
        let shape = Shape::default();
        if self.count <= ONE_BY_ONE as u64 {
            return self
                .first
                .iter()
                .map(|one| entry::omission(one, &shape))
                .collect();
        }
        let names: Vec<String> = self
            .first
            .iter()
            .map(|one| text_of(one, "name"))
            .filter(|name| !name.is_empty())
            .map(|name| shown(name).into_owned())
            .collect();
        let noun = if self.kind.is_empty() {
            "object"
        } else {
            &self.kind
        };
        let who = counted(usize::try_from(self.count).unwrap_or(usize::MAX), noun);
        let more = match self.count - names.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let hint = text_of(&self.first[0], "do");
        let hint = match hint {
            "" => String::new(),
            hint => format!("      do: {}\n", shown(hint)),
        };
        vec![format!(
            "  {who}: {}\n      {}{more}\n{hint}",
            shown(&self.because),
            names.join(", ")
        )]
    }
}
