//! What differs between what is wanted of one object, what was sent, and what the target holds.

use std::collections::BTreeMap;

use crate::mapping::TargetPath;
use crate::mapping::resource::read_path;
use crate::mapping::resource::same;
use crate::model::link::Kept;
use crate::model::name::Name;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::drift::AttributeDrift;
use crate::reconcile::forward::departures::ACTIVE;
use crate::reconcile::forward::three_way;
use crate::reconcile::forward::three_way::Verdict;
use crate::reconcile::operation::Change;

/// What an object's desired attributes are compared with.
pub(in crate::reconcile) struct Base<'a> {
    /// As last sent.
    pub(in crate::reconcile) sent: &'a Attributes,
    /// What the target kept of it.
    pub(in crate::reconcile) kept: &'a BTreeMap<Name, Kept>,
    /// The resource as it is now, where it was read.
    pub(in crate::reconcile) observed: Option<&'a serde_json::Value>,
    /// True when a repair was asked for, or the resource is being adopted.
    pub(in crate::reconcile) repair: bool,
    /// True when the user comes back: what the target emptied by itself meanwhile counts as not sent.
    pub(in crate::reconcile) enables: bool,
    /// Attributes that were written after the reading: for them there is none.
    pub(in crate::reconcile) written: &'a [Name],
}

/// The differences of one object.
#[derive(Default)]
pub(in crate::reconcile) struct Differences {
    /// To be sent.
    pub(in crate::reconcile) write: Vec<Change>,
    /// Right already, to be recorded.
    pub(in crate::reconcile) record: Vec<Change>,
    /// Why each of those to be sent differs.
    pub(in crate::reconcile) causes: Vec<(Name, Cause)>,
    /// What the target holds instead of what it kept.
    pub(in crate::reconcile) drift: Vec<AttributeDrift>,
    /// Already as the source wants it, though it was neither there before nor sent.
    pub(in crate::reconcile) foreign: Vec<Change>,
    /// What the target kept, where that was not known: `None` is what was sent.
    pub(in crate::reconcile) filled: Vec<(Name, Option<Value>)>,
}

/// Why an attribute is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reconcile) enum Cause {
    /// What is wanted is not what was sent.
    Moved,
    /// So it is, and the target holds something else than it kept.
    Conflict,
    /// Only the target moved.
    Drift,
    /// The target emptied it by itself.
    Emptied,
}

impl Differences {
    /// Compares one attribute. `heals`: what the target changed by itself is put right.
    pub(super) fn attribute(
        &mut self,
        target: &TargetPath,
        want: &Value,
        shown: Value,
        base: &Base<'_>,
        heals: bool,
    ) {
        let sent = base.sent.get_named(target.name());
        let now = base
            .observed
            .filter(|_| !base.written.contains(target.name()))
            .map(|body| read_path(body, target).unwrap_or_default());
        let kept = base.kept.get(target.name());
        let filled = self.fill(target, sent, kept, now.as_ref());
        let kept = filled.as_ref().or(kept);
        let verdict = three_way::compare(want, sent, kept, now.as_ref(), &|a, b| same(target, a, b));
        let held = match kept {
            Some(Kept::Other(value)) => Some(value),
            _ => sent,
        };
        let before = now.clone().or_else(|| held.cloned()).unwrap_or_default();
        let change = Change {
            attribute: target.name().clone(),
            before,
            after: shown,
        };
        // Whoever is to be disabled is, whatever the policy says (docs/design/comparison.md).
        let takes_back = target.is_core(ACTIVE) && want.as_bool() == Some(false);
        let heals = heals || takes_back;
        // Nor is it left so because the target did not take the last disable either.
        let enabled = takes_back && now.as_ref().and_then(Value::as_bool) == Some(true);
        let verdict = match verdict {
            Verdict::Keep if enabled && base.sent.get_named(target.name()) == Some(want) => Verdict::Repair,
            verdict => verdict,
        };
        match verdict {
            Verdict::Keep if is_cleared_by_target(kept, want) && (base.repair || base.enables) => {
                self.write(change, Cause::Emptied);
            }
            Verdict::Keep => {}
            Verdict::Record => {
                let base_value = held.cloned().unwrap_or_default();
                let moved = sent.is_some_and(|sent| !sent.is_unassigned() && sent != want);
                if moved && now.is_some_and(|now| !same(target, &now, &base_value)) {
                    self.foreign.push(Change {
                        before: base_value,
                        ..change.clone()
                    });
                }
                self.record.push(Change {
                    after: want.clone(),
                    ..change
                });
            }
            Verdict::Write => self.write(change, Cause::Moved),
            Verdict::Conflict => {
                self.drift.push(AttributeDrift::of(&change, held, true, true));
                self.write(change, Cause::Conflict);
            }
            Verdict::Repair => {
                self.drift.push(AttributeDrift::of(&change, held, false, heals));
                if heals || base.repair {
                    self.write(change, Cause::Drift);
                }
            }
        }
    }

    pub(super) fn write(&mut self, change: Change, cause: Cause) {
        self.causes.push((change.attribute.clone(), cause));
        self.write.push(change);
    }

    /// What the target kept of what was sent, where that was not known until this reading: the same under the
    /// schema's rules, or a form of its own that only trims it. Anything else is drift.
    fn fill(
        &mut self,
        target: &TargetPath,
        sent: Option<&Value>,
        kept: Option<&Kept>,
        now: Option<&Value>,
    ) -> Option<Kept> {
        let (Some(Kept::Unknown), Some(sent), Some(now)) = (kept, sent, now) else {
            return None;
        };
        let (found, value) = if same(target, now, sent) {
            (Kept::AsSent, None)
        } else if is_trimmed(target, now, sent) {
            (Kept::Other(now.clone()), Some(now.clone()))
        } else {
            return None;
        };
        self.filled.push((target.name().clone(), value));
        Some(found)
    }
}

/// True where two texts differ in the blanks around them only.
fn is_trimmed(target: &TargetPath, now: &Value, sent: &Value) -> bool {
    match (now, sent) {
        (Value::String(now), Value::String(sent)) => same(target, &now.trim().into(), &sent.trim().into()),
        _ => false,
    }
}

/// What the target emptied by itself although we sent it.
fn is_cleared_by_target(kept: Option<&Kept>, want: &Value) -> bool {
    matches!(kept, Some(Kept::Other(value)) if value.is_unassigned()) && !want.is_unassigned()
}
