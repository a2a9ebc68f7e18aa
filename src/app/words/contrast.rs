//! How a plan by other rules compares with that by the rules in force, as people read it.

use crate::app::plans::Contrast;
use crate::app::plans::Contrasted;
use crate::app::plans::Difference;
use crate::app::text::count::many;
use crate::app::text::summary::of_verb;
use crate::model::verb::Act;
use crate::model::verb::Verb;

/// The ways in which an operation is wanted otherwise.
const WAYS: [&str; 3] = ["only with this", "not as by the rules in force", "not any more"];

impl Contrasted {
    /// What differs of it, each with how.
    #[must_use]
    pub const fn differences(&self) -> [(&'static str, &Difference); WAYS.len()] {
        let [added, changed, dropped] = WAYS;
        [
            (added, &self.added),
            (changed, &self.changed),
            (dropped, &self.dropped),
        ]
    }
}

impl Contrast {
    /// The differences, a sentence each: what only the other rules ask for, what is otherwise, what is not asked for any more, and
    /// what the guard would hold back of it.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let ways = WAYS.iter().enumerate();
        let mut sentences: Vec<String> = ways
            .filter_map(|(way, what)| Some(format!("{what}: {}", self.counted(way)?)))
            .collect();
        sentences.push(self.forecast());
        sentences
    }

    fn counted(&self, way: usize) -> Option<String> {
        let some = self.operations.iter().filter_map(|one| {
            let (_, difference) = one.differences()[way];
            let verb = Verb::named(&one.operation).filter(|_| difference.count > 0)?;
            // A group may gain or lose many members: of those the groups are counted.
            let what = if verb.moves_members() {
                format!("{} with {}", many(difference.count, "group"), moved(verb))
            } else {
                of_verb(difference.count, verb, true)
            };
            Some(match difference.withheld {
                0 => what,
                held if held == difference.count => format!("{what} (held back by the guard)"),
                held => format!("{what} ({held} of them held back by the guard)"),
            })
        });
        let some: Vec<String> = some.collect();
        (!some.is_empty()).then(|| some.join(", "))
    }

    /// What the guard would hold back.
    fn forecast(&self) -> String {
        let now = match (self.withheld_in_force, self.withheld) {
            (0, 0) => return "the guard would hold nothing back".to_owned(),
            (now, then) if now == then => "as by the rules in force".to_owned(),
            (0, _) => "by the rules in force it holds nothing back".to_owned(),
            (now, _) => format!("by the rules in force it holds {now} back"),
        };
        let why: Vec<&str> = self.guard.iter().map(String::as_str).collect();
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {}", why.join("; "))
        };
        format!(
            "the guard would hold back {} ({now}){why}",
            many(self.withheld, "operation")
        )
    }
}

fn moved(verb: Verb) -> &'static str {
    if verb.act() == Act::RemoveMembers {
        "members to remove"
    } else {
        "members to add"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contrast_is_told_in_sentences() {
        let difference = |count, withheld| Difference {
            count,
            withheld,
            ..Difference::default()
        };
        let contrast = Contrast {
            guard: vec![
                "48 removals of users are due, more than the 5 that deletion_threshold lets through"
                    .to_owned(),
            ],
            withheld: 48,
            withheld_in_force: 9,
            operations: vec![
                Contrasted {
                    operation: "disable_user".to_owned(),
                    added: difference(39, 39),
                    ..Contrasted::default()
                },
                Contrasted {
                    operation: "remove_member".to_owned(),
                    added: difference(1, 0),
                    ..Contrasted::default()
                },
                Contrasted {
                    operation: "create_user".to_owned(),
                    dropped: difference(2, 0),
                    ..Contrasted::default()
                },
            ],
        };
        assert_eq!(
            contrast.sentences(),
            [
                "only with this: 39 users to disable (held back by the guard), 1 group with members to remove",
                "not any more: 2 users to create",
                "the guard would hold back 48 operations (by the rules in force it holds 9 back): 48 removals of users are due, more \
                 than the 5 that deletion_threshold lets through",
            ]
        );
        assert_eq!(
            Contrast::default().sentences(),
            ["the guard would hold nothing back"]
        );
    }
}
