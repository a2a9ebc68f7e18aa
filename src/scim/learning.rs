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

mod seen;
pub mod showing;
mod told;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::showing::Showing;
use super::dialect::Aspect;
use super::dialect::Clearing;
use super::dialect::Dialect;
use super::dialect::PinnedDialect;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;

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
    pub(in crate::scim) showing: Showing,
    /// True if a PATCH with a query parameter is refused.
    pub(in crate::scim) plain_patches: bool,
    /// The first use that is under way, with the group's members before it.
    trial: Option<Trial>,
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

    /// Returns true when the configuration names the form.
    #[must_use]
    pub fn is_pinned(&self, aspect: Aspect) -> bool {
        self.pinned.contains_key(&aspect)
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
