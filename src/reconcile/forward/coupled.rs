//! Attributes that are one at the target (displayName and name.formatted, as some keep them): writing one undoes another. Pure.
//!
//! They are noticed by a write after which another attribute, which it did not carry or carried too, is not as it was left. They
//! are not fought over: the one that is earlier in the mapping is kept, and of the others is noted that they are not.

use serde_json::Value as Json;

use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::reconcile::answer::is_kept_as;

/// One attribute that was sent to a resource, in this write or before, in the order of the mapping.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Where it is.
    pub path: TargetPath,
    /// Its value.
    pub value: Value,
    /// What the target kept of it before this write.
    pub kept: Value,
    /// This write carried it.
    pub written: bool,
}

impl Sent {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.path.name()
    }

    /// True where a resource holds what was sent.
    #[must_use]
    pub fn is_held(&self, body: &Json) -> bool {
        self.held(body)
            .is_some_and(|held| is_kept_as(&self.path, &held, &self.value))
    }

    fn held(&self, body: &Json) -> Option<Value> {
        read_path(body, &self.path).filter(|held| !held.is_unassigned())
    }
}

/// What a write undid: places in `all` that are not as they were left. `before`: the resource as it was read before it, where it was.
#[must_use]
pub fn undone_by(all: &[Sent], before: Option<&Json>, after: &Json) -> Vec<usize> {
    let written: Vec<&Sent> = all
        .iter()
        .filter(|sent| sent.written && !sent.value.is_unassigned())
        .collect();
    let mut lost = Vec::new();
    for (at, sent) in all.iter().enumerate() {
        let Some(held) = sent.held(after) else { continue };
        let base = if sent.written { &sent.value } else { &sent.kept };
        if sent.value.is_unassigned() || is_kept_as(&sent.path, &held, base) {
            continue;
        }
        // It holds what was written elsewhere; or it was as it was left until this write.
        let twin = |other: &&Sent| {
            other.path != sent.path
                && other.value != sent.value
                && is_kept_as(&sent.path, &held, &other.value)
        };
        let moved = || {
            let before = before.and_then(|before| sent.held(before));
            !sent.written && before.is_some_and(|before| is_kept_as(&sent.path, &before, base))
        };
        if written.iter().copied().any(|other| twin(&other)) || moved() {
            lost.push(at);
        }
    }
    lost
}

/// The earliest in the mapping of all that are one: of what was lost, and of what was written and was undone when that was
/// sent once more. What else the write carried is none of them.
#[must_use]
pub fn winner(all: &[Sent], lost: &[usize], before: &Json, after: &Json) -> Option<usize> {
    let is_undone = |sent: &Sent| sent.written && sent.is_held(before) && !sent.is_held(after);
    let mut places = all.iter().enumerate();
    places
        .find(|(at, sent)| lost.contains(at) || is_undone(sent))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(path: &str, value: &str, written: bool) -> Sent {
        Sent {
            path: path.parse().unwrap(),
            value: value.into(),
            kept: value.into(),
            written,
        }
    }

    #[test]
    fn a_write_that_undoes_another_couples_them_and_the_earlier_one_wins() {
        let body = |display: &str, formatted: &str| json!({"displayName": display, "name": {"formatted": formatted}});
        let was = body("A", "F");
        for (name, display, formatted, before, after, lost) in [
            ("as it should be", true, true, None, body("A", "F"), vec![]),
            (
                "the later one took the earlier one along",
                false,
                true,
                Some(&was),
                body("F", "F"),
                vec![0],
            ),
            (
                "the same, unread before",
                false,
                true,
                None,
                body("F", "F"),
                vec![0],
            ),
            (
                "the earlier one took the later one along",
                true,
                false,
                Some(&was),
                body("A", "A"),
                vec![1],
            ),
            ("both were written", true, true, None, body("F", "F"), vec![0]),
            (
                "it was another before",
                false,
                true,
                Some(&body("X", "F")),
                body("X", "F"),
                vec![],
            ),
            (
                "composed of the other",
                false,
                true,
                Some(&was),
                body("Dr F", "F"),
                vec![0],
            ),
            (
                "not kept, and by itself",
                true,
                true,
                None,
                body("Z", "F"),
                vec![],
            ),
            (
                "cleared by the target",
                false,
                true,
                Some(&was),
                json!({"name": {"formatted": "F"}}),
                vec![],
            ),
        ] {
            let all = [
                sent("displayName", "A", display),
                sent("name.formatted", "F", formatted),
            ];
            let found = undone_by(&all, before, &after);
            assert_eq!(found, lost, "{name}");
        }
    }

    #[test]
    fn what_else_was_written_is_not_one_with_what_was_undone() {
        let body = |both: &str| json!({"userName": "U", "displayName": both, "title": both});
        let all = [
            sent("userName", "U", true),
            sent("displayName", "A", true),
            sent("title", "T", false),
        ];
        let lost = undone_by(&all, None, &body("A"));
        assert_eq!(lost, [2]);
        assert_eq!(winner(&all, &lost, &body("A"), &body("T")), Some(1));
        // Both are held once it was sent again: it was undone by chance, and only it is looked at.
        assert_eq!(
            winner(
                &all,
                &lost,
                &body("A"),
                &json!({"userName": "U", "displayName": "A", "title": "T"})
            ),
            Some(2)
        );
    }
}
