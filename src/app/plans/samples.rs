//! The first of each kind in a plan: enough to see what it comes to, whatever its size.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// As many omissions of one reason as a plan lists; of more only their count is given.
pub(super) const OMISSIONS_LISTED: u64 = 1000;

/// As many entries of one kind are kept.
const KEPT: usize = 20;

/// As many changes of one entry are kept: a group may have a hundred thousand members.
const CHANGES_KEPT: usize = 12;

/// The first of each kind in a plan.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// What would be done, by operation.
    pub operations: BTreeMap<String, Vec<Sample>>,
    /// What would be left alone, by the code of why.
    pub omitted: BTreeMap<&'static str, Omissions>,
}

/// One entry of a plan.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Why.
    pub because: String,
    /// What would change, the first of it.
    pub changes: Vec<SampleChange>,
    /// How many changes more there are.
    pub more: usize,
    /// The name of the object.
    pub name: String,
    /// The object.
    pub object: String,
}

/// One change of an entry.
#[derive(Debug, Clone)]
pub struct SampleChange {
    /// Target path.
    pub attribute: String,
    /// Before.
    pub before: Json,
    /// After.
    pub after: Json,
    /// The name of whom a value is the id of.
    pub name: Option<String>,
}

/// What is left alone for one reason.
#[derive(Debug, Clone, Default)]
pub struct Omissions {
    /// How many.
    pub count: u64,
    /// The reason in words, of the first of them.
    pub because: String,
    /// The first of them.
    pub first: Vec<Sample>,
}

impl Omissions {
    /// How many are counted only, where the plan lists the others.
    pub(super) const fn unlisted(&self) -> u64 {
        self.count.saturating_sub(OMISSIONS_LISTED)
    }
}

impl Samples {
    /// Looks at an entry of the plan.
    pub(super) fn operation(&mut self, verb: &str, entry: &Json) {
        if !self.operations.contains_key(verb) {
            self.operations.insert(verb.to_owned(), Vec::new());
        }
        if let Some(kept) = self.operations.get_mut(verb)
            && kept.len() < KEPT
        {
            kept.push(Sample::of(entry));
        }
    }

    /// Looks at something that is left alone. Returns how many there are for that reason by now.
    pub(super) fn omission(
        &mut self,
        reason: &'static str,
        (object, name): (String, &str),
        because: &str,
    ) -> u64 {
        let omissions = self.omitted.entry(reason).or_default();
        if omissions.count == 0 {
            because.clone_into(&mut omissions.because);
        }
        omissions.count += 1;
        if omissions.first.len() < KEPT {
            omissions.first.push(Sample {
                because: because.to_owned(),
                changes: Vec::new(),
                more: 0,
                name: name.to_owned(),
                object,
            });
        }
        omissions.count
    }
}

impl Sample {
    fn of(entry: &Json) -> Self {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let changes = entry["changes"].as_array().map_or(&[] as &[_], Vec::as_slice);
        let change = |change: &Json| SampleChange {
            attribute: change["attribute"].as_str().unwrap_or_default().to_owned(),
            before: change["before"].clone(),
            after: change["after"].clone(),
            name: change["name"].as_str().map(str::to_owned),
        };
        Self {
            because: text("because"),
            changes: changes.iter().take(CHANGES_KEPT).map(change).collect(),
            more: changes.len().saturating_sub(CHANGES_KEPT),
            name: text("name"),
            object: text("object"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_of_each_kind_are_kept_and_all_of_them_are_counted() {
        let mut samples = Samples::default();
        let changes: Vec<Json> = (0..30)
            .map(|at| json!({"attribute": "members", "after": at}))
            .collect();
        for at in 0..100 {
            let entry =
                json!({"object": at.to_string(), "name": "Ada", "because": "it is new", "changes": changes});
            samples.operation("create_user", &entry);
            samples.omission("held", (at.to_string(), "Ada"), &format!("held by {at}"));
        }
        let created = &samples.operations["create_user"];
        assert_eq!(
            (created.len(), created[0].changes.len(), created[0].more),
            (20, 12, 18)
        );
        let held = &samples.omitted["held"];
        assert_eq!(
            (held.count, held.first.len(), held.because.as_str()),
            (100, 20, "held by 0")
        );
    }
}
