//! What a target taught about the forms of requests that it wants: evidence in, dialect out. Pure.
//!
//! A form is learned only when the form in force failed for three different objects, refused with 400 or 501 or
//! answered with 2xx and not carried out, and another form was read back as right for them (docs/design/targets.md).
//! While the form in force was never seen to work, the others are tried at its first failure; once it worked, a refusal
//! is about the value until three different objects in succession were refused. So learning reverts, or goes on, by the
//! same rule, and a target that refuses bad values is not asked twice each time. A form that the configuration names is
//! in force without any of this; another configuration begins anew. A form that did harm is never used again unless the
//! configuration names it.
//!
//! Objects are stored as short digests: the ids of some targets are names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::dialect::Aspect;
use super::dialect::Clearing;
use super::dialect::Dialect;
use super::dialect::PinnedDialect;
use super::dialect::attribute_key;
use super::showing::Showing;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::reconcile::operation::Change;

/// The number of objects that must agree before a form is learned: one may be odd, three are a habit
/// (docs/design/targets.md).
pub const ENOUGH: usize = 3;

/// An object, as evidence counts it: a digest that is the same for the same object and is not a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Witness(String);

impl Witness {
    /// Builds the witness for a resource.
    #[must_use]
    pub fn of(kind: ObjectKind, id: &TargetId) -> Self {
        Self::named(&format!("{}/{}", kind.word(), id.as_str()))
    }

    /// Builds the witness for anything else that gives evidence: a create by its name, a listing by its time.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        Self(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// How a form failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Refused with this status.
    Refused(u16),
    /// Refused with this status, and little else was in the request that the refusal could be about.
    Alone(u16),
    /// Answered with 2xx, and a read-back did not show it.
    Silent,
}

/// Everything that was learned, as it is stored in the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// The forms that the configuration named when this was learned.
    pinned: BTreeMap<Aspect, usize>,
    lessons: BTreeMap<Aspect, Lesson>,
    /// The most membership changes in one PATCH, where a target refused more with 413.
    room: Option<Room>,
    /// The uses of a form that were read back as right.
    proven: BTreeSet<String>,
    /// The uses that were answered with 2xx and not carried out, with the objects that showed it.
    silent: BTreeMap<String, BTreeSet<Witness>>,
    /// The uses that did harm, and since when.
    barred: BTreeMap<String, Timestamp>,
    /// The attributes that the target accepts and does not keep, and since when that is known.
    unkept: BTreeMap<String, Timestamp>,
    /// The ways in which an attribute was cleared after its removal was refused, with the objects that showed it.
    clearings: BTreeMap<String, BTreeMap<Clearing, BTreeSet<Witness>>>,
    /// The attributes that were set, or cleared, and read back as right.
    shown: BTreeSet<String>,
    /// The attributes that a created resource was seen to hold, without filters.
    created: BTreeSet<String>,
    /// The attributes that a PUT wrote after a PATCH was answered with 2xx and not carried out, with the objects that
    /// showed it.
    puts: BTreeMap<String, BTreeSet<Witness>>,
    /// The attributes that were refused alone since they were last accepted, with up to three of the objects.
    refused: BTreeMap<String, BTreeSet<Witness>>,
    /// How the target shows the members of groups.
    pub(super) showing: Showing,
    /// True if a PATCH with a query parameter is refused.
    pub(super) plain_patches: bool,
    /// The first use that is under way, with the group's members before it.
    trial: Option<Trial>,
}

/// Returns the key of a change: setting and clearing are two.
fn shown_key(kind: ObjectKind, change: &Change) -> String {
    let key = attribute_key(kind, &change.attribute);
    if change.after.is_unassigned() {
        format!("{key} cleared")
    } else {
        key
    }
}

/// What is known of one aspect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Lesson {
    chosen: Option<Chosen>,
    /// True if the form in force was seen to work.
    proven: bool,
    /// The objects for which the form in force failed since it last worked.
    failed: BTreeSet<Witness>,
    /// The last status; 0 for a 2xx that was not carried out.
    status: u16,
    /// The objects for which another form was then read back as right.
    helped: BTreeMap<usize, BTreeSet<Witness>>,
    /// The objects for which another form failed as well.
    futile: BTreeMap<usize, BTreeSet<Witness>>,
    /// The forms that did harm, and since when.
    harmful: BTreeMap<usize, Timestamp>,
}

/// A form that was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Chosen {
    form: usize,
    since: Timestamp,
    why: String,
}

/// How large a PATCH may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Room {
    members: usize,
    told: BTreeSet<Witness>,
    since: Option<Timestamp>,
}

/// A first use of a form that changes members, noted before it is sent: if the program ends in between, the next
/// process puts back every member that left and was not named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The group.
    pub group: String,
    /// The members before it.
    pub before: Vec<String>,
    /// The members to be removed.
    pub named: Vec<String>,
}

/// The origin of a form in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration names it.
    Configured,
    /// It was learned.
    Learned {
        /// When it was learned.
        since: Timestamp,
        /// The evidence for it.
        why: String,
    },
    /// No evidence is against the default.
    Default,
}

impl Learned {
    /// Applies the configuration: where it names another form than before, or none any more, that aspect begins anew.
    pub fn under(&mut self, pinned: &PinnedDialect) {
        for aspect in Aspect::ALL {
            let now = aspect.pinned(pinned);
            if self.pinned.get(&aspect).copied() == now {
                continue;
            }
            // Harm is forgotten only where the configuration asks for that very form; with the pin it is in force
            // anyway.
            let harmful = self.lessons.remove(&aspect).map(|lesson| lesson.harmful);
            if let Some(harmful) = harmful.filter(|harmful| !harmful.is_empty()) {
                self.lesson(aspect).harmful = harmful;
            }
            match now {
                Some(form) => self.pinned.insert(aspect, form),
                None => self.pinned.remove(&aspect),
            };
            // The proofs were of the other form.
            self.proven.clear();
            self.silent.clear();
            self.shown.clear();
        }
    }

    /// Returns the dialect in force.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let mut dialect = Dialect::default();
        for aspect in Aspect::ALL {
            dialect = dialect.with(aspect, self.form(aspect));
        }
        if let Some(room) = self.room.as_ref().filter(|room| room.since.is_some()) {
            dialect.members_per_patch = room.members;
        }
        for (path, ways) in &self.clearings {
            let learned = ways.iter().find(|(_, told)| told.len() >= ENOUGH);
            dialect
                .clearings
                .extend(learned.map(|(way, _)| (path.clone(), *way)));
        }
        let by_put = self.puts.iter().filter(|(_, told)| told.len() >= ENOUGH);
        dialect.puts.extend(by_put.map(|(key, _)| key.clone()));
        dialect
    }

    /// Returns the form in force of one aspect.
    #[must_use]
    pub fn form(&self, aspect: Aspect) -> usize {
        let learned = || {
            let lesson = self.lessons.get(&aspect)?;
            let form = lesson.chosen.as_ref().map_or(0, |chosen| chosen.form);
            // Harm done by the default leaves the next one.
            (form..aspect.forms().len()).find(|form| !lesson.harmful.contains_key(form))
        };
        self.pinned.get(&aspect).copied().or_else(learned).unwrap_or(0)
    }

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

    fn lesson(&mut self, aspect: Aspect) -> &mut Lesson {
        self.lessons.entry(aspect).or_default()
    }

    /// Returns true where [`Self::worked`] would learn nothing more.
    #[must_use]
    pub fn is_settled(&self, aspect: Aspect) -> bool {
        let known = |lesson: &Lesson| {
            lesson.proven && lesson.failed.is_empty() && lesson.helped.is_empty() && lesson.futile.is_empty()
        };
        self.pinned.contains_key(&aspect) || self.lessons.get(&aspect).is_some_and(known)
    }

    /// Notes that the form in force worked. Returns true where that was new.
    pub fn worked(&mut self, aspect: Aspect) -> bool {
        if self.pinned.contains_key(&aspect) {
            return false;
        }
        let lesson = self.lesson(aspect);
        let news = !lesson.proven || !lesson.failed.is_empty();
        lesson.proven = true;
        lesson.failed.clear();
        lesson.helped.clear();
        lesson.futile.clear();
        news
    }

    /// Notes that one look proved the default of this aspect right, whatever was learned. Returns true where that was
    /// new.
    pub(super) fn settle(&mut self, aspect: Aspect) -> bool {
        let lesson = self.lesson(aspect);
        let news = !lesson.proven || lesson.chosen.is_some();
        lesson.chosen = None;
        lesson.proven = true;
        news
    }

    /// Notes that one look proved which form is in force.
    pub(super) fn choose(&mut self, aspect: Aspect, form: usize, since: Timestamp, why: &str) {
        let why = why.to_owned();
        self.lesson(aspect).chosen = Some(Chosen { form, since, why });
    }

    /// Notes that the form used failed for an object. Returns the other forms to try for it, in order.
    pub fn failed(&mut self, aspect: Aspect, used: usize, witness: &Witness, how: Failing) -> Vec<usize> {
        if self.pinned.contains_key(&aspect) {
            return Vec::new();
        }
        let form = self.form(aspect);
        if used != form {
            return vec![form]; // another one was learned while this request was under way
        }
        let lesson = self.lesson(aspect);
        lesson.failed.insert(witness.clone());
        lesson.status = match how {
            Failing::Refused(status) | Failing::Alone(status) => status,
            Failing::Silent => 0,
        };
        // A form that worked before is in doubt only when it fails as a habit; a silent failure is never about the
        // value, and a disable or a removal need not wait for two others.
        if lesson.proven && lesson.failed.len() < ENOUGH && matches!(how, Failing::Refused(_)) {
            return Vec::new();
        }
        let forms = aspect.forms().len();
        (1..forms)
            .map(|step| (form + step) % forms)
            .filter(|form| !lesson.harmful.contains_key(form))
            .filter(|form| {
                let tried = lesson.futile.get(form);
                tried.is_none_or(|tried| tried.len() < ENOUGH)
            })
            .collect()
    }

    /// Notes that another form failed for the object as well.
    pub fn futile(&mut self, aspect: Aspect, form: usize, witness: &Witness) {
        self.lesson(aspect)
            .futile
            .entry(form)
            .or_default()
            .insert(witness.clone());
    }

    /// Notes that another form was read back as right where the one in force had failed. Returns the message to report,
    /// where that makes it learned.
    pub fn helped(
        &mut self,
        aspect: Aspect,
        form: usize,
        witness: &Witness,
        now: Timestamp,
    ) -> Option<String> {
        if self.pinned.contains_key(&aspect) {
            return None;
        }
        let old = self.form(aspect);
        if form == old {
            return None;
        }
        let lesson = self.lesson(aspect);
        let told = lesson.helped.entry(form).or_default();
        told.insert(witness.clone());
        let told = told.intersection(&lesson.failed).count();
        if told < ENOUGH {
            return None;
        }
        let (before, word) = (aspect.forms()[old], aspect.forms()[form]);
        let how = match lesson.status {
            0 => "answered 2xx and not carried out".to_owned(),
            status => format!("refused with {status}"),
        };
        let proof = aspect.proof();
        let why = format!("`{before}` was {how} for {told} objects, and `{word}` {proof} for them");
        *lesson = Lesson {
            chosen: Some(Chosen {
                form,
                since: now,
                why: why.clone(),
            }),
            proven: true,
            harmful: std::mem::take(&mut lesson.harmful),
            ..Lesson::default()
        };
        self.proven.clear();
        self.silent.clear();
        self.shown.clear();
        let name = aspect.name();
        Some(format!(
            "learned that this target wants {name} = \"{word}\": {why}; `dialect` in the job's [target] overrides this"
        ))
    }

    /// Notes that a form did harm: it is not used again unless the configuration names it. Returns the message to
    /// report.
    pub fn harmed(&mut self, aspect: Aspect, form: usize, now: Timestamp, what: &str) -> String {
        let lesson = self.lesson(aspect);
        lesson.harmful.insert(form, now);
        if lesson.chosen.as_ref().is_some_and(|chosen| chosen.form == form) {
            lesson.chosen = None;
        }
        lesson.proven = false;
        let (name, word) = (aspect.name(), aspect.forms()[form]);
        format!(
            "{name} = \"{word}\" is unsafe at this target and is not used again unless `dialect` names it: {what}"
        )
    }

    /// Returns true when a form did harm.
    #[must_use]
    pub fn is_harmful(&self, aspect: Aspect, form: usize) -> bool {
        self.lessons
            .get(&aspect)
            .is_some_and(|lesson| lesson.harmful.contains_key(&form))
    }

    /// Returns true when the form in force of this aspect was seen to work.
    #[must_use]
    pub fn is_proven(&self, aspect: Aspect) -> bool {
        self.lessons.get(&aspect).is_some_and(|lesson| lesson.proven)
    }

    /// Notes that a PATCH with more members than this was answered with 413, and one with so many succeeded. Returns
    /// the message to report, where that makes it learned.
    pub fn too_large(&mut self, members: usize, witness: &Witness, now: Timestamp) -> Option<String> {
        let room = self.room.get_or_insert_with(Room::default);
        room.members = if room.told.is_empty() {
            members
        } else {
            room.members.min(members)
        }
        .max(1);
        room.told.insert(witness.clone());
        if room.told.len() < ENOUGH || room.since.is_some() {
            return None;
        }
        room.since = Some(now);
        Some(format!(
            "learned that this target takes at most {} members in one PATCH: it answered 413 to more for {} groups",
            room.members,
            room.told.len()
        ))
    }

    /// Returns true when this use of the forms in force was read back as right.
    #[must_use]
    pub fn is_seen(&self, usage: &str) -> bool {
        self.proven.contains(usage)
    }

    /// Notes that a use was read back as right. Returns true where that was new.
    pub fn seen(&mut self, usage: &str) -> bool {
        self.silent.remove(usage);
        self.proven.insert(usage.to_owned())
    }

    /// Notes that a use was answered with 2xx and not carried out. Returns true where that was new for this use.
    pub fn unseen(&mut self, usage: &str, witness: &Witness) -> bool {
        self.proven.remove(usage);
        let told = self.silent.entry(usage.to_owned()).or_default();
        let news = told.is_empty();
        if told.len() < ENOUGH {
            told.insert(witness.clone());
        }
        news
    }

    /// Notes that a change of an attribute was read back as right. Returns true where that was new.
    pub fn showed(&mut self, kind: ObjectKind, change: &Change) -> bool {
        self.shown.insert(shown_key(kind, change))
    }

    /// Returns true where such a change was seen to work before.
    #[must_use]
    pub fn is_shown(&self, kind: ObjectKind, change: &Change) -> bool {
        self.shown.contains(&shown_key(kind, change))
    }

    /// Notes that a created resource holds an attribute. Returns true where that was new.
    pub fn holds_created(&mut self, kind: ObjectKind, path: &str) -> bool {
        self.created.insert(attribute_key(kind, path).to_lowercase())
    }

    /// Returns true for an attribute that was seen at this target, by a change or a create.
    #[must_use]
    pub fn is_known_here(&self, kind: ObjectKind, change: &Change) -> bool {
        let path = change.attribute.as_str();
        let plain = path.split_once('[').map_or(path, |(attribute, _)| attribute);
        self.is_shown(kind, change) || self.created.contains(&attribute_key(kind, plain).to_lowercase())
    }

    /// Notes that a PUT wrote what a PATCH did not. Returns true where that makes it learned.
    pub fn written_by_put(&mut self, kind: ObjectKind, path: &str, witness: &Witness) -> bool {
        let told = self.puts.entry(attribute_key(kind, path)).or_default();
        let before = told.len();
        if before < ENOUGH {
            told.insert(witness.clone());
        }
        before < ENOUGH && told.len() >= ENOUGH
    }

    /// Notes that an attribute was accepted and is shown nowhere. Returns true where that was new.
    pub fn not_kept(&mut self, kind: ObjectKind, path: &str, now: Timestamp) -> bool {
        self.unkept.insert(attribute_key(kind, path), now).is_none()
    }

    /// Returns true where it is known that the target does not keep this attribute, or never shows it.
    #[must_use]
    pub fn is_unkept(&self, kind: ObjectKind, path: &str) -> bool {
        !self.unkept.is_empty() && self.unkept.contains_key(&attribute_key(kind, path))
    }

    /// Notes that an attribute was cleared in this way after its removal was refused. Returns true where that makes the
    /// way learned.
    pub fn cleared(&mut self, path: &str, way: Clearing, witness: &Witness) -> bool {
        let ways = self.clearings.entry(path.to_owned()).or_default();
        let told = ways.entry(way).or_default();
        if told.len() >= ENOUGH {
            return false;
        }
        told.insert(witness.clone());
        let learned = told.len() >= ENOUGH;
        if learned {
            ways.retain(|other, _| *other == way);
        }
        learned
    }

    /// Notes that an attribute was refused in a request of its own.
    pub fn refused(&mut self, path: &str, witness: &Witness) {
        let told = self.refused.entry(path.to_owned()).or_default();
        if told.len() < ENOUGH {
            told.insert(witness.clone());
        }
    }

    /// Notes that an attribute was accepted. Returns true where that was new.
    pub fn taken(&mut self, path: &str) -> bool {
        !self.refused.is_empty() && self.refused.remove(path).is_some()
    }

    /// Returns true for an attribute that was refused for three objects in succession.
    #[must_use]
    pub fn is_refused(&self, path: &str) -> bool {
        self.refused.get(path).is_some_and(|told| told.len() >= ENOUGH)
    }

    /// Returns true when the configuration names the form.
    #[must_use]
    pub fn is_pinned(&self, aspect: Aspect) -> bool {
        self.pinned.contains_key(&aspect)
    }

    /// Returns the number of objects, up to three, for which a use was answered with 2xx and not carried out since it
    /// was last seen to work.
    #[must_use]
    pub fn silent_for(&self, usage: &str) -> usize {
        self.silent.get(usage).map_or(0, BTreeSet::len)
    }

    /// Notes that a use did harm: it is not made again under this configuration.
    pub fn bar(&mut self, usage: &str, now: Timestamp) {
        self.barred.insert(usage.to_owned(), now);
    }

    /// Returns true when a use did harm.
    #[must_use]
    pub fn is_barred(&self, usage: &str) -> bool {
        self.barred.contains_key(usage)
    }

    /// Returns the first use that is under way, or was when the program ended.
    #[must_use]
    pub const fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// Begins or ends a first use.
    pub fn set_trial(&mut self, trial: Option<Trial>) {
        self.trial = trial;
    }
}

#[cfg(test)]
mod tests;
