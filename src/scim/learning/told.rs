//! What was learned, as people are told of it.

use super::Learned;
use super::Origin;
use super::Room;
use crate::scim::dialect::Aspect;

impl Learned {
    /// Returns each aspect with its form in force and the form's origin.
    #[must_use]
    pub fn shown(&self) -> Vec<(Aspect, &'static str, Origin)> {
        Aspect::ALL
            .into_iter()
            .map(|aspect| (aspect, aspect.forms()[self.form(aspect)], self.origin(aspect)))
            .collect()
    }

    fn origin(&self, aspect: Aspect) -> Origin {
        if self.pinned.contains_key(&aspect) {
            return Origin::Configured;
        }
        let form = self.form(aspect);
        let Some(lesson) = self.lessons.get(&aspect) else {
            return Origin::Default;
        };
        match &lesson.chosen {
            Some(chosen) if chosen.form == form => Origin::Learned {
                since: chosen.since,
                why: chosen.why.clone(),
            },
            _ => match lesson.harmful.iter().next() {
                Some((harmful, since)) if form > 0 => Origin::Learned {
                    since: *since,
                    why: format!("`{}` did harm", aspect.forms()[*harmful]),
                },
                _ => Origin::Default,
            },
        }
    }

    /// Returns other notes for display: harmful forms, limits, and what the target does not keep.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (aspect, lesson) in &self.lessons {
            for (form, since) in &lesson.harmful {
                let (name, word) = (aspect.name(), aspect.forms()[*form]);
                notes.push(format!(
                    "{name} = \"{word}\" did harm on {since} and is not used unless the configuration names it"
                ));
            }
        }
        if let Some(Room {
            members,
            since: Some(since),
            ..
        }) = &self.room
        {
            notes.push(format!(
                "at most {members} members in one PATCH, learned on {since} from 413"
            ));
        }
        for (usage, since) in &self.barred {
            notes.push(format!("`{usage}` by PATCH did harm on {since} and is not used"));
        }
        for (path, way) in &self.dialect().clearings {
            notes.push(format!("`{path}` is cleared by {}", way.words()));
        }
        for key in &self.dialect().puts {
            notes.push(format!(
                "`{key}` is written by PUT: its PATCH is answered 2xx and not carried out"
            ));
        }
        for path in self.refused.keys().filter(|path| self.is_refused(path)) {
            notes.push(format!("`{path}` is refused, and sent in a request of its own"));
        }
        for (path, since) in &self.unkept {
            notes.push(format!(
                "`{path}` is taken, and is not kept or never shown, seen on {since}"
            ));
        }
        if self.plain_patches {
            notes.push("a PATCH with `excludedAttributes` is refused: it goes without".to_owned());
        }
        notes.extend(self.notes_on_members());
        notes
    }
}
